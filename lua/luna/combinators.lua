--- all, some, any, first, timeout, timeoutWithDefault: each takes promises and functions, and gives a promise. helpers.lua makes the
--- suspending functions of them. The keys of what came in are the keys of what goes out; a result's length counts nil holes.
local core = require "_luna.promise"
local task = require "_luna.task"
local errors = require "luna.errors"

local combinators = {}

local TimeoutException = errors.classes.TimeoutException
local MultiReasonException = errors.classes.MultiReasonException

local function kind(x) return x == nil and "nil" or core.is(x) and "a promise" or "a " .. type(x) end

--- A promise of x, or an error at `level` above the caller that says what to do about a value which is neither promise nor function.
--- what: whose it is: "argument 1 of timeout".
function combinators.toPromise(x, what, level)
  if core.is(x) then return x end
  if type(x) == "function" then return task.spawn(x) end
  local todo = x == nil and "is the name right?"
    or "the call has already finished; wrap it in function() … end or pass { async = true }"
  error(("%s is %s, not a promise or a function: %s"):format(what, kind(x), todo), level + 1)
end

-- The items as promises, and the length where it is a sequence (nil: a table with names).
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
    if not core.is(items[key]) and type(items[key]) ~= "function" then
      combinators.toPromise(items[key], ("item %s of %s"):format(key, name), level + 1)
    end
  end
  local promises = {}
  for _, key in ipairs(order) do promises[key] = combinators.toPromise(items[key], ("item %s of %s"):format(key, name), level + 1) end
  return promises, order, #names == 0 and n or nil
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
  local promises, order, n = gather(items, (level or 1) + 1, "all")
  local out, values, left = core.new(), {}, #order
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
  local promises, order, n = gather(items, level + 1, name)
  local out, reasons, values, left, failed = core.new(), {}, {}, #order, 0
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
    if left > 0 then return end
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

--- The first success; fails with a MultiReasonException when all fail. Does not cancel the losers.
function combinators.first(items, level)
  local promises, order = gather(items, (level or 1) + 1, "first")
  if #order == 0 then error("first wants at least one promise or function", (level or 1) + 1) end
  local out, reasons, left = core.new(), {}, #order
  for _, key in ipairs(order) do
    core.onResolve(promises[key], function(err, ...)
      if core.state(out) ~= "pending" then return end
      if err == nil then return core.resolve(out, ...) end
      reasons[key], left = err, left - 1
      if left == 0 then core.fail(out, MultiReasonException(reasons)) end
    end)
  end
  return out
end

local function finish(p, ok, ...)
  if ok then return true, ... end
  core.markHandled(p) -- nobody will look at it any more; it goes on
  return false
end

local function seconds(s, name, level)
  if type(s) ~= "number" or s ~= s or s < 0 then
    error(("%s wants a number of seconds, got %s"):format(name, type(s) == "number" and tostring(s) or kind(s)), level + 1)
  end
end

--- Waits for p at most s seconds, else raises a TimeoutException; p goes on.
function combinators.timeout(p, s, level)
  p = combinators.toPromise(p, "argument 1 of timeout", (level or 1) + 1)
  seconds(s, "timeout", (level or 1) + 1)
  return task.spawn(function()
    local function pass(ok, ...)
      if not ok then errors.throw(TimeoutException(("no result within %g s"):format(s))) end
      return ...
    end
    return pass(finish(p, core.awaitTimeout(p, s)))
  end)
end

--- The same with a value instead of the error.
function combinators.timeoutWithDefault(p, s, default, level)
  p = combinators.toPromise(p, "argument 1 of timeoutWithDefault", (level or 1) + 1)
  seconds(s, "timeoutWithDefault", (level or 1) + 1)
  return task.spawn(function()
    local function pass(ok, ...)
      if not ok then return default end
      return ...
    end
    return pass(finish(p, core.awaitTimeout(p, s)))
  end)
end

return combinators
