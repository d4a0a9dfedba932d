-- A million of each end with the memory that they began with: by counting what Lua holds, not by time. (A tenth under the address
-- sanitizer, which makes them ten times slower.)
local luna = require "luna"
local promise = require "_luna.promise"
local task = require "_luna.task"
local timer = require "_luna.timer"

local MILLION = 1000000
for line in io.lines "/proc/self/maps" do
  if line:find("libasan", 1, true) then MILLION = 100000 end
end

local function held()
  task.sleep(0.001) -- a pause of the loop: what was only kept for speed goes
  local before
  repeat -- Lua halves its table of strings with each cycle
    before = collectgarbage "count"
    collectgarbage()
  until collectgarbage "count" > before - 1
  return collectgarbage "count"
end

local function nothing() end
local lasting = promise.new()

local cases = {
  ["combinators of one that lasts"] = function(n)
    for _ = 1, n // 100 do luna.first { lasting, promise.success(1) } end
    for _ = 1, n // 100 do
      local p = promise.new()
      task.spawn(luna.first, { p, lasting })
      promise.resolve(p)
    end
  end,
  ["spawns"] = function(n)
    for _ = 1, n do task.spawn(nothing) end
  end,
  ["spawns that wait"] = function(n)
    for _ = 1, n // 1000 do
      local gate = promise.new()
      for _ = 1, 1000 do task.spawn(promise.await, gate) end
      promise.resolve(gate)
      task.sleep(0)
    end
  end,
  ["promises"] = function(n)
    for i = 1, n do
      local p = promise.new()
      promise.resolve(p, i)
      promise.await(p)
    end
  end,
  ["callbacks"] = function(n)
    for _ = 1, n do
      local p = promise.new()
      promise.onResolve(p, nothing)
      promise.resolve(p)
    end
  end,
  ["timers"] = function(n)
    for _ = 1, n // 1000 do
      local timers = {}
      for i = 1, 1000 do timers[i] = timer.after(100, nothing) end
      for i = 1, 1000 do timer.cancel(timers[i]) end
    end
  end,
  ["watchers"] = function(n)
    for _ = 1, n // 1000 do
      for _ = 1, 500 do luna.loop.defer(nothing) end
      for _ = 1, 250 do luna.loop.delay(0, nothing) end
      for _ = 1, 250 do luna.loop.cancel(luna.loop.delay(1000, nothing)) end
      luna.loop.run()
    end
  end,
  ["cancelled waits"] = function(n)
    local function wait() return pcall(task.sleep, 1000) end
    for _ = 1, n // 1000 do
      local waiting = {}
      for i = 1, 1000 do waiting[i] = task.spawn(wait) end
      for i = 1, 1000 do promise.cancel(waiting[i], "enough") end
      task.sleep(0)
    end
  end,
  ["waits for a socket"] = function(n) -- one in ten, since each takes a turn of the loop
    local server <close> = luna.socket.listen "tcp://127.0.0.1:0"
    local a <close> = luna.socket.connect("tcp://" .. server.localAddress)
    local b <close> = server:accept()
    local function wait() return pcall(a.read, a) end
    for i = 1, n // 10 do
      local waiting = task.spawn(wait)
      if i % 2 == 0 then
        promise.cancel(waiting, "enough")
      else
        b:write(("x"):rep(64))
      end
      promise.await(waiting)
      if i % 1000 == 0 then pcall(a.write, a, ("y"):rep(8 << 20), { timeout = 0 }) end
      while i % 1000 == 0 and pcall(b.read, b, { timeout = 0.001 }) do task.sleep(0) end
    end
  end,
  ["waits that time out"] = function(n)
    for _ = 1, n // 1000 do
      local never = promise.new()
      for _ = 1, 1000 do task.spawn(promise.awaitTimeout, never, 0) end
      task.sleep(0)
    end
  end,
}

describe("a sleeper", function()
  it("takes no more than its thread, its promise and its function", function()
    local n, sleep = 10000, luna.sleep
    local function each()
      local all, before = {}, held()
      for i = 1, n do all[i] = 0 end
      for i = 1, n do
        all[i] = task.spawn(function() sleep(1000) end)
      end
      collectgarbage()
      local bytes = (collectgarbage "count" - before) * 1024 / n - 16 -- of the list
      for i = 1, n do promise.cancel(all[i]) end
      for i = 1, n do pcall(promise.await, all[i]) end
      return bytes
    end
    each() -- what grows with the number of tasks alone has its size from here on
    local bytes = each()
    assert.is_true(bytes < 1270, ("%.0f bytes"):format(bytes)) -- the struct in C: see task.c
  end)
end)

-- The others cost more for each, and have nothing that a fifth of a million would not show.
local whole = { ["spawns"] = true, ["promises"] = true, ["timers"] = true, ["cancelled waits"] = true }

describe("a million", function()
  for name, run in pairs(cases) do
    it(name, function()
      run(MILLION // 20)
      local tasks = #task.all()
      local before = held()
      run(whole[name] and MILLION or MILLION // 5)
      local grown = held() - before
      -- Lua's table of strings may stand at twice its size; whatever were left of each would come to many times as much.
      assert.is_true(grown < 1000, ("%.0f KiB more than before"):format(grown))
      assert.is_true(#task.all() < tasks + 10) -- the runner may have one or two of its own
    end)
  end
end)
