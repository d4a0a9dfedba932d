--- From a script's parameters to TL-ready ones: peers, random_id, parse_mode, reply_to_msg_id, reply_markup, media. For each method one
--- list of steps is made when it is first called ("compiled"), so that a call costs a table copy and its steps, no closure.
local crypto = require "_luna.crypto"
local tl = require "_luna.tl"
local errors = require "luna.errors"
local promise = require "_luna.promise"
local forms = require "luna.peer_forms"
local RandomId = require "luna.random_id"

local params = {}

-- Steps: fn(core, q, field, method) changes q, a copy of the parameters. Errors in words begin with the method's name.
local steps = {}

local function bad(method, field, text) error(('%s: parameter "%s": %s'):format(method.name, field, text), 0) end
params.bad = bad

function steps.InputPeer(core, q, field)
  local x = q[field]
  if x ~= nil then q[field] = forms.inputPeer(core.peers, x) end
end

function steps.InputUser(core, q, field)
  local x = q[field]
  if x ~= nil then q[field] = forms.inputUser(core.peers, x) end
end

function steps.InputChannel(core, q, field)
  local x = q[field]
  if x ~= nil then q[field] = forms.inputChannel(core.peers, x) end
end

function steps.InputDialogPeer(core, q, field)
  local x = q[field]
  if x == nil or (type(x) == "table" and (x._ == "inputDialogPeer" or x._ == "inputDialogPeerFolder")) then return end
  q[field] = { _ = "inputDialogPeer", peer = forms.inputPeer(core.peers, x) }
end

-- How many items a list has that a script gave: none is left out without a word.
local function lengthOf(list, method, field)
  if type(list) ~= "table" or list._ ~= nil then bad(method, field, "expected a list, got a single " .. type(list)) end
  local n, why = tl.list(list)
  if not n then bad(method, field, why) end
  return n
end

local function each(fn)
  return function(core, q, field, method)
    local list = q[field]
    if list == nil then return end
    local out = {}
    for i = 1, lengthOf(list, method, field) do
      out.one = list[i]
      fn(core, out, "one", method)
      out[i] = out.one
    end
    out.one = nil
    q[field] = out
  end
end
for _, name in ipairs { "InputPeer", "InputUser", "InputChannel", "InputDialogPeer" } do
  steps["Vector<" .. name .. ">"] = each(steps[name])
end

-- messages.getMessages{ id = { 1, 2 } }: plain numbers are messages' ids.
steps["Vector<InputMessage>"] = each(function(_, q, field)
  if type(q[field]) == "number" then q[field] = { _ = "inputMessageID", id = q[field] } end
end)

function steps.randomIds(core, q, field, method)
  if q[field] ~= nil or type(q.id) ~= "table" then return end
  local list = {}
  for i = 1, lengthOf(q.id, method, "id") do list[i] = core.randomId:next(method.name, q, field, i) end
  q[field] = list
end

-- What the server does not have yet has to become media of its own before an album can name it.
local function single(core, q, item, method)
  steps.InputMedia(core, item, "media", method)
  local kind = item.media and item.media._
  if not kind or not (kind:find "Uploaded" or kind:find "External") then return end
  item.media = require("luna.media").toInput(core:invoke("messages.uploadMedia", { peer = q.peer, media = item.media }))
end

steps["Vector<InputSingleMedia>"] = function(core, q, field, method)
  local list = q[field]
  if list == nil then return end
  local out = {}
  for i = 1, lengthOf(list, method, field) do
    local item = list[i]
    if type(item) ~= "table" then bad(method, field, ("item %d is a %s, not a table"):format(i, type(item))) end
    local copy = {}
    for k, v in pairs(item) do copy[k] = v end
    copy._ = copy._ or "inputSingleMedia"
    copy.message = copy.message or ""
    steps.parseMode(core, copy, nil, method)
    single(core, q, copy, method)
    if copy.random_id == nil then copy.random_id = core.randomId:next(method.name, copy, "random_id", i) end
    out[i] = copy
  end
  q[field] = out
end

-- A text in a mode → the plain text and its entities.
local function parse(core, method, text, mode)
  local parser = require("luna.entities").parser(mode)
  if not parser then bad(method, "parse_mode", ('"%s" is neither "HTML" nor "Markdown"'):format(tostring(mode))) end
  if type(text) ~= "string" then return text, {} end
  local plain, found = parser(text)
  for _, entity in ipairs(found) do
    if entity._ == "inputMessageEntityMentionName" then entity.user_id = forms.inputUser(core.peers, entity.user_id) end
  end
  return plain, found
end

function steps.parseMode(core, q, _, method)
  local mode = q.parse_mode
  if mode == nil then return end
  q.parse_mode = nil
  local text, found = parse(core, method, q.message, mode)
  q.message = text
  if #found > 0 and q.entities == nil then q.entities = found end
end

function steps.replyTo(core, q, _, method)
  local id, reply = q.reply_to_msg_id, q.reply_to
  if id ~= nil then
    q.reply_to_msg_id = nil
    if type(id) ~= "number" then bad(method, "reply_to_msg_id", "expected the id of a message, got a " .. type(id)) end
    if reply == nil then
      q.reply_to = { _ = "inputReplyToMessage", reply_to_msg_id = id }
      if q.top_msg_id then q.reply_to.top_msg_id, q.top_msg_id = q.top_msg_id, nil end
    end
  elseif type(reply) == "number" then
    q.reply_to = { _ = "inputReplyToMessage", reply_to_msg_id = reply }
  elseif type(reply) == "table" and reply._ == "message" then
    q.reply_to = { _ = "inputReplyToMessage", reply_to_msg_id = reply.id }
  end
end

local function keyboard(core, x)
  if type(x) == "table" and x._ ~= nil then return x end
  return require("luna.markup").toTL(x, function(user) return forms.inputUser(core.peers, user) end)
end

function steps.ReplyMarkup(core, q, field, method)
  local x = q[field]
  if x == nil then return end
  local made, why = keyboard(core, x)
  if not made then bad(method, field, why) end
  q[field] = made
end

function steps.InputMedia(core, q, field, method)
  local x = q[field]
  if x == nil then return end
  local upload = require "luna.upload"
  local made, why
  if upload.isFile(x) then made, why = upload.media(core, x) else made, why = require("luna.media").toInput(x) end
  if not made then bad(method, field, why) end
  q[field] = made
end

steps["Vector<InputBotInlineResult>"] = function(core, q, field, method)
  if q[field] == nil then return end
  local made, why = require("luna.inline_results").toTL(q[field], {
    parse = function(text, mode) return parse(core, method, text, mode) end,
    markup = function(x) return keyboard(core, x) end,
    media = require("luna.media").toInput,
  })
  if not made then bad(method, field, why) end
  q[field] = made
end

-- What has but one constructor needs no name.
function steps.InlineBotSwitchPM(_, q, field)
  local x = q[field]
  if type(x) == "table" and x._ == nil then q[field] = { _ = "inlineBotSwitchPM", text = x.text, start_param = x.start_param } end
end

-- hash = 0 asks for the whole list, which is what one wants who does not say.
function steps.hash(_, q, field)
  if q[field] == nil then q[field] = 0 end
end

-- cache_time = 0: an answer to a button is not kept, which is what one wants who does not say.
function steps.cacheTime(_, q, field)
  if q[field] == nil then q[field] = 0 end
end

local given, keyed, inputPeer = tl.given, RandomId.keyed, steps.InputPeer

-- Steps that have something to do where their parameter is not given.
local unasked = { [steps.randomIds] = true, [steps.hash] = true, [steps.cacheTime] = true }

local function typeOf(p)
  local t = p.type
  if p.vector and not t:find "^[Vv]ector" then t = "Vector<" .. t .. ">" end
  return (t:gsub("^vector<", "Vector<"))
end

--- The compiled form of a method: { name, result, n steps and their parameters, … }. nil for an unknown name.
function params.compile(name)
  local info = tl.method(name)
  if not info then return nil end
  local result = typeOf(info.result)
  local method = { name = name, result = result, usersOnly = info.usersOnly, botsOnly = info.botsOnly, fields = {} }
  local list, has = {}, {}
  for _, p in ipairs(info.params) do
    has[p.name] = typeOf(p)
    method.fields[p.name] = has[p.name]
  end
  if has.entities and has.message then list[#list + 1] = { steps.parseMode, "parse_mode" } end
  if has.reply_to and not has.reply_to_msg_id then list[#list + 1] = { steps.replyTo, "reply_to_msg_id" } end
  for _, p in ipairs(info.params) do
    local t = typeOf(p)
    if steps[t] then list[#list + 1] = { steps[t], p.name } end
    if p.name == "cache_time" and t == "int" and not p.flag then list[#list + 1] = { steps.cacheTime, "cache_time" } end
    if p.name == "hash" and t == "long" and not p.flag then list[#list + 1] = { steps.hash, "hash" } end
  end
  if has.random_id == "Vector<long>" then list[#list + 1] = { steps.randomIds, "random_id" } end
  method.n, method.keyed = #list, has.random_id == "long"
  method.plain = method.n == 0 and not method.keyed
  method.at, method.always = {}, false -- always: there are steps that have something to do whatever is given
  for i, step in ipairs(list) do
    local fn, field = step[1], step[2]
    method[i], method[-i], method.at[field] = fn, field, fn
    if fn == steps.replyTo then method.at.reply_to = fn end
    if unasked[fn] then method.always = true end
  end
  return method
end

--- TL-ready parameters; p itself is never changed. Then what a connection's call makes the random_id of, where it is to make one: key,
--- text, counts (see random_id.lua); outside of handlers it is just random.
function params.prepare(core, method, p)
  if method.plain then return p end
  local q, known, step, field, user = given(p, method.at)
  if known == 1 and not method.always then
    local entry = user and step == inputPeer and core.peers.young[user]
    local input = entry and entry.input
    if input and not entry.min then q[field] = input else step(core, q, field, method) end
  elseif known > 0 or method.always then
    for i = 1, method.n do method[i](core, q, method[-i], method) end
  end
  if not method.keyed or q.random_id ~= nil then return q end
  local key, text, sent = keyed(core.randomId)
  if key then return q, key, text, sent end
  q.random_id = crypto.randomId()
  return q
end

-- What stands for a parameter that a step makes, while there is no account to make it of.
local standIns = {
  InputPeer = { _ = "inputPeerEmpty" }, InputUser = { _ = "inputUserEmpty" }, InputChannel = { _ = "inputChannelEmpty" },
  InputMedia = { _ = "inputMediaEmpty" }, long = 0, int = 0,
}

--- Raises for parameters that are wrong whatever the account is: a call before the login shall not log in for their sake.
function params.check(method, p)
  local q = { random_id = method.keyed and 0 or nil }
  for name, value in next, p do
    if not method.at[name] then q[name] = value end
  end
  for name, step in next, method.at do
    local t = method.fields[name]
    if t and (p[name] ~= nil or unasked[step]) then q[name] = standIns[t] or t:find "^Vector" and {} or nil end
  end
  local ok, err = pcall(tl.encodeMethod, method.name, q)
  if ok then return end
  local name = err:match 'parameter "([^"]+)"'
  if name and not method.at[name] then error(err, 0) end
end

local comforts = { parse_mode = true, reply_to_msg_id = true, multiple = true }

--- Whether a method has a parameter of that name, of the schema or ours.
function params.takes(method, name) return method.fields[name] ~= nil or method.at[name] ~= nil end

-- What other libraries call it: the Bot API's names, and some of Telethon's → ours, of which the first that a method has is meant.
local elsewhere = {
  text = { "message" }, caption = { "message" }, chat_id = { "peer" }, chat = { "peer" }, message_id = { "id", "msg_id" },
  message_ids = { "id" }, reply_to_message_id = { "reply_to_msg_id" }, disable_notification = { "silent" },
  disable_web_page_preview = { "no_webpage" }, protect_content = { "noforwards" }, show_alert = { "alert" },
  callback_query_id = { "query_id" }, inline_query_id = { "query_id" }, buttons = { "reply_markup" }, keyboard = { "reply_markup" },
  inline_keyboard = { "reply_markup" }, caption_entities = { "entities" }, file = { "media" },
}
local file = 'a file goes as media = { path = "…" }'
local files = {
  photo = 'a picture goes as media = { path = "…", photo = true }', document = file, video = file, audio = file, voice = file,
  animation = file,
}

-- What is said behind a name that a method does not have, or "".
local function hint(method, name)
  if files[name] and method.name:find "^messages%.send" then return "; " .. files[name] end
  if require("luna.helpers").isOption(name) then
    return ("; it is an option, which stands in a second table: ({…}, { %s = … })"):format(name)
  end
  for _, ours in ipairs(elsewhere[name] or {}) do
    if params.takes(method, ours) then return ('; did you mean "%s"?'):format(ours) end
  end
  return require("luna.suggest").hint(name, method.fields)
end

local function misspelt(method, name) return ('%s: it has no parameter "%s"%s'):format(method.name, name, hint(method, name)) end

-- The name of a parameter that is a promise, or holds one.
local function promiseIn(t, depth)
  for name, value in next, t do
    if promise.is(value) or type(value) == "table" and depth > 0 and promiseIn(value, depth - 1) then return tostring(name) end
  end
end

--- A string error of the C encoder, of a step, or about a wait where none can be: its text, where it is about the call with the parameters
--- `p` and so to be raised where that stands; else nil.
function params.isBadCall(method, err, p)
  if type(err) ~= "string" and not errors.is(err, errors.classes.PeerException) then return nil end
  local name = p and promiseIn(p, 3)
  if name then return ('%s: parameter "%s": promise not awaited'):format(method.name, name) end
  if type(err) ~= "string" then return nil end
  local text = errors.bare(err)
  if text:find "^cannot wait inside " then return text end
  if text:sub(1, #method.name + 1) ~= method.name .. ":" then return nil end
  if p and text:find("missing parameter", 1, true) then -- more likely misspelt than forgotten
    for given_ in pairs(p) do
      if type(given_) == "string" and not method.fields[given_] and not comforts[given_] then return misspelt(method, given_) end
    end
  end
  name = text:match ': it has no parameter "([%w_]+)"'
  return name and misspelt(method, name) or text
end

return params
