--- A value as Lua text that one can paste back: three levels, a hundred entries, what is left out or has no text of its own in comments,
--- secrets masked. What was cut is kept for :more. Called by luna.repl.session, its commands and luna.repl.frame.
local Logger = require "luna.logger"
local redaction = require "luna.redaction"
local handlers = require "luna.handler"
local promise = require "_luna.promise"

local DEPTH, ENTRIES, STRING, WIDTH, CUTS, BRIEF = 3, 100, 4000, 100, 200, 160
local MASK = "***"

local keywords = {}
local words = "and break do else elseif end false for function goto if in local nil not or repeat return then true until while"
for word in words:gmatch "%a+" do keywords[word] = true end

-- An access hash is of use to who types, and to nobody but this account.
local function isSecret(name) return name ~= "access_hash" and redaction.isSecret(name) end

-- `state.cuts`: what was left out, for :more: { path, value, from }. from: the byte or entry it goes on with.
local function cut(state, path, x, from)
  if state.cuts and #state.cuts < CUTS then state.cuts[#state.cuts + 1] = { path = path, value = x, from = from } end
end

local function text(s, state, path)
  local left = ""
  if #s > STRING then
    left = (" --[[%d bytes more]]"):format(#s - STRING)
    if state then cut(state, path, s, STRING + 1) end
    s = s:sub(1, STRING)
  end
  s = ("%q"):format(Logger.redact(s)):gsub("\\\n", "\\n"):gsub("\\r", "\\r")
  return s .. left
end

local function number(x)
  if math.type(x) == "integer" then
    return x == math.mininteger and "math.mininteger" or ("%d"):format(x)
  end
  if x ~= x then return "0/0" end
  if x == math.huge then return "math.huge" end
  if x == -math.huge then return "-math.huge" end
  local short = ("%.14g"):format(x)
  if tonumber(short) ~= x then short = ("%.17g"):format(x) end
  return short:find "[.eEn]" and short or short .. ".0"
end

local function comment(s) return "nil --[[" .. Logger.redact(s):gsub("%]%]", "] ]") .. "]]" end

local function named(x)
  local ok, s = pcall(tostring, x)
  return ok and type(s) == "string" and s or type(x)
end

local function key(k)
  if type(k) == "string" then
    if k:find "^[%a_][%w_]*$" and not keywords[k] then return k end
    return "[" .. text(k) .. "]"
  end
  if type(k) == "number" then return "[" .. number(k) .. "]" end
  if type(k) == "boolean" then return "[" .. tostring(k) .. "]" end
end

local function order(a, b)
  if a == "_" or b == "_" then return a == "_" and b ~= "_" end
  local x, y = math.type(a) or type(a), math.type(b) or type(b)
  if x ~= y then return x < y end
  if x == "string" or x == "integer" or x == "float" then return a < b end
  return named(a) < named(b)
end

-- The instance of a script's handler: its own fields say something, those that the library has put there do not.
local function isHandler(meta) return type(meta) == "table" and rawget(meta, "class") ~= nil and handlers.isHandler(meta.class) end
local given = { API = true, _core = true }

local value

-- skip: entries that were shown before.
local function fields(x, state, depth, path, skip)
  local parts, left, n, at = {}, 0, #x, 0
  local hidden = isHandler(debug.getmetatable(x)) and given or {}
  local function put(prefix, v, where, masked)
    at = at + 1
    if at <= skip then return end
    if #parts >= ENTRIES then
      if left == 0 then cut(state, path, x, at) end
      left = left + 1
      return
    end
    parts[#parts + 1] = prefix .. (masked and type(v) == "string" and '"' .. MASK .. '"' or value(v, state, depth + 1, where))
  end
  for i = 1, n do put(skip > 0 and ("[%d] = "):format(i) or "", rawget(x, i), ("%s[%d]"):format(path, i)) end
  local keys = {}
  for k in next, x do
    if not (math.type(k) == "integer" and k >= 1 and k <= n) and not hidden[k] then keys[#keys + 1] = k end
  end
  table.sort(keys, order)
  for _, k in ipairs(keys) do
    local name = key(k)
    if name then
      put(name .. " = ", rawget(x, k), path .. (name:sub(1, 1) == "[" and name or "." .. name), isSecret(k))
    else
      left = left + 1 -- a key that is no text
    end
  end
  return parts, left
end

function value(x, state, depth, path, skip)
  local kind = type(x)
  if kind == "string" then return text(x, state, path) end
  if kind == "number" then return number(x) end
  if kind == "nil" or kind == "boolean" then return tostring(x) end
  if kind ~= "table" then return comment(named(x)) end
  local meta = debug.getmetatable(x)
  local object = type(rawget(x, "_")) == "string" -- of the schema: data, methods or not
  local handler = isHandler(meta)
  if type(meta) == "table" and (meta.__tostring or meta.__name and not object) and not handler then return comment(named(x)) end
  if promise.isPromise and promise.isPromise(x) then return comment(named(x)) end
  if state.seen[x] then return comment("cycle: " .. state.seen[x]) end
  if depth >= DEPTH then
    if next(x) == nil then return "{}" end
    cut(state, path, x)
    return "{ --[[…]] }"
  end
  state.seen[x] = path
  local parts, left = fields(x, state, depth, path, skip or 0)
  state.seen[x] = nil
  if left > 0 then parts[#parts + 1] = ("--[[%d more]]"):format(left) end
  if handler then parts[1] = ("--[[%s]] %s"):format(named(x), parts[1] or "") end
  if #parts == 0 then return "{}" end
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if #line <= WIDTH and not line:find "\n" then return line end
  local indent = ("  "):rep(depth + 1)
  local last = table.remove(parts)
  local rows = #parts > 0 and indent .. table.concat(parts, ",\n" .. indent) .. ",\n" or ""
  return "{\n" .. rows .. indent .. last .. "\n" .. ("  "):rep(depth) .. "}"
end

local show = {}

--- The text of a value, and what was cut of it: for show.more. path: how it is named there.
function show.value(x, path)
  local cuts = {}
  return value(x, { seen = {}, cuts = cuts }, 0, path or "_"), cuts
end

--- What one cut left out, and what that cuts in turn.
function show.more(cut_)
  local cuts = {}
  local state = { seen = {}, cuts = cuts }
  local x, from, path = cut_.value, cut_.from, cut_.path
  if type(x) == "string" then
    local rest = x:sub(from, from + STRING - 1)
    if from + STRING <= #x then cut(state, path, x, from + STRING) end
    return ("-- %s, from byte %d of %d on\n%s"):format(path, from, #x, text(rest)), cuts
  end
  if not from then return ("-- %s\n%s"):format(path, value(x, state, 0, path)), cuts end
  return ("-- %s, from entry %d on\n%s"):format(path, from, value(x, state, 0, path, from - 1)), cuts
end

--- A value in one short line.
function show.brief(x)
  local ok, s = pcall(value, x, { seen = {} }, type(x) == "table" and DEPTH - 1 or 0, "_")
  s = ok and s:gsub("%s*\n%s*", " ") or comment(named(x))
  if #s <= BRIEF then return s end
  local last = BRIEF
  while last > 1 and (s:byte(last + 1) or 0) & 0xC0 == 0x80 do last = last - 1 end
  return s:sub(1, last) .. "…"
end

return setmetatable(show, { __call = function(_, x) return (show.value(x)) end })
