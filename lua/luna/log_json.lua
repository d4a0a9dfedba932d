--- One event of the log as a line of JSON: time, level, bot (or room), message, fields, traceback, in this order. Called by luna.logger,
--- which has masked text and traceback; what else goes in is masked here.
local timer = require "_luna.timer"
local errors = require "luna.errors"
local ids = require "luna.ids"
local json = require "luna.json"
local redaction = require "luna.redaction"

-- Text for JSON: bytes that are no UTF-8 as \xNN.
local function utf(text)
  if utf8.len(text) then return text end
  local parts, at = {}, 1
  while at <= #text do
    local _, bad = utf8.len(text, at)
    if not bad then
      parts[#parts + 1] = text:sub(at)
      break
    end
    parts[#parts + 1] = text:sub(at, bad - 1)
    parts[#parts + 1] = ("\\x%02x"):format(text:byte(bad))
    at = bad + 1
  end
  return table.concat(parts)
end

local function isBot(room)
  for _, core in ipairs(require("luna.scope").all()) do
    if core.name == room then return true end
  end
  return false
end

-- What an error and an update say of themselves.
local function fieldsOf(about)
  local fields = {}
  for key, value in next, about.fields or {} do fields[key] = value end
  local update, err = about.update, about.err
  if type(update) == "table" then
    fields.update = update._
    local message = type(update.message) == "table" and update.message or nil
    if message and message.peer_id then fields.chat, fields.message_id = ids.ofPeer(message.peer_id), message.id end
  end
  if errors.isException(err) then
    fields.error, fields.rpc, fields.code, fields.method = err.__name, err.rpc, err.code, err.method
  end
  return next(fields) ~= nil and fields or nil
end

local function clean(x)
  if type(x) == "string" then return utf(x) end
  if type(x) ~= "table" then return x end
  local copy = {}
  for k, v in next, x do copy[type(k) == "string" and utf(k) or k] = clean(v) end
  return copy
end

--- The line, without its end. text and traceback are masked.
return function(level, room, text, traceback, about)
  local now = timer.wall()
  if not traceback then
    local message, rest = text:match "^(.-)\n(stack traceback:\n.*)$"
    if message then text, traceback = message, rest end
  end
  local parts = {
    ('"time":"%s.%03dZ"'):format(os.date("!%Y-%m-%dT%H:%M:%S", now // 1 | 0), (now % 1 * 1000) // 1 | 0),
    '"level":' .. json.encode(level),
    (isBot(room) and '"bot":' or '"room":') .. json.encode(utf(room)),
    '"message":' .. json.encode(utf(text)),
  }
  local fields = about and fieldsOf(about)
  if fields then
    local ok, encoded = pcall(json.encode, json.object(clean(redaction.value(fields))))
    if ok then parts[#parts + 1] = '"fields":' .. encoded end
  end
  if traceback and traceback ~= "" then parts[#parts + 1] = '"traceback":' .. json.encode(utf(traceback)) end
  return "{" .. table.concat(parts, ",") .. "}"
end
