--- A model's state in a file: plain tables of numbers, strings and booleans, written whole and swapped in by a rename, with a hash, so that
--- a damaged file is seen and never written over. Called by serve.lua.
local crypto = require "_luna.crypto"

local snapshot = {}

local HEAD = "luna sandbox 1\n"
local DEPTH = 64

local function encode(v, out, depth)
  local kind = math.type(v) or type(v)
  if kind == "integer" then
    out[#out + 1] = "i" .. string.pack("<i8", v)
  elseif kind == "float" then
    out[#out + 1] = "d" .. string.pack("<d", v)
  elseif kind == "string" then
    out[#out + 1] = "s" .. string.pack("<s4", v)
  elseif kind == "boolean" then
    out[#out + 1] = v and "t" or "f"
  elseif kind == "table" then
    if depth > DEPTH then error("the sandbox's state is nested too deeply") end
    local n = 0
    for _ in pairs(v) do n = n + 1 end
    out[#out + 1] = "T" .. string.pack("<I4", n)
    for key, value in pairs(v) do
      encode(key, out, depth + 1)
      encode(value, out, depth + 1)
    end
  else
    error("a " .. kind .. " in the sandbox's state")
  end
end

local function decode(bytes, at, depth)
  local kind = bytes:sub(at, at)
  at = at + 1
  if kind == "i" then return string.unpack("<i8", bytes, at) end
  if kind == "d" then return string.unpack("<d", bytes, at) end
  if kind == "s" then return string.unpack("<s4", bytes, at) end
  if kind == "t" then return true, at end
  if kind == "f" then return false, at end
  if kind ~= "T" or depth > DEPTH then error "damaged" end
  local n
  n, at = string.unpack("<I4", bytes, at)
  local t = {}
  for _ = 1, n do
    local key, value
    key, at = decode(bytes, at, depth + 1)
    value, at = decode(bytes, at, depth + 1)
    t[key] = value
  end
  return t, at
end

--- The bytes of a state.
function snapshot.encode(state)
  local out = {}
  encode(state, out, 1)
  local body = table.concat(out)
  return HEAD .. crypto.sha256(body) .. body
end

--- The state of bytes; nil where they are damaged.
function snapshot.decode(bytes)
  local body = bytes:sub(#HEAD + 33)
  if bytes:sub(1, #HEAD) ~= HEAD or bytes:sub(#HEAD + 1, #HEAD + 32) ~= crypto.sha256(body) then return nil end
  local ok, state = pcall(decode, body, 1, 1)
  return ok and type(state) == "table" and state or nil
end

--- Reads a file; nil where there is none. Raises where it is damaged.
function snapshot.load(path)
  local file, why, code = io.open(path, "rb")
  if not file then
    if code == 2 then return nil end
    error(("the sandbox's data cannot be read: %s"):format(why), 0)
  end
  local bytes = file:read "a"
  file:close()
  if not bytes then error(("the sandbox's data cannot be read: %s is no file"):format(path), 0) end
  local state = snapshot.decode(bytes)
  if not state then
    error(("the sandbox's data in %s is damaged and was left as it was: move it away to start anew"):format(path), 0)
  end
  return state
end

--- Writes a file whole, or leaves the old one.
function snapshot.save(path, state)
  local new = path .. ".new"
  local file, why = io.open(new, "wb")
  local ok = file ~= nil
  if file then
    ok, why = file:write(snapshot.encode(state))
    local closed, problem = file:close()
    if not closed then ok, why = nil, problem end
  end
  if ok then ok, why = os.rename(new, path) end
  if not ok then error(("the sandbox's data cannot be written: %s"):format(why), 0) end
end

return snapshot
