-- luna.Emitter, luna.Producer, luna.iterator. Names in comments are those of the behaviours' tests in Amp v2.6.2.
local luna = require "luna"
local task = require "_luna.task"
local timer = require "_luna.timer"
local iterator = luna.iterator

local function virtually(fn)
  local clock = timer.newVirtual()
  local ok, why = pcall(luna.await, task.spawn(function()
    timer.useClock(clock)
    fn(clock)
  end))
  clock:free()
  if not ok then error(why, 0) end
end

-- A promise of x after so many seconds.
local function delayed(s, x)
  return task.spawn(function()
    task.sleep(s)
    return x
  end)
end

local function raised(fn, ...)
  local ok, why = pcall(fn, ...)
  assert.is_false(ok)
  return why
end

local function range(a, b)
  local list = {}
  for i = a, b do list[#list + 1] = i end
  return list
end

describe("luna.Emitter", function()
  local emitter, it_
  before_each(function()
    emitter = luna.Emitter()
    it_ = emitter:iterate()
  end)

  it("gives its iterator what it emits", function() -- Emit
    local room = emitter:emit(1)
    assert.equal("pending", luna.stateOf(room))
    assert.is_true(luna.await(it_:advance()))
    assert.equal(1, it_:getCurrent())
    assert.equal(1, it_:getCurrent())
    assert.equal("resolved", luna.stateOf(room))
  end)

  it("needs no waiting where the consumer was first", function()
    local more = it_:advance()
    assert.equal("resolved", luna.stateOf(emitter:emit(1)))
    assert.is_true(luna.await(more))
    assert.equal("pending", luna.stateOf(emitter:emit(2)))
  end)

  it("is one iterator, that cannot emit", function()
    assert.equal(it_, emitter:iterate())
    assert.is_nil(it_.emit)
    assert.is_nil(it_.complete)
    assert.matches("iterator_spec.lua:%d+: an emitter is not an iterator: for value in emitter:iterate%(%) do", raised(function()
      for value in emitter do error(value) end
    end))
  end)

  it("emits what a promise resolves to", function() -- EmitSuccessfulPromise, EmitPendingPromise
    emitter:emit(luna.Success(1))
    assert.is_true(luna.await(it_:advance()))
    assert.equal(1, it_:getCurrent())
    local d = luna.Deferred()
    emitter:emit(d:promise())
    local more = it_:advance()
    assert.equal("pending", luna.stateOf(more))
    d:resolve(2)
    assert.is_true(luna.await(more))
    assert.equal(2, it_:getCurrent())
  end)

  it("lets values pass a promise that pends", function() -- EmitPendingPromiseThenNonPromise
    local d = luna.Deferred()
    emitter:emit(d:promise())
    emitter:emit(2)
    assert.is_true(luna.await(it_:advance()))
    assert.equal(2, it_:getCurrent())
    d:resolve(1)
    assert.is_true(luna.await(it_:advance()))
    assert.equal(1, it_:getCurrent())
  end)

  it("fails with a promise that fails", function() -- EmitFailedPromise
    local err = luna.Exception "no"
    local room = emitter:emit(luna.Failure(err))
    assert.equal(err, raised(luna.await, it_:advance()))
    assert.equal(err, raised(luna.await, room))
  end)

  it("ends: advance gives false from then on", function()
    emitter:emit(1)
    emitter:complete()
    assert.is_true(luna.await(it_:advance()))
    assert.equal(1, it_:getCurrent())
    for _ = 1, 3 do assert.is_false(luna.await(it_:advance())) end
  end)

  it("ends while the consumer waits", function()
    local more = it_:advance()
    emitter:complete()
    assert.is_false(luna.await(more))
  end)

  it("fails after what was emitted before", function()
    local err = luna.Exception "no"
    emitter:emit(1)
    emitter:fail(err)
    assert.is_true(luna.await(it_:advance()))
    assert.equal(err, raised(luna.await, it_:advance()))
    assert.equal(err, raised(luna.await, it_:advance()))
  end)

  it("refuses misuse, at the caller's line", function() -- EmitAfterComplete, GetCurrent*, Double*
    assert.matches("iterator_spec.lua:%d+: the promise of advance", raised(function() it_:getCurrent() end))
    it_:advance()
    assert.matches("iterator_spec.lua:%d+: the promise of the last advance", raised(function() it_:advance() end))
    emitter:complete()
    assert.matches("iterator_spec.lua:%d+: an iterator cannot emit values after", raised(function() emitter:emit(1) end))
    assert.matches("iterator_spec.lua:%d+: the iterator has already been completed", raised(function() emitter:complete() end))
    assert.matches("iterator_spec.lua:%d+: the iterator has completed", raised(function() it_:getCurrent() end))
  end)

  it("completed before a promise resolved, tells that promise", function() -- EmitPendingPromiseThenComplete, …ThenFail
    for _, settle in ipairs { "resolve", "fail" } do
      local e, d = luna.Emitter(), luna.Deferred()
      local room = e:emit(d:promise())
      e:complete()
      d[settle](d, "x")
      assert.matches("completed before the promise", tostring(raised(luna.await, room)))
    end
  end)

  it("carries nil and false", function()
    emitter:emit(nil)
    emitter:emit(false)
    assert.is_true(luna.await(it_:advance()))
    assert.is_nil(it_:getCurrent())
    assert.is_true(luna.await(it_:advance()))
    assert.is_false(it_:getCurrent())
  end)
end)

describe("luna.Producer", function()
  it("is the iterator of what its function emits", function() -- Producer Emit
    local p = luna.Producer(function(emit) luna.await(emit(1)) end)
    assert.is_true(luna.await(p:advance()))
    assert.equal(1, p:getCurrent())
    assert.is_false(luna.await(p:advance()))
  end)

  it("starts at once and goes as far as its first wait", function()
    local seen = {}
    local p = luna.Producer(function(emit)
      seen[1] = true
      luna.await(emit(1))
      seen[2] = true
    end)
    assert.same({ true }, seen)
    luna.await(p:advance())
    luna.await(p:advance())
    assert.same({ true, true }, seen)
  end)

  it("is slowed down by who takes its values", function() -- EmitBackPressure
    virtually(function(clock)
      local took
      local p = luna.Producer(function(emit)
        local start = clock:now()
        for i = 1, 3 do luna.await(emit(i)) end
        took = clock:now() - start
      end)
      while luna.await(p:advance()) do luna.sleep(0.1) end
      assert.is_near(0.2, took, 1e-6)
    end)
  end)

  it("fails with its function's error", function() -- ProducerCoroutineThrows
    local err = luna.Exception "no"
    local p = luna.Producer(function(emit)
      luna.await(emit(1))
      error(err, 0)
    end)
    assert.is_true(luna.await(p:advance()))
    assert.equal(err, raised(luna.await, p:advance()))
  end)

  it("fails with a promise that it emitted", function() -- ProducerTest EmitFailedPromise
    local d = luna.Deferred()
    local p = luna.Producer(function(emit) luna.await(emit(d:promise())) end)
    d:fail "no"
    assert.equal("no", raised(luna.await, p:advance()))
  end)

  it("that nobody holds any more is ended at its wait", function()
    local ended
    local p = luna.Producer(function(emit)
      local closing <close> = setmetatable({}, { __close = function() ended = true end })
      for i = 1, 10 do luna.await(emit(i)) end
      return closing
    end)
    for v in p do
      if v == 2 then break end
    end
    p = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    luna.sleep(0)
    assert.is_true(ended)
  end)

  it("closes with its block", function()
    local why
    do
      local p <close> = luna.Producer(function(emit)
        local _, err = pcall(luna.await, emit(1))
        why = err
      end)
      assert.is_table(p)
    end
    luna.sleep(0)
    assert.is_true(luna.is(why, luna.CancelledException))
  end)

  it("wants a function", function()
    assert.matches("iterator_spec.lua:%d+: luna.Producer wants a function", raised(function() luna.Producer(1) end))
  end)
end)

describe("generic for", function()
  it("takes value after value, waiting for each", function()
    local got = {}
    for v in luna.Producer(function(emit)
      for i = 1, 3 do
        luna.sleep(0.001)
        luna.await(emit(i))
      end
    end) do
      got[#got + 1] = v
    end
    assert.same({ 1, 2, 3 }, got)
  end)

  it("raises the iterator's error", function()
    assert.equal("no", raised(function()
      for _ in luna.Producer(function() error("no", 0) end) do end -- luacheck: ignore
    end))
  end)

  it("loses nothing where who waits is cancelled", function()
    local emitter = luna.Emitter()
    local it_ = emitter:iterate()
    local function take() return (it_()) end -- what a for loop calls
    local api = luna.API(nil, { sandbox = true })
    local p = api:call(take)
    luna.cancel(p)
    assert.is_true(luna.is(raised(luna.await, p), luna.CancelledException))
    luna.callFork(function() for i = 1, 3 do emitter:emit(i) end end)
    assert.equal(1, take()) -- nobody had come for it
    assert.equal(2, take())
    assert.equal(3, take())
    p = api:call(take)
    emitter:emit(4)
    luna.cancel(p) -- too late for that wait
    assert.equal(4, luna.await(p))
    emitter:emit(5)
    emitter:complete()
    assert.same({ 5 }, iterator.toArray(it_))
  end)

  it("says at the script's line that it cannot wait", function()
    local function values() return luna.Producer(function(emit)
      luna.sleep(0)
      emit(1)
    end) end
    for _, fn in ipairs {
      function() for v in values() do error(v) end end,
      function() return (iterator.toArray(values())) end,
      function() return (iterator.discard(values())) end,
    } do
      assert.matches("^[^\n]*iterator_spec.lua:%d+: cannot wait inside string.gsub$", raised(string.gsub, "x", "x", fn))
    end
    local emitter = luna.Emitter()
    emitter:emit(1)
    emitter:complete()
    local seen
    local _ = ("x"):gsub("x", function() seen = iterator.toArray(emitter:iterate()) end)
    assert.same({ 1 }, seen) -- where there is nothing to wait for
  end)

  it("does not take a nil for the end", function()
    local p = luna.Producer(function(emit) emit(nil) end)
    assert.matches("emitted nil", raised(function()
      for _ in p do end -- luacheck: ignore
    end))
  end)
end)

describe("luna.iterator.fromTable", function()
  it("emits what the promises of a sequence resolve to, in their order", function() -- *Promises
    virtually(function()
      local list = { delayed(0.03, 1), delayed(0.01, 2), delayed(0.02, 3), luna.Success(4), 5 }
      assert.same(range(1, 5), iterator.toArray(iterator.fromTable(list)))
    end)
  end)

  it("fails at a promise that fails", function() -- MixedPromises
    local it_ = iterator.fromTable { luna.Success(1), 2, luna.Failure "no", luna.Success(4) }
    local got = {}
    local why = raised(function()
      for v in it_ do got[#got + 1] = v end
    end)
    assert.equal("no", why)
    assert.same({ 1, 2 }, got)
  end)

  it("takes an iterator function", function() -- Traversable
    assert.same(range(1, 4), iterator.toArray(iterator.fromTable(coroutine.wrap(function()
      for i = 1, 4 do coroutine.yield(i) end
    end))))
  end)

  it("waits so many milliseconds before each", function() -- Interval, SlowConsumer
    virtually(function(clock)
      local start = clock:now()
      assert.same(range(1, 3), iterator.toArray(iterator.fromTable(range(1, 3), 10)))
      assert.is_near(0.03, clock:now() - start, 1e-6)
      local n = 0
      for _ in iterator.fromTable(range(1, 5), 10) do
        luna.sleep(0.02)
        n = n + 1
      end
      assert.equal(5, n)
    end)
  end)

  it("refuses anything else", function() -- Invalid
    for _, bad in ipairs { 32, false, true, "string", luna.Success(1), { a = 1 } } do
      assert.matches("iterator_spec.lua:%d+: fromTable wants", raised(function() iterator.fromTable(bad) end))
    end
    assert.matches("fromTable wants", raised(function() iterator.fromTable(nil) end))
    assert.matches("delay", raised(function() iterator.fromTable({}, -1) end))
    assert.matches("iterator_spec.lua:%d+: fromTable wants a sequence; this table has a hole at 2",
      raised(function() iterator.fromTable { 1, nil, 3 } end))
  end)
end)

for name, make in pairs {
  map = function(it_, fn) return iterator.map(it_, fn) end,
  filter = function(it_, fn) return iterator.filter(it_, fn) end,
} do
  describe("luna.iterator." .. name, function()
    it("asks for nothing where nothing is emitted", function() -- NoValuesEmitted
      local asked = false
      local emitter = luna.Emitter()
      local it_ = make(emitter:iterate(), function() asked = true end)
      emitter:complete()
      assert.is_false(luna.await(it_:advance()))
      assert.is_false(asked)
    end)

    it("fails where its function throws", function() -- CallbackThrows, OnNextCallbackThrows
      local it_ = make(iterator.fromTable { 1, 2 }, function() error("no", 0) end)
      assert.equal("no", raised(luna.await, it_:advance()))
    end)

    it("fails with its iterator, without asking", function() -- IteratorFails
      local asked = false
      local emitter = luna.Emitter()
      local it_ = make(emitter:iterate(), function() asked = true end)
      emitter:fail "no"
      assert.equal("no", raised(luna.await, it_:advance()))
      assert.is_false(asked)
    end)

    it("refuses what is no iterator", function()
      assert.matches("iterator_spec.lua:%d+: .*not an iterator", raised(function() iterator[name]({ 1 }, print) end))
      assert.matches("iterator_spec.lua:%d+: .*function", raised(function() iterator[name](iterator.fromTable {}, 1) end))
    end)
  end)
end

describe("the transformations", function()
  it("map, with a function that may wait", function() -- Map ValuesEmitted
    assert.same({ 2, 3, 4 }, iterator.toArray(iterator.map(iterator.fromTable { 1, 2, 3 }, function(v)
      luna.sleep(0.001)
      return v + 1
    end)))
  end)

  it("filter", function() -- Filter ValuesEmitted
    local count = 0
    assert.same({ 1, 3 }, iterator.toArray(iterator.filter(iterator.fromTable { 1, 2, 3 }, function(v)
      count = count + 1
      return v & 1 == 1
    end)))
    assert.equal(3, count)
  end)

  it("filter, by what a promise says", function() -- what asks the API in async mode gives one
    local odd = iterator.filter(iterator.fromTable { 1, 2, 3 }, function(v) return luna.Success(v ~= 2) end)
    assert.same({ 1, 3 }, iterator.toArray(odd))
  end)

  it("toArray and discard wait for the end", function() -- ToArray, Discard
    assert.same({}, iterator.toArray(iterator.fromTable({}, 5)))
    assert.same({ "abc", "foo", "bar" }, iterator.toArray(iterator.fromTable({ "abc", "foo", "bar" }, 1)))
    assert.equal(0, iterator.discard(iterator.fromTable {}))
    assert.equal(3, iterator.discard(iterator.fromTable({ "a", 1, false }, 1)))
    local holes = iterator.toArray(luna.Producer(function(emit)
      emit(1)
      emit(nil)
      emit(nil)
    end))
    assert.equal(3, #holes)
  end)

  it("concat, one after the other", function() -- Concat
    for _, cut in ipairs { 3, 5, 4 } do
      local it_ = iterator.concat { iterator.fromTable(range(1, cut)), iterator.fromTable(range(cut + 1, 10)) }
      assert.same(range(1, 10), iterator.toArray(it_))
    end
    assert.same({}, iterator.toArray(iterator.concat {}))
  end)

  it("concat fails at its place", function() -- ConcatWithFailedIterator
    local got = {}
    local failing = luna.Producer(function(emit)
      luna.await(emit(6))
      error("no", 0)
    end)
    local why = raised(function()
      for v in iterator.concat { iterator.fromTable(range(1, 5)), failing, iterator.fromTable(range(7, 10)) } do got[#got + 1] = v end
    end)
    assert.equal("no", why)
    assert.same(range(1, 6), got)
  end)

  it("merge takes turns", function() -- Merge
    for _, case in ipairs {
      { range(1, 3), range(4, 6), { 1, 4, 2, 5, 3, 6 } }, { range(1, 5), range(6, 8), { 1, 6, 2, 7, 3, 8, 4, 5 } },
      { range(1, 4), range(5, 10), { 1, 5, 2, 6, 3, 7, 4, 8, 9, 10 } },
    } do
      assert.same(case[3], iterator.toArray(iterator.merge { iterator.fromTable(case[1]), iterator.fromTable(case[2]) }))
    end
    assert.same({}, iterator.toArray(iterator.merge {}))
  end)

  it("merge goes by time", function() -- MergeWithDelayedEmits
    virtually(function()
      local function producer(list)
        return luna.Producer(function(emit)
          for _, v in ipairs(list) do luna.await(emit(v)) end
        end)
      end
      local a = producer { delayed(0.01, 1), delayed(0.05, 2), delayed(0.07, 3) }
      local b = producer { delayed(0.02, 4), delayed(0.04, 5), delayed(0.06, 6) }
      assert.same({ 1, 4, 5, 2, 6, 3 }, iterator.toArray(iterator.merge { a, b }))
    end)
  end)

  it("merge fails with any of them", function() -- MergeWithFailedIterator
    local failing = luna.Producer(function(emit)
      luna.await(emit(1))
      error("no", 0)
    end)
    assert.equal("no", raised(iterator.toArray, iterator.merge { failing, iterator.fromTable(range(1, 5)) }))
  end)

  it("refuse what is no list of iterators", function() -- NonIterator
    for _, name in ipairs { "concat", "merge" } do
      assert.matches("iterator_spec.lua:%d+: item 1 of " .. name .. " is a number", raised(function() iterator[name] { 1 } end))
      assert.matches("iterator_spec.lua:%d+: ", raised(function() iterator[name](1) end))
    end
  end)

  it("take iterators of a script's own making", function()
    local n = 0
    local own = { advance = function() n = n + 1 return luna.Success(n <= 3) end, getCurrent = function() return n end }
    assert.same({ 10, 20, 30 }, iterator.toArray(iterator.map(own, function(v) return v * 10 end)))
  end)
end)
