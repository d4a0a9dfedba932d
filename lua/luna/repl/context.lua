--- Where the end of a line stands among braces: in which method's parameters, at which of them, within quotes or not. Called by
--- luna.repl.complete.
local tl = require "_luna.tl"

-- The parts of a line: { kind, text }; kind: "name", "text" (a string, `open` where it does not end), "sign".
local function tokens(line)
  local list, at = {}, 1
  while at <= #line do
    local space = line:match("^%s+()", at)
    local name = line:match("^[%a_][%w_]*", at)
    local number = line:match("^%d[%w.]*", at)
    local quote = line:match("^[\"']", at)
    if space then
      at = space
    elseif name then
      list[#list + 1] = { kind = "name", text = name }
      at = at + #name
    elseif number then
      list[#list + 1] = { kind = "number", text = number }
      at = at + #number
    elseif quote then
      local i = at + 1
      while i <= #line and line:sub(i, i) ~= quote do i = i + (line:sub(i, i) == "\\" and 2 or 1) end
      list[#list + 1] = { kind = "text", text = line:sub(at + 1, i - 1), open = i > #line }
      at = i + 1
    else
      list[#list + 1] = { kind = "sign", text = line:sub(at, at) }
      at = at + 1
    end
  end
  return list
end

-- The method whose name ends before the token `at`: namespace "." name, maybe with "(" after it.
local function methodAt(list, at)
  local i = at - 1
  if list[i] and list[i].text == "(" then i = i - 1 end
  local name, dot, namespace = list[i], list[i - 1], list[i - 2]
  if not (name and dot and namespace) or name.kind ~= "name" or dot.text ~= "." or namespace.kind ~= "name" then return nil end
  return tl.method(namespace.text .. "." .. name.text)
end

local function simple(kind) return kind == nil or tl.type(kind) == nil end

-- The parameters of what stands in a brace: of the constructor that it names, else of its type's only one.
local function paramsOf(level)
  if level.method then return level.method.params end
  if level.constructor then
    local c = tl.constructor(level.constructor)
    return c and c.params
  end
  if simple(level.type) then return nil end
  local members = tl.type(level.type)
  local c = #members == 1 and tl.constructor(members[1])
  return c and c.params
end

-- What opens in a level: the type of the parameter at hand, or of an item of its list.
local function inner(level)
  if level.vector and not level.key then return { type = level.type, given = {} } end
  for _, p in ipairs(level.key and paramsOf(level) or {}) do
    if p.name == level.key then return { type = p.type, vector = p.vector, given = {} } end
  end
  return { given = {} }
end

--- context(before): { params, given (those that have been named), type, key (the parameter whose value is at hand), text (whether within
--- quotes) } of the innermost brace, or nil where the end is in none that has to do with the schema.
return function(before)
  local list = tokens(before)
  local stack = {}
  for i, t in ipairs(list) do
    local level = stack[#stack]
    if t.kind == "sign" and t.text == "{" then
      local method = methodAt(list, i)
      stack[#stack + 1] = method and { method = method, given = {} } or level and inner(level) or { given = {} }
    elseif t.kind == "sign" and t.text == "}" then
      stack[#stack] = nil
    elseif level then
      if t.kind == "sign" and (t.text == "," or t.text == ";") then
        level.key = nil
      elseif t.kind == "sign" and t.text == "=" and list[i - 1].kind == "name" and not level.key then
        level.key = list[i - 1].text
        level.given[level.key] = true
      elseif t.kind == "text" and level.key == "_" and not t.open then
        level.constructor = t.text
      end
    end
  end
  local level = stack[#stack]
  if not level then return nil end
  local last = list[#list]
  return {
    params = not level.vector and paramsOf(level) or nil, given = level.given, type = not level.vector and level.type or nil,
    key = level.key, text = last.kind == "text" and last.open or false,
  }
end
