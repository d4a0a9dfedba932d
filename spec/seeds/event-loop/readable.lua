-- onReadable(): when data is there, and at the end of the stream.
local loop = require("luna").loop

local process = io.popen "printf hello; sleep 0.02; printf world"

local function isDead(bytes) return bytes == nil end

loop.onReadable(process, function(id, stream)
  local bytes = loop.read(stream, 8192)
  if isDead(bytes) then
    loop.cancel(id) -- closes the circle: nothing else is watched
    print "end"
  elseif bytes ~= "" then
    print(bytes)
  end
end)
loop.run()
process:close()
