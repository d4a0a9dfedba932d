describe("bots/menu", function()
  local world = require("luna.sandbox").world()
  local bot = world:run "bots/menu.lua"
  local alice = world:user "Alice"

  local function latest(id)
    for _, message in ipairs(alice:history(bot)) do
      if message.id == id then return message end
    end
  end

  it("shows a menu whose buttons change the order", function()
    alice:send(bot, "/start")
    local menu = alice:expect(bot)
    assert.equal("A small coffee?", menu.message)
    alice:click(menu, "Tea")
    alice:click(menu, "Large")
    assert.equal("A large tea?", latest(menu.id).message)
  end)

  it("marks what is chosen, and takes a second click on it calmly", function()
    alice:send(bot, "/start")
    local menu = alice:expect(bot)
    alice:click(menu, "• Coffee")
    assert.equal("A small coffee?", latest(menu.id).message)
    alice:click(menu, "Cocoa")
    assert.equal("• Cocoa", latest(menu.id).reply_markup.rows[1].buttons[3].text)
  end)

  it("takes the order and its buttons away", function()
    alice:send(bot, "/start")
    local menu = alice:expect(bot)
    local answer = alice:click(menu, "Order")
    assert.equal("It is on its way.", answer.message)
    local done = latest(menu.id)
    assert.equal("Ordered: a small coffee.", done.message)
    assert.is_nil(done.reply_markup)
  end)
end)
