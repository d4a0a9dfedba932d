--- What accounts do to groups and channels: make them, join, leave, rename, promote. As actions.lua, and on top of it: `by` is { user =,
--- session = }; each returns the asker's entries.
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local actions = require "luna.sandbox.actions"
local boxes = require "luna.sandbox.boxes"
local updates = require "luna.sandbox.updates"

local groups = {}

local CHANNEL = ids.CHANNEL
local CHAT_MAX = 200

local function title(text)
  local kept = text:gsub("^%s+", ""):gsub("%s+$", "")
  if kept == "" then rpc.fail(400, "CHAT_TITLE_EMPTY") end
  return kept
end

-- ---- what bots hear of members ----

-- How somebody stands in a group or a channel: a plain copy, or nil for who has nothing to do with it.
local function standing(object, uid)
  local m = object.members[uid]
  if not m then return object.banned and object.banned[uid] and { banned = true } or nil end
  return { creator = object.creator == uid or nil, admin = m.role == "admin" or nil, date = m.date, inviter = m.inviter }
end
groups.standing = standing

--- Tells bots that somebody's standing has changed: the bot itself, and those that are admins there. before: as `standing` gave it.
function groups.changed(model, by, marked, uid, before)
  local object = model:object(marked)
  local after = standing(object, uid)
  local list = model.memberIds(object)
  if not object.members[uid] then list[#list + 1] = uid end
  for _, bot in ipairs(list) do
    if model:user(bot).bot and (bot == uid or actions.isAdmin(object, bot)) then
      updates.push(model, bot, { boxes.logQts(model, bot, {
        k = "member", peer = marked, actor = by.user.id, user = uid, before = before, after = after, date = model:now(),
      }) }, by.session)
    end
  end
end

-- ---- basic groups ----

--- A new group of the asker and `members` (ids). Returns the chat and the entry of its first message.
function groups.createChat(model, by, name, members)
  local s = model.state
  local me = by.user
  if me.bot then rpc.fail(400, "BOT_METHOD_INVALID") end
  local chat = {
    id = s.nextChat, title = title(name), date = model:now(), creator = me.id, members = {}, left = {}, version = 0, count = 0,
  }
  if #members >= CHAT_MAX then rpc.fail(400, "USERS_TOO_MUCH") end
  s.nextChat = s.nextChat + 1
  s.chats[chat.id] = chat
  model:addMember(chat, me.id, me.id)
  local added = {}
  for _, uid in ipairs(members) do
    if not chat.members[uid] then
      model:addMember(chat, uid, me.id)
      added[#added + 1] = uid
    end
  end
  for _, uid in ipairs(added) do groups.changed(model, by, ids.chat(chat.id), uid, nil) end
  local entry = actions.send(model, by, ids.chat(chat.id), {
    action = { _ = "messageActionChatCreate", title = chat.title, users = added },
  })
  return chat, entry
end

-- Tells the members what the list of members is now.
local function tellMembers(model, by, chat)
  for _, uid in ipairs(model.memberIds(chat)) do
    if not model:user(uid).bot then updates.push(model, uid, { { k = "participants", chat = chat.id } }, by.session) end
  end
end

function groups.memberOf(model, by, id)
  local chat = model:chat(id)
  if not chat then rpc.fail(400, "CHAT_ID_INVALID") end
  if not chat.members[by.user.id] then rpc.fail(400, "USER_NOT_PARTICIPANT") end
  return chat
end

--- Brings somebody into a group. Returns the entries.
function groups.addUser(model, by, id, uid)
  local chat = groups.memberOf(model, by, id)
  local user = model:user(uid)
  if not user then rpc.fail(400, "USER_ID_INVALID") end
  if chat.members[uid] then rpc.fail(400, "USER_ALREADY_PARTICIPANT") end
  if chat.count >= CHAT_MAX then rpc.fail(400, "USERS_TOO_MUCH") end
  model:addMember(chat, uid, by.user.id)
  chat.left[uid] = nil
  groups.changed(model, by, ids.chat(id), uid, nil)
  local entry = actions.send(model, by, ids.chat(id), { action = { _ = "messageActionChatAddUser", users = { uid } } })
  tellMembers(model, by, chat)
  return { entry, { k = "participants", chat = id } }
end

--- Somebody joins a group by himself (the test kit's user:join).
function groups.join(model, by, id)
  local chat = model:chat(id)
  if chat.members[by.user.id] then rpc.fail(400, "USER_ALREADY_PARTICIPANT") end
  model:addMember(chat, by.user.id, by.user.id)
  chat.left[by.user.id] = nil
  groups.changed(model, by, ids.chat(id), by.user.id, nil)
  local entry = actions.send(model, by, ids.chat(id), { action = { _ = "messageActionChatAddUser", users = { by.user.id } } })
  tellMembers(model, by, chat)
  return { entry }
end

--- Takes somebody out of a group, oneself included.
function groups.deleteUser(model, by, id, uid)
  local chat = groups.memberOf(model, by, id)
  local member = chat.members[uid]
  if not member then rpc.fail(400, "USER_NOT_PARTICIPANT") end
  local mayRemove = uid == by.user.id or actions.isAdmin(chat, by.user.id) or member.inviter == by.user.id
  if not mayRemove then rpc.fail(400, "CHAT_ADMIN_REQUIRED") end
  if uid == chat.creator and uid ~= by.user.id then rpc.fail(400, "USER_ID_INVALID") end
  local entry = actions.send(model, by, ids.chat(id), { action = { _ = "messageActionChatDeleteUser", user_id = uid } })
  local before = standing(chat, uid)
  model:removeMember(chat, uid)
  chat.left[uid] = true
  groups.changed(model, by, ids.chat(id), uid, before)
  model:changed()
  tellMembers(model, by, chat)
  return { entry }
end

function groups.editTitle(model, by, marked, name)
  local object, kind = model:object(marked)
  if not object or not object.members[by.user.id] then rpc.fail(400, "CHAT_ID_INVALID") end
  if kind == "channel" and not actions.isAdmin(object, by.user.id) then rpc.fail(400, "CHAT_ADMIN_REQUIRED") end
  name = title(name)
  if name == object.title then rpc.fail(400, "CHAT_NOT_MODIFIED") end
  object.title = name
  object.version = (object.version or 0) + 1
  return { (actions.send(model, by, marked, { action = { _ = "messageActionChatEditTitle", title = name } })) }
end

function groups.setAdmin(model, by, marked, uid, on)
  local object = model:object(marked)
  if object.creator ~= by.user.id then rpc.fail(400, "CHAT_ADMIN_REQUIRED") end
  local member = object.members[uid]
  if not member then rpc.fail(400, "USER_NOT_PARTICIPANT") end
  local before = standing(object, uid)
  member.role = on and "admin" or nil
  object.version = (object.version or 0) + 1
  model:changed()
  if (before.admin == true) ~= on then groups.changed(model, by, marked, uid, before) end
  return {}
end

-- ---- channels and supergroups ----

--- opts: megagroup, forum, about, username. Returns the channel and the entry of its first message.
function groups.createChannel(model, by, name, opts)
  local s = model.state
  if by.user.bot then rpc.fail(400, "BOT_METHOD_INVALID") end
  local channel = {
    id = s.nextChannel, title = title(name), about = opts.about or "", date = model:now(), creator = by.user.id, members = {}, banned = {},
    megagroup = opts.megagroup and true or nil, forum = opts.forum and true or nil, topics = opts.forum and {} or nil,
    version = 0, count = 0,
  }
  s.nextChannel = s.nextChannel + 1
  s.channels[channel.id] = channel
  local marked = ids.channel(channel.id)
  model:addMember(channel, by.user.id, by.user.id)
  if opts.username then model:setUsername(marked, opts.username) end
  boxes.dialog(model, marked, marked, true)
  local entry = actions.send(model, by, marked, { action = { _ = "messageActionChannelCreate", title = channel.title } })
  return channel, { { k = "channel", chan = marked }, entry }
end

-- From now on a member sees it among the dialogs; what was there before counts as read.
local function enter(model, by, channel, uid)
  local marked = ids.channel(channel.id)
  local before = standing(channel, uid)
  channel.banned[uid] = nil
  model:addMember(channel, uid, by.user.id)
  local list = boxes.dialog(model, marked, marked, true).ids
  boxes.dialog(model, uid, marked, true).readIn = list[#list] or 0
  model:changed()
  updates.push(model, uid, { { k = "channel", chan = marked } })
  groups.changed(model, by, marked, uid, before)
end

function groups.joinChannel(model, by, marked)
  local channel = model:object(marked)
  if channel.banned[by.user.id] then rpc.fail(400, "CHANNEL_PRIVATE") end
  if channel.members[by.user.id] then rpc.fail(400, "USER_ALREADY_PARTICIPANT") end
  enter(model, by, channel, by.user.id)
  local list = { { k = "channel", chan = marked } }
  if channel.megagroup then
    list[2] = actions.send(model, by, marked, { action = { _ = "messageActionChatAddUser", users = { by.user.id } } })
  end
  return list
end

function groups.invite(model, by, marked, uids)
  local channel = model:object(marked)
  if not channel.members[by.user.id] then rpc.fail(400, "USER_NOT_PARTICIPANT") end
  if not channel.megagroup and not actions.isAdmin(channel, by.user.id) then rpc.fail(400, "CHAT_ADMIN_REQUIRED") end
  local added = {}
  for _, uid in ipairs(uids) do
    if not channel.members[uid] then
      enter(model, by, channel, uid)
      added[#added + 1] = uid
    end
  end
  local list = { { k = "channel", chan = marked } }
  if channel.megagroup and #added > 0 then
    list[2] = actions.send(model, by, marked, { action = { _ = "messageActionChatAddUser", users = added } })
  end
  return list
end

--- Leaves a channel, or (as an admin) takes somebody out of it; ban: for good.
function groups.leaveChannel(model, by, marked, uid, ban)
  local channel = model:object(marked)
  uid = uid or by.user.id
  if uid ~= by.user.id and not actions.isAdmin(channel, by.user.id) then rpc.fail(400, "CHAT_ADMIN_REQUIRED") end
  if uid == channel.creator and uid ~= by.user.id then rpc.fail(400, "USER_ID_INVALID") end
  if not channel.members[uid] and not ban then rpc.fail(400, "USER_NOT_PARTICIPANT") end
  local list = { { k = "channel", chan = marked } }
  if channel.megagroup and channel.members[uid] then
    list[2] = actions.send(model, by, marked, { action = { _ = "messageActionChatDeleteUser", user_id = uid } })
  end
  local before = standing(channel, uid)
  model:removeMember(channel, uid)
  if ban then channel.banned[uid] = true end
  groups.changed(model, by, marked, uid, before)
  boxes.of(model, uid).dialogs[marked] = nil
  model:changed()
  if uid ~= by.user.id then updates.push(model, uid, { { k = "channel", chan = marked } }) end
  return list
end

--- Somebody who was banned may come again.
function groups.unban(model, by, marked, uid)
  local channel = model:object(marked)
  if not actions.isAdmin(channel, by.user.id) then rpc.fail(400, "CHAT_ADMIN_REQUIRED") end
  if not channel.banned[uid] then return end
  local before = standing(channel, uid)
  channel.banned[uid] = nil
  model:changed()
  groups.changed(model, by, marked, uid, before)
end

--- The id of a channel or chat from its marked id is ids.split's business; here is who is in it, by a filter's name.
function groups.participants(model, channel, filter, query)
  local list = {}
  for _, uid in ipairs(model.memberIds(channel)) do
    local user = model:user(uid)
    local fits = true
    if filter == "channelParticipantsAdmins" then fits = actions.isAdmin(channel, uid) end
    if filter == "channelParticipantsBots" then fits = user.bot == true end
    if filter == "channelParticipantsKicked" or filter == "channelParticipantsBanned" then fits = false end
    if fits and query and query ~= "" then
      local name = ((user.first_name or "") .. " " .. (user.last_name or "") .. " " .. (user.username or "")):lower()
      fits = name:find(query:lower(), 1, true) ~= nil
    end
    if fits then list[#list + 1] = uid end
  end
  return list
end

groups.CHANNEL = CHANNEL

return groups
