-- luna.Loop and its kinds: start, stop, pause, resume, signals, the two ready-made loops; under a clock that jumps.
local luna = require "luna"
local Logger = require "luna.logger"
local task = require "_luna.task"
local timer = require "_luna.timer"

local API = setmetatable({}, { __name = "luna.API" })

local function virtually(fn)
  local clock = timer.newVirtual()
  local ok, why = pcall(luna.await, task.spawn(function()
    timer.useClock(clock)
    local start = clock:now()
    fn(function() return math.floor((clock:now() - start) * 1000 + 0.5) / 1000 end)
  end))
  clock:free()
  if not ok then error(why, 0) end
end

local function raised(fn, ...)
  local ok, why = pcall(fn, ...)
  assert.is_false(ok)
  return why
end

-- A class with that loop().
local function class(base, loop, name)
  local c = base:extend(name or "a loop")
  c.loop = loop
  return c
end

local lines
before_each(function()
  lines = {}
  Logger.configure { target = function(text) lines[#lines + 1] = text end, level = "verbose" }
end)
after_each(function() Logger.configure { level = "notice" } end)

local function logged(pattern)
  for _, line in ipairs(lines) do
    if line:find(pattern) then return true end
  end
  return false
end

describe("luna.Loop", function()
  it("runs loop() in the background; start gives a promise of its end", function()
    local gate = luna.Deferred()
    local l = class(luna.Loop, function(self)
      assert.equal(API, self.API)
      return luna.await(gate:promise())
    end)(API)
    assert.is_false(l:isRunning())
    local p = l:start()
    assert.is_true(l:isRunning())
    assert.equal("pending", luna.stateOf(p))
    gate:resolve(5)
    assert.equal(5, luna.await(p))
    assert.is_false(l:isRunning())
  end)

  it("may be started again after its end, not while it runs", function()
    local runs = 0
    local l = class(luna.Loop, function()
      runs = runs + 1
      luna.sleep(0.001)
    end, "my custom loop")(API)
    local p = l:start()
    assert.is_false(l:start())
    assert.is_true(logged "my custom loop: it runs already")
    luna.await(p)
    luna.await(l:start())
    assert.equal(2, runs)
  end)

  it("is extended with a colon", function()
    for _, kind in ipairs { luna.Loop, luna.SignalLoop, luna.Loop:extend "mine" } do
      local ok, err = pcall(function() kind.extend "x" end)
      assert.is_false(ok)
      assert.matches("loops_spec.lua:%d+: extend is called on a class, with a colon", err)
    end
  end)

  it("has its name from extend, or from __tostring, which is inherited", function()
    local A = luna.Loop:extend "first"
    local B = A:extend "second"
    assert.equal("first", tostring(A(API)))
    assert.equal("second", tostring(B(API)))
    function A:__tostring() return "called " .. self.x end
    local C = A:extend "third"
    assert.equal("called 1", tostring(C { API = API, x = 1 }))
  end)

  it("logs start, end and failure under its name", function()
    luna.await(class(luna.Loop, function() end, "quiet one")(API):start())
    assert.is_true(logged "quiet one: started" and logged "quiet one: ended")
    local err = luna.Exception "no"
    assert.equal(err, raised(luna.await, class(luna.Loop, function() error(err, 0) end, "bad one")(API):start()))
    assert.is_true(logged "bad one: failed: .*loops_spec.lua:%d+: no")
  end)

  it("logs where an error came from, whatever it is", function()
    local function deep(x) error(x) end
    for _, x in ipairs { "text", { code = 5 }, luna.Exception "object" } do
      lines = {}
      local function work()
        luna.sleep(0)
        deep(x)
        return 1
      end
      local why = raised(luna.await, class(luna.Loop, function()
        work()
        return 2
      end, "deep one")(API):start())
      assert.is_true(why == x or type(x) == "string" and why:find "loops_spec.lua:%d+: text$" ~= nil)
      local line = lines[#lines]
      assert.matches("^deep one: failed: ", line)
      assert.equal(3, select(2, line:gsub("loops_spec.lua:%d+: in ", "")))
      assert.is_nil(line:find "%[C%]")
    end
  end)

  it("logs in one line what came from nowhere in the script", function()
    local l = luna.GenericLoop(API, function() end, "signalled")
    l:signal(luna.Exception "end it")
    raised(luna.await, l:start())
    assert.equal("signalled: failed: end it", lines[#lines])
  end)

  it("a class has a name that is a string", function()
    for _, base in ipairs { luna.Loop, luna.ResumableLoop } do
      assert.matches("loops_spec.lua:%d+: the name of a class is a string", raised(function() local _ = base:extend(5) end))
    end
  end)

  it("a __tostring that fails is said at start, and keeps no loop from ending", function()
    local bad = true
    local L = class(luna.Loop, function()
      bad = true
      error "x"
    end, "its class")
    function L:__tostring() return bad and error "no name" or "named" end
    assert.matches("loops_spec.lua:%d+: the __tostring of this loop failed: .*no name", raised(function() L(API):start() end))
    bad = false
    assert.matches(": x$", raised(luna.await, L(API):start()))
    assert.is_true(logged "its class: failed")
  end)

  it("takes an API object, a table of fields, or what init makes of its arguments", function()
    local L = class(luna.Loop, function(self) return self.a, self.b end)
    assert.equal(1, luna.await(L { API = API, a = 1 }:start()))
    local M = class(luna.Loop, function(self) return self.a + self.b end)
    function M:init(api, a, b) self.API, self.a, self.b = api, a, b end
    assert.equal(5, luna.await(M(API, 2, 3):start()))
    assert.is_false(pcall(L, 5))
  end)

  it("does not start without an API object, or without loop()", function()
    local L = class(luna.Loop, function() end, "orphan")
    assert.matches("loops_spec.lua:%d+: orphan: self.API is not set", raised(function() L():start() end))
    local M = luna.Loop:extend "empty"
    assert.matches("loops_spec.lua:%d+: empty has no method loop", raised(function() M(API):start() end))
  end)

  it("instances may have fields of any name; luna.Loop says where the event loop is", function()
    local L = luna.Loop:extend "x"
    assert.is_nil(L(API).delay)
    assert.is_nil(L.now)
    assert.matches("luna.loop.every", raised(function() return luna.Loop.every end))
  end)

  it("stop ends it at its wait, and its promise resolves", function()
    local closed = false
    local l = class(luna.Loop, function()
      local guard <close> = setmetatable({}, { __close = function() closed = true end })
      luna.sleep(3600)
      return guard
    end)(API)
    local p = l:start()
    l:stop()
    l:stop()
    assert.is_nil(luna.await(p))
    assert.is_true(closed)
    assert.is_false(l:isRunning())
    l:stop()
  end)

  it("stop from inside ends it at its next wait", function()
    local steps = 0
    local l = class(luna.Loop, function(self)
      self:stop()
      steps = 1
      luna.sleep(3600)
      steps = 2
    end)(API)
    assert.is_nil(luna.await(l:start()))
    assert.equal(1, steps)
  end)

  it("stop leaves it some seconds for what it has still to do, and holds for who caught the first error", function()
    virtually(function(now)
      local log = {}
      local l = class(luna.Loop, function()
        pcall(luna.sleep, 3600)
        luna.sleep(2)
        log[1] = "bye"
      end)(API)
      local p = l:start()
      l:stop()
      assert.is_nil(luna.await(p))
      assert.same({ "bye" }, log)
      local rounds = 0
      l = class(luna.Loop, function()
        while true do
          pcall(luna.sleep, 20)
          rounds = rounds + 1
          luna.sleep(60)
        end
      end)(API)
      local start = now()
      p = l:start()
      luna.sleep(1)
      l:stop()
      assert.is_nil(luna.await(p))
      assert.same({ 1, 4 }, { rounds, now() - start })
      luna.sleep(20)
      assert.is_false(logged "goes on")
    end)
  end)

  it("one that goes on whatever it is told is named in the log", function()
    virtually(function()
      local rounds = 0
      local l = class(luna.Loop, function()
        while rounds < 20 do
          rounds = rounds + 1
          pcall(luna.sleep, 5)
        end
      end, "stubborn")(API)
      local p = l:start()
      l:stop()
      luna.await(p)
      assert.is_true(logged "stubborn: it was stopped, but catches the error of its waits and goes on")
    end)
  end)

  it("cancelling the promise of start stops it", function()
    local l = class(luna.Loop, function() luna.sleep(3600) end)(API)
    local p = l:start()
    luna.cancel(p)
    pcall(luna.await, p)
    assert.is_false(l:isRunning())
  end)
end)

describe("luna.ResumableLoop", function()
  it("pauses for seconds, decimals too", function()
    virtually(function(now)
      local times = {}
      local l = class(luna.ResumableLoop, function(self)
        for _, s in ipairs { 2, 0.25, 0 } do
          luna.await(self:pause(s))
          times[#times + 1] = now()
        end
      end)(API)
      luna.await(l:start())
      assert.same({ 2, 2.25, 2.25 }, times)
    end)
  end)

  it("pause(0) lets others run", function()
    local log = {}
    local l = class(luna.ResumableLoop, function(self)
      log[#log + 1] = 1
      luna.await(self:pause(0))
      log[#log + 1] = 3
    end)(API)
    local p = l:start()
    log[#log + 1] = 2
    luna.await(p)
    assert.same({ 1, 2, 3 }, log)
  end)

  it("resume ends a pause, with or without a time", function()
    virtually(function(now)
      local times = {}
      local l = class(luna.ResumableLoop, function(self)
        luna.await(self:pause())
        times[1] = now()
        luna.await(self:pause(3600))
        times[2] = now()
      end)(API)
      local p = l:start()
      luna.sleep(5)
      l:resume()
      luna.sleep(5)
      l:resume()
      luna.await(p)
      assert.same({ 5, 10 }, times)
    end)
  end)

  it("a resume while it works makes the next pause short, once", function()
    virtually(function(now)
      local times = {}
      local l = class(luna.ResumableLoop, function(self)
        luna.sleep(1)
        luna.await(self:pause(10))
        times[1] = now()
        luna.await(self:pause(10))
        times[2] = now()
      end)(API)
      local p = l:start()
      l:resume()
      l:resume()
      luna.await(p)
      assert.same({ 1, 11 }, times)
    end)
  end)

  it("a resume before start does nothing", function()
    virtually(function(now)
      local l = class(luna.ResumableLoop, function(self) luna.await(self:pause(10)) end)(API)
      l:resume()
      luna.await(l:start())
      assert.equal(10, now())
    end)
  end)

  it("says so where the promise of a pause was dropped", function()
    local why
    local l = class(luna.ResumableLoop, function(self)
      self:pause(0)
      why = raised(self.pause, self, 1)
    end)(API)
    luna.await(l:start())
    assert.matches("pause%(%) gives a promise", why)
  end)

  it("refuses what is no time, at the caller's line", function()
    local l = class(luna.ResumableLoop, function(self)
      for _, bad in ipairs { "x", -1, 0 / 0, {}, true } do
        assert.matches("loops_spec.lua:%d+: pause wants", raised(function() self:pause(bad) end))
      end
    end)(API)
    luna.await(l:start())
  end)

  it("stop during a pause leaves no timer behind", function()
    virtually(function(now)
      local l = class(luna.ResumableLoop, function(self) luna.await(self:pause(3600)) end)(API)
      local p = l:start()
      l:stop()
      luna.await(p)
      luna.sleep(1)
      assert.equal(1, now())
    end)
  end)

  it("stop holds though the loop catches its error", function()
    local l = class(luna.ResumableLoop, function(self)
      pcall(function() luna.await(self:pause()) end)
      luna.await(self:pause())
    end)(API)
    local p = l:start()
    l:stop()
    assert.is_nil(luna.await(p))
  end)
end)

describe("luna.SignalLoop", function()
  it("waitSignal gives the signal, or the promise's values where they come first", function()
    local got = {}
    local d = luna.Deferred()
    local l = class(luna.SignalLoop, function(self)
      got[1] = self:waitSignal(luna.Deferred():promise())
      got[2] = table.pack(self:waitSignal(d:promise()))
      got[3] = self:waitSignal()
    end)(API)
    local p = l:start()
    l:signal "hello"
    luna.sleep(0)
    d:resolve(1, 2)
    luna.sleep(0)
    l:signal "bye"
    luna.await(p)
    assert.equal("hello", got[1])
    assert.same({ 1, 2, n = 2 }, got[2])
    assert.equal("bye", got[3])
  end)

  it("keeps signals that nobody waits for, in order", function()
    local got = {}
    local l = class(luna.SignalLoop, function(self)
      luna.sleep(0.001)
      for i = 1, 4 do got[i] = self:waitSignal(luna.Success "not this") end
      got[5] = self:waitSignal(luna.Success "but this")
    end)(API)
    l:signal(1) -- before it starts
    local p = l:start()
    l:signal(2)
    l:signal(false)
    l:signal(4)
    luna.await(p)
    assert.same({ 1, 2, false, 4, "but this" }, got)
  end)

  it("a signal that is an exception is raised where it waits", function()
    local err = luna.Exception "stop that"
    local seen = {}
    local l = class(luna.SignalLoop, function(self)
      for i = 1, 2 do seen[i] = raised(self.waitSignal, self) end
    end)(API)
    l:signal(err)
    local p = l:start()
    l:signal(err)
    luna.await(p)
    assert.same({ err, err }, seen)
  end)

  it("raises what the promise fails with", function()
    local l = class(luna.SignalLoop, function(self) return raised(self.waitSignal, self, luna.Failure "no") end)(API)
    assert.equal("no", luna.await(l:start()))
  end)

  it("takes functions, refuses values, at the caller's line", function()
    local l = class(luna.SignalLoop, function(self)
      assert.equal(7, self:waitSignal(function()
        luna.sleep(0)
        return 7
      end))
      assert.matches("loops_spec.lua:%d+: .*the call has already finished", raised(function() self:waitSignal { id = 1 } end))
    end)(API)
    luna.await(l:start())
  end)

  it("however often it waits for one promise, that grows no larger", function()
    local d = luna.Deferred()
    local got, rounds
    local l = class(luna.SignalLoop, function(self)
      repeat
        got = self:waitSignal(d:promise())
        rounds = rounds + 1
      until got == "end"
    end)(API)
    local p = l:start()
    local function burst()
      rounds = 0
      for i = 1, 500 do
        l:signal(i)
        luna.sleep(0)
      end
      collectgarbage()
      collectgarbage()
      assert.equal(500, rounds)
      return collectgarbage "count"
    end
    burst()
    local before = burst()
    assert.is_true(burst() - before < 8)
    d:resolve "end"
    luna.await(p)
    assert.equal("end", got)
  end)

  it("several that wait for one promise are told in their order", function()
    local d, got = luna.Deferred(), {}
    local l = class(luna.SignalLoop, function(self)
      local all = {}
      for i = 1, 3 do
        all[i] = task.spawn(function()
          local what = self:waitSignal(d:promise())
          got[#got + 1] = i .. what
        end)
      end
      luna.await(all)
    end)(API)
    local p = l:start()
    l:signal "s"
    luna.sleep(0)
    d:resolve "p"
    luna.await(p)
    assert.same({ "1s", "2p", "3p" }, got)
  end)

  it("a wait that was cancelled takes no signal with it", function()
    local got
    local l = class(luna.SignalLoop, function(self)
      local p = task.spawn(function() return self:waitSignal() end)
      luna.cancel(p)
      pcall(luna.await, p)
      got = self:waitSignal()
    end)(API)
    local p = l:start()
    luna.sleep(0)
    l:signal "for the second"
    luna.await(p)
    assert.equal("for the second", got)
  end)
end)

describe("luna.ResumableSignalLoop", function()
  it("is the seed's cron loop", function()
    virtually(function(now)
      local log = {}
      local Cron = luna.ResumableSignalLoop:extend "my cron signal loop"
      function Cron:init(api, timeout) self.API, self.timeout = api, timeout end
      function Cron:loop()
        while true do
          local result = self:waitSignal(self:pause(self.timeout))
          if result and result <= 0 then return end
          self.timeout = result or self.timeout
          log[#log + 1] = now()
        end
      end
      local cron = Cron(API, 2)
      local p = cron:start()
      luna.sleep(5)
      cron:signal(5)
      luna.sleep(6)
      cron:resume()
      luna.sleep(0.5)
      cron:signal(0)
      luna.await(p)
      assert.same({ 2, 4, 5, 10, 11 }, log)
      luna.sleep(1) -- nothing of the last pause is left: the clock does not jump past this
      assert.equal(12.5, now())
    end)
  end)
end)

describe("luna.GenericLoop", function()
  local GenericLoop = luna.GenericLoop

  it("pauses as its function says, and is its self", function()
    virtually(function(now)
      local times = {}
      local l
      l = GenericLoop(API, function(self)
        assert.equal(l, self)
        assert.equal(API, self.API)
        times[#times + 1] = now()
        return ({ 2, 0.5, GenericLoop.CONTINUE, GenericLoop.PAUSE, nil })[#times] or #times == 6 and GenericLoop.STOP or nil
      end, "My super loop")
      assert.equal("My super loop", tostring(l))
      local p = l:start()
      luna.sleep(10)
      assert.same({ 0, 2, 2.5, 2.5 }, times)
      l:resume()
      luna.sleep(10)
      l:resume()
      luna.await(p)
      assert.same({ 0, 2, 2.5, 2.5, 10, 20 }, times)
    end)
  end)

  it("CONTINUE goes through a tick: others run, signals end it", function()
    local n = 0
    local l = GenericLoop(API, function()
      n = n + 1
      return GenericLoop.CONTINUE
    end, "busy")
    local p = l:start()
    while n < 3 do luna.sleep(0) end
    l:signal(true)
    luna.await(p)
  end)

  it("a true signal ends it, a false one is the end of the pause", function()
    local n = 0
    local l = GenericLoop(API, function() n = n + 1 end, "x")
    local p = l:start()
    l:signal(false)
    luna.sleep(0)
    assert.equal(2, n)
    l:signal "anything"
    luna.await(p)
    assert.equal(2, n)
  end)

  it("an error, or a strange return, is logged and ends it alone", function()
    local l = GenericLoop(API, function() error("oh no", 0) end, "failing one")
    pcall(luna.await, l:start())
    assert.is_true(logged "failing one: failed: .*loops_spec.lua:%d+: oh no")
    for _, bad in ipairs { "soon", -1, true, {} } do
      local p = GenericLoop(API, function() return bad end, "strange one"):start()
      assert.matches("loops_spec.lua:%d+: the function returned .*GenericLoop.STOP", tostring(raised(luna.await, p)))
    end
  end)

  it("a promise that is returned is waited for; its failure ends the loop", function()
    virtually(function(now)
      local times = {}
      local l = GenericLoop(API, function()
        times[#times + 1] = now()
        if #times == 3 then return luna.Failure "no more" end
        return #times == 1 and luna.Success(5) or task.spawn(function() luna.sleep(1) end)
      end, "promises")
      local p = l:start()
      luna.sleep(20)
      l:resume()
      assert.equal("no more", raised(luna.await, p))
      assert.same({ 0, 5, 20 }, times)
      times = {}
      luna.await(luna.PeriodicLoop(API, function()
        times[#times + 1] = now()
        return task.spawn(function()
          luna.sleep(2)
          return #times == 2 and GenericLoop.STOP or nil
        end)
      end, "promises", 1):start())
      assert.same({ 21, 24 }, times)
    end)
  end)

  it("refuses wrong arguments, at the caller's line", function()
    assert.matches("loops_spec.lua:%d+: GenericLoop: argument 1", raised(function() GenericLoop(nil, print, "x") end))
    assert.matches("loops_spec.lua:%d+: GenericLoop: argument 2", raised(function() GenericLoop(API, 5, "x") end))
    assert.matches("loops_spec.lua:%d+: GenericLoop: argument 3", raised(function() GenericLoop(API, print, 5) end))
  end)
end)

describe("luna.PeriodicLoop", function()
  local PeriodicLoop = luna.PeriodicLoop

  it("waits first, then runs, and so on", function()
    virtually(function(now)
      local times = {}
      local l
      l = PeriodicLoop(API, function(given)
        assert.equal(l, given)
        times[#times + 1] = now()
        if #times == 3 then return PeriodicLoop.STOP end
      end, "periodic", 2)
      luna.await(l:start())
      assert.same({ 2, 4, 6 }, times)
      assert.equal("periodic", tostring(l))
    end)
  end)

  it("with work longer than the period waits the whole period after it", function()
    virtually(function(now)
      local times = {}
      luna.await(PeriodicLoop(API, function(l)
        times[#times + 1] = now()
        luna.sleep(5)
        return #times == 3 and l.STOP or nil
      end, "slow", 2):start())
      assert.same({ 2, 9, 16 }, times)
    end)
  end)

  it("resume runs it at once; a true signal, or stop, ends it", function()
    virtually(function(now)
      local times = {}
      local l = PeriodicLoop(API, function() times[#times + 1] = now() end, "resumed", 10)
      local p = l:start()
      luna.sleep(3)
      l:resume()
      luna.sleep(11)
      l:signal(true)
      luna.await(p)
      assert.same({ 3, 13 }, times)
      p = l:start()
      luna.sleep(1)
      l:stop()
      assert.is_nil(luna.await(p))
      assert.same({ 3, 13 }, times)
    end)
  end)

  it("follows its timeout where it is changed", function()
    virtually(function(now)
      local times = {}
      luna.await(PeriodicLoop(API, function(l)
        times[#times + 1] = now()
        l.timeout = l.timeout * 2
        return #times == 3 and l.STOP or nil
      end, "slower", 1):start())
      assert.same({ 1, 3, 7 }, times)
    end)
  end)

  it("an error is logged and ends it alone", function()
    local l = PeriodicLoop(API, function() error("oh no", 0) end, "failing", 0)
    pcall(luna.await, l:start())
    assert.is_true(logged "failing: failed: .*loops_spec.lua:%d+: oh no")
    assert.is_false(l:isRunning())
  end)

  it("refuses a period that is none", function()
    for _, bad in ipairs { "2", -1, 0 / 0 } do
      assert.matches("loops_spec.lua:%d+: PeriodicLoop: argument 4", raised(function() PeriodicLoop(API, print, "x", bad) end))
    end
    assert.is_false(pcall(PeriodicLoop, API, print, "x"))
  end)
end)
