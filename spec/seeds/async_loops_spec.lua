-- The examples of the seed's page "Async", section "Async loop APIs", in Lua: the files of async/, run by a bot in the sandbox.
local luna = require "luna"

local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"
local function example(name) return dofile(("%s/async/%s.lua"):format(here, name)) end

describe("seed: Async, loops", function()
  local world = require("luna.sandbox").world()
  local bot = world:run(function() end, { name = "looper" })
  local api = bot.api
  local alice = world:user("Alice", { username = "alice_of_the_loops" })
  alice:start(bot)
  local seen = 0

  -- What was said since the last look, oldest first.
  local function said()
    local texts = {}
    local history = alice:history(bot) -- newest first
    for i = #history - seen, 1, -1 do texts[#texts + 1] = history[i].message end
    seen = #history
    return texts
  end
  before_each(function()
    world:clock():advance(1)
    said()
  end)

  it("Loop: start() gives a promise, which api:loop waits for", function()
    local MyLoop = example "loop"
    local results, texts = {}, { "a", "b", "c" }
    local loop = MyLoop(api, function(result)
      results[#results + 1] = result
      local text = table.remove(texts, 1)
      return text and { peer = "@alice_of_the_loops", message = text }
    end)
    assert.equal("my custom loop", tostring(loop))
    local value = api:loop(loop:start())
    assert.equal("all sent", value)
    assert.equal(3, #results)
    world:clock():advance(1)
    assert.same({ "a", "b", "c" }, said())
  end)

  it("ResumableSignalLoop: paused, resumed, signalled", function()
    local loop = example "resumable_signal_loop"(api, 3)
    local ended = loop:start()
    assert.is_false(loop:start())
    world:clock():advance(7)
    assert.same({ "Resumed after 3 seconds of timeout", "Resumed after 3 seconds of timeout" }, said())
    loop:signal(10)
    world:clock():advance(11)
    assert.same({ "Resumed after 1 seconds of timeout", "Resumed after 10 seconds of timeout" }, said())
    loop:resume()
    world:clock():advance(1)
    assert.equal(1, #said())
    assert.is_true(loop:isRunning())
    loop:signal(0)
    luna.await(ended)
    assert.is_false(loop:isRunning())
  end)

  it("GenericLoop: says itself how long to pause", function()
    local loop = example "generic_loop"(api)
    world:clock():advance(5)
    assert.same({ "Hi every 2 seconds", "Hi every 2 seconds", "Hi every 2 seconds" }, said())
    loop:signal(true)
    world:clock():advance(5)
    assert.same({}, said())
    assert.is_false(loop:isRunning())
  end)

  it("PeriodicLoop: every so many seconds", function()
    local loop = example "periodic_loop"(api)
    world:clock():advance(5)
    assert.same({ "Hi every 2 seconds", "Hi every 2 seconds" }, said())
    loop:stop()
    world:clock():advance(5)
    assert.same({}, said())
  end)

  it("loops end with their API object", function()
    local loop = example "periodic_loop"(api)
    assert.is_true(loop:isRunning())
    bot:stop()
    luna.sleep(0)
    assert.is_false(loop:isRunning())
  end)
end)
