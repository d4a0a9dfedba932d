--- Filters: which messages, presses of buttons or inline queries a route or message:ask wants. A text is a Lua pattern for the message's
--- text, a function decides by itself, a table names fields, a list is any of its items. Compiled once, at the script's line. Called by
--- luna.routes and luna.ask.
local tl = require "_luna.tl"
local ids = require "luna.ids"
local media = require "luna.media"
local patterns_ = require "luna.pattern"
local suggest = require "luna.suggest"

local filters = {}

local match, lower = string.match, string.lower

-- ---- values of fields, checked at the script's line ----

local function wrong(what, name, wanted, value, level)
  local got = type(value) == "string" and ("%q"):format(value) or "a " .. type(value)
  error(("%s: the field %s wants %s, got %s"):format(what, name, wanted, got), level + 1)
end

-- Raises at `level` where a text is no Lua pattern.
local function checkPattern(what, pattern, level)
  local why = patterns_.mistake(pattern)
  if why then error(("%s: %q is no Lua pattern: %s"):format(what, pattern, why), level + 1) end
end

-- One value or a list of them → a list.
local function listOf(value) return type(value) == "table" and value or { value } end

local function each(what, name, value, wanted, valid, level)
  local list = listOf(value)
  local n, why = tl.list(list)
  if not n then error(("%s: the field %s: %s"):format(what, name, why), level + 1) end
  if n == 0 then wrong(what, name, wanted, value, level + 1) end
  for _, item in ipairs(list) do
    if not valid(item) then wrong(what, name, wanted, item, level + 1) end
  end
  return list
end

local function setOf(list, change)
  local set = {}
  for _, item in ipairs(list) do set[change and change(item) or item] = true end
  return set
end

local function isText(v) return type(v) == "string" end
local function isInteger(v) return math.type(v) == "integer" end

-- ---- what messages and presses have ----

local function textOf(message) return message.message or "" end

-- The captures of a pattern as a list (the whole match where it has none), or nil.
local function captures(text, pattern)
  local found = { match(text, pattern) }
  if found[1] == nil then return nil end
  return found
end

local function chatOf(subject)
  local peer = subject.peer_id or subject.peer
  return peer and ids.ofPeer(peer) or nil
end

--- The marked id of who wrote a message, pressed a button or asks inline; nil for a channel's post without an author.
function filters.person(subject)
  if subject.query_id then return subject.user_id end
  if subject.from_id then return ids.ofPeer(subject.from_id) end
  return subject.peer_id and subject.peer_id.user_id or nil
end

--- A command's words: "/add@shop_bot two  eggs" → { "two", "eggs", raw = "two  eggs", command = "add" }; nil where it is none, or one for
--- another bot. me: the own username.
function filters.command(text, me)
  local name, at, raw = match(text, "^/([%w_]+)@?([%w_]*)%f[%s\0]%s*(.*)$")
  if not name then return nil end
  if at ~= "" and me and lower(at) ~= lower(me) then return nil end
  local args = { raw = raw, command = lower(name) }
  for word in raw:gmatch "%S+" do args[#args + 1] = word end
  return args
end

-- ---- the fields ----
-- name → function(value, what, level) → test(subject, handler) → whether it fits, or arguments for the route's function, which are those of
-- the first in this order that gives any.
local fields = {}
local order = {
  "out", "private", "group", "channel", "chat", "from", "reply", "forwarded", "mentioned", "media", "action", "exact", "command", "text",
  "callback", "inline", "where",
}

local function flag(name, has)
  fields[name] = function(value, what, level)
    if type(value) ~= "boolean" then wrong(what, name, "true or false", value, level + 1) end
    return function(subject) return has(subject) == value end
  end
end

flag("out", function(m) return m.out == true end)
flag("private", function(s)
  local peer = s.peer_id or s.peer
  return peer ~= nil and peer.user_id ~= nil
end)
flag("group", function(s)
  local peer = s.peer_id or s.peer
  return peer ~= nil and (peer.chat_id ~= nil or peer.channel_id ~= nil and not s.post)
end)
flag("channel", function(m) return m.post == true end)
flag("reply", function(m)
  local to = m.reply_to
  return to ~= nil and (to.forum_topic == nil or to.reply_to_top_id ~= nil)
end)
flag("forwarded", function(m) return m.fwd_from ~= nil end)
flag("mentioned", function(m) return m.mentioned == true end)

for name, of in pairs { chat = chatOf, from = filters.person } do
  fields[name] = function(value, what, level)
    local set = setOf(each(what, name, value, "an id as of the Bot API, or a list of them", isInteger, level + 1))
    return function(subject) return set[of(subject)] == true end
  end
end

fields.media = function(value, what, level)
  if type(value) == "boolean" then return function(m) return (media.kind(m.media) ~= nil) == value end end
  local list = each(what, "media", value, "true, a kind of media or a list of kinds", isText, level + 1)
  for _, kind in ipairs(list) do
    if not media.kinds[kind] then
      error(("%s: there is no kind of media %q%s"):format(what, kind, suggest.hint(kind, media.kinds)), level + 1)
    end
  end
  local set = setOf(list)
  return function(m)
    local kind, general = media.kind(m.media)
    return kind ~= nil and (set[kind] or set[general]) == true
  end
end

-- "chatAddUser" → "messageActionChatAddUser"
local function actionName(short) return "messageAction" .. short:sub(1, 1):upper() .. short:sub(2) end

fields.action = function(value, what, level)
  if value == true then return function() return true end end -- what kind of message it is has been looked at
  local list = each(what, "action", value, 'true, a name as in "chatAddUser" or a list of names', isText, level + 1)
  for _, name in ipairs(list) do
    local c = tl.constructor(actionName(name))
    if not c then
      local short = {}
      for _, full in ipairs(tl.type "MessageAction") do short[#short + 1] = full:sub(14, 14):lower() .. full:sub(15) end
      error(("%s: there is no action %q%s"):format(what, name, suggest.hint(name, short)), level + 1)
    end
  end
  local set = setOf(list, actionName)
  return function(m) return set[m.action._] == true end
end

fields.exact = function(value, what, level)
  local set = setOf(each(what, "exact", value, "a text or a list of texts", isText, level + 1))
  return function(m) return set[textOf(m)] == true end
end

fields.command = function(value, what, level)
  if value == true then return function(m, handler) return filters.command(textOf(m), filters.username(handler)) end end
  local list = each(what, "command", value, "true, a name or a list of names", isText, level + 1)
  for _, name in ipairs(list) do
    if name:sub(1, 1) == "/" then error(("%s: the name of a command goes without its slash: %q"):format(what, name:sub(2)), level + 1) end
    if not name:find "^[%w_]+$" or #name > 32 then
      error(("%s: %q is no name of a command: up to 32 letters, digits and _"):format(what, name), level + 1)
    end
  end
  local set = setOf(list, lower)
  return function(m, handler)
    local text = m.message
    if not text or text:byte() ~= 47 then return nil end -- "/"
    local args = filters.command(text, filters.username(handler))
    return args and set[args.command] and args or nil
  end
end

local function patterns(name, of)
  fields[name] = function(value, what, level)
    local list = each(what, name, value, "a Lua pattern or a list of patterns", isText, level + 1)
    for _, pattern in ipairs(list) do checkPattern(what, pattern, level + 1) end
    local first = list[1]
    if not list[2] then return function(subject) return captures(of(subject), first) end end
    return function(subject)
      local text = of(subject)
      for i = 1, #list do
        local found = captures(text, list[i])
        if found then return found end
      end
    end
  end
end
patterns("text", textOf)
patterns("callback", function(query) return query.data or "" end)

patterns("inline", function(query) return query.query end)

for _, name in ipairs { "callback", "inline" } do
  local pattern = fields[name]
  fields[name] = function(value, what, level)
    if value == true then return function() return true end end
    return (pattern(value, what, level + 1))
  end
end

fields.where = function(value, what, level)
  if type(value) ~= "function" then wrong(what, "where", "a function", value, level + 1) end
  return value
end

-- What there may be beside those that are about other things than messages.
local besides = { callback = "from chat private group where", inline = "from where" }

-- What kind of update it is about, rather than a test.
local function kindOf(filter, what, level)
  if filter.edited ~= nil and type(filter.edited) ~= "boolean" then wrong(what, "edited", "true or false", filter.edited, level + 1) end
  local kind = filter.callback ~= nil and "callback" or filter.inline ~= nil and "inline" or filter.edited and "edit" or "new"
  local beside = besides[kind]
  for name in pairs(beside and filter or {}) do
    if name ~= kind and not (" " .. beside .. " "):find(" " .. name .. " ", 1, true) then
      error(('%s: %s has no "%s"; beside %s there may be %s'):format(what, kind == "callback" and "the press of a button"
        or "an inline query", name, kind, (beside:gsub(" ", ", "))), level + 1)
    end
  end
  return kind
end

local known = { edited = true }
for name in pairs(fields) do known[name] = true end

--- The username of a handler's bot, or nil.
function filters.username(handler)
  local core = handler and handler._core
  return core and core.me and core.me.username
end

-- ---- compiling ----

local compile

-- A test's value as the arguments of a route's function.
local function arguments(value)
  if type(value) == "table" then return value end
  return value ~= true and { value } or {}
end

-- wanted: the constructor of the message; incoming: not what the bot has written itself.
local function one(kind, tests, wanted, incoming)
  local n = #tests
  return {
    kind = kind,
    --- test(subject, handler) → false or nil, or the arguments, and what gave them as it was
    test = function(subject, handler)
      if wanted and subject._ ~= wanted or incoming and subject.out then return nil end
      local args = true
      for i = 1, n do
        local value = tests[i](subject, handler)
        if not value then return nil end
        if args == true then args = value end
      end
      return arguments(args), args
    end,
  }
end

local function fromTable(filter, what, level)
  suggest.check(filter, known, what .. ": a filter has no field", level + 1)
  local kind = kindOf(filter, what, level + 1)
  local tests = {}
  for _, name in ipairs(order) do
    if filter[name] ~= nil then tests[#tests + 1] = fields[name](filter[name], what, level + 1) end
  end
  if besides[kind] then return { one(kind, tests) } end
  return { one(kind, tests, filter.action and "messageService" or "message", filter.out == nil) }
end

function compile(filter, what, level)
  local kind = type(filter)
  if kind == "string" then
    return (fromTable({ text = filter }, what, level + 1))
  elseif kind == "function" then
    return (fromTable({ where = filter }, what, level + 1))
  elseif kind == "table" and getmetatable(filter) == nil then
    if filter[1] == nil then
      if next(filter) == nil then error(("%s: the filter is empty: { private = true }, { text = \"^hi\" }, …"):format(what), level + 1) end
      return (fromTable(filter, what, level + 1))
    end
    local all = {}
    for key, item in pairs(filter) do
      if math.type(key) ~= "integer" then
        error(("%s: a filter is a list of filters or a table of fields, not both: %s"):format(what, tostring(key)), level + 1)
      end
      if type(item) == "table" and item[1] ~= nil then error(("%s: a list in a list of filters"):format(what), level + 1) end
    end
    local n, why = tl.list(filter)
    if not n then error(("%s: %s"):format(what, why), level + 1) end
    for _, item in ipairs(filter) do
      for _, f in ipairs(compile(item, what, level + 1)) do all[#all + 1] = f end
    end
    return all
  end
  error(("%s: a filter is a Lua pattern, a function, a table of fields or a list of these, not a %s"):format(what, kind), level + 1)
end

--- A filter → a list of { kind = "new" | "edit" | "callback" | "inline", test = function(subject, handler) }, of which one is to fit.
--- `what` begins an error, which is raised at `level`.
function filters.compile(filter, what, level) return (compile(filter, what, level + 1)) end

--- The names of the fields.
function filters.names()
  local list = {}
  for name in pairs(known) do list[#list + 1] = name end
  table.sort(list)
  return list
end

return filters
