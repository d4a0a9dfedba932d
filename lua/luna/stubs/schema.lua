--- The schema as LuaCATS annotations, for editors and checkers: a class for each constructor and each type, one for each method's
--- parameters, one for each namespace, the handler methods of updates, the names of errors. Only what bots can meet is there: what
--- methods take and give, and updates. Pure text; called by luna.stubs.
local tl = require "_luna.tl"
local comforts = require "luna.help.comforts"

local schema = {}

local basic = {
  int = "integer", long = "integer", double = "number", string = "string", bytes = "string", int128 = "string", int256 = "string",
  Bool = "boolean", ["true"] = "boolean", X = "any", ["!X"] = "any", ["#"] = "integer",
}

local keywords = {}
for word in ("and break do else elseif end false for function goto if in local nil not or repeat return then true until while")
  :gmatch "%l+" do
  keywords[word] = true
end

local function one(name) return basic[name] or "tl." .. name end

local function typeOf(t)
  local text = one(t.type)
  return t.vector and text .. "[]" or text
end
schema.typeOf = typeOf

local function field(name, optional, text, note)
  local shown = keywords[name] and ('["%s"]'):format(name) or name
  return ("---@field %s%s %s%s"):format(shown, optional and "?" or "", text, note and " # " .. note or "")
end

-- Everything that can be reached from methods of namespaces and from updates: types → { their constructors }, in order; and which of
-- them a script may have to make itself.
local function reachable()
  local types, order, made = {}, {}, {}
  local visit
  local function visitField(t)
    if not basic[t.type] then visit(t.type) end
  end
  function visit(name)
    if types[name] then return end
    local members = tl.type(name)
    if not members then -- a constructor without its number: the type is what counts
      local c = tl.constructor(name)
      return c and visit(c.type)
    end
    local list = {}
    types[name] = list
    order[#order + 1] = name
    for _, member in ipairs(members) do
      local c = tl.constructor(member)
      if not c.old then
        list[#list + 1] = c
        for _, p in ipairs(c.params) do visitField(p) end
      end
    end
  end
  local list = {}
  for _, name in ipairs(tl.methods()) do
    local m = name:find(".", 1, true) and tl.method(name)
    if m and not m.old then list[#list + 1] = m end
  end
  for _, m in ipairs(list) do
    for _, p in ipairs(m.params) do visitField(p) end
  end
  for name in pairs(types) do made[name] = true end
  for _, m in ipairs(list) do visitField(m.result) end
  visit "Update"
  visit "Updates"
  table.sort(order)
  return types, order, made
end

-- What has methods beside its fields.
local withMethods = {
  message = "luna.MessageMethods", messageService = "luna.MessageMethods",
  updateBotCallbackQuery = "luna.CallbackMethods", updateInlineBotCallbackQuery = "luna.CallbackMethods",
  updateBotInlineQuery = "luna.InlineMethods",
}

local parentOf = { Message = "luna.MessageMethods", Updates = "luna.SentMethods" }

local function constructor(out, c, parent)
  local parents = {}
  if parent then parents[#parents + 1] = "tl." .. c.type end
  if withMethods[c.name] then parents[#parents + 1] = withMethods[c.name] end
  out[#out + 1] = ("---@class tl.%s%s"):format(c.name, #parents > 0 and ": " .. table.concat(parents, ", ") or "")
  out[#out + 1] = field("_", c.name == "inputSingleMedia", ('"%s"'):format(c.name))
  for _, p in ipairs(c.params) do
    out[#out + 1] = field(p.name, p.flag or p.name == "random_id", typeOf(p))
  end
  out[#out + 1] = ""
end

-- A type of several constructors: what all of them have, and what some have. The latter may be nil where a script makes such objects; where
-- it only reads them, it asks for a field that it knows to be there.
local function union(out, name, list, made)
  local fields, order, names = {}, {}, {}
  for i, c in ipairs(list) do
    names[i] = ('"%s"'):format(c.name)
    for _, p in ipairs(c.params) do
      local f = fields[p.name]
      if not f then
        f = { count = 0, texts = {}, name = p.name }
        fields[p.name] = f
        order[#order + 1] = f
      end
      local text = typeOf(p)
      if not f.texts[text] then
        f.texts[text] = true
        f.texts[#f.texts + 1] = text
      end
      if not p.flag then f.count = f.count + 1 end
    end
  end
  -- A handler's update is of one kind, so that a field of another kind's is a mistake: these are no kinds of one class.
  local apart = name == "Update"
  out[#out + 1] = ("---@class tl.%s%s%s"):format(apart and "Some" or "", name, parentOf[name] and ": " .. parentOf[name] or "")
  out[#out + 1] = field("_", false, table.concat(names, "|"))
  for _, f in ipairs(order) do out[#out + 1] = field(f.name, f.count == 0 or made and f.count < #list, table.concat(f.texts, "|")) end
  out[#out + 1] = ""
  for _, c in ipairs(list) do constructor(out, c, not apart) end
  if apart then
    for i, c in ipairs(list) do names[i] = "tl." .. c.name end
    out[#out + 1] = ("---@alias tl.%s tl.Some%s|%s"):format(name, name, table.concat(names, "|"))
    out[#out + 1] = ""
  end
end

local function types(files)
  local found, order, made = reachable()
  for _, name in ipairs(order) do
    local space = name:match "^([%w_]+)%." or name:sub(1, 1):upper():gsub("[^%a]", "_")
    local file = "types_" .. space
    local out = files[file] or {}
    files[file] = out
    local list = found[name]
    if #list == 1 then
      if list[1].name ~= name then out[#out + 1] = ("---@alias tl.%s tl.%s"):format(name, list[1].name) end
      constructor(out, list[1], false)
    else
      union(out, name, list, made[name])
    end
  end
end

local function parameters(out, m)
  local optional = true
  out[#out + 1] = ("---@class params.%s"):format(m.name)
  for _, p in ipairs(m.params) do
    local comfort = comforts.of(m, p)
    local free = p.flag or comfort and comfort.filled
    if not free then optional = false end
    out[#out + 1] = field(p.name, free, comfort and comfort.type or typeOf(p), comfort and comfort.filled and "filled in" or nil)
  end
  for _, c in ipairs(comforts.extra(m)) do out[#out + 1] = field(c.name, true, c.type, c.note) end
  return optional
end

local function method(out, m, errors)
  local optional = parameters(out, m)
  out[#out + 1] = ""
  local who = m.usersOnly and "For users only." or m.botsOnly and "For bots only." or nil
  if who then out[#out + 1] = "---" .. who end
  local list = errors[m.name]
  if list then
    out[#out + 1] = ("---Errors: %s%s"):format(table.concat(list, ", ", 1, math.min(#list, 8)), #list > 8 and ", …" or "")
  end
  local space, short = m.name:match "^([%w_]+)%.([%w_]+)$"
  local result = typeOf(m.result)
  local wanted = ("params.%s|luna.Multiple"):format(m.name)
  out[#out + 1] = ("---@param parameters%s %s"):format(optional and "?" or "", wanted)
  out[#out + 1] = "---@return " .. result
  out[#out + 1] = ("---@overload fun(parameters: %s, options: luna.AsyncOptions): luna.Promise<%s>"):format(wanted, result)
  out[#out + 1] = ("---@overload fun(parameters: %s, options: luna.CallOptions): %s"):format(wanted, result)
  out[#out + 1] = ("function %s.%s(parameters) end"):format(space, short)
  out[#out + 1] = ""
end

local function methods(files)
  local errors, spaces, order = {}, {}, {}
  local names = {}
  for name in pairs(tl.errors()) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    for of in tl.errors()[name].methods:gmatch "%S+" do
      errors[of] = errors[of] or {}
      table.insert(errors[of], (name:gsub("%%d", "X")))
    end
  end
  for _, name in ipairs(tl.methods()) do
    local space, m = name:match "^([%w_]+)%.", tl.method(name)
    if space and not m.old then
      local out = spaces[space]
      if not out then
        out = {
          -- luna.Upload and the like: where a helper has the namespace's name, it can be called as well.
          ("---@class api.%s"):format(space), ("local %s = {}"):format(space), "",
        }
        spaces[space] = out
        order[#order + 1] = space
      end
      method(out, m, errors)
    end
  end
  table.sort(order)
  local all = { "---Every namespace of the schema: on API objects and on handlers.", "---@class luna.Namespaces" }
  for _, space in ipairs(order) do
    files["methods_" .. space] = spaces[space]
    all[#all + 1] = field(space, false, "api." .. space)
  end
  all[#all + 1] = ""
  files.namespaces = all
end

local function updates(files)
  local out = { "---The methods by which a handler gets updates.", "---@class luna.UpdateHandlers" }
  for _, name in ipairs(tl.type "Update") do
    out[#out + 1] = field("on" .. name:sub(1, 1):upper() .. name:sub(2), true, ("fun(self: self, update: tl.%s)"):format(name))
  end
  out[#out + 1] = field("onAny", true, "fun(self: self, update: tl.Update)", "what has no method of its own")
  out[#out + 1] = ""
  out[#out + 1] = "---The names of errors that the server is known to give; a number in one is in the error's `value`."
  local names, list = {}, {}
  for name in pairs(tl.errors()) do
    name = name:gsub("_?%%d", ""):gsub("^_", "")
    if not names[name] and name:find "^[%u%d_]+$" then
      names[name] = true
      list[#list + 1] = ('"%s"'):format(name)
    end
  end
  table.sort(list)
  out[#out + 1] = "---@alias luna.RPCErrorName " .. table.concat(list, "|")
  out[#out + 1] = ""
  files.updates = out
end

--- The files: name (without .lua) → text.
function schema.files()
  local files, texts = {}, {}
  types(files)
  methods(files)
  updates(files)
  for name, out in pairs(files) do
    local lines = { "---@meta", "" }
    table.move(out, 1, #out, 3, lines)
    texts[name] = table.concat(lines, "\n")
  end
  return texts
end

return schema
