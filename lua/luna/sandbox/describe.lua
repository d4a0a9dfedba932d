--- Messages in words, for the chat, the test kit's errors and its transcripts. Pure.
local media = require "luna.media"

local describe = {}

local services = { messageActionChatAddUser = "[joined]", messageActionChatDeleteUser = "[left]" }

--- The text of a message as one reads it: "[photo] caption".
function describe.message(message)
  if message.action then
    local known = services[message.action._]
    if known then return known end
    return ("[%s]"):format(message.action._:gsub("^messageAction", ""):gsub("(%l)(%u)", "%1 %2"):lower())
  end
  local text = message.message or ""
  local name = media.kind(message.media)
  if not name then return text end
  return text == "" and ("[%s]"):format(name) or ("[%s] %s"):format(name, text)
end

return describe
