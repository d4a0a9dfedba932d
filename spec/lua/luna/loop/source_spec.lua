-- luna.loop: streams and signals as sources of callbacks, read and write, and the order of all kinds in a tick.
local luna = require "luna"
local host = require "_luna.host"
local task = require "_luna.task"
local timer = require "_luna.timer"
local loop = luna.loop

local function failing() error("a watcher ran that must not", 0) end
local function nothing() end

-- A FIFO open for both: what is written to it can be read from it, and it is always writable.
local function fifo()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute(("mkfifo %s"):format(path)))
  local file = assert(io.open(path, "r+"))
  os.remove(path)
  return file
end

local function raise(name) os.execute(("kill -%s %d"):format(name, host.pid())) end

describe("streams", function()
  local stream
  before_each(function() stream = fifo() end)
  after_each(function() stream:close() end)

  it("pass id, stream and data", function() -- StreamWatcherParameterOrder
    local data, seen = {}, nil
    local id = loop.onWritable(stream, function(...)
      seen = table.pack(...)
      loop.cancel((...))
    end, data)
    loop.run()
    assert.same({ id, stream, data, n = 3 }, seen)
  end)

  it("are readable once something came, whatever is read of it", function() -- LoopTest OnReadable
    local got = {}
    loop.onReadable(stream, function(id, s)
      got[#got + 1] = loop.read(s, 4)
      if #got == 3 then loop.cancel(id) end
    end)
    loop.delay(1, function() assert.equal(10, loop.write(stream, "abcdefghij")) end)
    loop.run()
    assert.same({ "abcd", "efgh", "ij" }, got)
  end)

  it("may have several watchers of both kinds", function() -- MultipleWatchersOnSameDescriptor
    loop.write(stream, "testing")
    local sum, ids = 0, {}
    for i, register in ipairs { loop.onReadable, loop.onReadable, loop.onWritable, loop.onWritable } do
      ids[i] = register(stream, function(id)
        sum = sum + 10 ^ (i - 1) // 1 | 0
        loop.disable(id)
      end)
    end
    loop.defer(function()
      loop.delay(5, function()
        loop.enable(ids[1])
        loop.enable(ids[3])
      end)
    end)
    loop.run()
    assert.equal(1212, sum)
    loop.enable(ids[1])
    loop.enable(ids[3])
    loop.delay(5, function()
      loop.enable(ids[2])
      loop.enable(ids[4])
    end)
    loop.run()
    assert.equal(2323, sum)
    for _, id in ipairs(ids) do loop.cancel(id) end
  end)

  it("one watcher may disable another of those due together", function()
    loop.write(stream, "x")
    local second
    loop.onReadable(stream, function(id)
      loop.cancel(id)
      loop.cancel(second)
    end)
    second = loop.onReadable(stream, failing)
    loop.run()
  end)

  it("disabled from the start wait until they are enabled", function() -- InitiallyDisabledWriteWatcher*
    local said = {}
    local id = loop.onWritable(stream, function(id)
      said[#said + 1] = 2
      loop.cancel(id)
    end)
    loop.disable(id)
    loop.delay(2, function()
      said[#said + 1] = 1
      loop.enable(id)
    end)
    loop.run()
    assert.same({ 1, 2 }, said)
  end)

  it("are looked at in every tick", function() -- DeferEnabledInNextTick
    local count = 0
    local id = loop.onWritable(stream, function() count = count + 1 end)
    local function tick()
      loop.defer(loop.stop)
      loop.run()
    end
    tick()
    tick()
    tick()
    loop.disable(id)
    loop.enable(id)
    tick()
    loop.cancel(id)
    assert.equal(4, count)
  end)

  it("and timers keep each other from nothing", function() -- ReactorRunsUntilNoWatchersRemain
    local repeats, writes = 0, 0
    loop.every(1, function(id)
      repeats = repeats + 1
      if repeats == 3 then loop.cancel(id) end
    end)
    loop.onWritable(stream, function(id)
      writes = writes + 1
      if writes == 4 then loop.cancel(id) end
    end)
    loop.run()
    assert.same({ 3, 4 }, { repeats, writes })
  end)

  it("a callback that waits keeps no other from running", function()
    loop.write(stream, "x")
    local log = {}
    loop.onReadable(stream, function(id)
      loop.cancel(id)
      luna.sleep(0.003)
      log[#log + 1] = "slow"
    end)
    loop.onReadable(stream, function(id)
      loop.cancel(id)
      log[#log + 1] = "fast"
    end)
    loop.run()
    assert.same({ "fast", "slow" }, log)
  end)

  it("are the end of a process's output too", function()
    local process = io.popen "printf one; sleep 0.01; printf two"
    local got = {}
    loop.onReadable(process, function(id, s)
      local bytes = loop.read(s)
      if bytes == nil then
        loop.cancel(id)
      else
        got[#got + 1] = bytes
      end
    end)
    loop.run()
    process:close()
    assert.equal("onetwo", table.concat(got))
  end)

  it("may be descriptors, or whatever says its own by __fd", function()
    local wrapped = setmetatable({}, { __fd = function() return 1 end })
    local seen = {}
    for _, s in ipairs { 1, wrapped } do
      loop.onWritable(s, function(id, given)
        seen[#seen + 1] = given
        loop.cancel(id)
      end)
    end
    loop.run()
    assert.equal(2, #seen)
    assert.is_true(seen[1] == 1 or seen[2] == 1)
  end)

  it("regular files are always ready", function()
    local path = os.tmpname()
    local file = io.open(path, "w+")
    local reads, writes = 0, 0
    loop.onReadable(file, function(id)
      reads = reads + 1
      assert.is_nil(loop.read(file))
      if reads == 2 then loop.cancel(id) end
    end)
    loop.onWritable(file, function(id)
      writes = writes + 1
      if writes == 3 then loop.cancel(id) end
    end)
    local other = false
    loop.delay(0, function() other = true end)
    loop.run()
    assert.same({ 2, 3, true }, { reads, writes, other })
    file:close()
    os.remove(path)
  end)

  it("closed while they are watched, take their watchers with them", function()
    local broken = fifo()
    local ids = { loop.onReadable(broken, failing), loop.onWritable(broken, nothing), loop.onReadable(broken, failing) }
    loop.disable(ids[2])
    loop.defer(function() broken:close() end) -- active by then, not yet polled
    loop.run()
    for _, kind in ipairs { "on_readable", "on_writable" } do assert.same({ enabled = 0, disabled = 0 }, loop.getInfo()[kind]) end
    for _, id in ipairs(ids) do
      assert.is_true(luna.is(select(2, pcall(loop.enable, id)), luna.InvalidWatcherError))
      loop.cancel(id)
    end
    local ok, why = pcall(loop.read, broken)
    assert.is_false(ok)
    assert.matches("closed file", why)
  end)

  it("closed in a callback, or as a process's output, too", function()
    local ends = 0
    for _, open in ipairs { fifo, function() return io.popen "echo; exec sleep 0" end } do
      local s = open()
      if open == fifo then loop.write(s, "x") end
      loop.onReadable(s, function(_, given)
        ends = ends + 1
        assert.is_true(given:close())
      end)
      loop.run()
    end
    assert.equal(2, ends)
    local standard = loop.onWritable(io.stderr, nothing)
    io.stderr:close() -- which Lua refuses
    loop.cancel(standard)
    assert.is_nil(io.stderr:close())
    assert.equal("file", io.type(io.stderr))
  end)

  it("another one may have the number of one that was closed while it was watched", function()
    local first = fifo()
    loop.onReadable(first, failing)
    luna.sleep(0.001)
    first:close()
    local second, got = fifo(), nil
    loop.onReadable(second, function(id)
      got = loop.read(second)
      loop.cancel(id)
    end)
    loop.write(second, "mine")
    loop.run()
    second:close()
    assert.equal("mine", got)
    local third = fifo()
    loop.onReadable(third, failing)
    luna.sleep(0.001)
    third:close()
    local server = luna.socket.listen "tcp://127.0.0.1:0"
    local peer = luna.callFork(function()
      local s <close> = server:accept()
      return s:read()
    end)
    local client = luna.socket.connect(server.localAddress)
    client:write "hello"
    assert.equal("hello", luna.await(peer))
    loop.onReadable(client, failing)
    client:close()
    loop.run()
    server:close()
  end)

  it("refuse what is no stream, at the caller's line", function()
    local closed = fifo()
    closed:close()
    for _, bad in ipairs { "file", 99999, -1, {}, true, closed, 1.5 } do
      for _, fn in ipairs { loop.onReadable, loop.onWritable } do
        local ok, why = pcall(function() fn(bad, nothing) end)
        assert.is_false(ok)
        assert.matches("source_spec.lua:%d+: ", why)
      end
    end
    assert.is_false(pcall(loop.onReadable, stream, "callback"))
    assert.same({ enabled = 0, disabled = 0 }, loop.getInfo().on_readable)
  end)

  it("read gives an empty string where nothing is yet, write what went out", function()
    assert.equal("", loop.read(stream))
    local total, piece = 0, ("x"):rep(65536)
    while true do
      local n = loop.write(stream, piece)
      total = total + n
      if n == 0 then break end
    end
    assert.is_true(total >= 65536)
    local read = 0
    while true do
      local bytes = loop.read(stream, 100000)
      if bytes == "" then break end
      read = read + #bytes
    end
    assert.equal(total, read)
    assert.is_false(pcall(loop.read, stream, 0))
  end)

  it("write says what failed", function()
    local sink = io.popen("true", "w")
    os.execute "sleep 0.02"
    local ok, why = pcall(loop.write, sink, "x")
    assert.is_false(ok)
    assert.matches("Broken pipe", why)
    sink:close()
  end)
end)

describe("signals", function()
  it("pass id, number and data, also where they were named", function() -- OnSignalWatcher
    local seen, data = nil, {}
    local id = loop.onSignal("SIGUSR1", function(...)
      seen = table.pack(...)
      loop.cancel((...))
    end, data)
    loop.delay(1, function() raise "USR1" end)
    loop.run()
    assert.same({ id, 10, data, n = 3 }, seen)
  end)

  it("reach all their watchers, in order, and none that is disabled", function() -- SignalExecutionOrder
    local said = {}
    local function say(x)
      return function(id)
        loop.cancel(id)
        said[#said + 1] = x
      end
    end
    loop.defer(say(1))
    loop.onSignal("SIGUSR1", say(2))
    local a, b, c = loop.onSignal("SIGUSR1", say(2)), loop.onSignal(10, say(2)), loop.onSignal("SIGUSR1", failing)
    loop.disable(a)
    loop.onSignal("SIGUSR1", say(2))
    loop.disable(b)
    loop.enable(a)
    loop.cancel(c)
    loop.onSignal("SIGUSR1", say(2))
    loop.defer(function()
      loop.enable(b)
      loop.delay(1, function()
        raise "USR1"
        loop.delay(5, loop.stop)
      end)
    end)
    loop.run()
    assert.same({ 1, 2, 2, 2, 2, 2 }, said)
  end)

  it("disabled from the start wait until they are enabled", function() -- InitiallyDisabledOnSignalWatcher
    local caught = false
    local id = loop.onSignal("SIGUSR2", function(id)
      caught = true
      loop.cancel(id)
    end)
    loop.disable(id)
    loop.delay(1, function()
      loop.enable(id)
      loop.delay(1, function() raise "USR2" end)
    end)
    loop.run()
    assert.is_true(caught)
  end)

  it("reach a nested run", function() -- NestedLoopSignalDispatch, with the one loop that there is
    local said = {}
    local outer = loop.onSignal("SIGUSR1", function(id)
      said[#said + 1] = "outer"
      loop.cancel(id)
    end)
    loop.delay(1, function()
      loop.onSignal("SIGUSR2", function(id)
        said[#said + 1] = "inner"
        loop.cancel(id)
        loop.stop()
      end)
      loop.delay(1, function() raise "USR2" end)
      loop.run()
      raise "USR1"
    end)
    loop.run()
    loop.cancel(outer)
    assert.same({ "inner", "outer" }, said)
  end)

  it("of a script stand in the place of the host's", function()
    local mine, theirs = 0, 0
    local handle = host.onSignal("SIGUSR1", function() theirs = theirs + 1 end)
    local id = loop.onSignal("SIGUSR1", function()
      mine = mine + 1
      loop.delay(5, loop.stop)
    end)
    loop.delay(1, function() raise "USR1" end)
    local guard = loop.delay(10000, loop.stop)
    loop.run()
    loop.cancel(guard)
    loop.cancel(id)
    local first = { mine, theirs }
    raise "USR1"
    for _ = 1, 1000 do
      if theirs > 0 then break end
      luna.sleep(0.01)
    end
    host.offSignal(handle)
    assert.same({ { 1, 0 }, 1, 1 }, { first, mine, theirs })
  end)

  it("refuse what cannot be watched", function()
    for _, bad in ipairs { 9, 19, 11, 0, -1, 32, 1000, 2 ^ 32 + 2, "SIGKILL", "SIGSEGV" } do
      local ok, why = pcall(function() loop.onSignal(bad, nothing) end)
      assert.is_false(ok)
      assert.matches("source_spec.lua:%d+: .*this signal cannot be watched", why)
    end
    for _, bad in ipairs { "SIGNOTHING", "INT", "", "2", {}, true } do
      local ok, why = pcall(function() loop.onSignal(bad, nothing) end)
      assert.is_false(ok)
      assert.matches("source_spec.lua:%d+: .*name", why)
    end
    assert.same({ enabled = 0, disabled = 0 }, loop.getInfo().on_signal)
  end)
end)

describe("all kinds together", function()
  it("keep to their ticks", function() -- ExecutionOrderGuarantees, with shorter times
    local stream = fifo()
    local said = {}
    local function f(...)
      local args = table.pack(...)
      local at = 0
      return function(id)
        loop.cancel(id)
        if at >= args.n then failing() end
        said[#said + 1] = ("%d%d"):format(args[at + 1], args[at + 2])
        at = at + 2
      end
    end
    loop.defer(function()
      loop.onWritable(stream, f(0, 5))
      local writ1, writ2 = loop.onWritable(stream, f(0, 5)), loop.onWritable(stream, f(0, 5))
      loop.delay(0, f(0, 5))
      local del1, del2, del3 = loop.delay(0, f(0, 5)), loop.delay(0, f(0, 5)), loop.delay(0, f())
      local del4, del5 = loop.delay(0, f(1, 3)), loop.delay(0, f(2, 0))
      loop.defer(function() loop.disable(del5) end)
      loop.cancel(del3)
      loop.disable(del1)
      loop.disable(del2)
      local writ3 = loop.onWritable(stream, f())
      loop.cancel(writ3)
      loop.disable(writ1)
      loop.disable(writ2)
      loop.enable(writ1)
      local writ4 = loop.onWritable(stream, f(1, 3))
      loop.onWritable(stream, f(0, 5))
      loop.enable(writ2)
      loop.disable(writ4)
      loop.defer(function()
        loop.enable(writ4)
        loop.onWritable(stream, f(1, 3))
      end)
      loop.enable(del1)
      loop.delay(0, f(0, 5))
      loop.enable(del2)
      loop.disable(del4)
      loop.defer(function()
        loop.enable(del4)
        loop.onWritable(stream, f(1, 3))
      end)
      loop.delay(400, f(4, 1))
      loop.delay(60, f(3, 0))
      loop.delay(50, f(2, 1))
      loop.every(50, f(2, 1))
      local rep1 = loop.every(25, f(2, 1))
      loop.disable(rep1)
      loop.delay(50, f(2, 1))
      loop.enable(rep1)
      loop.defer(f(0, 1))
      local def1, def2, def3 = loop.defer(f(0, 3)), loop.defer(f(1, 1)), loop.defer(f())
      loop.defer(f(0, 2))
      loop.disable(def1)
      loop.cancel(def3)
      loop.enable(def1)
      loop.defer(function()
        f(0, 4) "invalid"
        loop.defer(f(1, 0))
        loop.enable(def2)
        loop.defer(f(1, 2))
        loop.defer(function()
          loop.enable(del5)
          loop.defer(function()
            os.execute "sleep 0.07" -- so that those of 50 and 60 are due in one tick, not that of 400
            loop.defer(function() loop.defer(f(4, 0)) end)
          end)
        end)
      end)
      loop.disable(def2)
    end)
    loop.run()
    stream:close()
    assert.equal("01 02 03 04 " .. ("05 "):rep(8) .. "10 11 12 " .. ("13 "):rep(4) .. "20 " .. ("21 "):rep(4) .. "30 40 41",
      table.concat(said, " "))
  end)
end)

describe("getInfo", function()
  local kinds = {
    { "defer", function() return loop.defer(nothing) end },
    { "delay", function() return loop.delay(5, nothing) end },
    { "repeat", function() return loop.every(5, nothing) end },
    { "on_writable", function() return loop.onWritable(1, nothing) end },
    { "on_readable", function() return loop.onReadable(0, nothing) end },
    { "on_signal", function() return loop.onSignal("SIGUSR1", nothing) end },
  }
  for _, kind in ipairs(kinds) do
    local name, register = kind[1], kind[2]
    it("counts " .. name, function() -- WatcherRegistrationAndCancellationInfo, WatcherReferenceInfo, DisableWithConsecutiveCancel
      local function is(enabled, disabled, referenced, unreferenced)
        local info = loop.getInfo()
        assert.same({ enabled = enabled, disabled = disabled }, info[name])
        assert.same({ referenced = referenced, unreferenced = unreferenced }, info.enabled_watchers)
      end
      is(0, 0, 0, 0)
      local a = register()
      is(1, 0, 1, 0)
      loop.enable(a)
      is(1, 0, 1, 0)
      local b = register()
      loop.reference(b)
      loop.reference(b)
      is(2, 0, 2, 0)
      loop.disable(b)
      loop.disable(b)
      is(1, 1, 1, 0)
      loop.unreference(b)
      is(1, 1, 1, 0)
      loop.enable(b)
      loop.enable(b)
      is(2, 0, 1, 1)
      loop.cancel(a)
      is(1, 0, 0, 1)
      loop.disable(b)
      is(0, 1, 0, 0)
      loop.cancel(b)
      is(0, 0, 0, 0)
      loop.disable(b)
      is(0, 0, 0, 0)
      local c, ran = register(), false
      loop.disable(c)
      loop.defer(function()
        loop.cancel(c)
        ran = true
      end)
      loop.run()
      assert.is_true(ran)
      is(0, 0, 0, 0)
    end)
  end
end)

describe("virtual time", function()
  it("moves delays, repeats and what callbacks sleep", function()
    local clock = timer.newVirtual()
    local log = {}
    local began = timer.now()
    luna.await(task.spawn(function()
      timer.useClock(clock)
      local start = clock:now()
      local function note(x) log[#log + 1] = ("%s %.1f"):format(x, clock:now() - start) end
      loop.delay(3600e3, function()
        note "hour"
        luna.sleep(60)
        note "minute more"
      end)
      local n = 0
      loop.every(1800e3, function(id)
        n = n + 1
        note("half " .. n)
        if n == 2 then loop.cancel(id) end
      end)
      loop.run()
    end))
    clock:free()
    assert.same({ "half 1 1800.0", "hour 3600.0", "half 2 3600.0", "minute more 3660.0" }, log)
    assert.is_true(timer.now() - began < 5)
  end)

  it("advance is over once all that comes due until then has run, also at its very end", function()
    local clock = timer.newVirtual()
    luna.await(task.spawn(function()
      timer.useClock(clock)
      local seen = {}
      local function note(x)
        return function() seen[#seen + 1] = x end
      end
      loop.delay(0, note "at once")
      clock:advance(0)
      assert.same({ "at once" }, seen)
      local id = loop.every(500, note "every")
      loop.delay(1000, note "delay")
      local late = loop.delay(1001, failing)
      task.spawn(function()
        luna.sleep(1)
        note "task"()
      end)
      clock:advance(1)
      loop.cancel(id)
      loop.cancel(late)
      table.sort(seen)
      assert.same({ "at once", "delay", "every", "every", "task" }, seen)
    end))
    clock:free()
  end)

  it("a clock that is freed takes its delays and repeats with it", function()
    local clock = timer.newVirtual()
    local ids = {}
    luna.await(task.spawn(function()
      timer.useClock(clock)
      ids = { loop.delay(1, failing), loop.every(1, failing), loop.every(1, nothing), loop.defer(nothing) }
      loop.disable(ids[3])
    end))
    clock:free()
    loop.run()
    local runs = 0
    assert.is_false(pcall(loop.enable, ids[1]))
    assert.is_false(pcall(loop.enable, ids[2]))
    loop.enable(ids[3]) -- has no time yet: it follows the real clock
    loop.delay(5, function() loop.cancel(ids[3]) runs = runs + 1 end)
    loop.run()
    assert.equal(1, runs)
  end)

  it("goes on at the end of all time", function()
    local clock = timer.newVirtual()
    luna.await(task.spawn(function()
      timer.useClock(clock)
      local before = os.time()
      for _, seconds in ipairs { 1e12, math.huge, 1e300 } do
        clock:advance(seconds)
        luna.sleep(1)
        pcall(luna.timeout, luna.Deferred():promise(), 1e13)
        local ran = false
        loop.delay(5, function() ran = true end)
        loop.run()
        assert.is_true(ran)
        assert.is_true(os.time() > before)
      end
    end))
    clock:free()
  end)
end)
