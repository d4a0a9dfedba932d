-- What is told of a promise's end, when, and to whom; and what runs in which order. The name of Amp's test of a behaviour stands beside its
-- spec.
local luna = require "luna"
local loop = luna.loop

-- Runs fn with an error handler of luna.loop's, and gives what came to it, once all has come to rest.
local function handled(fn)
  local errs = {}
  local before = loop.setErrorHandler(function(err) errs[#errs + 1] = err end)
  local ok, err = pcall(fn)
  luna.sleep(0)
  luna.sleep(0)
  loop.setErrorHandler(before)
  if not ok then error(err, 0) end
  return errs
end

local function after(seconds, value)
  return function()
    luna.sleep(seconds)
    return value
  end
end

describe("a callback of a promise", function()
  local values = { "string", 0, math.mininteger, -1.0, true, false, {}, luna.Exception "no error", print }

  it("is called within resolve(), with the very value", function() -- PromiseSucceed, Deferred Resolve
    for i = 1, #values + 1 do -- and nil: [nil]
      local deferred, got = luna.Deferred(), nil
      deferred:promise():onResolve(function(...) got = table.pack(...) end)
      assert.is_nil(got)
      assert.equal("pending", luna.stateOf(deferred:promise())) -- Deferred::isResolved
      deferred:resolve(values[i])
      assert.equal(2, got.n)
      assert.is_nil(got[1])
      assert.is_true(rawequal(values[i], got[2]))
      assert.equal(math.type(values[i] or 0), math.type(got[2] or 0))
      assert.equal("resolved", luna.stateOf(deferred:promise()))
    end
  end)

  it("or at once, where the promise is resolved", function() -- OnResolveOnSucceededPromise, Success OnResolve
    for _, value in ipairs(values) do
      local got
      luna.Success(value):onResolve(function(_, v) got = { v } end)
      assert.is_true(rawequal(value, got[1]))
    end
    local all
    luna.Success(1, nil, 3):onResolve(function(...) all = table.pack(...) end)
    assert.same({ nil, 1, nil, 3, n = 4 }, all)
  end)

  it("gets the error alone, whatever it is", function() -- PromiseExceptionFailure, OnResolveOnExceptionFailedPromise, Failure OnResolve
    for _, err in ipairs { luna.Exception "x", "text", {}, false, 5 } do
      local got = {}
      local deferred = luna.Deferred()
      deferred:promise():onResolve(function(...) got[1] = table.pack(...) end)
      deferred:fail(err)
      luna.Failure(err):onResolve(function(...) got[2] = table.pack(...) end)
      for i = 1, 2 do
        assert.equal(1, got[i].n)
        assert.is_true(rawequal(err, got[i][1]))
      end
    end
  end)

  it("is one of several, before the end and after it, in their order", function() -- SuccessAllOnResolvesExecuted, FailureAll…, MultipleOn…
    for _, finish in ipairs { "resolve", "fail" } do
      local deferred, order = luna.Deferred(), {}
      local p = deferred:promise()
      for i = 1, 3 do p:onResolve(function() order[#order + 1] = i end) end
      deferred[finish](deferred, "x")
      for i = 4, 6 do p:onResolve(function() order[#order + 1] = i end) end
      assert.same({ 1, 2, 3, 4, 5, 6 }, order)
    end
  end)

  it("that fails is told to the error handler, which is no matter for the others", function()
    -- ThrowingInCallback, …ContinuesOtherOnResolves, …OnFailure
    -- OnResolveThrowingForwardsToLoopHandler{OnSuccess, AfterSuccess, OnFail, AfterFail}
    for _, finish in ipairs { "resolve", "fail" } do
      local mine, called = luna.Exception "mine", 0
      local errs = handled(function()
        local deferred = luna.Deferred()
        local p = deferred:promise()
        p:onResolve(function() error(mine) end)
        p:onResolve(function() called = called + 1 end)
        deferred[finish](deferred, "x")
        p:onResolve(function() error(mine) end)
        p:onResolve(function() called = called + 1 end)
      end)
      assert.equal(2, called)
      assert.equal(2, #errs)
      assert.is_true(errs[1] == mine and errs[2] == mine)
    end
  end)

  it("cannot resolve it anew", function() -- ResolveAgainWithinOnResolveCallback
    local errs = handled(function()
      local deferred = luna.Deferred()
      deferred:promise():onResolve(function() deferred:resolve(2) end)
      deferred:resolve(1)
      assert.equal(1, luna.await(deferred:promise()))
    end)
    assert.equal(1, #errs)
    assert.matches("promise_callbacks_spec.lua:%d+: promise already resolved", errs[1])
  end)

  it("may wait, and what it gives is nobody's", function() -- OnResolveWithGenerator, …AfterResolve, …WithMultipleCallbacks
    local deferred, got = luna.Deferred(), {}
    local function slow(_, value)
      luna.sleep(0)
      got[#got + 1] = value
      return value
    end
    for _ = 1, 3 do deferred:promise():onResolve(slow) end
    deferred:resolve(1)
    deferred:promise():onResolve(slow)
    assert.same({}, got)
    luna.sleep(0.001)
    assert.same({ 1, 1, 1, 1 }, got)
  end)
end)

describe("a task", function()
  it("goes through any number of promises that are done", function() -- YieldConsecutiveSucceeded, YieldConsecutiveFailed
    local done, failed, failures = luna.Success(1), luna.Failure "no", 0
    local sum = luna.call(function()
      local sum = 0
      for _ = 1, 1000 do
        sum = sum + coroutine.yield(done)
        if not pcall(coroutine.yield, failed) then failures = failures + 1 end
      end
      return sum
    end)
    assert.same({ 1000, 1000 }, { sum, failures })
  end)

  it("closes what it holds, whatever ends it", function()
    -- GeneratorYieldingFailedPromiseWithFinally…, GeneratorThrowingException{WithFinally, AfterPendingPromiseWithFinally}FailsCoroutine
    for _, how in ipairs { function() coroutine.yield(luna.Failure "end") end, function() error("end", 0) end, function()
      luna.sleep(0.001)
      error("end", 0)
    end } do
      local closed
      local ok, err = pcall(luna.call, function()
        local held <close> = setmetatable({}, { __close = function(_, why) closed = why end })
        how()
        return held
      end)
      assert.same({ false, "end", "end" }, { ok, err, closed })
    end
  end)

  it("may wait while it closes, and fail in that", function() -- …WithFinallyYieldingPendingPromise, …WithFinallyBlockThrowing
    local yielded
    local ok, err = pcall(luna.call, function()
      local held <close> = setmetatable({}, { __close = function() yielded = luna.await(luna.callFork(after(0.001, 1))) end })
      error("first", 0)
      return held
    end)
    assert.same({ false, "first", 1 }, { ok, err, yielded })
    ok, err = pcall(luna.call, function()
      local held <close> = setmetatable({}, { __close = function() error("second", 0) end })
      coroutine.yield(5) -- InvalidYieldWithThrowingFinallyBlock
      return held
    end)
    assert.same({ false, "second" }, { ok, err })
  end)

  it("goes on after a wrong yield", function() -- InvalidYieldAfterYieldPromise, …CatchingThrownError{, AndYieldingAgain, AndThrowing}
    local function caught(fn)
      coroutine.yield(luna.Success())
      local ok, err = pcall(coroutine.yield, 1)
      assert.is_false(ok)
      assert.is_true(luna.is(err, luna.InvalidYieldError))
      return fn()
    end
    assert.equal(42, luna.call(caught, function() return 42 end))
    assert.equal(43, luna.call(caught, function() return coroutine.yield(luna.Success(43)) end))
    assert.same({ false, "mine" }, { pcall(luna.call, caught, function() error("mine", 0) end) })
  end)
end)

describe("combinators of what takes its time", function()
  it("keep the places", function() -- PendingPromiseArray, PendingAwatiablesArray, ArrayKeysPreserved
    local function three() return { after(0.002, 1), after(0.003, 2), after(0.001, 3) } end
    assert.same({ 1, 2, 3 }, { table.unpack(luna.all(three())) })
    for _, name in ipairs { "some", "any" } do
      local errs, values = luna[name](three())
      assert.is_nil(next(errs))
      assert.same({ 1, 2, 3 }, { table.unpack(values) })
      errs, values = luna[name] { one = after(0.002, 1), two = luna.Failure "no", three = after(0.001, 3) }
      assert.same({ { two = "no" }, { one = 1, three = 3 } }, { errs, values })
    end
    assert.equal(3, luna.first(three()))
  end)

  it("first: at the same time, it is the first of the list", function() -- First SuccessfulPromisesArray, MixedPromisesArray
    assert.equal(1, luna.first { luna.Success(1), luna.Success(2) })
    assert.equal(3, luna.first { luna.Failure "x", luna.Failure "y", luna.Success(3) })
  end)

  it("may take one promise twice, and each other", function()
    local p = luna.callFork(after(0.001, "x"))
    assert.same({ "x", "x" }, { table.unpack(luna.all { p, p }) })
    local api = luna.API(nil, { sandbox = true })
    local nested = luna.all { api:all({ p, luna.Success(2) }, { async = true }), api:first({ p }, { async = true }) }
    assert.same({ "x", 2, "x" }, { nested[1][1], nested[1][2], nested[2] })
  end)

  it("timeout: what comes in time, late, or is there", function() -- SuccessfulPromise, FastPending, SlowPending
    assert.equal(1, luna.timeout(luna.Success(1), 0))
    assert.equal(1, luna.timeout(after(0.001, 1), 5))
    assert.same({ 1, 2 }, { luna.timeout(luna.Success(1, 2), 1) })
    local ok, err = pcall(luna.timeout, after(5), 0.001)
    assert.is_false(ok)
    assert.equal("no result within 0.001 s", tostring(err))
    assert.equal(2, luna.timeoutWithDefault(after(5, 1), 0.001, 2))
    assert.equal(1, luna.timeoutWithDefault(luna.Success(1), 0, 2))
    assert.is_nil(luna.timeoutWithDefault(after(5, 1), 0.001))
  end)
end)
