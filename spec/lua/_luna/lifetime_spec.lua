-- Who outlives whom between Lua's values and what C holds of them. Most of what these tests would show shows under the sanitizer alone.
local client = require "_luna.client"
local crypto = require "_luna.crypto"
local promise = require "_luna.promise"
local server = require "_luna.server"
local task = require "_luna.task"

local key
local function nothing() end

local function serve(request)
  key = key or crypto.generateRsa()
  return server.new { key = key, on = { request = request or nothing, drop = nothing, ack = nothing, up = nothing, down = nothing,
    gone = nothing, authKey = nothing } }
end

local function connect(s, on) return client.connect { dc = 2, sandbox = s, keys = { s:publicKey() }, on = on or {} } end

local function nearest(session, id, query)
  session:result(id, { _ = "nearestDc", country = "DE", this_dc = 2, nearest_dc = 2 }, query._)
end

local function collect()
  collectgarbage()
  collectgarbage()
end

describe("a connection's value", function()
  it("does not look at sandboxes that are gone", function()
    for _ = 1, 10 do
      local s = serve()
      local c = connect(s)
      c:close()
      s:close()
      s, c = nil, nil -- luacheck: ignore
      collect()
    end
  end)

  it("keeps its sandbox, and no other, for its next dial", function()
    local states = {}
    local c = connect(serve(nearest), { status = function(state) states[state] = (states[state] or 0) + 1 end })
    local others = {}
    for i = 1, 20 do
      collect()
      others[i] = serve(function(session, id) session:error(id, 400, "ANOTHER_SANDBOX") end)
    end
    assert.equal("DE", c:call("help.getNearestDc", {}).country)
    assert.equal(1, states.up)
    c:close()
    for _, s in ipairs(others) do s:close() end
  end)

  it("may be closed and collected by the task that its answer wakes", function()
    local s = serve(nearest)
    local held = { connect(s) }
    local country = promise.await(task.spawn(function()
      local answer = held[1]:call("help.getNearestDc", {})
      held[1]:close()
      held[1] = nil
      collect()
      return answer.country
    end))
    assert.equal("DE", country)
    s:close()
  end)

  it("ends every wait when it is closed, whichever way it waits", function()
    local s = serve()
    local c = connect(s)
    local ended = {}
    for i = 1, 50 do
      task.spawn(function()
        local result, code, text = c:call("help.getNearestDc", {}, i % 2 == 0 and { timeout = 100 } or nil)
        ended[#ended + 1] = result == nil and code == 0 and text
      end)
    end
    local async = c:callAsync("help.getNearestDc", {})
    local inside = coroutine.wrap(function() return select(3, c:call("help.getNearestDc", {})) end)
    local nested = task.spawn(function() return inside() end)
    task.sleep(0)
    assert.equal(52, c:inFlight())
    c:close()
    c:close()
    assert.equal("CLOSED", promise.await(nested))
    assert.is_false(pcall(promise.await, async))
    assert.equal(50, #ended)
    for i = 1, 50 do assert.equal("CLOSED", ended[i]) end
    assert.is_false(pcall(c.call, c, "help.getNearestDc", {}))
    s:close()
  end)

  it("is none the worse for calls that are refused, cancelled or too many", function()
    local s = serve()
    local c = connect(s)
    local promises, refused = {}, 0
    for i = 1, 8300 do
      local ok, p = pcall(c.callAsync, c, "help.getNearestDc", {})
      if ok then promises[#promises + 1] = p else refused = refused + 1 end
      if i % 3 == 0 and ok then
        promise.cancel(p, "enough")
        promise.markHandled(p)
      end
    end
    assert.equal(0, refused) -- a third of them made room
    for _ = 1, 8192 do
      local ok, p = pcall(c.callAsync, c, "help.getNearestDc", {})
      if ok then promises[#promises + 1] = p else refused = refused + 1 end
    end
    assert.is_true(refused > 5000)
    for _, p in ipairs(promises) do promise.markHandled(p) end
    c:close()
    for _, p in ipairs(promises) do assert.equal("failed", promise.state(p)) end
    promises = nil -- luacheck: ignore
    s:close()
    s, c = nil, nil -- luacheck: ignore
    task.sleep(0)
    collect()
    -- What a refused call had made is not kept: the registry's list of references does not grow.
    local before = collectgarbage "count"
    local again = serve()
    local d = connect(again)
    local kept = {}
    for i = 1, 8192 do kept[i] = d:callAsync("help.getNearestDc", {}) end
    for _ = 1, 20000 do pcall(d.callAsync, d, "help.getNearestDc", {}) end
    for _, p in ipairs(kept) do promise.markHandled(p) end
    d:close()
    again:close()
    kept, d, again = nil, nil, nil -- luacheck: ignore
    task.sleep(0)
    collect()
    assert.is_true(collectgarbage "count" - before < 1000, "20,000 refused calls left something behind")
  end)
end)
