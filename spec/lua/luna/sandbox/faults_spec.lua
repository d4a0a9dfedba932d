-- A bot in a world that breaks: it answers everything, once.
local function echo(update)
  if update._ == "updateNewMessage" and not update.message.out and update.message.message then
    update.message:reply(update.message.message)
  end
end

describe("faults", function()
  local world = require("luna.sandbox").world()
  local bot = world:run(echo, { name = "echo" })
  local alice = world:user "Alice"

  local function chat(n, seconds)
    for i = 1, n do
      alice:send(bot, "m" .. i)
      assert.equal("m" .. i, alice:expect(bot, seconds or 120).message)
    end
    alice:expectNothing(bot, 30)
  end

  after_each(function() world:fault { off = true } end)

  it("cut: it comes back", function()
    chat(1)
    world:fault { cut = true }
    chat(2)
    alice:send(bot, "in the dark")
    world:fault { cut = true }
    assert.equal("in the dark", alice:expect(bot, 120).message)
    alice:expectNothing(bot, 30)
  end)

  it("forget and restart: it goes on with a new session", function()
    world:fault { forget = true }
    chat(2)
    world:fault { restart = true }
    alice:send(bot, "while it is away")
    assert.equal("while it is away", alice:expect(bot, 120).message)
    chat(1)
  end)

  it("salt: it takes the new one, and nothing is lost or doubled", function()
    local core = bot.api._core
    local function salt() return core.account:authKey(core.home).salt end
    local first = salt()
    world:fault { salt = true }
    chat(2)
    local second = salt()
    assert.not_equal(first, second)
    world:fault { salt = true, restart = true }
    alice:send(bot, "while it is away")
    assert.equal("while it is away", alice:expect(bot, 120).message)
    assert.not_equal(second, salt())
  end)

  it("gap: what was not pushed is fetched", function()
    world:fault { gap = 1 }
    alice:send(bot, "lost on the way")
    alice:send(bot, "seen")
    assert.equal("lost on the way", alice:expect(bot, 120).message)
    assert.equal("seen", alice:expect(bot, 120).message)
    alice:expectNothing(bot, 30)
  end)

  it("flood: it waits as long as it is told", function()
    world:fault { flood = { 7, method = "messages.sendMessage" } }
    local before = world:clock():now()
    alice:send(bot, "slowly")
    assert.equal("slowly", alice:expect(bot, 60).message)
    assert.is_true(world:clock():now() - before >= 7)
  end)

  it("rpc: a refusal reaches the handler", function()
    world:fault { rpc = { 403, "CHAT_WRITE_FORBIDDEN", method = "messages.sendMessage" } }
    alice:send(bot, "no")
    alice:expectNothing(bot, 5)
    assert.equal("CHAT_WRITE_FORBIDDEN", bot:takeErrors()[1].error.rpc)
  end)

  it("delay and drop: what was lost on the way is sent again", function()
    world:fault { drop = 0.05, delay = 0.5, seed = 7 }
    chat(8, 600)
  end)

  it("duplicate and reorder: each update is handled once, in order", function()
    world:fault { duplicate = 0.5, reorder = 0.5, seed = 3 }
    for i = 1, 20 do alice:send(bot, "row " .. i) end
    for i = 1, 20 do assert.equal("row " .. i, alice:expect(bot, 60).message) end
    alice:expectNothing(bot, 30)
  end)

  it("off: the seed goes too", function()
    local function row()
      local list = {}
      for i = 1, 20 do
        local first = true
        world.faults:deliver({}, i, function() -- a session of its own: nothing is held from before
          list[#list + 1] = first and i or -i
          first = false
        end)
      end
      return table.concat(list, " ")
    end
    world:fault { duplicate = 0.5, seed = 3 }
    local three = row()
    world:fault { off = true }
    world:fault { duplicate = 0.5 }
    local fresh = row()
    assert.not_equal(three, fresh)
    world:fault { duplicate = 0.5, seed = 3 }
    assert.equal(three, row())
    world:fault { off = true }
    world:fault { duplicate = 0.5 }
    assert.equal(fresh, row())
  end)

  it("migrate: it logs in where it is sent", function()
    local two = require("luna.sandbox").world { dcs = { 2, 4 } }
    two:fault { migrate = 4 }
    local far = two:run(echo, { name = "far" })
    assert.equal(4, far.api._core.home)
    local anna = two:user "Anna"
    anna:send(far, "hello")
    assert.equal("hello", anna:expect(far).message)
    two:close()
    world:enter()
  end)

  it("that do not exist are refused by name", function()
    assert.has_error(function() world:fault { earthquake = true } end, 'world:fault: there is no fault "earthquake"')
  end)
end)

describe("faults of one seed", function()
  -- What is said, and when each answer comes, in a world whose every wire and push is troubled.
  local function run(fault, seed)
    local world = require("luna.sandbox").world()
    local bot, alice = world:run(echo, { name = "echo" }), world:user "Alice"
    fault.seed = seed
    world:fault(fault)
    local times = {}
    for i = 1, 8 do
      alice:send(bot, "m" .. i)
      alice:expect(bot, 600, "^m" .. i .. "$")
      times[i] = ("%.6f"):format(world:clock():now())
    end
    local text = world:transcript() .. "\n" .. table.concat(times, " ")
    world:close()
    return text
  end

  it("are the same run, and those of another seed are not", function()
    for _, fault in ipairs {
      { drop = 0.08, delay = 0.5 }, { corrupt = 0.05, delay = 0.2 }, { duplicate = 0.4, reorder = 0.4, delay = 0.5 },
      { drop = 0.05, delay = 0.5, duplicate = 0.3, reorder = 0.3, corrupt = 0.02 },
    } do
      local first = run(fault, 7)
      assert.equal(first, run(fault, 7))
      assert.not_equal(first, run(fault, 8))
    end
  end)
end)
