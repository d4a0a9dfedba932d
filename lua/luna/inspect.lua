--- A value as Lua text, for logs and error messages: bounded in depth and size, cycles named, long strings cut.
local keywords = {}
local words = "and break do else elseif end false for function goto if in local nil not or repeat return then true until while"
for word in words:gmatch "%a+" do keywords[word] = true end

local function scalar(x, maxString)
  if type(x) == "string" then
    if #x > maxString then x = x:sub(1, maxString) .. "…" end
    return (("%q"):format(x):gsub("\\\n", "\\n"))
  end
  return tostring(x)
end

local function key(k)
  if type(k) == "string" and k:match "^[%a_][%w_]*$" and not keywords[k] then return k end
  return "[" .. scalar(k, 60) .. "]"
end

local function walk(x, depth, seen, out, limits)
  if type(x) ~= "table" or (getmetatable(x) and (getmetatable(x).__tostring)) then
    out[#out + 1] = scalar(x, limits.string)
    return
  end
  if seen[x] then
    out[#out + 1] = "<cycle>"
    return
  end
  if depth == 0 then
    out[#out + 1] = "{…}"
    return
  end
  seen[x] = true
  out[#out + 1] = "{ "
  local count, n = 0, #x
  local function put(prefix, value)
    count = count + 1
    if count > limits.entries then return false end
    if count > 1 then out[#out + 1] = ", " end
    out[#out + 1] = prefix
    walk(value, depth - 1, seen, out, limits)
    return true
  end
  if x._ ~= nil then put("_ = ", x._) end
  for i = 1, n do
    if not put("", x[i]) then break end
  end
  local keys = {}
  for k in next, x do
    if k ~= "_" and not (math.type(k) == "integer" and k >= 1 and k <= n) then keys[#keys + 1] = k end
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, k in ipairs(keys) do
    if not put(key(k) .. " = ", x[k]) then break end
  end
  if count > limits.entries then out[#out + 1] = ", …" end
  out[#out + 1] = count == 0 and "}" or " }"
  seen[x] = nil
end

return function(x, limits)
  limits = limits or {}
  local out = {}
  walk(x, limits.depth or 6, {}, out, { string = limits.string or 200, entries = limits.entries or 100 })
  return table.concat(out)
end
