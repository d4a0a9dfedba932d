-- stop(): run returns at the end of the current tick, even though something is still watched.
local loop = require("luna").loop

loop.run(function()
  local ticks = 0
  loop.every(1, function()
    ticks = ticks + 1
    print("tick " .. ticks)
    if ticks == 3 then loop.stop() end
  end)
end)
print "stopped"
