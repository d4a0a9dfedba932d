-- Reactions: what people and bots do to messages, and who hears of it.
local luna = require "luna"
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local connect = dofile(folder .. "/spec/support/wire.lua")

-- "👍 2" for each kind, and " mine" behind what the viewer has chosen.
local function counts(message)
  local out = {}
  for i, r in ipairs(message.reactions and message.reactions.results or {}) do
    out[i] = ("%s %d%s"):format(r.reaction.emoticon, r.count, r.chosen_order and " mine" or "")
  end
  return table.concat(out, ", ")
end

describe("reactions in a world", function()
  local world = require("luna.sandbox").world()
  local heard = {}
  local function emoji(list)
    local out = {}
    for i, r in ipairs(list) do out[i] = r.emoticon or ("%s*%d"):format(r.reaction.emoticon, r.count) end
    return table.concat(out, ",")
  end
  local Bot = luna.EventHandler:extend "Bot"
  function Bot:onUpdateBotMessageReaction(u)
    heard[#heard + 1] = ("%d by %d: %s > %s"):format(u.msg_id, u.actor.user_id, emoji(u.old_reactions), emoji(u.new_reactions))
    assert.near(world.model:now(), u.date, 1)
  end
  function Bot:onUpdateBotMessageReactions(u) heard[#heard + 1] = ("%d: %s"):format(u.msg_id, emoji(u.reactions)) end
  Bot:command("like", function(self, message, args)
    local list = {}
    for i, e in ipairs(args) do list[i] = { _ = "reactionEmoji", emoticon = e } end
    local ok, err = pcall(self.messages.sendReaction, { peer = message, msg_id = message.id, reaction = list })
    if not ok then message:reply(err.rpc) end
  end)
  local bot = world:run(Bot)
  local alice, bob = world:user "Alice", world:user "Bob"
  local function settle() world:clock():advance(1) end
  before_each(function() heard = {} end)

  it("of a person in the bot's chat are told to the bot, with what was there before", function()
    local sent = alice:send(bot, "hello")
    assert.equal("👍 1 mine", counts(alice:react(sent, "👍")))
    assert.equal("❤ 1 mine", counts(alice:react(sent, "❤️"))) -- with the variation selector, as keyboards write it
    assert.is_nil(alice:react(sent).reactions)
    settle()
    local id = bot.api.messages.getMessages({ id = { { _ = "inputMessageID", id = 1 } } }).messages[1].id
    local by = ("%d by %d: "):format(id, alice.id)
    assert.same({ by .. " > 👍", by .. "👍 > ❤", by .. "❤ > " }, heard)
    assert.matches("Alice reacts to 1: 👍\n.*Alice reacts to 1: ❤\n.*Alice takes the reaction to 1 back", world:transcript())
  end)

  it("of a bot are seen by people, and not told to bots", function()
    local sent = alice:send(bot, "/like 🎉")
    local message = alice:expectReaction(sent, "🎉")
    assert.equal("🎉 1", counts(message))
    assert.equal(bot.id, message.reactions.recent_reactions[1].peer_id.user_id)
    alice:react(sent, "🎉")
    assert.equal("🎉 2 mine", counts(alice:message(sent)))
    settle()
    assert.equal(1, #heard)
  end)

  it("are refused as Telegram does", function()
    alice:send(bot, "/like 🚗")
    assert.equal("REACTION_INVALID", alice:expect(bot).message)
    alice:send(bot, "/like 👍 👎")
    assert.equal("REACTIONS_TOO_MANY", alice:expect(bot).message)
    local sent = alice:send(bot, "/like 👍")
    alice:react(sent, "👍")
    local _, why = pcall(function() alice:react(sent, "👍") end)
    assert.matches("reactions_spec.lua:%d+: Alice: the sandbox refuses it: MESSAGE_NOT_MODIFIED", why)
    settle()
  end)

  it("in a group are told to bots that are admins, with one entry for each person", function()
    local group = world:group("Garden", { members = { alice, bob, bot } })
    local sent = bob:send(group, "roses")
    alice:react(sent, "🔥")
    settle()
    assert.same({}, heard)
    group.owner:promote(group, bot)
    bob:react(sent, "🔥")
    assert.equal("🔥", bob:expectReaction(sent).reactions.results[1].reaction.emoticon)
    settle()
    assert.equal(1, #heard)
    assert.matches(("by %d:  > 🔥"):format(bob.id), heard[1])
    assert.equal("🔥 2 mine", counts(bob:message(sent)))
    assert.equal(2, #bob:message(sent).reactions.recent_reactions)
    alice:leave(group)
    assert.error_matches(function() alice:react(sent, "👍") end, "CHAT_WRITE_FORBIDDEN")
  end)

  it("in a channel are counted, and nobody is named", function()
    local channel = world:channel("News", { members = { alice, bob }, admins = { bot } })
    local post = channel.owner:send(channel, "today")
    alice:react(post, "👏")
    bob:react(post, "👏")
    bob:react(post, "💯")
    settle()
    assert.same({ "2: 👏*1", "2: 👏*2", "2: 👏*1,💯*1" }, heard)
    local seen = alice:message(post).reactions
    assert.is_nil(seen.recent_reactions)
    assert.is_nil(seen.can_see_list)
  end)

  it("that are expected and do not come are an error of the test's line, with the conversation", function()
    local sent = alice:send(bot, "hello")
    local ok, why = pcall(function() alice:expectReaction(sent, 3, "👍") end)
    assert.is_false(ok)
    assert.matches('reactions_spec.lua:%d+: Alice expected a reaction 👍 to "hello" within 3 s; none came', why)
    assert.matches("\n   1  Alice: hello", why)
    assert.error_matches(function() alice:react(sent, 5) end, "a reaction is an emoji, not a number")
    assert.error_matches(function() alice:expectReaction(sent, "🚗") end, "REACTION_INVALID")
  end)

  it("are told after a time away", function()
    local sent = alice:send(bot, "hello")
    settle()
    bot:stop()
    alice:react(sent, "👀")
    assert.same({}, heard)
    bot:restart()
    settle()
    assert.equal(1, #heard)
  end)
end)

describe("reactions on the wire", function()
  local world = require("luna.sandbox").world()
  local alice, bob, bot = connect(world), connect(world), connect(world)
  alice:login "9996620001"
  bob:login "9996620002"
  bot:bot "7001:AAbbccdd"
  world.model:setUsername(bob.me.id, "bobby")
  local toBob = alice:peer "bobby"
  local function refused(c, name, params) return (select(2, c:call(name, params))) end
  local function react(id, ...)
    local list = {}
    for i, e in ipairs { ... } do list[i] = { _ = "reactionEmoji", emoticon = e } end
    return { peer = toBob, msg_id = id, reaction = list }
  end

  it("come to both, can be asked for and listed", function()
    local id = alice:send(toBob, "hi").id
    local mine = alice:must("messages.sendReaction", react(id, "👍")).updates[1]
    assert.same({ "updateMessageReactions", id, 0 }, { mine._, mine.msg_id, mine.reactions.results[1].chosen_order })
    local theirs = bob:expect "updateMessageReactions"
    assert.same({ alice.me.id, 1 }, { theirs.peer.user_id, theirs.reactions.results[1].count })
    assert.is_nil(theirs.reactions.results[1].chosen_order)
    local asked = alice:must("messages.getMessagesReactions", { peer = toBob, id = { id } }).updates
    assert.equal("👍", asked[1].reactions.results[1].reaction.emoticon)
    local all = alice:must("messages.getMessageReactionsList", { peer = toBob, id = id, limit = 10 })
    assert.same({ 1, alice.me.id, true }, { all.count, all.reactions[1].peer_id.user_id, all.reactions[1].my })
    assert.equal(alice.me.id, all.users[1].id)
    local history = alice:must("messages.getMessages", { id = { { _ = "inputMessageID", id = id } } })
    assert.equal("👍 1 mine", counts(history.messages[1]))
  end)

  it("have Telegram's errors", function()
    local id = alice:send(toBob, "hi").id
    assert.equal("400 MESSAGE_ID_INVALID", refused(alice, "messages.sendReaction", react(id + 7, "👍")))
    assert.equal("400 REACTION_INVALID", refused(alice, "messages.sendReaction", react(id, "x")))
    assert.equal("400 REACTIONS_TOO_MANY", refused(alice, "messages.sendReaction", react(id, "👍", "👎")))
    assert.equal("400 MESSAGE_NOT_MODIFIED", refused(alice, "messages.sendReaction", react(id)))
    local custom = react(id)
    custom.reaction[1] = { _ = "reactionCustomEmoji", document_id = 5 }
    assert.equal("400 REACTION_INVALID", refused(alice, "messages.sendReaction", custom))
    assert.equal("400 BOT_METHOD_INVALID", refused(bot, "messages.getMessagesReactions", { peer = { _ = "inputPeerSelf" }, id = { 1 } }))
  end)
end)
