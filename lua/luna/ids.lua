--- Bot API form of ids ("marked" ids) and the kinds of peers behind them: users are positive, basic groups negative, channels and
--- supergroups -100…. Pure functions, used wherever a peer is named.
local ids = {}

local CHANNEL = -1000000000000
local MAX_USER = 0xffffffffff
local MAX_CHAT = 999999999999

ids.CHANNEL = CHANNEL

function ids.user(id) return id end
function ids.chat(id) return -id end
function ids.channel(id) return CHANNEL - id end

--- A marked id → "user" | "chat" | "channel", bare id; nil where it is neither.
function ids.split(marked)
  if marked > 0 then
    if marked <= MAX_USER then return "user", marked end
  elseif marked < 0 then
    if marked >= -MAX_CHAT then return "chat", -marked end
    if marked < CHANNEL then return "channel", CHANNEL - marked end
  end
  return nil
end

--- The marked id of a TL Peer, or of an InputPeer that holds one.
function ids.ofPeer(peer)
  if peer.user_id then return peer.user_id end
  if peer.chat_id then return -peer.chat_id end
  if peer.channel_id then return CHANNEL - peer.channel_id end
  return nil
end

--- The marked id of a user, chat or channel object.
function ids.ofObject(object)
  local kind = object._
  if kind == "user" or kind == "userEmpty" then return object.id end
  if kind == "chat" or kind == "chatEmpty" or kind == "chatForbidden" then return -object.id end
  if kind == "channel" or kind == "channelForbidden" then return CHANNEL - object.id end
  return nil
end

--- A marked id as a TL Peer.
function ids.toPeer(marked)
  local kind, id = ids.split(marked)
  if kind == "user" then return { _ = "peerUser", user_id = id } end
  if kind == "chat" then return { _ = "peerChat", chat_id = id } end
  if kind == "channel" then return { _ = "peerChannel", channel_id = id } end
  return nil
end

return ids
