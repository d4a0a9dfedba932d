--- A dialog as text, for the messages of failed tests: who said and did what, the last of it. Called by person.lua.
local Transcript = require "luna.sandbox.transcript"

local conversation = {}

conversation.LAST = 20 -- events shown

--- The last of what has happened between a person and a peer.
function conversation.show(person, peer)
  local text, n = person.world.record:text { of = Transcript.key(person.id, peer), all = true, last = conversation.LAST }
  return n == 0 and "the conversation is empty" or "the conversation:\n" .. text
end

return conversation
