--- :break and what one does with a task that it holds. Part of luna.repl.commands.
local breaks = require "luna.repl.breaks"
local source = require "luna.repl.source"

local AROUND = 8

-- The held task that a command is about: the one of that number, else the one that is looked at.
local function heldTask(session, word)
  local list = breaks.held(session)
  if #list == 0 then error("no task is held; :break FUNCTION or :break FILE:LINE holds one", 0) end
  if word and word ~= "" then
    for _, hold in ipairs(list) do
      if tostring(hold.task.id) == word then return hold end
    end
    error(("task %s is not held; :break lists those that are"):format(word), 0)
  end
  return breaks.current(session)
end

local function describe(point)
  return ("%4d  %s:%d%s%s  (%d time%s)"):format(point.id, point.file, point.line, point.given and "  " .. point.given or "",
    point.condition and " if " .. point.condition or "", point.hits, point.hits == 1 and "" or "s")
end

local function list(session)
  local lines = {}
  for _, point in ipairs(breaks.of(session)) do lines[#lines + 1] = describe(point) end
  if #lines == 0 then lines[1] = "no break points" end
  for _, hold in ipairs(breaks.held(session)) do
    lines[#lines + 1] = ("%s task %d is held at %s:%d in %s"):format(hold == breaks.current(session) and ">" or " ", hold.task.id,
      source.name(hold.source), hold.line, hold.what)
  end
  return table.concat(lines, "\n")
end

-- A function by the name that a person has for it: an expression, or a method of the handler's class. env: what it may name.
local function lookup(session, text, env)
  local dotted = text:gsub("^(.-):([%a_][%w_]*)$", "%1.%2")
  local fn = load("return " .. dotted, "=name", "t", env)
  local ok, value
  if fn then ok, value = pcall(fn) end
  if ok and type(value) == "function" then return value end
  local class = session.bot.core.dispatch.class
  local name = text:match "[%w_]+$"
  ok, value = pcall(function() return class and name and class[name] end)
  if ok and type(value) == "function" then return value end
  ok, value = pcall(function() return session.env.up[text] end)
  return ok and value or nil
end

local function off(session, word)
  if word == "" then
    local n = breaks.remove(session)
    return ("%d break point%s taken back"):format(n, n == 1 and "" or "s")
  end
  local id = math.tointeger(tonumber(word))
  if not id or breaks.remove(session, id) == 0 then error("there is no break point " .. word, 0) end
  return ""
end

local function set(session, text)
  if text == "" then return list(session) end
  local word = text:match "^off%s*(.*)$"
  if word then return off(session, word) end
  local place, condition = text:match "^(.-)%s+if%s+(.+)$"
  place = place or text
  local texts = breaks.texts(session)
  local function locate(env)
    return breaks.locate(place, session.bot.path, function(name) return lookup(session, name, env) end, texts)
  end
  local at = locate((session:scope()))
  local byName = not place:find ":%d+$" and not place:find "^%d+$"
  local point = breaks.add(session, at, condition, byName and place or nil, byName and function() return locate(session.env) end or nil)
  local where = source.around("@" .. (session.bot.path or ""), at.line, 0, texts)
  local own = session.bot.path and (session.bot.path == at.file or session.bot.path:sub(-#at.file - 1) == "/" .. at.file)
  return ("break %d at %s:%d%s"):format(point.id, at.file, at.line, own and where and "\n" .. where or "")
end

local function goes(mode)
  return function(session, word)
    local hold = heldTask(session, word)
    breaks.go(hold, mode)
    return ""
  end
end

local function continue(session, word)
  if word ~= "all" then return goes(nil)(session, word) end
  local held = breaks.held(session)
  if #held == 0 then error("no task is held", 0) end
  for _, hold in ipairs(table.move(held, 1, #held, 1, {})) do breaks.go(hold) end
  return ""
end

local function where(session, word)
  local hold = heldTask(session, word)
  session.at = hold
  local lines = {}
  local stack = require("luna.repl.looking").stack(hold.task)
  local frame = breaks.frame(hold)
  for _, entry in ipairs(stack) do
    if entry.frame and entry.frame.level == 0 and entry.frame.thread == frame.thread then entry.line = hold.line end
    local mark = entry.frame and entry.frame.level == frame.level and entry.frame.thread == frame.thread and ">" or " "
    lines[#lines + 1] = ("%s %d  %s:%d in %s"):format(mark, entry.level, source.name(entry.source), entry.line, entry.what)
  end
  local line = frame.level == 0 and hold.line or frame.line
  lines[#lines + 1] = source.around(frame.source, line, AROUND, hold.texts)
  return table.concat(lines, "\n")
end

local function select(session, word)
  local hold = heldTask(session)
  local level = math.tointeger(tonumber(word))
  for _, entry in ipairs(require("luna.repl.looking").stack(hold.task)) do
    if entry.level == level and entry.frame then
      hold.level, hold.frame = entry.level, nil
      return where(session)
    end
  end
  error("which frame? Its number, as :where shows it", 0)
end

local function locals(session)
  local lines = breaks.frame(heldTask(session)):describe()
  return #lines > 0 and table.concat(lines, "\n") or "no locals here"
end

return {
  ["break"] = set, step = goes "in", next = goes "over", out = goes "out", continue = continue, where = where, frame = select,
  locals = locals,
}
