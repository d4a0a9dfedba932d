describe("bots/echo", function()
  local world = require("luna.sandbox").world()
  local bot = world:run "bots/echo.lua"
  local alice = world:user "Alice"
  local bob = world:user "Bob"

  it("says back what it is told", function()
    alice:send(bot, "hello")
    assert.equal("hello", alice:expect(bot).message)
  end)

  it("keeps chats apart, and each in order", function()
    for i = 1, 3 do
      alice:send(bot, "a" .. i)
      bob:send(bot, "b" .. i)
    end
    for i = 1, 3 do
      assert.equal("a" .. i, alice:expect(bot).message)
      assert.equal("b" .. i, bob:expect(bot).message)
    end
    alice:expectNothing(bot, 1)
  end)

  it("sends every character as it came", function()
    local text = "grüße 👋 <b>&amp;</b> %s \\n"
    alice:send(bot, text)
    assert.equal(text, alice:expect(bot).message)
  end)
end)
