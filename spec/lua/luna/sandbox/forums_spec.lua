-- Forums of the sandbox: topics are made, changed and listed; where messages go, and what is refused.
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local connect = dofile(folder .. "/spec/support/wire.lua")

describe("sandbox forums", function()
  local world = require("luna.sandbox").world()
  local alice, bob = connect(world), connect(world)
  alice:login "9996620001"
  bob:login "9996620002"
  world.model:setUsername(bob.me.id, "bobby")
  local bobPeer = alice:peer "bobby"
  local made = alice:must("channels.createChannel", { megagroup = true, forum = true, title = "Tea house", about = "" }).chats[1]
  local peer = { _ = "inputPeerChannel", channel_id = made.id, access_hash = made.access_hash }
  local input = { _ = "inputChannel", channel_id = made.id, access_hash = made.access_hash }
  alice:must("channels.inviteToChannel",
    { channel = input, users = { { _ = "inputUser", user_id = bobPeer.user_id, access_hash = bobPeer.access_hash } } })
  local bobs = bob:expect "updateChannel" and bob:must("messages.getDialogs",
    { offset_date = 0, offset_id = 0, offset_peer = { _ = "inputPeerEmpty" }, limit = 10, hash = 0 }).chats[1]
  local bobsPeer = { _ = "inputPeerChannel", channel_id = bobs.id, access_hash = bobs.access_hash }
  local random = 100
  local function topic(title)
    random = random + 1
    local updates = alice:must("messages.createForumTopic", { peer = peer, title = title, random_id = random })
    return updates.updates[1].id, updates.updates[2].message
  end
  local function refused(c, name, params) return (select(2, c:call(name, params))) end
  local function send(c, text, reply, top)
    random = random + 1
    local p = { peer = c == bob and bobsPeer or peer, message = text, random_id = random }
    if reply or top then p.reply_to = { _ = "inputReplyToMessage", reply_to_msg_id = reply or top, top_msg_id = top } end
    local updates, why = c:call("messages.sendMessage", p)
    return why or updates.updates[2].message
  end
  local function place(message)
    local to = message.reply_to or {}
    return { to.forum_topic or false, to.reply_to_msg_id or false, to.reply_to_top_id or false }
  end

  it("say that they are", function()
    assert.is_true(made.forum)
    local other = alice:must("channels.createChannel", { megagroup = true, title = "Plain", about = "" }).chats[1]
    local there = { _ = "inputChannel", channel_id = other.id, access_hash = other.access_hash }
    local plain = { _ = "inputPeerChannel", channel_id = other.id, access_hash = other.access_hash }
    assert.is_nil(other.forum)
    local p = { peer = plain, title = "x", random_id = 1 }
    assert.equal("400 CHANNEL_FORUM_MISSING", refused(alice, "messages.createForumTopic", p))
    assert.is_true(alice:must("channels.toggleForum", { channel = there, enabled = true, tabs = false }).chats[1].forum)
    assert.equal("400 CHAT_NOT_MODIFIED", refused(alice, "channels.toggleForum", { channel = there, enabled = true, tabs = false }))
    assert.truthy(alice:must("messages.createForumTopic", p))
  end)

  it("have topics, begun by a message whose id is theirs", function()
    local id, message = topic "Orders"
    assert.same({ "messageActionTopicCreate", "Orders", id }, { message.action._, message.action.title, message.id })
    assert.same({ false, false, false }, place(message))
    assert.equal("400 TOPIC_TITLE_EMPTY", refused(alice, "messages.createForumTopic", { peer = peer, title = " ", random_id = 7 }))
    assert.equal("400 CHAT_ADMIN_REQUIRED", refused(bob, "messages.createForumTopic", { peer = bobsPeer, title = "x", random_id = 8 }))
  end)

  it("send a message where its answer, or its topic, says", function()
    local id = topic "Talk"
    local first = send(alice, "in it", id)
    assert.same({ true, id, false }, place(first))
    assert.same({ true, first.id, id }, place(send(bob, "an answer", first.id, id)))
    assert.same({ true, first.id, id }, place(send(bob, "an answer", first.id))) -- the answered one tells
    assert.same({ true, id, false }, place(send(bob, "to what is gone", 9999, id)))
    local general = send(alice, "in General")
    assert.same({ false, false, false }, place(general))
    assert.same({ false, general.id, false }, place(send(bob, "an answer", general.id)))
    assert.equal("400 TOPIC_DELETED", send(alice, "nowhere", nil, 9999))
    assert.equal("400 REPLY_MESSAGE_ID_INVALID", send(alice, "nowhere", 9999))
  end)

  it("are closed to members and open to admins", function()
    local id = topic "News"
    local edit = { peer = peer, topic_id = id, closed = true, title = "Old news" }
    local action = alice:must("messages.editForumTopic", edit).updates[1].message.action
    assert.same({ "messageActionTopicEdit", true, "Old news" }, { action._, action.closed, action.title })
    assert.equal("400 TOPIC_NOT_MODIFIED", refused(alice, "messages.editForumTopic", edit))
    edit.topic_id = 9999
    assert.equal("400 TOPIC_ID_INVALID", refused(alice, "messages.editForumTopic", edit))
    assert.equal("400 TOPIC_CLOSED", send(bob, "may I?", id))
    assert.same({ true, id, false }, place(send(alice, "I may", id)))
  end)

  it("list their topics, General first", function()
    local id = topic "Last"
    local last = send(bob, "the newest", id)
    local p = { peer = bobsPeer, offset_date = 0, offset_id = 0, offset_topic = 0, limit = 100 }
    local all = bob:must("messages.getForumTopics", p)
    assert.same({ 1, "General" }, { all.topics[1].id, all.topics[1].title })
    local found = all.topics[#all.topics]
    assert.same({ id, "Last", last.id }, { found.id, found.title, found.top_message })
    assert.equal("the newest", all.messages[#all.messages].message)
    local some = bob:must("messages.getForumTopicsByID", { peer = bobsPeer, topics = { id } })
    assert.same({ 1, "Last" }, { some.count, some.topics[1].title })
  end)
end)

describe("topics in a world", function()
  local world = require("luna.sandbox").world()
  local alice, bob = world:user "Alice", world:user "Bob"
  local forum = world:channel("Tea house", { forum = true, members = { alice, bob } })
  local orders = world:topic(forum, "Orders")

  it("are places of their own", function()
    alice:send(orders, "one tea")
    alice:send(forum, "hello")
    alice:send(orders, "two teas")
    assert.equal("two teas", bob:expect(orders, "two").message)
    bob:expectNothing(orders)
    assert.equal("hello", bob:expect(forum).message) -- what came before in another topic is there still
    assert.equal(3, #bob:history(orders))
    assert.matches("Alice %(in Orders%): one tea\n.*Alice: hello", world:transcript())
  end)

  it("are of forums alone", function()
    local _, why = pcall(function() world:topic(world:channel("x", { megagroup = true }), "y") end)
    assert.matches("forums_spec.lua:%d+: a topic is of a forum: world:channel%(title, { forum = true }%)", why)
    _, why = pcall(function() world:topic(forum) end)
    assert.matches("forums_spec.lua:%d+: a topic has a title, not a nil", why)
  end)
end)
