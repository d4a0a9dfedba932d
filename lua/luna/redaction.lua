--- Secrets in text and in values: those that the program was told of, and what has the form of one. Called by luna.logger, and by who shows
--- a person what came from outside. Nothing here is undone by asking again.
local host = require "_luna.host"

local redaction = {}

local DEPTH, ENTRIES = 6, 2000
local MASK = "***"

-- Fields that hold what nobody may see, whoever made the table.
local secret = {}
local words = "token botToken bot_token bot_auth_token api_hash apiHash auth_key authKey password access_hash phone phone_number phone_code"
for name in words:gmatch "%S+" do secret[name] = true end

--- Whether a field of that name holds what nobody may see.
function redaction.isSecret(name) return secret[name] == true end

--- A text with its secrets masked. Bot tokens, phone numbers and what stands before the host in a URL are masked by their form as well,
--- since a script may print one that the host never heard of.
function redaction.text(text)
  text = text:find("\0", 1, true) and text:gsub("[^%z]+", host.redact) or host.redact(text)
  if text:find("%d%d%d%d%d%d:[%w_-]") then
    text = text:gsub("(%d%d%d%d%d%d+):[%w_-]+", function(id) return id .. ":" .. MASK end)
  end
  if text:find("+", 1, true) then
    text = text:gsub("%+(%d%d)%d%d%d%d%d+(%d%d)", "+%1***%2")
  end
  if text:find("://", 1, true) then text = text:gsub("(://)[^/@%s]+@", "%1***@") end
  return text
end

local function number(x)
  if x ~= x or x == math.huge or x == -math.huge then return tostring(x) end
  local text = math.type(x) == "integer" and ("%d"):format(x) or ("%.17g"):format(x)
  return redaction.text(text) == text and x or MASK
end

local function isList(x)
  local n = rawlen(x)
  for k in next, x do
    if math.type(k) ~= "integer" or k < 1 or k > n then return false end
  end
  return n > 0
end

local function value(x, depth, state)
  local kind = type(x)
  if kind == "string" then return redaction.text(x) end
  if kind == "boolean" then return x end
  if kind == "number" then return number(x) end
  local meta = kind == "table" and debug.getmetatable(x)
  if kind ~= "table" or meta and meta.__tostring then return redaction.text(tostring(x)) end
  if state.seen[x] then return "<cycle>" end
  if depth >= DEPTH then return "{…}" end
  state.seen[x] = true
  local copy, list = {}, isList(x)
  for k, v in next, x do
    if state.left == 0 then break end
    state.left = state.left - 1
    local secretHere = secret[k]
    if not list then
      local text = tostring(k)
      local masked = redaction.text(text)
      if type(k) ~= "number" or not state.numbers or masked ~= text then k = masked end
    end
    copy[k] = secretHere and MASK or value(v, depth + 1, state)
  end
  state.seen[x] = nil
  return copy
end

--- A copy of a value made of tables, texts and numbers alone, its secrets masked: at most six tables deep and two thousand entries.
--- numbers: whether keys that are numbers stay so; else they become texts, as JSON wants them.
function redaction.value(x, numbers) return value(x, 0, { left = ENTRIES, seen = {}, numbers = numbers }) end

return redaction
