-- What the specs of sockets have in common.
local host = require "_luna.host"

local sockets = {}

--- The error that fn(…) raises, which it has to.
function sockets.errorOf(fn, ...)
  local ok, err = pcall(fn, ...)
  if ok then error("it raises nothing", 2) end
  return err
end

--- n bytes that follow a rule, so that what is lost, doubled or reordered shows.
function sockets.bytes(n)
  local piece = {}
  for i = 0, 255 do piece[i + 1] = string.char(i * 7 & 255) end
  local block = table.concat(piece)
  local out = {}
  for i = 1, n // 264 + 1 do out[i] = ("%08d"):format(i) .. block end
  return table.concat(out):sub(1, n)
end

--- All that comes until the end.
function sockets.readAll(s)
  local out = {}
  for piece in s do out[#out + 1] = piece end
  return table.concat(out)
end

--- A folder of the block's own, for Unix sockets, which is removed by the function that comes with it.
function sockets.folder()
  local folder = os.tmpname()
  os.remove(folder)
  assert(host.mkdirs(folder))
  return folder, function() os.execute("rm -rf '" .. folder .. "'") end
end

return sockets
