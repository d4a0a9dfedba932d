-- Waits that end in another way than they were meant to, and values that go while somebody still waits for them.
local client = require "_luna.client"
local crypto = require "_luna.crypto"
local promise = require "_luna.promise"
local server = require "_luna.server"
local task = require "_luna.task"
local timer = require "_luna.timer"

local function nothing() end

local function collect()
  collectgarbage()
  collectgarbage()
end

-- Runs fn in a task, cancels that at its wait, and gives what it raised there.
local function cancelled(fn)
  local handle, raised
  local p = task.spawn(function()
    handle = task.current()
    local ok, err = pcall(fn)
    raised = { ok, err }
    return "went on"
  end)
  assert.equal("waiting", (handle:status()))
  assert.is_true(handle:cancel "enough")
  assert.is_true(handle:cancel "once more") -- waits no longer: kept for its next wait, which does not come
  assert.equal("went on", promise.await(p))
  assert.is_false(handle:cancel "too late")
  assert.is_true(handle:isDone())
  return raised[1], raised[2]
end

describe("a wait that is cancelled", function()
  local s, c
  setup(function()
    s = server.new { key = crypto.generateRsa(), on = { request = nothing, drop = nothing, ack = nothing, up = nothing, down = nothing,
      gone = nothing, authKey = nothing } }
    c = client.connect { dc = 2, sandbox = s, keys = { s:publicKey() }, on = {} }
  end)
  teardown(function()
    c:close()
    s:close()
  end)

  local gate = promise.new()
  local ways = {
    sleep = function() task.sleep(1000) end,
    ["a promise"] = function() promise.await(gate) end,
    ["a promise with a limit"] = function() promise.awaitTimeout(gate, 1000) end,
    ["a call"] = function() c:call("help.getConfig", {}) end,
    ["a call with a limit"] = function() c:call("help.getConfig", {}, { timeout = 1000 }) end,
    ["another task"] = function() promise.await(task.spawn(promise.await, gate)) end,
    ["a user's coroutine"] = function() coroutine.wrap(function() task.sleep(1000) end)() end,
    ["a coroutine in a coroutine in an iterator"] = function()
      for _ in coroutine.wrap(function()
        coroutine.wrap(function() promise.await(gate) end)()
        coroutine.yield(1)
      end) do nothing() end
    end,
    ["a metamethod"] = function() return setmetatable({}, { __index = function() task.sleep(1000) end }).x end,
  }
  for name, way in pairs(ways) do
    it("is left at once: " .. name, function()
      local ok, err = cancelled(way)
      assert.is_false(ok)
      assert.matches("enough", tostring(err))
    end)
  end

  it("leaves nothing at the connection", function()
    task.sleep(0)
    assert.equal(0, c:inFlight())
  end)

  it("inside a user's coroutine is raised there: it may catch it, and its <close> variables are closed", function()
    local seen = {}
    local handle
    local p = task.spawn(function()
      handle = task.current()
      local co = coroutine.create(function()
        local guard <close> = setmetatable({}, { __close = function() seen[#seen + 1] = "closed" end })
        local ok, err = pcall(task.sleep, 1000)
        seen[#seen + 1] = { ok, err }
        coroutine.yield "after"
        task.sleep(1000)
        return guard
      end)
      local _, word = coroutine.resume(co)
      seen[#seen + 1] = word
      local ok = coroutine.resume(co)
      seen[#seen + 1] = ok
      return "end"
    end)
    handle:cancel "one"
    task.sleep(0)
    assert.same({ { false, "one" }, "after" }, seen)
    handle:cancel "two"
    assert.equal("end", promise.await(p))
    assert.is_false(seen[#seen])
    collect()
  end)

  it("by itself, by its own callback, or twice over, is no trouble", function()
    local p = task.spawn(function()
      task.current():cancel "myself"
      local ok, err = pcall(task.sleep, 1000)
      return ok, err
    end)
    assert.same({ false, "myself" }, { promise.await(p) })

    local own = promise.new()
    local order = {}
    promise.onResolve(own, function()
      order[#order + 1] = "first"
      assert.is_false(pcall(promise.resolve, own, "again")) -- settled in its own callback
      promise.onResolve(own, function() order[#order + 1] = "inner" end)
      order[#order + 1] = promise.await(own)
    end)
    promise.onResolve(own, function() order[#order + 1] = "second" end)
    promise.resolve(own, "value")
    assert.same({ "first", "inner", "value", "second" }, order)
  end)

  it("while it is being woken goes on, and is cancelled at its next", function()
    local go = promise.new()
    local handle
    local p = task.spawn(function()
      handle = task.current()
      local value = promise.await(go)
      local ok, err = pcall(task.sleep, 1000)
      return value, ok, err
    end)
    promise.resolve(go, "woken") -- ready, not yet resumed
    handle:cancel "late"
    assert.same({ "woken", false, "late" }, { promise.await(p) })
  end)
end)

describe("a wait", function()
  it("of a coroutine that is closed under it, or that nobody holds, ends all the same", function()
    local co
    local p = task.spawn(function()
      co = coroutine.create(function() task.sleep(0.01) return "never" end)
      local ok, err = coroutine.resume(co)
      return ok, err
    end)
    coroutine.close(co)
    local ok, err = promise.await(p)
    assert.is_false(ok)
    assert.matches("dead coroutine", tostring(err))

    local dropped = 0
    for _ = 1, 100 do
      task.spawn(function()
        coroutine.wrap(function()
          collect()
          task.sleep(0.01)
          dropped = dropped + 1
        end)()
      end)
    end
    co, p = nil, nil -- luacheck: ignore
    collect()
    task.sleep(0.1)
    assert.equal(100, dropped)
  end)

  it("that fails inside of a wrapped coroutine closes what that had open, and leaves waiting refused there", function()
    local seen = {}
    local function guard(name, fn)
      return setmetatable({}, { __close = function(_, err) seen[#seen + 1] = { name, err, fn and fn() } end })
    end
    local iterator = coroutine.wrap(function()
      local outer <close> = guard "outer"
      local inner <close> = guard("inner", function() return (pcall(task.sleep, 0)) end)
      task.sleep(0)
      error { outer, inner, text = "failed" }
    end)
    local ok, err = pcall(iterator)
    assert.is_false(ok)
    assert.equal("failed", err.text)
    assert.same({ "inner", "outer" }, { seen[1][1], seen[2][1] })
    assert.equal(err, seen[1][2])
    assert.is_false(seen[1][3])
    assert.is_false(pcall(iterator))
    assert.equal(2, #seen)
    local text = coroutine.wrap(function() error "in text" end)
    ok, err = pcall(text)
    assert.is_false(ok)
    assert.matches("in text$", err)
    assert.equal(0.01, task.sleep(0.01))
  end)

  it("is none the worse for a collector that never rests", function()
    local pause, step = collectgarbage("setpause", 0), collectgarbage("setstepmul", 10000)
    local sum = 0
    for i = 1, 300 do
      local gate = promise.new()
      promise.onResolve(gate, function(_, n)
        collectgarbage "step"
        sum = sum + n
      end)
      local field = gate.x.y
      promise.markHandled(field)
      task.spawn(function()
        local co = coroutine.wrap(function() coroutine.yield(promise.await(gate)) end)
        local value = co()
        sum = sum + value
      end)
      timer.after(0, function() promise.resolve(gate, i) end)
    end
    task.sleep(0.05)
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", step)
    assert.equal(300 * 301, sum)
  end)

  it("may be one of a hundred thousand", function()
    collect()
    local before, tasks = collectgarbage "count", #task.all()
    local gate, done = promise.new(), 0
    for _ = 1, 100000 do
      task.spawn(function()
        promise.await(gate)
        done = done + 1
      end)
    end
    assert.equal(tasks + 100000, #task.all())
    promise.resolve(gate)
    while done < 100000 do task.sleep(0) end
    assert.is_true(#task.all() < tasks + 100)
    gate = nil -- luacheck: ignore
    collect()
    -- A thousand threads are kept for what comes next, and the room that the registry has once taken.
    assert.is_true(collectgarbage "count" - before < 8000, ("%.0f KiB stayed"):format(collectgarbage "count" - before))
  end)

  it("whose error has no text, or whose error handler fails, ends its task and no other", function()
    local other = task.spawn(function()
      task.sleep(0.01)
      return "fine"
    end)
    local failing = setmetatable({}, { __tostring = function() error "no text" end })
    local a = task.spawn(error, failing)
    local b = task.spawn(function() return xpcall(error, function() error "handler" end, "x") end)
    local c = task.spawn(function()
      local deep = setmetatable({}, { __close = function() error "in close" end })
      local guard <close> = deep
      task.sleep(0)
      return guard
    end)
    assert.is_false(pcall(promise.await, a))
    assert.is_false((promise.await(b)))
    assert.is_false(pcall(promise.await, c))
    assert.equal("fine", promise.await(other))
  end)

  it("that never ends is stopped with its endless recursion, and the next one works", function()
    local function down() return 1 + down() end
    assert.is_false(pcall(promise.await, task.spawn(down)))
    local function nest(n) return n == 0 and 0 or 1 + coroutine.wrap(nest)(n - 1) end
    assert.is_false(pcall(promise.await, task.spawn(nest, 500))) -- C stack overflow, as an error
    local function spawnDeep(n)
      if n == 0 then return "bottom" end
      return (promise.await(task.spawn(spawnDeep, n - 1)))
    end
    assert.equal("bottom", spawnDeep(500))
    assert.equal("works", promise.await(task.spawn(function()
      task.sleep(0)
      return "works"
    end)))
  end)
end)
