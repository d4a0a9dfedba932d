-- Calls while the server sends them elsewhere, refuses the account, or makes them wait.
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local miniServer = dofile(folder .. "/spec/support/mini_server.lua")
local luna = require "luna"
local task = require "_luna.task"
local timer = require "_luna.timer"

local made = {}
local function api(server, more)
  local own = { sandbox = server.wire, botToken = "7:abcdefghijk" }
  for k, v in pairs(more or {}) do own[k] = v end
  made[#made + 1] = luna.API(nil, own)
  return made[#made]
end

local function nearest(session) return { _ = "nearestDc", country = "DC" .. session.dc, this_dc = session.dc, nearest_dc = 2 } end

-- A server whose account lives in the DC that S.home says, once the log-in is over.
local function homely()
  local server = miniServer()
  server.home = 2
  server.answers["help.getConfig"] = function() return nil, 400, "NO" end
  server.answers["help.getNearestDc"] = function(S, _, session)
    if session.dc ~= S.home then return nil, 303, "USER_MIGRATE_" .. S.home end
    return nearest(session)
  end
  return server
end

describe("calls", function()
  local clock
  before_each(function()
    clock = timer.newVirtual()
    timer.useClock(clock)
  end)
  after_each(function()
    for _, object in ipairs(made) do object:stop() end
    made = {}
    timer.useClock(nil)
    clock:free()
  end)

  it("that are all sent elsewhere at once move the account once", function()
    local server = homely()
    local object = api(server)
    object:start()
    server.home = 4
    local promises = {}
    for i = 1, 30 do promises[i] = object.help.getNearestDc({}, { async = true }) end
    task.sleep(0)
    for i = 31, 40 do -- while the move is under way
      promises[i] = object.help.getNearestDc({}, { async = true })
    end
    for i = 1, 40 do assert.equal("DC4", luna.await(promises[i]).country) end
    assert.equal(1, server.count["help.getConfig"])
    assert.equal("DC4", object.help.getNearestDc().country)
    assert.equal(4, object._core.home)
  end)

  it("that two DCs send to each other end after three hops, with the server's own error", function()
    local server = homely()
    server.answers["help.getNearestDc"] = function(_, _, session) return nil, 303, "USER_MIGRATE_" .. (session.dc == 2 and 4 or 2) end
    local object = api(server)
    object:start()
    local ok, err = pcall(object.help.getNearestDc, {})
    assert.is_false(ok)
    assert.equal("USER_MIGRATE", err.name)
    assert.equal(4, server.count["help.getNearestDc"])
  end)

  it("go on where they were when the move fails", function()
    local server = homely()
    local object = api(server, { dc = { [2] = "127.0.0.1:1" } })
    object:start()
    local real, core = object._core.dcs.connectHome, object._core
    core.dcs.connectHome = function(dcs)
      if core.home == 4 then
        task.sleep(1)
        error("no way there", 0)
      end
      return real(dcs)
    end
    server.home = 4
    local first = object.help.getNearestDc({}, { async = true })
    task.sleep(0.5)
    local second = object.help.getNearestDc({}, { async = true })
    assert.is_false(pcall(luna.await, first))
    assert.is_false(pcall(luna.await, second))
    server.home = 2
    assert.equal("DC2", object.help.getNearestDc().country)
    assert.equal(2, core.home)
  end)

  it("for a file elsewhere do not move the account", function()
    local server = homely()
    server.answers["auth.exportAuthorization"] = function() return { _ = "auth.exportedAuthorization", id = 9, bytes = "x" } end
    server.answers["auth.importAuthorization"] = function(S) return { _ = "auth.authorization", user = S.bot } end
    server.answers["help.getNearestDc"] = function(_, _, session)
      if session.dc ~= 4 then return nil, 303, "FILE_MIGRATE_4" end
      return nearest(session)
    end
    local object = api(server)
    assert.equal("DC4", object.help.getNearestDc().country)
    assert.equal(2, object._core.home)
    assert.equal(2, object._core.dcs:get(2) == object._core.conn and 2)
  end)

  it("to another DC try the authorisation anew where it failed", function()
    local server = homely()
    local fail = true
    server.answers["auth.exportAuthorization"] = function()
      if fail then return nil, 400, "NOT_NOW" end
      return { _ = "auth.exportedAuthorization", id = 9, bytes = "x" }
    end
    server.answers["auth.importAuthorization"] = function(S) return { _ = "auth.authorization", user = S.bot } end
    server.answers["help.getNearestDc"] = function(_, _, session) return nearest(session) end
    local object = api(server)
    object:start()
    local ok, err = pcall(object.help.getNearestDc, {}, { dc = 4 })
    assert.is_false(ok)
    assert.equal("NOT_NOW", err.name)
    fail = false
    assert.equal("DC4", object.help.getNearestDc({}, { dc = 4 }).country)
  end)

  it("stop for good where another process uses the same key", function()
    local server = homely()
    local object = api(server)
    object:setCallback(function() end)
    object:start()
    server.answers["help.getNearestDc"] = function() return nil, 406, "AUTH_KEY_DUPLICATED" end
    local running = task.spawn(function() object:loop() end)
    task.sleep(0.1)
    local ok, err = pcall(object.help.getNearestDc, {})
    assert.is_false(ok)
    assert.equal("AUTH_KEY_DUPLICATED", err.name)
    local ended, why = pcall(luna.await, running)
    assert.is_false(ended)
    assert.is_true(luna.is(why, luna.SessionException))
    assert.matches("another", tostring(why))
    assert.is_truthy(object._core.account:authKey(2)) -- the key is kept
    local before = #server.seen
    for _ = 1, 5 do
      local again, what = pcall(object.help.getNearestDc, {})
      assert.is_false(again)
      assert.is_true(luna.is(what, luna.SessionException))
    end
    luna.sleep(100)
    assert.equal(before, #server.seen)
  end)

  it("that the server sends back for its own troubles come no faster than its troubles go", function()
    local server = homely()
    local times = {}
    server.answers["help.getNearestDc"] = function()
      times[#times + 1] = timer.now()
      return nil, 500, "PERSISTENT_TIMESTAMP_OUTDATED"
    end
    local object = api(server)
    object:start()
    assert.is_false(pcall(object.help.getNearestDc, {}))
    for i = 2, #times do assert.is_true(times[i] - times[i - 1] >= 0.99) end
    assert.equal(6, #times)
  end)

  it("of others go on while one waits out a flood", function()
    local server = homely()
    local n = 0
    server.answers["messages.sendMessage"] = function(S, p)
      n = n + 1
      if n == 1 then return nil, 420, "FLOOD_WAIT_47" end
      return { _ = "updates", updates = { S:update(p.message, true) }, users = { S.alice }, chats = {}, date = 1, seq = 0 }
    end
    local object = api(server)
    object:start()
    local began = timer.now()
    local flooded = object.messages.sendMessage({ peer = "me", message = "one" }, { async = true })
    assert.equal("DC2", object.help.getNearestDc().country)
    object.messages.sendMessage { peer = "me", message = "two" }
    assert.is_true(timer.now() - began < 2)
    luna.await(flooded)
    assert.is_true(timer.now() - began >= 47)
    n = 0
    server.answers["messages.sendMessage"] = function() return nil, 420, "FLOOD_WAIT_547" end
    local ok, err = pcall(object.messages.sendMessage, { peer = "me", message = "three" })
    assert.is_false(ok)
    assert.equal(547, err.value)
  end)

  for _, wrong in ipairs { -3600, -600, 600, 3600, 86400 * 400 } do
    it(("are answered within five seconds though the saved clock is wrong by %d s"):format(wrong), function()
      local server, path = homely(), os.tmpname()
      os.remove(path)
      local object = luna.API(path, { sandbox = server.wire, botToken = "7:abcdefghijk" })
      object:start()
      local auth = object._core.account:authKey(2)
      auth.offset = auth.offset + wrong
      auth.salt, auth.salts = auth.salt ~ 1, {} -- and the salt is old
      object._core.account:setAuthKey(2, auth)
      object:stop()
      object = luna.API(path, { sandbox = server.wire, botToken = "7:abcdefghijk" })
      made[#made + 1] = object
      local began = timer.now()
      assert.equal("DC2", object.help.getNearestDc().country)
      assert.is_true(timer.now() - began <= 5, ("%g s"):format(timer.now() - began))
      task.sleep(1)
      assert.is_true(math.abs(object._core.account:authKey(2).offset) < 2) -- it has learnt
      for _, suffix in ipairs { "", "-wal", "-shm" } do os.remove(path .. suffix) end
    end)
  end
end)
