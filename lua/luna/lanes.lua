--- Which updates belong together: the chat of an update (in a forum, the topic of its message), or its user where there is no chat. Pure.
local ids = require "luna.ids"
local topics = require "luna.topics"

local lanes = {}
local pack = string.pack

--- The marked id, with a topic's behind it "ID/TOPIC", or nil where the update is about nobody.
function lanes.key(update)
  local message = update.message
  if type(message) == "table" then
    local peer = message.peer_id
    local topic = topics.of(message)
    if topic then return ("%d/%d"):format(ids.ofPeer(peer), topic) end
    return peer and ids.ofPeer(peer) or nil
  end
  local peer = update.peer
  if type(peer) == "table" then
    if peer._ == "dialogPeer" then peer = peer.peer end
    return peer and ids.ofPeer(peer) or nil
  end
  if update.channel_id then return ids.CHANNEL - update.channel_id end
  if update.chat_id then return -update.chat_id end
  if update.user_id then return update.user_id end
  if type(update.participants) == "table" and update.participants.chat_id then return -update.participants.chat_id end
  return nil
end

--- Bytes that stay the same however often and on whatever way the update comes: for random_id. nil where it has none. before: what they
--- begin with.
function lanes.identity(update, before)
  before = before or ""
  local message = update.message
  if type(message) == "table" and message.id then
    local peer = message.peer_id and ids.ofPeer(message.peer_id) or 0
    return before .. update._ .. pack("<i8i8i8", peer, message.id, message.edit_date or 0)
  end
  if update.query_id then return ("%s%s:%d"):format(before, update._, update.query_id) end
  if update.qts then return ("%s%s:qts:%d"):format(before, update._, update.qts) end
  if update.pts then return ("%s%s:%d:%d"):format(before, update._, update.channel_id or 0, update.pts) end
  return nil
end

return lanes
