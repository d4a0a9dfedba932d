--- What has been said and done in a world, as it happened, and as text that is the same for the same run: names instead of ids, messages
--- numbered as they come, times as what has passed. Filled by the model's `heard`; read by the test kit's errors and snapshots.
local timer = require "_luna.timer"
local Class = require "luna.class"
local media = require "luna.media"
local describe = require "luna.sandbox.describe"
local keyboards = require "luna.sandbox.keyboards"
local polls = require "luna.sandbox.poll_view"

local Transcript = Class.new "Transcript"

local EVENTS_MAX = 20000 -- kept; the older half goes then

function Transcript:init(model)
  self.model, self.events, self.first = model, {}, 1
  model.heard = function(kind, e) self:add(kind, e) end
end

--- kind: send, edit, delete, react, vote, press, answer, inline, inlineAnswer, failed. e: by (whose deed), core, and what the kind has
--- beside.
function Transcript:add(kind, e)
  local core = e.core
  e.kind, e.at = kind, timer.now()
  if core then -- as it is now: an edit sets these anew
    e.text, e.entities, e.media, e.markup = core.text, core.entities, core.media, core.markup
    e.chat, e.pair = core.chat, core.pair
    local poll = e.media and e.media._ == "messageMediaPoll" and self.model.state.polls[e.media.id]
    e.words = poll and polls.words(poll)
  end
  local list = self.events
  list[#list + 1] = e
  if #list > EVENTS_MAX then
    table.move(list, EVENTS_MAX // 2 + 1, #list, 1)
    for i = #list, #list - EVENTS_MAX // 2 + 1, -1 do list[i] = nil end
    self.first = math.max(1, self.first - EVENTS_MAX // 2)
  end
end

--- What comes from now on is what text() shows where nothing else is asked for.
function Transcript:mark() self.first = #self.events + 1 end

--- The bot that alone has written the last `n` messages, or nil: one that answers itself.
function Transcript:alone(n)
  local list = self.events
  local by = #list >= n and list[#list].by
  if not by or not self.model:user(by).bot then return nil end
  for i = #list, #list - n + 1, -1 do
    if list[i].kind ~= "send" or list[i].by ~= by then return nil end
  end
  return by
end

-- ---- words ----

local tags = {
  messageEntityBold = "b", messageEntityItalic = "i", messageEntityUnderline = "u", messageEntityStrike = "s", messageEntityCode = "code",
  messageEntityPre = "pre", messageEntitySpoiler = "tg-spoiler", messageEntityBlockquote = "blockquote",
}

-- A text with its formatting as HTML tags; what Telegram finds by itself (links, commands, …) is left out.
local function formatted(text, entities)
  local open, close, any = {}, {}, false
  for _, e in ipairs(entities or {}) do
    local tag = tags[e._]
    local head = tag and "<" .. tag .. ">"
    if e._ == "messageEntityTextUrl" then tag, head = "a", ('<a href="%s">'):format(e.url) end
    if e._ == "messageEntityMentionName" then tag, head = "a", "<a>" end
    if tag then
      any = true
      open[e.offset] = (open[e.offset] or "") .. head
      close[e.offset + e.length] = ("</%s>"):format(tag) .. (close[e.offset + e.length] or "")
    end
  end
  if not any then return text end
  local out, at = {}, 0
  for _, code in utf8.codes(text, true) do
    out[#out + 1] = close[at]
    out[#out + 1] = open[at]
    out[#out + 1] = utf8.char(code)
    at = at + (code > 0xffff and 2 or 1)
  end
  out[#out + 1] = close[at]
  return table.concat(out)
end

local function fileName(document)
  for _, a in ipairs(document.attributes or {}) do
    if a.file_name then return a.file_name end
  end
end

local function mediaWords(m)
  local kind = media.kind(m)
  if not kind then return nil end
  local words = { kind }
  if m.document then
    words[#words + 1] = fileName(m.document)
    words[#words + 1] = ("%d bytes"):format(m.document.size)
  elseif m.photo then
    local size = m.photo.sizes[#m.photo.sizes]
    words[#words + 1] = ("%dx%d"):format(size.w, size.h)
  elseif kind == "dice" then
    words[#words + 1] = ("%s %d"):format(m.emoticon, m.value)
  elseif kind == "contact" then
    words[#words + 1] = ("%s %s"):format(m.first_name, m.phone_number)
  elseif kind == "invoice" then
    words[#words + 1] = ("%s, %d %s"):format(m.title, m.total_amount, m.currency)
  elseif kind == "venue" then
    words[#words + 1] = m.title
  end
  return ("[%s]"):format(table.concat(words, ", "))
end

local function ago(seconds)
  local s = math.floor(seconds + 0.5)
  local out = {}
  for _, unit in ipairs { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } } do
    if s >= unit[1] then
      out[#out + 1] = ("%d %s"):format(s // unit[1], unit[2])
      s = s % unit[1]
    end
  end
  return table.concat(out, " ")
end

-- ---- a text ----

local function names(self)
  local model, taken, given = self.model, {}, {}
  return function(id)
    if given[id] then return given[id] end
    local name = model:name(id)
    local n = (taken[name] or 0) + 1
    taken[name] = n
    given[id] = n == 1 and name or ("%s (%d)"):format(name, n)
    return given[id]
  end
end

local function keyboard(lines, markup)
  for _, row in ipairs(markup and markup.rows or {}) do
    local labels = {}
    for i, b in ipairs(row.buttons) do labels[i] = ("[%s]"):format(b.text) end
    lines[#lines + 1] = "       " .. table.concat(labels, " ")
  end
end

local function indent(text) return (text:gsub("\n", "\n       ")) end

local actions = {}
function actions.messageActionChatAddUser(a, from, name)
  if #a.users == 1 and a.users[1] == from then return "joins" end
  local list = {}
  for i, id in ipairs(a.users) do list[i] = name(id) end
  return "adds " .. table.concat(list, ", ")
end
function actions.messageActionChatDeleteUser(a, from, name) return a.user_id == from and "leaves" or "removes " .. name(a.user_id) end
function actions.messageActionChatCreate(a, from, name)
  local made = actions.messageActionChatAddUser(a, from, name)
  return "makes the group" .. (#a.users > 0 and made:gsub("^adds", " with") or "")
end
function actions.messageActionTopicCreate(a) return ("begins the topic %q"):format(a.title) end
local function amount(a) return ("%d %s"):format(a.total_amount, a.currency) end
function actions.messageActionPaymentSentMe(a) return "pays " .. amount(a) end
function actions.messageActionPaymentRefunded(a) return "gives back " .. amount(a) end
function actions.messageActionChannelCreate() return "makes it" end
function actions.messageActionChatEditTitle(a) return ("calls it %q"):format(a.title) end

local function body(e)
  local words = e.words or mediaWords(e.media or {})
  local text = formatted(e.text or "", e.entities)
  if words and text ~= "" then return words .. " " .. text end
  return words or text
end

local write = {}

function write.send(e, w)
  local core = e.core
  local n = w.number(core)
  local action = core.action
  if action then
    local make = actions[action._]
    local deed = make and make(action, core.by, w.name)
    if action._ == "messageActionPinMessage" then deed = "pins " .. w.number(w.model.state.cores[core.reply]) end
    w.line(n, ("%s %s"):format(w.name(core.by), deed or describe.message(core)))
    return
  end
  local about, place = {}, core.topic and w.model:object(core.chat)
  local topic = place and place.topics[core.topic]
  if topic then about[1] = "in " .. topic.title end
  if core.via then about[#about + 1] = "by way of " .. w.name(core.via) end
  if core.fwd then about[#about + 1] = "forwarded from " .. w.name(core.fwd.from) end
  local to = core.reply and w.model.state.cores[core.reply]
  if to then about[#about + 1] = "to " .. w.number(to) end
  w.line(n, ("%s%s: %s"):format(w.name(core.by), #about > 0 and (" (%s)"):format(table.concat(about, ", ")) or "", indent(body(e))))
  keyboard(w.lines, e.markup)
end

function write.edit(e, w)
  w.line(w.number(e.core), ("%s changes it: %s"):format(w.name(e.by), indent(body(e))))
  keyboard(w.lines, e.markup)
end

function write.delete(e, w)
  w.line("", ("%s deletes %s%s"):format(w.name(e.by), w.number(e.core), e.alone and ", for one side" or ""))
end

function write.react(e, w)
  local what = #e.list > 0 and ("reacts to %s: %s"):format(w.number(e.core), table.concat(e.list, " "))
    or "takes the reaction to " .. w.number(e.core) .. " back"
  w.line("", ("%s %s"):format(w.name(e.by), what))
end

function write.vote(e, w)
  local what = #e.labels > 0 and ("votes in %s: %s"):format(w.number(e.core), table.concat(e.labels, ", "))
    or ("takes the vote in %s back"):format(w.number(e.core))
  w.line("", ("%s %s"):format(w.name(e.by), what))
end

function write.press(e, w)
  local button = keyboards.byData(e.markup, e.data)
  w.line("", ("%s presses [%s] of %s"):format(w.name(e.by), button and button.text or "?", w.number(e.core)))
end

function write.answer(e, w)
  local a = e.answer
  local words = a.message and a.message ~= "" and ("%s%s"):format(a.alert and "(alert) " or "", indent(a.message)) or a.url or "nothing"
  w.line("", ("%s tells %s: %s"):format(w.name(e.bot), w.name(e.by), words))
end

function write.inline(e, w)
  local from = e.offset ~= "" and (" (from %s on)"):format(e.offset) or ""
  w.line("", ("%s asks: @%s %s%s"):format(w.name(e.by), w.name(e.bot), e.query, from))
end

function write.inlineAnswer(e, w)
  local list = {}
  for i, r in ipairs(e.answer.results) do list[i] = ("[%s]"):format(r.shown.title or r.shown.type) end
  local more = e.answer.nextOffset and ", and there is more" or ""
  w.line("", ("%s shows %s%s"):format(w.name(e.bot), #list > 0 and table.concat(list, " ") or "nothing", more))
end

function write.failed(e, w) w.line("", ("%s failed: %s"):format(w.name(e.by), indent(e.text))) end

-- The dialog that an event belongs to, as a key and a title, people before bots; nil where it belongs to none.
local function dialog(model, e, name)
  if e.chat then return e.chat, name(e.chat) end
  local a, b = e.by, e.bot
  if e.pair then a, b = e.pair[1], e.pair[2] end
  if not b then return nil end
  if a > b then a, b = b, a end
  local key = ("%d:%d"):format(a, b)
  if model:user(a).bot and not model:user(b).bot then a, b = b, a end
  local titles = { name(a), name(b) }
  return key, a == b and titles[1] .. " alone" or table.concat(titles, " and ")
end

--- The key of the dialog of two accounts, or of a group (a marked id), as `of` of text() wants it.
function Transcript.key(uid, peer)
  if peer < 0 then return peer end
  return ("%d:%d"):format(math.min(uid, peer), math.max(uid, peer))
end

--- Lines. opts: of = key of one dialog, or nil for all; with = an id: what that account sees; all = also what was before the mark;
--- last = so many events. Returns the text, and how many events there were.
function Transcript:text(opts)
  opts = opts or {}
  local name = names(self)
  local list = {}
  for i = opts.all and 1 or self.first, #self.events do
    local e = self.events[i]
    local key = dialog(self.model, e, function() return "" end)
    local fits = opts.of == nil or key == opts.of or e.kind == "failed"
    if fits and opts.with then
      local chat = e.chat and self.model:object(e.chat)
      local pair = e.pair or {}
      fits = e.by == opts.with or e.bot == opts.with or e.chat == opts.with or pair[1] == opts.with or pair[2] == opts.with
        or chat ~= nil and chat.members[opts.with] ~= nil
    end
    if fits and write[e.kind] then list[#list + 1] = e end
  end
  local numbers, n = {}, 0
  local w = { lines = {}, model = self.model, name = name }
  function w.number(core)
    if not core then return "?" end
    if not numbers[core.gid] then
      n = n + 1
      numbers[core.gid] = n
    end
    return tostring(numbers[core.gid])
  end
  function w.line(number, text) w.lines[#w.lines + 1] = (("%4s  %s"):format(number, text):gsub("%s+$", "")) end
  local skipped = opts.last and math.max(0, #list - opts.last) or 0
  if skipped > 0 then w.lines[1] = ("  (%d earlier ones)"):format(skipped) end
  local current, before = opts.of, nil
  for i, e in ipairs(list) do
    if i > skipped then
      local key, title = dialog(self.model, e, name)
      if before and e.at - before >= 0.5 then w.line("", ("… %s later"):format(ago(e.at - before))) end
      before = e.at
      if key and key ~= current then
        if #w.lines > 0 then w.lines[#w.lines + 1] = "" end
        w.lines[#w.lines + 1] = title
        current = key
      end
      write[e.kind](e, w)
    elseif e.core then
      w.number(e.core)
    end
  end
  return table.concat(w.lines, "\n"), #list
end

return Transcript
