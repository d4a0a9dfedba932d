-- Who listens by :watch and :trace comes and goes while handlers run and calls are under way.
describe("a listener at the prompt that goes while a call is under way", function()
  local world = require("luna.sandbox").world()
  local luna = require "luna"
  local taps = require "luna.repl.taps"
  local Bot = luna.EventHandler:extend "Bot"
  function Bot:onUpdateNewMessage(update)
    if not update.message.out then update.message:reply("got " .. update.message.message) end
  end
  local bot = world:run(Bot)
  local alice = world:user "Alice"

  it("does not make the call fail, nor the handler", function()
    local core, heard = bot.api._core, {}
    local function note(name) return function() heard[#heard + 1] = name end end
    local stop
    stop = taps.add(core, { update = note "update", handled = note "handled", calling = function()
      heard[#heard + 1] = "calling"
      stop()
    end, called = note "called" })
    alice:send(bot, "one")
    assert.equal("got one", alice:expect(bot).message)
    world:clock():advance(1)
    assert.is_nil(core.taps)
    assert.equal("calling", heard[2])
    alice:send(bot, "two")
    assert.equal("got two", alice:expect(bot).message)
  end)
end)
