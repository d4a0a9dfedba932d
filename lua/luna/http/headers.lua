--- Headers of HTTP: names in any case, several values a name, in the order in which they came. `headers["content-type"]` is the first
--- value. Of requests and answers of luna.http; pure.
local Headers = {}
local methods = {}

local function key(name) return name:lower() end

-- What would end a line would let a value speak for itself on the wire.
local function checked(name, value, level)
  if type(name) ~= "string" or not name:find "^[%w!#$%%&'*+.^_`|~-]+$" then
    error(('"%s" is no name of a header'):format((tostring(name):gsub("%c", "?"))), level + 1)
  end
  if type(value) == "number" then value = tostring(value) end
  if type(value) ~= "string" then error(('the header "%s" is a %s, not a string'):format(name, type(value)), level + 1) end
  if value:find "[%z\r\n]" then error(('the header "%s" has the end of a line in it'):format(name), level + 1) end
  return value
end

--- The first value of that name, or nil.
function methods:get(name)
  local values = rawget(self, "_values")[key(name)]
  return values and values[1]
end

--- All values of that name, a list.
function methods:all(name)
  local values = rawget(self, "_values")[key(name)]
  return values and { table.unpack(values) } or {}
end

function methods:add(name, value, level)
  value = checked(name, value, (level or 1) + 1)
  local values, names = rawget(self, "_values"), rawget(self, "_names")
  local k = key(name)
  if not values[k] then
    values[k] = {}
    names[#names + 1] = name
  end
  table.insert(values[k], value)
end

function methods:set(name, value, level)
  level = (level or 1) + 1
  if value == nil or value == false then return methods.remove(self, name) end
  local values = type(value) == "table" and value or { value }
  for _, v in ipairs(values) do checked(name, v, level) end
  methods.remove(self, name)
  for _, v in ipairs(values) do methods.add(self, name, v, level) end
end

function methods:remove(name)
  local values, names = rawget(self, "_values"), rawget(self, "_names")
  values[key(name)] = nil
  for i = #names, 1, -1 do
    if key(names[i]) == key(name) then table.remove(names, i) end
  end
end

--- Sets what a table (names → a value, a list of values, false for none) or other headers have.
function methods:merge(from)
  if getmetatable(from) == Headers then
    for _, name in ipairs(rawget(from, "_names")) do methods.set(self, name, from:all(name)) end
    return
  end
  for name, value in pairs(from) do
    if type(name) ~= "string" then error("headers are a table like { Accept = \"text/html\" }", 2) end
    methods.set(self, name, value)
  end
end

function methods:copy()
  local other = Headers()
  other:merge(self)
  return other
end

--- As lines "Name: value".
function methods:lines()
  local lines = {}
  for _, name in ipairs(rawget(self, "_names")) do
    -- libcurl leaves a header out that has nothing after its colon; a semicolon sends it empty.
    for _, value in ipairs(rawget(self, "_values")[key(name)]) do
      lines[#lines + 1] = value == "" and name .. ";" or name .. ": " .. value
    end
  end
  return lines
end

Headers.__name = "headers"
function Headers.__index(self, name)
  local method = methods[name]
  if method then return method end
  return type(name) == "string" and methods.get(self, name) or nil
end
function Headers.__newindex(self, name, value) methods.set(self, name, value, 2) end
--- pairs(headers): each name with its values joined by ", ".
function Headers.__pairs(self)
  local i, names, values = 0, rawget(self, "_names"), rawget(self, "_values")
  return function()
    i = i + 1
    local name = names[i]
    if name then return name, table.concat(values[key(name)], ", ") end
  end
end
function Headers.__tostring(self) return table.concat(methods.lines(self), "\n") end

local function new() return setmetatable({ _names = {}, _values = {} }, Headers) end

--- The status line and headers as they came: version, status, reason, headers.
function Headers.parse(text)
  local version, status, reason = text:match "^HTTP/(%S+) (%d+) ?([^\r\n]*)"
  local headers = new()
  local last
  for line in text:gmatch "([^\r\n]*)\r?\n" do
    local name, value = line:match "^([^%s:]+):[ \t]*(.-)[ \t]*$"
    if name then
      last = key(name)
      local values, names = rawget(headers, "_values"), rawget(headers, "_names")
      if not values[last] then
        values[last] = {}
        names[#names + 1] = name
      end
      table.insert(values[last], value)
    elseif last and line:find "^[ \t]+%S" then -- a folded line, of old servers
      local values = rawget(headers, "_values")[last]
      values[#values] = values[#values] .. " " .. line:match "^%s*(.-)%s*$"
    end
  end
  return version, math.tointeger(tonumber(status)) or 0, reason or "", headers
end

Headers.merge = methods.merge

return setmetatable(Headers, { __call = new })
