local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local fake = dofile(folder .. "/spec/support/fake_core.lua")
local params = require "luna.params"
local tl = require "_luna.tl"

local core = fake()
core.peers:harvest { users = { { _ = "user", id = 50, access_hash = 5050, first_name = "Alice", username = "alice" } },
  chats = { { _ = "channel", id = 70, access_hash = 7070, title = "News" } } }
local alice = { _ = "inputPeerUser", user_id = 50, access_hash = 5050 }

local function prepare(name, p)
  local q = params.prepare(core, params.compile(name), p)
  tl.encodeMethod(name, q) -- what comes out fits the schema
  return q
end

describe("luna.params", function()
  it("resolves peers and fills in random_id, leaving the script's table alone", function()
    local p = { peer = 50, message = "hi" }
    local q = prepare("messages.sendMessage", p)
    assert.same(alice, q.peer)
    assert.equal("integer", math.type(q.random_id))
    assert.same({ peer = 50, message = "hi" }, p)
    assert.not_equal(q.random_id, prepare("messages.sendMessage", p).random_id)
    assert.equal(5, prepare("messages.sendMessage", { peer = 50, message = "hi", random_id = 5 }).random_id)
  end)

  it("sees what is wrong whatever the account is, and nothing else", function()
    local function wrong(name, p)
      local ok, err = pcall(params.check, params.compile(name), p)
      return not ok and err or nil
    end
    local misspelt = { peer = 50, message = "", mesage = "" }
    assert.matches('^messages.sendMessage: it has no parameter "mesage"', wrong("messages.sendMessage", misspelt))
    assert.matches('^messages.sendMessage: missing parameter "message"', wrong("messages.sendMessage", { peer = "@alice" }))
    assert.matches('^messages.sendMessage: parameter "message"', wrong("messages.sendMessage", { peer = "@alice", message = 7 }))
    assert.matches('^help.getConfig: it has no parameter "hsh"', wrong("help.getConfig", { hsh = 1 }))
    for name, p in pairs {
      ["messages.sendMessage"] = { peer = "@nobody", message = "<b>x</b>", parse_mode = "HTML", reply_to_msg_id = 7,
        reply_markup = { inline_keyboard = { { { text = "a", callback_data = "b" } } } } },
      ["messages.sendMedia"] = { peer = { _ = "message", id = 1, peer_id = { _ = "peerUser", user_id = 50 } }, message = "",
        media = { path = "x" } },
      ["messages.sendMultiMedia"] = { peer = 50, multi_media = { { media = { path = "x" } } } },
      ["messages.forwardMessages"] = { from_peer = 50, to_peer = "@alice", id = { 1, 2 } },
      ["messages.getMessages"] = { id = { 1, 2 } },
      ["messages.setBotCallbackAnswer"] = { query_id = 1 },
      ["messages.setInlineBotResults"] = { query_id = 1, results = { { type = "article", id = "1", title = "x", message_text = "y" } } },
      ["users.getUsers"] = { id = { "me" } },
      ["channels.inviteToChannel"] = { channel = "@news", users = { 50 } },
      ["messages.getDialogs"] = { offset_date = 0, offset_id = 0, offset_peer = "me", limit = 5 },
      ["help.getConfig"] = {},
    } do
      assert.is_nil(wrong(name, p), name)
    end
  end)

  it("does not keep a button's answer unless it is told to", function()
    assert.equal(0, prepare("messages.setBotCallbackAnswer", { query_id = 1 }).cache_time)
    assert.equal(9, prepare("messages.setBotCallbackAnswer", { query_id = 1, cache_time = 9 }).cache_time)
  end)

  it("one random_id for each forwarded message", function()
    local q = prepare("messages.forwardMessages", { from_peer = 50, to_peer = "@alice", id = { 1, 2, 3 } })
    assert.equal(3, #q.random_id)
    assert.not_equal(q.random_id[1], q.random_id[2])
    assert.same(alice, q.to_peer)
  end)

  it("reads parse_mode", function()
    local q = prepare("messages.sendMessage", { peer = 50, message = "<b>x</b> <a href='tg://user?id=50'>y</a>", parse_mode = "HTML" })
    assert.equal("x y", q.message)
    assert.is_nil(q.parse_mode)
    assert.equal("messageEntityBold", q.entities[1]._)
    assert.same({ _ = "inputUser", user_id = 50, access_hash = 5050 }, q.entities[2].user_id)
    assert.error_matches(function() prepare("messages.sendMessage", { peer = 50, message = "x", parse_mode = "BB" }) end, 'neither "HTML"')
  end)

  it("turns reply_to_msg_id and a message into reply_to", function()
    local wanted = { _ = "inputReplyToMessage", reply_to_msg_id = 7 }
    assert.same(wanted, prepare("messages.sendMessage", { peer = 50, message = "x", reply_to_msg_id = 7 }).reply_to)
    assert.same(wanted, prepare("messages.sendMessage", { peer = 50, message = "x", reply_to = { _ = "message", id = 7 } }).reply_to)
    assert.equal(7, prepare("messages.sendMessage", { peer = 50, message = "x", reply_to_msg_id = 7.0 }).reply_to.reply_to_msg_id)
    assert.error_matches(function() prepare("messages.sendMessage", { peer = 50, message = "x", reply_to_msg_id = 7.5 }) end, "7.5")
    assert.same({ _ = "inputMessageID", id = 7 }, prepare("messages.getMessages", { id = { 7.0 } }).id[1])
    assert.error_matches(function() prepare("messages.sendMessage", { peer = 50, message = "x", reply_to_msg_id = "7" }) end,
      '^messages.sendMessage: parameter "reply_to_msg_id"')
  end)

  it("knows what the Bot API calls a parameter", function()
    local function said(name, p)
      local method = params.compile(name)
      local ok, why = pcall(function() tl.encodeMethod(name, params.prepare(core, method, p)) end)
      assert.is_false(ok)
      return params.isBadCall(method, why, p)
    end
    for name, words in pairs {
      text = '"text"; did you mean "message"?', chat_id = '"chat_id"; did you mean "peer"?',
      reply_to_message_id = '"reply_to_message_id"; did you mean "reply_to_msg_id"?', inline_keyboard = 'did you mean "reply_markup"?',
      disable_notification = 'did you mean "silent"?', photo = '"photo"; a picture goes as media = { path = "…", photo = true }',
      voice = '"voice"; a file goes as media = { path = "…" }', sillent = 'did you mean "silent"?', zzz = '"zzz"',
    } do
      local p = { peer = 50, message = "x" }
      if name == "text" then p.message = nil elseif name == "chat_id" then p.peer = nil end
      p[name] = "x"
      assert.equal(words, said("messages.sendMessage", p):sub(-#words))
    end
    assert.equal('messages.editMessage: it has no parameter "message_id"; did you mean "id"?',
      said("messages.editMessage", { peer = 50, message_id = 5, message = "x" }))
    assert.equal('messages.getMessages: it has no parameter "photo"', said("messages.getMessages", { id = { 1 }, photo = "x" }))
  end)

  it("takes Bot API keyboards", function()
    local q = prepare("messages.sendMessage", { peer = 50, message = "x", reply_markup = { inline_keyboard = {
      { { text = "A", callback_data = "a" } } } } })
    assert.equal("replyInlineMarkup", q.reply_markup._)
    assert.error_matches(function() prepare("messages.sendMessage", { peer = 50, message = "x", reply_markup = {} }) end,
      '^messages.sendMessage: parameter "reply_markup": expected inline_keyboard')
  end)

  it("takes results of an inline query as the Bot API writes them", function()
    local function results(list) return prepare("messages.setInlineBotResults", { query_id = 1, results = list }).results end
    local r = results {
      { title = "A", input_message_content = "plain" },
      { id = 7, title = "B", input_message_content = { message_text = "<b>x</b>", parse_mode = "HTML" },
        reply_markup = { inline_keyboard = { { { text = "A", callback_data = "a" } } } } },
      { type = "document", title = "D", document_url = "https://example.com/d.pdf", mime_type = "application/pdf", caption = "c" },
      { type = "location", title = "L", latitude = 1, longitude = 2 },
    }
    assert.same({ _ = "inputBotInlineResult", id = "1", type = "article", title = "A",
      send_message = { _ = "inputBotInlineMessageText", message = "plain" } }, r[1])
    assert.same({ "7", "x", "messageEntityBold", "replyInlineMarkup" },
      { r[2].id, r[2].send_message.message, r[2].send_message.entities[1]._, r[2].send_message.reply_markup._ })
    assert.same({ "file", "c", "application/pdf" }, { r[3].type, r[3].send_message.message, r[3].content.mime_type })
    assert.same({ "geo", 2.0 }, { r[4].type, r[4].send_message.geo_point.long })
    assert.equal("inlineBotSwitchPM", prepare("messages.setInlineBotResults", { query_id = 1, results = {},
      switch_pm = { text = "t", start_param = "p" } }).switch_pm._)
    for text, list in pairs {
      ["expected a list of results, got a single one"] = { title = "A", input_message_content = "x" },
      ['result 1: it has no "titel"; did you mean "title"?'] = { { titel = "A", input_message_content = "x" } },
      ['result 1: an article needs "input_message_content"'] = { { title = "A" } },
      ['result 1: an article needs a "title"'] = { { input_message_content = "x" } },
      ['result 1: input_message_content has no "message_txt"; did you mean "message_text"?'] =
        { { title = "A", input_message_content = { message_txt = "x" } } },
      ['result 1: a result of type photo needs "photo_url"'] = { { type = "photo" } },
      ["photo_file_id is of the Bot API alone"] = { { type = "photo", photo_file_id = "x" } },
    } do
      local ok, err = pcall(results, list)
      assert.is_false(ok)
      assert.matches(text, tostring(err), 1, true)
    end
  end)

  it("takes media from a message", function()
    local message = { _ = "message", id = 1, media = { _ = "messageMediaPhoto", photo = { _ = "photo", id = 1, access_hash = 2,
      file_reference = "r" } } }
    local q = prepare("messages.sendMedia", { peer = 50, message = "", media = { _ = "updateNewMessage", message = message } })
    assert.same({ _ = "inputMediaPhoto", id = { _ = "inputPhoto", id = 1, access_hash = 2, file_reference = "r" } }, q.media)
    assert.error_matches(function() prepare("messages.sendMedia", { peer = 50, message = "", media = { _ = "message", id = 1 } }) end,
      "the message has no media")
  end)

  it("resolves lists, ids of messages and channels", function()
    local q = prepare("users.getUsers", { id = { "me", 50 } })
    assert.same({ { _ = "inputUserSelf" }, { _ = "inputUser", user_id = 50, access_hash = 5050 } }, q.id)
    assert.same({ { _ = "inputMessageID", id = 5 } }, prepare("messages.getMessages", { id = { 5 } }).id)
    assert.same({ _ = "inputChannel", channel_id = 70, access_hash = 7070 },
      prepare("channels.getFullChannel", { channel = -1000000000070 }).channel)
    assert.error_matches(function() prepare("users.getUsers", { id = "me" }) end, "expected a list")
  end)

  it("leaves nothing out of a list without a word", function()
    local function keyboard(rows) return { peer = 50, message = "x", reply_markup = { inline_keyboard = rows } } end
    local a, b = { text = "A", callback_data = "a" }, { text = "B", callback_data = "b" }
    local hole, key = "has a hole: there is nothing at 2, but something at 3", 'keys 1, 2, 3, … alone, this one has "x" too'
    for i, case in ipairs {
      { "messages.getMessages", { id = { 1, [3] = 3 } }, '"id": the list ' .. hole },
      { "messages.getMessages", { id = { 1, 2, x = 3 } }, '"id": a list has the ' .. key },
      { "messages.deleteMessages", { id = { 1, [3] = 3 } }, '"id": the list ' .. hole },
      { "messages.deleteMessages", { id = { 1, 2, x = 3 } }, '"id": a list has the ' .. key },
      { "messages.deleteMessages", { id = { x = 3 } }, '"id": a list has the ' .. key },
      { "messages.deleteMessages", { id = { 1, [2.5] = 3 } }, "this one has 2.5 too" },
      { "messages.deleteMessages", { id = { [0] = 3, 1 } }, "this one has 0 too" },
      { "messages.deleteMessages", { id = { 1, n = 2 } }, 'the list has 1 items, though its "n" says otherwise' },
      { "messages.deleteMessages", { id = { _ = "message", 1 } }, '"id": expected a list of int, got a table of message' },
      { "messages.forwardMessages", { from_peer = 50, to_peer = 50, id = { 1, [3] = 3 } }, '"id": the list ' .. hole },
      { "messages.sendMessage", { peer = 50, message = "x", entities = { { _ = "messageEntityBold", offset = 0, length = 1 }, x = 1 } },
        '"entities": a list has the ' .. key },
      { "messages.sendMessage", keyboard { { a, b, x = b } }, "row 1 of the keyboard: a list has the " .. key },
      { "messages.sendMessage", keyboard { { a, [3] = b } }, "row 1 of the keyboard: the list " .. hole },
      { "messages.sendMessage", keyboard { { a }, [3] = { b } }, "the rows of the keyboard: the list " .. hole },
      { "messages.sendMultiMedia", { peer = 50, multi_media = { {}, [3] = {} } }, '"multi_media": the list ' .. hole },
      { "messages.setInlineBotResults", { query_id = 1, results = { { title = "A", input_message_content = "x" }, x = {} } },
        '"results": a list has the ' .. key },
      { "messages.setInlineBotResults", { query_id = 1, results = { { title = "A", input_message_content = "x", "y" } } },
        'result 1: it has no "1"' },
    } do
      local ok, err = pcall(prepare, case[1], case[2])
      assert.is_false(ok, "case " .. i)
      assert.matches(case[3], tostring(err), 1, true)
      assert.is_string(params.isBadCall(params.compile(case[1]), err), "case " .. i)
    end
    assert.same({ 1, 2, n = 2 }, prepare("messages.deleteMessages", { id = table.pack(1, 2) }).id)
    assert.equal(2, #prepare("messages.getMessages", { id = table.pack(1, 2) }).id)
  end)

  it("knows which errors are about the call", function()
    local method = params.compile "messages.sendMessage"
    local ok, err = pcall(tl.encodeMethod, "messages.sendMessage", { peer = alice, random_id = 1, mesage = "x" })
    assert.is_false(ok)
    assert.is_string(params.isBadCall(method, err))
    assert.is_nil(params.isBadCall(method, "x.lua:1: attempt to index a nil value"))
    assert.is_nil(params.isBadCall(method, {}))
  end)

  it("has no method of an unknown name", function() assert.is_nil(params.compile "messages.sendMesage") end)
end)
