-- Messages over the wire: what each end gets, and what is refused.
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local connect = dofile(folder .. "/spec/support/wire.lua")

describe("sandbox messages", function()
  local world = require("luna.sandbox").world()
  local alice, bob, bot = connect(world), connect(world), connect(world)
  alice:login "9996620001"
  bob:login "9996620002"
  bot:bot "7001:AAbbccdd"
  world.model:setUsername(bob.me.id, "bobby")
  local toBob, toBot = alice:peer "bobby", alice:peer "bot7001_bot"
  alice:send(toBob, "hi")
  local toAlice
  do
    local _, container = bob:expect "updateNewMessage"
    for _, u in ipairs(container.users) do
      if u.id == alice.me.id then toAlice = { _ = "inputPeerUser", user_id = u.id, access_hash = u.access_hash } end
    end
  end
  alice:send(toBot, "/start")
  local botToAlice = { _ = "inputPeerUser", user_id = alice.me.id, access_hash = 0 }
  bot:expect "updateNewMessage"

  local function refused(c, name, params) return (select(2, c:call(name, params))) end
  local random = 1
  local function message(peer, text, more)
    random = random + 1
    local p = { peer = peer, message = text, random_id = random }
    for k, v in pairs(more or {}) do p[k] = v end
    return p
  end

  it("arrive with their sender, and the sender's own answer carries pts", function()
    local sent = alice:send(toBob, "hello")
    assert.equal("updateShortSentMessage", sent._)
    assert.is_true(sent.pts > 1000)
    local update, container = bob:expect "updateNewMessage"
    assert.equal("hello", update.message.message)
    assert.is_nil(update.message.out)
    assert.equal(alice.me.id, update.message.peer_id.user_id)
    assert.equal(1, update.pts_count)
    local named = {}
    for _, u in ipairs(container.users) do named[u.id] = u._ end
    assert.equal("user", named[alice.me.id])
  end)

  it("are numbered for each account alone", function()
    local first = alice:send(toBob, "one").id
    alice:send(toBot, "to another")
    local second = alice:send(toBob, "two").id
    assert.equal(first + 2, second)
    assert.equal(bob:expect("updateNewMessage").message.id + 1, bob:expect("updateNewMessage").message.id)
    bot:expect "updateNewMessage"
  end)

  it("answer a bot in full, its random_id first", function()
    local p = message(botToAlice, "from the bot")
    local updates = bot:must("messages.sendMessage", p)
    assert.same({ "updateMessageID", "updateNewMessage" }, { updates.updates[1]._, updates.updates[2]._ })
    assert.equal(p.random_id, updates.updates[1].random_id)
    assert.equal(updates.updates[1].id, updates.updates[2].message.id)
    assert.is_true(updates.updates[2].message.out)
    alice:expect "updateNewMessage"
  end)

  it("go once by their random_id", function()
    local p = message(toBob, "once")
    alice:must("messages.sendMessage", p)
    assert.equal("500 RANDOM_ID_DUPLICATE", refused(alice, "messages.sendMessage", p))
    assert.equal("once", bob:expect("updateNewMessage").message.message)
    assert.has_error(function() bob:expect("updateNewMessage", 1) end)
    local wrong = message(toBob, "")
    assert.equal("400 MESSAGE_EMPTY", refused(alice, "messages.sendMessage", wrong))
    wrong.message = "now it is there" -- a refused call has not used its random_id
    alice:must("messages.sendMessage", wrong)
    bob:expect "updateNewMessage"
  end)

  it("are refused where they cannot be", function()
    local function why(c, peer, text, more) return refused(c, "messages.sendMessage", message(peer, text, more)) end
    assert.equal("400 MESSAGE_EMPTY", why(alice, toBob, " \n "))
    assert.equal("400 MESSAGE_TOO_LONG", why(alice, toBob, ("x"):rep(4097)))
    assert.equal("400 PEER_ID_INVALID", why(alice, { _ = "inputPeerUser", user_id = bob.me.id, access_hash = 1 }, "x"))
    assert.equal("400 PEER_ID_INVALID", why(alice, { _ = "inputPeerUser", user_id = 999, access_hash = 1 }, "x"))
    assert.equal("400 CHAT_ID_INVALID", why(alice, { _ = "inputPeerChat", chat_id = 1 }, "x"))
    local nothing = { reply_to = { _ = "inputReplyToMessage", reply_to_msg_id = 9999 } }
    assert.equal("400 REPLY_MESSAGE_ID_INVALID", why(alice, toBob, "x", nothing))
    assert.equal("400 PEER_ID_INVALID", why(bot, { _ = "inputPeerUser", user_id = bob.me.id, access_hash = 0 }, "a bot does not begin"))
    assert.equal("400 RANDOM_ID_EMPTY", refused(alice, "messages.sendMessage", { peer = toBob, message = "x", random_id = 0 }))
  end)

  it("answer others in each one's own numbers", function()
    local sent = alice:send(toBob, "a question")
    local there = bob:expect("updateNewMessage").message.id
    bob:send(toAlice, "an answer", { reply_to = { _ = "inputReplyToMessage", reply_to_msg_id = there } })
    local update = alice:expect "updateNewMessage"
    assert.equal(sent.id, update.message.reply_to.reply_to_msg_id)
    assert.is_true(update.message.mentioned)
  end)

  it("are edited by their author alone, and say so to both", function()
    local sent = alice:send(toBob, "draft")
    local there = bob:expect("updateNewMessage").message.id
    assert.equal("403 MESSAGE_AUTHOR_REQUIRED", refused(bob, "messages.editMessage", { peer = toAlice, id = there, message = "mine" }))
    assert.equal("400 MESSAGE_NOT_MODIFIED", refused(alice, "messages.editMessage", { peer = toBob, id = sent.id, message = "draft" }))
    assert.equal("400 MESSAGE_ID_INVALID", refused(alice, "messages.editMessage", { peer = toBob, id = 99999, message = "x" }))
    assert.equal("400 MESSAGE_ID_INVALID", refused(alice, "messages.editMessage", { peer = toBot, id = sent.id, message = "x" }))
    local updates = alice:must("messages.editMessage", { peer = toBob, id = sent.id, message = "done" })
    assert.equal("done", updates.updates[1].message.message)
    assert.is_truthy(updates.updates[1].message.edit_date)
    assert.equal("done", bob:expect("updateEditMessage").message.message)
    local again = alice:must("messages.getMessages", { id = { { _ = "inputMessageID", id = sent.id } } })
    assert.equal("done", again.messages[1].message)
  end)

  it("are deleted for one or for both", function()
    local sent = alice:send(toBob, "away")
    local there = bob:expect("updateNewMessage").message.id
    local affected = alice:must("messages.deleteMessages", { id = { sent.id } })
    assert.equal(1, affected.pts_count)
    assert.equal("away", bob:must("messages.getMessages", { id = { { _ = "inputMessageID", id = there } } }).messages[1].message)
    assert.equal("messageEmpty", alice:must("messages.getMessages", { id = { { _ = "inputMessageID", id = sent.id } } }).messages[1]._)
    assert.equal(0, alice:must("messages.deleteMessages", { id = { sent.id } }).pts_count)
    sent = alice:send(toBob, "away for both")
    there = bob:expect("updateNewMessage").message.id
    alice:must("messages.deleteMessages", { id = { sent.id }, revoke = true })
    assert.same({ there }, bob:expect("updateDeleteMessages").messages)
  end)

  it("come page by page, newest first", function()
    local sent = {}
    for i = 1, 5 do
      sent[i] = alice:send(toBob, "page " .. i).id
      bob:expect "updateNewMessage"
    end
    local function page(p)
      local q = { peer = toBob, offset_id = 0, offset_date = 0, add_offset = 0, limit = 3, max_id = 0, min_id = 0, hash = 0 }
      for k, v in pairs(p) do q[k] = v end
      local list = alice:must("messages.getHistory", q)
      local out = {}
      for i, m in ipairs(list.messages) do out[i] = m.id end
      return out, list
    end
    local list, whole = page {}
    assert.same({ sent[5], sent[4], sent[3] }, list)
    assert.equal("messages.messagesSlice", whole._)
    assert.is_true(whole.count >= 5)
    assert.same({ sent[2], sent[1] }, page { offset_id = sent[3], limit = 2 })
    assert.same({ sent[4], sent[3] }, page { offset_id = sent[3], add_offset = -2, limit = 2 })
    assert.same({ sent[4], sent[3] }, page { add_offset = 1, limit = 2 })
    assert.same({ sent[5] }, page { min_id = sent[4] })
    assert.same({ sent[2], sent[1] }, page { max_id = sent[3], offset_id = sent[3], limit = 2 })
    assert.same({}, page { limit = 0 })
    local found = alice:must("messages.search", { peer = toBob, q = "PAGE 3", filter = { _ = "inputMessagesFilterEmpty" }, min_date = 0,
      max_date = 0, offset_id = 0, add_offset = 0, limit = 10, max_id = 0, min_id = 0, hash = 0 })
    assert.same({ 1, sent[3] }, { #found.messages, found.messages[1].id })
  end)

  it("are read, and the writer sees how far", function()
    local sent = alice:send(toBob, "read me")
    local update = bob:expect "updateNewMessage"
    local function unread()
      local dialogs = bob:must("messages.getDialogs", {
        offset_date = 0, offset_id = 0, offset_peer = { _ = "inputPeerEmpty" }, limit = 100, hash = 0,
      })
      for _, d in ipairs(dialogs.dialogs) do
        if d.peer.user_id == alice.me.id then return d.unread_count, d.top_message end
      end
    end
    local n, top = unread()
    assert.is_true(n > 0)
    assert.equal(update.message.id, top)
    assert.equal(1, bob:must("messages.readHistory", { peer = toAlice, max_id = update.message.id }).pts_count)
    assert.equal(0, (unread()))
    local out = alice:expect "updateReadHistoryOutbox"
    assert.same({ bob.me.id, sent.id }, { out.peer.user_id, out.max_id })
    assert.equal(0, bob:must("messages.readHistory", { peer = toAlice, max_id = 0 }).pts_count)
  end)

  it("show who types", function()
    bob:must("messages.setTyping", { peer = toAlice, action = { _ = "sendMessageTypingAction" } })
    local update = alice:expect "updateUserTyping"
    assert.same({ bob.me.id, "sendMessageTypingAction" }, { update.user_id, update.action._ })
  end)

  it("go on to others with their origin", function()
    local sent = alice:send(toBob, "pass it on")
    bob:expect "updateNewMessage"
    alice:must("messages.forwardMessages", { from_peer = toBob, id = { sent.id }, random_id = { 424242 }, to_peer = toBot })
    local update = bot:expect "updateNewMessage"
    assert.equal("pass it on", update.message.message)
    assert.equal(alice.me.id, update.message.fwd_from.from_id.user_id)
  end)

  it("start a bot with a parameter", function()
    local input = { _ = "inputUser", user_id = toBot.user_id, access_hash = toBot.access_hash }
    alice:must("messages.startBot", { bot = input, peer = toBot, random_id = 434343, start_param = "from_a-link" })
    assert.equal("/start from_a-link", bot:expect("updateNewMessage").message.message)
    assert.equal("400 START_PARAM_INVALID",
      refused(alice, "messages.startBot", { bot = input, peer = toBot, random_id = 1, start_param = "a b" }))
    local other = { _ = "inputUser", user_id = toBob.user_id, access_hash = toBob.access_hash }
    assert.equal("400 BOT_INVALID", refused(alice, "messages.startBot", { bot = other, peer = toBob, random_id = 1, start_param = "" }))
  end)

  it("stop at who has blocked the bot, which hears of it", function()
    alice:must("contacts.block", { id = toBot })
    local stopped = bot:expect "updateBotStopped"
    assert.same({ alice.me.id, true }, { stopped.user_id, stopped.stopped })
    assert.equal("400 USER_IS_BLOCKED", refused(bot, "messages.sendMessage", message(botToAlice, "hello?")))
    alice:must("contacts.unblock", { id = toBot })
    assert.is_false(bot:expect("updateBotStopped").stopped)
    bot:must("messages.sendMessage", message(botToAlice, "hello!"))
    alice:expect "updateNewMessage"
  end)

  it("carry buttons whose press the bot answers", function()
    local markup = { _ = "replyInlineMarkup", rows = { { _ = "keyboardInlineButtonRow", buttons = {
      { _ = "keyboardInlineButton", text = "One", type = { _ = "inlineButtonTypeCallback", data = "1" } },
    } } } }
    bot:must("messages.sendMessage", message(botToAlice, "menu", { reply_markup = markup }))
    local shown = alice:expect("updateNewMessage").message
    assert.equal("One", shown.reply_markup.rows[1].buttons[1].text)
    assert.equal("400 DATA_INVALID", refused(alice, "messages.getBotCallbackAnswer", { peer = toBot, msg_id = shown.id, data = "2" }))
    local promise = alice.conn:callAsync("messages.getBotCallbackAnswer", { peer = toBot, msg_id = shown.id, data = "1" })
    local query = bot:expect "updateBotCallbackQuery"
    assert.same({ alice.me.id, "1", alice.me.id }, { query.user_id, query.data, query.peer.user_id })
    assert.equal("400 QUERY_ID_INVALID", refused(bot, "messages.setBotCallbackAnswer", { query_id = 5, cache_time = 0 }))
    bot:must("messages.setBotCallbackAnswer", { query_id = query.query_id, message = "pressed", alert = true, cache_time = 0 })
    local answer = require("_luna.promise").await(promise)
    assert.same({ "pressed", true }, { answer.message, answer.alert })
    assert.equal("400 QUERY_ID_INVALID", refused(bot, "messages.setBotCallbackAnswer", { query_id = query.query_id, cache_time = 0 }))
    local began = world:clock():now()
    assert.equal("400 BOT_RESPONSE_TIMEOUT",
      refused(alice, "messages.getBotCallbackAnswer", { peer = toBot, msg_id = shown.id, data = "1" }))
    assert.near(10, world:clock():now() - began, 1)
    bot:expect "updateBotCallbackQuery"
  end)

  it("show an older layer the buttons that it knows", function()
    local old = connect(world, { layer = 227 })
    old:login "9996620001"
    local markup = { _ = "replyInlineMarkup", rows = { { _ = "keyboardInlineButtonRow", buttons = {
      { _ = "keyboardInlineButton", text = "One", type = { _ = "inlineButtonTypeCallback", data = "1" } },
    } } } }
    bot:must("messages.sendMessage", message(botToAlice, "menu", { reply_markup = markup }))
    assert.equal("keyboardButtonCallback", old:expect("updateNewMessage").message.reply_markup.rows[1].buttons[1]._)
    assert.equal("keyboardInlineButton", alice:expect("updateNewMessage").message.reply_markup.rows[1].buttons[1]._)
    old:close()
  end)

  it("refuse keyboards that cannot be", function()
    local function why(kind)
      local b = { _ = "keyboardInlineButton", text = "x", type = kind }
      return refused(bot, "messages.sendMessage", message(botToAlice, "x", { reply_markup = {
        _ = "replyInlineMarkup", rows = { { _ = "keyboardInlineButtonRow", buttons = { b } } },
      } }))
    end
    assert.equal("400 BUTTON_DATA_INVALID", why { _ = "inlineButtonTypeCallback", data = "" })
    assert.equal("400 BUTTON_DATA_INVALID", why { _ = "inlineButtonTypeCallback", data = ("x"):rep(65) })
    assert.equal("400 BUTTON_URL_INVALID", why { _ = "inlineButtonTypeUrl", url = "nothing" })
  end)
end)
