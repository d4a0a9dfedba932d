--- channels.*: channels and supergroups.
local rpc = require "luna.sandbox.rpc"
local ids = require "luna.ids"
local actions = require "luna.sandbox.actions"
local boxes = require "luna.sandbox.boxes"
local groups = require "luna.sandbox.groups"
local history = require "luna.sandbox.methods.history"
local objects = require "luna.sandbox.objects"
local peers = require "luna.sandbox.peers"
local updates = require "luna.sandbox.updates"

local channels = {}

local function by(ctx) return { user = ctx.user, session = ctx.session } end

local function reply(ctx, entries)
  return updates.container(ctx.model, ctx.user.id, entries, ctx.layer) or
    { _ = "updates", updates = {}, users = {}, chats = {}, date = ctx.model:now(), seq = 0 }
end

channels["channels.createChannel"] = function(ctx, p)
  local _, entries = groups.createChannel(ctx.model, by(ctx), p.title, {
    megagroup = p.megagroup or p.forum, forum = p.forum, about = p.about,
  })
  return reply(ctx, entries)
end

channels["channels.getChannels"] = function(ctx, p)
  local list = {}
  for _, input in ipairs(p.id) do
    local channel = peers.channel(ctx, input)
    list[#list + 1] = objects.channel(ctx.model, ctx.user.id, channel.id)
  end
  return { _ = "messages.chats", chats = list }
end

channels["channels.getFullChannel"] = function(ctx, p)
  local model = ctx.model
  local channel, marked = peers.channel(ctx, p.channel)
  local dialog = boxes.dialog(model, ctx.user.id, marked)
  local admin = actions.isAdmin(channel, ctx.user.id)
  local admins, bots = 0, {}
  for uid in pairs(channel.members) do
    if actions.isAdmin(channel, uid) then admins = admins + 1 end
    if channel.megagroup and model:user(uid).bot then bots[#bots + 1] = objects.botInfo(model, uid) end
  end
  local full = {
    _ = "channelFull", can_view_participants = (channel.megagroup or admin) and true or nil, id = channel.id, about = channel.about or "",
    participants_count = channel.count, admins_count = admin and admins or nil, kicked_count = admin and 0 or nil,
    banned_count = admin and 0 or nil, read_inbox_max_id = dialog and dialog.readIn or 0,
    read_outbox_max_id = dialog and dialog.readOut or 0,
    unread_count = objects.unread(model, ctx.user.id, marked), chat_photo = { _ = "photoEmpty", id = 0 },
    notify_settings = objects.notifySettings(), bot_info = bots, pts = boxes.of(model, marked).pts,
  }
  local users, chats = objects.fill(model, ctx.user.id, { [marked] = true })
  return { _ = "messages.chatFull", full_chat = full, chats = chats, users = users }
end

channels["channels.joinChannel"] = function(ctx, p)
  local _, marked = peers.channel(ctx, p.channel)
  return { _ = "messages.chatInviteJoinResultOk", updates = reply(ctx, groups.joinChannel(ctx.model, by(ctx), marked)) }
end

channels["channels.leaveChannel"] = function(ctx, p)
  local _, marked = peers.channel(ctx, p.channel)
  return reply(ctx, groups.leaveChannel(ctx.model, by(ctx), marked))
end

channels["channels.inviteToChannel"] = function(ctx, p)
  local _, marked = peers.channel(ctx, p.channel)
  local uids = {}
  for i, input in ipairs(p.users) do uids[i] = peers.user(ctx, input).id end
  return { _ = "messages.invitedUsers", updates = reply(ctx, groups.invite(ctx.model, by(ctx), marked, uids)), missing_invitees = {} }
end

channels["channels.editTitle"] = function(ctx, p)
  local _, marked = peers.channel(ctx, p.channel)
  return reply(ctx, groups.editTitle(ctx.model, by(ctx), marked, p.title))
end

channels["channels.editAdmin"] = function(ctx, p)
  local _, marked = peers.channel(ctx, p.channel)
  local on = next(p.admin_rights, next(p.admin_rights) == "_" and "_" or nil) ~= nil
  groups.setAdmin(ctx.model, by(ctx), marked, peers.user(ctx, p.user_id).id, on)
  return reply(ctx, { { k = "channel", chan = marked } })
end

channels["channels.editBanned"] = function(ctx, p)
  local _, marked = peers.channel(ctx, p.channel)
  local uid = peers.marked(ctx, p.participant)
  if not p.banned_rights.view_messages then
    groups.unban(ctx.model, by(ctx), marked, uid)
    return reply(ctx, { { k = "channel", chan = marked } })
  end
  return reply(ctx, groups.leaveChannel(ctx.model, by(ctx), marked, uid, true))
end

local function participant(ctx, channel, uid)
  local m = channel.members[uid]
  if uid == channel.creator then return { _ = "channelParticipantCreator", user_id = uid, admin_rights = objects.adminRights } end
  if m.role == "admin" then
    return {
      _ = "channelParticipantAdmin", user_id = uid, promoted_by = channel.creator, date = m.date, admin_rights = objects.adminRights,
      self = uid == ctx.user.id or nil, inviter_id = uid == ctx.user.id and m.inviter or nil,
    }
  end
  if uid == ctx.user.id then return { _ = "channelParticipantSelf", user_id = uid, inviter_id = m.inviter, date = m.date } end
  return { _ = "channelParticipant", user_id = uid, date = m.date }
end

channels["channels.getParticipant"] = function(ctx, p)
  local channel = peers.channel(ctx, p.channel)
  local uid = peers.marked(ctx, p.participant)
  if not channel.members[uid] then rpc.fail(400, "USER_NOT_PARTICIPANT") end
  local users, chats = objects.fill(ctx.model, ctx.user.id, { [uid] = true })
  return { _ = "channels.channelParticipant", participant = participant(ctx, channel, uid), chats = chats, users = users }
end

channels["channels.getParticipants"] = function(ctx, p)
  local channel = peers.channel(ctx, p.channel)
  if not channel.megagroup and not actions.isAdmin(channel, ctx.user.id) then rpc.fail(400, "CHAT_ADMIN_REQUIRED") end
  local all = groups.participants(ctx.model, channel, p.filter._, p.filter.q)
  local list, seen = {}, {}
  for i = p.offset + 1, math.min(#all, p.offset + math.min(p.limit, 200)) do
    list[#list + 1] = participant(ctx, channel, all[i])
    seen[all[i]] = true
  end
  local users, chats = objects.fill(ctx.model, ctx.user.id, seen)
  return { _ = "channels.channelParticipants", count = #all, participants = list, chats = chats, users = users }
end

channels["channels.getMessages"] = function(ctx, p)
  local _, marked = peers.channel(ctx, p.channel)
  return history.byIds(ctx, marked, p.id)
end

channels["channels.deleteMessages"] = function(ctx, p)
  local _, marked = peers.channel(ctx, p.channel)
  local entry = actions.deleteFromChannel(ctx.model, by(ctx), marked, p.id)
  return { _ = "messages.affectedMessages", pts = boxes.of(ctx.model, marked).pts, pts_count = entry and entry.count or 0 }
end

channels["channels.readHistory"] = function(ctx, p)
  local _, marked = peers.channel(ctx, p.channel)
  return actions.read(ctx.model, by(ctx), marked, p.max_id) ~= nil
end

channels["channels.readMessageContents"] = function() return true end

channels["channels.checkUsername"] = function(ctx, p)
  if not ctx.model.cleanUsername(p.username) or #p.username < 5 then rpc.fail(400, "USERNAME_INVALID") end
  return ctx.model:byUsername(p.username) == nil
end

channels["channels.updateUsername"] = function(ctx, p)
  local channel, marked = peers.channel(ctx, p.channel)
  if channel.creator ~= ctx.user.id then rpc.fail(400, "CHAT_ADMIN_REQUIRED") end
  local name = p.username ~= "" and p.username or nil
  if name and (not ctx.model.cleanUsername(name) or #name < 5) then rpc.fail(400, "USERNAME_INVALID") end
  if name == channel.username then rpc.fail(400, "USERNAME_NOT_MODIFIED") end
  if name and ctx.model:byUsername(name) and ctx.model:byUsername(name) ~= marked then rpc.fail(400, "USERNAME_OCCUPIED") end
  ctx.model:setUsername(marked, name)
  return true
end

channels["channels.deleteChannel"] = function(ctx, p)
  local channel, marked = peers.channel(ctx, p.channel)
  if channel.creator ~= ctx.user.id then rpc.fail(400, "CHAT_ADMIN_REQUIRED") end
  for _, uid in ipairs(ctx.model.memberIds(channel)) do
    ctx.model:removeMember(channel, uid)
    channel.banned[uid] = true
    boxes.of(ctx.model, uid).dialogs[marked] = nil
    updates.push(ctx.model, uid, { { k = "channel", chan = marked } }, ctx.session)
  end
  if channel.username then ctx.model:setUsername(marked, nil) end
  return reply(ctx, { { k = "channel", chan = marked } })
end

channels["channels.getSendAs"] = function(ctx, p)
  local users, chats = objects.fill(ctx.model, ctx.user.id, { [ctx.user.id] = true, [peers.marked(ctx, p.peer)] = true })
  return {
    _ = "channels.sendAsPeers", peers = { { _ = "sendAsPeer", peer = ids.toPeer(ctx.user.id) } }, chats = chats, users = users,
  }
end

channels["channels.exportMessageLink"] = function(ctx, p)
  local channel = peers.channel(ctx, p.channel)
  local where = channel.username or ("c/%d"):format(channel.id)
  return { _ = "exportedMessageLink", link = ("https://t.me/%s/%d"):format(where, p.id), html = "" }
end

return channels
