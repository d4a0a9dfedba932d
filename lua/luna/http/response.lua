--- An answer of HTTP. status, reason, headers, url, version, redirects are there from the start; the body comes as it is read: what nobody
--- reads makes the server wait. Fields never wait, methods may. Owns the host's exchange, which ends with it.
local host = require "_luna.host"
local Class = require "luna.class"
local errors = require "luna.errors"
local helpers = require "luna.helpers"

local Response = Class.new "HTTPResponse"
local BODY_MAX = 64 << 20 -- of body(), unless maxSize says otherwise

function Response:init(plan, r, fields)
  for k, v in pairs(fields) do self[k] = v end
  self.ok = self.status >= 200 and self.status < 300
  self._plan, self._raw = plan, r
end

local plain = { _core = { async = false } } -- in the place of an API object, for a client that is of none

-- By the mode of the client and the options of the call: at once, or as a promise.
local function run(self, opts, fn, ...)
  local api = self._plan.api or plain
  if not helpers.isAsync(api, opts) then helpers.waitable(2) end
  if opts == nil and not api._core.async then return fn(self, ...) end
  return helpers.run(api, opts, fn, self, ...)
end

local function checkEnd(self, r)
  local status, name, text = r:status()
  if status == "closed" then error(self._plan.cancelled or errors.classes.HTTPException("the answer is closed", { name = "CLOSED" }), 0) end
  if status == "failed" then error(require("luna.http.exchange").failure(self._plan, self.url, name, text), 0) end
  return status == "done"
end

local function opened(self)
  local cancelled = self._plan.cancelled
  if cancelled and self._raw:status() == "closed" then error(cancelled, 0) end
  if self._closed then error(errors.classes.HTTPException("the answer is closed", { name = "CLOSED" }), 0) end
  return self._raw
end

local function readPiece(self, n)
  if self._body then error("the body was read already", 0) end
  local r = opened(self)
  while true do
    local status = r:status()
    local piece = status ~= "closed" and r:take(n) or ""
    if piece ~= "" then return piece end
    if checkEnd(self, r) then
      self:release()
      return nil
    end
    r:wait "data"
  end
end

local function checkCount(method, n)
  if n == nil or math.type(n) == "integer" and n > 0 then return end
  error(("response:%s(n) wants a whole number above 0"):format(method), 3)
end

--- read(n?): the next piece of the body, of at most n bytes; nil at its end.
function Response:read(n, opts)
  if type(n) == "table" then n, opts = nil, n end
  checkCount("read", n)
  return run(self, opts, readPiece, n)
end

--- for piece in response:pieces() do … end
function Response:pieces(n)
  checkCount("pieces", n)
  return function()
    helpers.waitable(2)
    return readPiece(self, n)
  end
end

function Response:readAll(limit)
  if self._body then return self._body end
  local r = opened(self)
  r:collect(limit)
  r:wait "done"
  checkEnd(self, r)
  if self._plan.tellLast then
    self._plan.tellLast()
    opened(self)
  end
  self._body, self.info = r:take(), r:info()
  self:close()
  return self._body
end

--- body(): all of it, as a string; larger than maxSize (64 MiB unless given) raises.
function Response:body(opts)
  return run(self, opts, Response.readAll, self._plan.maxSize or BODY_MAX)
end

local function decoded(self, opts)
  local text = self:readAll(self._plan.maxSize or BODY_MAX)
  return require("luna.json").decode(text, opts)
end

--- json(options?): the body, decoded.
function Response:json(opts)
  local own, ours = nil, nil
  for k, v in pairs(opts or {}) do
    if k == "async" or k == "timeout" or k == "cancellation" then
      ours = ours or {}
      ours[k] = v
    else
      own = own or {}
      own[k] = v
    end
  end
  return run(self, ours, decoded, own)
end

local function saved(self, path)
  local stat = host.stat(path)
  if stat and stat.type == "directory" then error(errors.classes.Exception(path .. ": Is a directory"), 0) end
  local direct = stat ~= nil and stat.type ~= "file" -- a device or a FIFO is written to, not replaced
  local part = direct and path or path .. ".part"
  local file, why = io.open(part, "wb")
  if not file then error(errors.classes.Exception(tostring(why)), 0) end
  local done, total = false, 0
  local guard <close> = setmetatable({}, { __close = function() -- luacheck: ignore guard
    if not done then
      file:close()
      if not direct then os.remove(part) end
    end
  end })
  for piece in self:pieces() do
    local ok, wrong = file:write(piece)
    if not ok then error(errors.classes.Exception(tostring(wrong)), 0) end
    total = total + #piece
  end
  done = true
  local closed, wrong = file:close()
  if closed and not direct then closed, wrong = os.rename(part, path) end
  if not closed then
    if not direct then os.remove(part) end
    error(errors.classes.Exception(("%s: %s"):format(path, wrong)), 0)
  end
  return total
end

--- save(path): the body into a file, which appears when the whole is there; the count of its bytes.
function Response:save(path, opts)
  if type(path) ~= "string" then error(("response:save wants a path, got a %s"):format(type(path)), 2) end
  return run(self, opts, saved, path)
end

--- Lets a short rest go by, so that the connection can be used again.
function Response:drain(limit)
  local r = self._raw
  r:collect(limit)
  r:wait "done"
end

--- close(): the rest of the body is not wanted.
function Response:close()
  if self._closed then return end
  self._closed = true
  self:release()
  self._raw:close()
end
Response.__close = Response.close

-- The token that the request was given (exchange.run hands it over) need not know of it any more.
function Response:release()
  local release = self._release
  if release then release() end
end
Response.__gc = Response.release

-- Names of amphp's http-client.
function Response:getStatus() return self.status end
function Response:getReason() return self.reason end
function Response:getHeaders() return self.headers end
function Response:getHeader(name) return self.headers:get(name) end
function Response:getHeaderArray(name) return self.headers:all(name) end
function Response:hasHeader(name) return self.headers:get(name) ~= nil end
function Response:getProtocolVersion() return self.version end

local Stream = Class.new "HTTPBody"
function Stream:init(response) self._response = response end
function Stream:read(n, opts) return self._response:read(n, opts) end
function Stream:buffer(opts) return self._response:body(opts) end
function Stream:close() self._response:close() end

--- getBody(): an object with read() and buffer().
function Response:getBody() return Stream(self) end

function Response:__tostring() return ("HTTP %d %s"):format(self.status, self.reason) end

return Response
