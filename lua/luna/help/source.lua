--- The hand-written descriptions of the Lua API (luna/_meta/*.lua: LuaCATS, one source for editors, `luna help` and the checker), as text
--- and as entries: one for each function and class. The text is embedded in the program, or read from disk where the sources are.
local host = require "_luna.host"

local source = {}

--- The files, in the order in which they are searched.
source.names = {
  "luna", "helpers", "handler", "routes", "api", "sandbox", "promise", "loops", "loop", "iterator", "http", "socket", "text", "settings",
  "spec",
}

--- Where each is among the stubs.
source.paths = { luna = "luna.lua" }
for _, name in ipairs(source.names) do source.paths[name] = source.paths[name] or ("luna/%s.lua"):format(name) end

--- The text of one file.
function source.text(name)
  if not host.root then return require("luna._meta." .. name) end
  local text, why = host.readFile(("%s/lua/luna/_meta/%s.lua"):format(host.root, name))
  return text or error(why, 0)
end

-- Lines of comment above a declaration → about (its sentences), example, params, returns.
local function describe(entry)
  local about, example, inExample = {}, {}, false
  entry.params, entry.returns, entry.fields = {}, {}, {}
  for _, line in ipairs(entry.lines) do
    local text = line:match "^%-%-%-(.*)$"
    if text:find "^```" then
      inExample = not inExample
    elseif inExample then
      example[#example + 1] = text
    elseif text:find "^@param" then
      local name, optional, rest = text:match "^@param ([%w_.]+)(%??) (.*)$"
      if name ~= "self" then entry.params[#entry.params + 1] = { name = name, optional = optional == "?", type = rest } end
    elseif text:find "^@return" then
      entry.returns[#entry.returns + 1] = text:match "^@return (.*)$"
    elseif text:find "^@field" then
      local name, optional, rest = text:match "^@field ([%w_]+)(%??) (.*)$"
      if name then entry.fields[#entry.fields + 1] = { name = name, optional = optional == "?", type = rest } end
    elseif not text:find "^@" then
      about[#about + 1] = text
    end
  end
  entry.about = table.concat(about, " ")
  if example[1] then entry.example = example end
end

local kept = {}

--- The entries of a file: { kind = "function" | "class" | "alias", name = "sleep", owner = "luna" | "luna.Person" …, method = true,
--- arguments = "seconds", about =, example = lines, params =, returns =, fields =, lines = the comment }.
function source.entries(name)
  if kept[name] then return kept[name] end
  local list, block, classes, class = {}, {}, { luna = "luna" }, nil
  local function add(entry)
    entry.lines, entry.file = block, name
    describe(entry)
    list[#list + 1] = entry
    block = {}
  end
  for line in (source.text(name) .. "\n"):gmatch "(.-)\n" do
    if line:find "^%-%-%-" then
      local opens = line:match "^%-%-%-@class ([%w_.]+)"
      local alias = line:match "^%-%-%-@alias ([%w_.]+)"
      if opens then class = { kind = "class", name = opens } end
      block[#block + 1] = line
      if alias then add { kind = "alias", name = alias } end
    else
      local owner, sep, called, arguments = line:match "^function ([%w_]+)([.:])([%w_]+)%((.-)%) end$"
      if not owner then
        called, arguments = line:match "^function ([%w_]+)%((.-)%) end$"
      end
      local variable = line:match "^local ([%w_]+) = {}$"
      if class then
        if variable then classes[variable] = class.name end
        local known = class.name == "luna" and name ~= "luna"
        if not known then add(class) end
        class = nil
      elseif called then
        add { kind = "function", name = called, owner = owner and (classes[owner] or owner), method = sep == ":", arguments = arguments }
      end
      block = {}
    end
  end
  kept[name] = list
  return list
end

return source
