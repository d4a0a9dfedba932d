-- Inline queries: asked by people of the test kit and over the wire, answered by bots, chosen, pressed and changed.
local luna = require "luna"
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local connect = dofile(folder .. "/spec/support/wire.lua")

local function fails(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

describe("an inline query", function()
  local world = require("luna.sandbox").world()
  local alice, bob = world:user "Alice", world:user "Bob"
  local seen, sent = {}, {}

  local Teas = luna.EventHandler:extend "Teas"
  function Teas:onUpdateBotInlineQuery(update)
    seen[#seen + 1] = update
    if update.query == "silence" then return end
    if update.query == "fail" then error "no tea today" end
    local from = tonumber(update.offset ~= "" and update.offset or "1")
    local results = {}
    for i = from, math.min(from + 1, 3) do
      results[#results + 1] = {
        title = "Tea " .. i, description = "cup " .. i, input_message_content = { message_text = "<b>Tea</b> " .. i, parse_mode = "HTML" },
        reply_markup = { inline_keyboard = { { { text = "More", callback_data = "more:" .. i } } } },
      }
    end
    self.messages.setInlineBotResults {
      query_id = update.query_id, results = results, next_offset = from == 1 and "3" or nil,
      cache_time = update.query == "kept" and 60 or 0,
      switch_pm = { text = "Settings", start_param = "settings" }, private = true,
    }
  end
  function Teas.onUpdateBotInlineSend(_, update) sent[#sent + 1] = update end -- luacheck: ignore self
  function Teas:onUpdateInlineBotCallbackQuery(update)
    self.messages.editInlineBotMessage { id = update.msg_id, message = "Two cups", reply_markup = { inline_keyboard = {
      { { text = "Enough", callback_data = "enough" } } } } }
    self.messages.setBotCallbackAnswer { query_id = update.query_id, message = "poured: " .. update.data }
  end
  local bot = world:run(Teas)
  before_each(function() seen, sent = {}, {} end)

  it("gets what the bot answers, page by page", function()
    local results = alice:inline(bot, "tea")
    assert.same({ "article", "1", "Tea 1", "cup 1" }, { results[1].type, results[1].id, results[1].title, results[1].description })
    assert.same({ "Tea 1", "messageEntityBold" }, { results[1].send_message.message, results[1].send_message.entities[1]._ })
    assert.same({ 2, "3", 0, "Settings" }, { #results, results.next_offset, results.cache_time, results.switch_pm.text })
    local more = alice:inline(bot, "tea", { offset = results.next_offset, location = { lat = 1, long = 2 } })
    assert.same({ 1, "Tea 3" }, { #more, more[1].title })
    assert.is_nil(more.next_offset)
    assert.same({ "tea", "", alice.id, "inlineQueryPeerTypeSameBotPM" },
      { seen[1].query, seen[1].offset, seen[1].user_id, seen[1].peer_type._ })
    assert.same({ "3", 1.0 }, { seen[2].offset, seen[2].geo.lat })
  end)

  it("says from what kind of chat it comes", function()
    local group = world:group("Garden", { members = { alice, bob } })
    local big = world:channel("Park", { owner = alice, megagroup = true })
    alice:inline(bot, "a", { chat = group })
    alice:inline(bot, "b", { chat = big })
    alice:inline(bot, "c", { chat = bob })
    local kinds = {}
    for i, u in ipairs(seen) do kinds[i] = u.peer_type._:gsub("^inlineQueryPeerType", "") end
    assert.same({ "Chat", "Megagroup", "PM" }, kinds)
  end)

  it("ends in a message by way of the bot, of which the bot is told", function()
    local results = alice:inline(bot, "tea", { chat = bob })
    local message = alice:choose(results[2])
    assert.same({ "Tea 2", bot.id, true }, { message.message, message.via_bot_id, message.out })
    local got = bob:expect(alice)
    assert.same({ "Tea 2", bot.id, "messageEntityBold" }, { got.message, got.via_bot_id, got.entities[1]._ })
    world:clock():advance(1)
    assert.same({ "tea", "2", alice.id }, { sent[1].query, sent[1].id, sent[1].user_id })
    assert.equal("inputBotInlineMessageID64", sent[1].msg_id._)
  end)

  it("leaves buttons that the bot hears of and a message that it can change", function()
    local group = world:group("Garden", { members = { alice, bob } })
    local message = alice:choose(alice:inline(bot, "tea")[1], group)
    local got = bob:expect(group)
    assert.equal("poured: more:1", bob:click(got, "More").message)
    assert.equal("Two cups", bob:expectEdit(group).message)
    assert.equal("Two cups", alice:expectEdit(group).message) -- it is her message, but not her deed
    assert.equal("Enough", alice:message(message).reply_markup.rows[1].buttons[1].text)
  end)

  it("is asked anew unless the bot lets it be kept, and then for whom it was", function()
    alice:inline(bot, "kept")
    alice:inline(bot, "kept")
    assert.equal(1, #seen)
    bob:inline(bot, "kept") -- it was private
    assert.equal(2, #seen)
    world:clock():advance(61)
    alice:inline(bot, "kept")
    alice:inline(bot, "tea")
    alice:inline(bot, "tea")
    assert.equal(5, #seen)
  end)

  it("fails at the test's line where nobody answers, or nothing can be chosen", function()
    local here = "^[^:]*inline_spec.lua:%d+: "
    local before = world:clock():now()
    local err = fails(function() local _ = alice:inline(bot, "silence") end)
    assert.matches(here .. "Alice: the sandbox refuses it: BOT_RESPONSE_TIMEOUT %(the bot has not answered within 10 s%)", err)
    assert.near(10, world:clock():now() - before, 0.01)
    assert.matches("teas_bot failed: .*no tea today", fails(function() local _ = alice:inline(bot, "fail") end))
    bot:takeErrors()
    assert.matches(here .. 'person:inline: unknown option "offfset"; did you mean "offset"', fails(function()
      local _ = alice:inline(bot, "tea", { offfset = "1" })
    end))
    assert.matches(here .. "Alice: what is chosen is one of the results", fails(function() local _ = alice:choose({}, bob) end))
    local results = alice:inline(bot, "tea")
    assert.matches("INLINE_RESULT_EXPIRED", fails(bob.choose, bob, results[1], alice)) -- private: hers alone
    world:clock():advance(3700)
    alice:inline(bot, "tea")
    assert.matches("INLINE_RESULT_EXPIRED", fails(alice.choose, alice, results[1], bob))
  end)

  it("sends photos and documents that Telegram has, with a caption", function()
    local media
    local keeper = world:run(function(update)
      if update._ == "updateNewMessage" and not update.message.out then media = update.message end
    end, { name = "keeper" })
    alice:send(keeper, { document = "bytes", name = "a.txt" })
    world:clock():advance(1)
    local Files = luna.EventHandler:extend "Files"
    function Files.onUpdateBotInlineQuery(_, update)
      update:answer { next_offset = "2", results = {
        { id = "doc", document = media, title = "A file", caption = "<i>here</i>", parse_mode = "HTML" },
        { type = "photo", photo_url = "https://example.com/a.jpg", thumbnail_url = "https://example.com/t.jpg" },
        { type = "venue", title = "Here", input_message_content = { latitude = 1, longitude = 2, title = "Here", address = "There" } },
      } }
    end
    local files = world:run(Files)
    media = { _ = "document", id = media.media.document.id, access_hash = media.media.document.access_hash, file_reference = "" }
    local results = alice:inline(files, "")
    assert.equal("2", results.next_offset)
    local sentMessage = alice:choose(results[1], bob)
    assert.same({ "here", "messageEntityItalic", 5 },
      { sentMessage.message, sentMessage.entities[1]._, sentMessage.media.document.size })
    assert.equal("messageMediaPhoto", alice:choose(results[2], bob).media._)
    assert.equal("There", alice:choose(results[3], bob).media.address)
  end)

  it("is answered by a list alone, at the line where that stands", function()
    local wrong
    local plain = world:run(function(update)
      if update._ ~= "updateBotInlineQuery" then return end
      wrong = fails(function() update:answer "text" end) .. "\n" .. fails(function() update:answer { { titel = "x" } } end)
      update:answer { { title = "Who", input_message_content = update:getSender().first_name } }
    end, { name = "lister" })
    assert.equal("Alice", alice:choose(alice:inline(plain, "x")[1], bob).message)
    assert.matches("inline_spec.lua:%d+: a list of results or a table of parameters is wanted, not a string\n", wrong)
    assert.matches('inline_spec.lua:%d+: messages.setInlineBotResults: parameter "results": result 1: it has no "titel"', wrong)
  end)

  it("is refused by a bot without inline mode, and by what is none", function()
    local plain = world:run(function() end, { name = "plain", inline = false })
    assert.matches("BOT_INLINE_DISABLED", fails(alice.inline, alice, plain, "x"))
    assert.matches("BOT_INVALID", fails(alice.inline, alice, bob, "x"))
  end)
end)

describe("inline results on the wire", function()
  local world = require("luna.sandbox").world()
  local alice, bot = connect(world, { layer = 228 }), connect(world)
  alice:login "9996620001"
  bot:bot "7001:AAbbccdd"
  local toBot, user = alice:peer "bot7001_bot"
  local inputBot = { _ = "inputUser", user_id = user.id, access_hash = user.access_hash }
  local function refused(c, name, params) return (select(2, c:call(name, params))) end
  local function ask(query)
    return world.spawn(function()
      return alice:call("messages.getInlineBotResults", { bot = inputBot, peer = { _ = "inputPeerEmpty" }, query = query, offset = "" })
    end)
  end
  local function text(id, words, more)
    local r = {
      _ = "inputBotInlineResult", id = id, type = "article", title = "T",
      send_message = { _ = "inputBotInlineMessageText", message = words or "x" },
    }
    for k, v in pairs(more or {}) do r[k] = v end
    return r
  end

  it("say that the bot has inline mode", function() assert.equal("", user.bot_inline_placeholder) end)

  it("go the whole way, with keyboards of the session's layer", function()
    local asking = ask "q"
    local update = bot:expect "updateBotInlineQuery"
    bot:must("messages.setInlineBotResults", { query_id = update.query_id, cache_time = 30, gallery = true, next_offset = "n", results = {
      text("a", "hello", { send_message = { _ = "inputBotInlineMessageText", message = "hello", reply_markup = {
        _ = "replyInlineMarkup", rows = { { _ = "keyboardInlineButtonRow", buttons = {
          { _ = "keyboardInlineButton", text = "B", type = { _ = "inlineButtonTypeCallback", data = "d" } } } } } } } }),
    } })
    local found = luna.await(asking)
    assert.same({ true, "n", 30, "a" }, { found.gallery, found.next_offset, found.cache_time, found.results[1].id })
    assert.equal("keyboardButtonCallback", found.results[1].send_message.reply_markup.rows[1].buttons[1]._)
    local p = { peer = toBot, query_id = found.query_id, id = "a", random_id = 5 }
    local done = alice:must("messages.sendInlineBotResult", p)
    assert.same({ "updateMessageID", "updateNewMessage" }, { done.updates[1]._, done.updates[2]._ })
    assert.equal("500 RANDOM_ID_DUPLICATE", refused(alice, "messages.sendInlineBotResult", p))
    assert.equal("hello", bot:expect("updateNewMessage").message.message)
    local chosen = bot:expect "updateBotInlineSend"
    assert.equal("a", chosen.id)
    assert.is_true(bot:must("messages.editInlineBotMessage", { id = chosen.msg_id, message = "bye" }))
    assert.equal("bye", alice:expect("updateEditMessage").message.message)
    assert.equal("400 MESSAGE_NOT_MODIFIED", refused(bot, "messages.editInlineBotMessage", { id = chosen.msg_id, message = "bye" }))
    chosen.msg_id.access_hash = 1
    assert.equal("400 MESSAGE_ID_INVALID", refused(bot, "messages.editInlineBotMessage", { id = chosen.msg_id, message = "no" }))
    for field, error in pairs {
      query_id = { 0, "400 QUERY_ID_EMPTY" }, id = { "", "400 RESULT_ID_EMPTY" },
    } do
      local q = { peer = toBot, query_id = found.query_id, id = "a", random_id = 6 }
      q[field] = error[1]
      assert.equal(error[2], refused(alice, "messages.sendInlineBotResult", q))
    end
    p = { peer = toBot, query_id = found.query_id, id = "z", random_id = 7 }
    assert.equal("400 RESULT_ID_INVALID", refused(alice, "messages.sendInlineBotResult", p))
    p.query_id = 77
    assert.equal("400 INLINE_RESULT_EXPIRED", refused(alice, "messages.sendInlineBotResult", p))
  end)

  it("are refused where they cannot be", function()
    local asking = ask "wrong"
    local id = bot:expect("updateBotInlineQuery").query_id
    local function why(results, more)
      local p = { query_id = id, cache_time = 0, results = results }
      for k, v in pairs(more or {}) do p[k] = v end
      return refused(bot, "messages.setInlineBotResults", p)
    end
    local many = {}
    for i = 1, 51 do many[i] = text(tostring(i)) end
    assert.equal("400 RESULTS_TOO_MUCH", why(many))
    assert.equal("400 RESULT_ID_INVALID", why { text "" })
    assert.equal("400 RESULT_ID_DUPLICATE", why { text "1", text "1" })
    assert.equal("400 RESULT_TYPE_INVALID", why { text("1", "x", { type = "song" }) })
    assert.equal("400 ARTICLE_TITLE_EMPTY", why { text("1", "x", { title = "" }) })
    assert.equal("400 MESSAGE_EMPTY", why { text("1", " ") })
    local auto = { send_message = { _ = "inputBotInlineMessageMediaAuto", message = "" } }
    assert.equal("400 SEND_MESSAGE_MEDIA_INVALID", why { text("1", "x", auto) })
    assert.equal("400 WEBDOCUMENT_URL_INVALID", why { text("1", "x", { thumb = { _ = "inputWebDocument", url = "ftp://x", size = 0,
      mime_type = "image/png", attributes = {} } }) })
    assert.equal("400 NEXT_OFFSET_INVALID", why({}, { next_offset = ("x"):rep(65) }))
    local function pm(words, param) return { switch_pm = { _ = "inlineBotSwitchPM", text = words, start_param = param } } end
    assert.equal("400 SWITCH_PM_TEXT_EMPTY", why({}, pm("", "x")))
    assert.equal("400 START_PARAM_EMPTY", why({}, pm("x", "")))
    assert.equal("400 START_PARAM_INVALID", why({}, pm("x", "a b")))
    assert.equal("400 QUERY_ID_INVALID", refused(bot, "messages.setInlineBotResults", { query_id = 1, cache_time = 0, results = {} }))
    assert.is_nil(why {})
    assert.equal("400 QUERY_ID_INVALID", why {}) -- it is answered
    assert.same({}, luna.await(asking).results)
  end)

  it("come too late after ten seconds", function()
    local asking = ask "slow"
    local id = bot:expect("updateBotInlineQuery").query_id
    local _, why = luna.await(asking)
    assert.equal("400 BOT_RESPONSE_TIMEOUT", why)
    assert.equal("400 QUERY_ID_INVALID", refused(bot, "messages.setInlineBotResults", { query_id = id, cache_time = 0, results = {} }))
  end)
end)
