-- luna.loop: defers, delays and repeats in time; virtual time where it can be, so that nothing depends on the machine.
local luna = require "luna"
local task = require "_luna.task"
local timer = require "_luna.timer"
local loop = luna.loop

local function failing() error("a watcher ran that must not", 0) end

-- Runs fn under a clock of its own, which jumps from timer to timer.
local function virtually(fn)
  local clock = timer.newVirtual()
  local ok, why = pcall(luna.await, task.spawn(function()
    timer.useClock(clock)
    fn(clock)
  end))
  clock:free()
  if not ok then error(why, 0) end
end

describe("delay and every", function()
  it("pass id and data", function() -- TimerWatcherParameterOrder, OptionalCallbackDataPassedOnInvocation
    local seen, data = {}, {}
    local function note(kind) return function(...) seen[kind] = table.pack(...) end end
    local a, b = loop.defer(note "defer", data), loop.delay(0, note "delay", data)
    local c
    c = loop.every(0, function(...)
      seen.every = table.pack(...)
      loop.cancel(c)
    end, data)
    loop.run()
    assert.same({ a, data, n = 2 }, seen.defer)
    assert.same({ b, data, n = 2 }, seen.delay)
    assert.same({ c, data, n = 2 }, seen.every)
    assert.is_string(a)
  end)

  it("pass false as data too, and nil where there is none", function()
    local seen = {}
    loop.defer(function(_, ...) seen[1] = table.pack(...) end, false)
    loop.defer(function(_, ...) seen[2] = table.pack(...) end)
    loop.run()
    assert.same({ false, n = 1 }, seen[1])
    assert.equal(1, seen[2].n)
    assert.is_nil(seen[2][1])
  end)

  it("run after their time, counted from the call", function() -- CorrectTimeoutIfBlocking*, TimerIntervalCountedWhenNotRunning
    virtually(function(clock)
      local start, at = clock:now(), nil
      loop.delay(1000, function() at = clock:now() end)
      luna.sleep(0.75)
      local slept = clock:now()
      loop.run()
      assert.is_near(1, at - start, 1e-6)
      assert.is_near(0.25, at - slept, 1e-6)
    end)
  end)

  it("run in the order of their time", function() -- TimerQueue
    virtually(function()
      local order = {}
      for _, ms in ipairs { 30, 10, 20, 10, 25, 5 } do loop.delay(ms, function(_, x) order[#order + 1] = x end, ms) end
      loop.run()
      assert.same({ 5, 10, 10, 20, 25, 30 }, order)
    end)
  end)

  it("run in the order of their time, however many, whichever of them is cancelled", function() -- TimerQueue HeapOrder
    virtually(function()
      local n, seed = 500, 7
      local ids, times, seen = {}, {}, {}
      for i = 1, n do
        seed = seed * 1103515245 + 12345 & 0x7fffffff
        local ms = (seed >> 8) % 200
        ids[i], times[i] = loop.delay(ms, function(_, x) seen[#seen + 1] = x end, { ms = ms, i = i }), ms
      end
      luna.sleep(0) -- all are active
      local left = {}
      for i = 1, n do
        if i % 3 == 0 then
          loop.cancel(ids[i])
        else
          left[#left + 1] = { ms = times[i], i = i }
        end
      end
      loop.run()
      table.sort(left, function(a, b) return a.ms < b.ms or a.ms == b.ms and a.i < b.i end)
      assert.same(left, seen)
    end)
  end)

  it("count from the call, though something computed before, or before the next tick", function() -- CorrectTimeoutIfBlocking*
    local order = {}
    local function note(x)
      return function() order[#order + 1] = x end
    end
    local function compute(ms)
      local until_ = timer.now() + ms / 1000
      repeat until timer.now() >= until_
    end
    loop.run(function()
      loop.delay(25, note "called before") -- counted from the next tick it would be later than what is called there
      compute(20)
      loop.delay(10, note "called after") -- counted from the beginning of this tick it would be earlier
      loop.defer(function() loop.delay(10, note "next tick") end)
    end)
    assert.same({ "called before", "called after", "next tick" }, order)
  end)

  it("run in the order of their creation where the time is one", function()
    virtually(function()
      local order = {}
      local ids = {}
      for i = 1, 4 do ids[i] = loop.delay(10, function(_, x) order[#order + 1] = x end, i) end
      loop.disable(ids[2]) -- enabled anew in the same instant: its place is still that of its creation
      loop.enable(ids[2])
      loop.run()
      assert.same({ 1, 2, 3, 4 }, order)
    end)
  end)

  it("a cancelled one of those due together does not run", function()
    virtually(function()
      local second
      loop.delay(5, function() loop.cancel(second) end)
      second = loop.delay(5, failing)
      loop.run()
    end)
  end)

  it("a disabled delay starts anew when enabled, and stays until then", function()
    virtually(function(clock)
      local start, at = clock:now(), nil
      local id = loop.delay(100, function() at = clock:now() end)
      loop.delay(60, function() loop.disable(id) end)
      loop.delay(500, function() loop.enable(id) end)
      loop.run()
      assert.is_near(0.6, at - start, 1e-6)
    end)
  end)

  it("a repeat goes on until it is cancelled", function() -- RunExecutesEventsUntilExplicitlyStopped
    virtually(function(clock)
      local times, start = {}, clock:now()
      loop.every(5, function(id)
        times[#times + 1] = math.floor((clock:now() - start) * 1000 + 0.5)
        if #times == 4 then loop.cancel(id) end
      end)
      loop.run()
      assert.same({ 5, 10, 15, 20 }, times)
    end)
  end)

  it("a repeat counts from when it ran, and does not catch up", function()
    virtually(function(clock)
      local times, start = {}, clock:now()
      loop.every(10, function(id)
        times[#times + 1] = math.floor((clock:now() - start) * 1000 + 0.5)
        if #times == 3 then return loop.cancel(id) end
        luna.sleep(0.025) -- the next ones run beside this one
      end)
      loop.run()
      assert.same({ 10, 20, 30 }, times)
    end)
  end)

  -- ShortTimerDoesNotBlockOtherTimers, TwoShortRepeatTimersWorkAsExpected
  it("repeats of 0 keep neither each other nor timers from running", function()
    local a, b, done = 0, 0, false
    local first, second = loop.every(0, function() a = a + 1 end), loop.every(0, function() b = b + 1 end)
    loop.delay(2, function()
      done = true
      loop.cancel(first)
      loop.cancel(second)
    end)
    loop.run()
    assert.is_true(done)
    assert.is_true(a > 0 and math.abs(a - b) <= 1)
  end)

  it("luna.loop['repeat'] is every, under Amp's name", function()
    assert.equal(loop.every, loop["repeat"])
  end)

  -- DelayWithNegativeDelay, RepeatWithNegativeInterval
  it("refuse a negative time, and what is no function, at the caller's line", function()
    for _, bad in ipairs {
      function() loop.delay(-1, print) end, function() loop.every(-1, print) end, function() loop.delay(0 / 0, print) end,
      function() loop.delay("soon", print) end, function() loop.delay(1, "print") end, function() loop.defer "print" end,
      function() loop.defer(nil) end, function() loop.every(1) end,
    } do
      local ok, why = pcall(bad)
      assert.is_false(ok)
      assert.matches("timer_spec.lua:%d+: ", why)
      assert.is_nil(why:find "\n")
    end
    assert.equal(0, loop.getInfo().delay.enabled)
  end)

  it("fire no earlier than their time on the real clock either", function()
    local at
    local start = timer.now()
    loop.delay(5, function() at = timer.now() end)
    loop.run()
    assert.is_true(at - start >= 0.005)
  end)

  it("run though their time passed while something computed", function() -- LoopDoesNotBlockOnNegativeTimerExpiration
    local ran = false
    loop.run(function()
      loop.delay(1, function() ran = true end)
      local until_ = timer.now() + 0.003
      repeat until timer.now() > until_
    end)
    assert.is_true(ran)
  end)
end)

describe("now", function()
  it("is one number for a whole tick, in whole milliseconds", function()
    local a, b
    loop.run(function()
      a = loop.now()
      local stop = timer.now() + 0.003
      while timer.now() < stop do end -- luacheck: ignore
      b = loop.now()
    end)
    assert.equal(a, b)
    assert.equal("integer", math.type(a))
  end)

  it("goes on with the ticks", function() -- Now
    virtually(function()
      local before, after = loop.now(), nil
      loop.delay(500, function() after = loop.now() end)
      loop.run()
      assert.equal(500, after - before)
    end)
  end)
end)

describe("watchers", function()
  it("are unknown once they have run", function() -- WatcherInvalidityOnDefer, WatcherInvalidityOnDelay
    for _, register in ipairs { loop.defer, function(fn) loop.delay(0, fn) end } do
      register(function(id) loop.enable(id) end)
      local ok, why = pcall(loop.run)
      assert.is_false(ok)
      assert.is_true(luna.is(why, luna.InvalidWatcherError))
    end
  end)

  it("unknown ids: enable and reference raise, the others do nothing", function() -- *NonexistentWatcher
    for _, id in ipairs { "nonexistent", "1", "", "a0", "A", "a\0", "zzzzzz99", ("z"):rep(13), ("a"):rep(14), ("a"):rep(40) } do
      loop.disable(id)
      loop.cancel(id)
      loop.unreference(id)
      for _, verb in ipairs { "enable", "reference" } do
        local ok, why = pcall(loop[verb], id)
        assert.is_false(ok)
        assert.is_true(luna.is(why, luna.InvalidWatcherError))
        assert.equal(id, why.watcher)
      end
    end
    assert.has_error(function() loop.cancel(nil) end)
    assert.has_error(function() loop.enable(5) end)
  end)

  it("an id is never used twice", function()
    local seen = {}
    for _ = 1, 1000 do
      local id = loop.defer(failing)
      assert.is_nil(seen[id])
      seen[id] = true
      loop.cancel(id)
      loop.cancel(id)
    end
    local ids = {}
    for i = 1, 1000 do ids[i] = loop.delay(1e6, failing) end
    for _, id in ipairs(ids) do
      assert.is_nil(seen[id])
      loop.cancel(id)
    end
  end)

  it("each of many is found by its id, and none that is gone", function() -- while their number grows, and after it has shrunk
    local ids, dead = {}, {}
    local function check(n)
      for i = 1, n do
        if not dead[i] then
          loop.reference(ids[i])
        elseif i % 17 == 0 then
          local ok, why = pcall(loop.reference, ids[i])
          assert.is_false(ok)
          assert.equal(ids[i], why.watcher)
        end
      end
    end
    for i = 1, 2600 do
      ids[i] = loop.delay(1e6, failing)
      if i % 3 == 0 then
        loop.cancel(ids[i])
        dead[i] = true
      end
      if i == 700 then check(i) end
    end
    check(2600)
    for i = 8, 2600 do
      loop.cancel(ids[i])
      dead[i] = true
    end
    luna.sleep(0.01) -- at rest the room for them is given back
    check(2600)
    for i = 1, 7 do loop.cancel(ids[i]) end
  end)

  it("may be cancelled by themselves and twice", function()
    local runs = 0
    loop.every(0, function(id)
      runs = runs + 1
      loop.cancel(id)
      loop.cancel(id)
    end)
    loop.run()
    assert.equal(1, runs)
  end)

  it("leave nothing behind", function() -- NoMemoryLeak, by counting
    local held = setmetatable({}, { __mode = "k" })
    local function burst()
      local ids = {}
      for i = 1, 3000 do
        local data = {}
        if held then held[data] = true end
        ids[i] = loop.delay(1e6, function() return data end, data)
      end
      for i, id in ipairs(ids) do
        if i % 2 == 0 then loop.disable(id) end
        loop.cancel(id)
      end
      for _ = 1, 3000 do loop.defer(function() end, {}) end
      loop.run()
      local left = 2000
      local function chain()
        left = left - 1
        if left > 0 then loop.delay(0, chain) end
      end
      loop.delay(0, chain)
      loop.run()
      luna.sleep(0.001)
    end
    burst()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(held))
    held = nil
    burst()
    collectgarbage()
    collectgarbage()
    local before = collectgarbage "count"
    for _ = 1, 3 do burst() end
    collectgarbage()
    collectgarbage()
    local grown = collectgarbage "count" - before
    assert.is_true(grown < 64, ("%.0f KiB more than before"):format(grown))
    local info = loop.getInfo()
    for _, kind in ipairs { "defer", "delay", "repeat", "on_readable", "on_writable", "on_signal" } do
      assert.same({ enabled = 0, disabled = 0 }, info[kind])
    end
  end)
end)

describe("watchers that have come and gone", function() -- NoMemoryLeak
  local function nothing() end

  local function fifo()
    local path = os.tmpname()
    os.remove(path)
    assert(os.execute(("mkfifo %s"):format(path)))
    local file = assert(io.open(path, "r+"))
    os.remove(path)
    return file
  end

  -- One of each run again: after what a tick, a time, a readable stream, a signal brings.
  local stream
  local kinds = {
    defer = { function() return loop.defer(nothing, {}) end, function(fn) loop.defer(fn) end },
    delay = { function() return loop.delay(5, nothing, {}) end, function(fn) loop.delay(0, fn) end },
    every = { function() return loop.every(5, nothing, {}) end, function(fn) loop.every(0, fn) end },
    onReadable = {
      function() return loop.onReadable(stream, nothing, {}) end,
      function(fn)
        loop.write(stream, "x")
        loop.onReadable(stream, function(id)
          loop.read(stream)
          fn(id)
        end)
      end,
    },
    onWritable = { function() return loop.onWritable(stream, nothing, {}) end, function(fn) loop.onWritable(stream, fn) end },
    onSignal = {
      function() return loop.onSignal("SIGUSR1", nothing, {}) end,
      function(fn)
        loop.onSignal("SIGUSR1", fn)
        loop.defer(function() os.execute(("kill -USR1 %d"):format(require("_luna.host").pid())) end)
      end,
    },
  }
  for name, kind in pairs(kinds) do
    it("leave nothing behind: " .. name, function()
      stream = fifo()
      local make, chain = kind[1], kind[2]
      local runs = 0
      local function burst()
        local ids = {}
        for _ = 1, 1000 do ids[#ids + 1] = make() end
        for _, id in ipairs(ids) do loop.cancel(id) end
        for i = 1, 1000 do ids[i] = make() end
        for i, id in ipairs(ids) do
          if i % 2 == 0 then loop.disable(id) end
        end
        luna.sleep(0) -- the others are active
        for _, id in ipairs(ids) do loop.cancel(id) end
        local left = name == "onSignal" and 5 or 200
        local function again(id)
          loop.cancel(id)
          runs, left = runs + 1, left - 1
          if left > 0 then chain(again) end
        end
        chain(again)
        loop.run()
        luna.sleep(0)
      end
      burst()
      burst()
      local function held()
        collectgarbage()
        collectgarbage()
        return collectgarbage "count"
      end
      local before = held()
      for _ = 1, 3 do burst() end
      local grown = held() - before
      stream:close()
      assert.equal(name == "onSignal" and 25 or 1000, runs)
      assert.is_true(grown < 16, ("%.0f KiB more than before"):format(grown))
      for _, count in ipairs { "defer", "delay", "repeat", "on_readable", "on_writable", "on_signal" } do
        assert.same({ enabled = 0, disabled = 0 }, loop.getInfo()[count])
      end
    end)
  end
end)

describe("words", function()
  it("about names that it does not have", function()
    local ok, why = pcall(function() return loop.dely end)
    assert.is_false(ok)
    assert.matches('did you mean "delay"', why)
    ok, why = pcall(function() return luna.Loop.delay end)
    assert.is_false(ok)
    assert.matches("did you mean luna.loop.delay", why)
  end)
end)
