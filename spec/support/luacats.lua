--- A small reader of LuaCATS annotations, for the specs of the stubs: reads each line by a grammar and gives what it defines and names.
--- Loaded with dofile.
local M = {}

local builtin = {}
for name in ("any boolean integer nil number string table function self true false unknown userdata thread fun"):gmatch "%l+" do
  builtin[name] = true
end

-- A type expression at `at`; calls named(name) for each name in it. Returns where it ends; raises where it is none.
local expression

local function skip(text, at) return text:find("[^ ]", at) or #text + 1 end

local function expect(text, at, what)
  at = skip(text, at)
  if text:sub(at, at + #what - 1) ~= what then error(("%q expected at %d of %q"):format(what, at, text), 0) end
  return at + #what
end

-- name?: type, ... up to the closing sign.
local function parameters(text, at, closing, named, generics)
  at = skip(text, at)
  while text:sub(at, at) ~= closing do
    local _, past = text:find("^[%a_][%w_]*%??", at)
    if text:sub(at, at + 2) == "..." then past = at + 2 end
    if text:find("^%[%d+%]", at) then
      past = text:find("]", at, true)
    elseif text:sub(at, at) == "[" then
      past = expect(text, expression(text, at + 1, named, generics), "]") - 1
    end
    if not past then error(("a name expected at %d of %q"):format(at, text), 0) end
    at = skip(text, past + 1)
    if text:sub(at, at) == ":" then at = expression(text, at + 1, named, generics) end
    at = skip(text, at)
    if text:sub(at, at) == "," then at = skip(text, at + 1) end
  end
  return at + 1
end

local function single(text, at, named, generics)
  at = skip(text, at)
  local c = text:sub(at, at)
  local past
  if c == "(" then
    past = expect(text, expression(text, at + 1, named, generics), ")")
  elseif c == "{" then
    past = parameters(text, at + 1, "}", named, generics)
  elseif c == '"' then
    past = select(2, text:find('^"[^"]*"', at)) + 1
  else
    local from, to = text:find("^%.%.%.[%a]*", at)
    if not from then from, to = text:find("^[%a_][%w_.]*", at) end
    if not from then error(("a type expected at %d of %q"):format(at, text), 0) end
    local name = text:sub(from, to):gsub("^%.%.%.", "")
    past = to + 1
    if name == "fun" then
      local generic = text:match("^<(%a+)>", past)
      if generic then
        generics = setmetatable({ [generic] = true }, { __index = generics })
        past = past + #generic + 2
      end
      past = parameters(text, expect(text, past, "("), ")", named, generics)
      if text:sub(past, past) == ":" then
        repeat past = expression(text, past + 1, named, generics) until text:sub(past, past) ~= ","
      end
    else
      if name ~= "" and not builtin[name] and not generics[name] then named(name) end
      if text:sub(past, past) == "<" then
        repeat past = skip(text, expression(text, past + 1, named, generics)) until text:sub(past, past) ~= ","
        past = expect(text, past, ">")
      end
    end
  end
  while true do
    if text:sub(past, past + 1) == "[]" then past = past + 2 elseif text:sub(past, past) == "?" then past = past + 1 else return past end
  end
end

function expression(text, at, named, generics)
  local past = single(text, at, named, generics)
  while text:sub(past, past) == "|" do past = single(text, past + 1, named, generics) end
  return past
end

--- Reads a file's text into `out` = { classes = { name = { fields, parents } }, functions = { ["luna.sleep"] = true }, named = { name =
--- where } }. Raises for a line that is not as it should be.
function M.read(text, file, out)
  local classes, class, generics, values = {}, nil, {}, {}
  local number = 0
  for line in (text .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    local where = ("%s:%d"):format(file, number)
    local function named(name) out.named[name] = out.named[name] or where end
    local function typeAt(words, at)
      local ok, past = pcall(expression, words, at or 1, named, generics)
      if not ok then error(("%s: %s"):format(where, past), 0) end
      return words:sub(past)
    end
    local tag, rest = line:match "^%-%-%-@(%l+)%s*(.*)$"
    if tag == "class" then
      local name, generic = rest:match "^([%a_][%w_.]*)(<?)"
      if not name then error(where .. ": no class's name", 0) end
      if generic == "<" then for g in rest:match("<(.-)>"):gmatch "%a+" do generics[g] = true end end
      local parents = {}
      for parent in (rest:match ":%s*(.*)$" or ""):gmatch "[%w_.]+" do
        named(parent)
        parents[#parents + 1] = parent
      end
      class = out.classes[name] or { fields = {}, parents = parents }
      if #parents > 0 then class.parents = parents end
      out.classes[name], class.name = class, name
    elseif tag == "alias" then
      local name, words = rest:match "^([%a_][%w_.]*)%s+(.*)$"
      if not name then error(where .. ": no alias", 0) end
      out.classes[name] = { fields = {}, parents = {}, alias = true }
      typeAt(words)
    elseif tag == "field" then
      local name, words = rest:match "^([%a_][%w_]*)%??%s+(.*)$"
      if not name then name, words = rest:match "^(%b[])%??%s+(.*)$" end
      if not name or not class then error(where .. ": no field", 0) end
      class.fields[name] = true
      typeAt(words)
    elseif tag == "param" then
      local name, words = rest:match "^([%w_.]+)%??%s+(.*)$"
      if not name then error(where .. ": no parameter", 0) end
      values[#values + 1] = name
      typeAt(words)
    elseif tag == "return" or tag == "type" or tag == "overload" then
      typeAt(rest)
    elseif tag == "generic" then
      generics[rest:match "^%a+"] = true
    elseif tag and tag ~= "meta" and tag ~= "operator" then
      error(("%s: an unknown tag @%s"):format(where, tag), 0)
    end
    local owner, sep, called, arguments = line:match "^function ([%w_]+)([.:])([%w_]+)%((.-)%) end$"
    if owner then
      if not classes[owner] then error(("%s: nobody has said what %s is"):format(where, owner), 0) end
      out.functions[classes[owner] .. sep .. called] = true
      local list = {}
      for word in arguments:gmatch "[%w_.]+" do list[#list + 1] = word end
      if sep == ":" and values[1] == "self" then table.remove(values, 1) end
      if table.concat(list, ",") ~= table.concat(values, ",") then
        error(("%s: parameters (%s) are described as (%s)"):format(where, arguments, table.concat(values, ",")), 0)
      end
    end
    local variable = line:match "^local ([%w_]+) = {}$"
    if variable and class then classes[variable] = class.name end
    if not line:find "^%-%-%-" then
      class = class and not variable and line == "" and nil or class
      values, generics = {}, {}
      if line == "" then class = nil end
    end
  end
end

return M
