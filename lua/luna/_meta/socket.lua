---@meta

---Options of what waits for a socket.
---@class luna.SocketOptions
---@field timeout? number seconds, of real time whatever the clock; what takes longer is a TimeoutException
---@field cancellation? luna.CancellationToken
---@field async? boolean a promise instead of waiting

---TCP and Unix sockets, as amphp/socket's. What waits suspends the coroutine.
---```lua
---local socket = luna.socket.connect "tcp://127.0.0.1:7"
---socket:write "hello"
---print(socket:read())
---socket:close()
---```
---@class luna.socket
local socket = {}

---A socket, once it is connected to `tcp://HOST:PORT` or `unix:///PATH`; raises a ConnectException. The timeout, 10 seconds unless it is
---given, is for the look-up of the name and connecting together.
---```lua
---local socket = luna.socket.connect("unix:///run/app.sock", { timeout = 2 })
---```
---@param uri string
---@param options? luna.SocketOptions
---@return luna.Socket
function socket.connect(uri, options) end

---A server at `tcp://ADDRESS:PORT` or `unix:///PATH`; raises a SocketException. Port 0 is any that is free. In a bot that is reloaded, listen
---in `onStart`: there the version before has closed its own.
---```lua
---local server = luna.socket.listen "tcp://127.0.0.1:8080"
---for socket in server do
---  luna.callFork(function()
---    for bytes in socket do socket:write(bytes) end
---    socket:close()
---  end)
---end
---```
---@param uri string
---@return luna.SocketServer
function socket.listen(uri) end

---A socket; `for bytes in socket do … end` reads until the end. It closes when it is forgotten, at the end of a `<close>` variable, and with the version of a script that opened it.
---@class luna.Socket
---@field localAddress? string "127.0.0.1:1234", "[::1]:1234" or a path
---@field remoteAddress? string
---@overload fun(): string?
local Socket = {}

---The bytes that have come, at most n of them, waiting for the first; nil at the end. One task at a time may read.
---@param n? integer
---@param options? luna.SocketOptions
---@return string?
---@overload fun(self: luna.Socket, options: luna.SocketOptions): string?
function Socket:read(n, options) end

---Writes bytes, and waits while the peer does not take them. Writers that meet are served in their order. What a cancelled or late write
---was given still goes out.
---@param bytes string
---@param options? luna.SocketOptions
function Socket:write(bytes, options) end

---Writes the last bytes: the peer sees the end behind them. What it sends can still be read.
---@param bytes? string
---@param options? luna.SocketOptions
---@overload fun(self: luna.Socket, options: luna.SocketOptions)
function Socket:finish(bytes, options) end

---Closes it at once: who reads sees the end, who writes gets a SocketException.
function Socket:close() end

---Whether it is closed, by this side or by a failure.
---@return boolean
function Socket:isClosed() end

---Lets its waits keep the program running, as they do from the start.
function Socket:reference() end

---Its waits no longer keep the program running.
function Socket:unreference() end

---A server; `for socket in server do … end` accepts until it is closed.
---@class luna.SocketServer
---@field localAddress? string "127.0.0.1:8080", "[::]:8080" or a path
---@overload fun(): luna.Socket?
local Server = {}

---The next connection; nil once the server is closed. One task at a time may wait for it.
---@param options? luna.SocketOptions
---@return luna.Socket?
function Server:accept(options) end

---Closes it at once; sockets that were accepted stay.
function Server:close() end

---@return boolean
function Server:isClosed() end

---Lets its waits keep the program running, as they do from the start.
function Server:reference() end

---Its waits no longer keep the program running.
function Server:unreference() end
