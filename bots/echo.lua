-- Says back what it is told.
local luna = require "luna"

---@class Echo: luna.EventHandler
local Echo = luna.EventHandler:extend "Echo"

function Echo:onUpdateNewMessage(update)
  local message = update.message
  if message.out or (message.message or "") == "" then return end
  self.messages.sendMessage{ peer = update, message = message.message } -- suspends this coroutine
end

return Echo
