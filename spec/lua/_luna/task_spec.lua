-- The coroutine host: spawning, waiting, waking, cancelling, and where waiting is refused.
local task = require "_luna.task"
local promise = require "_luna.promise"
local timer = require "_luna.timer"

describe("task", function()
  it("runs at once until its first wait", function()
    local seen = {}
    local gate = promise.new()
    local p = task.spawn(function(a, b)
      seen[#seen + 1] = a .. b
      promise.await(gate)
      seen[#seen + 1] = "after"
      return 1, nil, 3
    end, "x", "y")
    seen[#seen + 1] = "spawned"
    promise.resolve(gate)
    assert.same({ "xy", "spawned" }, seen)
    assert.same({ 1, nil, 3 }, { promise.await(p) })
    assert.same({ "xy", "spawned", "after" }, seen)
  end)

  it("starts a deferred one in a later turn", function()
    local started = false
    local p = task.defer(function()
      started = true
    end)
    assert.is_false(started)
    promise.await(p)
    assert.is_true(started)
  end)

  it("fails its promise with the error it raised, whatever it is", function() -- Amp: GeneratorThrowingExceptionFailsCoroutine
    local err = setmetatable({ code = 5 }, { __tostring = function() return "five" end })
    local ok, why = pcall(promise.await, task.spawn(error, err))
    assert.is_false(ok)
    assert.equal(err, why)
    ok, why = pcall(promise.await, task.spawn(error, nil))
    assert.is_false(ok)
    assert.equal("failed without a reason", why) -- a callback takes nil for no failure
    local told = promise.new()
    promise.onResolve(task.spawn(error, nil), function(...) promise.resolve(told, ...) end)
    assert.same({ "failed without a reason" }, { promise.await(told) })
  end)

  it("waits through pcall, metamethods, iterators and <close>", function()
    local log = {}
    local object = setmetatable({}, {
      __index = function(_, key)
        task.sleep(0)
        return key .. "!"
      end,
      __close = function()
        task.sleep(0)
        log[#log + 1] = "closed"
      end,
      __add = function(_, n)
        task.sleep(0)
        return n + 1
      end,
    })
    assert.equal("field!", object.field)
    assert.equal(3, object + 2)
    do
      local closed <close> = object
      assert.is_table(closed)
    end
    assert.same({ "closed" }, log)
    local ok, why = pcall(function()
      task.sleep(0)
      error("inside", 0)
    end)
    assert.same({ false, "inside" }, { ok, why })
    local list = {}
    for i in function(_, i)
      task.sleep(0)
      return i < 3 and i + 1 or nil
    end, nil, 0 do
      list[#list + 1] = i
    end
    assert.same({ 1, 2, 3 }, list)
  end)

  it("closes <close> variables of a failing task where waiting still works", function() -- Amp: Generator*WithFinally*
    local closed
    local p = task.spawn(function()
      local guard <close> = setmetatable({}, {
        __close = function(_, err)
          task.sleep(0)
          closed = err
        end,
      })
      assert.is_table(guard)
      error("broken", 0)
    end)
    assert.is_false((pcall(promise.await, p)))
    assert.equal("broken", closed)
  end)

  it("passes waits out of a user's coroutines and leaves their yields alone", function()
    local function numbers(n)
      for i = 1, n do
        task.sleep(0)
        coroutine.yield(i)
      end
      return "end"
    end
    local co = coroutine.create(function(n)
      local inner = coroutine.wrap(numbers)
      for _ = 1, n do
        task.sleep(0)
        coroutine.yield(inner(n) * 10)
      end
      return inner()
    end)
    local out = {}
    repeat
      local ok, v = coroutine.resume(co, 3)
      assert.is_true(ok)
      out[#out + 1] = v
    until coroutine.status(co) == "dead"
    assert.same({ 10, 20, 30, "end" }, out)
  end)

  it("does not let another task resume a coroutine that waits for the host", function()
    local gate = promise.new()
    local co = coroutine.create(function()
      return promise.await(gate)
    end)
    local first = task.spawn(coroutine.resume, co)
    local ok, why = coroutine.resume(co)
    assert.is_false(ok)
    assert.matches("waits for the host", why)
    promise.resolve(gate, 7)
    assert.same({ true, 7 }, { promise.await(first) })
  end)

  it("refuses to wait where C cannot be suspended, by name and at the caller's line", function()
    local line = debug.getinfo(1, "l").currentline
    local ok, why = pcall(table.sort, { 2, 1, 3 }, function(a, b)
      task.sleep(0)
      return a < b
    end)
    assert.is_false(ok)
    assert.matches("cannot wait inside table%.sort", why)
    assert.matches(":" .. line + 2 .. ":", why)
    ok, why = pcall(string.gsub, "abc", ".", function()
      promise.await(promise.new())
    end)
    assert.is_false(ok)
    assert.matches("cannot wait inside string%.gsub", why)
    ok, why = pcall(string.gsub, "abc", ".", function()
      return coroutine.wrap(function()
        task.sleep(0)
      end)()
    end)
    assert.is_false(ok)
    assert.matches("cannot wait", why)
    ok, why = pcall(function()
      for _ in ipairs(setmetatable({}, { __index = function() task.sleep(0) end })) do error "here?" end
    end)
    assert.is_false(ok)
    assert.matches("cannot wait inside ipairs", why)
  end)

  it("refuses to wait in a message handler, whose own error Lua would not tell", function()
    local here = debug.getinfo(1, "l").currentline
    local function notify()
      task.sleep(0)
      return "told"
    end
    for _, fail in ipairs { function() error "x" end, function() return nil + 1 end, function()
      task.sleep(0)
      error {}
    end } do
      local ok, why = xpcall(fail, notify)
      assert.is_false(ok)
      assert.matches("task_spec.lua:" .. here + 2 .. ": cannot wait inside the message handler of xpcall", why)
    end
    assert.same({ false, "error in error handling" }, { xpcall(error, error) }) -- and this is Lua's again
    local ok, why = xpcall(error, function(err) return { err, pcall(notify) } end, "x")
    assert.is_false(ok)
    assert.same({ "x", false }, { why[1], why[2] })
    assert.same({ true, "told" }, { xpcall(notify, notify) })
  end)

  it("raises a cancellation at the wait, and keeps it for the next where there is none", function()
    local gate, got = promise.new(), nil
    local p = task.spawn(function()
      local ok, why = pcall(promise.await, gate)
      got = { ok, why }
      return "went on"
    end)
    assert.is_true(promise.cancel(p, "stop"))
    assert.equal("went on", promise.await(p))
    assert.same({ false, "stop" }, got)
    assert.is_false(promise.cancel(p, "again"))
    local me = task.current()
    me:cancel("later")
    local ok, why = pcall(task.sleep, 0)
    assert.same({ false, "later" }, { ok, why })
  end)

  it("stops a task that never waits, and only that one", function()
    task.setBudget(0.1)
    local swallowed = 0
    local ok, why = pcall(promise.await, task.spawn(function()
      while true do
        if not pcall(function() while true do end end) then
          swallowed = swallowed + 1
        end
      end
    end))
    task.setBudget(5)
    assert.is_false(ok)
    assert.matches("without a wait", why)
    assert.is_true(swallowed >= 1)
  end)

  it("ends with the memory that it began with", function()
    local function round(n)
      local list = {}
      for i = 1, n do
        list[i] = task.spawn(task.sleep, 0)
      end
      for i = 1, n do
        promise.await(list[i])
      end
    end
    round(3000)
    collectgarbage()
    collectgarbage()
    local before = collectgarbage("count")
    for _ = 1, 10 do
      round(3000)
    end
    collectgarbage()
    collectgarbage()
    assert.is_true(collectgarbage("count") < before + 200, "Lua memory grew")
    assert.is_true(#task.all() < 10)
  end)
end)

describe("promise", function()
  it("resolves once", function()
    local p = promise.new()
    promise.resolve(p, 1, 2)
    assert.has_error(function()
      promise.resolve(p, 3)
    end, "promise already resolved")
    assert.has_error(function()
      promise.fail(p, 3)
    end, "promise already resolved")
    assert.same({ 1, 2 }, { promise.await(p) })
    assert.equal("resolved", promise.state(p))
  end)

  it("wakes all that wait, in their order, after the callbacks", function() -- Amp: SuccessAllOnResolvesExecuted
    local p, order = promise.new(), {}
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = task.spawn(function()
        promise.await(p)
        order[#order + 1] = i
      end)
    end
    p:onResolve(function(err, v)
      order[#order + 1] = tostring(err) .. v
    end)
    promise.resolve(p, "v")
    for i = 1, 3 do
      promise.await(tasks[i])
    end
    assert.same({ "nilv", 1, 2, 3 }, order)
  end)

  it("gives promises of fields, to any depth, and sets them", function()
    local p = promise.new()
    local deep = p.a.b
    p.a.c = 5
    promise.resolve(p, { a = { b = "found" } })
    assert.equal("found", promise.await(deep))
    assert.same({ a = { b = "found", c = 5 } }, promise.await(p))
    local ok, why = pcall(promise.await, promise.success({}).field.other)
    assert.is_false(ok)
    assert.equal("the promise resolved to a nil value, which has no field 'other'", why)
    local number = promise.success(5)
    for _, set in ipairs { function() number.field = 1 end, function() promise.success().field = 1 end } do
      ok, why = pcall(set)
      assert.is_false(ok)
      assert.matches("task_spec.lua:%d+: the promise resolved to a %a+ value, which has no field 'field'", why)
    end
    assert.error_matches(function() promise.success({})[nil] = 1 end, "^the name of a field is nil$")
    assert.equal("function", type(promise.await(promise.success("text").upper)))
    ok, why = pcall(promise.await, promise.failure("no").field)
    assert.same({ false, "no" }, { ok, why })
  end)

  it("refuses what needs the value", function()
    local p = promise.new()
    for _, f in ipairs({
      function() return #p end,
      function() return p .. "x" end,
      function() return p + 1 end,
      function() return p < p end,
      function() return next(pairs(p)) end,
    }) do
      assert.error_matches(f, "promise not awaited")
    end
  end)

  it("has a time limit that leaves the promise alone", function()
    local p = promise.new()
    assert.is_false((promise.awaitTimeout(p, 0.005)))
    promise.resolve(p, "late")
    assert.same({ true, "late" }, { promise.awaitTimeout(p, 1) })
  end)

  it("gives other values back unchanged", function()
    local t = {}
    assert.equal(t, promise.await(t))
    assert.equal(5, promise.await(5))
    assert.is_nil(promise.await(nil))
  end)
end)

describe("virtual time", function()
  it("jumps from timer to timer, in order, while all is idle", function()
    local clock = timer.newVirtual(1000)
    local order = {}
    promise.await(task.spawn(function()
      timer.useClock(clock)
      local start = timer.now()
      timer.after(7200, function() order[#order + 1] = "two hours" end)
      timer.after(60, function() order[#order + 1] = "a minute" end)
      local beat = timer.every(3600, function() order[#order + 1] = "hour" end)
      task.sleep(7300)
      timer.cancel(beat)
      order[#order + 1] = timer.now() - start
      assert.equal(1000 + 7300, os.time())
    end))
    assert.same({ "a minute", "hour", "two hours", "hour", 7300.0 }, order)
    clock:free()
  end)

  it("is kept from moving by no other clock, and moves only while somebody waits", function()
    local busy, quiet = timer.newVirtual(), timer.newVirtual()
    timer.useClock(busy)
    local ticks = 0
    local ticking = timer.unref(timer.every(1, function() ticks = ticks + 1 end)) -- always the shorter step
    timer.useClock(quiet)
    task.sleep(10)
    assert.is_true(ticks >= 9 and ticks <= 11)
    timer.useClock(nil)
    timer.cancel(ticking)
    busy:free()
    quiet:free()
  end)

  it("is moved by its owner", function()
    local clock = timer.newVirtual()
    local woke
    local sleeper = task.spawn(function()
      timer.useClock(clock)
      task.sleep(10)
      woke = clock:now()
    end)
    local start = clock:now()
    clock:advance(4)
    assert.is_nil(woke)
    clock:advance(7)
    promise.await(sleeper)
    assert.equal(start + 10, woke)
    clock:free()
  end)
end)
