--- Containers of updates in their short forms → a list of full updates with date, seq, users and chats. Pure.
local expand = {}

local function peerUser(id) return { _ = "peerUser", user_id = id } end

local messageMeta
--- The metatable of messages that are made here rather than decoded.
function expand.setMessageMeta(mt) messageMeta = mt end

local function message(u, fields)
  local m = {
    _ = "message", id = u.id, out = u.out, mentioned = u.mentioned, media_unread = u.media_unread, silent = u.silent,
    message = u.message, date = u.date, fwd_from = u.fwd_from, via_bot_id = u.via_bot_id, reply_to = u.reply_to, entities = u.entities,
    ttl_period = u.ttl_period,
  }
  for k, v in pairs(fields) do m[k] = v end
  return messageMeta and setmetatable(m, messageMeta) or m
end

local forms = {}

function forms.updateShort(u) return { updates = { u.update }, date = u.date, seq = 0 } end

function forms.updateShortMessage(u, me)
  local from = u.out and me or u.user_id
  local m = message(u, { peer_id = peerUser(u.user_id), from_id = from and peerUser(from) or nil })
  local update = { _ = "updateNewMessage", message = m, pts = u.pts, pts_count = u.pts_count }
  return { updates = { update }, date = u.date, seq = 0, needs = u.user_id }
end

function forms.updateShortChatMessage(u)
  local m = message(u, { peer_id = { _ = "peerChat", chat_id = u.chat_id }, from_id = peerUser(u.from_id) })
  local update = { _ = "updateNewMessage", message = m, pts = u.pts, pts_count = u.pts_count }
  return { updates = { update }, date = u.date, seq = 0, needs = u.from_id }
end

local peerOf = {
  inputPeerUser = function(p) return peerUser(p.user_id) end,
  inputPeerSelf = function(_, me) return me and peerUser(me) end,
  inputPeerChat = function(p) return { _ = "peerChat", chat_id = p.chat_id } end,
  inputPeerChannel = function(p) return { _ = "peerChannel", channel_id = p.channel_id } end,
}

--- updateShortSentMessage tells only what the server chose: the rest is what was asked for.
function forms.updateShortSentMessage(u, me, request)
  local make = request and request.peer and peerOf[request.peer._]
  local peer = make and make(request.peer, me)
  if not peer then return { updates = {}, date = u.date, seq = 0, pts = u.pts, pts_count = u.pts_count } end
  local reply = request.reply_to
  local m = message(u, {
    out = true, message = request.message or "", peer_id = peer, from_id = me and peerUser(me) or nil, media = u.media,
    entities = u.entities or nil,
    reply_to = reply and reply.reply_to_msg_id and { _ = "messageReplyHeader", reply_to_msg_id = reply.reply_to_msg_id } or nil,
    silent = request.silent,
  })
  return { updates = { { _ = "updateNewMessage", message = m, pts = u.pts, pts_count = u.pts_count } }, date = u.date, seq = 0 }
end

--- The container in full form, or nil for updatesTooLong. me: the own id; request: the parameters of the call that it answers.
function expand.container(u, me, request)
  local kind = u._
  if kind == "updates" or kind == "updatesCombined" then return u end
  local form = forms[kind]
  if form then return form(u, me, request) end
  return nil
end

return expand
