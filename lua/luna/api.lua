--- luna.API(session, settings): the object that scripts hold. Its namespaces and helpers are looked up by name; everything that makes it
--- work is in its core (luna.core), so that no field of it can stand in the way of a namespace.
local task = require "_luna.task"
local core_ = require "_luna.promise"
local errors = require "luna.errors"
local helpers = require "luna.helpers"
local namespace = require "luna.namespace"
local settings = require "luna.settings"

local api = {}
local methods = {} -- methods of an API object itself

-- Helpers are wrapped so that `api.sleep(3)` says what to do.
local wrapped = {}
local function colon(name, fn)
  local w = wrapped[fn]
  if not w then
    w = function(self, ...)
      if type(self) ~= "table" or rawget(self, "_core") == nil then
        error(('"%s" is called with a colon: api:%s(…), not with a dot'):format(name, name), 2)
      end
      return fn(self, ...)
    end
    wrapped[fn] = w
  end
  return w
end

--- What an API object or handler finds under a name: its own method, a helper, a namespace; nil where there is none.
function api.lookup(core, name)
  local own = methods[name]
  if own then return colon(name, own) end
  local helper = helpers.methods[name]
  if helper and not namespace.exists(name) then return colon(name, helper) end
  local ns = namespace.get(core, name)
  if ns then return ns end
  local info = require("luna.info").methods[name]
  return info and colon(name, info) or nil
end

--- Whether a name is taken: it may not be assigned on a handler or an API object.
function api.isReserved(name)
  return namespace.exists(name) or helpers.methods[name] ~= nil or methods[name] ~= nil or require("luna.info").methods[name] ~= nil
end

local function newindex(self, name, value)
  if api.isReserved(name) then error(('"%s" is a name of the API and cannot be set'):format(tostring(name)), 2) end
  rawset(self, name, value)
end
local function describe(self) return "API of " .. rawget(self, "_core").name end

-- What was looked up is kept in `index`, never in the object itself: so that setting one of these names still reaches __newindex.
local function metaOf(core)
  local index = setmetatable({}, {
    __index = function(t, name)
      if type(name) ~= "string" then return nil end
      local value = api.lookup(core, name)
      if value ~= nil then
        rawset(t, name, value)
        return value
      end
      if name:find "^_" then return nil end
      error(namespace.unknown(name), 2)
    end,
  })
  return { __name = "luna.API", __index = index, __newindex = newindex, __tostring = describe }
end

--- Set by who follows every client of the program (luna.record, luna.replay): fn(core), before it is used.
api.onNew = nil

--- Makes an API object from what is known about it: opts as luna.core's, `session`.
function api.new(session, opts)
  require "luna.message"
  local core = require "luna.core"(session, opts)
  local object = setmetatable({ _core = core }, metaOf(core))
  core.api = object
  if api.onNew then api.onNew(core) end
  return object
end

--- luna.API(session?, settings?)
function api.API(session, own)
  if type(session) == "table" and own == nil then session, own = nil, session end
  if session ~= nil and type(session) ~= "string" then
    error(("luna.API(session, settings): the session is a path, not a %s"):format(type(session)), 2)
  end
  if session and session:find("\0", 1, true) then
    error("luna.API(session, settings): the session's path has a zero byte in it, where a file's name would end", 2)
  end
  local ok, made = pcall(api.new, session or settings.commandLine.session, { own = own, where = "luna.API" })
  if not ok then
    if errors.isException(made) then errors.throw(made) end
    error(made, 0)
  end
  return made
end

--- start(): connects and logs in. The first call does so by itself.
function methods.start(self, opts)
  return helpers.run(self, opts, function()
    self._core:start()
    return self
  end)
end

--- async(true): from now on what waits returns a promise at once.
function methods.async(self, on)
  if type(on) ~= "boolean" then error("api:async wants true or false, got a " .. type(on), 2) end
  self._core.async = on
end

--- setEventHandler(class): its instance gets the updates.
function methods.setEventHandler(self, class)
  local handler = require "luna.handler"
  handler.check(class, 3)
  local core = self._core
  local instance = core.dispatch:install(core.dispatch:prepare(class))
  if core.state == "up" then core.updates:activate() end
  return instance
end

--- setCallback(fn): one function for all updates.
function methods.setCallback(self, fn)
  if type(fn) ~= "function" then error("api:setCallback wants a function, got a " .. type(fn), 2) end
  self._core.dispatch:setCallback(fn)
  if self._core.state == "up" then self._core.updates:activate() end
end

--- loop(): takes updates until stop(). loop(fn | promise): until that is done; returns its value or raises its error.
function methods.loop(self, x, ...)
  local core = self._core
  if x ~= nil and type(x) ~= "function" and not core_.is(x) then
    error(("api:loop wants a function or a promise, got a %s"):format(type(x)), 2)
  end
  helpers.waitable(2)
  if x == nil and core.state == "stopped" then errors.throw(errors.classes.Exception "this API object has been stopped") end
  local done = core_.new()
  core.loops[#core.loops + 1] = done
  task.ref()
  local function over(ok, ...)
    task.unref()
    for i, p in ipairs(core.loops) do
      if p == done then table.remove(core.loops, i) end
    end
    if ok then return ... end
    error((...), 0)
  end
  if x ~= nil then
    local p = helpers.call(x, ...)
    core_.onResolve(p, function(err, ...)
      if core_.state(done) ~= "pending" then return end
      if err ~= nil then core_.fail(done, err) else core_.resolve(done, ...) end
    end)
  end
  return over(pcall(function()
    if core.dispatch:hasHandler() then
      core:start()
      core.updates:activate()
    end
    if core.fatalError then error(core.fatalError, 0) end
    return core_.await(done)
  end))
end

--- run(handler): sets a handler class or a callback, starts, and takes updates in the background. Returns the handler's instance. mark: of
--- the version of the script that it comes from.
function methods.run(self, handler, mark)
  if type(handler) ~= "function" then require("luna.handler").check(handler, 2) end
  local dispatch = self._core.dispatch
  local instance = dispatch:install(dispatch:prepare(handler, mark))
  self._core:start()
  self._core.updates:activate()
  return instance
end

--- stop(reason?): ends what this object does; loop() returns.
function methods.stop(self, reason) self._core:stop(reason or "stop") end

function methods.getSelf(self, opts)
  return helpers.run(self, opts, function()
    self._core:start()
    return self._core:invoke("users.getUsers", { id = { "me" } })[1]
  end)
end

--- isIdle(): no handler runs, no update waits, no call is in flight.
function methods.isIdle(self)
  local core = self._core
  return core.dispatch:isIdle() and core.updates:isIdle() and (not core.conn or core.conn:inFlight() == 0)
end

local polled = { offset = true, limit = true, timeout = true }

--- getUpdates{ offset, limit, timeout }: the seed's old way: a list of { update_id, update }. An offset confirms what is below it.
function methods.getUpdates(self, p, opts)
  if p ~= nil and type(p) ~= "table" then error("api:getUpdates wants a table of parameters, got a " .. type(p), 2) end
  for name, value in pairs(p or {}) do
    if not polled[name] then
      error(('getUpdates: unknown parameter "%s"%s'):format(tostring(name), require("luna.suggest").hint(tostring(name), polled)), 2)
    elseif type(value) ~= "number" then
      error(('getUpdates: parameter "%s" is a %s, not a number'):format(name, type(value)), 2)
    end
  end
  return helpers.run(self, opts, function() return require("luna.get_updates")(self._core, p or {}) end)
end

local function coreOf(object) return object and object._core or require("luna.scope").core() end

-- An error of callFork comes out of the innermost loop.
function helpers.surface(object, err)
  local core = coreOf(object)
  local p = core and core.loops[#core.loops]
  if not p or core_.state(p) ~= "pending" then return false end
  core_.fail(p, err)
  return true
end

function helpers.name(object)
  local core = coreOf(object)
  return core and core.name or "fork"
end

api.methods = methods
return api
