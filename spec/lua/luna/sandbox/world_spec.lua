-- The test kit itself: people, bots, the clock, and what a failed expectation says.
local luna = require "luna"
local timer = require "_luna.timer"
local system = require "_luna.system"

local function fails(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

local function echo(update)
  if update._ == "updateNewMessage" and not update.message.out and update.message.message then
    update.message:reply(update.message.message)
  end
end

describe("world", function()
  local world = require("luna.sandbox").world()
  local bot = world:run(echo, { name = "echo" })
  local alice = world:user "Alice"
  local bob = world:user("Bob", { username = "bobby", phone = "+9996620077" })

  it("gives bots and people names and ids", function()
    assert.same({ "echo_bot", "bobby", "Alice" }, { bot.username, bob.username, alice.name })
    assert.equal(bot.id, bot.api:getSelf().id)
    assert.equal("echo2_bot", world:run(echo, { name = "echo" }).username)
  end)

  it("runs a class with its settings, and calls it by its name", function()
    local Friendly = luna.EventHandler:extend "VeryFriendly"
    function Friendly:onUpdateNewMessage(update)
      if not update.message.out then update.message:reply("hi from " .. tostring(self.state.mood or "nobody")) end
    end
    function Friendly:onStart() self.state.mood = "me" end
    local friendly = world:run(Friendly)
    assert.equal("very_friendly_bot", friendly.username)
    alice:send(friendly, "x")
    assert.equal("hi from me", alice:expect(friendly).message)
    assert.equal("me", friendly.handler.state.mood)
  end)

  it("refuses what is no bot", function()
    assert.matches("world:run takes a path, a handler class or a function, not a number", fails(world.run, world, 5))
  end)

  it("takes messages in order, each once", function()
    for i = 1, 3 do alice:send(bot, "m" .. i) end
    for i = 1, 3 do assert.equal("m" .. i, alice:expect(bot).message) end
    alice:expectNothing(bot)
  end)

  it("passes over what a pattern does not fit", function()
    alice:send(bot, "one")
    alice:send(bot, "two")
    assert.equal("two", alice:expect(bot, 5, "^t").message)
    alice:expectNothing(bot)
    alice:send(bot, "three")
    assert.equal("three", alice:expect(bot, "^t").message)
  end)

  it("shows the conversation where nothing came", function()
    local quiet = world:user "Quiet"
    alice:send(quiet, "anybody?")
    local before = world:clock():now()
    local err = fails(alice.expect, alice, quiet, 30, "yes")
    assert.matches('Alice expected a message from Quiet like "yes" within 30 s; none came', err, 1, true)
    assert.matches("Alice: anybody?", err, 1, true)
    assert.near(30, world:clock():now() - before, 0.01)
  end)

  it("complains at the test's line", function()
    local here = "^[^:]*world_spec.lua:%d+: "
    assert.matches(here .. "Alice expected a message", fails(function() local _ = alice:expect(bob, 1) end))
    assert.matches(here .. "Alice: the sandbox refuses it: MESSAGE_EMPTY", fails(function() local _ = alice:send(bot, "") end))
    assert.matches(here .. "a message is a text or a table, not a number", fails(function() local _ = alice:send(bot, 5) end))
    assert.matches(here .. "a peer is a bot, a person", fails(function() local _ = alice:send({}, "x") end))
  end)

  it("says what came where nothing should", function()
    alice:send(bot, "noise")
    local err = fails(alice.expectNothing, alice, bot, 2)
    assert.matches("Alice expected nothing from echo_bot within 2 s, and got: noise", err, 1, true)
  end)

  it("has time of its own, which passes only while one waits", function()
    local real, virtual, date = system.monotonic(), world:clock():now(), os.time()
    world:clock():advance(3600)
    assert.near(3600, world:clock():now() - virtual, 0.001)
    assert.near(3600, os.time() - date, 1)
    luna.sleep(10)
    assert.near(3610, world:clock():now() - virtual, 0.001)
    assert.is_true(system.monotonic() - real < 3600e6)
    local sent = alice:send(bot, "when?")
    assert.near(os.time(), sent.date, 1)
    assert.near(os.time(), alice:expect(bot).date, 1)
  end)

  it("lets people edit, delete, read, type, block", function()
    local seen = {}
    local watcher = world:run(function(update) seen[#seen + 1] = update end, { name = "watcher" })
    local sent = alice:send(watcher, "first")
    assert.equal("second", alice:edit(sent, "second").message)
    alice:delete(sent)
    alice:read(watcher)
    alice:block(watcher)
    alice:unblock(watcher)
    world:clock():advance(1)
    local names = {}
    for i, u in ipairs(seen) do names[i] = u._ end
    assert.same({ "updateNewMessage", "updateEditMessage", "updateDeleteMessages", "updateBotStopped", "updateBotStopped" }, names)
    assert.is_nil(alice:message(sent))
    assert.matches("the sandbox refuses it: MESSAGE_ID_INVALID", fails(alice.edit, alice, sent, "third"))
  end)

  it("lets people send files", function()
    local got
    local taker = world:run(function(update) got = update end, { name = "taker" })
    alice:send(taker, { message = "look", document = "some bytes", name = "a.txt" })
    world:clock():advance(1)
    assert.same({ "look", 10 }, { got.message.message, got.message.media.document.size })
    assert.same({ "some bytes", "a.txt", "application/octet-stream" }, { alice:file(alice:history(taker)[1]) })
    assert.matches("world_spec.lua:%d+: Alice: there is no file in a message without media",
      fails(function() local _ = alice:file(alice:send(taker, "x")) end))
  end)

  it("picks out what a test expects", function()
    local many = world:run(function(update)
      if update._ ~= "updateNewMessage" or update.message.out or not update.message.message then return end
      update.message:reply "words"
      update.message:reply { message = "here", media = { document = "bytes", name = "a.txt" } }
      update.message:reply { message = "press", reply_markup = { inline_keyboard = { { { text = "Go", callback_data = "g" } } } } }
    end, { name = "many" })
    local function ask(filter)
      alice:send(many, "go")
      local message = alice:expect(many, filter)
      alice:read(many)
      world:clock():advance(1)
      return message.message
    end
    assert.equal("here", ask { media = "document" })
    assert.equal("here", ask { media = true, text = "^h" })
    assert.equal("press", ask { button = "Go" })
    assert.equal("press", ask(function(m) return m.reply_markup ~= nil end))
    local group = world:group("Garden", { members = { alice, bob, many } })
    bob:send(group, "hello")
    assert.equal("words", alice:expect(group, { from = many }).message)
    assert.matches('expected a message from Garden like "x" with a photo by Bob within 5 s',
      fails(alice.expect, alice, group, { text = "x", media = "photo", from = bob }), 1, true)
    assert.matches('there is no media of the kind "phto"; did you mean "photo"', fails(alice.expect, alice, many, { media = "phto" }))
    assert.matches('what is expected has no "txt"; did you mean "text"', fails(alice.expect, alice, many, { txt = "x" }))
  end)

  it("waits for edits", function()
    local editor
    editor = world:run(function(update)
      if update._ ~= "updateNewMessage" or update.message.out then return end
      local sent = editor.api.messages.sendMessage { peer = update, message = "wait …" }
      luna.sleep(2)
      editor.api.messages.editMessage { peer = update, id = sent.updates[2].message.id, message = "done" }
    end, { name = "editor" })
    alice:send(editor, "go")
    local message = alice:expect(editor)
    assert.equal("wait …", message.message)
    assert.equal("done", alice:expectEdit(editor).message)
    assert.equal("done", alice:message(message).message)
    assert.matches("expected an edit", fails(alice.expectEdit, alice, editor, 1))
  end)

  it("presses buttons by label and by place", function()
    local menu
    menu = world:run(function(update)
      if update._ == "updateNewMessage" and not update.message.out then
        update.message:reply { message = "choose", reply_markup = { inline_keyboard = {
          { { text = "Left", callback_data = "l" }, { text = "Right", callback_data = "r" } },
          { { text = "Site", url = "https://example.com" } },
        } } }
      elseif update._ == "updateBotCallbackQuery" then
        menu.api.messages.setBotCallbackAnswer { query_id = update.query_id, message = "got " .. update.data, cache_time = 0 }
      end
    end, { name = "menu" })
    alice:send(menu, "/start")
    local message = alice:expect(menu)
    assert.equal("got l", alice:click(message, "Left").message)
    assert.equal("got r", alice:click(message, 1, 2).message)
    assert.equal("https://example.com", alice:click(message, "Site").url)
    assert.matches('has no button "Up"; it has Left, Right, Site', fails(alice.click, alice, message, "Up"), 1, true)
  end)

  it("presses buttons that do other things", function()
    local other = world:run(function(update)
      if update._ == "updateBotInlineQuery" then
        return update:answer { { title = update.query .. update.peer_type._, input_message_content = "x" } }
      end
      if update._ ~= "updateNewMessage" or update.message.out or not update.message.message then return end
      update.message:send { message = "inline", reply_markup = { inline_keyboard = { {
        { text = "Here", switch_inline_query_current_chat = "tea" }, { text = "There", switch_inline_query = "milk" },
        { text = "Copy", copy_text = "abc" } } } } }
      update.message:send { message = "reply", reply_markup = { keyboard = { { "Plain", { text = "Phone", request_contact = true },
        { text = "Place", request_location = true } } } } }
    end, { name = "other" })
    local group = world:group("Garden", { members = { alice, other } })
    alice:send(group, "go")
    local message = alice:expect(group, { button = "Here" })
    assert.equal("teainlineQueryPeerTypeChat", alice:click(message, "Here")[1].title)
    assert.equal("milkinlineQueryPeerTypeSameBotPM", alice:click(message, "There")[1].title)
    assert.equal("abc", alice:click(message, "Copy").copied)
    local keyboard = alice:expect(group, { button = "Plain" })
    assert.equal("Plain", alice:click(keyboard, "Plain").message)
    assert.equal(alice.account.phone, alice:click(keyboard, "Phone").media.phone_number)
    assert.matches("world_spec.lua:%d+: Alice: a button of the kind buttonTypeRequestGeoLocation cannot be pressed",
      fails(function() alice:click(keyboard, "Place") end))
  end)

  it("tells service messages where they are asked for", function()
    local group = world:group("Garden", { members = { bob, alice } })
    local message = bob:send(group, "read this")
    bob:pin(message)
    bob:rename(group, "Park")
    assert.equal("read this", alice:expect(group).message)
    assert.equal("Park", alice:expect(group, { action = "chatEditTitle", from = bob }).action.title)
    alice:expectNothing(group)
    local function why(action) return fails(alice.expect, alice, group, { action = action }) end
    assert.matches("expected a message from Park of the kind messageActionPinMessage within 5 s", why "pinMessage")
    assert.matches('there is no service message "pinned": pinMessage, chatAddUser', why "pinned")
    bob:pin(bob:send(group, "and this"))
    assert.equal("messageActionPinMessage", alice:expect(group, { action = true }).action._)
  end)

  it("has groups and channels", function()
    local group = world:group("Garden", { members = { alice, bot } })
    assert.is_true(group.id < 0)
    alice:send(group, "hello all")
    assert.equal("hello all", alice:expect(group).message)
    bob:join(group)
    bob:send(group, "me too")
    assert.equal("me too", alice:expect(group, 5, "too").message)
    alice:kick(group, bob)
    assert.matches("CHAT_WRITE_FORBIDDEN", fails(bob.send, bob, group, "and now?"))
    local news = world:channel("News", { members = { bob }, owner = alice, username = "news_here" })
    alice:send(news, "extra")
    assert.equal("extra", bob:expect(news).message)
    assert.matches("CHAT_ADMIN_REQUIRED", fails(bob.send, bob, news, "me too"))
  end)

  it("shows a bot with privacy only what is meant for it", function()
    local seen = {}
    local function note(update) seen[#seen + 1] = update.message and update.message.message end
    local shy = world:run(note, { name = "shy", privacy = true })
    local group = world:group("Garden", { members = { alice, shy } })
    alice:send(group, "not for bots")
    alice:send(group, "/start")
    alice:send(group, "hello @shy_bot")
    world:clock():advance(1)
    assert.same({ "/start", "hello @shy_bot" }, seen)
  end)

  it("keeps two worlds apart", function()
    local other = require("luna.sandbox").world()
    local twin = other:run(echo, { name = "echo" })
    local anna = other:user "Anna"
    anna:send(twin, "only here")
    assert.equal("only here", anna:expect(twin).message)
    alice:expectNothing(bot)
    other:close()
    assert.matches("this world has been closed", fails(anna.send, anna, twin, "x"))
    world:enter()
  end)
end)

describe("a handler that fails", function()
  it("is told once, with the conversation, unless the test has expected it", function()
    local world = require("luna.sandbox").world()
    local bot = world:run(function() error "on purpose" end, { name = "broken" })
    local alice = world:user "Alice"
    alice:send(bot, "x")
    local err = fails(alice.expect, alice, bot)
    assert.matches("broken_bot failed: .*world_spec.lua:%d+: on purpose\n.*the conversation:\n   1  Alice: x\n      broken_bot failed", err)
    assert.equal(1, #bot.errors)
    world:check() -- expect has told it
    alice:send(bot, "z")
    world:clock():advance(1)
    err = fails(world.check, world)
    assert.matches("broken_bot failed: .*on purpose\n.*what was said and done:\nAlice and broken_bot\n", err)
    assert.equal(1, select(2, err:gsub("%f[%w]Alice: z", "")))
    world:check()
    alice:send(bot, "y")
    world:clock():advance(1)
    assert.equal(1, #bot:takeErrors())
    world:check()
  end)
end)

describe("a world's chances", function()
  local function run(seed)
    local world = require("luna.sandbox").world { seed = seed }
    local list = {}
    for i = 1, 3 do list[i] = world.model:random() end
    world:close()
    return list
  end
  it("are the same for the same seed", function()
    assert.same(run(7), run(7))
    assert.are_not.same(run(7), run(8))
    timer.useClock(nil)
  end)
end)
