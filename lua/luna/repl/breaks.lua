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
local steppers = setmetatable({}, { __mode = "v" }) -- id of a task that steps → the session that told it so
local holders = setmetatable({}, { __mode = "k" }) -- sessions that have held a task

local function apply() breaks_.set(points) end

--- Adds a point: at = { file, line }, condition: Lua text or nil, given: the function's name as the person wrote it, or nil. again(): finds
--- that function anew, as `locate` does. Returns the point.
function breaks.add(session, at, condition, given, again)
  local fn, why
  local mine = breaks.of(session)
  if #mine >= POINTS then error(("at most %d break points"):format(POINTS), 0) end
  for _, p in ipairs(mine) do
    if p.file == at.file and p.line == at.line then error(("break %d is there already"):format(p.id), 0) end
  end
  local point = { session = session, file = at.file, line = at.line, condition = condition, given = given, hits = 0,
    linedefined = at.linedefined, again = again }
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

-- ---- versions of the script ----

-- The version of the script that a task's code is of, where it is known, and whether another one runs now.
local function versionOf(t)
  local core, low = scope.of(t.owner)
  local dispatch = core and core.dispatch
  if not dispatch then return nil, false end
  local entry = dispatch.entries[low]
  if entry then return entry.version, entry.version ~= dispatch.current end
  local mark = scope.markOf(t.owner)
  if mark == dispatch.current.mark then return dispatch.current, false end
  return nil, mark ~= nil and mark ~= core.mark
end

--- The texts of the version that a client's bot runs: path → text, or nil.
function breaks.texts(session) return session.bot.core.dispatch.current.texts end

-- Where a point is in the new version: { file, line }, or nil and why not.
local function renewed(point, texts)
  if point.again then
    local ok, at = pcall(point.again)
    if ok then return at end
    return nil, "the new version has no such function"
  end
  for path in pairs(texts) do
    if path == point.file or path:sub(-#point.file - 1) == "/" .. point.file then
      local line = source.withCode("@" .. path, point.line, texts)
      if not line then return nil, "the new version has no such line" end
      return { file = point.file, line = line }
    end
  end
  return { file = point.file, line = point.line } -- of a file that is not loaded yet
end

--- A new version of the script has come for a client core; ended: the mark of the one before, whose own tasks have just been ended. Points
--- go to where their function or line is now; what a handler of the old version is held at stays held.
function breaks.reloaded(core, ended)
  for i = #points, 1, -1 do
    local point = points[i]
    local session = point.session
    if session.bot.core == core then
      local name = ("break %d (%s)"):format(point.id, point.given or point.file .. ":" .. point.line)
      local at, why = renewed(point, breaks.texts(session) or {})
      if not at then
        table.remove(points, i)
        session:print(("%s is gone: %s"):format(name, why))
      elseif at.file ~= point.file or at.line ~= point.line then
        point.file, point.line, point.linedefined = at.file, at.line, at.linedefined
        session:print(("%s is at %s:%d now"):format(name, at.file, at.line))
      end
    end
  end
  apply()
  for session in pairs(holders) do
    if session.bot.core == core then
      for _, hold in ipairs(session.held) do
        if scope.markOf(hold.task.owner) == ended then
          session:print(("task %d was let go: it was started by the version before, and has ended with it"):format(hold.task.id))
        elseif select(2, hold.task:status()) == "break" then
          session:print(("task %d is held in the version before, where it ends"):format(hold.task.id))
        end
      end
    end
  end
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
  local text = source.around(hold.source, hold.line, AROUND, hold.texts)
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

--- What a function is called, for a person: a handler's method by its name in the class, a route by its filter.
function breaks.what(session, info)
  local class = session.bot.core.dispatch.class
  for name, fn in next, class or {} do
    if fn == info.func then return "function " .. tostring(name) end
  end
  local route = class and class._routes and require("luna.routes").labelOf(class, info.func)
  if route then return route end
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
  local version, old = versionOf(t)
  if old and not steppers[t.id] then return false end -- points are of the version that runs
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
  local hold = { task = t, session = session, point = point, source = info.source, line = info.currentline, names = names,
    texts = version and version.texts }
  holders[session] = true
  hold.what = breaks.what(session, info)
  session.holds[t.id] = hold
  session.held[#session.held + 1] = hold
  session.at = hold
  session:print(breaks.place(hold))
  if session.onHeld then session.onHeld(t) end
  return true
end

breaks_.onBreak(decide)

--- Where a name or a place is, for a new point: { file, line } and what it is called. lookup(name): a value by its name; texts: of the
--- version that runs.
function breaks.locate(text, path, lookup, texts)
  local file, line = text:match "^(.-):?(%d+)$"
  if file and (file == "" or text:find ":%d+$") then
    line = math.tointeger(tonumber(line))
    if file == "" then file = path end
    if not file or not line or line < 1 then error("which line? FILE:LINE", 0) end
    file = file:gsub("^%./", "")
    if path and (path == file or path:sub(-#file - 1) == "/" .. file) then
      local code = source.withCode("@" .. path, line, texts)
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
  -- It has to be that very function: lines of the prompt all have one file's name, and a new version's top level may pass the same line.
  return { file = source.name(info.source), line = first, linedefined = info.linedefined }
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
