-- luna.loop: run and stop, ticks, references, and where errors go. Names in comments are those of the behaviours' tests in Amp v2.6.2.
local luna = require "luna"
local loop = luna.loop

local function failing() error("a watcher ran that must not", 0) end
local function nothing() end

describe("luna.loop.run", function()
  it("returns at once where nothing is watched", function() -- EmptyLoop
    assert.equal(0, select("#", loop.run()))
  end)

  it("is not moved by a stop() before it", function() -- StopWorksEvenIfNotCurrentlyRunning
    local ran = false
    loop.stop()
    loop.defer(function() ran = true end)
    loop.run()
    assert.is_true(ran)
  end)

  it("may be called again and nested; stop() ends the innermost alone", function() -- LoopRunsCanBeConsecutiveAndNested
    local said = {}
    local function say(x) said[#said + 1] = x end
    loop.stop()
    loop.defer(function() say(1) end)
    loop.run()
    loop.defer(function()
      loop.run()
      say(5)
      loop.defer(function()
        say(6)
        loop.stop()
        loop.defer(function() say(8) end)
      end)
      loop.run()
      say(7)
    end)
    loop.defer(function()
      say(2)
      loop.defer(function() say(4) end)
    end)
    loop.defer(function() say(3) end)
    loop.run()
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8 }, said)
  end)

  it("takes a function as its first defer", function()
    local got
    loop.run(function(...) got = table.pack(...) end)
    assert.equal(2, got.n)
    assert.is_string(got[1])
    assert.is_nil(got[2])
  end)

  it("waits for callbacks that wait, and for the tasks they leave behind", function() -- Bug163ConsecutiveDelayed
    local log = {}
    loop.run(function()
      luna.callFork(function()
        luna.sleep(0.004)
        log[#log + 1] = "forked"
      end)
      luna.sleep(0.002)
      log[#log + 1] = "slept"
    end)
    assert.same({ "slept", "forked" }, log)
  end)

  it("runs other callbacks while one waits", function()
    local log = {}
    loop.defer(function()
      luna.sleep(0.002)
      log[#log + 1] = 2
    end)
    loop.defer(function() log[#log + 1] = 1 end)
    loop.run()
    assert.same({ 1, 2 }, log)
  end)

  it("lets what a callback woke go on before the next callback", function()
    local log, gate = {}, luna.Deferred()
    luna.callFork(function()
      luna.await(gate:promise())
      log[#log + 1] = "woken"
    end)
    loop.defer(function() gate:resolve() end)
    loop.defer(function() log[#log + 1] = "next" end)
    loop.run()
    assert.same({ "woken", "next" }, log)
  end)

  -- ImmediatelyCallbacksDoNotRecurseInSameTick, LoopStopPreventsTimerExecution
  it("ends with the tick of the stop(), leaving the rest for later", function() -- UnresolvedEventsAreReenabledOnRunFollowing…
    local count = 0
    loop.defer(function()
      count = count + 1
      loop.defer(function() count = count + 1 end)
    end)
    loop.defer(loop.stop)
    loop.defer(function() count = count + 10 end)
    local late = loop.delay(10000, failing)
    loop.run()
    assert.equal(11, count)
    loop.defer(loop.stop)
    loop.run()
    assert.equal(12, count)
    loop.cancel(late)
  end)

  it("refuses where waiting is not possible", function()
    local ok, why = pcall(string.gsub, "x", "x", function() loop.run(nothing) end)
    assert.is_false(ok)
    assert.matches("cannot wait inside string.gsub", tostring(why))
    assert.equal(0, loop.getInfo().defer.enabled)
  end)

  it("ends by the cancelling of its task", function()
    local id = loop.delay(60000, failing)
    local p = require("_luna.task").spawn(loop.run)
    luna.cancel(p)
    local ok, why = pcall(luna.await, p)
    assert.is_false(ok)
    assert.is_true(luna.is(why, luna.CancelledException))
    assert.is_false(loop.getInfo().running)
    loop.cancel(id)
  end)

  it("has one handle, inside of run and out of it", function()
    local handle, inside = loop.getHandle(), nil
    assert.equal("userdata", type(handle))
    loop.run(function() inside = loop.getHandle() end)
    assert.equal(handle, inside)
  end)

  it("tells getInfo whether it runs", function()
    local inside
    assert.is_false(loop.getInfo().running)
    loop.run(function() inside = loop.getInfo().running end)
    assert.is_true(inside)
    assert.is_false(loop.getInfo().running)
  end)
end)

describe("references", function()
  it("an unreferenced watcher keeps no run going", function() -- *WatcherUnrefRunResult, *WatcherKeepAliveRunResult
    local path = os.tmpname()
    local file <close> = io.open(path, "w+")
    os.remove(path)
    local ids = { loop.defer(failing), loop.delay(2000, failing), loop.every(2000, failing), loop.onSignal("SIGUSR1", failing),
      loop.onReadable(file, failing), loop.onWritable(file, failing) }
    for _, id in ipairs(ids) do
      loop.unreference(id)
      loop.unreference(id)
    end
    loop.run()
    for _, id in ipairs(ids) do loop.cancel(id) end
  end)

  it("but runs while something else does", function() -- UnreferencedDeferWatcherStillExecutes
    local ran = false
    loop.unreference(loop.defer(function() ran = true end))
    loop.defer(nothing)
    loop.run()
    assert.is_true(ran)
  end)

  it("can be given back", function() -- WatcherUnrefRerefRunResult
    local ran = false
    local id = loop.defer(function() ran = true end)
    loop.unreference(id)
    loop.reference(id)
    loop.run()
    assert.is_true(ran)
  end)

  it("run ends once only unreferenced ones are left, however busy they are", function()
    local ticks = 0
    local busy = loop.every(0, function() ticks = ticks + 1 end)
    loop.unreference(busy)
    local left = 3
    loop.every(0, function(id)
      left = left - 1
      if left == 0 then loop.cancel(id) end
    end)
    loop.run()
    assert.equal(0, left)
    assert.is_true(ticks < 10)
    loop.cancel(busy)
  end)
end)

describe("a program", function()
  -- What a script of its own says, and its status. It ends by `timeout` where it does not end by itself.
  local function program(text)
    local path = os.tmpname()
    local file = io.open(path, "w")
    file:write('local luna = require "luna"\nlocal loop = luna.loop\n', text)
    file:close()
    local running = io.popen(("timeout 20 %s run %s 2>&1; echo status $?"):format(require("_luna.host").argv[0], path))
    local out = running:read "a"
    running:close()
    os.remove(path)
    return out
  end

  local busy = {
    ["a repeat"] = "loop.every(0, function() end)",
    ["a file"] = "loop.onReadable(io.tmpfile(), function() end)",
    ["a stream"] = "loop.onWritable(io.popen('cat', 'w'), function() end)",
    ["a chain of defers"] = ";(function() local function again() return loop.defer(again) end return again() end)()",
  }
  for name, watcher in pairs(busy) do
    it("ends after its run though " .. name .. " is always ready", function()
      assert.equal("end\nstatus 0\n", program(watcher .. "\nloop.run(loop.stop)\nprint 'end'"))
    end)
  end

  it("does not wait for what is unreferenced, however busy that is", function()
    assert.equal("end\nstatus 0\n", program "loop.unreference(loop.every(0, function() end)) print 'end'")
    assert.matches("can never end.*status 1\n$", program [[
      loop.unreference(loop.every(0, function() end))
      luna.await(luna.Deferred():promise())
    ]])
  end)

  it("waits for a busy one that is referenced", function()
    assert.equal("5\nstatus 0\n", program [[
      local n = 0
      loop.every(0, function(id)
        n = n + 1
        if n == 100 then loop.cancel(id) end
      end)
      loop.onReadable(io.tmpfile(), function(id)
        if n == 100 then
          print(5)
          loop.cancel(id)
        end
      end)
    ]])
  end)
end)

describe("ticks", function()
  it("a defer runs in the next one, on a clean stack", function() -- ImmediateExecution
    local trace
    loop.defer(function() trace = debug.traceback() end)
    assert.is_nil(trace)
    loop.run()
    assert.is_nil(trace:find("run_spec.lua:%d+: in function <.*run_spec.lua:%d+>.*run_spec.lua:%d+: in function"))
  end)

  it("a disabled defer is kept until it is enabled, then runs a tick later", function() -- DisabledDeferReenableInSubsequentTick
    local said = {}
    local id = loop.defer(function() said[#said + 1] = 3 end)
    loop.disable(id)
    loop.defer(function()
      loop.enable(id)
      said[#said + 1] = 2
    end)
    said[#said + 1] = 1
    loop.run()
    assert.same({ 1, 2, 3 }, said)
  end)

  it("survives runs while disabled", function() -- EnablingWatcherAllowsSubsequentInvocation
    local count = 0
    local id = loop.defer(function() count = count + 1 end)
    loop.disable(id)
    loop.delay(2, loop.stop)
    loop.run()
    assert.equal(0, count)
    assert.same({ enabled = 0, disabled = 1 }, loop.getInfo().defer)
    loop.enable(id)
    loop.run()
    assert.equal(1, count)
    assert.same({ enabled = 0, disabled = 0 }, loop.getInfo().defer)
  end)

  it("thousands of defers keep their order, whichever of them is cancelled, disabled or enabled again", function()
    local said, expected, ids = {}, {}, {}
    local n = 3000
    for i = 1, n do
      ids[i] = loop.defer(function(id, data)
        assert.equal(ids[i], id)
        said[#said + 1] = data
        if i == 1 then loop.cancel(ids[n]) end
      end, i)
    end
    for i = 7, n, 7 do loop.cancel(ids[i]) end
    for i = 5, n, 5 do loop.disable(ids[i]) end
    for i = 10, n, 10 do
      if i % 7 ~= 0 then loop.enable(ids[i]) end -- from now on behind the others
    end
    for i = 1, n - 1 do
      if i % 7 ~= 0 and i % 5 ~= 0 then expected[#expected + 1] = i end
    end
    for i = 10, n - 1, 10 do
      if i % 7 ~= 0 then expected[#expected + 1] = i end
    end
    loop.run()
    assert.same(expected, said)
    for i = 5, n, 10 do loop.cancel(ids[i]) end
    assert.same({ enabled = 0, disabled = 0 }, loop.getInfo().defer)
  end)

  it("what was cancelled, or has run, holds its callback and data no more", function()
    local gone = setmetatable({}, { __mode = "k" })
    local function of(name)
      local data = { name }
      gone[data] = name
      return function() return data end, data
    end
    local cancelled, disabled = loop.defer(of "cancelled"), loop.defer(of "disabled")
    loop.disable(disabled)
    loop.defer(of "ran")
    loop.cancel(cancelled)
    collectgarbage()
    local left = {}
    for _, name in pairs(gone) do left[name] = true end
    assert.same({ disabled = true, ran = true }, left)
    loop.run()
    loop.cancel(disabled)
    collectgarbage()
    assert.is_nil(next(gone))
  end)

  it("each takes its time anew, lets a stop in, and keeps no timer waiting, also where one defer follows another", function()
    local ticks, times, late = 0, {}, 0
    loop.delay(1, function() late = ticks end)
    local function again()
      ticks = ticks + 1
      times[loop.now()] = true
      if late > 0 or ticks > 1e7 then loop.stop() end
      loop.defer(again)
    end
    local first = loop.defer(again)
    loop.run()
    assert.is_string(first)
    assert.is_true(late > 0)
    assert.is_true(next(times, next(times)) ~= nil)
    assert.equal(late + 1, ticks) -- the tick that stops is the last
    assert.equal(1, loop.getInfo().defer.enabled)
    loop.run(loop.stop) -- it runs once more here
    assert.equal(late + 2, ticks)
    again = nothing
    loop.run()
  end)

  it("an unreferenced defer that follows another keeps no run going", function()
    local ran = 0
    loop.run(function()
      loop.defer(function()
        ran = ran + 1
        loop.unreference(loop.defer(function()
          ran = ran + 1
          loop.unreference(loop.defer(failing))
        end))
      end)
    end)
    assert.is_true(ran <= 2)
    for _, watcher in ipairs(require("_luna.loop").list()) do
      if watcher.type == "defer" then loop.cancel(watcher.id) end
    end
  end)

  it("what is enabled in one does not run in it", function() -- EventsNotExecutedInSameTickAsEnabled
    local path = os.tmpname()
    local file = io.open(path, "w")
    local function four()
      return { loop.defer(failing), loop.delay(0, failing), loop.every(0, failing), loop.onWritable(file, failing) }
    end
    loop.run(function()
      loop.defer(function()
        local once, twice
        loop.defer(function()
          loop.defer(function()
            for _, id in ipairs(twice) do loop.disable(id) end
            loop.defer(function()
              loop.defer(function()
                for _, id in ipairs(twice) do loop.cancel(id) end
              end)
              for _, id in ipairs(twice) do loop.enable(id) end
            end)
          end)
          for _, id in ipairs(once) do loop.cancel(id) end
          for _, id in ipairs(twice) do
            loop.disable(id)
            loop.enable(id)
          end
        end)
        once, twice = four(), four()
      end)
    end)
    file:close()
    os.remove(path)
  end)

  it("a watcher that another of the same tick disables does not run", function() -- DisablingWatcherPreventsSubsequent…
    local second, third
    loop.defer(function()
      loop.disable(second)
      loop.cancel(third)
    end)
    second, third = loop.defer(failing), loop.defer(failing)
    loop.run()
    loop.cancel(second)
    assert.same({ enabled = 0, disabled = 0 }, loop.getInfo().defer)
  end)
end)

describe("errors", function()
  after_each(function() loop.setErrorHandler(nil) end)

  local path, file
  before_each(function()
    path = os.tmpname()
    file = io.open(path, "w+")
  end)
  after_each(function()
    file:close()
    os.remove(path)
  end)

  local thrown = luna.Exception "from a callback"
  local registers = {
    defer = loop.defer,
    delay = function(fn) return loop.delay(1, fn) end,
    every = function(fn) return loop.every(1, fn) end,
    onReadable = function(fn) return loop.onReadable(file, fn) end,
    onWritable = function(fn) return loop.onWritable(file, fn) end,
    onSignal = function(fn)
      loop.delay(1, function() os.execute(("kill -USR1 %d"):format(require("_luna.host").pid())) end)
      return loop.onSignal("SIGUSR1", fn)
    end,
  }
  local ways = {
    ["at once"] = function() error(thrown, 0) end,
    ["after a wait"] = function()
      luna.sleep(0.001)
      error(thrown, 0)
    end,
    ["as a failed promise"] = function() return luna.Failure(thrown) end,
    ["as a promise that fails later"] = function()
      local d = luna.Deferred()
      loop.delay(1, function() d:fail(thrown) end)
      return d:promise()
    end,
    ["as the promise of a task"] = function() return require("_luna.task").spawn(function() error(thrown, 0) end) end,
  }
  for way, fn in pairs(ways) do
    it("of any kind of watcher come out of run, " .. way, function() -- RethrowsFromCallbacks, *Exception*
      for name, register in pairs(registers) do
        register(function(id)
          loop.cancel(id)
          return fn()
        end)
        local ok, why = pcall(loop.run)
        assert.is_false(ok, name)
        assert.equal(thrown, why)
        loop.run() -- nothing is left of it
      end
    end)
  end

  it("leave what else was to run in that tick for later", function()
    local ran = 0
    loop.defer(function() error("first", 0) end)
    loop.defer(function() ran = ran + 1 end)
    assert.is_false(pcall(loop.run))
    assert.equal(0, ran)
    loop.run()
    assert.equal(1, ran)
  end)

  it("go to the error handler; setting one returns the one before", function() -- ErrorHandlerCapturesUncaughtException
    local seen
    assert.is_nil(loop.setErrorHandler(nothing))
    assert.equal(nothing, loop.setErrorHandler(function(err) seen = err end))
    loop.defer(function() error("loop error", 0) end)
    loop.run()
    assert.equal("loop error", seen)
    local before = loop.setErrorHandler(nil)
    assert.is_function(before)
    assert.is_nil(loop.setErrorHandler(nil))
  end)

  it("of the handler itself come out of run", function() -- OnErrorFailure
    loop.setErrorHandler(function() error("from the handler", 0) end)
    loop.delay(1, function() error("from the callback", 0) end)
    local ok, why = pcall(loop.run)
    assert.is_false(ok)
    assert.equal("from the handler", why)
  end)

  it("a handler may wait", function()
    local seen
    loop.setErrorHandler(function(err)
      luna.sleep(0.001)
      seen = err
    end)
    loop.run(function() error("slowly", 0) end)
    assert.equal("slowly", seen)
  end)

  it("of a nested run are its caller's", function()
    local inner, ok
    loop.run(function()
      ok, inner = pcall(loop.run, function() error("inside", 0) end)
    end)
    assert.is_false(ok)
    assert.equal("inside", inner)
  end)
end)

describe("bots of one process", function()
  local task = require "_luna.task"

  -- Runs fn as a bot of that number does.
  local function as(bot, fn)
    return luna.await(task.spawn(function()
      task.owner(bot << 32)
      return fn()
    end))
  end

  it("have error handlers, states and watchers of their own", function()
    local seen = {}
    as(7001, function()
      loop.setErrorHandler(function(err) seen[#seen + 1] = "first " .. err end)
      loop.setState("x", 1)
      loop.defer(function() error("a", 0) end)
    end)
    as(7002, function()
      assert.is_nil(loop.getState "x")
      assert.equal(0, loop.getInfo().defer.enabled)
      assert.is_nil(loop.setErrorHandler(function(err) seen[#seen + 1] = "second " .. err end))
      loop.defer(function() error("b", 0) end)
    end)
    loop.run()
    assert.same({ "first a", "second b" }, seen)
    as(7001, function()
      assert.equal(1, loop.getState "x")
      loop.setErrorHandler(nil)
      loop.setState("x", nil)
    end)
    as(7002, function() loop.setErrorHandler(nil) end)
  end)

  it("have what the top level set where they set nothing themselves", function()
    local seen
    loop.setErrorHandler(function(err) seen = err end)
    as(7003, function() loop.defer(function() error("c", 0) end) end)
    loop.run()
    loop.setErrorHandler(nil)
    assert.equal("c", seen)
  end)

  it("have nothing left once their client has ended", function()
    local scope = require "luna.scope"
    local id, other = scope.new {}, scope.new {}
    as(id, function()
      loop.every(1, failing)
      loop.disable(loop.onSignal("SIGUSR1", failing))
      loop.setState("x", 1)
      loop.setErrorHandler(failing)
    end)
    local stays = as(other, function() return loop.delay(60000, failing) end)
    scope.free(id)
    as(id, function()
      local info = loop.getInfo()
      for _, kind in ipairs { "repeat", "on_signal" } do assert.same({ enabled = 0, disabled = 0 }, info[kind]) end
      assert.is_nil(loop.getState "x")
      assert.is_nil(loop.setErrorHandler(nil))
    end)
    loop.cancel(stays) -- still there: of another
    as(other, function() assert.equal(0, loop.getInfo().delay.enabled) end)
    scope.free(other)
  end)

  it("a stop of one ends its own run", function()
    local log = {}
    local stays = loop.delay(60000, failing)
    local other = task.spawn(function()
      task.owner(7004 << 32)
      loop.run(function() loop.delay(4, loop.stop) end)
      log[#log + 1] = "other"
    end)
    as(7005, function()
      loop.run(function() loop.delay(1, loop.stop) end)
      log[#log + 1] = "one"
    end)
    luna.await(other)
    loop.cancel(stays)
    assert.same({ "one", "other" }, log)
  end)
end)

describe("the registry of states", function()
  it("keeps any value under its name, nil where there is none", function() -- Registry, RegistryValues
    assert.is_nil(loop.getState "foo")
    for _, value in ipairs { "string", 0, math.mininteger, -1.0, true, {}, 0 / 0 } do
      loop.setState("foo", value)
      local got = loop.getState "foo"
      assert.is_true(got == value or (got ~= got and value ~= value))
    end
    loop.setState("foo", false)
    loop.defer(loop.stop)
    loop.run()
    assert.is_false(loop.getState "foo")
    loop.setState("foo", nil)
    assert.is_nil(loop.getState "foo")
    assert.has_error(function() loop.setState(1, 2) end)
  end)
end)
