--- Input peers, users and channels as they come on the wire → what they name, with their access hashes checked. Bots may leave the hash at
--- 0. Raises PEER_ID_INVALID and its kin.
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local boxes = require "luna.sandbox.boxes"

local peers = {}

local CHANNEL = ids.CHANNEL

local function mayName(ctx, marked, hash)
  if marked == ctx.user.id then return true end
  return hash == ctx.model:hash(ctx.user.id, marked) or hash == 0 and ctx.user.bot
end

-- "…FromMessage": who has written or is named in a message that the account can see.
local function fromMessage(ctx, p, marked)
  local peer = peers.marked(ctx, p.peer)
  local owner = peer < CHANNEL and peer or ctx.user.id
  local core = boxes.core(ctx.model, owner, p.msg_id)
  return core ~= nil and boxes.peerOf(core, owner) == peer and (core.from == marked or core.fwd ~= nil and core.fwd.from == marked)
end

--- An InputUser → the account.
function peers.user(ctx, p)
  local kind = p._
  if kind == "inputUserSelf" then return ctx.user end
  local user = p.user_id and ctx.model:user(p.user_id)
  if user then
    if kind == "inputUser" and mayName(ctx, user.id, p.access_hash) then return user end
    if kind == "inputUserFromMessage" and fromMessage(ctx, p, user.id) then return user end
  end
  return rpc.fail(400, "USER_ID_INVALID")
end

--- An InputChannel → the channel and its marked id.
function peers.channel(ctx, p)
  local channel = p.channel_id and ctx.model:channel(p.channel_id)
  if not channel then rpc.fail(400, "CHANNEL_INVALID") end
  local marked = CHANNEL - channel.id
  local right = p._ == "inputChannel" and mayName(ctx, marked, p.access_hash) or
    p._ == "inputChannelFromMessage" and fromMessage(ctx, p, marked)
  if not right then rpc.fail(400, "CHANNEL_INVALID") end
  if channel.banned[ctx.user.id] or not channel.username and not channel.members[ctx.user.id] then rpc.fail(400, "CHANNEL_PRIVATE") end
  return channel, marked
end

--- An InputPeer → a marked id.
function peers.marked(ctx, p)
  local kind, model = p._, ctx.model
  if kind == "inputPeerSelf" then return ctx.user.id end
  if kind == "inputPeerUser" then
    if model:user(p.user_id) and mayName(ctx, p.user_id, p.access_hash) then return p.user_id end
  elseif kind == "inputPeerChat" then
    local chat = model:chat(p.chat_id)
    if chat and (chat.members[ctx.user.id] or chat.left[ctx.user.id]) then return -p.chat_id end
    rpc.fail(400, "CHAT_ID_INVALID")
  elseif kind == "inputPeerChannel" then
    local _, marked = peers.channel(ctx, { _ = "inputChannel", channel_id = p.channel_id, access_hash = p.access_hash })
    return marked
  elseif kind == "inputPeerUserFromMessage" then
    if model:user(p.user_id) and fromMessage(ctx, p, p.user_id) then return p.user_id end
  elseif kind == "inputPeerChannelFromMessage" then
    local marked = CHANNEL - p.channel_id
    if model:channel(p.channel_id) and fromMessage(ctx, p, marked) then return marked end
  end
  return rpc.fail(400, "PEER_ID_INVALID")
end

return peers
