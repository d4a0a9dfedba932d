--- The helpers: sleep, readLine, echo, call, callFork, the combinators, logger. Each exists three times: as a function of `luna` (always
--- suspends), as a method of an API object and of a handler (returns a promise where async mode or the call's options say so).
local task = require "_luna.task"
local core = require "_luna.promise"
local errors = require "luna.errors"
local frames = require "luna.frames"
local Logger = require "luna.logger"

-- A module of functions that is loaded when one of them is first wanted: few bots want them at the start, or at all.
local function onDemand(module)
  return setmetatable({}, {
    __index = function(t, name)
      local fn = require(module)[name]
      t[name] = fn
      return fn
    end,
  })
end

local combinators, console, flock = onDemand "luna.combinators", onDemand "luna.console", onDemand "luna.flock"

local helpers = {
  functions = {}, -- luna.x(…): suspends
  methods = {}, -- api:x(…): through the mode
}
local functions, methods = helpers.functions, helpers.methods
local await, isYieldable = core.await, task.isYieldable

-- What a call's options may be, and how an error says it.
local callOptions = { queue = true, noResponse = true, dc = true } -- of methods of the schema alone
local optionTypes = {
  async = { "true or false", function(v) return type(v) == "boolean" end },
  timeout = { "a number of seconds", function(v) return type(v) == "number" and v >= 0 and v < math.huge end },
  cancellation = { "a token of a CancellationTokenSource", function(v) return require("luna.cancellation").isToken(v) end },
  queue = { "a name", function(v) return type(v) == "string" end },
  noResponse = { "true or false", function(v) return type(v) == "boolean" end },
  dc = { "the number of a data centre", function(v) return math.type(v) == "integer" end },
}

-- Raises "cannot wait inside …" at the line of who called the helper.
local function waitable(level)
  if isYieldable() then return end
  local _, why = pcall(task.checkWait)
  error(errors.bare(tostring(why)), level + 1)
end
helpers.waitable = waitable

-- Told just before a task waits for time or a person, so that the next update of a handler's chat may begin.
local patience = task.patience

--- sleep(s): suspends; returns the seconds slept.
functions.sleep = task.rest

--- Set by a chat at the terminal, which owns standard input: fn(promise) resolves the promise with the next line.
helpers.lineSource = nil

--- readLine(prompt?): the next line of standard input, without its end; nil at the end of input.
function functions.readLine(prompt)
  waitable(2)
  patience()
  return console.await(console.readLine(prompt, helpers.lineSource))
end

--- echo(text): to standard output, as it is.
function functions.echo(text) console.echo(text) end

--- flock(path, luna.LOCK_SH | luna.LOCK_EX, poll = 0.1): waits for a lock on the file, made where it is not there; gives `unlock`.
function functions.flock(path, mode, poll)
  flock.check(path, mode, poll, 2)
  waitable(2)
  return flock.lock(path, mode, poll)
end

--- getHTTPClient(defaults?): the HTTP client, or one with defaults of its own.
function functions.getHTTPClient(defaults) return (require("luna.http").clientOf(nil, defaults, 2)) end

--- fileGetContents(url, options?): the body of the answer; raises an HTTPException where there is none.
function functions.fileGetContents(url, opts)
  return (require("luna.http").clientOf(nil):fetch(url, opts, 2))
end

--- logger(message, level = NOTICE)
function functions.logger(message, level) Logger.log(message, level ~= nil and Logger.level(level, 2) or nil) end

-- What call() gives a promise of: what a function returns, a promise, or a value.
local function call(x, ...)
  if core.is(x) then return x end
  if type(x) == "function" then return task.spawn(x, ...) end
  return core.success(x)
end
helpers.call = call

--- luna.call(x, …): waits for what the function x returns, the promise x, or gives the value x.
function functions.call(x, ...) return await(call(x, ...)) end

-- Raises what is wrong with a call's options or where it stands, before anything has begun.
local function allowed(api, opts, level)
  if not helpers.isAsync(api, helpers.options(opts, level + 1)) then waitable(level + 1) end
end

for _, name in ipairs { "all", "some", "any", "first" } do
  functions[name] = function(items) return await(combinators[name](items, 2)) end
  methods[name] = function(api, items, opts)
    allowed(api, opts, 2)
    return helpers.settle(api, opts, combinators[name](items, 2))
  end
end

function functions.timeout(p, s) return await(combinators.timeout(p, s, 2)) end
function functions.timeoutWithDefault(p, s, v) return await(combinators.timeoutWithDefault(p, s, v, 2)) end
function methods.timeout(api, p, s, opts)
  allowed(api, opts, 2)
  return helpers.settle(api, opts, combinators.timeout(p, s, 2))
end
function methods.timeoutWithDefault(api, p, s, v, opts)
  allowed(api, opts, 2)
  return helpers.settle(api, opts, combinators.timeoutWithDefault(p, s, v, 2))
end

--- Set by luna.loop: handled(err) gives an error to the error handler, thrown(err) throws it out of run(); false where there is none.
function helpers.handled() return false end
helpers.thrown = helpers.handled

--- Set by luna.api: surface(api | nil, err) hands an error to the innermost api:loop of that API object (nil: of any); false where there
--- is none. name(api | nil): whose log it comes to.
function helpers.surface() return false end
function helpers.name() return "fork" end

-- An error of a fork goes to luna.loop's error handler, or surfaces out of api:loop or luna.loop.run; where neither runs, the log has it.
local function fork(api, p)
  core.onResolve(p, function(err)
    if err == nil or errors.is(err, errors.classes.CancelledException) then return end
    if helpers.handled(err) or helpers.surface(api, err) or helpers.thrown(err) then return end
    helpers.logError(helpers.name(api), err)
  end)
  return p
end

--- An error that nobody waits for, to the log.
function helpers.logError(room, err, before)
  local traceback = errors.isException(err) and err.traceback or nil
  if #frames.own(traceback) == 0 then traceback = nil end -- the library's own way says nothing
  local text
  text, traceback = frames.tidy(errors.text(err), traceback)
  Logger.write(Logger.ERROR, room, (before or "") .. text, { traceback = traceback, err = err })
end

--- A failure that nobody looked at: an ignored call's, a forgotten task's. It is logged, never thrown.
function helpers.unhandled(err, owner)
  if errors.is(err, errors.classes.CancelledException) then return end
  if type(err) == "table" and rawget(err, "versionEnded") then return end -- a version of a script was replaced, and this went with it
  local whose = require("luna.scope").of(owner)
  helpers.logError(whose and whose.name or "script", err, "nobody took this error: ")
end

for _, name in ipairs { "callFork", "rethrow" } do
  local what = "argument 1 of " .. name
  functions[name] = function(x) return fork(nil, combinators.toPromise(x, what, 2)) end
  methods[name] = function(api, x) return fork(api, combinators.toPromise(x, what, 2)) end
end

local function deferred(x, level)
  if type(x) == "function" then return task.defer(x) end
  local p = combinators.toPromise(x, "argument 1 of callForkDefer", level + 1)
  return task.defer(function() return await(p) end)
end
function functions.callForkDefer(x) return fork(nil, deferred(x, 2)) end
function methods.callForkDefer(api, x) return fork(api, deferred(x, 2)) end

function helpers.isOption(name) return optionTypes[name] ~= nil end

local function option(key, value, level, method)
  local wanted = optionTypes[key]
  if not wanted then
    if method and require("luna.params").takes(method, key) then
      error(('"%s" is a parameter of %s, not an option: it stands in the first table'):format(key, method.name), level + 1)
    end
    error(('unknown option "%s"%s'):format(tostring(key), require("luna.suggest").hint(tostring(key), optionTypes)), level + 1)
  end
  if callOptions[key] and not method then
    error(('the option "%s" is for methods of the API, which a helper is not'):format(key), level + 1)
  end
  if not wanted[2](value) then
    local got = type(value) == "number" and tostring(value) or "a " .. type(value)
    error(('the option "%s" wants %s, got %s'):format(key, wanted[1], got), level + 1)
  end
end

--- An options table, checked: raises at `level` for an unknown option. method: the schema method (as luna.params compiles it) of a call's.
function helpers.options(opts, level, method)
  if opts == nil then return nil end
  if type(opts) ~= "table" then error(("the options are a table, not a %s"):format(type(opts)), level + 1) end
  for key, value in next, opts do
    if key ~= "async" or (value ~= true and value ~= false) then option(key, value, level + 1, method) end
  end
  return opts
end

--- Whether a call with these options gives a promise.
function helpers.isAsync(api, opts)
  if opts and opts.async ~= nil then return opts.async end
  return api._core.async
end

local function isBounded(opts) return opts ~= nil and (opts.timeout or opts.cancellation) ~= nil end

-- The promise within the time limit and the cancellation of the options. Where they end it, the work behind it is ended too.
local function bounded(opts, p)
  if not isBounded(opts) then return p end
  local limit, token = opts.timeout, opts.cancellation
  return task.spawn(function()
    local me, id = task.current(), nil
    local result = table.pack(pcall(function()
      if token then
        token:throwIfRequested()
        id = token:subscribe(function(err) me:cancel(err) end)
      end
      if limit then return core.awaitTimeout(p, limit) end
      return true, await(p)
    end))
    if id then token:unsubscribe(id) end
    local ok, inTime = result[1], result[2]
    if ok and inTime then return table.unpack(result, 3, result.n) end
    core.markHandled(p)
    if ok then
      local late = ("no result within %g s"):format(limit)
      core.cancel(p, errors.classes.CancelledException(late))
      errors.throw(errors.classes.TimeoutException(late))
    end
    core.cancel(p, inTime) -- nothing, where it is p's own error
    error(inTime, 0)
  end)
end

--- The promise itself, or what it resolves to, by the mode.
function helpers.settle(api, opts, p)
  local async = helpers.isAsync(api, helpers.options(opts, 2))
  if not async then waitable(2) end
  p = bounded(opts, p)
  if async then return p end
  return await(p)
end

--- Runs fn(…) by the mode: at once, or in a task of its own for a promise.
function helpers.run(api, opts, fn, ...)
  local async = helpers.isAsync(api, helpers.options(opts, 2))
  if not async then waitable(2) end
  if not async and not isBounded(opts) then return fn(...) end
  local p = bounded(opts, task.spawn(fn, ...))
  if async then return p end
  return await(p)
end

function methods.sleep(api, s, opts)
  if type(s) ~= "number" or s ~= s then
    error(("sleep wants a number of seconds, got %s"):format(type(s) == "number" and "nan" or "a " .. type(s)), 2)
  end
  if helpers.isAsync(api, helpers.options(opts, 2)) then
    patience()
    return bounded(opts, task.spawn(function() task.sleep(s) end))
  end
  waitable(2)
  patience()
  if isBounded(opts) then return await(bounded(opts, task.spawn(task.sleep, s))) end
  return task.sleep(s)
end

function methods.readLine(api, prompt, opts)
  if type(prompt) == "table" and opts == nil then prompt, opts = nil, prompt end
  allowed(api, opts, 2)
  patience()
  return helpers.settle(api, opts, console.readLine(prompt, helpers.lineSource))
end

function methods.echo(api, text, opts)
  local async = helpers.isAsync(api, helpers.options(opts, 2))
  console.echo(text)
  if async then return core.success() end
end

function methods.flock(api, path, mode, poll, opts)
  if type(poll) == "table" and opts == nil then poll, opts = nil, poll end
  flock.check(path, mode, poll, 2)
  return helpers.run(api, opts, flock.lock, path, mode, poll)
end

function methods.getHTTPClient(api, defaults) return (require("luna.http").clientOf(api, defaults, 2)) end

function methods.fileGetContents(api, url, opts)
  return (require("luna.http").clientOf(api):fetch(url, opts, 2))
end

function methods.call(_, x, ...) return call(x, ...) end
function methods.logger(api, message, level)
  Logger.log(message, level ~= nil and Logger.level(level, 2) or nil, api._core.name)
end

-- What needs an account, as functions of luna: for the API object whose task it is, else the newest.
for name, count in pairs { getInfo = 1, getPwrChat = 1, downloadToDir = 2 } do
  functions[name] = function(...)
    local owner = require("luna.scope").core()
    if not owner then error(("luna.%s needs an API object, and there is none"):format(name), 2) end
    local args = table.pack(...)
    args[count + 1] = { async = false }
    return require("luna.info").methods[name](owner.api, table.unpack(args, 1, count + 1))
  end
end

return helpers
