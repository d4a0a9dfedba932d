--- Promises for scripts: the names of luna.await, luna.Deferred, luna.Success … over the host's `_luna.promise`, and the hooks that the
--- host wants from Lua. A promise is a userdata of the host; a Deferred is the right to resolve one.
local core = require "_luna.promise"
local task = require "_luna.task"
local Class = require "luna.class"
local errors = require "luna.errors"
local frames = require "luna.frames"

local promise = {}

promise.new = core.new
promise.is = core.is
promise.markHandled = core.markHandled
promise.resolve = core.resolve
promise.fail = core.fail
promise.onResolve = core.onResolve
promise.awaitTimeout = core.awaitTimeout

--- luna.await(x): the values of a promise, or its error raised; of a list of promises the list of their values; anything else as it is.
promise.await = core.await

--- luna.Success(…), luna.Failure(err): promises that are already done.
promise.Success = core.success
function promise.Failure(err) return core.failure(err == nil and errors.classes.Exception "failed without a reason" or err) end

--- luna.stateOf(promise) → "pending", "resolved" or "failed".
function promise.stateOf(p)
  if not core.is(p) then error("luna.stateOf wants a promise, got a " .. type(p), 2) end
  return (core.state(p))
end

--- luna.cancel(promise, reason): ends what stands behind it by a CancelledException at its wait. Cancelling twice, or what is done, is
--- nothing. Returns whether there was something to cancel.
function promise.cancel(p, reason)
  if not core.is(p) then error("luna.cancel wants a promise, got a " .. type(p), 2) end
  if core.state(p) ~= "pending" then return false end
  local err = errors.isException(reason) and reason or errors.classes.CancelledException(reason)
  local did = core.cancel(p, err)
  core.markHandled(p)
  return did
end

--- luna.Deferred(): d:promise(), d:resolve(…), d:fail(err). Resolved with another promise, it takes that one's outcome.
local Deferred = Class.new "Deferred"
promise.Deferred = Deferred

function Deferred:init() self._promise = core.new() end

function Deferred:promise()
  Class.checkSelf(self, Deferred, "deferred:promise()")
  return self._promise
end

local function pending(p)
  local state, adopts = core.state(p)
  if adopts or state ~= "pending" then error("promise already resolved", 3) end
end

function Deferred:resolve(...)
  Class.checkSelf(self, Deferred, "deferred:resolve(…)")
  pending(self._promise)
  local value = ...
  if core.is(value) then
    local why = core.circle(self._promise, value)
    if why then error(why, 2) end
  end
  core.resolve(self._promise, ...)
end

function Deferred:fail(err)
  Class.checkSelf(self, Deferred, "deferred:fail(err)")
  pending(self._promise)
  core.fail(self._promise, err == nil and errors.classes.Exception "failed without a reason" or err)
end

--- Runs fn(…) in a task of its own; a promise of what it returns.
promise.spawn = task.spawn
promise.defer = task.defer

-- What the host asks Lua for. A list of promises waits for all of them together: the first failure is raised.
core.setAll(function(list) return require("luna.combinators").all(list) end)
core.setInvalidYield(function(value)
  local traceback = debug.traceback(nil, 2)
  local at = frames.position(traceback)
  local err = errors.classes.InvalidYieldError(("%sonly a promise or a list of promises can be yielded here, not %s"):format(
    at and at .. ": " or "", value == nil and "nil" or "a " .. type(value)))
  err.traceback = traceback
  return err
end)
task.setErrorAnnotator(errors.annotate)

task.setUnhandled(function(...) require("luna.helpers").unhandled(...) end)

return promise
