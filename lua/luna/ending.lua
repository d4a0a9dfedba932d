--- Ends what a version of a script has started outside of its handlers: tasks, loops, watchers of luna.loop, calls under way, API objects
--- of its own. Called by luna.reload for the version that goes, and by luna.runner for one whose top level has failed.
local task = require "_luna.task"
local timer = require "_luna.timer"
local errors = require "luna.errors"
local scope = require "luna.scope"
local Logger = require "luna.logger"

local ending = {}

-- Who catches the error and goes on is told again after so many seconds; who still runs then is named in the log.
local AGAIN = { 0.05, 0.5, 2 }

local function sweep(mark, err)
  local left
  local current = task.current()
  for _, t in ipairs(task.all()) do
    if scope.markOf(t.owner) == mark and t ~= current then
      local _, kind = t:status()
      if kind ~= "exit" then
        left = t
        t:cancel(err)
      end
    end
  end
  return left
end

local function again(mark, err, n)
  local left = sweep(mark, err)
  if not left then return end
  if AGAIN[n] then return timer.unref(timer.after(AGAIN[n], again, mark, err, n + 1)) end
  Logger.write(Logger.WARNING, "reload", ("a task of a version that is gone catches its CancelledException and goes on:\n%s")
    :format(left:where() or ""))
end

--- Cancels its watchers at once and its tasks at their waits; does not wait for them.
function ending.finish(mark, reason)
  local _ <close> = setmetatable({ task.owner() }, { __close = function(o) task.owner(o[1]) end })
  task.owner(0) -- the timers here are not the version's
  local err = errors.classes.CancelledException(reason)
  err.versionEnded = true
  for _, fn in ipairs(scope.ends) do fn(mark, err) end
  for _, core in ipairs(scope.all()) do
    if core.mark == mark and core.stop then task.spawn(core.stop, core, "reload") end
  end
  again(mark, err, 1)
end

return ending
