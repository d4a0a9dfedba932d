-- Bots with perfect forward secrecy on the sandbox: they log in, talk, change keys, and lose nothing by it.
local luna = require "luna"
local sandbox = require "luna.sandbox"

local HOUR = 3600

local Bot = luna.EventHandler:extend "Bot"
function Bot:onUpdateNewMessage(update)
  local message = update.message
  if message.out then return end
  if message.message == "/menu" then
    message:reply { message = "menu", reply_markup = { inline_keyboard = { { { text = "One", callback_data = "one" } } } } }
  else
    message:reply("echo: " .. message.message)
  end
end
Bot:on({ callback = "^one$" }, function(_, query) query:answer "pressed" end)

local function talk(alice, bot, text, within)
  alice:send(bot, text)
  assert.equal("echo: " .. text, alice:expect(bot, within or 5).message)
end

-- The temporary keys that are bound, id → { perm, expires }, and how many they are.
local function bound(world)
  local n = 0
  for _ in pairs(world.model.state.bound) do n = n + 1 end
  return world.model.state.bound, n
end

describe("perfect forward secrecy", function()
  local function start(opts)
    local world = sandbox.world(opts)
    local bot = world:run(Bot, { settings = { pfs = true } })
    return world, bot, world:user "Alice"
  end

  it("has each session on a key of its own, bound to the one that is kept", function()
    local world, bot, alice = start()
    talk(alice, bot, "hello")
    local core = bot.api._core
    local keys, n = bound(world)
    assert.equal(1, n)
    local temp, binding = next(keys)
    local kept = core.account:authKey(2).key
    assert.equal(world.model.state.keys[binding.perm].key, kept)
    assert.is_nil(world.model.state.keys[temp])
    assert.is_truthy(world.model.state.auths[binding.perm]) -- the account belongs to the permanent key
    assert.is_nil(world.model.state.auths[temp])
    for session in pairs(world.model.sessions[bot.id]) do assert.equal(temp, session.authKeyId) end
    local left = core.conn:temporaryKey()
    assert.equal(left, require("luna.status").of({ name = "bot", core = core }).connection.temporaryKey)
    assert.is_true(left > 23 * HOUR and left <= 24 * HOUR)
    -- from the saved key on, with another temporary one
    bot:restart()
    talk(alice, bot, "again")
    keys, n = bound(world)
    assert.equal(2, n)
    for _, b in pairs(keys) do assert.equal(binding.perm, b.perm) end
    assert.equal(kept, bot.api._core.account:authKey(2).key)
    world:close()
  end)

  it("is not there where it is not asked for", function()
    local world = sandbox.world()
    local bot, alice = world:run(Bot), world:user "Alice"
    talk(alice, bot, "hello")
    assert.equal(0, select(2, bound(world)))
    assert.is_nil(bot.api._core.conn:temporaryKey())
    world:close()
  end)

  it("renews its keys while people talk", function()
    local world, bot, alice = start()
    local seen = {}
    for hour = 1, 40 do
      talk(alice, bot, "hour " .. hour)
      for id in pairs((bound(world))) do seen[id] = true end
      assert.is_true(bot.api._core.conn:temporaryKey() > 5 * HOUR)
      world:clock():advance(HOUR)
    end
    local n = 0
    for _ in pairs(seen) do n = n + 1 end
    assert.equal(3, n) -- of the start, of 18 hours, of 36
    assert.equal(1, bot.api._core.dcs.connections[2].ups) -- on one connection
    world:close()
  end)

  it("renews them in the middle of many calls, and no message comes twice", function()
    local world, bot, alice = start()
    world:clock():advance(18 * HOUR - 30)
    local first = next((bound(world)))
    for i = 1, 600 do
      alice:send(bot, "m" .. i)
      world:clock():advance(0.1)
    end
    for i = 1, 600 do assert.equal("echo: m" .. i, alice:expect(bot).message) end
    alice:expectNothing(bot, 60)
    local keys, n = bound(world)
    assert.equal(2, n)
    assert.is_truthy(keys[first])
    world:close()
  end)

  it("loses nothing where the server has lost the key", function()
    local world, bot, alice = start()
    alice:send(bot, "/menu")
    local menu = alice:expect(bot)
    for round = 1, 5 do
      world:fault { dropTemporaryKeys = true }
      for i = 1, 10 do alice:send(bot, ("m%d.%d"):format(round, i)) end
      for i = 1, 10 do assert.equal(("echo: m%d.%d"):format(round, i), alice:expect(bot, 60).message) end
      assert.equal("pressed", alice:click(menu, "One").message)
    end
    alice:expectNothing(bot, 60)
    assert.equal(6, select(2, bound(world)))
    world:close()
  end)

  it("loses no press of a button where -404 meets it", function()
    local world, bot, alice = start()
    alice:send(bot, "/menu")
    local menu = alice:expect(bot)
    for _ = 1, 5 do
      world:clock():advance(30)
      world:fault { dropTemporaryKeys = true, transportError = 404 } -- the press goes to a session that nobody hears any more
      assert.equal("pressed", alice:click(menu, "One").message)
    end
    world:close()
  end)

  it("has its own keys for each DC", function()
    local world, bot, alice = start { dcs = { 2, 4 } }
    talk(alice, bot, "hello")
    local core = bot.api._core
    assert.equal(4, core.dcs:get(4):call("help.getConfig", {}).this_dc)
    local keys, n = bound(world)
    assert.equal(2, n)
    local dcs = {}
    for _, b in pairs(keys) do dcs[world.model.state.keys[b.perm].dc] = true end
    assert.same({ [2] = true, [4] = true }, dcs)
    assert.is_truthy(core.dcs:get(4):temporaryKey())
    world:close()
  end)

  local function refuse(world, text, times)
    world:fault { rpc = { 400, text, method = "auth.bindTempAuthKey", times = times } }
  end

  it("tries a binding again that was refused once", function()
    local world = sandbox.world()
    refuse(world, "ENCRYPTED_MESSAGE_INVALID", 1)
    local bot, alice = world:run(Bot, { settings = { pfs = true } }), world:user "Alice"
    talk(alice, bot, "hello")
    world:close()
  end)

  it("stops where the server knows the saved key no more, and keeps it", function()
    local world, bot, alice = start()
    talk(alice, bot, "hello")
    local core = bot.api._core
    local kept = core.account:authKey(2).key
    world:clock():advance(120)
    refuse(world, "ENCRYPTED_MESSAGE_INVALID", 100)
    world:fault { dropTemporaryKeys = true, cut = true }
    world:clock():advance(300)
    assert.is_truthy(core.fatalError)
    assert.matches("does not know the session's key any more: log in anew", tostring(core.fatalError))
    assert.equal(kept, core.account:authKey(2).key)
    world:close()
  end)

  it("waits where a binding is refused for other reasons", function()
    local world, bot, alice = start()
    world:clock():advance(120)
    refuse(world, "INTERNAL", 5)
    world:fault { dropTemporaryKeys = true }
    talk(alice, bot, "hello", 200)
    assert.is_nil(bot.api._core.fatalError)
    world:close()
  end)
end)
