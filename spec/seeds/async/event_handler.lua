-- The seed's event handler: media comes back, and after three seconds whatever came, as JSON. It runs in async mode and out of it:
-- what has been waited for already, `yield` gives back as it is.
local luna = require "luna"
local yield = luna.await

local EventHandler = luna.EventHandler:extend "EventHandler"

function EventHandler:onAny(update)
  if update.message and update.message.out then return end
  if update.message and update.message.media and update.message.media._ ~= "messageMediaGame" then
    yield(self:downloadToDir(update, self.folder or "/tmp"))
    yield(self.messages.sendMedia { peer = update, message = update.message.message, media = update })
  end

  local res = luna.json.encode(update, { pretty = true })

  yield(self:sleep(3))

  local ok, e = pcall(self.sm, self, update, ("<code>%s</code>\nAsynchronously, after 3 seconds"):format(res))
  if ok then return end
  if luna.is(e, luna.RPCErrorException) then
    luna.Logger.log(tostring(e), luna.Logger.FATAL_ERROR)
  elseif luna.is(e, luna.Exception) then
    luna.Logger.log(tostring(e), luna.Logger.FATAL_ERROR)
  else
    error(e, 0)
  end
end

function EventHandler:sm(peer, message)
  yield(self.messages.sendMessage {
    peer = peer, message = message, reply_to_msg_id = peer.message and peer.message.id, parse_mode = "HTML",
  })
end

return EventHandler
