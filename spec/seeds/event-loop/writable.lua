-- Streams are nearly always writable: a watcher of that begins disabled, and is enabled once there is something to send.
local loop = require("luna").loop

local sink = io.popen("cat", "w")
local pending = { "one ", "two ", "three\n" }

local watcher = loop.onWritable(sink, function(id, stream)
  loop.write(stream, table.remove(pending, 1))
  if #pending == 0 then loop.cancel(id) end
end)
loop.disable(watcher)

loop.run(function()
  loop.delay(5, function()
    print "something to send"
    io.flush()
    loop.enable(watcher)
  end)
end)
sink:close()
