--- The commands of the REPL, which begin with a colon. Called by luna.repl.session; each gives the text that the client prints.
local host = require "_luna.host"
local task = require "_luna.task"
local errors = require "luna.errors"
local suggest = require "luna.suggest"
local show = require "luna.repl.show"

local M = {}
local commands, about = {}, {}

local function frames(traceback, all)
  local lines = {}
  for line in traceback:gmatch "[^\n]+" do
    local where = line:match "^%s+(.-): in "
    if where and (all or where ~= "[C]" and not where:find "^%?" and not where:find "^luna[%.:]" and not where:find "/lua/luna/") then
      lines[#lines + 1] = line:gsub("^%s+", "")
    end
  end
  return lines
end

local function byId(word)
  local id = math.tointeger(tonumber(word))
  if not id then error("which task? Its number, as :tasks shows it", 0) end
  for _, t in ipairs(task.all()) do
    if t.id == id then return t end
  end
  error(("there is no task %d (any more)"):format(id), 0)
end

local function line(t)
  local state, kind = t:status()
  local where = t:where() or ""
  local own = frames(where)[1] or "in the program itself"
  return ("%6d  %-8s %-8s %s%s"):format(t.id, state, kind or "", t.name and t.name .. ": " or "", own)
end

about.tasks = { ":tasks", "every task: its number, whether it waits and for what, where" }
function commands.tasks()
  local list = task.all()
  table.sort(list, function(a, b) return a.id < b.id end)
  local lines = {}
  for _, t in ipairs(list) do lines[#lines + 1] = line(t) end
  return table.concat(lines, "\n")
end

about.task = { ":task N", "one task with its whole stack" }
function commands.task(_, word)
  local t = byId(word)
  return line(t) .. "\n" .. (t:where() or "")
end

about.kill = { ":kill N", "cancels what the task waits for" }
function commands.kill(session, word)
  local t = byId(word)
  local current = task.current()
  if current and current.id == t.id or session.running and session.running.id == t.id then error("that is this REPL itself", 0) end
  t:cancel(errors.classes.CancelledException "killed in the REPL")
  return ("task %d is told at its wait"):format(t.id)
end

about.rpc = { ":rpc", "calls in flight" }
function commands.rpc(session)
  local conn = session.bot.core.conn
  local lines = { "there is no connection" }
  if conn then lines[1] = ("%d in flight; the connection is %s"):format(conn:inFlight(), tostring(conn:state())) end
  for _, t in ipairs(task.all()) do
    local state, kind = t:status()
    if state == "waiting" and kind == "rpc" then lines[#lines + 1] = line(t) end
  end
  return table.concat(lines, "\n")
end

about.mem = { ":mem", "memory of Lua and of the process, CPU time" }
function commands.mem()
  local before = collectgarbage "count"
  collectgarbage()
  local after = collectgarbage "count"
  local cpu, rss = host.usage()
  return ("Lua %.0f KiB (%.0f before collecting), the process at most %d KiB, CPU %.2f s"):format(after, before, rss, cpu)
end

-- FILTER: a name or a part of one, without regard to case, or an expression of `update` ("update.message.out").
local function filterOf(session, text)
  if text == "" then return function() return true end end
  if text:find "^[%w_]+$" then
    local part = text:lower():gsub("^on", "")
    return function(update) return update._:lower():find(part, 1, true) ~= nil end
  end
  local env = setmetatable({}, { __index = session.env })
  local fn, why = load("return " .. text, "=filter", "t", env)
  if not fn then error(why, 0) end
  return function(update)
    env.update = update
    local ok, wanted = pcall(fn)
    return ok and wanted
  end
end

about.watch = { ":watch FILTER", "prints updates as they come: all, by a part of the name, by an expression of `update`; :watch off" }
function commands.watch(session, text)
  if session.unwatch then session.unwatch() end
  if text == "off" then return "" end
  local wanted = filterOf(session, text)
  local dispatch = session.bot.core.dispatch
  dispatch.watchers = dispatch.watchers or {}
  if not rawget(dispatch, "handle") then
    local handle = dispatch.handle
    dispatch.handle = function(self, update, seq)
      for _, fn in pairs(self.watchers) do fn(update) end
      return handle(self, update, seq)
    end
  end
  dispatch.watchers[session] = function(update)
    local ok, fits = pcall(wanted, update)
    if ok and fits then session:print(show(update)) end
  end
  session.unwatch = function()
    session.unwatch = nil
    dispatch.watchers[session] = nil
    if next(dispatch.watchers) == nil then dispatch.handle = nil end
  end
  return "watching; :watch off ends it"
end

about.reload = { ":reload", "loads the script anew" }
function commands.reload(session)
  local bot = session.bot
  local fn = bot.reload
  if not fn then error("this bot cannot be reloaded", 0) end
  local ok, why = fn(bot)
  if ok == false then error(tostring(why), 0) end
  return "reloaded"
end

about.help = { ":help", "this text; luna help NAME has the methods" }
function commands.help()
  local lines = {}
  for _, name in ipairs { "help", "tasks", "task", "kill", "rpc", "mem", "watch", "reload", "quit" } do
    lines[#lines + 1] = ("  %-15s %s"):format(about[name][1], about[name][2])
  end
  lines[#lines + 1] = "A line is Lua in the bot: api, handler, bot, up.name (the script's file-level locals), _ (the last value)."
  return table.concat(lines, "\n")
end

about.quit = { ":quit", "leaves (Ctrl-D does too); the bot goes on" }
function commands.quit() return "", true end

--- Runs one line; gives its text, and true where the client is to leave. Raises what was wrong.
function M.run(session, text)
  local name, rest = text:match "^:%s*(%S*)%s*(.-)%s*$"
  local fn = name and commands[name]
  if not fn then error(("no command :%s%s; :help lists them"):format(name or "", suggest.hint(name or "", commands)), 0) end
  return fn(session, rest)
end

--- Their names, for completion.
function M.names()
  local list = {}
  for name in pairs(commands) do list[#list + 1] = ":" .. name end
  table.sort(list)
  return list
end

return M
