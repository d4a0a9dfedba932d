--- A dialog as text, for the messages of failed tests: who said and did what, the last of it. Called by person.lua.
local Transcript = require "luna.sandbox.transcript"

local conversation = {}

conversation.LAST = 20 -- events shown

--- The last of what has happened between a person and a peer: in this test, or before where nothing has in it.
function conversation.show(person, peer)
  local opts = { of = Transcript.key(person.id, peer), last = conversation.LAST }
  local text, n = person.world.record:text(opts)
  if n == 0 then
    opts.all = true
    text, n = person.world.record:text(opts)
  end
  return n == 0 and "the conversation is empty" or "the conversation:\n" .. text
end

return conversation
