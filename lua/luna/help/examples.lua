--- An example of each method: written for the commonest, made of the parameters for the others. Called by luna.help.
local tl = require "_luna.tl"

local M = {}

local written = {
  ["messages.sendMessage"] = {
    'self.messages.sendMessage{ peer = update, message = "<b>Hello</b>", parse_mode = "HTML",',
    '  reply_markup = { inline_keyboard = { { { text = "Press me", callback_data = "pressed" } } } } }',
  },
  ["messages.sendMedia"] = {
    'self.messages.sendMedia{ peer = update, message = "the list", media = { document = "a,b,c", name = "list.csv" } }',
    'self.messages.sendMedia{ peer = update, message = "a caption", media = { path = "cat.jpg", photo = true } }',
    'self.messages.sendMedia{ peer = update, message = "",',
    '  media = { _ = "inputMediaPhotoExternal", url = "https://example.org/picture.jpg" } }',
  },
  ["messages.sendMultiMedia"] = {
    "self.messages.sendMultiMedia{ peer = update, multi_media = {",
    '  { media = { path = "one.jpg", photo = true }, message = "one" },',
    '  { media = { _ = "inputMediaPhotoExternal", url = "https://example.org/2.jpg" }, message = "two" },',
    "} }",
  },
  ["messages.editMessage"] = { 'self.messages.editMessage{ peer = update, id = update.message.id, message = "the new text" }' },
  ["messages.deleteMessages"] = { "self.messages.deleteMessages{ id = { update.message.id }, revoke = true }" },
  ["channels.deleteMessages"] = { "self.channels.deleteMessages{ channel = update, id = { update.message.id } }" },
  ["messages.forwardMessages"] = {
    'self.messages.forwardMessages{ from_peer = update, id = { update.message.id }, to_peer = "me" }',
  },
  ["messages.getMessages"] = { "local message = self.messages.getMessages{ id = { 1 } }.messages[1]" },
  ["channels.getMessages"] = { 'local message = self.channels.getMessages{ channel = "@channel", id = { 1 } }.messages[1]' },
  ["messages.getHistory"] = {
    'local found = self.messages.getHistory{ peer = "@username", offset_id = 0, offset_date = 0, add_offset = 0, limit = 20,',
    "  max_id = 0, min_id = 0 }",
    "for _, message in ipairs(found.messages) do print(message.id, message.message) end",
  },
  ["messages.search"] = {
    'local found = self.messages.search{ peer = "@username", q = "tea", filter = { _ = "inputMessagesFilterEmpty" }, min_date = 0,',
    "  max_date = 0, offset_id = 0, add_offset = 0, limit = 20, max_id = 0, min_id = 0 }",
  },
  ["messages.setBotCallbackAnswer"] = {
    "function Bot:onUpdateBotCallbackQuery(update)",
    '  self.messages.setBotCallbackAnswer{ query_id = update.query_id, message = "You pressed " .. update.data }',
    "end",
  },
  ["messages.setInlineBotResults"] = {
    "function Bot:onUpdateBotInlineQuery(update)",
    "  self.messages.setInlineBotResults{ query_id = update.query_id, results = {",
    '    { title = "Say it", input_message_content = update.query },',
    '    { title = "Loudly", input_message_content = { message_text = "<b>" .. update.query .. "</b>", parse_mode = "HTML" } },',
    "  } }",
    "end",
  },
  ["messages.setTyping"] = { 'self.messages.setTyping{ peer = update, action = { _ = "sendMessageTypingAction" } }' },
  ["messages.readHistory"] = { "self.messages.readHistory{ peer = update, max_id = update.message.id }" },
  ["messages.updatePinnedMessage"] = { "self.messages.updatePinnedMessage{ peer = update, id = update.message.id, silent = true }" },
  ["messages.sendReaction"] = {
    "self.messages.sendReaction{ peer = update, msg_id = update.message.id,",
    '  reaction = { { _ = "reactionEmoji", emoticon = "👍" } } }',
  },
  ["messages.sendVote"] = { 'self.messages.sendVote{ peer = "@channel", msg_id = 1, options = { "0" } }' },
  ["messages.createChat"] = { 'self.messages.createChat{ users = { "@username" }, title = "Friends" }' },
  ["messages.getDialogs"] = {
    'local found = self.messages.getDialogs{ offset_date = 0, offset_id = 0, offset_peer = { _ = "inputPeerEmpty" }, limit = 20 }',
  },
  ["messages.exportChatInvite"] = { 'print(self.messages.exportChatInvite{ peer = "@channel" }.link)' },
  ["channels.createChannel"] = { 'self.channels.createChannel{ title = "News", about = "what is new", broadcast = true }' },
  ["channels.getParticipant"] = { 'local who = self.channels.getParticipant{ channel = update, participant = "@username" }.participant' },
  ["channels.getParticipants"] = {
    'local found = self.channels.getParticipants{ channel = "@channel", filter = { _ = "channelParticipantsRecent" }, offset = 0,',
    "  limit = 100 }",
  },
  ["channels.editBanned"] = {
    'self.channels.editBanned{ channel = "@channel", participant = "@username",',
    '  banned_rights = { _ = "chatBannedRights", view_messages = true, until_date = 0 } }',
  },
  ["channels.joinChannel"] = { 'self.channels.joinChannel{ channel = "@channel" }' },
  ["channels.leaveChannel"] = { 'self.channels.leaveChannel{ channel = "@channel" }' },
  ["users.getUsers"] = { 'local me = self.users.getUsers{ id = { "me" } }[1]' },
  ["users.getFullUser"] = { 'print(self.users.getFullUser{ id = "@username" }.full_user.about)' },
  ["contacts.resolveUsername"] = { 'local found = self.contacts.resolveUsername{ username = "username" }' },
  ["bots.setBotCommands"] = {
    'self.bots.setBotCommands{ scope = { _ = "botCommandScopeDefault" }, lang_code = "",',
    '  commands = { { _ = "botCommand", command = "help", description = "what this bot does" } } }',
  },
  ["photos.getUserPhotos"] = { 'local found = self.photos.getUserPhotos{ user_id = "@username", offset = 0, max_id = 0, limit = 10 }' },
  ["help.getConfig"] = { "print(self.help.getConfig{}.this_dc)" },
}

-- Values that look like what is meant.
local byName = {
  message = '"text"', text = '"text"', title = '"title"', about = '"about"', username = '"username"', phone = '"+10000000000"',
  phone_number = '"+10000000000"', url = '"https://example.org"', link = '"https://t.me/example"', lang_code = '"en"', limit = "100",
  emoticon = '"👍"', q = '"words"', query = '"words"',
}
local peers = {
  InputPeer = '"@username"', InputUser = '"@username"', InputChannel = '"@channel"', InputDialogPeer = '"@username"',
}
local plain = {
  int = "0", long = "0", double = "0.0", string = '""', bytes = '""', Bool = "true", ["true"] = "true",
  int128 = '("\\0"):rep(16)', int256 = '("\\0"):rep(32)',
}

local value

local function object(name, depth)
  local c = tl.constructor(name)
  local parts = { ('_ = "%s"'):format(c.name) }
  for _, p in ipairs(c.params) do
    if not p.flag then parts[#parts + 1] = ("%s = %s"):format(p.name, value(p, depth + 1)) end
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

-- The constructor of a type that needs least.
local function least(typeName)
  local best, count
  for _, name in ipairs(tl.type(typeName) or {}) do
    local n, c = 0, tl.constructor(name)
    for _, p in ipairs(c.params) do
      if not p.flag then n = n + (plain[p.type] and 1 or 4) end
    end
    if not c.old and (not count or n < count) then best, count = name, n end
  end
  return best
end

local function single(p, depth)
  if plain[p.type] then return byName[p.name] or plain[p.type] end
  if depth == 0 and peers[p.type] then return peers[p.type] end
  if depth == 0 and p.type == "InputMessage" then return "1" end
  if depth == 0 and p.type == "ReplyMarkup" then return "{ remove_keyboard = true }" end
  local name = tl.constructor(p.type) and p.type or least(p.type)
  if not name or depth > 6 then return "{}" end
  return object(name, depth)
end

function value(p, depth)
  if not p.vector then return single(p, depth) end
  local one = single({ type = p.type, name = p.name }, depth)
  if plain[p.type] == "0" then one = "1" end
  return "{ " .. one .. " }"
end

--- Lines of Lua that call the method (as `_luna.tl` describes it); and whether they were made rather than written.
function M.of(method, filled)
  local own = written[method.name]
  if own then return own, false end
  local parts = {}
  for _, p in ipairs(method.params) do
    if not p.flag and not filled(p) then parts[#parts + 1] = ("%s = %s"):format(p.name, value(p, 0)) end
  end
  local call = ("self.%s{"):format(method.name)
  if #parts == 0 then return { call .. "}" }, true end
  local lines, line = {}, call
  for i, part in ipairs(parts) do
    if #line + #part > 100 and i > 1 then
      lines[#lines + 1] = line
      line = " "
    end
    line = line .. " " .. part .. (i < #parts and "," or "")
  end
  lines[#lines + 1] = line .. " }"
  return lines, true
end

--- The names of those that were written by hand.
function M.names()
  local list = {}
  for name in pairs(written) do list[#list + 1] = name end
  table.sort(list)
  return list
end

return M
