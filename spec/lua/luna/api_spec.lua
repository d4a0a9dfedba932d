local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local miniServer = dofile(folder .. "/spec/support/mini_server.lua")
local luna = require "luna"
local task = require "_luna.task"

local TOKEN = "7:abcdefghijk"
local made = {}

local function api(server, more, session)
  local own = { sandbox = server.wire, botToken = TOKEN }
  for k, v in pairs(more or {}) do own[k] = v end
  if own.botToken == false then own.botToken = nil end
  local object = luna.API(session, own)
  made[#made + 1] = object
  return object
end

local function waitFor(what, fn)
  for _ = 1, 400 do
    if fn() then return end
    task.sleep(0.005)
  end
  error("it never came to this: " .. what, 2)
end

local function sessionPath()
  local path = os.tmpname()
  os.remove(path)
  return path
end
local function removeSession(path)
  for _, suffix in ipairs { "", "-wal", "-shm", ".lock", "-lock" } do os.remove(path .. suffix) end
end

describe("luna.API", function()
  after_each(function()
    for _, object in ipairs(made) do object:stop() end
    made = {}
  end)

  it("logs in with the first call, once", function()
    local server = miniServer()
    local object = api(server)
    local a = object.help.getNearestDc({}, { async = true })
    local b = object.help.getNearestDc({}, { async = true })
    assert.equal("DE", luna.await(a).country)
    assert.equal("DE", luna.await(b).country)
    assert.equal(1, server.count["auth.importBotAuthorization"])
    assert.equal("auth.importBotAuthorization", server.seen[1])
  end)

  it("logs in once, though who began it does not wait for it", function()
    local server = miniServer()
    local object = api(server)
    for _ = 1, 3 do
      local p = object.help.getNearestDc({}, { async = true })
      assert.equal("pending", luna.stateOf(p))
      luna.cancel(p)
      assert.is_true(luna.is(select(2, pcall(luna.await, p)), luna.CancelledException))
    end
    assert.is_true(luna.is(select(2, pcall(object.start, object, { timeout = 0 })), luna.TimeoutException))
    assert.equal("DE", object.help.getNearestDc {}.country)
    assert.equal(1, server.count["auth.importBotAuthorization"])
    assert.equal("up", object._core.state)
  end)

  it("tries anew after it has failed, whoever waited", function()
    local refuse = true
    local server = miniServer { ["auth.importBotAuthorization"] = function(self)
      if refuse then return nil, 400, "ACCESS_TOKEN_INVALID" end
      return { _ = "auth.authorization", user = self.bot }
    end }
    local object = api(server)
    luna.cancel((object.help.getNearestDc({}, { async = true })))
    for _ = 1, 2 do
      local ok, err = pcall(object.start, object)
      assert.is_false(ok)
      assert.matches("token", tostring(err))
    end
    assert.equal("new", object._core.state)
    refuse = false
    assert.equal("DE", object.help.getNearestDc {}.country)
  end)

  it("does not log in for a call that is wrong, or that cannot wait", function()
    local server = miniServer()
    local object = api(server)
    for _, opts in ipairs { {}, { async = true }, { cancellation = luna.CancellationTokenSource():getToken() } } do
      local ok, err = pcall(function()
        local r = object.messages.sendMessage({ peer = "@alice", mesage = "x" }, opts)
        return r
      end)
      assert.is_false(ok)
      assert.matches('api_spec.lua:%d+: messages.sendMessage: it has no parameter "mesage"; did you mean "message"', err)
    end
    for name, call in pairs {
      call = function() object.help.getNearestDc {} end, start = function() object:start() end, loop = function() object:loop() end,
      getSelf = function() object:getSelf() end,
    } do
      local ok, err = pcall(string.gsub, "x", "x", call)
      assert.is_false(ok)
      assert.matches("api_spec.lua:%d+: cannot wait inside string.gsub", err, nil, nil, name)
    end
    task.sleep(0)
    assert.equal("new", object._core.state)
    assert.equal(0, #server.seen)
  end)

  it("tells the server which answers nobody waits for any more", function()
    local server = miniServer { ["help.getConfig"] = function() end } -- never answers
    local object = api(server):start()
    local function asked(n) waitFor("the requests", function() return server.count["help.getConfig"] == n end) end
    local source = luna.CancellationTokenSource()
    local opts = { async = true, cancellation = source:getToken() }
    local list = { object.help.getConfig({}, opts), object.help.getConfig({ multiple = true, {}, {} }, opts) }
    asked(3)
    source:cancel "enough"
    for _, p in ipairs(list) do
      local ok, err = pcall(luna.await, p)
      assert.same({ false, "enough" }, { ok, err.reason })
    end
    waitFor("three dropped", function() return server.dropped == 3 end)
    local p = object.help.getConfig({}, { async = true })
    asked(4)
    assert.is_true(luna.cancel(p))
    local late = object:all({ function() return object.help.getConfig {} end }, { async = true, timeout = 0.05 })
    asked(5)
    assert.is_true(luna.is(select(2, pcall(luna.await, late)), luna.TimeoutException))
    waitFor("five dropped", function() return server.dropped == 5 end)
    local ok, err = pcall(object.help.getConfig, {}, { timeout = 0.05 })
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.TimeoutException))
    waitFor("six dropped", function() return server.dropped == 6 end)
    luna.cancel(object.help.getConfig({}, { async = true })) -- it has not left
    assert.equal("DE", object.help.getNearestDc {}.country)
    assert.same({ 6, 6 }, { server.count["help.getConfig"], server.dropped })
  end)

  it("a saved session needs no log-in, and keeps peers and state", function()
    local server, path = miniServer(), sessionPath()
    local object = api(server, nil, path)
    object:setCallback(function() end)
    object:start()
    server:push "hello"
    waitFor("the update's state", function() return object._core.updates.common.pts == 101 end)
    object:stop()

    object = api(server, { botToken = false }, path)
    object.messages.sendMessage { peer = "@alice", message = "again" } -- the server is not asked who that is
    assert.equal(1, server.count["auth.importBotAuthorization"])
    assert.equal(5050, server.sent[1].peer.access_hash)
    assert.equal(101, object._core.account:state().pts)
    object:stop()
    removeSession(path)
  end)

  it("says what a refused token, a missing one and a missing app id need", function()
    local server = miniServer { ["auth.importBotAuthorization"] = function() return nil, 400, "ACCESS_TOKEN_INVALID" end }
    local ok, err = pcall(function() api(server):start() end)
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.LoginException))
    assert.matches("@BotFather", err.message)
    assert.equal(1, err.status)
    ok, err = pcall(function() api(server, { botToken = false }):start() end)
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.SettingsException))
    assert.matches("LUNA_BOT_TOKEN", err.message)
    assert.equal(2, err.status)
    ok, err = pcall(function() luna.API(nil, { botToken = TOKEN, dc = { [2] = "192.0.2.1:443" } }):start() end)
    assert.is_false(ok)
    assert.matches("LUNA_API_ID", err.message)
    assert.equal(2, err.status)
  end)

  it("says where nothing listens", function()
    local object = luna.API(nil, { botToken = TOKEN, app = { id = 1, hash = "x" }, dc = { [2] = "127.0.0.1:9" },
      connection = { timeout = 0.2 } })
    made[#made + 1] = object
    local ok, err = pcall(object.start, object)
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.ConnectionException))
    assert.matches("no connection to DC 2 %(127.0.0.1:9%) within 0.2 s", tostring(err))
    assert.equal(1, err.status)
  end)

  it("refuses a key that it does not pin", function()
    local server = miniServer()
    local object = api(server, { dcKeys = { require("_luna.tl").keys "production" } })
    local ok, err = pcall(object.start, object)
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.ConnectionException))
    assert.equal(1, err.status)
    assert.is_nil(server.seen[1])
  end)

  it("runs a handler: update in, answer out", function()
    local server = miniServer()
    local Echo = luna.EventHandler:extend "Echo"
    local started
    function Echo:onStart(reason) started = { reason, self.API } end
    function Echo:onUpdateNewMessage(update)
      local message = update.message
      if message.out then return end
      self.messages.sendMessage { peer = update, message = message.message }
      message:reply "and a reply"
    end
    local object = api(server)
    local instance = object:run(Echo)
    assert.same({ "start", object }, started)
    assert.equal("Echo", tostring(instance))
    server:push "hello"
    waitFor("two answers", function() return #server.sent == 2 end)
    assert.equal("hello", server.sent[1].message)
    assert.equal(5050, server.sent[1].peer.access_hash)
    assert.equal(1, server.sent[2].reply_to.reply_to_msg_id)
    waitFor("idle", function() return object:isIdle() end)
    assert.equal(0, #object._core.account:inbox())
  end)

  it("hands over again what a dead process had not done, and sends nothing twice", function()
    local server, path = miniServer(), sessionPath()
    local first = api(server, nil, path)
    local hold = luna.Deferred()
    local handler = function(update, object)
      if update.message.out then return end
      object.messages.sendMessage { peer = update, message = "answer" }
      return true
    end
    first:run(function(update)
      if handler(update, first) then luna.await(hold:promise()) end
    end)
    server:push "hello"
    waitFor("the answer", function() return #server.sent == 1 end)
    waitFor("the journal", function() return #first._core.account:inbox() == 1 end)
    -- The process dies here: what it had sent is on the server, the update is not done.
    first._core.dispatch.entries = {}
    first:stop()

    server.answers["messages.sendMessage"] = function(_, p)
      server.sent[#server.sent + 1] = p
      return nil, 500, "RANDOM_ID_DUPLICATE"
    end
    local second = api(server, nil, path)
    local again
    second:run(function(update)
      again = update.redelivered
      handler(update, second)
    end)
    waitFor("the second answer", function() return #server.sent == 2 end)
    assert.is_true(again)
    assert.equal(server.sent[1].random_id, server.sent[2].random_id)
    waitFor("done", function() return #second._core.account:inbox() == 0 end)
    second:stop()
    hold:resolve()
    removeSession(path)
  end)

  it("a bot that was logged out logs in again by its token", function()
    local server = miniServer()
    local object = api(server)
    object:start()
    local out = true
    server.answers["help.getNearestDc"] = function()
      if out then return nil, 401, "AUTH_KEY_UNREGISTERED" end
      return { _ = "nearestDc", country = "FR", this_dc = 2, nearest_dc = 2 }
    end
    server.answers["auth.importBotAuthorization"] = function()
      out = false
      return { _ = "auth.authorization", user = server.bot }
    end
    local ok, err = pcall(object.help.getNearestDc)
    assert.is_false(ok)
    assert.equal(401, err.code)
    waitFor("the log-in", function() return not out end)
    assert.equal("FR", object.help.getNearestDc().country)
  end)

  it("loop gives what its function gives, and raises what a fork raises", function()
    local object = api(miniServer())
    assert.equal(5, object:loop(function() return 5 end))
    assert.equal(6, object:loop(luna.Success(6)))
    local ok, err = pcall(object.loop, object, function()
      object:callFork(function()
        luna.sleep(0)
        error(luna.Exception "forked")
      end)
      luna.sleep(10)
    end)
    assert.is_false(ok)
    assert.equal("forked", err.message)
    assert.error_matches(function() object:loop(5) end, "wants a function or a promise")
    task.defer(function() object:stop() end)
    object:loop() -- ends with the object
  end)

  it("async mode makes promises of everything that waits", function()
    local object = api(miniServer())
    object:async(true)
    local p = object.help.getNearestDc {}
    assert.equal("pending", luna.stateOf(p))
    assert.equal("DE", luna.await(p).country)
    local sleeping = object:sleep(0)
    assert.equal("pending", luna.stateOf(sleeping))
    assert.is_nil(luna.await(sleeping))
    assert.same({ 1, 2 }, { table.unpack(luna.await(object:all { luna.Success(1), luna.Success(2) })) })
    assert.equal(50, luna.await(object:getInfo(50).bot_api_id))
    assert.equal("DE", object.help.getNearestDc({}, { async = false }).country)
    object:async(false)
    assert.equal("user", object:getInfo "@alice".type)
    assert.equal("Alice", object:getPwrChat(50).first_name)
  end)

  it("keeps names of the API from being overwritten on a handler", function()
    local object = api(miniServer())
    local Handler = luna.EventHandler:extend "Handler"
    function Handler:sm(text) return self.messages and text end
    local instance = object:setEventHandler(Handler)
    assert.equal("x", instance:sm "x")
    assert.equal(instance.messages, instance.messages)
    for _, name in ipairs { "messages", "users", "sleep", "setCallback" } do
      assert.error_matches(function() instance[name] = {} end, "is a name of the API")
    end
    instance.mine = 5
    assert.equal(5, instance.mine)
    assert.is_nil(instance.unknownField)
    assert.error_matches(function() object.mesages.sendMessage {} end, 'did you mean "messages"')
    assert.error_matches(function() object.sleep(3) end, "with a colon: api:sleep")
  end)

  it("refuses a handler with a method for no update", function()
    local object = api(miniServer())
    local Handler = luna.EventHandler:extend "Handler"
    function Handler.onUpdateNewMesage() end
    assert.error_matches(function() object:setEventHandler(Handler) end, 'did you mean "onUpdateNewMessage"')
    assert.error_matches(function() object:setEventHandler {} end, "a class made by luna.EventHandler:extend")
  end)

  it("messages have methods", function()
    local server = miniServer()
    local calls = {}
    local function note(name, result)
      server.answers[name] = function(_, p)
        calls[#calls + 1] = p
        return result
      end
    end
    local nothing = { _ = "updates", updates = {}, users = {}, chats = {}, date = 1, seq = 0 }
    note("messages.editMessage", nothing)
    note("messages.forwardMessages", nothing)
    note("messages.deleteMessages", { _ = "messages.affectedMessages", pts = 101, pts_count = 0 })
    local object = api(server)
    local got = luna.Deferred()
    object:run(function(update)
      local message = update.message
      local chat, sender = message:getChat(), message:getSender()
      message:edit { message = "<b>new</b>", parse_mode = "HTML" }
      message:forward "me"
      message:delete()
      local wrong = {}
      for i, fn in ipairs {
        function() message:reply(5) end, function() message:edit(message) end, function() message.reply "x" end,
        function() message.send { message = "x" } end, function() message:reply("x", { parse_mode = "HTML" }) end,
        function() message:reply("x", { tiemout = 1 }) end, function() message:delete(5) end,
      } do
        wrong[i] = select(2, pcall(fn))
      end
      local promise = message:reply("later", { async = true })
      got:resolve { chat, sender, wrong, luna.stateOf(promise), luna.await(promise)._ }
    end)
    server:push "hello"
    local r = luna.await(got:promise())
    assert.equal("Alice", r[1].first_name)
    assert.equal(50, r[2].id)
    for i, words in ipairs {
      "message:reply: a text or a table of parameters is wanted, not a number",
      "message:edit: a text or a table of parameters is wanted, not a message", "message:reply is called with a colon, not with a dot",
      "message:send is called with a colon, not with a dot",
      '"parse_mode" is a parameter of messages.sendMessage, not an option: it stands in the first table',
      'unknown option "tiemout"; did you mean "timeout"?', "the options are a table, not a number",
    } do
      assert.equal(words, r[3][i]:match "api_spec.lua:%d+: (.*)$")
    end
    assert.same({ "pending", "updates" }, { r[4], r[5] })
    assert.equal("new", calls[1].message)
    assert.equal(1, calls[1].id)
    assert.equal("inputPeerSelf", calls[2].to_peer._)
    assert.same({ 1 }, calls[3].id)
    assert.is_true(calls[3].revoke)
  end)

  it("moves to the DC where the account lives, and remembers it", function()
    local path = sessionPath()
    local dcs = {}
    local server = miniServer()
    server.answers["auth.importBotAuthorization"] = function(_, _, session)
      dcs[#dcs + 1] = session.dc
      if session.dc ~= 4 then return nil, 303, "USER_MIGRATE_4" end
      return { _ = "auth.authorization", user = server.bot }
    end
    server.answers["help.getConfig"] = function() return nil, 400, "NO" end
    server.answers["help.getNearestDc"] = function(_, _, session)
      return { _ = "nearestDc", country = "DC" .. session.dc, this_dc = session.dc, nearest_dc = 2 }
    end
    local object = api(server, nil, path)
    assert.equal("DC4", object.help.getNearestDc().country)
    assert.same({ 2, 4 }, dcs)
    object:stop()
    object = api(server, nil, path)
    assert.equal("DC4", object.help.getNearestDc().country)
    assert.same({ 2, 4 }, dcs)
    object:stop()
    removeSession(path)
  end)

  it("carries its authorisation to another DC, once", function()
    local server = miniServer()
    server.answers["auth.exportAuthorization"] = function(_, p, session)
      assert.equal(2, session.dc)
      return { _ = "auth.exportedAuthorization", id = 9, bytes = "for DC " .. p.dc_id }
    end
    local imported
    server.answers["auth.importAuthorization"] = function(_, p, session)
      imported = { session.dc, p.id, p.bytes }
      return { _ = "auth.authorization", user = server.bot }
    end
    server.answers["help.getNearestDc"] = function(_, _, session)
      return { _ = "nearestDc", country = "DC" .. session.dc, this_dc = session.dc, nearest_dc = 2 }
    end
    local object = api(server)
    for _ = 1, 2 do assert.equal("DC4", object.help.getNearestDc({}, { dc = 4 }).country) end
    assert.same({ 4, 9, "for DC 4" }, imported)
    assert.equal(1, server.count["auth.exportAuthorization"])
    assert.equal("DC2", object.help.getNearestDc().country)
  end)

  it("lets the server order the calls of a queue", function()
    local server = miniServer()
    local object = api(server)
    object:start()
    local first = object.messages.sendMessage({ peer = 50, message = "1" }, { queue = "q", async = true })
    local second = object.messages.sendMessage({ peer = 50, message = "2" }, { queue = "q", async = true })
    local other = object.messages.sendMessage({ peer = 50, message = "3" }, { async = true })
    luna.await { first, second, other }
    assert.same({ ["1"] = 0, ["2"] = 1, ["3"] = 0 }, server.after)
  end)

  it("gives up after its time", function()
    local server = miniServer { ["help.getNearestDc"] = function() return nil end } -- never answers
    local object = api(server)
    local ok, err = pcall(object.help.getNearestDc, {}, { timeout = 0.05 })
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.TimeoutException))
    assert.equal(0, object._core.conn:inFlight())
  end)

  it("polls in the old way", function()
    local server = miniServer()
    local object = api(server)
    assert.same({}, object:getUpdates())
    server:push "one"
    server:push "two"
    local list = object:getUpdates { timeout = 5 }
    waitFor("both", function()
      list = object:getUpdates()
      return #list == 2
    end)
    assert.equal("one", list[1].update.message.message)
    assert.same({}, object:getUpdates { offset = list[2].update_id + 1 })
    assert.error_matches(function() object:getUpdates(3) end, "a table of parameters")
    assert.error_matches(function() object:getUpdates { offset = "3" } end, '"offset" is a string')
    assert.error_matches(function() object:getUpdates { ofset = 3 } end, 'did you mean "offset"')
  end)

  it("takes no path that a system call would cut", function()
    assert.error_matches(function() luna.API("a\0b", { botToken = TOKEN }) end, "zero byte")
    assert.error_matches(function() luna.flock("a\0b", luna.LOCK_EX) end, "zero byte")
  end)

  it("does not wait for updates that cannot come any more", function()
    local object = api(miniServer())
    object:start()
    object:stop()
    object:stop()
    local ok, err = luna.timeoutWithDefault(function() return pcall(object.loop, object) end, 2, "it waits")
    assert.is_false(ok)
    assert.matches("has been stopped", tostring(err))
    assert.equal(5, object:loop(function() return 5 end))
  end)

  it("lets no name of the API be set, used before or not", function()
    local object = luna.API(nil, { botToken = TOKEN })
    assert.is_table(object.messages)
    assert.is_function(object.sleep)
    for _, name in ipairs { "messages", "users", "sleep", "echo", "start", "getInfo" } do
      local ok, err = pcall(function() object[name] = {} end)
      assert.is_false(ok)
      assert.matches(('api_spec.lua:%%d+: "%s" is a name of the API'):format(name), err)
    end
    object.mine = 5
    assert.equal(5, object.mine)
    assert.is_function(object.messages.sendMessage)
    local ok, err = pcall(function() return object.mesages end)
    assert.is_false(ok)
    assert.matches('api_spec.lua:%d+: .*did you mean "messages"', err)
  end)
end)
