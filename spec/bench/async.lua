-- Tasks, promises, the event loop and timers, alone. Prints "name<TAB>number<TAB>unit" a line, for spec/bench/async, which sets peers
-- beside it. LUNA_BENCH_ONLY=NAME,… names rows; =echo is the TCP server of peers/README.md instead.
local luna = require "luna"
local host, task, promise = require "_luna.host", require "_luna.task", require "_luna.promise"
local loop = luna.loop

local wanted = {}
for name in (host.env "LUNA_BENCH_ONLY" or ""):gmatch "[^,]+" do wanted[name] = true end

local function cpu() return (host.usage()) end

local function report(name, number, unit) io.write(name, "\t", ("%.4g"):format(number), "\t", unit, "\n") end

-- The best of three, each after a small one that warms up: other programs share the machine.
local function measure(name, n, fn)
  if next(wanted) and not wanted[name] then return end
  fn(n // 10)
  local best = math.huge
  for _ = 1, 3 do
    collectgarbage()
    local start = cpu()
    fn(n)
    best = math.min(best, (cpu() - start) / n * 1e9)
  end
  report(name, best, "ns")
end

local nothing = function() end

local function rss()
  local file <close> = assert(io.open "/proc/self/statm")
  return tonumber(file:read("a"):match "^%d+ (%d+)") * 4096
end

if wanted.echo then
  local server <close> = luna.socket.listen "tcp://127.0.0.1:0"
  task.spawn(function()
    for s in server do
      task.spawn(function()
        for bytes in s do s:write(bytes) end
        s:close()
      end)
    end
  end)
  io.write(server.localAddress:match "%d+$", "\n"):flush()
  while luna.readLine() do io.write(("%.6f\n"):format(cpu())):flush() end
  return
end

if wanted.sleepers then -- in a process of their own, so that the memory is not what others have left
  local n, sleep = 100000, luna.sleep
  collectgarbage()
  local before, start = rss(), cpu()
  for _ = 1, n do
    task.spawn(function() sleep(1.5) end)
  end
  local created, bytes = cpu() - start, rss() - before
  start = cpu()
  loop.run()
  report("sleepers_create", created / n * 1e9, "ns")
  report("sleepers_fire", (cpu() - start) / n * 1e9, "ns")
  report("sleepers_bytes", bytes / n, "B")
end

measure("spawn", 500000, function(n)
  for _ = 1, n do task.spawn(nothing) end
end)

measure("await_done", 1000000, function(n)
  local p = promise.success(1)
  for _ = 1, n do promise.await(p) end
end)

-- Two tasks hand over to each other: each waits for a promise that the other resolves, and is resumed by the loop.
measure("suspend", 200000, function(n)
  local a, b = promise.new(), promise.new()
  task.spawn(function()
    for _ = 1, n // 2 do
      promise.await(a)
      a = promise.new()
      local answer = b
      b = promise.new()
      promise.resolve(answer)
    end
  end)
  for _ = 1, n // 2 do
    local answer = b
    promise.resolve(a)
    promise.await(answer)
  end
end)

measure("defer_chain", 200000, function(n)
  local left = n
  local function again()
    left = left - 1
    if left > 0 then loop.defer(again) end
  end
  loop.defer(again)
  loop.run()
end)

-- Batches of ten thousand.
measure("defer_batch", 200000, function(n)
  for _ = 1, n // 10000 do
    for _ = 1, 10000 do loop.defer(nothing) end
    loop.run()
  end
end)

measure("sleep0", 200000, function(n)
  for _ = 1, n do luna.sleep(0) end
end)

if not next(wanted) or wanted.timers then
  local n, best = 100000, math.huge
  for _ = 1, 2 do
    collectgarbage()
    local seed = 1
    local start = cpu()
    for _ = 1, n do
      seed = (seed * 1103515245 + 12345) & 0x7fffffff
      loop.delay(seed % 1000, nothing)
    end
    loop.run()
    best = math.min(best, cpu() - start)
  end
  report("timers", best, "s")
end

measure("all", 100000, function(n)
  local list = {}
  for i = 1, n do list[i] = promise.new() end
  task.spawn(function()
    task.sleep(0)
    for i = 1, n do promise.resolve(list[i], i) end
  end)
  luna.all(list)
end)
