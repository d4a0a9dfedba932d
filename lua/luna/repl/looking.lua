--- :tasks, :task, :kill, :rpc, :loops, :mem: what there is in the bot. Part of luna.repl.commands.
local host = require "_luna.host"
local loop = require "_luna.loop"
local sockets = require "_luna.socket"
local task = require "_luna.task"
local breaks_ = require "_luna.breaks"
local errors = require "luna.errors"
local frames = require "luna.frames"
local scope = require "luna.scope"
local source = require "luna.repl.source"
local Frame = require "luna.repl.frame"

local M = {}

local function seconds(s)
  if s < 0 then s = 0 end
  if s < 1 then return ("%.0f ms"):format(s * 1000) end
  if s < 120 then return ("%.1f s"):format(s) end
  if s < 7200 then return ("%.0f min"):format(s / 60) end
  return ("%.1f h"):format(s / 3600)
end
M.seconds = seconds

local function byId(word)
  local id = math.tointeger(tonumber(word))
  if not id then error("which task? Its number, as :tasks shows it", 0) end
  for _, t in ipairs(task.all()) do
    if t.id == id then return t end
  end
  error(("there is no task %d (any more)"):format(id), 0)
end

--- The frames of a suspended task that are the script's: { level, source, line, what, frame }, innermost first.
function M.stack(t)
  local list = {}
  local inner, outer = breaks_.threads(t)
  for _, thread in ipairs { inner, outer } do
    for level = 0, 200 do
      local info = debug.getinfo(thread, level, "Sln")
      if not info then break end
      if info.what ~= "C" and not source.isLibrary(info.source) then
        local frame = Frame(thread, level)
        list[#list + 1] = { level = level, source = info.source, line = info.currentline, what = frame:what(),
          frame = thread == inner and frame or nil }
      end
    end
  end
  return list
end

local function calls(session)
  local core = session.bot.core
  local list = {}
  local function add(conn)
    local ok, some = pcall(conn.calls, conn)
    for _, c in ipairs(ok and some or {}) do list[#list + 1] = c end
  end
  if core.conn then add(core.conn) end
  for _, entry in pairs(core.dcs and core.dcs.connections or {}) do
    if type(entry) == "table" and entry.conn and entry.conn ~= core.conn then add(entry.conn) end
  end
  table.sort(list, function(a, b) return a.seconds > b.seconds end)
  return list
end

-- "rpc messages.sendMessage for 1.2 s" and the like.
local function waiting(session, t, known)
  local kind, since, left, other = t:waits()
  if not kind then return (t:status()) end
  local text = kind
  if kind == "rpc" then
    for _, c in ipairs(known or calls(session)) do
      if c.task == t.id and c.method then text = "rpc " .. c.method end
    end
  elseif kind == "promise" and other then
    text = ("promise of task %d"):format(other)
  elseif kind == "break" then
    text = "held at a break point"
  end
  text = ("waits: %s, for %s"):format(text, seconds(since))
  if left then text = ("%s, %s left"):format(text, seconds(left)) end
  return text
end

local function line(session, t, known)
  local own = frames.own(t:where())[1] or "in the program itself"
  return ("%6d  %s  %s%s"):format(t.id, waiting(session, t, known), t.name and t.name .. ": " or "", own)
end

local function tasks(session)
  local list, known = task.all(), calls(session)
  table.sort(list, function(a, b) return a.id < b.id end)
  local lines = {}
  for _, t in ipairs(list) do lines[#lines + 1] = line(session, t, known) end
  return table.concat(lines, "\n")
end

local function update(session, t)
  local core, serial = scope.of(t.owner)
  local entry = core and core == session.bot.core and core.dispatch.entries and core.dispatch.entries[serial]
  return entry and entry.update and ("the handler of %s"):format(tostring(entry.update._)) or nil
end

local function one(session, word)
  local t = byId(word)
  local breaks = package.loaded["luna.repl.breaks"]
  for _, hold in ipairs(breaks and breaks.held(session) or {}) do
    if hold.task.id == t.id then session.at = hold end
  end
  local lines = { ("task %d%s: %s"):format(t.id, t.name and " (" .. t.name .. ")" or "", waiting(session, t)) }
  lines[#lines + 1] = update(session, t)
  local hold = session.holds[t.id]
  for i, entry in ipairs(M.stack(t)) do
    local at, frame = entry.line, entry.frame
    if i == 1 and hold then at, frame = hold.line, Frame(entry.frame.thread, entry.level, hold.names) end
    lines[#lines + 1] = ("%s:%d in %s"):format(source.name(entry.source), at, entry.what)
    if frame then table.move(frame:describe(), 1, 100, #lines + 1, lines) end
  end
  if #lines == 1 then lines[2] = t:where() or "" end
  return table.concat(lines, "\n")
end

local function kill(session, word)
  local t = byId(word)
  local current = task.current()
  if current and current.id == t.id or session.running and session.running.id == t.id then error("that is this REPL itself", 0) end
  local held = select(2, t:status()) == "break"
  t:cancel(errors.classes.CancelledException "killed in the REPL")
  return held and ("task %d ends at the line where it is held"):format(t.id) or ("task %d is told at its wait"):format(t.id)
end

local function rpc(session)
  local conn = session.bot.core.conn
  if not conn then return "there is no connection" end
  local list = calls(session)
  local lines = { ("%d without an answer; the connection is %s"):format(#list, tostring(conn:state())) }
  local byTask = {}
  for _, t in ipairs(task.all()) do byTask[t.id] = t end
  for _, c in ipairs(list) do
    local t = c.task and byTask[c.task]
    lines[#lines + 1] = ("%10s  %s%s"):format(seconds(c.seconds), c.method or "bytes",
      t and ("  task %d: %s"):format(t.id, frames.own(t:where())[1] or "the program itself") or "")
  end
  return table.concat(lines, "\n")
end

local function loopLine(l)
  local s = rawget(l, "_loop") or {}
  local state, pause = "works", nil
  for p in pairs(s.pauses or {}) do
    state = "pauses"
    pause = s.pauses[p]
  end
  if state == "works" and s.task and s.signal then state = "waits for a signal" end
  if s.stop then state = "is being stopped" end
  local left = type(pause) == "userdata" and require("_luna.timer").left(pause)
  local parts = { ("%s (%s) %s"):format(tostring(l), tostring(l.__name or "loop"), state) }
  if s.since then parts[#parts + 1] = "runs for " .. seconds(require("_luna.timer").now() - s.since) end
  if left then
    parts[#parts + 1] = "next in " .. seconds(left)
  elseif pause == true then
    parts[#parts + 1] = "until resume()"
  end
  return table.concat(parts, ", ")
end

local function socketLine(s)
  local parts = { ("socket %d: "):format(s.number) }
  if s.server then
    parts[1] = parts[1] .. "listens at " .. tostring(s.localAddress)
    if s.reads then parts[2] = "waits to accept" end
  else
    parts[1] = parts[1] .. (s.remoteAddress or "connecting")
    if s.reads then parts[#parts + 1] = "waits to read" end
    if s.writes then parts[#parts + 1] = "waits to write" end
  end
  if not s.referenced then parts[#parts + 1] = "unreferenced" end
  return table.concat(parts, ", ")
end

local function loops(session)
  local core, lines = session.bot.core, {}
  for l in pairs(core.background or {}) do lines[#lines + 1] = loopLine(l) end
  table.sort(lines)
  if #lines == 0 then lines[1] = "no loop runs" end
  local watchers = {}
  for _, w in ipairs(loop.list()) do
    local of = scope.of(w.owner)
    if of == nil or of == core then watchers[#watchers + 1] = w end
  end
  table.sort(watchers, function(a, b) return a.id < b.id end)
  for _, w in ipairs(watchers) do
    local parts = { ("watcher %s: %s"):format(w.id, w.type) }
    if w.number then parts[1] = ("%s %d"):format(parts[1], w.number) end
    if w.interval then parts[1] = ("%s %s"):format(parts[1], seconds(w.interval)) end
    if not w.enabled then parts[#parts + 1] = "disabled" end
    if not w.referenced then parts[#parts + 1] = "unreferenced" end
    if w.due then parts[#parts + 1] = "next in " .. seconds(w.due) end
    lines[#lines + 1] = table.concat(parts, ", ")
  end
  for _, s in ipairs(sockets.list()) do
    local of = scope.of(s.owner)
    if of == nil or of == core then lines[#lines + 1] = socketLine(s) end
  end
  return table.concat(lines, "\n")
end

local function mem()
  local before = collectgarbage "count"
  collectgarbage()
  local after = collectgarbage "count"
  local cpu, rss = host.usage()
  return ("Lua %.0f KiB (%.0f before collecting), the process at most %d KiB, CPU %.2f s"):format(after, before, rss, cpu)
end

M.commands = {
  { "tasks", "", "every task: its number, what it waits for, since when, where", tasks },
  { "task", "N", "one task: its frames with their locals", one },
  { "kill", "N", "cancels what the task waits for", kill },
  { "rpc", "", "calls without an answer: method, since when, for whom", rpc },
  { "loops", "", "the loops, watchers of luna.loop and sockets: state, since when, next time", loops },
  { "mem", "", "memory of Lua and of the process, CPU time", mem },
}

return M
