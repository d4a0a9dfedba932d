--- What :watch and :trace of the REPL listen to: updates on their way to handlers, handlers that end, calls. The functions of the library
--- are replaced while somebody listens, so that nobody pays for it otherwise.
local timer = require "_luna.timer"

local taps = {}

local function each(list, name, ...)
  for _, tap in pairs(list) do
    if tap[name] then pcall(tap[name], ...) end
  end
end

-- The connection's own functions are in its metatable, so one replacement stands for all cores; each hears of its own.
local tapped, realCall = {}, nil

local function coreOf(conn)
  for core in pairs(tapped) do
    if core.conn == conn then return core end
    for _, entry in pairs(core.dcs and core.dcs.connections or {}) do
      if entry.conn == conn then return core end
    end
  end
end

-- list: the listeners there were when it began; those that have gone since are in it no more.
local function ended(list, name, began, ...)
  local _, code, text = ...
  each(list, "called", name, timer.now() - began, code and tostring(text))
  return ...
end

local function tapCalls(core)
  local home = core.dcs and core.dcs.connections[core.home] -- core.conn may be a record's own
  local own = home and home.conn
  local methods = type(own) == "userdata" and debug.getmetatable(own).__index
  if not methods then return end
  if next(tapped) == nil then
    realCall = methods.call
    methods.call = function(conn, name, ...)
      local owner = coreOf(conn)
      if not owner then return realCall(conn, name, ...) end
      local list = owner.taps
      each(list, "calling", name)
      return ended(list, name, timer.now(), realCall(conn, name, ...))
    end
  end
  tapped[core] = methods
end

local function untapCalls(core)
  local methods = tapped[core]
  if not methods then return end
  tapped[core] = nil
  if next(tapped) == nil then methods.call = realCall end
end

-- Told when a handler ends, however it does.
local ending = { __close = function(self) each(self.taps, "handled", self.update, timer.now() - self.began) end }

local function begin(core)
  local list = {}
  core.taps = list
  local dispatch = core.dispatch
  local handle, wrappers = dispatch.handle, setmetatable({}, { __mode = "k" })
  core.untapped = handle -- a record's, where there is one
  dispatch.handle = function(self, update, ...)
    each(list, "update", update)
    local fn = self:lookup(update._)
    if fn and not wrappers[fn] then
      local function wrapper(instance, u)
        local _ <close> = setmetatable({ taps = list, update = u, began = timer.now() }, ending)
        return fn(instance, u)
      end
      wrappers[wrapper] = true
      self.found[update._] = wrapper
    end
    return handle(self, update, ...)
  end
  tapCalls(core)
end

local function finish(core)
  core.dispatch.handle = core.untapped
  core.dispatch:forget()
  core.taps, core.untapped = nil, nil
  untapCalls(core)
end

--- Listens: tap = { update = fn(update), handled = fn(update, seconds), calling = fn(method), called = fn(method, seconds, error | nil) },
--- each if wanted. Returns what ends it.
function taps.add(core, tap)
  if not core.taps then begin(core) end
  local key = {}
  core.taps[key] = tap
  return function()
    if not core.taps or not core.taps[key] then return end
    core.taps[key] = nil
    if next(core.taps) == nil then finish(core) end
  end
end

return taps
