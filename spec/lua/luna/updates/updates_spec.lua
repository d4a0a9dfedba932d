local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local fake = dofile(folder .. "/spec/support/fake_core.lua")
local tl = require "_luna.tl"
local luna = require "luna"

local function message(id, chat, text)
  return { _ = "message", id = id, peer_id = { _ = "peerUser", user_id = chat or 50 }, date = 1, message = text or "m" .. id }
end
local function new(id, pts, chat) return { _ = "updateNewMessage", message = message(id, chat), pts = pts, pts_count = 1 } end
local function updates(list, seq) return { _ = "updates", updates = list, users = {}, chats = {}, date = 1000, seq = seq or 0 } end

-- A core whose handler notes what comes.
local function start(opts)
  local core = fake(opts)
  core.seen = {}
  core.dispatch:setCallback(opts and opts.callback or function(update)
    core.seen[#core.seen + 1] = update.message and update.message.id or update._
  end)
  core.updates:prepare()
  core.updates:activate()
  core:settle()
  local acks = 0
  function core:push(u)
    acks = acks + 1
    local ok, raw = pcall(tl.encode, u)
    self.updates:receive(self.conn, u, acks, ok and raw or nil)
    self:settle()
  end
  return core
end

describe("luna.updates", function()
  it("hands over in order, and drops what came before", function()
    local core = start()
    core:push(updates { new(1, 101) })
    core:push(updates { new(2, 102) })
    core:push(updates { new(2, 102) })
    core:push(updates { new(1, 101) })
    assert.same({ 1, 2 }, core.seen)
    assert.equal(102, core.updates.common.pts)
    assert.same({ 1, 2, 3, 4 }, core.acked) -- doubles are acknowledged too
  end)

  it("puts what comes early in its place", function()
    local core = start()
    core:push(updates { new(2, 102) })
    assert.same({}, core.seen)
    assert.same({}, core.acked) -- not safe yet
    core:push(updates { new(1, 101) })
    assert.same({ 1, 2 }, core.seen)
    table.sort(core.acked)
    assert.same({ 1, 2 }, core.acked)
    for _, call in ipairs(core.calls) do assert.not_equal("updates.getDifference", call.name) end
  end)

  it("asks for the difference when a gap stays", function()
    local timer = require "_luna.timer"
    local clock = timer.newVirtual()
    timer.useClock(clock)
    local core = start { answers = { ["updates.getDifference"] = function(p)
      assert.equal(100, p.pts)
      return { _ = "updates.difference", new_messages = { message(1), message(2) }, new_encrypted_messages = {}, other_updates = {},
        users = {}, chats = {}, state = { _ = "updates.state", pts = 102, qts = 0, date = 1001, seq = 0, unread_count = 0 } }
    end } }
    core:push(updates { new(3, 103) })
    luna.sleep(0.5)
    assert.same({}, core.seen)
    luna.sleep(0.5)
    core:settle()
    assert.same({ 1, 2, 3 }, core.seen)
    assert.equal(103, core.updates.common.pts)
    timer.useClock(nil)
  end)

  it("goes through slices, and tells of a gap too long", function()
    local Handler = luna.EventHandler:extend "Handler"
    local seen, gaps = {}, {}
    function Handler.onUpdateNewMessage(_, update) seen[#seen + 1] = update.message.id end
    function Handler.onGap(_, info) gaps[#gaps + 1] = info end
    local step = 0
    local function state(pts) return { _ = "updates.state", pts = pts, qts = 0, date = 1, seq = 0, unread_count = 0 } end
    local core = fake { catchUp = true, answers = { ["updates.getDifference"] = function(p)
      step = step + 1
      if step == 1 then return { _ = "updates.differenceTooLong", pts = 200 } end
      if step == 2 then
        assert.equal(200, p.pts)
        return { _ = "updates.differenceSlice", new_messages = { message(1) }, new_encrypted_messages = {}, other_updates = {}, users = {},
          chats = {}, intermediate_state = state(201) }
      end
      assert.equal(201, p.pts)
      return { _ = "updates.difference", new_messages = { message(2) }, new_encrypted_messages = {}, other_updates = {}, users = {},
        chats = {}, state = state(202) }
    end } }
    core.dispatch:setHandler(setmetatable({}, { __index = Handler }), Handler)
    core.account:commit { state = { pts = 100, qts = 0, date = 1000, seq = 0 } } -- as a process before left it
    core.updates:prepare()
    core.updates:activate()
    core:settle()
    assert.same({ 1, 2 }, seen)
    assert.equal(1, #gaps)
    assert.equal(200, gaps[1].to)
    assert.equal(202, core.account:state().pts)
  end)

  it("asks a server whose difference leads nowhere ever more slowly", function()
    local function state(pts) return { _ = "updates.state", pts = pts, qts = 0, date = 1000, seq = 0, unread_count = 0 } end
    local empty = { new_messages = {}, new_encrypted_messages = {}, other_updates = {}, users = {}, chats = {} }
    local timer = require "_luna.timer"
    for _, answer in ipairs { { _ = "updates.differenceTooLong", pts = 100 },
      { _ = "updates.differenceSlice", intermediate_state = state(100) } } do
      for k, v in pairs(answer._ == "updates.differenceSlice" and empty or {}) do answer[k] = v end
      local asked = 0
      timer.useClock(timer.newVirtual())
      local core = fake { catchUp = true, answers = { ["updates.getDifference"] = function()
        asked = asked + 1
        return answer
      end } }
      core.dispatch:setCallback(function() end)
      core.account:commit { state = { pts = 100, qts = 0, date = 1000, seq = 0 } }
      core.updates:prepare()
      core.updates:activate()
      core:settle()
      assert.equal(1, asked)
      luna.sleep(10)
      assert.is_true(asked >= 3 and asked <= 5, tostring(asked))
      core.updates:stop()
      timer.useClock(nil)
    end
  end)

  it("knows the short forms", function()
    local got = {}
    local core = start { callback = function(update) got[#got + 1] = update end }
    core:push { _ = "updateShortMessage", id = 5, user_id = 60, message = "hi", pts = 101, pts_count = 1, date = 7 }
    core:push { _ = "updateShortChatMessage", id = 6, from_id = 60, chat_id = 70, message = "ho", pts = 102, pts_count = 1, date = 8 }
    core:push { _ = "updateShort", update = { _ = "updateUserTyping", user_id = 60, action = { _ = "sendMessageTypingAction" } }, date = 9 }
    assert.equal("updateNewMessage", got[1]._)
    assert.equal(60, got[1].message.peer_id.user_id)
    assert.equal("hi", got[1].message.message)
    assert.equal(70, got[2].message.peer_id.chat_id)
    assert.equal(60, got[2].message.from_id.user_id)
    assert.equal("updateUserTyping", got[3]._)
    assert.equal(102, core.updates.common.pts)
  end)

  it("a short form about somebody never met is fetched by a person's account", function()
    local core = start { me = { id = 1, bot = false } }
    core:push { _ = "updateShortMessage", id = 5, user_id = 60, message = "hi", pts = 101, pts_count = 1, date = 7 }
    assert.equal("updates.getDifference", core.calls[#core.calls].name)
  end)

  it("takes the updates of results through the same boxes", function()
    local core = start()
    core.updates:fromResult({ _ = "updateShortSentMessage", out = true, id = 9, pts = 101, pts_count = 1, date = 3 },
      { peer = { _ = "inputPeerUser", user_id = 50, access_hash = 0 }, message = "mine" })
    core:settle()
    core:push(updates { new(9, 101) }) -- and the same as a push
    assert.same({ 9 }, core.seen)
    core.updates:affected({ peer = { _ = "inputPeerUser", user_id = 50 } }, { pts = 103, pts_count = 2 })
    assert.equal(103, core.updates.common.pts)
  end)

  it("keeps each channel's own order, and its difference", function()
    local function channelMessage(id)
      return { _ = "message", id = id, peer_id = { _ = "peerChannel", channel_id = 5 }, date = 1, message = "c" .. id }
    end
    local core = start { answers = { ["updates.getChannelDifference"] = function(p)
      assert.equal(11, p.pts)
      return { _ = "updates.channelDifference", final = true, pts = 13, new_messages = { channelMessage(2), channelMessage(3) },
        other_updates = {}, users = {}, chats = {} }
    end } }
    core:push(updates { { _ = "updateNewChannelMessage", message = channelMessage(1), pts = 11, pts_count = 1 } })
    assert.same({ 1 }, core.seen)
    core:push(updates { { _ = "updateChannelTooLong", channel_id = 5, pts = 13 } })
    core:settle()
    local ids = {}
    for _, x in ipairs(core.seen) do
      if type(x) == "number" then ids[#ids + 1] = x end
    end
    assert.same({ 1, 2, 3 }, ids)
    assert.equal(13, core.account:channelPts(-1000000000005))
    assert.equal(100, core.updates.common.pts)
  end)

  it("orders by seq what has no pts", function()
    local core = start()
    local function status(id) return { _ = "updateUserTyping", user_id = id, action = { _ = "sendMessageTypingAction" } } end
    core.updates.seq = 10
    core:push(updates({ status(2) }, 12))
    assert.same({}, core.seen)
    core:push(updates({ status(1) }, 11))
    assert.equal(2, #core.seen)
    assert.equal(12, core.updates.seq)
    core:push(updates({ status(1) }, 11))
    assert.equal(2, #core.seen)
  end)

  it("keeps in the store what a handler has not done, and hands it over again", function()
    local store = require("_luna.store").open(nil)
    local hold = luna.Deferred()
    local core = start { store = store, callback = function() luna.await(hold:promise()) end }
    core:push(updates { new(1, 101) })
    core:push(updates { new(2, 102) }) -- the lane is held: it waits
    assert.same({ 1, 2 }, core.acked)
    assert.equal(2, #core.account:inbox())
    assert.equal(102, core.account:state().pts)

    local redelivered = {}
    local second = fake { store = store }
    second.dispatch:setCallback(function(update) redelivered[#redelivered + 1] = { update.message.id, update.redelivered } end)
    second.updates:prepare()
    second.updates:activate()
    second:settle()
    assert.same({ { 1, true }, { 2, true } }, redelivered)
    assert.equal(0, #second.account:inbox())
  end)

  it("leaves nothing in the store for a handler that is done at once", function()
    local core = start()
    core:push(updates { new(1, 101), new(2, 102) })
    assert.equal(0, #core.account:inbox())
    assert.equal(102, core.account:state().pts)
  end)

  it("asks for the difference where an update cannot be read", function()
    local core = start()
    core.updates:receive(core.conn, nil, 77, "raw", "UNKNOWN_ID")
    core:settle()
    assert.equal("updates.getDifference", core.calls[#core.calls].name)
    assert.same({ 77 }, core.acked)
  end)

  it("does not move the state before a handler is there, and catches up then", function()
    local core = fake { catchUp = true }
    core.updates:prepare()
    core.updates:receive(core.conn, updates { new(1, 101) }, 1, nil)
    core:settle()
    assert.equal(100, core.account:state().pts)
    assert.same({ 1 }, core.acked)
    core.dispatch:setCallback(function() end)
    core.updates:activate()
    assert.equal("updates.getDifference", core.calls[#core.calls].name)
  end)

  it("has nothing to catch up with in a new session", function()
    local core = fake { catchUp = true }
    core.updates:prepare()
    core.dispatch:setCallback(function() end)
    core.updates:activate()
    core:settle()
    assert.equal(1, #core.calls)
    assert.equal("updates.getState", core.calls[1].name)
  end)

  it("goes over a hole that the server says is none, in the end", function()
    local timer = require "_luna.timer"
    timer.useClock(timer.newVirtual())
    local core = start()
    core:push(updates { new(2, 102) })
    core:push(updates { new(4, 104) })
    luna.sleep(5)
    timer.useClock(nil)
    assert.same({ 2, 4 }, core.seen)
    local asked = 0
    for _, call in ipairs(core.calls) do asked = asked + (call.name == "updates.getDifference" and 1 or 0) end
    assert.equal(3, asked)
  end)
end)
