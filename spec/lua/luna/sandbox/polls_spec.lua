-- Polls: sent by bots and people, voted on, closed; who hears of it, and what is refused.
local luna = require "luna"
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local connect = dofile(folder .. "/spec/support/wire.lua")

local function text(s) return { _ = "textWithEntities", text = s, entities = {} } end

-- An inputMediaPoll. more: fields of the poll; of the media: those of `media`.
local function poll(question, answers, more, media)
  local p = { _ = "poll", id = 0, hash = 0, question = text(question), answers = {} }
  for i, a in ipairs(answers) do p.answers[i] = { _ = "inputPollAnswer", text = text(a) } end
  for k, v in pairs(more or {}) do p[k] = v end
  local out = { _ = "inputMediaPoll", poll = p }
  for k, v in pairs(media or {}) do out[k] = v end
  return out
end

-- "Tea 2 mine, Coffee 0 of 2"; "? of 2" where one does not see who has chosen what.
local function standing(media)
  local out = {}
  for i, r in ipairs(media.results.results or {}) do
    out[i] = ("%s %d%s%s"):format(media.poll.answers[i].text.text, r.voters, r.chosen and " mine" or "", r.correct and " right" or "")
  end
  return ("%s of %d"):format(#out > 0 and table.concat(out, ", ") or "?", media.results.total_voters)
end

describe("polls in a world", function()
  local world = require("luna.sandbox").world()
  local last -- the bot's id of what it has sent
  local heard, kinds = {}, { anonymous = {}, public = { public_voters = true }, several = { multiple_choice = true } }
  local Bot = luna.EventHandler:extend "Bot"
  kinds.quiz, kinds.short = { quiz = true }, { close_period = 60 }
  Bot:command("poll", function(_, message, args)
    local media = args[1] == "quiz" and { correct_answers = { 1 }, solution = "Coffee is.", solution_entities = {} } or nil
    last = message:reply({ media = poll("Which?", { "Tea", "Coffee" }, kinds[args[1]], media) }):getMessage().id
  end)
  Bot:command("stop", function(self, message)
    local closed = { _ = "poll", id = 0, hash = 0, closed = true, question = text "", answers = {} }
    local id = message.reply_to.reply_to_msg_id
    local ok, err = pcall(self.messages.editMessage, { peer = message, id = id, media = { _ = "inputMediaPoll", poll = closed } })
    if not ok then message:reply(err.rpc) end
  end)
  function Bot:onUpdateMessagePoll(u)
    heard[#heard + 1] = ("poll %s%s"):format(standing(u), u.poll.closed and " closed" or "")
  end
  function Bot:onUpdateMessagePollVote(u)
    heard[#heard + 1] = ("vote of %d: %s %s"):format(u.peer.user_id, table.concat(u.options, ","), table.concat(u.positions, ","))
  end
  local bot = world:run(Bot)
  local alice, bob = world:user "Alice", world:user "Bob"
  local group = world:group("Kitchen", { members = { alice, bob, bot } })
  before_each(function()
    world:clock():advance(1)
    heard = {}
  end)

  local function asked(kind)
    alice:send(group, "/poll " .. kind)
    return alice:expect(group, { media = "poll" }), bob:expect(group, { media = "poll" })
  end
  local function settle() world:clock():advance(1) end

  it("are voted on by the answers' texts; who has not voted sees only how many have", function()
    local mine, his = asked "anonymous"
    assert.equal("Which?", mine.media.poll.question.text)
    assert.equal("Tea 0, Coffee 1 mine of 1", standing(alice:vote(mine, "Coffee").media))
    assert.equal("? of 1", standing(bob:message(his).media))
    assert.equal("Tea 1 mine, Coffee 1 of 2", standing(bob:vote(his, "Tea").media))
    assert.equal("Tea 1, Coffee 1 mine of 2", standing(alice:message(mine).media))
    assert.equal("? of 1", standing(alice:vote(mine).media)) -- taken back
    settle()
    assert.same({ "poll Tea 0, Coffee 1 of 1", "poll Tea 1, Coffee 1 of 2", "poll Tea 1, Coffee 0 of 1" }, heard)
    assert.matches("2  bot_bot %(to 1%): %[poll, Which%?: Tea | Coffee%]\n +Alice votes in 2: Coffee\n.*Alice takes the vote in 2 back",
      world:transcript())
  end)

  it("with names tell the bot each vote, and that it was taken back", function()
    local mine, his = asked "public"
    alice:vote(mine, "Coffee")
    alice:vote(mine, "Tea")
    bob:vote(his, "Tea")
    bob:vote(his)
    settle()
    local votes = {}
    for _, line in ipairs(heard) do
      if line:find "^vote" then votes[#votes + 1] = line end
    end
    local a, b = ("vote of %d: "):format(alice.id), ("vote of %d: "):format(bob.id)
    assert.same({ a .. "1 1", a .. "0 0", b .. "0 0", b .. " " }, votes)
    assert.equal(alice.id, alice:message(mine).media.results.recent_voters[1].user_id)
  end)

  it("take several answers where they may, and one else", function()
    local mine = asked "several"
    assert.equal("Tea 1 mine, Coffee 1 mine of 1", standing(alice:vote(mine, "Tea", "Coffee").media))
    local single = asked "anonymous"
    assert.error_matches(function() alice:vote(single, "Tea", "Coffee") end, "OPTIONS_TOO_MUCH")
  end)

  it("that are quizzes are answered once, and then say what is right", function()
    local mine, his = asked "quiz"
    assert.is_nil(his.media.results.solution)
    local seen = alice:vote(mine, "Tea").media
    assert.equal("Tea 1 mine, Coffee 0 right of 1", standing(seen))
    assert.equal("Coffee is.", seen.results.solution)
    assert.error_matches(function() alice:vote(mine, "Coffee") end, "REVOTE_NOT_ALLOWED")
    assert.error_matches(function() alice:vote(mine) end, "REVOTE_NOT_ALLOWED")
  end)

  it("are closed by their bot, once", function()
    local mine, his = asked "anonymous"
    alice:vote(mine, "Tea")
    alice:send(group, { message = "/stop", reply_to = mine })
    local closed = bob:expectEdit(group)
    assert.is_true(closed.media.poll.closed)
    assert.equal("Tea 1, Coffee 0 of 1", standing(closed.media))
    assert.error_matches(function() bob:vote(his, "Tea") end, "MESSAGE_POLL_CLOSED")
    alice:send(group, { message = "/stop", reply_to = mine })
    assert.equal("MESSAGE_POLL_CLOSED", alice:expect(group, "POLL").message)
    local other = alice:send(group, { media = poll("Mine?", { "Yes", "No" }) })
    alice:send(group, { message = "/stop", reply_to = other })
    assert.equal("MESSAGE_AUTHOR_REQUIRED", alice:expect(group, "AUTHOR").message)
    settle()
    assert.same({ "poll Tea 1, Coffee 0 of 1", "poll Tea 1, Coffee 0 of 1 closed" }, heard)
  end)

  it("close when their time is over", function()
    local mine = asked "short"
    alice:vote(mine, "Tea")
    world:clock():advance(55)
    assert.is_nil(alice:message(mine).media.poll.closed)
    world:clock():advance(10)
    assert.is_true(alice:message(mine).media.poll.closed)
    assert.equal("poll Tea 1, Coffee 0 of 1 closed", heard[#heard])
  end)

  it("are one poll, however often they are sent on", function()
    alice:send(bot, "/poll anonymous")
    local sent = alice:expect(bot, { media = "poll" })
    settle() -- the bot has its answer
    bot.api.messages.forwardMessages { from_peer = alice.id, id = { last }, to_peer = group.id }
    local copy = bob:expect(group, function(m) return m.fwd_from ~= nil end)
    bob:vote(copy, "Coffee")
    alice:vote(sent, "Coffee")
    assert.equal("Tea 0, Coffee 2 mine of 2", standing(bob:message(copy).media))
  end)

  it("of a person tell a bot nothing but that they are there", function()
    local mine = alice:send(group, { media = poll("Mine?", { "Yes", "No" }) })
    bob:vote(bob:expect(group, { media = "poll", from = alice }), "Yes")
    settle()
    assert.same({}, heard)
    assert.equal("Yes 1, No 0 of 1", standing(alice:message(mine).media))
    assert.is_true(alice:message(mine).media.poll.creator)
  end)

  it("say at the test's line what does not work", function()
    local mine = asked "anonymous"
    local function why(fn) return select(2, pcall(fn)) end
    assert.matches('polls_spec.lua:%d+: Alice: the poll "Which%?" has no answer "Cocoa"; it has Tea, Coffee',
      why(function() alice:vote(mine, "Cocoa") end))
    assert.matches('polls_spec.lua:%d+: Alice: "hello" has no poll', why(function() alice:vote(alice:send(bot, "hello"), "Tea") end))
  end)
end)

describe("polls on the wire", function()
  local world = require("luna.sandbox").world()
  local alice, bot = connect(world), connect(world)
  alice:login "9996620001"
  bot:bot "7001:AAbbccdd"
  local toBot = alice:peer "bot7001_bot"
  alice:send(toBot, "/start")
  bot:expect "updateNewMessage"
  local toAlice = { _ = "inputPeerUser", user_id = alice.me.id, access_hash = 0 }
  local random = 100
  local function send(media, peer)
    random = random + 1
    return bot:call("messages.sendMedia", { peer = peer or toAlice, media = media, message = "", random_id = random })
  end
  local function refused(...) return (select(2, send(poll(...)))) end

  it("are refused as Telegram does", function()
    local ok = { "a", "b" }
    assert.equal("400 POLL_QUESTION_INVALID", refused(" ", ok))
    assert.equal("400 POLL_QUESTION_INVALID", refused(("x"):rep(301), ok))
    assert.equal("400 POLL_ANSWERS_INVALID", refused("q", { "a" }))
    assert.equal("400 POLL_ANSWER_INVALID", refused("q", { "a", "" }))
    local same = poll("q", ok)
    for _, a in ipairs(same.poll.answers) do a._, a.option = "pollAnswer", "x" end
    assert.equal("400 POLL_OPTION_DUPLICATE", select(2, send(same)))
    assert.equal("400 QUIZ_CORRECT_ANSWERS_EMPTY", refused("q", ok, { quiz = true }))
    assert.equal("400 QUIZ_CORRECT_ANSWERS_TOO_MUCH", refused("q", ok, { quiz = true }, { correct_answers = { 0, 1 } }))
    assert.equal("400 QUIZ_CORRECT_ANSWER_INVALID", refused("q", ok, { quiz = true }, { correct_answers = { 2 } }))
    assert.equal("400 QUIZ_MULTIPLE_INVALID", refused("q", ok, { quiz = true, multiple_choice = true }, { correct_answers = { 0 } }))
    local channel = alice:must("channels.createChannel", { title = "News", about = "" }).chats[1]
    local peer = { _ = "inputPeerChannel", channel_id = channel.id, access_hash = channel.access_hash }
    local p = { peer = peer, media = poll("q", ok, { public_voters = true }), message = "", random_id = 5 }
    assert.equal("400 BROADCAST_PUBLIC_VOTERS_FORBIDDEN", select(2, alice:call("messages.sendMedia", p)))
    assert.equal("400 BOT_METHOD_INVALID", select(2, bot:call("messages.sendVote", { peer = toAlice, msg_id = 1, options = { "0" } })))
  end)

  it("are voted on, asked for, listed", function()
    send(poll("q", { "a", "b" }, { public_voters = true }))
    local id = alice:expect("updateNewMessage").message.id
    local votes = { peer = toBot, id = id, limit = 10 }
    assert.equal("403 POLL_VOTE_REQUIRED", select(2, alice:call("messages.getPollVotes", votes)))
    local function vote(...) return alice:call("messages.sendVote", { peer = toBot, msg_id = id, options = { ... } }) end
    assert.equal("400 OPTION_INVALID", select(2, vote "7"))
    assert.equal("400 OPTIONS_TOO_MUCH", select(2, vote("0", "1")))
    local mine = vote("1").updates[1]
    assert.same({ "updateMessagePoll", id, "a 0, b 1 mine of 1" }, { mine._, mine.msg_id, standing(mine) })
    assert.equal("a 0, b 1 of 1", standing(bot:expect "updateMessagePoll"))
    local told = alice:must("messages.getPollResults", { peer = toBot, msg_id = id, poll_hash = 0 }).updates[1]
    assert.equal("a 0, b 1 mine of 1", standing(told))
    local all = alice:must("messages.getPollVotes", votes)
    assert.same({ 1, "messagePeerVote", "1" }, { all.count, all.votes[1]._, all.votes[1].option })
    votes.option = "0"
    assert.equal(0, alice:must("messages.getPollVotes", votes).count)
    assert.equal("400 MESSAGE_ID_INVALID", select(2, alice:call("messages.sendVote", { peer = toBot, msg_id = 1, options = { "0" } })))
  end)
end)

describe("polls over a restart of the sandbox", function()
  it("are there, and close in time", function()
    local snapshot = require "luna.sandbox.snapshot"
    local sandbox = require "luna.sandbox"
    local first = sandbox.world()
    local owner = first:user "Alice"
    local place = first:group("Kitchen", { members = { owner } })
    owner:vote(owner:send(place, { media = poll("Which?", { "Tea", "Coffee" }, { close_period = 60 }) }), "Tea")
    local bytes = snapshot.encode(first.model.state)
    first:close()
    local world = sandbox.world()
    local model = require "luna.sandbox.model" { state = snapshot.decode(bytes) }
    local server = require "luna.sandbox.server" { model = model, key = require "luna.sandbox.world_key", log = function() end }
    finally(function() server:close() end)
    local _, kept = next(model.state.polls)
    assert.same({ "0" }, kept.votes[1].options)
    kept.closeDate = model:now() + 30
    require("luna.sandbox.polls").resume(model)
    world:clock():advance(20)
    assert.is_nil(kept.closed)
    world:clock():advance(20)
    assert.is_true(kept.closed)
  end)
end)
