--- Parameters of any shape: whatever a script passes, a call ends in bytes or in an error of ours, never in one of Lua's from inside the
--- library. LUNA_SHAPES=seconds runs it for longer; the seed is in the name of what fails.
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local fake = dofile(folder .. "/spec/support/fake_core.lua")
local errors = require "luna.errors"
local params = require "luna.params"
local task = require "_luna.task"
local tl = require "_luna.tl"

local methods = {
  "account.updateProfile", "channels.getMessages", "channels.inviteToChannel", "contacts.resolveUsername", "help.getConfig",
  "messages.createChat", "messages.editMessage", "messages.forwardMessages", "messages.getDialogs", "messages.getHistory",
  "messages.getMessages", "messages.getPeerDialogs", "messages.readHistory", "messages.search", "messages.sendInlineBotResult",
  "messages.sendMedia", "messages.sendMessage", "messages.sendMultiMedia", "messages.setBotCallbackAnswer",
  "messages.setInlineBotResults", "messages.toggleDialogPin", "upload.saveFilePart", "users.getUsers",
}
local keys = {
  "_", "id", "user_id", "chat_id", "channel_id", "access_hash", "peer", "message", "media", "text", "url", "inline_keyboard", "keyboard",
  "rows", "buttons", "type", "peer_id", "username", "usernames", "photo", "document", "geo", "lat", "long", "participants", "full_user",
  "callback_data", "web_app", "login_url", "copy_text", "offset", "length", 1, 2, 3, "entities", "bot_api_id", "from_id", "title",
}
local kinds = {
  "message", "updateNewMessage", "updateNewChannelMessage", "updateBotCallbackQuery", "updateUserTyping", "peerUser", "peerChat", "user",
  "userFull", "users.userFull", "chat", "channel", "inputPeerUser", "inputUser", "messageMediaPhoto", "messageMediaDocument",
  "messageMediaGeo", "messageMediaVenue", "messageMediaContact", "messageMediaDice", "photo", "document", "dialog", "dialogPeer",
  "inputDialogPeer", "contacts.resolvedPeer", "inputMediaPhoto", "inputMediaUploadedDocument", "messageEntityBold",
  "inputMessageEntityMentionName", "replyInlineMarkup", "keyboardInlineButtonRow", "keyboardInlineButton", "inputReplyToMessage",
  "inputSingleMedia", "bogus",
}
local numbers = { 1 / 0, -1 / 0, 0 / 0, math.maxinteger, math.mininteger, 2 ^ 53, 2 ^ 63, 0.5, -1, 0, 50, -60 }
local texts = {
  "", "me", "@alice", "alice", "50", "-1000000000070", "https://t.me/x", "t.me/+abc", "\0", "\xff", "<b>x", "HTML", ("x"):rep(300),
  "tg://user?id=99999999999999999999", "https://t.me/c/99999999999999999999/1", "-99999999999999999999",
}
local others = { print, coroutine.create(print), io.stdout, true, false }

-- Lua's own generator, but of a seed that a failure can name; the order of `pairs` must not matter.
local function shapes(seed)
  math.randomseed(seed)
  local pick = function(list) return list[math.random(#list)] end
  local value
  function value(depth)
    local kind = math.random(depth > 4 and 8 or 20)
    if kind <= 2 then return math.random(0, 100) end
    if kind == 3 then return pick(numbers) end
    if kind <= 6 then return pick(texts) end
    if kind <= 8 then return pick(others) end
    local t = {}
    if kind <= 11 then
      for i = 1, math.random(0, 4) do t[i] = value(depth + 1) end
      return t
    end
    if math.random(4) > 1 then t._ = pick(kinds) end
    for _ = 1, math.random(0, 5) do t[pick(keys)] = value(depth + 1) end
    if math.random(50) == 1 then t.peer, t.message, t.full_user = t, t, t end
    return t
  end
  local method = params.compile(pick(methods))
  local fields, p = {}, {}
  for name in pairs(method.fields) do fields[#fields + 1] = name end
  table.sort(fields)
  for _, name in ipairs(fields) do
    if math.random(5) > 1 then p[name] = value(1) end
  end
  if math.random(6) == 1 then p.parse_mode = value(3) end
  if math.random(6) == 1 then p.reply_to_msg_id = value(3) end
  return method, p
end

describe("a call's parameters", function()
  it("of any shape end in bytes or in an error that names the method or the peer", function()
    local function unknown() errors.throw(errors.classes.RPCErrorException("NOT_FOUND", 400)) end
    local core = fake { answers = { ["contacts.resolveUsername"] = unknown, ["messages.checkChatInvite"] = unknown } }
    core.peers:harvest { users = { { _ = "user", id = 50, access_hash = 5050, first_name = "Alice", username = "alice" } },
      chats = { { _ = "channel", id = 70, access_hash = 7070, title = "News" } } }
    local limit = tonumber(os.getenv "LUNA_SHAPES")
    local began, good, bad = os.clock(), 0, 0
    local first = limit and os.time() * 1000000 or 0
    for seed = first + 1, limit and math.maxinteger or 1500 do
      local method, p = shapes(seed)
      local ok, err = pcall(function() tl.encodeMethod(method.name, params.prepare(core, method, p)) end)
      if ok then good = good + 1 else bad = bad + 1 end
      if not ok and not errors.isException(err) and not params.isBadCall(method, err, p) then
        error(("seed %d, %s: %s"):format(seed, method.name, tostring(err)))
      end
      if seed % 500 == 0 then task.sleep(0) end
      if limit and os.clock() - began > limit then break end
    end
    core:settle() -- what was learned from them can be stored
    assert.is_true(good > 50 and bad > 50)
    if not limit then assert.equal(5050, core.peers:get(50).hash) end
  end)
end)
