--- message:ask: a question to one person in one chat, and the answer: that person's next message there, or the press of a button of the
--- question. One Asks a dispatcher, made at its first question; luna.routes gives every message and press to `take` before the routes.
--- While a question is open its handler has given its lane up; with the answer it has it again, so that one chat stays in order.
local core_ = require "_luna.promise"
local tl = require "_luna.tl"
local Class = require "luna.class"
local cancellation = require "luna.cancellation"
local errors = require "luna.errors"
local filters = require "luna.filters"
local ids = require "luna.ids"
local routes = require "luna.routes"
local suggest = require "luna.suggest"
local topics = require "luna.topics"

local Asks = Class.new "Asks"

local classes = errors.classes
local WHAT = "message:ask"

function Asks:init(dispatch)
  self.dispatch = dispatch
  self.chats = {} -- marked id of a chat → { marked id of a person, in a topic "PERSON/TOPIC" → question }
  self.count = 0
end

local function of(dispatch)
  local asks = dispatch.asks
  if not asks then
    asks = Asks(dispatch)
    dispatch.asks = asks
    dispatch:forget() -- what handles messages has to be looked up with this in front
  end
  return asks
end

-- ---- what may be wanted ----

local options = {}

local function wrong(name, wanted, value, level)
  error(("%s: the option %s wants %s, got a %s"):format(WHAT, name, wanted, type(value)), level + 1)
end

function options.timeout(value, level)
  if type(value) == "number" and value > 0 and value < math.huge then return value end
  return wrong("timeout", "a number of seconds", value, level) -- a tail call: no frame of its own
end

function options.cancellation(value, level)
  if not cancellation.isToken(value) then wrong("cancellation", "a token of a CancellationTokenSource", value, level + 1) end
  return value
end

-- What fits is an answer (check), or not (except, cancel). A function is asked about presses, too; of a filter that says nothing of them, a
-- press of the question is an answer.
local function filter(name, value, level)
  if type(value) == "function" then return value end
  local list = filters.compile(value, ("%s: %s"):format(WHAT, name), level + 1)
  local ofPresses = false
  for _, f in ipairs(list) do ofPresses = ofPresses or f.kind == "callback" end
  return function(subject, handler)
    local kind = routes.kinds[subject._] or "new"
    if kind == "callback" and not ofPresses then return name == "check" end
    for _, f in ipairs(list) do
      if f.kind == kind then
        local args = f.test(subject, handler)
        if args then return args end
      end
    end
  end
end
for _, name in ipairs { "check", "except", "cancel" } do
  options[name] = function(value, level) return (filter(name, value, level + 1)) end
end

function options.retry(value, level)
  local kind = type(value)
  if kind ~= "string" and kind ~= "table" and kind ~= "function" then wrong("retry", "a text, a table or a function", value, level + 1) end
  return value
end

function options.late(value, level)
  if type(value) ~= "string" and type(value) ~= "table" then wrong("late", "a text or a table", value, level + 1) end
  return value
end

-- Rows of labels.
function options.choices(value, level)
  local rows = type(value) == "table" and type(value[1]) == "table" and value or { value }
  local function checkList(list)
    local n, why = tl.list(list)
    if not n then error(("%s: the option choices: %s"):format(WHAT, why), level + 2) end
  end
  checkList(rows)
  for _, row in ipairs(rows) do
    if type(row) == "table" then checkList(row) end
    if type(row) ~= "table" or #row == 0 then wrong("choices", "a list of texts, or a list of rows of texts", value, level + 1) end
    for _, label in ipairs(row) do
      if type(label) ~= "string" or label == "" then wrong("choices", "a list of texts, or a list of rows of texts", label, level + 1) end
    end
  end
  return rows
end

local function read(opts, question, level)
  if opts ~= nil and (type(opts) ~= "table" or getmetatable(opts) ~= nil) then
    error(("%s(question, options): the options are a table, not a %s"):format(WHAT, type(opts)), level + 1)
  end
  local out = {}
  suggest.check(opts or {}, options, WHAT .. ": unknown option", level + 1)
  for name, value in pairs(opts or {}) do out[name] = options[name](value, level + 1) end
  if type(question) == "table" then
    for name in pairs(options) do
      if question[name] ~= nil then
        error(("%s: %s belongs into a table of its own: message:ask({ … }, { %s = … })"):format(WHAT, name, name), level + 1)
      end
    end
  end
  if out.late and not out.timeout then error(("%s: late is said when the timeout is over: give one"):format(WHAT), level + 1) end
  if out.choices and (out.check or type(question) == "table" and question.reply_markup) then
    local other = out.check and "check" or "reply_markup"
    error(("%s: choices make the keyboard and the check: %s goes without them"):format(WHAT, other), level + 1)
  end
  return out
end

-- ---- sending ----

local function dataOf(markup)
  local set
  for _, row in ipairs(type(markup) == "table" and markup.inline_keyboard or {}) do
    for _, button in ipairs(type(row) == "table" and row or {}) do
      if type(button) == "table" and button.callback_data then
        set = set or {}
        set[button.callback_data] = true
      end
    end
  end
  return set
end

-- Sends a text of the question to its chat. In a group it is an answer to what the person wrote, and asks for one: so that a bot that sees
-- only what is meant for it gets the answer.
local function say(self, x, to, level)
  local message = require "luna.message"
  local p = message.options(nil, x, WHAT, level + 1)
  p.peer = p.peer or self.peer
  if self.choices then
    p.reply_markup = { keyboard = self.choices, one_time_keyboard = true, resize_keyboard = true, selective = self.group or nil }
  elseif self.group and to and p.reply_markup == nil then
    p.reply_markup = { force_reply = true, selective = true }
  end
  if p.reply_to == nil and p.reply_to_msg_id == nil then
    if self.topic then p.reply_to = topics.replyTo(self.topic, to) elseif self.group then p.reply_to_msg_id = to end
  end
  local data = dataOf(p.reply_markup)
  local result = message.deliver(p, level + 1)
  if data then -- presses of these buttons count
    self.data = data
    local question = message.sent.getMessage(result)
    self.messageId = question and question.id -- nil where it had been sent before a crash
  end
  return result
end

-- ---- questions ----

-- No longer open: nothing is taken for it any more.
local function close(self)
  if self.closed then return end
  self.closed = true
  local asks, entry = self.asks, self.entry
  local people = asks.chats[self.chat]
  if people[self.key] == self then
    people[self.key] = nil
    if next(people) == nil then asks.chats[self.chat] = nil end
  end
  asks.count = asks.count - 1
  if entry and self.waits then entry.asking = entry.asking > 1 and entry.asking - 1 or nil end
end

-- Ends a question by an error at its line. A handler that lets a CancelledException pass has not failed: it ends.
local function fail(self, err)
  if self.closed then return end
  close(self)
  if self.entry and errors.is(err, classes.CancelledException) then self.entry.ended = true end
  core_.fail(self.promise, err)
end

-- The key of who is asked among a chat's questions: in each topic of a forum there may be one.
local function keyOf(person, topic) return topic and ("%d/%d"):format(person, topic) or person end

-- The topic of what the question is about. The press of a button does not tell: its message is asked for.
local function topicOf(core, subject)
  if not subject.query_id then return topics.of(subject) end
  if not core.peers:isForum(subject.peer) then return nil end
  local message = subject:getMessage()
  return message and topics.of(message)
end

local function open(asks, question)
  local people = asks.chats[question.chat]
  if not people then
    people = {}
    asks.chats[question.chat] = people
  end
  local before = people[question.key]
  people[question.key] = question
  asks.count = asks.count + 1
  if before then fail(before, classes.CancelledException "another question has taken its place") end
  asks.chats[question.chat] = people -- closing the one before may have put it away
  return question
end

--- The question for a message or a press, sent; waits; gives the answer, and what the check made of it.
function Asks.ask(core, subject, question, opts, level)
  opts = read(opts, question, level + 1)
  local peer = subject.peer_id or subject.peer
  local chat = peer and ids.ofPeer(peer)
  local person = not subject.out and filters.person(subject) or peer and peer.user_id
  if not chat or not person then
    error(("%s: there is nobody to ask: %s"):format(WHAT, not chat and "the chat of this button is not known"
      or subject.out and "this message is the account's own" or "a channel's post has no author"), level + 1)
  end
  local topic = topicOf(core, subject)
  local self = {
    asks = of(core.dispatch), chat = chat, person = person, key = keyOf(person, topic), topic = topic, peer = peer,
    group = peer.user_id == nil, question = question,
    check = opts.check, retry = opts.retry, except = opts.except, cancel = opts.cancel, choices = opts.choices,
    entry = core.dispatch:context(), promise = core_.new(),
  }
  core_.markHandled(self.promise)
  if self.choices then
    local set = {}
    for _, row in ipairs(self.choices) do
      for _, label in ipairs(row) do set[label] = true end
    end
    self.check = function(m) return set[m.message] end
  end
  open(self.asks, self) -- before it is sent: no answer comes too early
  local ok, why = pcall(say, self, question, subject.id, 0)
  if not ok then
    close(self)
    if type(why) == "string" then error(errors.bare(why), level + 1) end
    error(why, 0)
  end
  local token, subscription = opts.cancellation, nil
  if token then subscription = token:subscribe(function(err) fail(self, err) end) end
  local entry = self.entry
  if not self.closed and entry then
    self.waits = true
    entry.asking = (entry.asking or 0) + 1
    core.dispatch:release()
  end
  local inTime = true
  local answer, value
  if opts.timeout then
    ok, inTime, answer, value = pcall(core_.awaitTimeout, self.promise, opts.timeout)
    if not ok then answer = inTime end
  else
    ok, answer, value = pcall(core_.await, self.promise)
  end
  close(self)
  if token then token:unsubscribe(subscription) end
  if not ok then error(answer, 0) end
  if not inTime and opts.late then
    self.choices = nil
    pcall(say, self, opts.late, nil, 0) -- who cannot be told is not told
  end
  if not inTime then -- a handler that lets this pass has not failed: it ends
    errors.throw(classes.TimeoutException(("nobody has answered within %g s"):format(opts.timeout), { unanswered = true }))
  end
  return answer, value
end

-- ---- answers ----

-- The answer's update is done when the handler that asked is, and that handler has the chat's lane again.
local function handOver(dispatch, asker)
  local entry = dispatch:context()
  if not asker or not entry or asker.serial == false or asker == entry then return end
  entry.asker, asker.asker = asker, asker
  asker.answers = asker.answers or {}
  table.insert(asker.answers, entry)
  dispatch:handOver(entry, asker)
end

local function isPressOf(self, query)
  return self.data ~= nil and self.data[query.data] ~= nil and (self.messageId == nil or self.messageId == query.msg_id)
end

-- Among a chat's questions the one that a message, or a press, is for.
local function questionFor(people, subject, query)
  local person = filters.person(subject)
  if not query then return people[keyOf(person, topics.of(subject))] end
  for _, question in pairs(people) do
    if question.person == person and isPressOf(question, subject) then return question end
  end
end

-- Not an answer: says so, in the answer's own task, while the chat's next message waits.
local function again(self, subject)
  local x = self.retry
  if type(x) == "function" then x = x(subject) end
  if x == nil then x = self.question end
  say(self, x, subject._ == "message" and subject.id or nil, 1)
end

--- Whether the update is for an open question; then it has been dealt with. A question comes before every route: what a person writes
--- goes past it only where its own `except` says so.
function Asks.take(dispatch, update)
  local query = update.query_id ~= nil
  local subject = update
  if not query then
    subject = update.message
    if subject._ ~= "message" or subject.out then return false end
  end
  local peer = subject.peer_id or subject.peer
  local people = peer and dispatch.asks.chats[ids.ofPeer(peer)]
  local self = people and questionFor(people, subject, query)
  if not self then return false end
  local handler = dispatch.instance
  local ok, value = pcall(function()
    if self.except and self.except(subject, handler) then return nil end
    if self.cancel and self.cancel(subject, handler) then
      fail(self, classes.CancelledException "the person has cancelled")
      return false
    end
    local found = self.check and self.check(subject, handler)
    if found then return found end
    if self.closed then return nil end
    if not self.check then return true end
    again(self, subject)
    return false
  end)
  if not ok then -- what was to look at the answer failed: that is for who asked
    fail(self, value)
    return true
  end
  if value == nil then return false end
  if value == false then return true end
  if self.closed then return false end -- while the check waited, somebody else answered or the time was up
  close(self)
  handOver(dispatch, self.entry)
  core_.resolve(self.promise, subject, self.check and value or nil)
  return true
end

--- A handler has ended that has asked, or that has brought an answer: the latter's update is not done before the former's.
function Asks.ended(dispatch, entry)
  local asker = entry.asker
  if asker ~= entry then
    if asker.serial ~= false then entry.serial = true end -- it is kept
    return
  end
  for _, answer in ipairs(entry.answers) do
    answer.asker = nil
    if answer.serial == true then
      answer.serial = false
      if answer.seq then dispatch.core.updates.journal:forget(answer.seq) end
    end
  end
end

-- Fails the questions that `which` (nil: all) says are over.
local function over(self, err, which)
  local list = {}
  for _, people in pairs(self.chats) do
    for _, question in pairs(people) do
      if not which or which(question) then list[#list + 1] = question end
    end
  end
  for _, question in ipairs(list) do fail(question, err) end
end

--- The version gets no more updates: its handlers' questions are over.
function Asks:retire(version)
  local err = classes.CancelledException "a new version of the script has come"
  err.versionEnded = true
  over(self, err, function(question) return question.entry and question.entry.version == version end)
end

--- All questions are over.
function Asks:abandon(err) over(self, err) end

return Asks
