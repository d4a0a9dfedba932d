--- luna: what a script gets from `require "luna"`. Submodules load when they are first named, so that a small bot stays small.
--- Called by every script; owns nothing but the table of names below.
local luna = {}

-- name in `luna` → module, and the field of that module (true: the module itself).
local lazy = {
  API = { "luna.api", "API" },
  EventHandler = { "luna.handler", "EventHandler" },
  Class = { "luna.class", true },
  Logger = { "luna.logger", true },
  CancellationTokenSource = { "luna.cancellation", "CancellationTokenSource" },
  entities = { "luna.entities", true },
  json = { "luna.json", true },
  sandbox = { "luna.sandbox", true },
  loop = { "luna.loop", true },
  iterator = { "luna.iterator", true },
  Emitter = { "luna.iterator", "Emitter" },
  Producer = { "luna.iterator", "Producer" },
  http = { "luna.http", true },
  websocket = { "luna.websocket", true },
  socket = { "luna.socket", true },
  dns = { "luna.dns", true },
  process = { "luna.process", true },
  file = { "luna.file", true },
  sync = { "luna.sync", true },
  cache = { "luna.cache", true },
  Loop = { "luna.loops", "Loop" },
  ResumableLoop = { "luna.loops", "ResumableLoop" },
  SignalLoop = { "luna.loops", "SignalLoop" },
  ResumableSignalLoop = { "luna.loops", "ResumableSignalLoop" },
  GenericLoop = { "luna.loops", "GenericLoop" },
  PeriodicLoop = { "luna.loops", "PeriodicLoop" },
}

local errors = require "luna.errors"
local promise = require "luna.promise"

luna.is = errors.is
for name, class in pairs(errors.classes) do luna[name] = class end

luna.await = promise.await
luna.stateOf = promise.stateOf
luna.cancel = promise.cancel
luna.Deferred = promise.Deferred
luna.Success = promise.Success
luna.Failure = promise.Failure

luna.LOCK_SH, luna.LOCK_EX = 1, 2
luna.version = require("_luna.host").version

-- The helpers of the API object, as functions that suspend whatever an API object's mode is.
for name, fn in pairs(require("luna.helpers").functions) do luna[name] = fn end

-- Whether a name is there may be asked; what is no more than misspelt is said so.
local function misspelt(name, where, ...)
  local guess = type(name) == "string" and require("luna.suggest").nearest(name, ...)
  if guess then error(('%s has no "%s"; did you mean %s.%s?'):format(where, name, where, guess), 3) end
end

local function strict(module, where)
  if type(module) ~= "table" or getmetatable(module) ~= nil then return end
  setmetatable(module, { __index = function(t, name) misspelt(name, where, t) end })
end

setmetatable(luna, {
  __index = function(t, name)
    local where = lazy[name]
    if not where then
      misspelt(name, "luna", t, lazy)
      return nil
    end
    local ok, module = pcall(require, where[1])
    if not ok then error(tostring(module), 2) end
    local value = module
    if where[2] ~= true then value = module[where[2]] else strict(module, "luna." .. name) end
    rawset(t, name, value)
    return value
  end,
  __name = "luna",
  names = lazy,
})

return luna
