-- A spec as people write them: a checker has nothing to say about it.
describe("a bot", function()
  local world = require("luna.sandbox").world()
  local bot = world:run "bots/echo.lua"
  local alice = world:user("Alice", { username = "alice" })

  it("answers", function()
    alice:send(bot, "hello")
    assert.equal("hello", alice:expect(bot).message)
    local answer = alice:click(alice:expect(bot, 60, "pattern"), "Roll")
    assert.matches("x", answer.message)
    world:fault{ drop = 0.1, seed = 7 }
    world:clock():advance(5)
    local group = world:group("G", { members = { alice, bot } })
    alice:expectNothing(group, 4)
    assert.same({}, bot:takeErrors())
    bot:reload()
  end)
end)
