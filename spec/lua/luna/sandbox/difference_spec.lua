-- States and differences: what an account is told about what it has missed.
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local connect = dofile(folder .. "/spec/support/wire.lua")

describe("sandbox difference", function()
  local world = require("luna.sandbox").world()
  local alice, bot = connect(world), connect(world)
  alice:login "9996620001"
  bot:bot "7001:AAbbccdd"
  local toBot = alice:peer "bot7001_bot"
  alice:send(toBot, "/start")

  local function difference(c, pts, more)
    local p = { pts = pts, date = 0, qts = c:must("updates.getState").qts }
    for k, v in pairs(more or {}) do p[k] = v end
    return c:must("updates.getDifference", p)
  end

  it("starts well above 0 and is empty where nothing is new", function()
    local state = alice:must "updates.getState"
    assert.is_true(state.pts > 1000)
    assert.equal("updates.differenceEmpty", difference(alice, state.pts)._)
  end)

  it("tells messages, edits and deletions in order, with users", function()
    local before = bot:must("updates.getState").pts
    local first = alice:send(toBot, "first").id
    alice:send(toBot, "second")
    local third = alice:send(toBot, "third").id
    alice:must("messages.editMessage", { peer = toBot, id = first, message = "first, edited" })
    alice:must("messages.deleteMessages", { id = { third }, revoke = true })
    local d = difference(bot, before)
    assert.equal("updates.difference", d._)
    local texts = {}
    for i, m in ipairs(d.new_messages) do texts[i] = m.message end
    assert.same({ "first, edited", "second" }, texts) -- as they are now; the deleted one is gone
    assert.same({ "updateEditMessage", "updateDeleteMessages" }, { d.other_updates[1]._, d.other_updates[2]._ })
    assert.equal(before + 5, d.state.pts)
    assert.equal(bot:must("updates.getState").pts, d.state.pts)
    local named = {}
    for _, u in ipairs(d.users) do named[u.id] = true end
    assert.is_true(named[alice.me.id])
    assert.equal("updates.differenceEmpty", difference(bot, d.state.pts)._)
  end)

  it("comes in slices", function()
    local before = bot:must("updates.getState").pts
    for i = 1, 5 do alice:send(toBot, "slice " .. i) end
    local pts, got, slices = before, {}, 0
    repeat
      local d = difference(bot, pts, { pts_limit = 2 })
      for _, m in ipairs(d.new_messages) do got[#got + 1] = m.message end
      slices = slices + 1
      pts = (d.state or d.intermediate_state).pts
    until d._ == "updates.difference" or slices > 10
    assert.same({ "slice 1", "slice 2", "slice 3", "slice 4", "slice 5" }, got)
    assert.equal(3, slices)
  end)

  it("refuses a pts that never was", function()
    local function why(pts) return (select(2, alice:call("updates.getDifference", { pts = pts, date = 0, qts = 1 }))) end
    assert.equal("400 PERSISTENT_TIMESTAMP_EMPTY", why(0))
    assert.equal("400 PERSISTENT_TIMESTAMP_INVALID", why(2000000))
  end)

  it("is too long for who was away for too much, and for who comes from before the log", function()
    local state = alice:must "updates.getState"
    for i = 1, 5 do alice:send(toBot, "much " .. i) end
    local d = difference(alice, state.pts, { pts_total_limit = 3 })
    assert.equal("updates.differenceTooLong", d._)
    assert.equal(alice:must("updates.getState").pts, d.pts)
    assert.equal("updates.differenceTooLong", difference(alice, 5)._)
  end)

  it("counts what bots learn about being stopped by qts", function()
    local state = bot:must "updates.getState"
    alice:must("contacts.block", { id = toBot })
    alice:must("contacts.unblock", { id = toBot })
    local d = bot:must("updates.getDifference", { pts = state.pts, date = 0, qts = state.qts })
    assert.same({ true, false }, { d.other_updates[1].stopped, d.other_updates[2].stopped })
    assert.equal(state.qts + 2, d.state.qts)
  end)

  it("goes to the other sessions of an account, not to the one that did it", function()
    local phone = connect(world)
    phone:login "9996620001"
    alice.updates, phone.updates = {}, {}
    alice:send(toBot, "from the desk")
    local update = phone:expect "updateNewMessage"
    assert.same({ "from the desk", true }, { update.message.message, update.message.out })
    assert.has_error(function() alice:expect("updateNewMessage", 1) end)
    phone:close()
  end)

  it("keeps a button's press for a bot that is away", function()
    local markup = { _ = "replyInlineMarkup", rows = { { _ = "keyboardInlineButtonRow", buttons = {
      { _ = "keyboardInlineButton", text = "One", type = { _ = "inlineButtonTypeCallback", data = "1" } },
    } } } }
    local toAlice = { _ = "inputPeerUser", user_id = alice.me.id, access_hash = 0 }
    bot:must("messages.sendMessage", { peer = toAlice, message = "menu", random_id = 91, reply_markup = markup })
    local shown = alice:expect "updateNewMessage"
    local auth = bot.auth
    bot:close()
    world.server.wire:forget() -- no session of the bot is left
    local promise = alice.conn:callAsync("messages.getBotCallbackAnswer", { peer = toBot, msg_id = shown.message.id, data = "1" })
    require("_luna.task").sleep(1)
    bot = connect(world, { auth = auth })
    bot:must "updates.getState"
    local query = bot:expect "updateBotCallbackQuery"
    bot:must("messages.setBotCallbackAnswer", { query_id = query.query_id, message = "back", cache_time = 0 })
    assert.equal("back", require("_luna.promise").await(promise).message)
  end)
end)
