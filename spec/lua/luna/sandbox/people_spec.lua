-- Several people and bots in one world: members who come and go, scripts of several bots, expectations side by side, misspelt names.
local luna = require "luna"
local host = require "_luna.host"

local function fails(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

describe("members of a group", function()
  local world = require("luna.sandbox").world()
  local alice, bob, carol = world:user "Alice", world:user "Bob", world:user "Carol"
  local seen = {}
  local function kind(p) return p and p._:gsub("^cha[tn]%l*Participant", ""):lower() or "none" end
  local bot = world:run(function(update)
    if update._ == "updateChatParticipant" or update._ == "updateChannelParticipant" then
      local who = world.model:name(update.user_id)
      seen[#seen + 1] = ("%s: %s → %s"):format(who, kind(update.prev_participant), kind(update.new_participant))
    end
  end, { name = "warden" })
  local function heard()
    world:clock():advance(1)
    local list = seen
    seen = {}
    return list
  end
  before_each(function() seen = {} end)

  it("a bot hears of itself, and of the others once it is an admin", function()
    local group = world:group("Garden", { members = { alice, bob } })
    alice:add(group, bot)
    carol:join(group)
    assert.same({ "warden_bot: none → " }, heard())
    alice:promote(group, bot)
    alice:kick(group, carol)
    bob:leave(group)
    alice:demote(group, bot)
    alice:add(group, bob)
    alice:kick(group, bot)
    assert.same({
      "warden_bot:  → admin", "Carol:  → none", "Bob:  → none", "warden_bot: admin → ", "warden_bot:  → none",
    }, heard())
    assert.matches("leave takes a place alone: person:kick", fails(alice.leave, alice, group, bob))
    assert.matches("a basic group bans nobody", fails(alice.unban, alice, group, bob))
    assert.matches("CHAT_ADMIN_REQUIRED", fails(bob.promote, bob, group, alice))
  end)

  it("in supergroups too, where one may be banned", function()
    local park = world:channel("Park", { owner = alice, megagroup = true, username = "the_park", admins = { bot } })
    assert.same({ "warden_bot: none → ", "warden_bot:  → admin" }, heard())
    bob:join(park)
    alice:ban(park, bob)
    assert.matches("CHANNEL_PRIVATE", fails(bob.join, bob, park))
    alice:unban(park, bob)
    bob:join(park)
    bob:leave(park)
    assert.same({ "Bob: none → ", "Bob:  → banned", "Bob: banned → none", "Bob: none → ", "Bob:  → none" }, heard())
  end)

  it("titles and pins change as people say", function()
    local group = world:group("Old", { members = { alice, bob } })
    alice:rename(group, "New")
    local message = alice:send(group, "read this")
    alice:pin(message)
    assert.is_true(alice:message(message).pinned)
    alice:unpin(message)
    assert.is_nil(alice:message(message).pinned)
    assert.matches("CHAT_NOT_MODIFIED", fails(alice.unpin, alice, message))
    assert.equal("New\n   1  Alice makes the group with Bob\n   2  Alice calls it \"New\"\n   3  Alice: read this\n   4  Alice pins 3",
      world:transcript(group))
  end)

  it("what happened while the bot was away is told when it comes back", function()
    local group = world:group("Garden", { members = { alice } })
    world:fault { gap = 1 }
    alice:add(group, bot)
    alice:promote(group, bot)
    world:fault { cut = true }
    world:clock():advance(30)
    assert.same({ "warden_bot: none → ", "warden_bot:  → admin" }, heard())
  end)
end)

describe("a script of several bots", function()
  local folder = os.tmpname()
  os.remove(folder)
  host.mkdirs(folder)
  local path = folder .. "/two.lua"
  local function write(word)
    host.writeFile(path, ([[
      local luna = require "luna"
      local list = {}
      for i, name in ipairs { "Shop", "Desk" } do
        local Bot = luna.EventHandler:extend(name)
        function Bot:onUpdateNewMessage(update)
          if not update.message.out then update.message:reply(name .. " %s") end
        end
        list[i] = Bot
      end
      list[3] = function(update)
        if update._ == "updateNewMessage" and not update.message.out then update.message:reply "function %s" end
      end
      return list
    ]]):gsub("%%s", word), 420)
  end
  write "one"
  teardown(function() os.execute("rm -rf '" .. folder .. "'") end)
  local world = require("luna.sandbox").world()
  local alice, bob = world:user "Alice", world:user "Bob"

  it("gives a bot for each, which are reloaded together", function()
    local shop, desk, third = world:run(path)
    assert.same({ "shop_bot", "desk_bot", "two_bot" }, { shop.username, desk.username, third.username })
    local function ask(who, bot)
      who:send(bot, "?")
      return who:expect(bot).message
    end
    assert.same({ "Shop one", "Desk one", "function one" }, { ask(alice, shop), ask(bob, desk), ask(alice, third) })
    local before = desk.handler
    write "two"
    shop:reload()
    assert.not_equal(before, desk.handler)
    assert.same({ "Shop two", "Desk two", "function two" }, { ask(alice, shop), ask(bob, desk), ask(alice, third) })
  end)
end)

describe("a message that several people have", function()
  local world = require("luna.sandbox").world()
  local alice, bob, carol = world:user "Alice", world:user "Bob", world:user "Carol"
  local bot = world:run(function(update)
    if update._ == "updateNewMessage" and update.message.message == "/ask" then
      update.message:send { message = "Well?", reply_markup = { inline_keyboard = { { { text = "Yes", callback_data = "y" } } } } }
    elseif update._ == "updateBotCallbackQuery" then
      update:answer(world.model:name(update.user_id))
    end
  end, { name = "asker" })

  it("is each one's own, whoever got it for the test", function()
    local group = world:group("Garden", { members = { alice, bob, bot } })
    for i = 1, 5 do bob:send(bot, "bob's ids run ahead " .. i) end
    alice:send(group, "/ask")
    local asked = bob:expect(group, { button = "Yes" })
    assert.equal("Alice", alice:click(asked, "Yes").message)
    assert.equal("Bob", bob:click(asked, "Yes").message)
    local mine = alice:message(asked)
    assert.same({ "Well?", true }, { mine.message, mine.id ~= asked.id })
    assert.equal(mine.id, alice:send(group, { message = "yes", reply_to = asked }).reply_to.reply_to_msg_id)
    local said = alice:send(bob, "between us")
    bob:delete(said)
    assert.is_nil(alice:message(said))
  end)

  it("is not there for who came later, or is somebody else", function()
    local group = world:group("Garden", { members = { alice, bot } })
    alice:send(group, "/ask")
    local asked = alice:expect(group, { button = "Yes" })
    carol:join(group)
    local err = fails(function() carol:click(asked, "Yes") end)
    assert.matches("people_spec.lua:%d+: Carol: this message is not in Carol's chats: it came while Carol was not there", err)
    assert.matches("this message is not in Bob's chats", fails(bob.edit, bob, alice:send(bot, "mine"), "his"))
  end)

  it("a button that is not there: the error has the conversation", function()
    alice:send(bot, "/ask")
    local err = fails(function() alice:click(alice:expect(bot), "No") end)
    assert.matches('people_spec.lua:%d+: Alice: ".-" of .- has no button "No"; it has Yes\nthe conversation:\n   1  Alice: /ask\n', err)
    assert.is_nil(err:find("mine", 1, true)) -- that was another test's
  end)
end)

describe("people side by side", function()
  local world = require("luna.sandbox").world()
  local alice, bob = world:user "Alice", world:user "Bob"
  local slow = world:run(function(update)
    local message = update.message
    if update._ ~= "updateNewMessage" or message.out or not message.message then return end
    luna.sleep(tonumber(message.message) or 0)
    message:reply("after " .. message.message)
  end, { name = "slow" })

  it("expect at the same time, each their own", function()
    alice:send(slow, "20")
    bob:send(slow, "10")
    local order = {}
    local found = luna.all {
      function()
        local m = alice:expect(slow, 60).message
        order[#order + 1] = "Alice"
        return m
      end,
      function()
        local m = bob:expect(slow, 60).message
        order[#order + 1] = "Bob"
        return m
      end,
    }
    assert.same({ "after 20", "after 10" }, { found[1], found[2] })
    assert.same({ "Bob", "Alice" }, order)
  end)

  it("one person in two places, and twice in one", function()
    local group = world:group("Garden", { members = { alice, bob } })
    local found = luna.all {
      function() return alice:expect(slow, 60).message end,
      function() return alice:expect(slow, 60).message end,
      function() return alice:expect(group, 60, { from = bob }).message end,
      function()
        alice:send(slow, "1")
        alice:send(slow, "2")
        bob:send(group, "here")
        return true
      end,
    }
    table.sort(found, function(a, b) return tostring(a) < tostring(b) end)
    assert.same({ "after 1", "after 2", "here", true }, { found[1], found[2], found[3], found[4] })
  end)

  it("each fails at its own line", function()
    local _, err = pcall(luna.all, {
      function() alice:expectNothing(slow, 5) end,
      function() local _ = bob:expect(slow, 3) end,
    })
    assert.matches("people_spec.lua:%d+: Bob expected a message from slow_bot within 3 s", tostring(err))
  end)
end)

describe("a misspelt name of the test kit", function()
  local explain = require("luna.suggest").explain
  local world = require("luna.sandbox").world()
  local alice, bot = world:user "Alice", world:run(function() end)
  it("is told with a guess", function()
    assert.matches('did you mean "send"?', explain(fails(function() alice:sned(bot, "x") end)), 1, true)
    assert.matches('did you mean "transcript"?', explain(fails(function() world:transscript() end)), 1, true)
    assert.matches('did you mean "takeErrors"?', explain(fails(function() bot:takeError() end)), 1, true)
    assert.matches('did you mean "advance"?', explain(fails(function() world:clock():advnce(1) end)), 1, true)
    assert.matches("world:user: unknown option \"user_name\"; did you mean \"username\"?",
      fails(function() world:user("X", { user_name = "x" }) end), 1, true)
  end)
  it("says at the test's line what it cannot take", function()
    local cases = {
      { function() alice:expect(bot, 1, "what[") end, '"what[" is no Lua pattern: malformed pattern' },
      { function() alice:expect(bot, 1, { text = "[" }) end, '"[" is no Lua pattern: malformed pattern' },
      { function() alice:expect(bot, 1, { text = 5 }) end, "the text that is expected is a Lua pattern, not a number" },
      { function() alice:expectNothing(bot, "x") end, "expectNothing wants a number of seconds, got a string" },
      { function() alice:send(bot, { message = 5 }) end, "a message's text is a string, not a number" },
      { function() alice:send(bot, { photo = true }) end, "a message's photo is bytes in a string, not a boolean" },
      { function() alice:click({}, "x") end, "a peer is a bot, a person, a group, a channel or a username, not table" },
      { function() alice:join(bot) end, "is no group and no channel" },
      { function() world:user(5) end, "a person has a first name, not a number" },
      { function() world:group(5) end, "a group or a channel has a title, not a number" },
      { function() world:channel("x", { members = 5 }) end, "members are a list of people and bots, not a number" },
      { function() world:group("x", { members = { 5 } }) end, "among the members is a number, no person or bot" },
      { function() world:fault "drop" end, "world:fault wants a table, got a string" },
    }
    for _, case in ipairs(cases) do
      local err = fails(case[1])
      assert.matches(case[2], err, 1, true)
      assert.matches(("people_spec.lua:%d: "):format(debug.getinfo(case[1], "S").linedefined), err, 1, true)
    end
  end)
  it("says what a group is not", function()
    local group = world:group("Garden", { members = { alice } })
    assert.matches("a group does nothing by itself: person:send(group, …)", fails(function() group:send("x") end), 1, true)
  end)
end)
