-- run(): the loop runs until there are no timers, streams or signals left to watch. A function given to it is the same as a defer before.
local loop = require("luna").loop

loop.run(function()
  print "first"
  loop.delay(10, function() print "after 10 ms" end)
end)
print "nothing left"
