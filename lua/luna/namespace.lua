--- api.messages.sendMessage{…}: namespaces and the functions in them, made when first named and kept. The function does what one call
--- needs: options, async mode, `multiple`, errors at the caller's line. Called by API objects and handlers for every schema method.
local tl = require "_luna.tl"
local task = require "_luna.task"
local core_ = require "_luna.promise"
local params = require "luna.params"
local errors = require "luna.errors"
local helpers = require "luna.helpers"

local namespace = {}

local type = type
local MultiReasonException, CancelledException = errors.classes.MultiReasonException, errors.classes.CancelledException

-- name → true, read once.
local known
local function names()
  if known then return known end
  known = {}
  for key in pairs(tl.namespaces()) do known[key] = true end
  return known
end

function namespace.exists(name) return names()[name] == true end
namespace.names = names

local function guess(name, kind)
  local found = tl.suggest(name, kind)
  return found and ('; did you mean "%s"?'):format(found) or ""
end

-- Raises what a call raised, wrong parameters at the caller's line.
local function rethrow(method, err, p, level)
  local text = params.isBadCall(method, err, p)
  if text then error(text, level + 1) end
  error(err, 0)
end

-- One call in a task of its own; nil and the error where a parameter is wrong, which is told at once rather than by the promise.
local function begin(core, method, p, opts)
  local promise = task.spawn(core.call, core, method, p, opts)
  if core_.state(promise) == "failed" then
    local err = select(1, core_.values(promise))
    if params.isBadCall(method, err, p) then
      core_.markHandled(promise)
      return nil, err
    end
  end
  return promise
end

local function async(core, method, p, opts, level)
  local promise, err = begin(core, method, p, opts)
  if not promise then rethrow(method, err, p, level + 1) end
  return promise
end

local function multiple(core, method, p, opts, level)
  local promises, n = {}, #p
  for key in pairs(p) do
    if key ~= "multiple" and not (math.type(key) == "integer" and key >= 1 and key <= n) then
      error(('%s: with "multiple", the parameters stand in tables; "%s" is outside of them'):format(method.name, tostring(key)), level + 1)
    end
  end
  for i = 1, n do
    if type(p[i]) ~= "table" then error(("%s: item %d of multiple is a %s"):format(method.name, i, type(p[i])), level + 1) end
  end
  for i = 1, n do
    local promise, err = begin(core, method, p[i], opts)
    if not promise then -- those before it have not left yet, and shall not
      for k = 1, i - 1 do
        core_.markHandled(promises[k])
        core_.cancel(promises[k], CancelledException "another call of the same multiple is wrong")
      end
      local why = params.isBadCall(method, err, p[i]):sub(#method.name + 3)
      error(("%s: item %d of multiple: %s"):format(method.name, i, why), level + 1)
    end
    promises[i] = promise
  end
  return task.spawn(function()
    local reasons, values = {}, {}
    for i = 1, n do
      local ok, value = pcall(core_.await, promises[i])
      if not ok and core_.state(promises[i]) == "pending" then -- this wait was cancelled, and so is what it was for
        for k = i, n do
          core_.markHandled(promises[k])
          core_.cancel(promises[k], value)
        end
        error(value, 0)
      end
      if ok then values[i] = value else reasons[i] = value end
    end
    if next(reasons) then errors.throw(MultiReasonException(reasons, values)) end
    return setmetatable(values, { __len = function() return n end })
  end)
end

local function withToken(token, promise)
  if not require("luna.cancellation").isToken(token) then
    error("the option \"cancellation\" wants a token of a CancellationTokenSource", 4)
  end
  local id = token:subscribe(function(err) require("luna.promise").cancel(promise, err) end)
  core_.onResolve(promise, function() token:unsubscribe(id) end)
  return promise
end

-- The way with options or in async mode. wantsPromise: nil where the options and the mode say it.
local function general(core, method, p, opts, level, wantsPromise)
  if opts ~= nil then
    helpers.options(opts, level + 1, method)
    if wantsPromise == nil then wantsPromise = opts.async end
  end
  if wantsPromise == nil then wantsPromise = core.async end
  if not wantsPromise then helpers.waitable(level + 1) end
  if not wantsPromise and not p.multiple and not (opts and opts.cancellation) then
    local ok, result = pcall(core.call, core, method, p, opts)
    if ok then return result end
    rethrow(method, result, p, level + 1)
  end
  local promise
  if p.multiple then
    promise = multiple(core, method, p, opts, level + 1)
  else
    promise = async(core, method, p, opts, level + 1)
  end
  if opts and opts.cancellation then withToken(opts.cancellation, promise) end
  if wantsPromise then return promise end -- dropped, its error is logged by the host, never thrown
  return core_.await(promise)
end

--- A call with options, for luna.message: a promise where wantsPromise says so, else what it gives.
namespace.call = general

-- The function of one schema method.
local function make(core, ns, method)
  local call = core.call
  return function(p, opts)
    if p == nil then
      p = {}
    elseif p == ns then
      error(('%s is called with a dot: api.%s{…}, not with a colon'):format(method.name, method.name), 2)
    elseif type(p) ~= "table" then
      error(("%s wants a table of parameters, got a %s"):format(method.name, core_.is(p) and "promise" or type(p)), 2)
    end
    if opts ~= nil or core.async or p.multiple then
      return (general(core, method, p, opts, 2)) -- no tail call: it counts levels
    end
    local ok, result = pcall(call, core, method, p)
    if ok then return result end
    rethrow(method, result, p, 2)
  end
end

--- The namespace of that name for a core, or nil where the schema has none.
function namespace.get(core, name)
  local made = core.namespaces[name]
  if made then return made end
  if not names()[name] then return nil end
  local ns = {}
  setmetatable(ns, {
    __index = function(t, key)
      if type(key) ~= "string" then return nil end
      local full = name .. "." .. key
      local method = core:method(full)
      if not method then
        error(('unknown method "%s"%s'):format(full, guess(full, "method")), 2)
      end
      local fn = make(core, t, method)
      rawset(t, key, fn)
      return fn
    end,
    __newindex = function(_, key) error(('"%s.%s" is a name of the schema and cannot be set'):format(name, tostring(key)), 2) end,
    __call = function(_, _, ...)
      local helper = helpers.methods[name]
      if helper then return helper(core.api, ...) end
      error(('"%s" is a namespace; call one of its methods: api.%s.…{}'):format(name, name), 2)
    end,
    __tostring = function() return "namespace " .. name end,
  })
  core.namespaces[name] = ns
  return ns
end

--- What to say about a name that an API object or a handler does not have.
function namespace.unknown(name)
  local suggest = require "luna.suggest"
  local own = require("luna.api").methods
  return ('no method, helper or namespace "%s"%s'):format(name, suggest.hint(name, names(), helpers.methods, own))
end

return namespace
