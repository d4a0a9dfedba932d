--- What Tab offers at the prompt: commands, methods and namespaces of the schema, a method's parameters within its braces, names that the
--- bot's environment has. The schema is the program's own, so nobody is asked; the names came with the last answer. Called by
--- luna.repl.client.
local tl = require "_luna.tl"

-- The API object and the handler: both have the namespaces.
local holders = { api = true, handler = true, self = true }

local function starting(list, prefix, before, after)
  local found = {}
  for _, name in ipairs(list) do
    if name:sub(1, #prefix) == prefix then found[#found + 1] = before .. name .. (after or "") end
  end
  table.sort(found)
  return found
end

local function keys(t)
  local list = {}
  for name in pairs(t) do list[#list + 1] = name end
  return list
end

-- The method within whose braces the text ends, if any.
local function callOf(before)
  local depth = 0
  for at = #before, 1, -1 do
    local c = before:sub(at, at)
    if c == "}" then
      depth = depth + 1
    elseif c == "{" then
      if depth == 0 then
        local namespace, name = before:sub(1, at - 1):match "([%w_]+)%.([%w_]+)%s*%(?%s*$"
        return name and tl.method(namespace .. "." .. name)
      end
      depth = depth - 1
    end
  end
end

--- complete(word, before, names): the words that `word` may become, where `before` stands before it in the line.
return function(word, before, names)
  if before:find "^%s*$" and word:sub(1, 1) == ":" then return starting(require("luna.repl.commands").names(), word, "") end
  local holder, namespace, name = word:match "^(%a+)%.([%w_]+)%.([%w_]*)$"
  if holders[holder] then return starting(tl.methods(), namespace .. "." .. name, holder .. ".") end
  holder, namespace = word:match "^(%a+)%.([%w_]*)$"
  if holders[holder] then return starting(keys(tl.namespaces()), namespace, holder .. ".", ".") end
  if word:find "^[%w_]*$" then
    local method = callOf(before)
    if method then
      local params = {}
      for i, p in ipairs(method.params) do params[i] = p.name end
      local found = starting(params, word, "", " = ")
      if found[1] then return found end
    end
    if word ~= "" then return starting(names or {}, word, "") end
  end
  return {}
end
