--- luna.loop: Amp's event loop API over the host's one loop. Watchers, ticks and runs are the host's (`_luna.loop`); here are error
--- handlers, the registry of states, and what to say about names that it does not have. Handlers and states belong to one bot each;
--- what the top level of a script sets holds for all that it made.
local core = require "_luna.loop"
local promises = require "_luna.promise"
local task = require "_luna.task"
local errors = require "luna.errors"
local helpers = require "luna.helpers"
local scope = require "luna.scope"

local loop = {}

for _, name in ipairs { "defer", "delay", "every", "onReadable", "onWritable", "onSignal", "disable", "cancel", "unreference", "run",
  "stop", "now", "getInfo", "getHandle", "read", "write" } do
  loop[name] = core[name]
end
loop["repeat"] = core.every

local InvalidWatcherError = errors.classes.InvalidWatcherError
local owner = task.owner

local function unknown(verb, id)
  errors.throw(InvalidWatcherError(('cannot %s "%s": there is no watcher of this id'):format(verb, id), { watcher = id }))
end

local function wrong(name, wanted, got)
  error(("%s wants %s, got %s"):format(name, wanted, require("luna.combinators").kind(got)), 3)
end

--- Makes a watcher active again, from the next tick on; a delay starts its time anew. Raises InvalidWatcherError.
function loop.enable(id)
  if type(id) ~= "string" then wrong("enable", "the id of a watcher", id) end
  if not core.enable(id) then unknown("enable", id) end
end

--- Lets the watcher keep `run` going, as it does from the start. Raises InvalidWatcherError.
function loop.reference(id)
  if type(id) ~= "string" then wrong("reference", "the id of a watcher", id) end
  if not core.reference(id) then unknown("reference", id) end
end

-- Of each bot (the upper half of a task's owner; 0: the top level), and of each version of its script (a mark; 0: of none).
local handlers, states = {}, {}

local function bot() return owner() >> 32 end

-- The marks of the version that the running task belongs to: its own, or that of the bot whose handler it is.
local function marks()
  local mark = scope.mark()
  if mark then return mark end
  local client = scope.current()
  if client and client.dispatch then return client.dispatch.current.mark, client.mark end
end

local function handlerOf(b, mark, other)
  local own, top = handlers[b] or {}, handlers[0] or {}
  return own[mark] or own[0] or top[mark] or top[other] or top[0]
end

--- setErrorHandler(fn | nil): who gets what callbacks throw; returns the one before.
function loop.setErrorHandler(fn)
  if fn ~= nil and type(fn) ~= "function" then wrong("setErrorHandler", "a function or nil", fn) end
  local b, mark = bot(), marks() or 0
  local own = handlers[b] or {}
  handlers[b] = own
  local before = own[mark]
  own[mark] = fn
  if next(own) == nil then handlers[b] = nil end
  return before
end

-- What a version of a script has set and started goes with it.
scope.ends[#scope.ends + 1] = function(mark)
  for b, own in pairs(handlers) do
    own[mark] = nil
    if next(own) == nil then handlers[b] = nil end
  end
  core.cancelOwned(mark, 0xffffffff)
end

-- And what the handlers of a client have, with the client.
scope.frees[#scope.frees + 1] = function(id)
  handlers[id], states[id] = nil, nil
  core.cancelOwned(id << 32, -1 << 32)
end

--- setState(key, value | nil), getState(key): a place for what belongs to the loop rather than to a module.
function loop.setState(key, value)
  if type(key) ~= "string" then wrong("setState", "a string as key", key) end
  local b = bot()
  local state = states[b]
  if not state then
    state = {}
    states[b] = state
  end
  state[key] = value
end

function loop.getState(key)
  if type(key) ~= "string" then wrong("getState", "a string as key", key) end
  local state = states[bot()]
  if state then return state[key] end
end

-- Out of `run`; where none runs, to whoever takes the errors that nobody looked at.
local function raise(b, err)
  if not core.fail(b, err) then promises.failure(err) end
end

local function handled(b, err, ...)
  local handler = handlerOf(b, ...)
  if not handler then return false end
  local ok, why = pcall(handler, err)
  if not ok then raise(b, why) end
  return true
end

local function failed(b, err, ...)
  if not handled(b, err, ...) then raise(b, err) end
end

-- What the host calls after a callback that threw, or that returned a promise: its failure counts as the callback's.
core.setOutcome(function(b, threw, value)
  local mark, other = marks()
  if threw then return failed(b, value, mark, other) end
  promises.onResolve(value, function(err)
    if err ~= nil then failed(b, err, mark, other) end
  end)
end)

-- Forks (luna.helpers) fail into the loop too: to the error handler, or, where no api:loop takes it, out of `run`.
helpers.handled = function(err) return handled(bot(), err, marks()) end
helpers.thrown = function(err) return core.fail(bot(), err) end

local names = {}
for name in pairs(loop) do names[#names + 1] = name end

return setmetatable(loop, {
  __name = "luna.loop",
  __index = function(_, name)
    error(('luna.loop has no "%s"%s'):format(tostring(name), require("luna.suggest").hint(tostring(name), names)), 2)
  end,
})
