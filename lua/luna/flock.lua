--- flock(path, mode, poll): a lock on a file, shared with other processes. Waits by asking again: flock(2) has no other way that does not
--- block. The lock is a value that unlocks when it is called, closed or forgotten, or when its process ends.
local files = require "_luna.files"
local task = require "_luna.task"
local errors = require "luna.errors"

local flock = { LOCK_SH = 1, LOCK_EX = 2 }

--- Raises wrong arguments at `level`.
function flock.check(path, mode, poll, level)
  if type(path) ~= "string" then error(("flock wants a path, got a %s"):format(type(path)), level + 1) end
  if path:find("\0", 1, true) then error("flock: the path has a zero byte in it, where a file's name would end", level + 1) end
  if mode ~= flock.LOCK_SH and mode ~= flock.LOCK_EX then
    error(("flock: the mode is luna.LOCK_SH or luna.LOCK_EX, not %s"):format(tostring(mode)), level + 1)
  end
  if poll ~= nil and (type(poll) ~= "number" or poll ~= poll or poll <= 0) then
    error(("flock: the polling interval is a number of seconds above 0, not %s"):format(tostring(poll)), level + 1)
  end
end

--- Waits for the lock; gives the value that unlocks it.
function flock.lock(path, mode, poll)
  poll = poll or 0.1
  while true do
    local lock, why = files.lock(path, mode == flock.LOCK_EX)
    if lock then return lock end
    if lock == nil then errors.throw(errors.classes.Exception(("flock: %s"):format(why))) end
    -- A virtual clock goes on for a holder in this program, and stands still for another, which knows nothing of it.
    local wait = why and task.sleep or files.pause
    wait(poll)
  end
end

return flock
