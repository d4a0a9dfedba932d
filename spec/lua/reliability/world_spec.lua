-- A bot of a world in which everything goes wrong at once, and one whose handlers cannot keep up: each message is answered once, in the
-- order of its chat, and nothing grows without a bound.
local luna = require "luna"
local sandbox = require "luna.sandbox"

local function echo(update)
  if update._ == "updateNewMessage" and not update.message.out then update.message:reply(update.message.message) end
end

describe("a bot", function()
  for seed = 1, 3 do
    it(("answers each message once while all goes wrong, seed %d"):format(seed), function()
      local world = sandbox.world { seed = seed }
      local bot = world:run(echo, { name = "echo" })
      local people = { world:user "Ann", world:user "Bob", world:user "Cyd" }
      world:fault { drop = 0.03, delay = 0.3, duplicate = 0.3, reorder = 0.3, seed = seed }
      local n = 0
      for round = 1, 12 do
        for _, person in ipairs(people) do
          for _ = 1, 3 do
            n = n + 1
            person:send(bot, ("%d"):format(n))
          end
        end
        if round % 4 == 1 then world:fault { gap = 2 } end
        if round % 4 == 2 then world:fault { cut = true } end
        if round % 4 == 3 then world:fault { forget = true } end
        if round % 5 == 0 then world:fault { rpc = { 500, "INTERNAL", method = "messages.sendMessage", times = 2 } } end
        if round % 6 == 0 then world:fault { restart = true } end
        luna.sleep(1)
      end
      world:fault { off = true }
      for p, person in ipairs(people) do
        for round = 1, 12 do
          for k = 1, 3 do
            local expected = ("%d"):format((round - 1) * 9 + (p - 1) * 3 + k)
            assert.equal(expected, person:expect(bot, 300).message)
          end
        end
        person:expectNothing(bot, 60)
      end
    end)
  end

  it("that cannot keep up holds a bounded number of updates, and handles all of them in the end", function()
    local gate, seen = luna.Deferred(), {}
    local world = sandbox.world()
    local bot = world:run(function(update)
      if update._ ~= "updateNewMessage" then return end
      luna.await(gate:promise())
      seen[#seen + 1] = update.message.message
    end, { name = "slow", settings = { updates = { pending = 50 } } })
    local ann = world:user "Ann"
    local core = bot.api._core
    local most, mostBoxed = 0, 0
    for i = 1, 3000 do
      ann:send(bot, tostring(i))
      if i % 10 == 0 then luna.sleep(0.05) end
      most = math.max(most, core.dispatch.running + core.dispatch.waiting)
      mostBoxed = math.max(mostBoxed, core.updates.common.n)
    end
    luna.sleep(10)
    most = math.max(most, core.dispatch.running + core.dispatch.waiting)
    assert.is_true(most <= 200, ("%d updates stand before the handlers"):format(most))
    assert.is_true(mostBoxed <= 1000)
    gate:resolve()
    luna.sleep(120)
    assert.equal(3000, #seen)
    for i = 1, 3000 do assert.equal(tostring(i), seen[i]) end
  end)

  it("with more handlers asleep than may run still hears everybody", function()
    local world = sandbox.world()
    local bot = world:run(function(update)
      if update._ ~= "updateNewMessage" or update.message.out then return end
      if update.message.message == "wait" then luna.sleep(3600) end
      update.message:reply(update.message.message)
    end, { name = "sleepy", settings = { updates = { pending = 10 } } })
    local ann, bob = world:user "Ann", world:user "Bob"
    for _ = 1, 50 do ann:send(bot, "wait") end
    luna.sleep(5)
    assert.is_false(bot.api:isIdle())
    bob:send(bot, "are you there?")
    assert.equal("are you there?", bob:expect(bot, 5).message)
    for _ = 1, 50 do assert.equal("wait", ann:expect(bot, 4000).message) end
    luna.sleep(1)
    assert.is_true(bot.api:isIdle())
    assert.equal(0, bot.api._core.dispatch.running)
  end)

  it("fills a gap within two seconds, though nothing more is pushed", function()
    local world = sandbox.world()
    local bot = world:run(echo, { name = "echo" })
    local ann = world:user "Ann"
    ann:send(bot, "a")
    assert.equal("a", ann:expect(bot).message)
    world:fault { gap = 1 }
    ann:send(bot, "b")
    ann:send(bot, "c")
    local began = world:clock():now()
    assert.equal("b", ann:expect(bot, 2).message)
    assert.equal("c", ann:expect(bot, 2).message)
    assert.is_true(world:clock():now() - began <= 2)
  end)

  it("keeps its key over every code of the transport, and comes back", function()
    local world = sandbox.world()
    local bot = world:run(echo, { name = "echo" })
    local ann = world:user "Ann"
    local before = bot.api._core.account:authKey(2).key
    for i = 1, 6 do
      world:fault { transportError = i % 2 == 0 and 404 or 429 }
      ann:send(bot, tostring(i))
      assert.equal(tostring(i), ann:expect(bot, 400).message)
    end
    assert.equal(before, bot.api._core.account:authKey(2).key)
    ann:expectNothing(bot, 30)
  end)
end)
