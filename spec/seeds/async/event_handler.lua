-- The seed's event handler: media comes back, and after three seconds whatever came, as JSON.
local luna = require "luna"

local EventHandler = luna.EventHandler:extend "EventHandler"

function EventHandler:onAny(update)
  if update.message and update.message.out then return end
  if update.message and update.message.media and update.message.media._ ~= "messageMediaGame" then
    self:downloadToDir(update, self.folder or "/tmp")
    self.messages.sendMedia { peer = update, message = update.message.message, media = update }
  end

  local res = luna.json.encode(update, { pretty = true })

  self:sleep(3)

  local ok, e = pcall(self.sm, self, update, ("<code>%s</code>\nAsynchronously, after 3 seconds"):format(res))
  if not ok then luna.Logger.log(tostring(e), luna.Logger.FATAL_ERROR) end
end

function EventHandler:sm(peer, message)
  self.messages.sendMessage { peer = peer, message = message, reply_to_msg_id = peer.message and peer.message.id, parse_mode = "HTML" }
end

return EventHandler
