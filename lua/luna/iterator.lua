--- luna.Emitter, luna.Producer and luna.iterator: Amp's iterators, streams of values that whoever makes them can slow down by waiting
--- for what `emit` gives. A consumer takes them by advance()/getCurrent() or by a generic `for`. What the two sides share is a plain
--- state: makers hold it, consumers hold an iterator over it, and an iterator that nobody holds any more ends its makers' waits.
local core = require "_luna.promise"
local task = require "_luna.task"
local Class = require "luna.class"
local errors = require "luna.errors"

local M = {}

local await, isYieldable, waitable = core.await, task.isYieldable, require("luna.helpers").waitable
local Exception, CancelledException = errors.classes.Exception, errors.classes.CancelledException

--- The shared state. --------------------------------------------------------------------------------------------------------------

local function newState() return { values = {}, present = {}, pressure = {}, taken = 0, emitted = 0 } end

local function settle(s, complete)
  s.complete = complete
  core.markHandled(complete) -- a failure is told to who advances; nobody has to
  local waiting = s.waiting
  if not waiting then return end
  s.waiting = nil
  local err = core.values(complete)
  if core.state(complete) == "failed" then core.fail(waiting, err) else core.resolve(waiting, false) end
end

local function complete(s, level)
  if s.complete then error("the iterator has already been completed", level + 1) end
  settle(s, core.success(false))
end

local function fail(s, err) settle(s, core.failure(err)) end

local function gone()
  local p = core.failure(CancelledException "nobody holds the iterator any more")
  core.markHandled(p)
  return p
end

local function emit(s, value, level)
  if s.complete then error("an iterator cannot emit values after it was completed", level + 1) end
  if s.gone then return gone() end
  if core.is(value) then
    local out = core.new()
    core.markHandled(out) -- the iterator fails as well, which is where it is looked at
    core.onResolve(value, function(err, v)
      if s.complete then
        core.fail(out, Exception "the iterator was completed before the promise's value could be emitted")
      elseif err ~= nil then
        fail(s, err)
        core.fail(out, err)
      else
        local ok, why = pcall(await, emit(s, v, 1))
        if ok then core.resolve(out) else core.fail(out, why) end
      end
    end)
    return out
  end
  local position = s.emitted + 1
  s.emitted = position
  s.values[position], s.present[position] = value, true
  local waiting = s.waiting
  if waiting then -- the consumer was there first: nothing to slow down
    s.waiting = nil
    core.resolve(waiting, true)
    return core.success()
  end
  local pressure = core.new()
  s.pressure[position] = pressure
  return pressure
end

local function advance(s, level)
  if s.waiting then error("the promise of the last advance() has to resolve before the next", level + 1) end
  local position = s.taken
  s.values[position], s.present[position] = nil, nil
  position = position + 1
  s.taken = position
  if s.present[position] then
    local pressure = s.pressure[position]
    if pressure then
      s.pressure[position] = nil
      core.resolve(pressure)
    end
    return core.success(true)
  end
  if s.complete then
    s.taken = position - 1 -- no matter how often it is asked
    return s.complete
  end
  s.waiting = core.new()
  return s.waiting
end

local function getCurrent(s, level)
  if s.complete and not s.waiting and next(s.present) == nil then error("the iterator has completed", level + 1) end
  if not s.present[s.taken] then error("the promise of advance() has to resolve before getCurrent()", level + 1) end
  return s.values[s.taken]
end

-- The consumer is gone: who waits for room is told so, and what else is emitted goes nowhere.
local function leave(s)
  if s.gone then return end
  s.gone = true
  local pressure = s.pressure
  s.values, s.present, s.pressure = {}, {}, {}
  for _, p in pairs(pressure) do
    core.markHandled(p)
    core.fail(p, CancelledException "nobody holds the iterator any more")
  end
end

--- The consumer's end. ------------------------------------------------------------------------------------------------------------

local Iterator = Class.new "Iterator"
M.Iterator = Iterator

function Iterator:init(state) self._state = state end

--- A promise of true where there is another value, of false at the end; it fails where the iterator failed.
function Iterator:advance()
  Class.checkSelf(self, Iterator, "iterator:advance()")
  return (advance(self._state, 2))
end

--- The value that advance() announced.
function Iterator:getCurrent()
  Class.checkSelf(self, Iterator, "iterator:getCurrent()")
  return (getCurrent(self._state, 2)) -- no tail call: it counts levels
end

-- Waits for the next value, for a function that a script calls. Who is cancelled at this wait takes none: it is the next consumer's.
local function hasMore(iterator)
  local p = iterator:advance()
  local s = rawget(iterator, "_state")
  if not s or core.state(p) ~= "pending" then return await(p) end
  if not isYieldable() then waitable(3) end
  local ok, more = pcall(await, p)
  if ok then return more end
  if s.waiting == p then s.waiting, s.taken = nil, s.taken - 1 end
  error(more, 0)
end

-- for value in iterator do … end
local function nextValue(self)
  if not hasMore(self) then return nil end
  local value = self:getCurrent()
  if value == nil then
    error("the iterator emitted nil, which would end the for loop: take its values by advance() and getCurrent()", 2)
  end
  return value
end

Iterator.__call = nextValue

function Iterator:__gc()
  local s = rawget(self, "_state")
  if s then leave(s) end
end

Iterator.__close = Iterator.__gc

local function isIterator(x)
  if Class.is(x, Iterator) then return true end
  return type(x) == "table" and type(x.advance) == "function" and type(x.getCurrent) == "function"
end

local function check(x, what, level)
  if isIterator(x) then return end
  error(("%s is a %s, not an iterator"):format(what, core.is(x) and "promise" or type(x)), level + 1)
end

--- The makers' end. ---------------------------------------------------------------------------------------------------------------

--- luna.Emitter(): emit(value) → promise, complete(), fail(err), iterate().
local Emitter = Class.new "Emitter"
M.Emitter = Emitter

function Emitter:init()
  self._state = newState()
  self._iterator = Iterator(self._state)
end

function Emitter:iterate()
  Class.checkSelf(self, Emitter, "emitter:iterate()")
  return self._iterator
end

--- The promise resolves when the value was taken: wait for it not to run ahead of who takes them. A promise is emitted once it resolves.
function Emitter:emit(value)
  Class.checkSelf(self, Emitter, "emitter:emit(value)")
  return (emit(self._state, value, 2))
end

function Emitter:complete()
  Class.checkSelf(self, Emitter, "emitter:complete()")
  complete(self._state, 2)
end

function Emitter:fail(err)
  Class.checkSelf(self, Emitter, "emitter:fail(err)")
  fail(self._state, err == nil and Exception "failed without a reason" or err)
end

function Emitter.__call() error("an emitter is not an iterator: for value in emitter:iterate() do … end", 2) end

-- Runs fn(emit) at once in a task of its own, whose end is the iterator's.
local function produce(s, fn)
  local p = task.spawn(fn, function(value) return (emit(s, value, 2)) end)
  core.onResolve(p, function(err)
    if s.complete then return end
    if err ~= nil then fail(s, err) else complete(s, 1) end
  end)
end

--- luna.Producer(function(emit) … end): an iterator of what the function emits.
local Producer = Iterator:extend "Producer"
M.Producer = Producer
Producer.__gc = Iterator.__gc

function Producer:init(fn)
  if type(fn) ~= "function" then error(("luna.Producer wants a function, got a %s"):format(type(fn)), 3) end
  Iterator.init(self, newState())
  produce(self._state, fn)
end

local function produced(fn)
  local s = newState()
  produce(s, fn)
  return Iterator(s)
end

--- Transformations. ---------------------------------------------------------------------------------------------------------------

--- Of the values of a sequence, or of an iterator function as `for` takes it; promises among them are waited for. delay: ms before each.
function M.fromTable(values, delay)
  if delay ~= nil and not (type(delay) == "number" and delay >= 0) then
    error("fromTable: the delay is a number of milliseconds, not less than zero", 2)
  end
  local step
  if type(values) == "function" then
    step = values
  elseif type(values) == "table" and not isIterator(values) then
    local n = #values
    for key in pairs(values) do
      if not (math.type(key) == "integer" and key >= 1 and key <= n) then
        error(("fromTable wants a sequence; this table has the key %s"):format(tostring(key)), 2)
      end
    end
    for i = 1, n do
      if values[i] == nil then error(("fromTable wants a sequence; this table has a hole at %d"):format(i), 2) end
    end
    local i = 0
    step = function()
      i = i + 1
      if i <= n then return values[i] end
    end
  else
    error(("fromTable wants a table or a function, got a %s"):format(core.is(values) and "promise" or type(values)), 2)
  end
  if delay and delay > 0 then
    return produced(function(send)
      for value in step do
        task.sleep(delay / 1000)
        await(send(value))
      end
    end)
  end
  local s = newState()
  local pump
  local function steps()
    for value in step do
      local room = emit(s, value, 1)
      if core.state(room) ~= "resolved" then
        return core.onResolve(room, function(err)
          if err == nil then pump() end
        end)
      end
    end
    if not s.complete then complete(s, 1) end
  end
  function pump()
    local ok, err = pcall(steps)
    if not ok and not s.complete then fail(s, err) end
  end
  pump()
  return Iterator(s)
end

--- Of fn(value) for each value.
function M.map(iterator, fn)
  check(iterator, "argument 1 of map", 2)
  if type(fn) ~= "function" then error(("map wants a function, got a %s"):format(type(fn)), 2) end
  return produced(function(send)
    while await(iterator:advance()) do await(send((fn(iterator:getCurrent())))) end
  end)
end

--- Of the values for which fn(value) is true, or a promise of it.
function M.filter(iterator, fn)
  check(iterator, "argument 1 of filter", 2)
  if type(fn) ~= "function" then error(("filter wants a function, got a %s"):format(type(fn)), 2) end
  return produced(function(send)
    while await(iterator:advance()) do
      local value = iterator:getCurrent()
      if await(fn(value)) then await(send(value)) end
    end
  end)
end

local function checkList(iterators, name)
  if type(iterators) ~= "table" or isIterator(iterators) then
    error(("%s wants a list of iterators, got a %s"):format(name, type(iterators)), 3)
  end
  for i = 1, #iterators do check(iterators[i], ("item %d of %s"):format(i, name), 3) end
  return table.move(iterators, 1, #iterators, 1, {})
end

--- Of the values of all of them, one iterator after the other. An error comes at its place, after the values before it.
function M.concat(iterators)
  local list = checkList(iterators, "concat")
  return produced(function(send)
    for _, iterator in ipairs(list) do
      while await(iterator:advance()) do await(send(iterator:getCurrent())) end
    end
  end)
end

-- Gives each value of the iterator to each(value), which gives a promise of room for the next; done(err | nil) at the end. By callbacks,
-- which run inside the resolution, so that several sources take turns as Amp's do.
local function consume(iterator, each, done)
  local pump
  local function take(err, more)
    if err ~= nil or not more then return true, done(err) end
    local room = each(iterator:getCurrent())
    if not room then return true end
    if core.state(room) == "resolved" then return false end
    core.onResolve(room, function(why)
      if why ~= nil then done(why) else pump() end
    end)
    return true
  end
  local function steps()
    while true do
      local p = iterator:advance()
      if core.state(p) ~= "resolved" then
        return core.onResolve(p, function(err, more)
          local ok, stop = pcall(take, err, more)
          if not ok then done(stop) elseif not stop then pump() end
        end)
      end
      if take(nil, (core.values(p))) then return end
    end
  end
  function pump()
    local ok, err = pcall(steps)
    if not ok then done(err) end
  end
  pump()
end

--- Of the values of all of them, as they come.
function M.merge(iterators)
  local list = checkList(iterators, "merge")
  local s = newState()
  local left = #list
  local function ended(err)
    left = left - 1
    if s.complete then return end
    if err ~= nil then fail(s, err) elseif left == 0 then complete(s, 1) end
  end
  local function each(value) return not s.complete and emit(s, value, 1) end
  for _, iterator in ipairs(list) do consume(iterator, each, ended) end
  if #list == 0 then complete(s, 1) end
  return Iterator(s)
end

--- Waits for the end; gives the list of all values. Its length counts nils.
function M.toArray(iterator)
  check(iterator, "argument 1 of toArray", 2)
  local list, n, holes = {}, 0, false
  while hasMore(iterator) do
    n = n + 1
    local value = iterator:getCurrent()
    list[n] = value
    holes = holes or value == nil
  end
  if not holes then return list end
  return setmetatable(list, { __len = function() return n end })
end

--- Waits for the end; gives how many values there were.
function M.discard(iterator)
  check(iterator, "argument 1 of discard", 2)
  local n = 0
  while hasMore(iterator) do n = n + 1 end
  return n
end

return M
