--- A value as JSON without what a record must not hold: secrets go as the log's sink masks them, access hashes become fakes that stay the
--- same within a record, long bytes a note of their length. Called by luna.record for each line, and by luna.replay, which compares masked
--- with masked. Pure but for the key of the fakes.
local raw = require "_luna.json"
local crypto = require "_luna.crypto"
local host = require "_luna.host"
local record = require "_luna.record"
local Class = require "luna.class"
local redaction = require "luna.redaction"

local Mask = Class.new "Mask"

local encode, fakes = raw.encode, record.line

local LONG = 4096 -- bytes of one text, in a line that is LARGE
local LARGE = 32768
local MAX_DEPTH = 100

-- Fields that people fill: what --record-mask-text takes the letters out of.
local personal = {}
for name in ("message text caption title first_name last_name about description query term"):gmatch "%S+" do personal[name] = true end

--- opts: texts = true (mask what people wrote). The key of the fakes is the object's own.
function Mask:init(opts) self.texts, self.key = opts.texts or false, crypto.random(32) end

--- A text with its letters as x and its digits as 0: lengths in UTF-16 stay, since entities count in them, and so does a command.
function Mask.text(text)
  local command, rest = text:match "^(/[%w_]+@?[%w_]*)(.*)$"
  if command then return command .. Mask.text(rest) end
  if not utf8.len(text) then return ("x"):rep(#text) end
  return (text:gsub(utf8.charpattern, function(c)
    if #c > 1 then return #c == 4 and "xx" or "x" end
    if c:find "%a" then return "x" end
    if c:find "%d" then return "0" end
  end))
end

local fingers = { "phone", 'oken":', 'assword":', 'pi_hash":', 'piHash":', 'uth_key":', 'uthKey":' }

-- Whether a line of JSON may have a field that is secret, or holds a secret that the program knows.
local function isSuspicious(text)
  for i = 1, #fingers do
    if text:find(fingers[i], 1, true) then return true end
  end
  return host.redact(text) ~= text
end

--- What stands for bytes that are left out.
function Mask.cut(bytes)
  return { _ = "luna.cut", n = #bytes, hash = (crypto.sha256(bytes):sub(1, 8):gsub(".", function(c) return ("%02x"):format(c:byte()) end)) }
end

local function walk(self, x, name, depth, large)
  local kind = type(x)
  if kind == "string" then
    if redaction.isSecret(name) then return "***" end
    if large and #x > LONG then return Mask.cut(x) end
    x = redaction.text(x)
    return self.texts and personal[name] and Mask.text(x) or x
  elseif kind == "number" then
    if redaction.isSecret(name) and name ~= "access_hash" then return 0 end
    local text = tostring(x)
    return host.redact(text) == text and x or 0
  elseif kind ~= "table" or x == raw.null then
    return x
  elseif depth == MAX_DEPTH then
    error("tables more than 100 deep", 0)
  end
  local copy = {}
  for k, v in next, x do copy[k] = walk(self, v, type(k) == "string" and k or name, depth + 1, large) end
  return copy
end

--- The JSON of a value made of tables, texts and numbers, masked; or nil and why it cannot be. Most values need no more than one look at
--- their JSON; the others are made anew, value by value.
function Mask:encode(value)
  local ok, text = pcall(encode, value, -1, nil, false, true)
  if not ok then return nil, text end
  if not self.texts and #text <= LARGE and not isSuspicious(text) then
    local line = fakes(text, self.key)
    if line then return line end
  end
  ok, text = pcall(walk, self, value, nil, 0, #text > LARGE)
  if ok then ok, text = pcall(encode, text, -1, nil, false, true) end
  if not ok then return nil, text end
  return fakes(text, self.key, true)
end

--- A copy with the masks alone that a text's owner asked for: secrets and, where the record has it so, what people wrote.
function Mask:value(value, large) return walk(self, value, nil, 0, large) end

return Mask
