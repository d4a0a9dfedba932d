--- Classes: `Base:extend "Name"`, `Class(args…)` calls `init`. Used by errors, event handlers, loops and whatever a script extends.
--- A class is the metatable of its instances; metamethods are inherited by copying them when a class is extended.
local Class = {}

local copied = {
  __concat = true, __len = true, __eq = true, __lt = true, __le = true, __call = true, __close = true, __unm = true, __add = true,
  __sub = true, __mul = true, __div = true, __mod = true, __pow = true, __pairs = true,
}

-- What `tostring(instance)` says where no class in the line has a `__tostring` of its own: the name given to `extend`.
local function describe(self)
  local class = getmetatable(self)
  while class do
    local own = rawget(class, "__tostring")
    if own and own ~= describe then return own(self) end
    class = rawget(class, "super")
  end
  return getmetatable(self).__name
end

local meta = {
  __call = function(class, ...)
    local object = setmetatable({}, class)
    local init = class.init
    if init then init(object, ...) end
    return object
  end,
  __tostring = function(class) return "class " .. class.__name end,
}

--- Set by luna.handler: told of each class that extends another.
function Class.extended() end

local function make(name, parent)
  local class = { __name = name, super = parent }
  class.__index = class
  class.__tostring = describe
  if parent then
    for event, fn in next, parent do
      if copied[event] then class[event] = fn end
    end
  end
  return setmetatable(class, {
    __index = parent or Class.base,
    __call = meta.__call,
    __tostring = meta.__tostring,
    __class = true,
  })
end

--- What every class has.
Class.base = {
  extend = function(self, name)
    if not Class.isClass(self) then error("extend is called on a class, with a colon: Base:extend \"Name\"", 2) end
    if name ~= nil and type(name) ~= "string" then error("the name of a class is a string, not a " .. type(name), 2) end
    local class = make(name or self.__name, self)
    Class.extended(class)
    return class
  end,
}

--- A class without a parent.
function Class.new(name) return make(name) end

function Class.isClass(x)
  if type(x) ~= "table" then return false end
  local mt = getmetatable(x)
  return type(mt) == "table" and rawget(mt, "__class") == true
end

--- Whether x is an instance of the class or of one that extends it.
function Class.is(x, class)
  if type(x) ~= "table" then return false end
  local mt = getmetatable(x)
  if type(mt) ~= "table" then return false end
  local own = rawget(mt, "class") or mt
  while type(own) == "table" do
    if own == class then return true end
    own = rawget(own, "super")
  end
  return false
end

--- Raises in who called a method with a dot. usage: how it is called: "deferred:resolve(…)".
function Class.checkSelf(self, class, usage)
  if not Class.is(self, class) then error("call it with a colon: " .. usage, 3) end
end

--- Whether the class `child` is `class` or extends it.
function Class.extends(child, class)
  while type(child) == "table" do
    if child == class then return true end
    child = rawget(child, "super")
  end
  return false
end

return Class
