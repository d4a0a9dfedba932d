-- The examples of the seed's page "Async", sections "Enabling the MadelineProto async API" and "Using the MadelineProto async API", in Lua,
-- each running against the sandbox. The seed's lines stand above their twin.
local luna = require "luna"
local yield = luna.await

local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"

describe("seed: Async, usage", function()
  local world = require("luna.sandbox").world()
  local bot = world:run(function() end, { name = "user" })
  local MadelineProto = bot.api
  local danog, apony = world:user("Danog", { username = "danogentili" }), world:user("Pony", { username = "apony" })
  danog:start(bot)
  apony:start(bot)
  world:clock():advance(1)

  -- What the bot has said to a person since the last look, oldest first.
  local seen = {}
  local function said(person)
    world:clock():advance(1)
    local texts, history = {}, person:history(bot)
    for i = #history - (seen[person] or 0), 1, -1 do texts[#texts + 1] = history[i].message end
    seen[person] = #history
    return texts
  end

  before_each(function()
    MadelineProto:async(false)
    said(danog)
    said(apony)
  end)

  -- $file = $MadelineProto->downloadToDir($bigfile, '/tmp/');
  -- $file = yield $MadelineProto->downloadToDir($bigfile, '/tmp/');
  it("a file, downloaded by the same line with and without yield, while others go on", function()
    local bigfile, folder = nil, os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    local content = ("big "):rep(300000) -- several pieces
    MadelineProto:setCallback(function(update) bigfile = update end)
    danog:send(bot, { document = content, name = "big.txt" })
    world:clock():advance(1)

    local before = MadelineProto:downloadToDir(bigfile, folder .. "/")
    MadelineProto:async(true)
    local promise, others = MadelineProto:downloadToDir(bigfile, folder .. "/"), 0
    luna.callFork(function()
      while luna.stateOf(promise) == "pending" do
        others = others + 1
        luna.sleep(0)
      end
    end)
    local file = yield(promise)
    assert.same({ folder .. "/big.txt", folder .. "/big (2).txt" }, { before, file })
    assert.is_true(others > 0)
    for _, path in ipairs { before, file } do
      local f <close> = assert(io.open(path))
      assert.equal(content, f:read "a")
    end
    os.execute("rm -r " .. folder)
    MadelineProto:setCallback(function() end)
  end)

  -- $MadelineProto->async(true);
  -- yield $MadelineProto->messages->sendMessage(...);
  it("async mode, for all functions", function()
    MadelineProto:async(true)
    local p = MadelineProto.messages.sendMessage { peer = "@danogentili", message = "async" }
    assert.equal("pending", luna.stateOf(p))
    yield(p)
    assert.same({ "async" }, said(danog))
  end)

  -- yield $MadelineProto->messages->sendMessage(..., ['async' => true]);
  it("async mode, for one call", function()
    local p = MadelineProto.messages.sendMessage({ peer = "@danogentili", message = "one" }, { async = true })
    assert.equal("pending", luna.stateOf(p))
    yield(p)
    assert.same({ "one" }, said(danog))
  end)

  -- $sm = function ($chatID, $message) use ($MadelineProto) {
  --     $id = (yield $MadelineProto->getInfo($chatID, ['async' => true]))['bot_api_id'];
  --     $res = yield $MadelineProto->messages->sendMessage([...], ['async' => true]);
  -- What will not work in PHP does in Lua: a function that waits is called like any other.
  it("a function that waits", function()
    local function sm(chatID, message)
      local id = yield(MadelineProto:getInfo(chatID, { async = true })).bot_api_id
      return yield(MadelineProto.messages.sendMessage(
        { peer = chatID, message = ("Message from: %d\n%s"):format(id, message) }, { async = true }))
    end
    assert.is_table(sm("@danogentili", "hi"))
    assert.same({ ("Message from: %d\nhi"):format(danog.id) }, said(danog))
  end)

  -- $MadelineProto->async(true);
  -- class EventHandler extends \danog\MadelineProto\EventHandler
  for _, async in ipairs { true, false } do
    it(("in an event handler, async(%s)"):format(async), function()
      local own = world:run(here .. "/async/event_handler.lua", { name = "handler" .. (async and "_async" or "") })
      own.api:async(async)
      own.handler.folder = os.tmpname()
      os.remove(own.handler.folder)
      assert(os.execute("mkdir " .. own.handler.folder))
      danog:start(own)
      danog:expect(own, 10, "Asynchronously, after 3 seconds")
      local before = world:clock():now()
      local sent = danog:send(own, "hello")
      local answer = danog:expect(own, 10, '"message": "hello"')
      assert.is_true(world:clock():now() - before >= 3)
      assert.equal(sent.id, answer.reply_to.reply_to_msg_id)
      assert.equal("messageEntityCode", answer.entities[1]._)
      danog:send(own, { document = "some bytes", name = "notes.txt", message = "look" })
      local back = danog:expect(own, 10, { media = "document" })
      assert.equal("look", back.message)
      assert.equal("some bytes", (danog:file(back)))
      local file <close> = assert(io.open(own.handler.folder .. "/notes.txt"))
      assert.equal("some bytes", file:read "a")
      -- That it is blocked is an update too; the answer to it is refused, which is caught and logged.
      danog:block(own)
      world:clock():advance(10)
      assert.matches("^messages.sendMessage: USER_IS_BLOCKED", luna.Logger.lastError("script").text)
      danog:unblock(own)
      os.execute("rm -r " .. own.handler.folder)
      own:stop()
    end)
  end

  -- $MadelineProto->setCallback(function ($update) use ($MadelineProto) {
  it("in a callback handler", function()
    MadelineProto:async(true)
    MadelineProto:setCallback(function(update)
      if update.message and update.message.out then return end
      yield(MadelineProto:sleep(3))
      yield(MadelineProto.messages.sendMessage { peer = update, message = "Hi after 3 seconds" })
    end)
    local before = world:clock():now()
    danog:send(bot, "hey")
    danog:expect(bot, 10, "^Hi after 3 seconds$")
    assert.is_true(world:clock():now() - before >= 3)
    MadelineProto:setCallback(function() end)
  end)

  -- $MadelineProto->loop(function () use ($MadelineProto) {
  --     yield $MadelineProto->messages->sendMessage(peer: '...', message: 'hi');
  -- "You can pass a promise or an async function to the loop function, and it will block until it is resolved."
  it("wrapped", function()
    MadelineProto:async(true)
    MadelineProto:loop(function() yield(MadelineProto.messages.sendMessage { peer = "@danogentili", message = "hi" }) end)
    assert.is_table(MadelineProto:loop(MadelineProto.messages.sendMessage { peer = "@danogentili", message = "again" }))
    assert.same({ "hi", "again" }, said(danog))
  end)

  -- "You can also have an asynchronous get_updates (deprecated) loop in here, if you want to"
  it("wrapped, around a loop that asks for updates", function()
    local polling = world:run(function() end, { name = "polling" })
    local api = polling.api
    api:async(true)
    local texts, offset = {}, 0
    local done = api:call(function()
      return yield(api:loop(function()
        while #texts < 2 do
          for _, item in ipairs(yield(api:getUpdates { offset = offset, timeout = 5 })) do
            offset = item.update_id + 1
            local message = item.update.message
            if type(message) == "table" and not message.out then texts[#texts + 1] = message.message end
          end
        end
        return "two came"
      end))
    end)
    danog:start(polling)
    danog:send(polling, "one")
    assert.equal("two came", yield(done))
    assert.same({ "/start", "one" }, texts)
    polling:stop()
  end)

  -- $MadelineProto->messages->sendMessage(['peer' => '@danogentili', 'message' => 'a'], ['async' => true]);
  -- $MadelineProto->messages->sendMessage(['peer' => '@danogentili', 'message' => 'b'], ['async' => true]);
  it("ignored", function()
    MadelineProto.messages.sendMessage({ peer = "@danogentili", message = "a" }, { async = true })
    MadelineProto.messages.sendMessage({ peer = "@danogentili", message = "b" }, { async = true })
    local texts = said(danog)
    table.sort(texts)
    assert.same({ "a", "b" }, texts)
  end)

  -- "you can use call queues if you want to make sure the order of the calls remains the same"
  it("ignored, ordered by a queue", function()
    MadelineProto.messages.sendMessage({ peer = "@danogentili", message = "a" }, { async = true, queue = "danog" })
    MadelineProto.messages.sendMessage({ peer = "@danogentili", message = "b" }, { async = true, queue = "danog" })
    assert.same({ "a", "b" }, said(danog))
  end)

  -- yield $MadelineProto->messages->sendMessage([
  --     'multiple' => true,
  --     ['peer' => '@danogentili', 'message' => 'hi'],
  --     ['peer' => '@apony', 'message' => 'hi']
  -- ]);
  it("multiple", function()
    local results = MadelineProto.messages.sendMessage {
      multiple = true,
      { peer = "@danogentili", message = "hi" },
      { peer = "@apony", message = "hi" },
    }
    assert.equal(2, #results)
    assert.same({ "hi" }, said(danog))
    assert.same({ "hi" }, said(apony))
  end)

  describe("ArrayAccess", function()
    before_each(function() MadelineProto:async(true) end)

    -- $id = yield $MadelineProto->getPwrChat('danogentili')['bot_api_id'];
    it("gets", function()
      assert.equal(danog.id, yield(MadelineProto:getPwrChat "danogentili").bot_api_id)
      assert.equal(danog.id, yield(MadelineProto:getPwrChat("danogentili").bot_api_id))
    end)

    -- $Id = yield $MadelineProto->getPwrChat('danogentili')['bot_api_id'] = 'pony';
    it("sets", function()
      local chat = MadelineProto:getPwrChat "danogentili"
      chat.bot_api_id = "pony"
      assert.equal("pony", yield(chat.bot_api_id))
      assert.equal("pony", yield(chat).bot_api_id)
    end)

    -- $set = isset((yield $MadelineProto->getPwrChat('danogentili'))['bot_api_id']);
    it("tells whether something is set", function()
      assert.is_true(yield(MadelineProto:getPwrChat "danogentili").bot_api_id ~= nil)
      assert.is_true(yield(MadelineProto:getPwrChat("danogentili").no_such_field) == nil)
    end)

    -- public function ponyAsync() { return yield $MadelineProto->getInfo('danogentili'); }
    -- public function pony() { return $MadelineProto->call($this->ponyAsync()); }
    it("of a function's result, through call", function()
      local function ponyAsync() return yield(MadelineProto:getInfo "danogentili") end
      assert.equal(danog.id, ponyAsync().bot_api_id) -- in Lua a function that waits gives its result
      assert.equal(danog.id, yield(MadelineProto:call(ponyAsync()).bot_api_id))
      local function pony() return MadelineProto:call(ponyAsync) end
      assert.equal(danog.id, yield(pony().bot_api_id))
      assert.equal(danog.id, yield(MadelineProto:call(function() return MadelineProto:getInfo "danogentili" end).bot_api_id))
    end)
  end)

  -- $result = blocking_function();
  it("blocking functions are called as they are", function()
    local function blocking_function() return ("x"):rep(3) end
    assert.equal("xxx", blocking_function())
  end)
end)
