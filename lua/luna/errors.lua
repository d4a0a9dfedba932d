--- Errors as objects: luna.Exception and its kinds, and `luna.is`. Every error that this library raises is one of these, save the plain
--- strings of wrong use, which Lua itself words with file and line. Nobody owns them: they live as long as somebody holds them.
local Class = require "luna.class"
local frames = require "luna.frames"

local errors = { classes = {} }
local MAX_TRACEBACK = 16384

-- In time that is in proportion to the text, which may be a server's.
local function oneLine(text) return (tostring(text):gsub("[\r\n]%s*", " ")) end

--- luna.Exception "text", or luna.Exception("text", { field = value }).
local Exception = Class.new "Exception"
errors.classes.Exception = Exception

function Exception:init(message, fields)
  if type(message) == "table" and fields == nil then message, fields = message.message, message end
  if type(fields) == "table" then
    for k, v in pairs(fields) do self[k] = v end
  end
  self.message = message == nil and self.__name or tostring(message)
end

function Exception:__tostring() return oneLine(self.message) end

function Exception.__concat(a, b) return tostring(a) .. tostring(b) end

local function kind(name, parent)
  local class = (parent or Exception):extend(name)
  errors.classes[name] = class
  return class
end

local RPCErrorException = kind "RPCErrorException"
local TimeoutException = kind "TimeoutException"
local CancelledException = kind "CancelledException"
local MultiReasonException = kind "MultiReasonException"
kind "InvalidWatcherError"
kind "InvalidYieldError"
--- The network or the server's end failed: `name` is the short name (CLOSED, TIMEOUT, …).
kind "ConnectionException"
--- A setting is missing or wrong. `status` is the exit status that it is worth.
kind("SettingsException").status = 2
--- The session file is damaged, in use or not readable.
kind("SessionException").status = 1
--- The server refused the account.
kind("LoginException").status = 1
kind "PeerException"
--- An exchange of HTTP failed: `name` (DNS, CONNECT, TLS, CERTIFICATE, TOOBIG, CLOSED, PRIVATE, REDIRECT, STATUS, …), `url`, `status`.
kind "HTTPException"
--- A socket failed: `name` (CLOSED, RESET, BUSY, PERMISSION, …), `address`.
local SocketException = kind "SocketException"
--- It could not be connected: `name` (CONNECT, DNS, …), `address`.
kind("ConnectException", SocketException)
--- A text is no JSON: `position`, `line`, `column`, `reason`.
kind "JSONException"

--- Splits "FLOOD_WAIT_3" into "FLOOD_WAIT" and 3, "FILE_PART_7_MISSING" into "FILE_PART_MISSING" and 7.
function errors.split(rpc)
  local name, value = rpc:match("^([%u%d_]-)_(%d+)$")
  if name and name ~= "" then return name, math.tointeger(value) end
  local before, number, after = rpc:match("^([%u_]+)_(%d+)_([%u_]+)$")
  if before then return before .. "_" .. after, math.tointeger(number) end
  return rpc, nil
end

function RPCErrorException:init(rpc, code, method, fields)
  if type(rpc) ~= "string" then error("luna.RPCErrorException wants the server's text, as in \"FLOOD_WAIT_3\", got a " .. type(rpc), 3) end
  Exception.init(self, rpc, fields)
  self.rpc, self.code, self.method = rpc, code, method
  self.name, self.value = errors.split(rpc)
  local words = require("luna.help.errors")[self.name] -- what it means, for the one line that a person reads
  self.description = words and words[1]:gsub("%%s", tostring(self.value or "?")) or nil
end

function RPCErrorException:__tostring()
  local text = ("%s%s (%s)"):format(self.method and self.method .. ": " or "", oneLine(self.rpc), tostring(self.code))
  if self.description then text = text .. ": " .. self.description end
  return text
end

function TimeoutException:init(message, fields) Exception.init(self, message or "the time was up", fields) end

function CancelledException:init(reason)
  self.reason = reason
  self.message = reason == nil and "the operation was cancelled" or "the operation was cancelled: " .. tostring(reason)
end

--- reasons: the errors, by the keys of what failed; values: what did not fail.
function MultiReasonException:init(reasons, values, message)
  if reasons ~= nil and type(reasons) ~= "table" then
    error("luna.MultiReasonException wants a table of errors, got a " .. type(reasons), 3)
  end
  self.reasons, self.values = reasons or {}, values or {}
  if not message then
    local key, first = next(self.reasons)
    local count = 0
    for _ in pairs(self.reasons) do count = count + 1 end
    message = ("%d failed%s"):format(count, key ~= nil and ("; item %s: %s"):format(tostring(key), tostring(first)) or "")
  end
  self.message = message
end

--- What an error says, of whatever kind it is: a table that has no words for itself is shown as Lua text.
function errors.text(err)
  local text = tostring(err)
  if type(err) == "table" and text:find "^table: 0x" then return require("luna.inspect")(err) end
  return text
end

--- luna.is(err, luna.RPCErrorException)
function errors.is(x, class)
  if not Class.isClass(class) then error("luna.is(value, class): the second argument is a " .. type(class) .. ", not a class", 2) end
  return Class.is(x, class)
end

function errors.isException(x) return Class.is(x, Exception) end

--- Adds a stretch of the way to an error object; strings pass unchanged. The host calls this for whatever leaves a task.
function errors.annotate(err, traceback)
  if type(err) ~= "table" or not Class.is(err, Exception) or type(traceback) ~= "string" then return err end
  local before = rawget(err, "traceback")
  if not before then
    err.traceback = traceback
  elseif #before < MAX_TRACEBACK and not before:find(traceback, 1, true) and not frames.isKnown(before, traceback) then
    err.traceback = before .. "\nawaited in:\n" .. traceback
  end
  return err
end

--- Raises an exception object with the traceback of here.
function errors.throw(err)
  if not rawget(err, "traceback") then err.traceback = debug.traceback(nil, 2) end
  error(err, 0)
end

--- A string error of a C module without its position, so that it can be raised at the caller's line.
function errors.bare(text)
  return (text:gsub("^[^\n:]-:%d+: ", "", 1))
end

return errors
