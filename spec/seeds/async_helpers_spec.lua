-- The examples of the seed's page "Async", sections "Helper methods" (sleep, readline, echo, HTTP, forking, flock), "Combining async
-- operations" and "Handling timeouts", in Lua, each running against the sandbox. The seed's line stands above its twin.
local luna = require "luna"

local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"

describe("seed: Async, helper methods", function()
  local world = require("luna.sandbox").world()
  local bot = world:run(function() end, { name = "seed" })
  local api = bot.api
  local alice = world:user("Alice", { username = "alice_of_the_seed" })
  alice:start(bot)
  world:clock():advance(1)
  local PEER = "@alice_of_the_seed"

  local function said()
    world:clock():advance(1)
    local texts = {}
    for _, m in ipairs(alice:history(bot)) do texts[#texts + 1] = m.message end
    return table.concat(texts, "|")
  end

  before_each(function() api:async(false) end)

  describe("sleep", function()
    -- yield $MadelineProto->sleep(3);
    it("does not block", function()
      local ticks, before = 0, world:clock():now()
      luna.callFork(function()
        for _ = 1, 5 do
          luna.sleep(0.5)
          ticks = ticks + 1
        end
      end)
      assert.equal(3, api:sleep(3))
      assert.equal(5, ticks)
      assert.is_true(world:clock():now() - before >= 3)
    end)

    it("is a promise in async mode", function()
      api:async(true)
      local yield = luna.await
      local p = api:sleep(3)
      assert.equal("pending", luna.stateOf(p))
      assert.is_nil(yield(p))
    end)
  end)

  describe("readline and echo", function()
    -- $res = yield $MadelineProto->readLine('Optional prompt');
    -- yield $MadelineProto->echo('Hello'.PHP_EOL);
    it("speak with who sits at the program", function()
      local program = os.getenv "LUNA"
      if not program then return pending "run by spec/run only" end
      local path = os.tmpname()
      local file = io.open(path, "w")
      file:write [[
        local luna = require "luna"
        local api = luna.API()
        local res = api:readLine("Optional prompt")
        api:echo("Hello " .. res .. "\n")
      ]]
      file:close()
      local pipe = io.popen(("echo reader | '%s' run %s 2>&1"):format(program, path))
      local text = pipe:read "a"
      pipe:close()
      os.remove(path)
      assert.equal("Optional promptHello reader\n", text)
    end)
  end)

  describe("HTTP client", function()
    local server, why
    if require("_luna.http").available() then
      setup(function() server, why = dofile(here .. "/../support/http_server.lua")() end)
      teardown(function()
        if server then server.stop() end
      end)
    else
      why = "HTTP is not built in"
    end

    -- $client = $MadelineProto->getHTTPClient();
    it("is the API object's", function()
      if not server then return pending(why) end
      local client = api:getHTTPClient { private = true }
      local response = client:request(luna.http.Request(server.http .. "/hello"))
      assert.equal(200, response:getStatus())
      assert.equal("hello", response:getBody():buffer())
    end)

    -- $result = yield $MadelineProto->fileGetContents('https://myurl');
    it("gets contents", function()
      if not server then return pending(why) end
      if not server.tls then return pending "openssl is not installed" end
      api:async(true)
      local yield = luna.await
      local result = yield(api:fileGetContents(server.https .. "/hello", { ca = server.ca, private = true }))
      assert.equal("hello", result)
    end)
  end)

  describe("forking", function()
    -- $MadelineProto->callFork($MadelineProto->messages->sendMessage([...]));
    it("surfaces errors out of loop()", function()
      api:async(true)
      local ok, err = pcall(api.loop, api, function()
        api:callFork(api.messages.sendMessage { peer = { _ = "inputPeerUser", user_id = 999, access_hash = 1 }, message = "x" })
        luna.sleep(100)
      end)
      assert.is_false(ok)
      assert.is_true(luna.is(err, luna.RPCErrorException))
      world:clock():advance(100) -- the function that the loop was given goes on meanwhile
    end)

    -- $MadelineProto->messages->sendMessage([...]);
    it("ignores errors where there is no fork", function()
      api:async(true)
      assert.equal("alive", api:loop(function()
        api.messages.sendMessage { peer = { _ = "inputPeerUser", user_id = 999, access_hash = 1 }, message = "x" }
        luna.sleep(1)
        return "alive"
      end))
    end)

    -- $MadelineProto->callForkDefer($MadelineProto->messages->sendMessage([...]));
    it("can wait for the next tick", function()
      api:async(true)
      local started = false
      local p = api:callForkDefer(function()
        started = true
        return luna.await(api.messages.sendMessage { peer = PEER, message = "deferred" })
      end)
      assert.is_false(started)
      luna.await(p)
      assert.matches("deferred", said())
      luna.await(api:callForkDefer(api.messages.sendMessage { peer = PEER, message = "begun before" }))
      assert.matches("begun before", said())
    end)

    -- $MadelineProto->callFork((function () use ($MadelineProto) { try { … } catch (\Exception $e) { … } })());
    it("may handle its own errors", function()
      local caught
      assert.equal("fine", api:loop(function()
        api:callFork(function()
          local ok, err = pcall(api.messages.sendMessage, { peer = { _ = "inputPeerUser", user_id = 999, access_hash = 1 }, message = "x" })
          if not ok then caught = err end
        end)
        luna.sleep(1)
        return "fine"
      end))
      assert.is_true(luna.is(caught, luna.RPCErrorException))
    end)
  end)

  describe("flock", function()
    -- $unlock = yield $MadelineProto->flock($filePath, LOCK_SH); try { // ... } finally { $unlock(); }
    it("locks until it is unlocked", function()
      local path = os.tmpname()
      local unlock = api:flock(path, luna.LOCK_SH)
      local ok = pcall(function() error "in between" end)
      unlock()
      assert.is_false(ok)

      do -- the same, as a block
        local held <close> = api:flock(path, luna.LOCK_EX, 0.05)
        assert.truthy(held)
        assert.is_false(require("_luna.files").lock(path, false))
      end
      api:flock(path, luna.LOCK_EX)()
      os.remove(path)
    end)

    it("is a promise in async mode", function()
      api:async(true)
      local path = os.tmpname()
      local yield = luna.await
      local unlock = yield(api:flock(path, luna.LOCK_EX))
      local second = api:flock(path, luna.LOCK_SH, 0.5)
      assert.equal("pending", luna.stateOf(second))
      unlock()
      yield(second)()
      os.remove(path)
    end)
  end)
end)

describe("seed: Async, combining", function()
  local world = require("luna.sandbox").world()
  local bot = world:run(function() end, { name = "seed" })
  local api = bot.api
  local alice = world:user("Alice", { username = "alice_of_the_seed" })
  alice:start(bot)
  world:clock():advance(1)

  -- $promise1 = $MadelineProto->messages->sendMessage(...); $promise2 = …; $generator3
  local function three()
    return {
      api.messages.sendMessage({ peer = "@alice_of_the_seed", message = "one" }, { async = true }),
      api.messages.sendMessage({ peer = "@alice_of_the_seed", message = "two" }, { async = true }),
      function()
        luna.sleep(5)
        return "three"
      end,
    }
  end
  local function failing() error(luna.Exception "failed") end

  -- $results = yield $MadelineProto->all([$promise1, $promise2, $generator3]);
  it("all", function()
    local results = api:all(three())
    assert.equal(3, #results)
    assert.matches("^update", results[1]._)
    assert.equal("three", results[3])
    local ok, err = pcall(api.all, api, { three()[3], failing })
    assert.is_false(ok)
    assert.equal("failed", tostring(err))
  end)

  -- $results = yield $MadelineProto->first([$promise1, $promise2, $generator3]);
  it("first", function()
    assert.matches("^update", api:first(three())._)
    assert.equal("three", api:first { failing, three()[3] })
    local ok, err = pcall(api.first, api, { failing, failing })
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.MultiReasonException))
    assert.equal(2, #err.reasons)
  end)

  -- $results = yield $MadelineProto->any([$promise1, $promise2, $generator3]);
  it("any", function()
    local errors, values = api:any { failing, three()[3], failing }
    assert.equal("failed", tostring(errors[1]))
    assert.equal("three", values[2])
    assert.equal("failed", tostring(errors[3]))
  end)

  -- $results = yield $MadelineProto->some([$promise1, $promise2, $generator3]);
  it("some", function()
    local errors, values = api:some { one = failing, two = three()[3] }
    assert.equal("failed", tostring(errors.one))
    assert.equal("three", values.two)
    assert.is_false((pcall(api.some, api, { failing, failing })))
  end)

  -- "if you just take the result of these methods without yielding it, you can use it as a normal promise"
  it("are promises that can be combined again", function()
    local inner = api:all({ three()[3], three()[3] }, { async = true })
    assert.equal("pending", luna.stateOf(inner))
    assert.same({ "three", "three" }, { table.unpack(api:first { inner }) })
  end)
end)

describe("seed: Async, timeouts", function()
  local world = require("luna.sandbox").world()
  local bot = world:run(function() end, { name = "seed" })
  local api = bot.api

  local function slow()
    luna.sleep(10)
    return "late"
  end

  -- $result = yield $MadelineProto->timeout($promise, 2)
  it("raise", function()
    local before = world:clock():now()
    local ok, err = pcall(api.timeout, api, slow, 2)
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.TimeoutException))
    local passed = world:clock():now() - before
    assert.is_true(passed >= 2 and passed < 3)
    assert.equal("late", api:timeout(slow, 20))
  end)

  -- $result = yield $MadelineProto->first([$promise, $MadelineProto->sleep(2)]);
  it("or give nil", function()
    assert.is_nil(api:first { slow, api:sleep(2, { async = true }) })
    assert.equal("late", api:first { slow, api:sleep(20, { async = true }) })
    assert.equal("instead", api:timeoutWithDefault(slow, 2, "instead"))
  end)
end)
