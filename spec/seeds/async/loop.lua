-- The seed's "Loop": a loop of one's own around a function that says what to send next, given the result of what was sent before.
local luna = require "luna"

local MyLoop = luna.Loop:extend "my custom loop"

function MyLoop:init(API, callable)
  self.API = API
  self.callable = callable
end

function MyLoop:loop()
  local MadelineProto = self.API
  local result
  while true do
    local params = self.callable(result)
    if not params then return "all sent" end
    result = MadelineProto.messages.sendMessage(params)
  end
end

return MyLoop
