--- luna.SignalLoop: signal() and waitSignal(). Signals that nobody waits for are kept, in order.
local core = require "_luna.promise"
local task = require "_luna.task"
local errors = require "luna.errors"
local base = require "luna.loops.loop"

local state, checkStop = base.state, base.checkStop

local SignalLoop = base.Base:extend "SignalLoop"

-- s.signals: those nobody has taken, [first] … [last]; s.waiting: promises of those who wait, in order.
local function takeQueued(s)
  local first = s.firstSignal or 1
  local data = s.signals[first]
  s.signals[first] = nil
  s.firstSignal = first + 1
  return data.value
end

local function deliver(value)
  if errors.isException(value) then error(value, 0) end
  return value
end

function SignalLoop:_ended(s) s.signals, s.firstSignal, s.lastSignal, s.waiting = nil, nil, nil, nil end

local function queued(s) return s.signals ~= nil and s.signals[s.firstSignal or 1] ~= nil end
SignalLoop._queued = queued

-- A pause that was only there to be waited for here.
local function abandon(self, s, p)
  if p and self._drop then self._drop(s, p) end
end

local function finish(self, s, own, p, ok, ...)
  if not ok then
    for i, other in ipairs(s.waiting or {}) do
      if other == own then table.remove(s.waiting, i) end
    end
  end
  if p and core.state(p) == "pending" then abandon(self, s, p) end
  if not ok then error((...), 0) end
  return ...
end

--- waitSignal(promise | nil): suspends until a signal comes, which it returns (or raises, where it is an exception), or until the promise
--- resolves, whose values it returns. What came first counts; signals sent before do.
function SignalLoop:waitSignal(promise)
  if promise ~= nil then promise = base.toPromise(promise, "argument 1 of waitSignal", 2) end
  local s = state(self)
  if promise then core.markHandled(promise) end
  checkStop(s)
  if queued(s) then
    if promise and core.state(promise) == "pending" then abandon(self, s, promise) end
    return deliver(takeQueued(s))
  end
  if promise and core.state(promise) ~= "pending" then return core.await(promise) end
  task.patience()
  local own = core.new()
  s.waiting = s.waiting or {}
  s.waiting[#s.waiting + 1] = own
  if promise then
    core.onResolve(promise, function(err, ...)
      if core.state(own) ~= "pending" then return end
      for i, other in ipairs(s.waiting or {}) do
        if other == own then table.remove(s.waiting, i) end
      end
      if err ~= nil then core.fail(own, err) else core.resolve(own, ...) end
    end)
  end
  return finish(self, s, own, promise, pcall(core.await, own))
end

--- signal(data): into the loop; to who waits longest, else it is kept.
function SignalLoop:signal(data)
  local s = state(self)
  local own = s.waiting and table.remove(s.waiting, 1)
  if own then
    if errors.isException(data) then core.fail(own, data) else core.resolve(own, data) end
    return
  end
  s.signals = s.signals or {}
  s.lastSignal = (s.lastSignal or 0) + 1
  s.signals[s.lastSignal] = { value = data }
end

return SignalLoop
