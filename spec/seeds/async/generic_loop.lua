-- The seed's "GenericLoop".
local luna = require "luna"
local GenericLoop = luna.GenericLoop

return function(MadelineProto)
  local loop = GenericLoop(
    MadelineProto,
    function(self)
      self.API.messages.sendMessage{ peer = "@alice_of_the_loops", message = "Hi every 2 seconds" }

      return 2
    end,
    "My super loop"
  )
  loop:start()
  return loop
end
