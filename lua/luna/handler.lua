--- luna.EventHandler: the class that a bot extends. Checks the names of its on… methods when it is loaded, and makes the instance that
--- gets the updates: with namespaces, helpers, `API` and `state`.
local tl = require "_luna.tl"
local Class = require "luna.class"
local errors = require "luna.errors"
local scope = require "luna.scope"
local namespace = require "luna.namespace"

local handler = {}

local EventHandler = Class.new "EventHandler"
handler.EventHandler = EventHandler

local own = { onAny = true, onStart = true, onStop = true, onError = true, onGap = true }
local known

-- on… names of the schema's updates.
local function names()
  if known then return known end
  known = {}
  for name in pairs(own) do known[name] = true end
  for _, update in ipairs(tl.type "Update") do known["on" .. update:sub(1, 1):upper() .. update:sub(2)] = true end
  return known
end

-- Handler classes that no client has been given yet → the version of a script that has made them.
local unused = setmetatable({}, { __mode = "k" })

function Class.extended(class)
  if Class.extends(class, EventHandler) then unused[class] = scope.mark() end
end

--- The name of a handler class that this version of a script has made and nobody has been given, or nil: its `return` has been forgotten.
function handler.forgotten(mark)
  local name
  for class, of in pairs(unused) do
    if of == mark and (not name or class.__name < name) then name = class.__name end
  end
  return name
end

function handler.isHandler(x) return Class.isClass(x) and Class.extends(x, EventHandler) end

--- Raises at `level` where the class is none or has an on… method that no update calls.
function handler.check(class, level)
  level = (level or 1) + 1
  if not handler.isHandler(class) then
    error(("an event handler is a class made by luna.EventHandler:extend \"Name\", not a %s"):format(type(class)), level)
  end
  local c = class
  while c and c ~= EventHandler do
    for name, value in pairs(c) do
      if type(name) == "string" and name:find "^on%u" and type(value) == "function" and not names()[name] then
        local hint = require("luna.suggest").hint(name, names())
        error(errors.classes.Exception(('%s:%s: there is no such update%s'):format(class.__name, name, hint)), level)
      end
      if type(name) == "string" and name:sub(1, 2) ~= "__" and name ~= "super" and namespace.exists(name) then
        error(errors.classes.Exception(('%s.%s: "%s" is a namespace of the API'):format(class.__name, name, name)), level)
      end
    end
    c = rawget(c, "super")
  end
  if class.persist ~= nil then require("luna.persist").check(class) end
  if class.settings ~= nil then require("luna.settings").check(class.settings, class.__name .. ".settings") end
  return class
end

-- Metamethods of a class go to its instance's own metatable.
local events = {
  "__tostring", "__concat", "__len", "__eq", "__lt", "__le", "__call", "__close", "__unm", "__add", "__sub", "__mul", "__div", "__pairs",
}

--- The one instance of a class for a client core. `state` is the table that lives on over a reload.
function handler.instantiate(class, core, state)
  unused[class] = nil
  local api = require "luna.api"
  local object = {}
  -- Names of the API are kept in `index`, never in the object itself: so that setting one of them still reaches __newindex.
  local index = setmetatable({ _core = core }, {
    __index = function(t, name)
      local value = class[name]
      if value ~= nil then return value end -- not kept: a script may still change its class
      if type(name) ~= "string" or name:find "^_" or name:find "^on%u" then return nil end
      value = api.lookup(core, name)
      if value ~= nil then rawset(t, name, value) end
      return value
    end,
  })
  local meta = {
    __index = index,
    __newindex = function(self, name, value)
      if api.isReserved(name) then
        error(('"%s" is a name of the API and cannot be set on a handler'):format(tostring(name)), 2)
      end
      rawset(self, name, value)
    end,
    __name = class.__name,
    class = class,
  }
  for _, event in ipairs(events) do meta[event] = rawget(class, event) end
  meta.__tostring = function() return class.__name end
  object.API = core.api
  object.state = state or {}
  rawset(object, "_core", core)
  setmetatable(object, meta)
  if class.init then class.init(object, core.api) end
  return object
end

-- Routes: see luna.routes, which no bot loads that has none.
function EventHandler:on(filter, fn) require("luna.routes").on(self, filter, fn, 2) end
function EventHandler:command(name, fn, options) require("luna.routes").command(self, name, fn, options, 2) end
function EventHandler:use(x) require("luna.routes").use(self, x, 2) end

--- self:setCommands(options?): tells Telegram the commands that have a description.
function EventHandler:setCommands(options)
  local p = { scope = { _ = "botCommandScopeDefault" }, lang_code = "" }
  for k, v in pairs(options or {}) do p[k] = v end
  p.commands = require("luna.routes").described(getmetatable(self).class)
  return self.bots.setBotCommands(p)
end

--- self:release(): the next update of this chat may begin though this handler still runs.
function EventHandler:release() self._core.dispatch:release(true) end

return handler
