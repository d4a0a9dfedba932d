--- messages.*: basic groups.
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local groups = require "luna.sandbox.groups"
local boxes = require "luna.sandbox.boxes"
local objects = require "luna.sandbox.objects"
local peers = require "luna.sandbox.peers"
local updates = require "luna.sandbox.updates"

local chats = {}

local function by(ctx) return { user = ctx.user, session = ctx.session } end

local function reply(ctx, entries)
  return updates.container(ctx.model, ctx.user.id, entries, ctx.layer) or
    { _ = "updates", updates = {}, users = {}, chats = {}, date = ctx.model:now(), seq = 0 }
end

chats["messages.createChat"] = function(ctx, p)
  local members = {}
  for i, input in ipairs(p.users) do members[i] = peers.user(ctx, input).id end
  local chat, entry = groups.createChat(ctx.model, by(ctx), p.title, members)
  return { _ = "messages.invitedUsers", updates = reply(ctx, { { k = "participants", chat = chat.id }, entry }), missing_invitees = {} }
end

chats["messages.addChatUser"] = function(ctx, p)
  local entries = groups.addUser(ctx.model, by(ctx), p.chat_id, peers.user(ctx, p.user_id).id)
  return { _ = "messages.invitedUsers", updates = reply(ctx, entries), missing_invitees = {} }
end

chats["messages.deleteChatUser"] = function(ctx, p)
  return reply(ctx, groups.deleteUser(ctx.model, by(ctx), p.chat_id, peers.user(ctx, p.user_id).id))
end

chats["messages.editChatTitle"] = function(ctx, p) return reply(ctx, groups.editTitle(ctx.model, by(ctx), ids.chat(p.chat_id), p.title)) end

chats["messages.editChatAdmin"] = function(ctx, p)
  groups.memberOf(ctx.model, by(ctx), p.chat_id)
  groups.setAdmin(ctx.model, by(ctx), ids.chat(p.chat_id), peers.user(ctx, p.user_id).id, p.is_admin)
  return true
end

chats["messages.editChatAbout"] = function(ctx, p)
  local marked = peers.marked(ctx, p.peer)
  local object = ctx.model:object(marked)
  if not object.members or not object.members[ctx.user.id] then rpc.fail(400, "CHAT_ID_INVALID") end
  if object.about == p.about then rpc.fail(400, "CHAT_ABOUT_NOT_MODIFIED") end
  object.about = p.about
  ctx.model:changed()
  return true
end

chats["messages.getChats"] = function(ctx, p)
  local list = {}
  for _, id in ipairs(p.id) do
    local chat = ctx.model:chat(id)
    if not chat or not (chat.members[ctx.user.id] or chat.left[ctx.user.id]) then rpc.fail(400, "CHAT_ID_INVALID") end
    list[#list + 1] = objects.chat(ctx.model, ctx.user.id, id)
  end
  return { _ = "messages.chats", chats = list }
end

chats["messages.getFullChat"] = function(ctx, p)
  local model = ctx.model
  local chat = groups.memberOf(model, by(ctx), p.chat_id)
  local seen = { [ids.chat(chat.id)] = true }
  local bots = {}
  for _, uid in ipairs(model.memberIds(chat)) do
    if model:user(uid).bot then bots[#bots + 1] = objects.botInfo(model, uid) end
  end
  local full = {
    _ = "chatFull", id = chat.id, about = chat.about or "", participants = objects.participants(model, chat.id, seen),
    notify_settings = objects.notifySettings(), bot_info = #bots > 0 and bots or nil,
  }
  local users, list = objects.fill(model, ctx.user.id, seen)
  return { _ = "messages.chatFull", full_chat = full, chats = list, users = users }
end

chats["messages.deleteChat"] = function(ctx, p)
  local chat = groups.memberOf(ctx.model, by(ctx), p.chat_id)
  if chat.creator ~= ctx.user.id then rpc.fail(400, "CHAT_ADMIN_REQUIRED") end
  for _, uid in ipairs(ctx.model.memberIds(chat)) do
    if uid ~= ctx.user.id then groups.deleteUser(ctx.model, by(ctx), p.chat_id, uid) end
  end
  groups.deleteUser(ctx.model, by(ctx), p.chat_id, ctx.user.id)
  boxes.of(ctx.model, ctx.user.id).dialogs[ids.chat(chat.id)] = nil
  return true
end

chats["messages.getCommonChats"] = function(ctx, p)
  local other = peers.user(ctx, p.user_id)
  local list = {}
  for id, chat in pairs(ctx.model.state.chats) do
    if chat.members[ctx.user.id] and chat.members[other.id] then list[#list + 1] = objects.chat(ctx.model, ctx.user.id, id) end
  end
  return { _ = "messages.chats", chats = list }
end

chats["messages.getOnlines"] = function(ctx, p)
  local object = ctx.model:object(peers.marked(ctx, p.peer))
  local now, n = ctx.model:now(), 0
  for uid in pairs(object.members or {}) do
    if (ctx.model:user(uid).online or 0) > now then n = n + 1 end
  end
  return { _ = "chatOnlines", onlines = n }
end

return chats
