-- The same as spec/bench/async.lua on luv with a small scheduler, the usual way to have coroutines on it. Run:
-- lua5.4 luv.lua [sleepers | echo]
local uv = require "luv"
local create, resume, yield, running = coroutine.create, coroutine.resume, coroutine.yield, coroutine.running

local function cpu()
  local u = uv.getrusage()
  return u.utime.sec + u.stime.sec + (u.utime.usec + u.stime.usec) / 1e6
end
local function report(name, number, unit) io.write(name, "\t", ("%.4g"):format(number), "\t", unit, "\n") end

-- Functions for the next turn: an idle handle keeps the loop from blocking while there are some.
local queue, idle, check, active = {}, uv.new_idle(), uv.new_check(), false
local function step()
  local batch = queue
  queue = {}
  for i = 1, #batch do batch[i]() end
  if #queue == 0 then
    idle:stop()
    check:stop()
    active = false
  end
end
local function defer(fn)
  queue[#queue + 1] = fn
  if active then return end
  active = true
  idle:start(function() end)
  check:start(step)
end

local function wake(co, ...)
  local ok, why = resume(co, ...)
  if not ok then error(why) end
end
local function spawn(fn) wake(create(fn)) end

local function newPromise() return { done = false } end
local function resolve(p, value)
  p.done, p.value = true, value
  local waiters = p
  for i = 1, #waiters do
    local w = waiters[i]
    defer(function() wake(w, value) end)
  end
end
local function await(p)
  if p.done then return p.value end
  p[#p + 1] = running()
  return yield()
end
local function sleep(s)
  local co, t = running(), uv.new_timer()
  t:start(s * 1000 // 1 | 0, 0, function()
    t:close()
    wake(co)
  end)
  return yield()
end

local function run(fn)
  spawn(fn)
  uv.run()
end

local function measure(name, n, fn)
  run(function() fn(n // 10) end)
  local best = math.huge
  for _ = 1, 3 do
    collectgarbage()
    local start = cpu()
    run(function() fn(n) end)
    best = math.min(best, (cpu() - start) / n * 1e9)
  end
  report(name, best, "ns")
end

local nothing = function() end

if arg[1] == "echo" then
  local function reader(s)
    local waiting, pieces, first, last = nil, {}, 1, 0
    s:read_start(function(_, bytes)
      if waiting then
        local co = waiting
        waiting = nil
        return wake(co, bytes)
      end
      last = last + 1
      pieces[last] = bytes or false
    end)
    return function()
      if first <= last then
        local bytes = pieces[first]
        pieces[first], first = nil, first + 1
        return bytes or nil
      end
      waiting = running()
      return yield()
    end
  end
  local function write(s, bytes) -- tries first, as libuv's users do where they count
    local n = s:try_write(bytes) or 0
    if n == #bytes then return end
    local co = running()
    s:write(bytes:sub(n + 1), function() wake(co) end)
    yield()
  end
  local server = uv.new_tcp()
  server:bind("127.0.0.1", 0)
  server:listen(512, function()
    local s = uv.new_tcp()
    server:accept(s)
    s:nodelay(true)
    spawn(function()
      for bytes in reader(s) do write(s, bytes) end
      s:close()
    end)
  end)
  local stdin = uv.new_pipe()
  stdin:open(0)
  stdin:read_start(function(_, line)
    if not line then os.exit(0) end
    io.write(("%.6f\n"):format(cpu())):flush()
  end)
  io.write(server:getsockname().port, "\n"):flush()
  uv.run()
  return
end

if arg[1] == "sleepers" then -- in a process of their own, so that the memory is not what others have left
  local n = 100000
  local function rss() return uv.resident_set_memory() end
  collectgarbage()
  local before, start = rss(), cpu()
  for _ = 1, n do spawn(function() sleep(1.5) end) end
  local created, bytes = cpu() - start, rss() - before
  start = cpu()
  uv.run()
  report("sleepers_create", created / n * 1e9, "ns")
  report("sleepers_fire", (cpu() - start) / n * 1e9, "ns")
  report("sleepers_bytes", bytes / n, "B")
  return
end

measure("spawn", 500000, function(n)
  for _ = 1, n do spawn(nothing) end
end)
measure("await_done", 1000000, function(n)
  local p = newPromise()
  resolve(p, 1)
  for _ = 1, n do await(p) end
end)
measure("suspend", 200000, function(n)
  local co = running()
  local function again() wake(co) end
  for _ = 1, n do
    defer(again)
    yield()
  end
end)
measure("defer_chain", 200000, function(n)
  local left = n
  local function again()
    left = left - 1
    if left > 0 then defer(again) end
  end
  defer(again)
end)
measure("defer_batch", 200000, function(n)
  for _ = 1, n // 10000 do
    for _ = 1, 10000 do defer(function() spawn(nothing) end) end -- a callback may wait, so it is a coroutine
    uv.run "nowait"
  end
end)
measure("sleep0", 200000, function(n)
  for _ = 1, n do sleep(0) end
end)

do
  local best = math.huge
  for _ = 1, 2 do
    collectgarbage()
    local seed, start = 1, cpu()
    for _ = 1, 100000 do
      seed = (seed * 1103515245 + 12345) & 0x7fffffff
      local t = uv.new_timer()
      t:start(seed % 1000, 0, function() t:close() end)
    end
    uv.run()
    best = math.min(best, cpu() - start)
  end
  report("timers", best, "s")
end

measure("all", 100000, function(n)
  local list, done = {}, newPromise()
  for i = 1, n do list[i] = newPromise() end
  local results, left = {}, n
  for i = 1, n do
    spawn(function()
      results[i] = await(list[i])
      left = left - 1
      if left == 0 then resolve(done, results) end
    end)
  end
  spawn(function()
    sleep(0)
    for i = 1, n do resolve(list[i], i) end
  end)
  await(done)
end)
