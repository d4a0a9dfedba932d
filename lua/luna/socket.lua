--- luna.socket: TCP and Unix sockets on the host's loop, in the manner of amphp/socket and amphp/byte-stream. Sockets and servers are the
--- host's (`_luna.socket`): each owns its descriptor, and ends with the version of the script that opened it. Here are URIs, options, and
--- what failures are called.
local raw = require "_luna.socket"
local task = require "_luna.task"
local core = require "_luna.promise"
local cancellation = require "luna.cancellation"
local errors = require "luna.errors"
local helpers = require "luna.helpers"
local scope = require "luna.scope"
local suggest = require "luna.suggest"

local socket = {}

local CONNECT_SECONDS = 10

local function seconds(v) return type(v) == "number" and v >= 0 and v < math.huge, "a number of seconds" end
local rules = {
  async = function(v) return type(v) == "boolean", "true or false" end,
  timeout = seconds,
  cancellation = function(v) return cancellation.isToken(v), "a token of a CancellationTokenSource" end,
}

-- Raises at `level` for an unknown option or a wrong value.
local function check(opts, level)
  for name, value in pairs(opts) do
    local rule = rules[name]
    if not rule then error(('unknown option "%s"%s'):format(tostring(name), suggest.hint(tostring(name), rules)), level + 1) end
    local ok, expected = rule(value)
    if not ok then
      local got = type(value) == "number" and tostring(value) or "a " .. type(value)
      error(('the option "%s" wants %s, got %s'):format(name, expected, got), level + 1)
    end
  end
end

-- fn(…) in a task of its own, ended by the token; a promise.
local function cancellable(token, fn, ...)
  local ok, requested = pcall(token.throwIfRequested, token)
  if not ok then return core.failure(requested) end
  local p = task.spawn(fn, ...)
  if core.state(p) ~= "pending" then return p end
  local id = token:subscribe(function(err) core.cancel(p, err) end)
  core.onResolve(p, function() token:unsubscribe(id) end)
  return p
end

-- Awaits it; who is ended while it does ends it too.
local function awaited(p)
  local guard <close> = setmetatable({}, { __close = function(_, err) -- luacheck: ignore guard
    if core.state(p) == "pending" then
      core.markHandled(p)
      core.cancel(p, err or errors.classes.CancelledException())
    end
  end })
  return core.await(p)
end

-- fn(…) as the options say: now, or as a promise, or ended by a token.
local function run(opts, level, fn, ...)
  local token = opts.cancellation
  if opts.async then return token and cancellable(token, fn, ...) or task.spawn(fn, ...) end
  helpers.waitable(level + 1)
  if token then return awaited(cancellable(token, fn, ...)) end
  return fn(...)
end

-- What the host calls for a method that was given options: method(self, argument, time limit).
local function options(method, opts, self, argument)
  check(opts, 3)
  return run(opts, 3, method, self, argument, opts.timeout)
end

local words = { connect = "cannot connect to ", listen = "cannot listen at ", read = "reading from ", write = "writing to ",
  accept = "accepting at " }

-- What to do about it, where that can be said.
local advice = {
  connect = {
    CONNECT = "is a server running there?", DNS = "is the host's name right?", PERMISSION = "look at the rights of the file",
    TIMEOUT = "the option timeout gives it longer",
  },
  listen = {
    BUSY = "another program listens there, or this one already: close that one first, or take port 0 for any",
    NOT_FOUND = "this machine has no such address: 127.0.0.1, 0.0.0.0 or [::] may be meant",
    INVAL = "the host to listen at is an address of this machine or localhost",
    PERMISSION = "ports below 1024, folders and files of others are not ours to listen at",
  },
  write = { RESET = "the peer has gone" },
}

local function raise(op, name, text, address)
  local hint = advice[op] and advice[op][name]
  local message = words[op] .. (address ~= "" and address or "the socket") .. ": "
  if text:sub(1, #address + 2) == address .. ": " then text = text:sub(#address + 3) end
  message = message .. text .. (hint and "; " .. hint or "")
  local class = errors.classes.SocketException
  if name == "TIMEOUT" then
    class = errors.classes.TimeoutException
  elseif op == "connect" then
    class = errors.classes.ConnectException
  end
  errors.throw(class(message, { name = name, address = address }))
end

raw.setHooks(options, raise)

-- "tcp://HOST:PORT" → host, port; "unix:///PATH" → path. Raises at `level`.
local function parse(uri, what, level)
  if type(uri) ~= "string" then
    error(('%s wants a URI like "tcp://127.0.0.1:8080" or "unix:///run/my.sock", got a %s'):format(what, type(uri)), level + 1)
  end
  local function wrong(text) error(('%s: "%s" %s'):format(what, uri, text), level + 2) end
  local scheme, rest = uri:match "^(%w+)://(.*)$"
  if not scheme then scheme, rest = "tcp", uri end
  if scheme == "unix" then
    if rest:sub(1, 1) ~= "/" then wrong 'has no absolute path: it is written "unix:///run/my.sock"' end
    if rest:find("\0", 1, true) then wrong "has a zero byte in it" end
    if #rest > 107 then wrong "is too long for a Unix socket: 107 bytes are the most" end
    return rest
  end
  if scheme ~= "tcp" then wrong(('has the scheme "%s": tcp:// and unix:// are known'):format(scheme)) end
  local host, port = rest:match "^%[([%x:.]+)%]:(%d+)$"
  if not host then host, port = rest:match "^([^%[%]:/%s%z]+):(%d+)$" end
  if not host then wrong 'is no address with a port: it is written "tcp://127.0.0.1:8080" or "tcp://[::1]:8080"' end
  port = tonumber(port)
  if port > 65535 then wrong "has a port above 65535" end
  return host, port
end

local function optionsOf(opts, what, level)
  if opts == nil then return {} end
  if type(opts) ~= "table" then error(("%s: the options are a table, not a %s"):format(what, type(opts)), level + 1) end
  check(opts, level + 1)
  return opts
end

--- connect(uri, options?): a socket, once it is connected. The options are timeout (10 s for the look-up of the name and connecting),
--- cancellation, async.
function socket.connect(uri, opts)
  local host, port = parse(uri, "luna.socket.connect", 2)
  if port == 0 then error(('luna.socket.connect: "%s" has port 0, which nobody can listen at'):format(uri), 2) end
  opts = optionsOf(opts, "luna.socket.connect", 2)
  return (run(opts, 2, raw.connect, host, port, opts.timeout or CONNECT_SECONDS))
end

--- listen(uri): a server. Port 0 is any that is free: `server.localAddress` has it.
function socket.listen(uri)
  local host, port = parse(uri, "luna.socket.listen", 2)
  return (raw.listen(host, port))
end

-- What a version of a script has opened goes with it, what a client's tasks have opened with the client.
scope.ends[#scope.ends + 1] = function(mark, err) raw.endOwned(mark, 0xffffffff, err) end
scope.frees[#scope.frees + 1] = function(id) raw.endOwned(id << 32, -1 << 32) end

return socket
