-- Scheduled messages: the queue of a dialog, which the clock sends; over the wire and in the test kit.
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local connect = dofile(folder .. "/spec/support/wire.lua")

describe("scheduled messages", function()
  local world = require("luna.sandbox").world()
  local alice, phone, bob, bot = connect(world), connect(world), connect(world), connect(world)
  alice:login "9996620001"
  phone:login "9996620001"
  bob:login "9996620002"
  bot:bot "7001:AAbbccdd"
  world.model:setUsername(bob.me.id, "bobby")
  local toBob, toBot = alice:peer "bobby", alice:peer "bot7001_bot"
  local random = 100
  local function now() return world.model:now() end
  local function schedule(text, seconds, more, c)
    random = random + 1
    local p = { peer = toBob, message = text, random_id = random, schedule_date = now() + seconds }
    for k, v in pairs(more or {}) do p[k] = v end
    return (c or alice):call("messages.sendMessage", p)
  end
  -- That long, and nothing comes to Bob.
  local function nothing(seconds)
    local ok, why = pcall(bob.expect, bob, "updateNewMessage", seconds)
    assert.is_false(ok)
    assert.matches("no updateNewMessage; there came: $", why)
  end
  local function waiting()
    local out = {}
    for i, m in ipairs(alice:must("messages.getScheduledHistory", { peer = toBob, hash = 0 }).messages) do out[i] = m.message end
    return out
  end

  it("wait in their order, and are sent when their time has come", function()
    local updates = schedule("later", 3600)
    assert.same({ "updateMessageID", "updateNewScheduledMessage" }, { updates.updates[1]._, updates.updates[2]._ })
    local message = updates.updates[2].message
    assert.same({ updates.updates[1].id, "later", true, now() + 3600 },
      { message.id, message.message, message.from_scheduled, message.date })
    schedule("sooner", 600)
    assert.equal("later", phone:expect("updateNewScheduledMessage").message.message) -- the account's other sessions hear of it
    assert.same({ "later", "sooner" }, waiting())
    nothing(590)
    local got = bob:expect("updateNewMessage", 15).message
    assert.equal("sooner", got.message)
    assert.near(now(), got.date, 10)
    assert.is_nil(got.from_scheduled)
    assert.same({ "later" }, waiting())
    local mine = alice:expect("updateNewMessage").message
    assert.is_true(mine.from_scheduled)
    local gone = alice:expect "updateDeleteScheduledMessages"
    assert.same({ { 2 }, { mine.id } }, { gone.messages, gone.sent_messages })
    assert.equal("later", bob:expect("updateNewMessage", 3100).message.message)
    assert.same({}, waiting())
  end)

  it("are sent at once where that is soon", function()
    assert.equal("updateShortSentMessage", schedule("now", 5)._)
    assert.equal("now", bob:expect("updateNewMessage").message.message)
  end)

  it("can be sent before, changed, put off and deleted", function()
    local ids = {}
    for i, text in ipairs { "one", "two", "three" } do ids[i] = schedule(text, 1000 + i).updates[1].id end
    local sent = alice:must("messages.sendScheduledMessages", { peer = toBob, id = { ids[2] } })
    assert.same({ "updateDeleteScheduledMessages", "updateNewMessage" }, { sent.updates[1]._, sent.updates[2]._ })
    assert.equal("two", bob:expect("updateNewMessage").message.message)
    assert.equal("updateDeleteScheduledMessages",
      alice:must("messages.deleteScheduledMessages", { peer = toBob, id = { ids[3] } }).updates[1]._)
    local p = { peer = toBob, id = ids[1], message = "uno", schedule_date = now() + 2000 }
    assert.equal("uno", alice:must("messages.editMessage", p).updates[1].message.message)
    assert.equal("uno", alice:must("messages.getScheduledMessages", { peer = toBob, id = { ids[1], 99 } }).messages[1].message)
    nothing(1500)
    assert.equal("uno", bob:expect("updateNewMessage", 600).message.message)
    for _, name in ipairs { "messages.sendScheduledMessages", "messages.deleteScheduledMessages" } do
      assert.equal("400 MESSAGE_ID_INVALID", select(2, alice:call(name, { peer = toBob, id = { ids[1] } })))
    end
  end)

  it("are refused as Telegram does", function()
    assert.equal("400 SCHEDULE_DATE_TOO_LATE", select(2, schedule("x", 400 * 86400)))
    assert.equal("400 MESSAGE_EMPTY", select(2, schedule(" ", 600)))
    assert.equal("400 SCHEDULE_STATUS_PRIVATE", select(2, schedule("x", 0, { schedule_date = 0x7ffffffe })))
    alice:send(toBot, "/start")
    local toAlice = { _ = "inputPeerUser", user_id = alice.me.id, access_hash = 0 }
    assert.equal("400 SCHEDULE_BOT_NOT_ALLOWED", select(2, schedule("x", 600, { peer = toAlice }, bot)))
    assert.equal("400 BOT_METHOD_INVALID", select(2, bot:call("messages.getScheduledHistory", { peer = toAlice, hash = 0 })))
    for i = 1, 100 do assert.is_nil(select(2, schedule("x", 600 + i))) end
    assert.equal("400 SCHEDULE_TOO_MUCH", select(2, schedule("x", 600)))
  end)
end)

describe("a person who schedules", function()
  local world = require("luna.sandbox").world()
  local bot = world:run(function(update)
    local message = update.message
    if message and message._ == "message" and not message.out then message:reply("got " .. message.message) end
  end)
  local alice = world:user "Alice"

  it("has the message sent to the bot by the clock", function()
    alice:schedule(bot, "good morning", 8 * 3600)
    alice:expectNothing(bot, 8 * 3600 - 5)
    assert.equal("got good morning", alice:expect(bot, 10).message)
    assert.matches("1  Alice: good morning", world:transcript())
  end)

  it("loses it where it may not be sent any more", function()
    local group = world:group("Garden", { members = { alice, bot } })
    local bob = world:user "Bob"
    alice:add(group, bob)
    bob:schedule(group, "too late", 60)
    bob:leave(group)
    world:clock():advance(100)
    alice:expectNothing(group)
  end)

  it("is told at the test's line what does not work", function()
    local _, why = pcall(function() alice:schedule(bot, "x", "soon") end)
    assert.matches("scheduled_spec.lua:%d+: schedule wants a number of seconds, got a string", why)
    _, why = pcall(function() alice:schedule(bot, "x", 1e9) end)
    assert.matches("scheduled_spec.lua:%d+: Alice: the sandbox refuses it: SCHEDULE_DATE_TOO_LATE", why)
  end)
end)

describe("scheduled messages over a restart of the sandbox", function()
  it("are sent in time", function()
    local snapshot, sandbox = require "luna.sandbox.snapshot", require "luna.sandbox"
    local first = sandbox.world()
    local alice, bob = first:user "Alice", first:user "Bob"
    alice:schedule(bob, "later", 60)
    local bytes = snapshot.encode(first.model.state)
    local now = first.model:now()
    first:close()
    local world = sandbox.world { wall = now + 10 }
    local model = require "luna.sandbox.model" { state = snapshot.decode(bytes) }
    local server = require "luna.sandbox.server" { model = model, key = require "luna.sandbox.world_key", log = function() end }
    finally(function() server:close() end)
    local boxes = require "luna.sandbox.boxes"
    local function got() return #(boxes.dialog(model, bob.id, alice.id) or { ids = {} }).ids end
    world:clock():advance(45)
    assert.equal(0, got())
    world:clock():advance(10)
    assert.equal(1, got())
    assert.equal("later", boxes.core(model, bob.id, 1).text)
  end)
end)
