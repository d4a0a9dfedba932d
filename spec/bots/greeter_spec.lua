describe("bots/greeter", function()
  local world = require("luna.sandbox").world()
  local bot = world:run "bots/greeter.lua"
  local alice = world:user "Alice"
  local bob = world:user "Bob"
  local carol = world:user "Carol %1"
  local group = world:group("Garden", { members = { alice, bot } })

  it("says hello when it is brought in", function()
    assert.matches("^Hello! I greet who joins", alice:expect(group).message)
  end)

  it("greets who joins by the first name", function()
    bob:join(group)
    assert.equal("Welcome, Bob!", alice:expect(group, 5, "Welcome").message)
  end)

  it("uses the words that it was given", function()
    alice:send(group, "/greeting Good morning, NAME.")
    assert.equal("I will say that from now on.", alice:expect(group).message)
    carol:join(group)
    assert.equal("Good morning, Carol %1.", alice:expect(group, 5, "Good morning").message)
  end)

  it("greets in a supergroup too", function()
    local park = world:channel("Park", { owner = alice, members = { bot }, megagroup = true })
    bob:join(park)
    assert.equal("Welcome, Bob!", alice:expect(park, 5, "Welcome").message)
  end)

  it("asks for words where none were given", function()
    alice:send(group, "/greeting")
    local question = alice:expect(group, 5, "What shall I say")
    bob:send(group, "not me")
    alice:send(group, { message = "Hi, NAME", reply_to = question })
    assert.equal("I will say that from now on.", alice:expect(group, 5, "from now on").message)
    world:user("Dave"):join(group)
    assert.equal("Hi, Dave", alice:expect(group, 5, "Hi").message)
  end)
end)
