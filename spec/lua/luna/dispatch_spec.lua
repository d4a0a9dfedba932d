local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local fake = dofile(folder .. "/spec/support/fake_core.lua")
local luna = require "luna"
local lanes = require "luna.lanes"

local function new(id, chat)
  return { _ = "updateNewMessage", pts = id, pts_count = 1,
    message = { _ = "message", id = id, peer_id = { _ = "peerUser", user_id = chat or 1 }, message = "", date = 0 } }
end

describe("luna.dispatch", function()
  it("runs one chat's updates one after the other, chats beside each other", function()
    local core, log = fake(), {}
    local gate = luna.Deferred()
    core.dispatch:setCallback(function(update)
      log[#log + 1] = "begin " .. update.message.id
      if update.message.id == 1 then luna.await(gate:promise()) end
      log[#log + 1] = "end " .. update.message.id
    end)
    core.dispatch:handle(new(1, 10))
    core.dispatch:handle(new(2, 10))
    core.dispatch:handle(new(3, 20))
    core:settle()
    assert.same({ "begin 1", "begin 3", "end 3" }, log)
    assert.is_false(core.dispatch:isIdle())
    gate:resolve()
    core:settle()
    assert.same({ "begin 1", "begin 3", "end 3", "end 1", "begin 2", "end 2" }, log)
    assert.is_true(core.dispatch:isIdle())
  end)

  it("keeps quiet chats' lanes for a while and no longer, and none that is in use", function()
    local core, log = fake(), {}
    local gate = luna.Deferred()
    core.dispatch:setCallback(function(update)
      if update.message.message == "wait" then luna.await(gate:promise()) end
      log[#log + 1] = update.message.id
    end)
    local first = new(1, 10)
    first.message.message = "wait"
    core.dispatch:handle(first)
    core.dispatch:handle(new(2, 10))
    for i = 1, 1000 do core.dispatch:handle(new(2 + i, 10 + i)) end
    local n = 0
    for _ in pairs(core.dispatch.lanes) do n = n + 1 end
    assert.is_true(n < 200)
    core.dispatch:handle(new(2000, 10)) -- behind what waits there
    assert.equal(1000, #log)
    gate:resolve()
    core:settle()
    assert.same({ 1, 2, 2000 }, table.move(log, 1001, 1003, 1, {}))
    assert.is_true(core.dispatch:isIdle())
  end)

  it("keeps the order of many", function()
    local core, log = fake(), {}
    core.dispatch:setCallback(function(update)
      if update.message.id % 3 == 0 then require("_luna.task").sleep(0) end
      log[#log + 1] = update.message.id
    end)
    for i = 1, 200 do core.dispatch:handle(new(i)) end
    for _ = 1, 300 do
      if core.dispatch:isIdle() then break end
      core:settle()
    end
    assert.equal(200, #log)
    for i = 1, 200 do assert.equal(i, log[i]) end
  end)

  it("a sleeping handler lets its chat go on", function()
    local core, log = fake(), {}
    core.dispatch:setCallback(function(update)
      log[#log + 1] = update.message.id
      if update.message.id == 1 then
        luna.sleep(0.02)
        log[#log + 1] = "slept"
      end
    end)
    core.dispatch:handle(new(1))
    core.dispatch:handle(new(2))
    luna.sleep(0.03)
    core:settle()
    assert.same({ 1, 2, "slept" }, log)
  end)

  it("release lets the next begin", function()
    local core, log = fake(), {}
    local gate = luna.Deferred()
    core.dispatch:setCallback(function(update)
      log[#log + 1] = update.message.id
      if update.message.id == 1 then
        core.dispatch:release()
        luna.await(gate:promise())
        log[#log + 1] = "1 ends"
      end
    end)
    core.dispatch:handle(new(1))
    core.dispatch:handle(new(2))
    core:settle()
    assert.same({ 1, 2 }, log)
    gate:resolve()
    core:settle()
    assert.same({ 1, 2, "1 ends" }, log)
  end)

  it("has the orders none and all", function()
    for order, wanted in pairs { none = { 1, 2, 3 }, all = { 1 } } do
      local core, log = fake { order = order }, {}
      local gate = luna.Deferred()
      core.dispatch:setCallback(function(update)
        log[#log + 1] = update.message.id
        luna.await(gate:promise())
      end)
      core.dispatch:handle(new(1, 10))
      core.dispatch:handle(new(2, 10))
      core.dispatch:handle(new(3, 20))
      core:settle()
      assert.same(wanted, log)
      gate:resolve()
      core:settle()
      assert.equal(3, #log)
    end
  end)

  it("a handler that fails is logged, told to onError, and stops nothing", function()
    local core = fake()
    local Handler = luna.EventHandler:extend "Handler"
    local told, after = nil, false
    function Handler.onUpdateNewMessage(_, update)
      if update.message.id == 1 then error "broken" end
      after = true
    end
    function Handler.onError(_, err, update)
      told = { err, update.message.id }
      error "and this too"
    end
    core.dispatch:setHandler(setmetatable({}, { __index = Handler }), Handler)
    core.dispatch:handle(new(1))
    core.dispatch:handle(new(2))
    core:settle()
    assert.matches("dispatch_spec.lua:%d+: broken", told[1])
    assert.equal(1, told[2])
    assert.is_true(after)
    assert.matches("handler of updateNewMessage failed: .*dispatch_spec.lua:%d+: broken$", core.logged[1])
    assert.matches("onError failed: .*and this too", core.logged[2])
  end)

  it("finds the method of an update, else onAny, else nothing", function()
    local core = fake()
    local Handler = luna.EventHandler:extend "Handler"
    function Handler.onUpdateNewMessage() end
    core.dispatch:setHandler({}, Handler)
    assert.equal(Handler.onUpdateNewMessage, core.dispatch:lookup "updateNewMessage")
    assert.is_false(core.dispatch:lookup "updateUserTyping")
    assert.is_nil(core.dispatch:handle { _ = "updateUserTyping", user_id = 1 })
    function Handler.onAny() end
    core.dispatch:setHandler({}, Handler)
    assert.equal(Handler.onAny, core.dispatch:lookup "updateUserTyping")
  end)

  it("bounds how many handlers run", function()
    local core, running, most = fake { pending = 3, order = "none" }, 0, 0
    local gate = luna.Deferred()
    core.dispatch:setCallback(function()
      running = running + 1
      most = math.max(most, running)
      luna.await(gate:promise())
      running = running - 1
    end)
    for i = 1, 10 do core.dispatch:handle(new(i)) end
    core:settle()
    assert.equal(3, most)
    gate:resolve()
    for _ = 1, 10 do core:settle() end
    assert.equal(3, most)
    assert.is_true(core.dispatch:isIdle())
  end)

  it("logs a lane that is held while updates wait", function()
    local timer = require "_luna.timer"
    timer.useClock(timer.newVirtual())
    local core = fake()
    local gate = luna.Deferred()
    core.dispatch:setCallback(function() luna.await(gate:promise()) end)
    core.dispatch:handle(new(1, 42))
    core.dispatch:handle(new(2, 42))
    luna.sleep(60)
    timer.useClock(nil)
    gate:resolve()
    core:settle()
    assert.equal(1, #core.logged)
    assert.matches("chat 42: one handler has run", core.logged[1])
  end)

  it("ends handlers at a stop, with a word", function()
    local core, seen = fake(), nil
    core.dispatch:setCallback(function()
      local _, err = pcall(luna.await, luna.Deferred():promise())
      seen = err
      error(err, 0)
    end)
    core.dispatch:handle(new(1))
    core.dispatch:stop("stop", 0.01)
    core:settle()
    assert.is_true(luna.is(seen, luna.CancelledException))
    assert.same({}, core.logged)
  end)
end)

describe("random_id", function()
  it("is the same when the handler runs again, and differs between calls", function()
    local store = require("_luna.store").open(nil)
    local ids = {}
    local function run(core, id)
      local got = {}
      core.dispatch:setCallback(function()
        local function next_(text)
          local q = { peer = { _ = "inputPeerSelf" }, message = text }
          return core.randomId:next("messages.sendMessage", q, "random_id")
        end
        got = { next_ "a", next_ "a", next_ "b" }
      end)
      core.dispatch:handle(new(id))
      ids[#ids + 1] = got
    end
    run(fake { store = store }, 7)
    run(fake { store = store }, 7)
    run(fake { store = store }, 8)
    assert.same(ids[1], ids[2])
    assert.not_equal(ids[1][1], ids[1][2])
    assert.not_equal(ids[1][1], ids[1][3])
    assert.not_equal(ids[1][1], ids[3][1])
    run(fake { store = store, accountName = "bot2" }, 7)
    assert.not_equal(ids[1][1], ids[4][1])
  end)
end)

describe("luna.lanes", function()
  it("names the chat, else the user", function()
    assert.equal(1, lanes.key(new(5, 1)))
    assert.equal(-3, lanes.key { _ = "updateChatUserTyping", chat_id = 3, from_id = { _ = "peerUser", user_id = 9 } })
    assert.equal(-1000000000004, lanes.key { _ = "updateDeleteChannelMessages", channel_id = 4 })
    assert.equal(9, lanes.key { _ = "updateBotInlineQuery", user_id = 9, query_id = 1 })
    assert.equal(-7, lanes.key { _ = "updateBotCallbackQuery", user_id = 9, peer = { _ = "peerChat", chat_id = 7 }, query_id = 1 })
    assert.is_nil(lanes.key { _ = "updateConfig" })
  end)

  it("names a message the same whatever way it came", function()
    local pushed, fetched = new(5, 1), new(5, 1)
    fetched.pts, fetched.pts_count = 0, 0
    assert.equal(lanes.identity(pushed), lanes.identity(fetched))
    fetched.message.edit_date = 77
    assert.not_equal(lanes.identity(pushed), lanes.identity(fetched))
  end)
end)
