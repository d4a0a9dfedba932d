-- cancel(): persistent watchers are cancelled when they are done with; twice is harmless.
local loop = require("luna").loop

loop.run(function()
  local i = 0
  loop.every(1, function(watcherId)
    i = i + 1
    print("hello " .. i)
    if i >= 3 then
      loop.cancel(watcherId) -- cancel myself
      loop.cancel(watcherId)
    end
  end)
end)
