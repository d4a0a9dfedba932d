-- disable() and enable(): a server's client has a read watcher, and a write watcher that is enabled only while something waits to be sent.
local luna = require "luna"
local loop = luna.loop

local Server = luna.Class.new "Server"

function Server:init() self.clients = {} end

function Server:startClient(stream)
  local client = { stream = stream, buffer = "" }
  client.readWatcher = loop.onReadable(stream, function() self:onReadable(client) end)
  client.writeWatcher = loop.onWritable(stream, function() self:doWrite(client) end)
  loop.disable(client.writeWatcher) -- the client begins with nothing to send
  self.clients[stream] = client
  return client
end

function Server:write(client, data)
  client.buffer = client.buffer .. data
  self:doWrite(client)
end

function Server:doWrite(client)
  local ok, sent = pcall(loop.write, client.stream, client.buffer)
  if not ok then return self:unload(client) end
  client.buffer = client.buffer:sub(sent + 1)
  if client.buffer == "" then
    loop.disable(client.writeWatcher)
  else
    self.paused = true
    loop.enable(client.writeWatcher)
  end
end

function Server:onReadable(client)
  local bytes = loop.read(client.stream, 65536)
  if bytes == nil then return self:unload(client) end
  self.received = (self.received or 0) + #bytes
  if self.received == self.expected then self:unload(client) end
end

function Server:unload(client)
  loop.cancel(client.readWatcher)
  loop.cancel(client.writeWatcher)
  self.clients[client.stream] = nil
end

-- A FIFO open for both ends is a client that says back what it is told.
local path = os.tmpname()
os.remove(path)
os.execute("mkfifo " .. path)
local stream = io.open(path, "r+")
os.remove(path)

local server = Server()
local client = server:startClient(stream)
server.expected = 300000 -- more than the FIFO holds at once
loop.run(function() server:write(client, ("x"):rep(server.expected)) end)
print(server.received, "paused on the way: " .. tostring(server.paused))
