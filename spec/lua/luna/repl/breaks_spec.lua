-- Break points in a bot that people chat with: one chat is held, the others are served.
describe("a break point in a running bot", function()
  local world = require("luna.sandbox").world()
  local luna = require "luna"
  local Bot = luna.EventHandler:extend "Bot"
  function Bot:onUpdateNewMessage(update)
    local message = update.message
    if message.out then return end
    local text = "got " .. message.message
    message:reply(text)
  end
  local bot = world:run(Bot)
  local alice, bob = world:user "Alice", world:user "Bob"

  local function session()
    local heard, printed = {}, {}
    local s = require "luna.repl.session"({ core = bot.api._core, api = bot.api, name = "bot", handler = Bot }, function(m)
      table.insert(m.op == "print" and printed or heard, m)
    end)
    local function ask(op, line)
      s:handle { op = op, [op == "eval" and "code" or "line"] = line }
      while not heard[1] do luna.sleep(0.001) end
      return table.remove(heard, 1).text
    end
    return s, ask, printed
  end

  it("holds one chat's handler while another chat is served, for however long", function()
    local s, ask, printed = session()
    local line = debug.getinfo(Bot.onUpdateNewMessage, "S").linedefined
    ask("command", (":break breaks_spec.lua:%d if message.message == 'hold'"):format(line + 4))
    alice:send(bot, "hold")
    bob:send(bot, "pass")
    bob:expect(bot, 5, "got pass")
    alice:expectNothing(bot, 120)
    assert.equal(1, #printed)
    assert.matches(("breaks_spec.lua:%d"):format(line + 4), printed[1].text)
    assert.equal('"got hold"', ask("eval", "text"))
    ask("eval", "text = 'changed'")
    bob:send(bot, "pass again")
    bob:expect(bot, 5, "got pass again")
    ask("command", ":continue")
    assert.equal("changed", alice:expect(bot, 5).message)
    s:close()
    alice:send(bot, "hold")
    alice:expect(bot, 5, "got hold")
  end)

  it("is named in the log where the chat's next message waits for it", function()
    local core, logged = bot.api._core, {}
    local s, ask = session()
    ask("command", ":break onUpdateNewMessage if update.message.message == 'hold'")
    core.log = function(_, level, text, ...) logged[#logged + 1] = level .. " " .. text:format(...) end
    alice:send(bot, "hold")
    alice:send(bot, "next")
    alice:expectNothing(bot, 60)
    core.log = nil
    assert.equal(1, #logged)
    assert.matches("1 updates wait: the REPL holds it at a break point\n.*breaks_spec.lua:%d+", logged[1])
    s:close()
    alice:expect(bot, 5, "got hold")
    alice:expect(bot, 5, "got next")
  end)

  it("ends with the client, and what it held goes on", function()
    local s, ask, printed = session()
    ask("command", ":break onUpdateNewMessage if not update.message.out")
    alice:send(bot, "first")
    alice:expectNothing(bot, 1)
    assert.equal(1, #printed)
    s:close()
    alice:expect(bot, 5, "got first")
  end)
end)
