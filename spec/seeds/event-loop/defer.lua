-- defer(): always in the next tick, on a clean stack.
local loop = require("luna").loop

loop.run(function()
  print "line 1"
  loop.defer(function() print "line 3" end)
  print "line 2"
end)
