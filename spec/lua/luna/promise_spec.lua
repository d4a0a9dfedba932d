local luna = require "luna"

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

describe("promises", function()
  it("resolve once, with several values", function()
    local d = luna.Deferred()
    assert.equal("pending", luna.stateOf(d:promise()))
    d:resolve(1, nil, 3)
    assert.equal("resolved", luna.stateOf(d:promise()))
    assert.same({ 1, nil, 3, n = 3 }, table.pack(luna.await(d:promise())))
    assert.error_matches(function() d:resolve(2) end, "promise already resolved")
    assert.error_matches(function() d:fail(2) end, "promise already resolved")
  end)

  it("raise their error where they are awaited", function()
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

describe("combinators", function()
  it("all: keeps keys and holes, fails with the first failure", function()
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

  it("some: fails only when all fail", function()
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

  it("any: never fails", function()
    local errs, values = luna.any { failing "x", failing "y" }
    assert.equal("x", errs[1].message)
    assert.is_nil(next(values))
    errs, values = luna.any {}
    assert.equal(0, #errs + #values)
  end)

  it("first: the first success, and lets the losers go on", function()
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

  it("say what to do about a call that has already finished", function()
    local ok, err = pcall(function() luna.all { luna.Success(1), { id = 1 } } end)
    assert.is_false(ok)
    assert.matches("promise_spec.lua:%d+: item 2 of all is a table, not a promise or a function: the call has already finished", err)
    ok, err = pcall(function() luna.timeout({ id = 1 }, 2) end)
    assert.is_false(ok)
    assert.matches("promise_spec.lua:%d+: argument 1 of timeout is a table", err)
    assert.error_matches(function() luna.callFork(nil) end, "argument 1 of callFork is nil, .*is the name right")
    assert.error_matches(function() luna.any(nil) end, "any wants a table of promises and functions, got nil")
    assert.error_matches(function() luna.timeout(function() end) end, "timeout wants a number of seconds, got nil")
  end)

  it("start nothing when an item is wrong", function()
    local started = false
    pcall(luna.all, { function() started = true end, 5 })
    assert.is_false(started)
  end)

  it("timeout: raises, and lets the promise go on", function()
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
    assert.equal("default", luna.timeoutWithDefault(later("x", 1), 0.001, "default"))
    assert.equal("x", luna.timeoutWithDefault(later "x", 5, "default"))
  end)
end)

describe("cancellation tokens", function()
  it("tell their subscribers once, and raise", function()
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
    token:subscribe(function() told[#told + 1] = "late" end)
    assert.equal("late", told[2])
  end)
end)
