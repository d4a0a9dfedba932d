-- Promises, combinators, tokens; the name of Amp's test of a behaviour stands beside its spec where there is one.
local luna = require "luna"
local loop = luna.loop

-- A function that gives `value` after a wait, and one that fails.
local function later(value, seconds)
  return function()
    luna.sleep(seconds or 0)
    return value
  end
end
local function failing(text)
  return function()
    luna.sleep(0)
    error(luna.Exception(text))
  end
end

local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

-- Runs fn with an error handler of luna.loop's, and gives what came to it, once fn has returned and all has come to rest.
local function handled(fn)
  local errs = {}
  local before = loop.setErrorHandler(function(err) errs[#errs + 1] = tostring(err) end)
  local ok, err = pcall(fn)
  luna.sleep(0)
  luna.sleep(0)
  loop.setErrorHandler(before)
  if not ok then error(err, 0) end
  return errs
end

describe("promises", function()
  it("resolve once, with several values", function() -- Deferred, DoubleResolve
    local d = luna.Deferred()
    assert.equal("pending", luna.stateOf(d:promise()))
    d:resolve(1, nil, 3)
    assert.equal("resolved", luna.stateOf(d:promise()))
    assert.same({ 1, nil, 3, n = 3 }, table.pack(luna.await(d:promise())))
    assert.error_matches(function() d:resolve(2) end, "promise already resolved")
    assert.error_matches(function() d:fail(2) end, "promise already resolved")
  end)

  it("raise their error where they are awaited", function() -- Wait, PromiseExceptionFailure
    local p = luna.Failure(luna.Exception "no")
    local ok, err = pcall(luna.await, p)
    assert.is_false(ok)
    assert.equal("no", err.message)
  end)

  it("give back what is no promise", function()
    local t = setmetatable({ 1 }, {})
    assert.equal(t, luna.await(t))
    assert.equal(5, luna.await(5))
    assert.is_nil(luna.await(nil))
    local empty = {}
    assert.equal(empty, luna.await(empty))
    local mixed = { luna.Success(1), 2 }
    assert.equal(mixed, luna.await(mixed))
  end)

  it("are awaited in lists", function()
    assert.same({ 1, 2 }, { table.unpack(luna.await { luna.Success(1), luna.call and luna.Success(2) }) })
    local ok, err = pcall(luna.await, { luna.Success(1), luna.Failure(luna.Exception "second") })
    assert.is_false(ok)
    assert.equal("second", err.message)
  end)

  it("can be indexed before they resolve", function()
    local d = luna.Deferred()
    local deep = d:promise().user.id
    d:resolve { user = { id = 7 } }
    assert.equal(7, luna.await(deep))
  end)

  it("refuse to be used as values", function()
    local p = luna.Success(1)
    for _, use in ipairs {
      function() return #p end, function() return p + 1 end, function() return p .. "x" end, function() return p < p end,
      function() return pairs(p) end, function() return ipairs(p) end,
    } do
      assert.error_matches(use, "promise not awaited")
    end
  end)

  it("say where they cannot be awaited", function()
    local p = luna.Deferred():promise()
    local ok, err = pcall(table.sort, { 2, 1 }, function() return luna.await(p) end)
    assert.is_false(ok)
    assert.matches("promise_spec.lua:%d+: cannot wait inside table.sort", err)
    ok, err = pcall(string.gsub, "a", "a", function() luna.sleep(1) end)
    assert.is_false(ok)
    assert.matches("promise_spec.lua:%d+: cannot wait inside string.gsub", err)
  end)

  it("are cancelled once", function()
    local task = require "_luna.task"
    local seen
    local p = task.spawn(function()
      local _, err = pcall(luna.sleep, 1000)
      seen = err
      error(err, 0)
    end)
    assert.is_true(luna.cancel(p, "enough"))
    luna.sleep(0)
    assert.is_true(luna.is(seen, luna.CancelledException))
    assert.equal("enough", seen.reason)
    assert.is_false(luna.cancel(p))
  end)
end)

describe("a promise that is resolved with a promise", function() -- PromiseResolutionWithPromise, ResolveWithPromise*
  it("takes its outcome, once that is there", function()
    local outer, inner = luna.Deferred(), luna.Deferred()
    local told = {}
    outer:promise():onResolve(function(_, ...) told = { "before", ... } end)
    outer:resolve(inner:promise())
    assert.equal("pending", luna.stateOf(outer:promise()))
    assert.matches("promise_spec.lua:%d+: promise already resolved", raised(function() outer:resolve(1) end))
    assert.matches("promise_spec.lua:%d+: promise already resolved", raised(function() outer:fail "x" end))
    local late
    outer:promise():onResolve(function(_, ...) late = { "after", ... } end)
    inner:resolve(1, 2)
    assert.same({ 1, 2 }, { luna.await(outer:promise()) })
    assert.same({ "before", 1, 2 }, told)
    assert.same({ "after", 1, 2 }, late)
  end)

  it("fails with it, and it alone is looked at", function()
    local outer, inner = luna.Deferred(), luna.Deferred()
    outer:resolve(inner:promise())
    inner:fail "inner"
    assert.equal("inner", raised(luna.await, outer:promise()))
    local at_once = luna.Deferred()
    at_once:resolve(luna.Failure "there already")
    assert.equal("there already", raised(luna.await, at_once:promise()))
  end)

  it("does so through a function's result, in lists and in combinators", function() -- Call ReturningPromise, Coroutine ResolvedWithReturn
    assert.equal(5, luna.call(function() return luna.Success(5) end))
    local inner = luna.Deferred()
    local list = { luna.callFork(function() return inner:promise() end), luna.Success "b" }
    local both = luna.callFork(function() return luna.all(list) end)
    inner:resolve "a"
    assert.same({ "a", "b" }, { table.unpack(luna.await(both)) })
    assert.equal("a", luna.first { function() return inner:promise() end })
    assert.equal(7, luna.await(luna.callFork(function() return luna.Success { id = 7 } end).id))
  end)

  it("to any depth", function() -- ResolvedQueueUnrolling
    local first = luna.Deferred()
    local p = first:promise()
    for _ = 1, 5000 do
      local d = luna.Deferred()
      d:resolve(p)
      p = d:promise()
    end
    first:resolve "deep"
    assert.equal("deep", luna.await(p))
  end)

  it("is cancelled by cancelling what it waits for", function()
    local stopped
    local outer = luna.callFork(function()
      return luna.callFork(function()
        stopped = raised(luna.sleep, 1000)
        error(stopped, 0)
      end)
    end)
    assert.is_true(luna.cancel(outer, "enough"))
    assert.equal("enough", raised(luna.await, outer).reason)
    assert.equal("enough", stopped.reason)
    local d = luna.Deferred()
    d:resolve(luna.Deferred():promise())
    assert.is_false(luna.cancel(d:promise())) -- nothing that could be ended stands behind it
  end)

  it("is not that promise itself, and luna.Success takes none", function() -- Success ConstructWithNonException
    local d = luna.Deferred()
    assert.matches("promise_spec.lua:%d+: a promise cannot resolve to itself", raised(function() d:resolve(d:promise()) end))
    local own
    own = luna.callFork(function()
      luna.sleep(0)
      return own
    end)
    assert.equal("a promise cannot resolve to itself", raised(luna.await, own))
    assert.matches("promise_spec.lua:%d+: a promise cannot be the value of luna.Success",
      raised(function() luna.Success(luna.Success(1)) end))
  end)

  it("is none that waits for it, by way of however many", function()
    local circle = "a promise cannot resolve to one that waits for it: neither would ever be done"
    for n = 2, 6 do
      local list = {}
      for i = 1, n do list[i] = luna.Deferred() end
      for i = 1, n - 1 do
        list[i]:promise():onResolve(function() end) -- a list of callbacks is there already
        list[i]:resolve(list[i + 1]:promise())
      end
      local ok, err = pcall(function() list[n]:resolve(list[1]:promise()) end)
      assert.is_false(ok)
      assert.matches("promise_spec.lua:%d+: " .. circle, err)
      assert.equal("pending", luna.stateOf(list[n]:promise()))
      list[n]:resolve "in time"
      assert.equal("in time", luna.await(list[1]:promise()))
    end
    local a, b, c
    a = luna.callFork(function() luna.sleep(0) return b end)
    b = luna.callFork(function() luna.sleep(0) return c end)
    c = luna.callFork(function() luna.sleep(0.01) return a end)
    for _, p in ipairs { a, b, c } do assert.equal(circle, raised(luna.await, p)) end
  end)
end)

describe("callbacks of a promise", function()
  it("may wait, and hold up none of the others", function() -- OnResolveWithGenerator*
    local d, seen = luna.Deferred(), {}
    for i = 1, 3 do
      d:promise():onResolve(function(_, v)
        seen[#seen + 1] = v .. i
        luna.sleep(0)
        seen[#seen + 1] = "waited " .. i
      end)
    end
    d:resolve "v"
    luna.await(d:promise())
    luna.sleep(0)
    assert.same({ "v1", "v2", "v3", "waited 1", "waited 2", "waited 3" }, seen)
  end)

  it("fail to the loop's error handler, each for itself", function() -- ThrowingInCallback*, OnResolveThrowingForwardsToLoopHandler*
    local seen = {}
    local errs = handled(function()
      local d, f = luna.Deferred(), luna.Deferred()
      d:promise():onResolve(function() error("first", 0) end)
      d:promise():onResolve(function() luna.sleep(0) error("waited", 0) end)
      d:promise():onResolve(function() return luna.Failure "returned" end)
      d:promise():onResolve(function(_, v) seen[#seen + 1] = v end)
      d:resolve "told"
      f:promise():onResolve(function(err) error("of " .. err, 0) end)
      f:fail "a failure"
      d:promise():onResolve(function() error("late", 0) end)
    end)
    table.sort(errs)
    assert.same({ "first", "late", "of a failure", "returned", "waited" }, errs)
    assert.same({ "told" }, seen)
  end)

  it("or out of run", function()
    local err = raised(loop.run, function()
      luna.Success(1):onResolve(function() error("out", 0) end)
      luna.sleep(1)
    end)
    assert.equal("out", err)
  end)

  it("rethrow and forks do the same where no api:loop runs", function() -- Rethrow
    assert.same({ "rethrown", "forked" }, handled(function()
      luna.rethrow(luna.Failure "rethrown")
      luna.callFork(function() error("forked", 0) end)
    end))
    assert.equal("rethrown", raised(loop.run, function()
      luna.rethrow(luna.Failure "rethrown")
      luna.sleep(1)
    end))
  end)
end)

describe("coroutine.yield in a task", function()
  it("awaits a promise or a list of them", function() -- Coroutine Yield*Promise, YieldPromiseArray, CatchingFailedPromiseException
    assert.same({ 1, 2 }, { coroutine.yield(luna.Success(1, 2)) })
    assert.equal("no", raised(coroutine.yield, luna.Failure "no"))
    assert.equal("later", coroutine.yield(luna.callFork(later "later")))
    assert.same({ "a", "b" }, { table.unpack(coroutine.yield { luna.callFork(later "a"), luna.Success "b" }) })
  end)

  it("refuses anything else, and goes on", function() -- InvalidYield*, YieldNonPromiseArray*
    for _, value in ipairs { 1, "x", {}, { luna.Success(1), 2 }, false } do
      local err = raised(coroutine.yield, value)
      assert.is_true(luna.is(err, luna.InvalidYieldError))
      assert.matches("promise_spec.lua:%d+: only a promise or a list of promises can be yielded here, not a " .. type(value), tostring(err))
      assert.matches("promise_spec.lua:%d+", err.traceback)
    end
    assert.is_true(luna.is(raised(coroutine.yield), luna.InvalidYieldError))
    assert.equal("again", coroutine.yield(luna.Success "again"))
    local closed
    local p = luna.call(function()
      return luna.any { function()
        local guard <close> = setmetatable({}, { __close = function() closed = true end })
        coroutine.yield(guard)
      end }
    end)
    assert.is_true(luna.is(p[1], luna.InvalidYieldError))
    assert.is_true(closed)
  end)
end)

describe("combinators", function()
  it("all: keeps keys and holes, fails with the first failure", function() -- AllTest
    local r = luna.all { a = later(1), b = luna.Success(2) }
    assert.same({ a = 1, b = 2 }, { a = r.a, b = r.b })
    r = luna.all { later(nil), later(2), later(nil) }
    assert.equal(3, #r)
    assert.equal(2, r[2])
    local ok, err = pcall(luna.all, { later(1, 1), failing "quick" })
    assert.is_false(ok)
    assert.equal("quick", err.message)
    assert.equal(0, #luna.all {})
  end)

  it("may be keyed by ids, which costs nothing for the numbers between them", function()
    local alice, bob = 5000000001, 7000000000
    local names = luna.all { [bob] = later "Bob", [alice] = later "Alice" }
    assert.same({ "Alice", "Bob" }, { names[alice], names[bob] })
    local errs, values = luna.any { [bob] = luna.Failure "gone", [alice] = luna.Success "Alice" }
    assert.same({ "gone", "Alice" }, { errs[bob], values[alice] })
    local started = {}
    luna.all { [bob] = function() started[#started + 1] = "Bob" end, [3] = function() started[#started + 1] = "third" end }
    assert.same({ "third", "Bob" }, started) -- in the order of the keys
  end)

  it("some: fails only when all fail", function() -- SomeTest
    local errs, values = luna.some { failing "x", later(2) }
    assert.equal("x", errs[1].message)
    assert.equal(2, values[2])
    assert.equal(2, #values)
    local ok, err = pcall(luna.some, { failing "x", failing "y" })
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.MultiReasonException))
    assert.equal("y", err.reasons[2].message)
    assert.error_matches(function() luna.some {} end, "at least one")
  end)

  it("any: never fails", function() -- AnyTest
    local errs, values = luna.any { failing "x", failing "y" }
    assert.equal("x", errs[1].message)
    assert.is_nil(next(values))
    errs, values = luna.any { a = failing "x", b = later "y" } -- ArrayKeysPreserved
    assert.equal("x", errs.a.message)
    assert.same({ b = "y" }, values)
    assert.equal("failed without a reason", luna.any { function() error() end }[1])
    errs, values = luna.any {}
    assert.equal(0, #errs + #values)
  end)

  it("first: the first success, and lets the losers go on", function() -- FirstTest
    local lost = false
    local value = luna.first { function()
      luna.sleep(0.02)
      lost = true
    end, failing "x", later("won", 0.001) }
    assert.equal("won", value)
    luna.sleep(0.03)
    assert.is_true(lost)
    local ok, err = pcall(luna.first, { failing "x", failing "y" })
    assert.is_false(ok)
    assert.equal("x", err.reasons[1].message)
    assert.error_matches(function() luna.first {} end, "at least one")
  end)

  it("say what to do about a call that has already finished", function() -- NonPromise
    local ok, err = pcall(function() luna.all { luna.Success(1), { id = 1 } } end)
    assert.is_false(ok)
    assert.matches("promise_spec.lua:%d+: item 2 of all is a table, not a promise or a function: the call has already finished", err)
    ok, err = pcall(function() luna.timeout({ id = 1 }, 2) end)
    assert.is_false(ok)
    assert.matches("promise_spec.lua:%d+: argument 1 of timeout is a table", err)
    assert.matches("promise_spec.lua:%d+: item 1 of some is a table", raised(function() luna.some { {} } end))
    assert.matches("promise_spec.lua:%d+: item x of any is a number", raised(function() luna.any { x = 5 } end))
    assert.matches("promise_spec.lua:%d+: item 1 of first is a string", raised(function() luna.first { "x" } end))
    assert.matches("promise_spec.lua:%d+: argument 1 of rethrow is a table", raised(function() luna.rethrow {} end))
    assert.matches("promise_spec.lua:%d+: argument 1 of callForkDefer is a number", raised(function() luna.callForkDefer(5) end))
    assert.error_matches(function() luna.callFork(nil) end, "argument 1 of callFork is nil, .*is the name right")
    assert.error_matches(function() luna.any(nil) end, "any wants a table of promises and functions, got nil")
    assert.error_matches(function() luna.timeout(function() end) end, "timeout wants a number of seconds, got nil")
    assert.matches("promise_spec.lua:%d+: timeout wants a number of seconds, got %-1$", raised(function()
      local r = luna.timeout(luna.Success(1), -1)
      return r
    end))
    assert.matches("timeoutWithDefault wants a number of seconds, got %-?nan", raised(luna.timeoutWithDefault, luna.Success(1), 0 / 0, 1))
  end)

  it("start nothing when an item is wrong", function()
    local started = false
    pcall(luna.all, { function() started = true end, 5 })
    assert.is_false(started)
  end)

  it("timeout: raises, and lets the promise go on", function() -- TimeoutTest, TimeoutWithDefaultTest
    local done = false
    local ok, err = pcall(luna.timeout, function()
      luna.sleep(0.02)
      done = true
    end, 0.001)
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.TimeoutException))
    luna.sleep(0.03)
    assert.is_true(done)
    assert.equal("x", luna.timeout(later "x", 5))
    assert.equal("x", raised(luna.timeout, failing "x", 5).message) -- FailedPromise
    assert.equal("x", raised(luna.timeoutWithDefault, failing "x", 5, "default").message)
    assert.equal("default", luna.timeoutWithDefault(later("x", 1), 0.001, "default"))
    assert.equal("x", luna.timeoutWithDefault(later "x", 5, "default"))
  end)
end)

describe("a combinator that is cancelled", function()
  local function begun(log, name)
    return function()
      local guard <close> = setmetatable({}, { __close = function(_, err) log[#log + 1] = name .. ": " .. tostring(err) end })
      luna.sleep(1)
      return guard
    end
  end
  local makers = {
    all = function(api, fn, opts) return api:all({ fn, luna.Deferred():promise() }, opts) end,
    some = function(api, fn, opts) return api:some({ fn }, opts) end,
    any = function(api, fn, opts) return api:any({ x = fn }, opts) end,
    first = function(api, fn, opts) return api:first({ fn }, opts) end,
    timeout = function(api, fn, opts) return api:timeout(fn, 5, opts) end,
    timeoutWithDefault = function(api, fn, opts) return api:timeoutWithDefault(fn, 5, "default", opts) end,
  }
  local api = luna.API(nil, { sandbox = true })

  it("ends the functions that it has begun", function()
    for name, make in pairs(makers) do
      local log = {}
      local p = make(api, begun(log, name), { async = true })
      assert.is_true(luna.cancel(p, "enough"))
      local err = raised(luna.await, p)
      assert.is_true(luna.is(err, luna.CancelledException), name)
      luna.sleep(0)
      assert.same({ name .. ": the operation was cancelled: enough" }, log)
    end
  end)

  it("by its time limit or its token, too", function()
    local log = {}
    local err = raised(api.all, api, { begun(log, "a"), begun(log, "b") }, { timeout = 0.001 })
    assert.is_true(luna.is(err, luna.TimeoutException))
    local source = luna.CancellationTokenSource()
    luna.loop.defer(function() source:cancel "token" end)
    err = raised(api.first, api, { begun(log, "c") }, { cancellation = source:getToken() })
    assert.equal("token", err.reason)
    luna.sleep(0)
    for i, line in ipairs(log) do log[i] = line:sub(1, 1) end
    assert.same({ "a", "b", "c" }, log)
  end)

  it("leaves promises to who made them, and goes on where it is late", function()
    local log, theirs = {}, luna.Deferred()
    local p = api:all({ begun(log, "mine"), theirs:promise() }, { async = true })
    luna.cancel(p)
    assert.equal("pending", luna.stateOf(theirs:promise()))
    luna.sleep(0)
    assert.equal(1, #log)
    assert.is_false(luna.cancel(api:all({ theirs:promise() }, { async = true }))) -- nothing of its own
    local done
    raised(luna.timeout, function()
      luna.sleep(0.01)
      done = true
    end, 0.001)
    luna.sleep(0.02)
    assert.is_true(done)
  end)

  it("begins nothing for a time that is none", function()
    local started
    raised(luna.timeout, function() started = true end, "2")
    raised(luna.timeoutWithDefault, function() started = true end, -1)
    assert.is_nil(started)
  end)
end)

describe("cancellation tokens", function()
  it("tell their subscribers once, and raise", function() -- DoubleCancelOnlyInvokesOnce, UnsubscribeWorks
    local source = luna.CancellationTokenSource()
    local token = source:getToken()
    local told = {}
    token:subscribe(function(err) told[#told + 1] = err.reason end)
    local id = token:subscribe(function() told[#told + 1] = "unsubscribed" end)
    token:unsubscribe(id)
    token:throwIfRequested()
    assert.is_false(token:isRequested())
    source:cancel "why"
    source:cancel "again"
    assert.same({ "why" }, told)
    assert.is_true(token:isRequested())
    local ok, err = pcall(token.throwIfRequested, token)
    assert.is_false(ok)
    assert.equal("why", err.reason)
    token:subscribe(function() told[#told + 1] = "late" end) -- CalledIfSubscribingAfterCancel
    assert.equal("late", told[2])
  end)

  it("may live for long: who has come and gone costs nothing, and who is left is told in order", function()
    local source = luna.CancellationTokenSource()
    local token, told = source:getToken(), {}
    local function size()
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    token:subscribe(function() told[#told + 1] = "first" end)
    local before = size()
    for _ = 1, 20000 do token:unsubscribe(token:subscribe(print)) end
    assert.is_true(size() - before < 8, ("%.0f KiB for 20000 that have gone"):format(size() - before))
    for i = 1, 5 do token:subscribe(function() told[#told + 1] = i end) end
    source:cancel()
    assert.same({ "first", 1, 2, 3, 4, 5 }, told)
  end)

  it("have subscribers that may wait and may fail, and cancel() minds neither", function() -- SubscriptionsRunAsCoroutine, Throwing*
    local source, seen = luna.CancellationTokenSource(), {}
    local token = source:getToken()
    local errs = handled(function()
      token:subscribe(function(err)
        luna.sleep(0)
        seen[#seen + 1] = "waited " .. err.reason
        error("after a wait", 0)
      end)
      token:subscribe(function() error("at once", 0) end)
      token:subscribe(function() seen[#seen + 1] = "third" end)
      source:cancel "why"
      seen[#seen + 1] = "cancelled"
      token:subscribe(function() error("late", 0) end)
    end)
    assert.same({ "third", "cancelled", "waited why" }, seen)
    assert.same({ "at once", "late", "after a wait" }, errs)
  end)

  it("stop who looks at them", function() -- CancellationCancelsIterator
    local source = luna.CancellationTokenSource()
    local token, last = source:getToken(), nil
    local numbers = luna.Producer(function(emit)
      for i = 1, math.huge do
        token:throwIfRequested()
        luna.await(emit(i))
      end
    end)
    local err = raised(function()
      for n in numbers do
        last = n
        if n == 3 then source:cancel "enough" end
      end
    end)
    assert.equal("enough", err.reason)
    assert.equal(3, last)
  end)
end)

describe("methods called with a dot", function()
  it("say so, at the caller's line", function()
    local d, source, emitter = luna.Deferred(), luna.CancellationTokenSource(), luna.Emitter()
    local token, started = source:getToken(), luna.Loop:extend "a loop"()
    local cases = {
      ["deferred:resolve(…)"] = function() d.resolve(1) end,
      ["deferred:fail(err)"] = function() d.fail "x" end,
      ["deferred:promise()"] = function() local _ = d.promise() end,
      ["source:cancel(reason)"] = function() source.cancel "x" end,
      ["source:getToken()"] = function() local _ = source.getToken() end,
      ["token:subscribe(fn)"] = function() token.subscribe(print) end,
      ["token:throwIfRequested()"] = function() token.throwIfRequested() end,
      ["emitter:emit(value)"] = function() emitter.emit { 1 } end,
      ["emitter:iterate()"] = function() local _ = emitter.iterate() end,
      ["iterator:advance()"] = function() local _ = emitter:iterate().advance() end,
      ["loop:start(), loop:pause(…), loop:signal(…)"] = function() started.start() end,
    }
    for usage, call in pairs(cases) do
      local err = raised(call)
      assert.matches("^[^\n]*promise_spec.lua:%d+: call it with a colon: ", err)
      assert.is_truthy(err:find(usage, 1, true), err)
    end
  end)
end)
