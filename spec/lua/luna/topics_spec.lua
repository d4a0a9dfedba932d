-- Topics of a forum: answers stay in them, questions listen in them, and each has a lane of its own.
local luna = require "luna"
local lanes = require "luna.lanes"
local topics = require "luna.topics"

describe("a bot in a forum", function()
  local world = require("luna.sandbox").world()
  local log = {}
  local Bot = luna.EventHandler:extend "Bot"
  Bot:command("reply", function(_, message) message:reply "a reply" end)
  Bot:command("send", function(_, message) message:send "sent" end)
  Bot:command("elsewhere", function(self, message)
    self.messages.sendMessage { peer = message, message = "to General" }
    message:send { peer = message:getSender(), message = "in private" }
  end)
  Bot:command("ask", function(_, message)
    local name = message:ask("Name?", { timeout = 60, late = "Too late." })
    local age = name:ask "Age?"
    age:send(("%s is %s"):format(name.message, age.message))
  end)
  Bot:command("buttons", function(_, message)
    local markup = { inline_keyboard = { { { text = "Ask", callback_data = "ask" }, { text = "Send", callback_data = "send" } } } }
    message:send { message = "Which?", reply_markup = markup }
  end)
  Bot:on({ callback = "^send$" }, function(_, query)
    query:answer()
    query:send "pressed"
  end)
  Bot:on({ callback = "^ask$" }, function(_, query)
    query:answer()
    local answer = query:ask "Well?"
    answer:reply("You say " .. answer.message)
  end)
  Bot:command("wait", function(_, message)
    local gate = luna.Deferred()
    luna.callFork(function()
      require("_luna.task").sleep(10)
      gate:resolve()
    end)
    luna.await(gate:promise()) -- holds the lane, as sleep does not
    log[#log + 1] = "waited"
  end)
  Bot:on(".", function(_, message) log[#log + 1] = message.message end)
  local bot = world:run(Bot)
  local alice, bob = world:user "Alice", world:user "Bob"
  local forum = world:channel("Tea house", { forum = true, members = { alice, bob, bot } })
  local orders, talk = world:topic(forum, "Orders"), world:topic(forum, "Talk")
  alice:send(bot, "/start")
  before_each(function()
    world:clock():advance(1)
    log = {}
    for _, person in ipairs { alice, bob } do person.queues = {} end
  end)

  local function header(message)
    local to = message.reply_to or {}
    return { to.forum_topic or false, to.reply_to_msg_id or false, to.reply_to_top_id or false }
  end

  it("answers in the topic, and sends there", function()
    local asked = alice:send(orders, "/reply")
    assert.same({ true, asked.id, orders.topic }, header(alice:expect(orders)))
    assert.same({ true, orders.topic, false }, header(asked))
    alice:send(orders, "/send")
    assert.same({ true, orders.topic, false }, header(alice:expect(orders)))
    local general = alice:send(forum, "/reply")
    assert.same({ false, general.id, false }, header(alice:expect(forum)))
    alice:send(forum, "/send")
    assert.same({ false, false, false }, header(alice:expect(forum)))
    alice:send(talk, "/elsewhere")
    assert.same({ false, false, false }, header(alice:expect(forum, "General")))
    assert.is_nil(alice:expect(bot, "private").reply_to)
  end)

  it("asks in a topic and listens there alone", function()
    alice:send(orders, "/ask")
    alice:expect(orders, "Name")
    alice:send(talk, "another topic")
    alice:send(forum, "General")
    bob:send(orders, "somebody else")
    alice:send(talk, "/ask") -- a question of its own
    alice:expect(talk, "Name")
    alice:send(orders, "Alice")
    alice:expect(orders, "Age")
    alice:send(talk, "Lili")
    alice:expect(talk, "Age")
    alice:send(orders, "7")
    assert.equal("Alice is 7", alice:expect(orders).message)
    alice:send(talk, "8")
    assert.equal("Lili is 8", alice:expect(talk).message)
    table.sort(log)
    assert.same({ "General", "another topic", "somebody else" }, log)
    assert.equal(0, bot.api._core.dispatch.asks.count)
    alice:send(talk, "/ask")
    assert.equal("Too late.", alice:expect(talk, 70, "late").message)
  end)

  it("stays in the topic with what the press of a button brings", function()
    alice:send(orders, "/buttons")
    local menu = alice:expect(orders)
    alice:click(menu, "Send")
    assert.same({ true, menu.id, orders.topic }, header(alice:expect(orders)))
    alice:click(menu, "Ask")
    assert.same({ true, orders.topic, false }, header(alice:expect(orders)))
    alice:send(forum, "not this")
    local answer = alice:send(orders, "this")
    local reply = alice:expect(orders)
    assert.equal("You say this", reply.message)
    assert.equal(answer.id, reply.reply_to.reply_to_msg_id)
    alice:send(forum, "/buttons")
    alice:click(alice:expect(forum), "Ask")
    assert.same({ false, false, false }, header(alice:expect(forum)))
    alice:send(forum, "this")
    alice:expect(forum, "You say this")
  end)

  it("handles topics beside each other, and each in its order", function()
    alice:send(orders, "/wait")
    alice:send(orders, "behind")
    alice:send(talk, "beside")
    alice:send(forum, "in General")
    world:clock():advance(5)
    table.sort(log)
    assert.same({ "beside", "in General" }, log)
    world:clock():advance(10)
    assert.same({ "waited", "behind" }, { log[3], log[4] })
  end)
end)

describe("the topic of a message", function()
  local function message(reply, more)
    local m = { _ = "message", id = 9, peer_id = { _ = "peerChannel", channel_id = 4 }, reply_to = reply }
    for k, v in pairs(more or {}) do m[k] = v end
    return m
  end

  it("is what began it; General is none; its first message is in it", function()
    assert.equal(5, topics.of(message { forum_topic = true, reply_to_msg_id = 5 }))
    assert.equal(5, topics.of(message { forum_topic = true, reply_to_msg_id = 7, reply_to_top_id = 5 }))
    assert.is_nil(topics.of(message { reply_to_msg_id = 7, reply_to_top_id = 5 })) -- a thread of comments
    assert.is_nil(topics.of(message()))
    assert.equal(9, topics.of(message(nil, { action = { _ = "messageActionTopicCreate" } })))
  end)

  it("makes the lane of its updates", function()
    local function key(m) return lanes.key { _ = "updateNewChannelMessage", message = m } end
    assert.equal("-1000000000004/5", key(message { forum_topic = true, reply_to_msg_id = 5 }))
    assert.equal("-1000000000004/9", key(message(nil, { action = { _ = "messageActionTopicCreate" } })))
    assert.equal(-1000000000004, key(message()))
  end)
end)
