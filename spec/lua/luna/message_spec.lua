-- What a call gives that sends something: the message, which can be changed and deleted later.
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local miniServer = dofile(folder .. "/spec/support/mini_server.lua")
local luna = require "luna"

describe("what sends", function()
  it("gives the message, of which its methods can be called", function()
    local Bot = luna.EventHandler:extend "Bot"
    local got = {}
    Bot:on("^go$", function(self, message)
      local sent = message:send("Working…"):getMessage()
      luna.sleep(1)
      sent:edit "Done."
      got[1] = self.messages.sendMessage({ peer = message, message = "called" }):getMessage().message
      got[2] = luna.await(message:reply("answered", { async = true })):getMessage().message
      got[3] = message:send({ media = { document = "a,b", name = "list.csv" } }):getMessage().media._
      luna.sleep(1)
      sent:delete()
    end)

    local world = require("luna.sandbox").world()
    local bot, alice = world:run(Bot), world:user "Alice"
    alice:send(bot, "go")
    local message = alice:expect(bot, "^Working")
    assert.equal("Done.", alice:expectEdit(bot).message)
    alice:expect(bot, { media = true })
    assert.equal("Done.", alice:message(message).message)
    world:clock():advance(2)
    assert.is_nil(alice:message(message))
    assert.same({ "called", "answered", "messageMediaDocument" }, got)
  end)

  it("gives it where the server tells no more than its id, and nil where there is none", function()
    local server = miniServer()
    server.answers["messages.sendMessage"] = function()
      return { _ = "updateShortSentMessage", out = true, id = 9, pts = 101, pts_count = 1, date = 3 }
    end
    local none = { _ = "updates", updates = {}, users = {}, chats = {}, date = 1, seq = 0 }
    server.answers["messages.forwardMessages"] = function() return none end
    local api = luna.API(nil, { sandbox = server.wire, botToken = "7:abcdefghijk" })
    finally(function() api:stop() end)
    local seen = luna.Deferred()
    api:run(function(update)
      local sent = update.message:send({ message = "<b>short</b>", parse_mode = "HTML" }):getMessage()
      seen:resolve { sent, type(sent.edit), update.message:forward("me"):getMessage() == nil }
    end)
    server:push "hello"
    local sent, edit, nothing = table.unpack(luna.await(seen:promise()))
    assert.same({ 9, "short", 50, true }, { sent.id, sent.message, sent.peer_id.user_id, sent.out })
    assert.same({ "function", true }, { edit, nothing })
  end)
end)
