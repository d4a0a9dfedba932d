-- stop(): run returns at the end of the current tick, even though something is still watched.
local loop = require("luna").loop

loop.run(function()
  local ticks = 0
  loop.delay(3600000, function() print "an hour later" end)
  local function tick()
    ticks = ticks + 1
    print("tick " .. ticks)
    if ticks < 3 then
      loop.defer(tick)
    else
      loop.stop()
      print "to the end of the tick"
    end
  end
  tick()
end)
print "stopped"
