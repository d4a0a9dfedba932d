--- `Handler.persist = { "seen", … }`: the fields of self.state that outlive the program. They are written in the commit that marks an
--- update done, and read when the bot starts. Called by luna.handler (check), luna.dispatch (restore) and, through a hook, by the journal.
local tl = require "_luna.tl"
local errors = require "luna.errors"
local Logger = require "luna.logger"

local persist = {}

local MAX_DEPTH = 64
local MAX_NAME = 100

--- Raises where the class's list is none.
function persist.check(class)
  local list = class.persist
  local function wrong(what)
    error(errors.classes.Exception(("%s.persist: %s; it is a list of names of fields of self.state"):format(class.__name, what)), 0)
  end
  if type(list) ~= "table" then wrong("a " .. type(list)) end
  local n, why = tl.list(list)
  if not n then wrong(why) end
  for key, name in ipairs(list) do
    if type(name) ~= "string" or name == "" or #name > MAX_NAME or name:find "%z" then wrong("item " .. key .. " is no name") end
  end
end

-- ---- values as text: of what a length or a kind says, never as code ----

local function put(value, out, depth, seen)
  local kind = math.type(value) or type(value)
  if kind == "integer" then
    out[#out + 1] = ("i%d;"):format(value)
  elseif kind == "float" then
    out[#out + 1] = ("f%s;"):format(string.pack("<d", value))
  elseif kind == "string" then
    out[#out + 1] = ("s%d:"):format(#value)
    out[#out + 1] = value
  elseif kind == "boolean" then
    out[#out + 1] = value and "t" or "n"
  elseif kind == "table" then
    if seen[value] then error("a table that holds itself", 0) end
    if depth == MAX_DEPTH then error(("tables more than %d deep"):format(MAX_DEPTH), 0) end
    seen[value] = true
    out[#out + 1] = "{"
    for k, v in next, value do
      put(k, out, depth + 1, seen)
      put(v, out, depth + 1, seen)
    end
    out[#out + 1] = "}"
    seen[value] = nil
  else
    error("a " .. kind, 0)
  end
end

--- A value as text; raises where it holds what cannot be kept (functions, userdata, cycles). Metatables are not kept.
function persist.encode(value)
  local out = {}
  put(value, out, 0, {})
  return table.concat(out)
end

local function get(text, at, depth)
  local kind = text:sub(at, at)
  if kind == "i" then
    local digits, after = text:match("^(%-?%d+);()", at + 1)
    return math.tointeger(tonumber(digits)), after
  elseif kind == "f" then
    return (string.unpack("<d", text, at + 1)), at + 10
  elseif kind == "s" then
    local n, after = text:match("^(%d+):()", at + 1)
    n = math.tointeger(tonumber(n))
    if not n or after + n - 1 > #text then error("it ends too early", 0) end
    return text:sub(after, after + n - 1), after + n
  elseif kind == "t" or kind == "n" then
    return kind == "t", at + 1
  elseif kind == "{" and depth < MAX_DEPTH then
    local t = {}
    at = at + 1
    while text:sub(at, at) ~= "}" do
      local k, v
      k, at = get(text, at, depth + 1)
      v, at = get(text, at, depth + 1)
      t[k] = v
    end
    return t, at + 1
  end
  error("it is damaged", 0)
end

--- The value of a text that encode made; raises where it is none.
function persist.decode(text)
  local value, after = get(text, 1, 0)
  if after ~= #text + 1 then error("something follows it", 0) end
  return value
end

-- ---- the state of a handler ----

local GONE = "-" -- the field was nil

-- For the journal: what has changed since the last commit, as names to texts, or nil.
local function changes(core, kept)
  local class, instance = core.dispatch.class, core.dispatch.instance
  local list = class and class.persist
  local state = instance and rawget(instance, "state")
  if not list or type(state) ~= "table" then return nil end
  local out
  for _, name in ipairs(list) do
    if kept.read[name] then
      local value = state[name]
      local ok, text = pcall(persist.encode, value)
      if value == nil then ok, text = true, GONE end
      if not ok then
        if kept.told[name] ~= text then
          kept.told[name] = text
          core:log(Logger.ERROR, "state.%s cannot be kept: it holds %s", name, text)
        end
      elseif kept.saved[name] ~= text then
        out = out or {}
        out[name] = text
      end
    end
  end
  kept.pending = out
  return out
end

--- Fills the state of the handler from the store, each field once, and has the journal keep them from now on. Stored values win over what
--- init has set.
function persist.restore(core)
  local journal, account = core.updates.journal, core.account
  local kept = core.persisted
  if not kept then
    kept = { saved = {}, told = {}, read = {} }
    core.persisted = kept
    journal.persist = function() return changes(core, kept) end
    journal.persisted = function() -- the commit was taken
      for name, text in pairs(kept.pending or {}) do kept.saved[name] = text end
      kept.pending = nil
    end
  end
  local state = rawget(core.dispatch.instance, "state")
  for _, name in ipairs(core.dispatch.class.persist) do
    if not kept.read[name] then
      kept.read[name] = true
      local text = account:get("persist." .. name)
      if text and text ~= GONE then
        local ok, value = pcall(persist.decode, text)
        if ok then
          state[name], kept.saved[name] = value, text
        else
          core:log(Logger.ERROR, "what was kept of state.%s cannot be read and is given up: %s", name, tostring(value))
        end
      end
    end
  end
end

return persist
