--- luna.SignalLoop: signal() and waitSignal(). Signals that nobody waits for are kept, in order.
local core = require "_luna.promise"
local task = require "_luna.task"
local errors = require "luna.errors"
local base = require "luna.loops.loop"

local state, checkStop = base.state, base.checkStop

local SignalLoop = base.Base:extend "SignalLoop"

-- s.signals: those nobody has taken, [first] … [last]; s.waiting: promises of those who wait, in order;
-- s.following: those of them who wait for a promise too, by that promise.
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

function SignalLoop:_ended(s) s.signals, s.firstSignal, s.lastSignal, s.waiting, s.following = nil, nil, nil, nil, nil end

local function queued(s) return s.signals ~= nil and s.signals[s.firstSignal or 1] ~= nil end
SignalLoop._queued = queued

-- A pause that was only there to be waited for here.
local function abandon(self, s, p)
  if p and self._drop then self._drop(s, p) end
end

local function remove(list, own)
  for i, other in ipairs(list or {}) do
    if other == own then return table.remove(list, i) end
  end
end

-- One callback a promise, however often it is waited for: s.following has those who wait for it now.
local function follow(s, promise, own)
  s.following = s.following or setmetatable({}, { __mode = "k" })
  local list = s.following[promise]
  if not list then
    list = {}
    s.following[promise] = list
    core.onResolve(promise, function(err, ...)
      for _, waits in ipairs { table.unpack(list) } do
        if core.state(waits) == "pending" then
          remove(s.waiting, waits)
          if err ~= nil then core.fail(waits, err) else core.resolve(waits, ...) end
        end
      end
    end)
  end
  list[#list + 1] = own
  return list
end

local function finish(self, s, own, p, list, ok, ...)
  remove(list, own)
  if not ok then remove(s.waiting, own) end
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
  local list = promise and follow(s, promise, own)
  return finish(self, s, own, promise, list, pcall(core.await, own))
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
