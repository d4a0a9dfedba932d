-- Groups and channels over the wire.
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local connect = dofile(folder .. "/spec/support/wire.lua")

describe("sandbox groups", function()
  local world = require("luna.sandbox").world()
  local alice, bob, bot = connect(world), connect(world), connect(world)
  alice:login "9996620001"
  bob:login "9996620002"
  bot:bot "7001:AAbbccdd"
  world.model:setUsername(alice.me.id, "alice")
  world.model:setUsername(bob.me.id, "bobby")
  local bobPeer = alice:peer "bobby"
  local botPeer = alice:peer "bot7001_bot"
  local bobInput = { _ = "inputUser", user_id = bobPeer.user_id, access_hash = bobPeer.access_hash }
  local botInput = { _ = "inputUser", user_id = botPeer.user_id, access_hash = botPeer.access_hash }
  local random = 5000
  local function refused(c, name, params) return (select(2, c:call(name, params))) end
  local function say(c, peer, text)
    random = random + 1
    return refused(c, "messages.sendMessage", { peer = peer, message = text, random_id = random })
  end

  local function newGroup()
    local invited = alice:must("messages.createChat", { users = { bobInput }, title = "Garden" })
    local chat = invited.updates.chats[1]
    bob:expect "updateNewMessage"
    return chat.id, { _ = "inputPeerChat", chat_id = chat.id }, invited
  end

  it("are made with a service message that everybody gets", function()
    local invited = alice:must("messages.createChat", { users = { bobInput, botInput }, title = " Garden " })
    local chat = invited.updates.chats[1]
    assert.same({ "Garden", 3, true }, { chat.title, chat.participants_count, chat.creator })
    local update, container = bob:expect "updateNewMessage"
    assert.equal("messageActionChatCreate", update.message.action._)
    assert.same({ bob.me.id, bot.me.id }, update.message.action.users)
    assert.same({ "chat", chat.id }, { container.chats[1]._, container.chats[1].id })
    assert.is_nil(container.chats[1].creator)
    assert.equal("messageActionChatCreate", bot:expect("updateNewMessage").message.action._)
    assert.equal("400 CHAT_TITLE_EMPTY", refused(alice, "messages.createChat", { users = {}, title = " " }))
  end)

  it("carry messages to all members and to nobody else", function()
    local id, peer = newGroup()
    assert.is_nil(say(bob, peer, "hello all"))
    local update = alice:expect "updateNewMessage"
    assert.same({ "hello all", bob.me.id, id }, { update.message.message, update.message.from_id.user_id, update.message.peer_id.chat_id })
    assert.equal("400 CHAT_ID_INVALID", say(bot, peer, "who am I?"))
    assert.equal("400 CHAT_ID_INVALID", refused(bot, "messages.getChats", { id = { id } }))
  end)

  it("take people in and out, and forget those who left", function()
    local id, peer = newGroup()
    alice:must("messages.addChatUser", { chat_id = id, user_id = botInput, fwd_limit = 0 })
    assert.same({ bot.me.id }, bot:expect("updateNewMessage").message.action.users)
    local again = { chat_id = id, user_id = botInput, fwd_limit = 0 }
    assert.equal("400 USER_ALREADY_PARTICIPANT", refused(alice, "messages.addChatUser", again))
    assert.equal("messageActionChatAddUser", bob:expect("updateNewMessage").message.action._)
    assert.equal(3, #bob:expect("updateChatParticipants").participants.participants)
    assert.equal("400 CHAT_ADMIN_REQUIRED", refused(bob, "messages.deleteChatUser", { chat_id = id, user_id = {
      _ = "inputUser", user_id = bot.me.id, access_hash = world.model:hash(bob.me.id, bot.me.id) } }))
    alice:must("messages.deleteChatUser", { chat_id = id, user_id = bobInput })
    assert.equal("messageActionChatDeleteUser", bob:expect("updateNewMessage").message.action._)
    assert.equal("403 CHAT_WRITE_FORBIDDEN", say(bob, peer, "and me?"))
    assert.is_true(bob:must("messages.getChats", { id = { id } }).chats[1].left)
    bob.updates = {}
    assert.is_nil(say(alice, peer, "alone with the bot"))
    assert.has_error(function() bob:expect("updateNewMessage", 1) end)
    local update
    repeat update = bot:expect "updateNewMessage" until not update.message.action
    assert.equal("alone with the bot", update.message.message)
    local full = alice:must("messages.getFullChat", { chat_id = id })
    assert.equal(2, #full.full_chat.participants.participants)
    assert.equal(bot.me.id, full.full_chat.bot_info[1].user_id)
  end)

  it("are renamed, with a message", function()
    local id = newGroup()
    alice:must("messages.editChatTitle", { chat_id = id, title = "Yard" })
    local update, container = bob:expect "updateNewMessage"
    assert.same({ "Yard", "Yard" }, { update.message.action.title, container.chats[1].title })
    assert.equal("400 CHAT_NOT_MODIFIED", refused(alice, "messages.editChatTitle", { chat_id = id, title = "Yard" }))
  end)

  it("let only admins delete what others wrote", function()
    local _, peer = newGroup()
    assert.is_nil(say(alice, peer, "from the creator"))
    local there = bob:expect("updateNewMessage").message.id
    bob:must("messages.deleteMessages", { id = { there }, revoke = true }) -- for himself alone
    assert.has_error(function() alice:expect("updateDeleteMessages", 1) end)
    assert.is_nil(say(bob, peer, "from bob"))
    local mine = alice:expect("updateNewMessage").message.id
    alice:must("messages.deleteMessages", { id = { mine }, revoke = true })
    bob:expect "updateDeleteMessages"
  end)

  it("pin messages", function()
    local _, peer = newGroup()
    assert.is_nil(say(alice, peer, "important"))
    local there = bob:expect("updateNewMessage").message.id
    assert.equal("400 CHAT_ADMIN_REQUIRED", refused(bob, "messages.updatePinnedMessage", { peer = peer, id = there }))
    alice:must("messages.updatePinnedMessage", { peer = peer, id = alice:must("messages.search", {
      peer = peer, q = "important", filter = { _ = "inputMessagesFilterEmpty" }, min_date = 0, max_date = 0, offset_id = 0, add_offset = 0,
      limit = 1, max_id = 0, min_id = 0, hash = 0 }).messages[1].id })
    assert.same({ there }, bob:expect("updatePinnedMessages").messages)
    assert.equal("messageActionPinMessage", bob:expect("updateNewMessage").message.action._)
  end)
end)

describe("sandbox channels", function()
  local world = require("luna.sandbox").world()
  local alice, bob, bot = connect(world), connect(world), connect(world)
  alice:login "9996620001"
  bob:login "9996620002"
  bot:bot "7001:AAbbccdd"
  world.model:setUsername(bob.me.id, "bobby")
  local bobPeer, botPeer = alice:peer "bobby", alice:peer "bot7001_bot"
  local bobInput = { _ = "inputUser", user_id = bobPeer.user_id, access_hash = bobPeer.access_hash }
  local botInput = { _ = "inputUser", user_id = botPeer.user_id, access_hash = botPeer.access_hash }
  local random = 7000
  local function refused(c, name, params) return (select(2, c:call(name, params))) end
  local function say(c, peer, text)
    random = random + 1
    return c:call("messages.sendMessage", { peer = peer, message = text, random_id = random })
  end
  local function input(c, id)
    local hash = world.model:hash(c.me.id, -1000000000000 - id)
    return { _ = "inputChannel", channel_id = id, access_hash = hash }, { _ = "inputPeerChannel", channel_id = id, access_hash = hash }
  end
  local function make(more)
    local p = { title = "News", about = "all of it" }
    for k, v in pairs(more) do p[k] = v end
    return alice:must("channels.createChannel", p).chats[1].id
  end

  it("have a pts and ids of their own", function()
    local id = make { megagroup = true }
    local channel, peer = input(alice, id)
    alice:must("channels.inviteToChannel", { channel = channel, users = { bobInput, botInput } })
    bob:expect "updateChannel"
    local bobChannel, bobsPeer = input(bob, id)
    local sent = say(alice, peer, "first")
    assert.same({ "updateMessageID", "updateNewChannelMessage" }, { sent.updates[1]._, sent.updates[2]._ })
    local update
    repeat update = bob:expect "updateNewChannelMessage" until update.message.message
    assert.same({ "first", sent.updates[2].message.id, sent.updates[2].pts }, { update.message.message, update.message.id, update.pts })
    assert.is_true(say(bob, bobsPeer, "second").updates[2].message.out)
    local d = bot:must("updates.getChannelDifference", { channel = (input(bot, id)), filter = { _ = "channelMessagesFilterEmpty" },
      pts = update.pts - 1, limit = 100 })
    assert.same({ "updates.channelDifference", true, 2 }, { d._, d.final, #d.new_messages })
    assert.equal("updates.channelDifferenceEmpty", bob:must("updates.getChannelDifference", {
      channel = bobChannel, filter = { _ = "channelMessagesFilterEmpty" }, pts = d.pts, limit = 100 })._)
    assert.equal("400 PERSISTENT_TIMESTAMP_INVALID", refused(bob, "updates.getChannelDifference", {
      channel = bobChannel, filter = { _ = "channelMessagesFilterEmpty" }, pts = d.pts + 1, limit = 100 }))
    local slice = bob:must("updates.getChannelDifference", {
      channel = bobChannel, filter = { _ = "channelMessagesFilterEmpty" }, pts = update.pts - 1, limit = 1 })
    assert.is_nil(slice.final)
    assert.equal(1, #slice.new_messages)
    local history = bob:must("messages.getHistory", {
      peer = bobsPeer, offset_id = 0, offset_date = 0, add_offset = 0, limit = 2, max_id = 0, min_id = 0, hash = 0 })
    assert.same({ "messages.channelMessages", "second", "first" }, { history._, history.messages[1].message, history.messages[2].message })
  end)

  it("let admins alone post where they are broadcasts", function()
    local id = make { broadcast = true }
    local channel, peer = input(alice, id)
    alice:must("channels.inviteToChannel", { channel = channel, users = { bobInput } })
    local post = say(alice, peer, "news").updates[2].message
    assert.same({ true, 1 }, { post.post, post.views })
    assert.is_nil(post.from_id)
    local _, bobsPeer = input(bob, id)
    assert.equal("400 CHAT_ADMIN_REQUIRED", select(2, say(bob, bobsPeer, "me too")))
    local rights = { _ = "chatAdminRights", post_messages = true }
    alice:must("channels.editAdmin", { channel = channel, user_id = bobInput, admin_rights = rights })
    assert.is_nil(select(2, say(bob, bobsPeer, "me too")))
    alice:must("channels.editAdmin", { channel = channel, user_id = bobInput, admin_rights = { _ = "chatAdminRights" } })
    assert.equal("400 CHAT_ADMIN_REQUIRED", select(2, say(bob, bobsPeer, "and again")))
  end)

  it("are found and joined by username, and closed to others without one", function()
    local id = make { megagroup = true }
    local channel = input(alice, id)
    assert.equal("400 CHANNEL_PRIVATE", refused(bob, "channels.joinChannel", { channel = (input(bob, id)) }))
    assert.equal("400 CHANNEL_INVALID", refused(bob, "channels.joinChannel", { channel = channel })) -- another's hash
    alice:must("channels.updateUsername", { channel = channel, username = "the_news" })
    local resolved = bob:must("contacts.resolveUsername", { username = "THE_news" })
    assert.same({ id, true }, { resolved.peer.channel_id, resolved.chats[1].left })
    bob:must("channels.joinChannel", { channel = (input(bob, id)) })
    assert.equal("400 USER_ALREADY_PARTICIPANT", refused(bob, "channels.joinChannel", { channel = (input(bob, id)) }))
    assert.equal(2, bob:must("channels.getParticipants", { channel = (input(bob, id)), filter = { _ = "channelParticipantsRecent" },
      offset = 0, limit = 10, hash = 0 }).count)
    bob:must("channels.leaveChannel", { channel = (input(bob, id)) })
    assert.equal("400 USER_NOT_PARTICIPANT", refused(bob, "channels.getParticipant", {
      channel = (input(bob, id)), participant = { _ = "inputPeerSelf" } }))
  end)

  it("keep who was banned out", function()
    local id = make { megagroup = true }
    local channel = input(alice, id)
    alice:must("channels.updateUsername", { channel = channel, username = "strict_ones" })
    bob:must("channels.joinChannel", { channel = (input(bob, id)) })
    alice:must("channels.editBanned", { channel = channel, participant = bobPeer,
      banned_rights = { _ = "chatBannedRights", view_messages = true, until_date = 0 } })
    assert.equal("400 CHANNEL_PRIVATE", refused(bob, "channels.joinChannel", { channel = (input(bob, id)) }))
  end)

  it("delete messages for everybody", function()
    local id = make { megagroup = true }
    local channel, peer = input(alice, id)
    alice:must("channels.inviteToChannel", { channel = channel, users = { bobInput } })
    local message = say(alice, peer, "away").updates[2].message.id
    local before = bob:must("channels.getFullChannel", { channel = (input(bob, id)) }).full_chat.pts
    assert.equal("403 MESSAGE_DELETE_FORBIDDEN", refused(bob, "channels.deleteMessages", { channel = (input(bob, id)), id = { message } }))
    local affected = alice:must("channels.deleteMessages", { channel = channel, id = { message } })
    assert.same({ before + 1, 1 }, { affected.pts, affected.pts_count })
    local update = bob:expect "updateDeleteChannelMessages"
    assert.same({ { message }, before + 1 }, { update.messages, update.pts })
    assert.equal("messageEmpty", bob:must("channels.getMessages", {
      channel = (input(bob, id)), id = { { _ = "inputMessageID", id = message } } }).messages[1]._)
  end)

  it("count what has not been read", function()
    local id = make { megagroup = true }
    local channel, peer = input(alice, id)
    alice:must("channels.inviteToChannel", { channel = channel, users = { bobInput } })
    local bobsChannel, bobsPeer = input(bob, id)
    local function unread()
      return bob:must("messages.getPeerDialogs", { peers = { { _ = "inputDialogPeer", peer = bobsPeer } } }).dialogs[1].unread_count
    end
    bob:must("channels.readHistory", { channel = bobsChannel, max_id = 0 })
    say(alice, peer, "one")
    local last = say(alice, peer, "two").updates[2].message.id
    assert.equal(2, unread())
    bob:must("channels.readHistory", { channel = bobsChannel, max_id = last - 1 })
    assert.equal(1, unread())
    bob:must("channels.readHistory", { channel = bobsChannel, max_id = last })
    assert.equal(0, unread())
  end)
end)
