-- { queue = "name" }: what becomes of the order where calls are refused, cancelled or sent anew. luna.core, host/mtproto/on_rpc_result.c.
local luna = require "luna"

describe("a queue of calls", function()
  local world = require("luna.sandbox").world()
  local bot = world:run(function() end, { name = "queues" })
  local api = bot.api
  local alice = world:user("Alice", { username = "alice_waits" })
  alice:start(bot)
  world:clock():advance(1)

  local round = 0
  before_each(function() round = round + 1 end)

  local function send(text, options)
    options = options or {}
    options.async, options.queue = true, "q" .. round
    return api.messages.sendMessage({ peer = "@alice_waits", message = text == "" and "" or round .. text }, options)
  end

  -- What Alice has got in this test, in its order.
  local function said()
    world:clock():advance(1)
    local texts = {}
    for _, m in ipairs(alice:history(bot, 20)) do
      local text = m.message:match("^" .. round .. "(.*)")
      if text then table.insert(texts, 1, text) end
    end
    return table.concat(texts, " ")
  end

  it("keeps its order where one is refused for good", function()
    local errs, values = luna.any { send "a", send "b", send "", send "d", send "e" }
    assert.equal("MESSAGE_EMPTY", errs[3].rpc)
    assert.is_nil(next(errs, 3))
    assert.equal("updates", values[5]._)
    assert.equal("a b d e", said())
  end)

  it("keeps it where the first has to wait for a flood", function()
    world:fault { flood = 2 }
    luna.all { send "a", send "b", send "c" }
    assert.equal("a b c", said())
  end)

  it("keeps it over a connection that breaks", function()
    local list = { send "a", send "b", send "c" }
    world:fault { cut = true }
    luna.all(list)
    assert.equal("a b c", said())
  end)

  it("leaves out what is cancelled", function()
    local list = { send "a", send "b", send "c", send "d" }
    luna.cancel(list[1])
    luna.cancel(list[3])
    local errs = luna.any(list)
    assert.is_true(luna.is(errs[1], luna.CancelledException) and luna.is(errs[3], luna.CancelledException))
    assert.same({ false, false }, { errs[2] or false, errs[4] or false })
    assert.equal("b d", said())
    luna.all { send "e" } -- and goes on
    assert.equal("b d e", said())
  end)
end)
