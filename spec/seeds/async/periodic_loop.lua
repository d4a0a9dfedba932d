-- The seed's "PeriodicLoop": the function is not bound to the loop; it captures it, and could have it as its argument.
local luna = require "luna"
local PeriodicLoop = luna.PeriodicLoop

return function(MadelineProto)
  local loop
  loop = PeriodicLoop(
    MadelineProto,
    function()
      loop.API.messages.sendMessage{ peer = "@alice_of_the_loops", message = "Hi every 2 seconds" }
    end,
    "My super loop",
    2
  )
  loop:start()
  return loop
end
