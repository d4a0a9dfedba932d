--- all, some, any, first, timeout, timeoutWithDefault: each takes promises and functions, and gives a promise. helpers.lua makes the
--- suspending functions of them. The keys of what came in are the keys of what goes out; a result's length counts nil holes.
local core = require "_luna.promise"
local task = require "_luna.task"
local errors = require "luna.errors"

local combinators = {}

local TimeoutException = errors.classes.TimeoutException
local MultiReasonException = errors.classes.MultiReasonException

--- What a wrong value is, for an error: "nil", "a promise", "a number".
local function kind(x) return x == nil and "nil" or core.is(x) and "a promise" or "a " .. type(x) end
combinators.kind = kind

-- Raises at `level` above the caller what to do about a value that is neither promise nor function.
local function check(x, what, level)
  if core.is(x) or type(x) == "function" then return end
  local todo = x == nil and "is the name right?"
    or "the call has already finished; wrap it in function() … end or pass { async = true }"
  error(("%s is %s, not a promise or a function: %s"):format(what, kind(x), todo), level + 1)
end

--- A promise of x, or that error. what: whose it is: "argument 1 of rethrow".
function combinators.toPromise(x, what, level)
  check(x, what, level + 1)
  return core.is(x) and x or task.spawn(x)
end

-- The items as promises, their keys in order, the length where it is a sequence (nil: a table with names), and the promise of the result.
-- Cancelling it ends the functions that are begun here, which nobody else could end; promises that came in are their owner's.
local function gather(items, level, name)
  if core.is(items) or type(items) ~= "table" then
    error(("%s wants a table of promises and functions, got %s"):format(name, kind(items)), level + 1)
  end
  local order, names, n = {}, {}, 0
  for key in pairs(items) do
    if math.type(key) == "integer" and key >= 1 then
      order[#order + 1] = key
      if key > n then n = key end
    else
      names[#names + 1] = key
    end
  end
  table.sort(order) -- the keys may be ids, far apart
  table.move(names, 1, #names, #order + 1, order)
  -- Checked before anything starts: a wrong item must not leave the ones before it running.
  for _, key in ipairs(order) do
    local item = items[key]
    if not core.is(item) and type(item) ~= "function" then check(item, ("item %s of %s"):format(key, name), level + 1) end
  end
  local promises, begun, out = {}, {}, nil
  for _, key in ipairs(order) do
    local item = items[key]
    local p = core.is(item) and item or task.spawn(item)
    promises[key] = p
    if p ~= item then begun[#begun + 1] = p end
  end
  out = core.new(#begun > 0 and function(err)
    core.fail(out, err)
    for _, p in ipairs(begun) do core.cancel(p, err) end
  end or nil)
  return promises, order, #names == 0 and n or nil, out
end

local function counted(values, n)
  if not n then return values end
  return setmetatable(values, { __len = function() return n end })
end

-- Calls each(key, err, value) as the promises come in.
local function watch(promises, order, each)
  for _, key in ipairs(order) do
    core.onResolve(promises[key], function(err, value) each(key, err, value) end)
  end
end

--- All values; the first failure fails it.
function combinators.all(items, level)
  if type(items) == "table" then
    local joined, results, count = core.join(items) -- promises alone, in a sequence: the host's way
    if joined then
      counted(results, count)
      return joined
    end
  end
  local promises, order, n, out = gather(items, (level or 1) + 1, "all")
  local values, left = {}, #order
  if left == 0 then
    core.resolve(out, counted(values, n))
    return out
  end
  watch(promises, order, function(key, err, value)
    if core.state(out) ~= "pending" then return end
    if err ~= nil then return core.fail(out, err) end
    values[key], left = value, left - 1
    if left == 0 then core.resolve(out, counted(values, n)) end
  end)
  return out
end

local function collect(items, level, mayAllFail, name)
  local promises, order, n, out = gather(items, level + 1, name)
  local reasons, values, left, failed = {}, {}, #order, 0
  if left == 0 then
    if not mayAllFail then error(name .. " wants at least one promise or function", level + 1) end
    core.resolve(out, counted(reasons, n), counted(values, n))
    return out
  end
  watch(promises, order, function(key, err, value)
    left = left - 1
    if err ~= nil then
      reasons[key], failed = err, failed + 1
    else
      values[key] = value
    end
    if left > 0 or core.state(out) ~= "pending" then return end
    if failed == #order and not mayAllFail then
      core.fail(out, MultiReasonException(reasons))
    else
      core.resolve(out, counted(reasons, n), counted(values, n))
    end
  end)
  return out
end

--- errors, values; fails only when all fail.
function combinators.some(items, level) return (collect(items, (level or 1) + 1, false, "some")) end -- no tail call: it counts levels

--- errors, values; never fails.
function combinators.any(items, level) return (collect(items, (level or 1) + 1, true, "any")) end

--- The first success; fails with a MultiReasonException when all fail. Does not cancel the losers, but forgets them: one of them may be
--- given to many.
function combinators.first(items, level)
  local promises, order, _, out = gather(items, (level or 1) + 1, "first")
  if #order == 0 then error("first wants at least one promise or function", (level or 1) + 1) end
  local reasons, left, told = {}, #order, {}
  local function settle(by, ...)
    by(out, ...)
    for key, fn in pairs(told) do core.forget(promises[key], fn) end
  end
  for _, key in ipairs(order) do
    told[key] = function(err, ...)
      if core.state(out) ~= "pending" then return end
      if err == nil then return settle(core.resolve, ...) end
      reasons[key], left = err, left - 1
      if left == 0 then core.fail(out, MultiReasonException(reasons)) end
    end
    if core.state(out) == "pending" then core.onResolve(promises[key], told[key]) else core.forget(promises[key], told[key]) end
  end
  return out
end

-- A promise of the values of x, or of late(s) where they are not there within s seconds: x goes on then. A function that is begun here ends
-- where the promise is cancelled.
local function within(x, s, late, name, level)
  check(x, "argument 1 of " .. name, level + 1)
  if type(s) ~= "number" or s ~= s or s < 0 then
    error(("%s wants a number of seconds, got %s"):format(name, type(s) == "number" and tostring(s) or kind(s)), level + 1)
  end
  local p = core.is(x) and x or task.spawn(x)
  local function settled(ok, inTime, ...)
    if ok and inTime then return ... end
    if ok then
      core.markHandled(p) -- nobody will look at it any more
      return late(s)
    end
    if p ~= x then core.cancel(p, inTime) end -- nothing, where it is p's own error
    error(inTime, 0)
  end
  return task.spawn(function() return settled(pcall(core.awaitTimeout, p, s)) end)
end

local function raise(s) errors.throw(TimeoutException(("no result within %g s"):format(s))) end

--- Waits for p at most s seconds, else raises a TimeoutException; p goes on.
function combinators.timeout(p, s, level) return (within(p, s, raise, "timeout", (level or 1) + 1)) end

--- The same with a value instead of the error.
function combinators.timeoutWithDefault(p, s, default, level)
  return (within(p, s, function() return default end, "timeoutWithDefault", (level or 1) + 1))
end

return combinators
