-- now(): the loop's time in milliseconds, for comparison with earlier ones; the same for all of one tick.
local loop = require("luna").loop

loop.run(function()
  local start = loop.now()
  loop.delay(20, function()
    local elapsed = loop.now() - start
    print(elapsed >= 20 and elapsed < 1000)
    print(loop.now() == loop.now())
  end)
end)
