--- Break points of all clients of the REPL, and the tasks that stand at one. A point belongs to the client that made it and goes with it,
--- and what it holds goes on then. The host calls `decide` from a hook, on the task's own thread: nothing in there may wait.
local breaks_ = require "_luna.breaks"
local promise = require "_luna.promise"
local scope = require "luna.scope"
local source = require "luna.repl.source"
local Frame = require "luna.repl.frame"

local breaks = {}

local AROUND = 2 -- lines of source before and after the one where a task is held
local POINTS = 100 -- of one client

local points, lastPoint = {}, 0 -- all clients', in the order of the host's list
local steppers = {} -- id of a task that steps → the session that told it so

local function apply() breaks_.set(points) end

--- Adds a point: at = { file, line }, condition: Lua text or nil, given: as the person wrote it. Returns the point.
function breaks.add(session, at, condition, given)
  local fn, why
  local mine = breaks.of(session)
  if #mine >= POINTS then error(("at most %d break points"):format(POINTS), 0) end
  for _, p in ipairs(mine) do
    if p.file == at.file and p.line == at.line then error(("break %d is there already"):format(p.id), 0) end
  end
  local point = { session = session, file = at.file, line = at.line, condition = condition, given = given, hits = 0,
    linedefined = at.linedefined }
  if condition then
    -- Its names are those of the frame where it is asked.
    point.env = setmetatable({}, { __index = function(_, name) return point.look(name) end })
    fn, why = load("return " .. condition, "=condition", "t", point.env)
    if not fn then error(why, 0) end
    point.test = fn
  end
  lastPoint = lastPoint + 1
  point.id = lastPoint
  points[#points + 1] = point
  apply()
  return point
end

--- The points of a client.
function breaks.of(session)
  local list = {}
  for _, p in ipairs(points) do
    if p.session == session then list[#list + 1] = p end
  end
  return list
end

--- Takes back a point by its number, or all (nil); how many.
function breaks.remove(session, id)
  local n = 0
  for i = #points, 1, -1 do
    if points[i].session == session and (id == nil or points[i].id == id) then
      table.remove(points, i)
      n = n + 1
    end
  end
  apply()
  return n
end

-- ---- held tasks ----

--- A client's held tasks, oldest first; those that were ended in another way are forgotten.
function breaks.held(session)
  local list = session.held
  for i = #list, 1, -1 do
    local _, kind = list[i].task:status()
    if kind ~= "break" then table.remove(list, i) end
  end
  return list
end

--- Whether it stands still yet: a place is held once, a step later it is another one.
function breaks.isHeld(hold)
  local _, kind = hold.task:status()
  return kind == "break" and hold.session.holds[hold.task.id] == hold
end

--- The held task that the client looks at, or nil.
function breaks.current(session)
  local list = breaks.held(session)
  for _, hold in ipairs(list) do
    if hold == session.at then return hold end
  end
  session.at = list[#list]
  return session.at
end

--- The frame of a held task that is looked at.
function breaks.frame(hold)
  if not hold.frame then
    local thread = breaks_.threads(hold.task)
    hold.frame = Frame(thread, hold.level or 0, (hold.level or 0) == 0 and hold.names or nil)
  end
  return hold.frame
end

--- Goes on: mode "in", "over", "out" or nil.
function breaks.go(hold, mode)
  local session = hold.session
  local id = hold.task.id
  steppers[id] = mode and session or nil
  session.holds[id] = nil
  for i, h in ipairs(session.held) do
    if h == hold then
      table.remove(session.held, i)
      break
    end
  end
  if session.at == hold then session.at = nil end
  hold.frame = nil
  return breaks_.go(hold.task, mode)
end

--- The client has gone.
function breaks.leave(session)
  breaks.remove(session)
  for _, hold in ipairs(table.move(session.held, 1, #session.held, 1, {})) do breaks.go(hold) end
end

--- Where a held task stands, as text.
function breaks.place(hold)
  local head = ("task %d is held at %s:%d in %s"):format(hold.task.id, source.name(hold.source), hold.line, hold.what)
  if hold.point then head = ("%s (break %d)"):format(head, hold.point.id) end
  local text = source.around(hold.source, hold.line, AROUND)
  return text and head .. "\n" .. text or head
end

-- What a condition sees: the frame's locals and upvalues as they are, then what the prompt sees.
local function looker(session, values, func)
  return function(name)
    local value = values[name]
    if value ~= nil then return value[1] end
    for i = 1, 255 do
      local n, v = debug.getupvalue(func, i)
      if not n then break end
      if n == name and n ~= "_ENV" then return v end
    end
    return session.env[name]
  end
end

-- In a coroutine of its own, which the watchdog can stop.
local function holds(point, values, func)
  if not point.test then return true end
  point.look = looker(point.session, values, func)
  local ok, result = pcall(coroutine.wrap(point.test))
  point.look = nil
  if ok then return result end
  point.session:print(("break %d: its condition failed: %s"):format(point.id, tostring(result)))
  return false
end

--- What a function is called, for a person: a handler's method by its name in the class.
function breaks.what(session, info)
  for name, fn in next, session.bot.core.dispatch.class or {} do
    if fn == info.func then return "function " .. tostring(name) end
  end
  return Frame.what { info = info }
end

local function decide(t, index, possible)
  local info = debug.getinfo(2, "Slnf")
  local point = points[index]
  local session = point and point.session or steppers[t.id]
  if point and point.linedefined and point.linedefined ~= info.linedefined then return false end
  if not session or session.closed or source.isLibrary(info.source) then return false end
  local core = scope.of(t.owner)
  if core and core ~= session.bot.core then return false end
  local names, values = {}, {}
  for i = 1, 250 do
    local name, value = debug.getlocal(2, i)
    if not name then break end
    names[i], values[name] = name, { value }
  end
  if point then
    if not holds(point, values, info.func) then
      if not steppers[t.id] then return false end
      point, session = nil, steppers[t.id]
    else
      point.hits = point.hits + 1
    end
  end
  if not possible then
    session:print(("task %d came to %s:%d, where it cannot wait (inside table.sort or the like): it was not held"):format(t.id,
      source.name(info.source), info.currentline))
    return false
  end
  steppers[t.id] = nil
  local hold = { task = t, session = session, point = point, source = info.source, line = info.currentline, names = names }
  hold.what = breaks.what(session, info)
  session.holds[t.id] = hold
  session.held[#session.held + 1] = hold
  session.at = hold
  session:print(breaks.place(hold))
  if session.onHeld then session.onHeld(t) end
  return true
end

breaks_.onBreak(decide)

--- Where a name or a place is, for a new point: { file, line } and what it is called. lookup(name): a value by its name.
function breaks.locate(text, path, lookup)
  local file, line = text:match "^(.-):?(%d+)$"
  if file and (file == "" or text:find ":%d+$") then
    line = math.tointeger(tonumber(line))
    if file == "" then file = path end
    if not file or not line or line < 1 then error("which line? FILE:LINE", 0) end
    file = file:gsub("^%./", "")
    if path and (path == file or path:sub(-#file - 1) == "/" .. file) then
      local code = source.withCode("@" .. path, line)
      if not code then error(("%s has no line %d with code"):format(path, line), 0) end
      line = code
    end
    return { file = file, line = line }
  end
  local fn = lookup(text)
  if type(fn) ~= "function" then error(('"%s" is no function that the bot has, and not FILE:LINE'):format(text), 0) end
  local info = debug.getinfo(fn, "S")
  if info.what == "C" or source.isLibrary(info.source) then
    error(("%s is the program's own"):format(text), 0) -- which has no lines, and Lua 5.4.4 crashes where it is asked for them
  end
  local first
  for at in pairs(debug.getinfo(fn, "L").activelines or {}) do
    if (at > info.linedefined or info.linedefined == info.lastlinedefined) and (not first or at < first) then first = at end
  end
  if not first then error(("%s has no line with code"):format(text), 0) end
  -- Every line of the prompt has the same name of a file: there, the function has to be that one.
  local linedefined = info.source == "=repl" and info.linedefined or nil
  return { file = source.name(info.source), line = first, linedefined = linedefined }
end

--- A promise that resolves when one of the client's own tasks is held: the line it runs then no longer holds up the prompt.
function breaks.whenHeld(session)
  local p = promise.new()
  session.onHeld = function(t)
    if session.running and t.id == session.running.id then
      session.onHeld = nil
      promise.resolve(p, true)
    end
  end
  return p
end

return breaks
