--- luna.ResumableLoop: pause() and resume(). A pause is a promise; a resume that comes while the loop works makes its next pause short.
local core = require "_luna.promise"
local task = require "_luna.task"
local timer = require "_luna.timer"
local base = require "luna.loops.loop"

local state, checkStop = base.state, base.checkStop

local ResumableLoop = base.Base:extend "ResumableLoop"

-- s.pauses: the promises that pend → their timers (true: until resume). s.lastPause: the newest. s.resumed: a resume nobody has used yet.
local function drop(s, p)
  local t = s.pauses and s.pauses[p]
  if not t then return false end
  s.pauses[p] = nil
  if t ~= true then timer.cancel(t) end
  return true
end

--- Takes back a pause that nobody waits for any more.
ResumableLoop._drop = drop

function ResumableLoop:_started(s) s.pauses, s.lastPause, s.resumed = {}, nil, false end

function ResumableLoop:_ended(s)
  for p in pairs(s.pauses) do drop(s, p) end
  s.lastPause = nil
end

--- pause(seconds | nil): a promise that resolves after that time, or (nil) at resume() only.
function ResumableLoop:pause(seconds)
  if seconds ~= nil and not (type(seconds) == "number" and seconds >= 0) then
    error(("pause wants a number of seconds, not less than 0, or nil; got %s"):format(
      type(seconds) == "number" and tostring(seconds) or base.kind(seconds)), 2)
  end
  local s = state(self)
  checkStop(s)
  if s.lastPause and not core.isHandled(s.lastPause) then error("pause() gives a promise: hand it to luna.await or waitSignal", 2) end
  task.patience()
  s.pauses = s.pauses or {}
  local p
  if s.resumed then
    s.resumed = false
    p = core.success()
  else
    p = core.new(function(err)
      if drop(s, p) then core.fail(p, err) end
    end)
    s.pauses[p] = seconds == nil or timer.after(seconds, function()
      s.pauses[p] = nil
      core.resolve(p)
    end)
  end
  s.lastPause = p
  return p
end

--- Ends the pause; where the loop is at work, its next one. Before start() it does nothing.
function ResumableLoop:resume()
  local s = state(self)
  if not s.done then return end
  if next(s.pauses) == nil then
    s.resumed = true
    return
  end
  local pending = {}
  for p in pairs(s.pauses) do pending[#pending + 1] = p end
  for _, p in ipairs(pending) do
    if drop(s, p) then core.resolve(p) end
  end
end

return ResumableLoop
