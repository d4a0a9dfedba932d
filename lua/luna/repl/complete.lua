--- What Tab offers at the prompt: commands and their arguments, globals and fields of tables to any depth, methods and namespaces of the
--- schema, a method's parameters within its braces and what they can be made of. Asked by luna.repl.session, in the bot; runs no code of
--- the bot: fields are looked up without calling its __index functions.
local tl = require "_luna.tl"
local task = require "_luna.task"
local context = require "luna.repl.context"
local script = require "luna.repl.script"

local LIST_MAX = 500

local keywords = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not",
  "or", "repeat", "return", "then", "true", "until", "while" }

-- The API object and the handler: both have the namespaces.
local holders = { api = true, handler = true, self = true }

local function starting(list, prefix, before, after)
  local found, seen = {}, {}
  for _, name in ipairs(list) do
    if type(name) == "string" and name:sub(1, #prefix) == prefix and not seen[name] then
      seen[name] = true
      found[#found + 1] = before .. name .. (after or "")
    end
  end
  table.sort(found)
  return #found > LIST_MAX and table.move(found, 1, LIST_MAX, 1, {}) or found
end

local function keys(t)
  local list = {}
  for name in next, t do list[#list + 1] = name end
  return list
end

-- ---- values ----

-- A field without calling anything.
local function field(x, name)
  for _ = 1, 20 do
    if type(x) == "string" then x = string end
    if type(x) == "table" then
      local value = rawget(x, name)
      if value ~= nil then return value end
    end
    local meta = debug.getmetatable(x)
    local index = type(meta) == "table" and rawget(meta, "__index")
    if type(index) ~= "table" then return nil end
    x = index
  end
end

-- All names that a value has fields of, and its metatables' tables.
local function names(x)
  local list = {}
  for _ = 1, 20 do
    if type(x) == "string" then x = string end
    if type(x) == "table" then
      for name in next, x do
        if type(name) == "string" and name:find "^[%a_][%w_]*$" then list[#list + 1] = name end
      end
    end
    local meta = debug.getmetatable(x)
    local index = type(meta) == "table" and rawget(meta, "__index")
    if type(index) ~= "table" then break end
    x = index
  end
  return list
end

local function frameOf(session)
  local breaks = package.loaded["luna.repl.breaks"]
  local hold = breaks and #session.held > 0 and breaks.current(session)
  return hold and breaks.frame(hold)
end

-- What a line may begin with.
local function globals(session)
  local list = {}
  local frame = frameOf(session)
  if frame then
    local own, outer = frame:lists()
    table.move(own, 1, #own, 1, list)
    table.move(outer, 1, #outer, #list + 1, list)
  end
  for _, t in ipairs { session.given, session.env, session.bot.env or _G, _G } do
    for name in next, t do
      if type(name) == "string" and name:find "^[%a_][%w_]*$" then list[#list + 1] = name end
    end
  end
  return list
end

local function global(session, name)
  local frame = frameOf(session)
  if frame then
    local found, value = frame:get(name)
    if found then return value end
  end
  local value = rawget(session.env, name)
  if value ~= nil then return value end
  local given = session.given[name]
  if given then return given() end
  value = rawget(session.bot.env or _G, name)
  if value ~= nil then return value end
  return rawget(_G, name)
end

-- A value by the words before the last dot or colon: { "a", "b" }.
local function walk(session, path)
  local value = global(session, path[1])
  if value == session.given.up() and path[2] then
    local ok, found = pcall(function() return value[path[2]] end)
    value = ok and found or nil
    table.remove(path, 2)
  end
  for i = 2, #path do
    if value == nil then return nil end
    value = field(value, math.tointeger(tonumber(path[i])) or path[i])
  end
  return value
end

local function fields(session, word)
  local head, sign, last = word:match "^(.*)([.:])([%w_]*)$"
  local path = {}
  for name in head:gmatch "[%w_]+" do path[#path + 1] = name end
  if #path == 0 then return {} end
  local before = head .. sign
  if holders[path[1]] and sign == "." and #path == 2 and tl.namespaces()[path[2]] then
    return starting(tl.methods(), path[2] .. "." .. last, head:match "^(.*%.)[%w_]+$")
  end
  local value = walk(session, path)
  local list = names(value)
  if holders[path[1]] and #path == 1 then
    if sign == "." then
      for _, name in ipairs(starting(keys(tl.namespaces()), last, "", ".")) do list[#list + 1] = name end
    else
      for _, methods in ipairs { require("luna.api").methods, require("luna.helpers").methods, require("luna.info").methods } do
        for name in next, methods do list[#list + 1] = name end
      end
    end
  end
  if path[1] == "up" and #path == 1 then list = script.names(session.bot) end
  if path[1] == "luna" and #path == 1 and value == require "luna" then
    for name in next, require("luna.helpers").functions do list[#list + 1] = name end
  end
  if sign == ":" then
    local functions = {}
    for _, name in ipairs(list) do
      local x = field(value, name)
      if x == nil or type(x) == "function" then functions[#functions + 1] = name end
    end
    list = functions
  end
  return starting(list, last, before)
end

-- ---- commands ----

local function heldTasks(session)
  local list = {}
  for _, hold in ipairs(session.held) do list[#list + 1] = tostring(hold.task.id) end
  return list
end

local function tasks()
  local list = {}
  for i, t in ipairs(task.all()) do list[i] = tostring(t.id) end
  return list
end

local function handlers(session)
  local list, class = { "off" }, session.bot.core.dispatch.class
  for name, fn in next, class or {} do
    if type(fn) == "function" then list[#list + 1] = name end
  end
  local path = session.bot.path
  if path then list[#list + 1] = path:match "[^/]+$" .. ":" end
  return list
end

local arguments = {
  trace = function() return { "on", "off" } end,
  watch = function() return table.move(tl.type "Update", 1, 1000, 2, { "off" }) end,
  task = tasks, kill = tasks, where = heldTasks, step = heldTasks, next = heldTasks, out = heldTasks,
  continue = function(session) return table.move(heldTasks(session), 1, 100, 2, { "all" }) end,
  ["break"] = handlers,
  help = function()
    local list = require("luna.repl.commands").names()
    for _, more in ipairs { tl.methods(), tl.constructors() } do table.move(more, 1, #more, #list + 1, list) end
    return list
  end,
}

-- ---- the schema ----

local function inTable(session, word, before)
  local where = context(before)
  if not where then return nil end
  if where.text then -- within quotes, after a name and "="
    if where.key ~= "_" then return nil end
    return starting(where.type and tl.type(where.type) or tl.constructors(), word, "")
  end
  if not where.params or where.key then return nil end
  local list = {}
  for _, p in ipairs(where.params) do
    if not where.given[p.name] then list[#list + 1] = p.name end
  end
  local found = starting(list, word, "", " = ")
  if where.type and #(tl.type(where.type) or {}) > 1 and not where.given._ and ("_"):sub(1, #word) == word then
    table.insert(found, 1, '_ = "')
  end
  return found[1] and found or nil
end

--- complete(word, before, session): the words that `word` may become, where `before` stands before it in the line.
return function(word, before, session)
  if type(word) ~= "string" or type(before) ~= "string" then return {} end
  local command, rest = (before .. word):match "^%s*:(%a+)%s(.*)$"
  if command then
    local list = arguments[command] and not rest:find "%s.*%s" and arguments[command](session) or nil
    if list then
      local found = starting(list, word, "")
      if found[1] then return found end
    end
    if command ~= "break" and command ~= "watch" then return {} end
  elseif before:find "^%s*$" and word:sub(1, 1) == ":" then
    return starting(require("luna.repl.commands").names(), word:sub(2), ":")
  end
  local found = word:find "^[%w_]*$" and inTable(session, word, before)
  if found then return found end
  if word:find "^[%a_][%w_.:]*[.:][%w_]*$" then return fields(session, word) end
  if word:find "^[%a_][%w_]*$" then
    local list = globals(session)
    table.move(keywords, 1, #keywords, #list + 1, list)
    return starting(list, word, "")
  end
  return {}
end
