-- A record and what is made of it: the same script does the same, another one's differences are named.
local luna = require "luna"
local host = require "_luna.host"
local system = require "_luna.system"
local sandbox = require "luna.sandbox"
local Recorder = require "luna.record"

local folder = os.tmpname()
os.remove(folder)

local function write(name, text)
  local path = folder .. "/" .. name
  assert(host.writeFile(path, text))
  return path
end

-- A bot of a few lines: `body` is its handler of messages that are not its own.
local function bot(body, rest)
  return ([[
local luna = require "luna"
local Bot = luna.EventHandler:extend "Bot"
function Bot:onUpdateNewMessage(update)
  if update.message.out then return end
  local text = update.message.message
%s
end
%s
return Bot
]]):format(body, rest or "")
end

local ECHO = bot [[  self.messages.sendMessage{ peer = update, message = "echo: " .. text }]]

describe("a replay", function()
  local world = sandbox.world()
  local file
  setup(function() assert(host.mkdirs(folder)) end)
  teardown(function() os.execute("rm -rf " .. folder) end)
  before_each(function() file = os.tmpname() end)
  after_each(function()
    os.remove(file)
    os.remove(file .. ".1")
  end)

  -- Records what a script does in this world while act(bot, alice) goes on. how: { maskTexts = true, killed = true }
  local function record(source, act, how)
    how = how or {}
    local path = write("bot.lua", source)
    local recorder = Recorder.start { path = file, maskTexts = how.maskTexts }
    local alice = world:user "Alice"
    local running = world:run(path)
    act(running, alice)
    world:clock():advance(1)
    if not how.killed then running:stop() end
    recorder:close()
    if how.killed then running:stop() end
    running:takeErrors()
    return path
  end

  local function say(...)
    local texts = { ... }
    return function(running, alice)
      for _, text in ipairs(texts) do
        alice:send(running, text)
        world:clock():advance(1)
      end
    end
  end

  local function replay(source, opts)
    opts = opts or {}
    opts.check = false
    return sandbox.replay(file, write("bot.lua", source), opts)
  end

  it("asks again as it asked then, by routes, and gets the answers of then", function()
    local function source(words)
      return ([[
        local luna = require "luna"
        local Bot = luna.EventHandler:extend "Bot"
        Bot:use(function(_, _, next) next() end)
        Bot:command("order", function(_, message)
          local keyboard = { inline_keyboard = { { { text = "Tea", callback_data = "tea" } } } }
          local name = message:ask("Name?", { check = "^%%u", retry = "A name begins with a capital." })
          local drink = name:ask { message = "Drink?", reply_markup = keyboard }
          local lot = math.random(1000000)
          drink:answer "Noted"
          drink:send(("%s: %%s for %%s, %%d"):format(drink.data, name.message, lot))
        end)
        Bot:on("^thanks", function(_, message) message:reply "Welcome" end)
        return Bot
      ]]):format(words)
    end
    local path = record(source "Order", function(running, alice)
      alice:send(running, "/order")
      alice:expect(running, 5, "Name")
      alice:send(running, "bob")
      alice:send(running, "Bob")
      local question = alice:expect(running, 5, "Drink")
      world:clock():advance(1)
      alice:click(question, "Tea")
      world:clock():advance(1)
      alice:send(running, "thanks")
      alice:expect(running, 5, "Welcome")
    end)
    local result = sandbox.replay(file, path)
    assert.same({ true, 6, 6 }, { result.same, result.calls, result.matched })
    local changed = replay(source "Ordered")
    assert.equal(1, #changed.differences)
    assert.matches("recorded: messages.sendMessage{ message = \"Order: tea for Bob, %d+\"", changed.text)
    assert.matches("now:      messages.sendMessage{ message = \"Ordered: tea for Bob, %d+\"", changed.text)
  end)

  it("of the same script does the same", function()
    local path = record(ECHO, say("one", "two"))
    local result = sandbox.replay(file, path)
    assert.same({ true, 2, 2 }, { result.same, result.calls, result.matched })
    assert.matches("2 calls over %d+%.%d s: no difference, no error", result.text)
  end)

  it("of another one names what was called otherwise, and where", function()
    record(ECHO, say("one", "two"))
    local result = replay((ECHO:gsub('"echo: "', '"Echo: "')))
    assert.is_false(result.same)
    assert.equal(2, #result.differences)
    local first = result.differences[1]
    assert.same({ "changed", "messages.sendMessage", "echo: one", "Echo: one" },
      { first.kind, first.method, first.recorded.message, first.now.message })
    assert.matches("bot.lua:6$", first.where)
    assert.matches('update 1 %(updateNewMessage, "one"%):\n  recorded: messages.sendMessage{ message = "echo: one", … }\n'
      .. '  now:      messages.sendMessage{ message = "Echo: one", … } %(', result.text)
  end)

  it("fails a test where it differs, with the report", function()
    record(ECHO, say "one")
    local ok, err = pcall(sandbox.replay, file, write("bot.lua", bot ""))
    assert.is_false(ok)
    assert.matches("the replay differs:\n.*recorded: messages.sendMessage{.*now:      nothing", tostring(err))
  end)

  it("tells new calls and those that are gone from changed ones", function()
    record(bot [[
      self.messages.setTyping{ peer = update, action = { _ = "sendMessageTypingAction" } }
      self.messages.sendMessage{ peer = update, message = text }]], say "one")
    local result = replay(bot [[
      self.messages.sendMessage{ peer = update, message = "first" }
      self.messages.sendMessage{ peer = update, message = text }]])
    local kinds = {}
    for i, d in ipairs(result.differences) do kinds[i] = d.kind .. " " .. d.method end
    table.sort(kinds)
    assert.same({ "gone messages.setTyping", "new messages.sendMessage" }, kinds)
    assert.equal(1, result.matched)
  end)

  it("lets nothing in a record steer the terminal", function()
    record(ECHO, say "one")
    local text = host.readFile(file):gsub('"messages.sendMessage"', '"sly\\u001b[31m\\u009b32m"')
    assert(host.writeFile(file, text))
    local result = replay(ECHO)
    assert.matches("recorded: sly%[31m32m{", result.text)
  end)

  it("tells another order", function()
    local a = [[self.messages.sendMessage{ peer = update, message = "a" }]]
    local b = [[self.messages.sendMessage{ peer = update, message = "b" }]]
    record(bot(a .. "\n" .. b), say "go")
    local result = replay(bot(b .. "\n" .. a))
    assert.same({ 1, "order" }, { #result.differences, result.differences[1].kind })
  end)

  it("gives each call its answer of then, refusals and all, and what it teaches", function()
    local source = bot [[
      local ok, err = pcall(self.messages.editMessage, { peer = update, id = 999, message = "x" })
      local sent = self.messages.sendMessage{ peer = update, message = tostring(err.name) }
      local id = sent.updates[2].message.id
      local got = self.messages.getMessages{ id = { id } }.messages[1]
      self.messages.editMessage{ peer = update, id = id, message = got.message .. " " .. tostring(got.out) .. (got.reply and "!" or "") }]]
    local path = record(source, say "go")
    assert.equal(4, sandbox.replay(file, path).matched)
  end)

  it("keeps the time: of updates, of sleeps, of the clock, of answers", function()
    local source = bot [[
      luna.sleep(3600)
      self.messages.sendMessage{ peer = update, message = os.date("!%X", os.time() - update.message.date) .. text }]]
    local path = record(source, function(running, alice)
      alice:send(running, "a")
      world:clock():advance(1800)
      alice:send(running, "b")
      world:clock():advance(7200)
    end)
    local real = system.monotonic()
    local result = sandbox.replay(file, path)
    assert.is_true(system.monotonic() - real < 3600e6)
    assert.is_true(result.seconds > 9000)
    assert.same({ "01:00:00a", "01:00:00b" }, { (function()
      local list = {}
      for line in io.lines(file) do
        local text = line:match '"k":"call".*"message":"([^"]*)"'
        if text then list[#list + 1] = text end
      end
      return table.unpack(list)
    end)() })
  end)

  it("draws the same from math.random", function()
    local source = bot [[  self.messages.sendMessage{ peer = update, message = tostring(math.random(1 << 40)) }]]
    local path = record(source, say("roll", "roll", "roll"))
    assert.equal(3, sandbox.replay(file, path).matched)
  end)

  it("hands a bot its own messages as the answers bring them, once", function()
    local source = [[
local luna = require "luna"
local Bot = luna.EventHandler:extend "Bot"
function Bot:onUpdateNewMessage(update)
  local text = update.message.message
  if not update.message.out or #text < 4 then self.messages.sendMessage{ peer = update.message.peer_id, message = text .. "+" } end
end
return Bot
]]
    local path = record(source, say "a")
    local result = sandbox.replay(file, path)
    assert.equal(3, result.matched)
    assert.equal(3, result.calls)
  end)

  it("tells a handler that raises, and whether it did so then", function()
    local source = bot [[  if text == "bad" then error "on purpose" end]]
    record(source, say("good", "bad"))
    local result = replay(source)
    assert.same({ 1, true, false }, { #result.errors, result.errors[1].recorded, result.same })
    assert.matches('update 2 %(updateNewMessage, "bad"%): the handler of updateNewMessage failed: .*bot.lua:6: on purpose '
      .. "%(as in the record%)", result.text)
    local mended = replay(bot "")
    assert.is_true(mended.same)
    assert.matches("failed in the record, and does not now: .*on purpose", mended.text)
  end)

  it("answers what the record does not have as well as it can", function()
    record(ECHO, say "one")
    local result = replay(bot [[
      local sent = self.messages.sendMessage{ peer = update, message = "other" }
      local message = sent.updates[2].message
      assert(message.message == "other" and message.out)
      assert(self.messages.editMessage{ peer = update, id = message.id, message = "edited" }.updates[1].message.message == "edited")
      assert(self.messages.setTyping{ peer = update, action = { _ = "sendMessageTypingAction" } } == true)
      local ok, err = pcall(self.users.getFullUser, { id = update })
      assert(not ok and err.name == "NOT_RECORDED" and err.code == 400)]])
    assert.same({}, result.errors)
    local kinds = {}
    for i, d in ipairs(result.differences) do kinds[i] = d.kind .. " " .. d.method end
    assert.same({ "changed messages.sendMessage", "new messages.editMessage", "new messages.setTyping", "new users.getFullUser" }, kinds)
  end)

  it("ends at the first difference when it is strict", function()
    record(ECHO, say("one", "two", "three"))
    local result = replay((ECHO:gsub('"echo: "', '"Echo: "')), { strict = true })
    assert.same({ 1, 1 }, { #result.differences, result.calls })
  end)

  it("raises wrong parameters where the script stands, as then", function()
    local source = bot [[  self.messages.sendMessage{ peer = update, message = 5 }]]
    record(source, say "x")
    local result = replay(source)
    assert.equal(0, #result.differences)
    assert.matches("bot.lua:6: messages.sendMessage: .*message", result.errors[1].text)
    assert.is_true(result.errors[1].recorded)
  end)

  it("has the calls of onStart, of loops and of onStop", function()
    local source = bot("", [[
function Bot:onStart()
  self.users.getUsers{ id = { "me" } }
  luna.call(function()
    for i = 1, 3 do
      luna.sleep(2)
      self.users.getUsers{ id = { "me" } }
    end
  end)
end
function Bot:onStop() self.help.getConfig{} end]])
    local path = record(source, function() world:clock():advance(10) end)
    local result = sandbox.replay(file, path)
    assert.equal(5, result.matched)
  end)

  it("loads the script anew where the record did", function()
    local source = bot("", [[
function Bot:onStart(why) self.users.getUsers{ id = { "me" } } self.state.starts = (self.state.starts or "") .. why end
function Bot:onStop() if self.state.starts ~= "start" then self.help.getConfig{} end end]])
    local path = record(source, function(running)
      world:clock():advance(1)
      running:reload()
      world:clock():advance(1)
    end)
    assert.equal(3, sandbox.replay(file, path).matched)
  end)

  it("begins with what was kept of the state", function()
    local source = bot([[
      self.state.n = (self.state.n or 0) + 1
      self.messages.sendMessage{ peer = update, message = text .. self.state.n }]], "Bot.persist = { 'n' }")
    record(source, say "a")
    assert.is_true(replay(source).same)
    local text = host.readFile(file):gsub('\n({[^\n]*"k":"up")', '\n{"t":0,"b":1,"k":"state","fields":{"n":"i7;"}}\n%1')
    assert(host.writeFile(file, text))
    assert.equal("a8", replay(source).differences[1].now.message)
  end)

  it("knows the names that were known then", function()
    local bob = world:user("Bob", { username = "bobby_r" })
    local source = bot [[  if text == "tell" then self.messages.sendMessage{ peer = "@bobby_r", message = "psst" } end]]
    record(source, function(running, alice)
      bob:send(running, "hello")
      world:clock():advance(1)
      alice:send(running, "tell")
      bob:expect(running)
    end)
    local result = replay(source)
    assert.same({ true, 1 }, { result.same, result.matched })
  end)

  it("waits out a flood, and the limit of a call that nobody answered", function()
    local source = bot [[
      local ok = pcall(self.messages.sendMessage, { peer = update, message = text }, { timeout = 5 })
      self.messages.sendMessage{ peer = update, message = tostring(ok) }]]
    local path = record(source, function(running, alice)
      world:fault { flood = 3 }
      alice:send(running, "x")
      world:clock():advance(20)
    end)
    assert.is_true(sandbox.replay(file, path).same)
    local text = host.readFile(file)
    assert(host.writeFile(file, (text:gsub('\n{[^\n]*"k":"answer","n":2[^\n]*', ""):gsub('\n{[^\n]*"own":2[^\n]*', ""))))
    assert.equal("false", sandbox.replay(file, path, { check = false }).differences[1].now.message)
  end)

  it("compares masked with masked", function()
    local path = record(ECHO, say("hello there", "/start now"), { maskTexts = true })
    assert.is_true(sandbox.replay(file, path).same)
    assert.is_nil(host.readFile(file):find("hello", 1, true))
  end)

  it("of a record that was cut off plays what there is", function()
    local path = record(ECHO, say("one", "two"), { killed = true })
    assert.is_true(sandbox.replay(file, path).same)
    local text = host.readFile(file)
    assert(host.writeFile(file, text:sub(1, -40)))
    assert.same({}, sandbox.replay(file, path, { check = false }).errors)
  end)

  it("plays several bots of one record side by side, or one of them", function()
    local one, two = write("one.lua", ECHO), write("two.lua", bot [[self.messages.sendMessage{ peer = update, message = "two: " .. text }]])
    local recorder = Recorder.start { path = file }
    local alice = world:user "Alice"
    local first, second = world:run(one), world:run(two)
    for _, b in ipairs { first, second, first } do
      alice:send(b, "x")
      world:clock():advance(1)
    end
    first:stop()
    second:stop()
    recorder:close()
    assert.equal(3, sandbox.replay(file, { one, two }).matched)
    assert.equal(2, sandbox.replay(file, one).matched)
    local ok, err = pcall(sandbox.replay, file, write("three.lua", ECHO))
    assert.is_false(ok)
    assert.matches("there is no bot three in it; there are one, two", tostring(err))
  end)

  it("plays a script that makes its own API object", function()
    local source = [[
local luna = require "luna"
local api = luna.API(nil, { name = "plain" })
api:start()
local me = api.users.getUsers{ id = { "me" } }[1]
api.messages.sendMessage{ peer = "me", message = "I am " .. me.first_name }
]]
    write("plain.lua", source)
    assert(host.writeFile(file, table.concat({
      '{"luna":"record","version":1,"layer":230,"program":"x","wall":1795583163,"seed":5,"masked":false,"continued":false}',
      '{"t":0,"b":1,"k":"bot","name":"plain","order":"chat","floodTimeout":60}',
      '{"t":0.5,"b":1,"k":"up","me":{"id":77,"bot":true,"first_name":"Plain"}}',
      '{"t":0.5,"b":1,"k":"call","n":1,"from":0,"m":"users.getUsers","p":{"id":[{"_":"inputUserSelf"}]}}',
      '{"t":0.6,"b":1,"k":"answer","n":1,"r":[{"_":"user","id":77,"bot":true,"self":true,"first_name":"Plain","access_hash":5}]}',
      '{"t":0.6,"b":1,"k":"call","n":2,"from":0,"m":"messages.sendMessage","p":{"peer":{"_":"inputPeerSelf"},"message":"I am Plain"}}',
      '{"t":0.7,"b":1,"k":"refused","n":2,"e":[400,"CHAT_WRITE_FORBIDDEN"]}',
    }, "\n") .. "\n"))
    local ok, err = pcall(sandbox.replay, file, folder .. "/plain.lua")
    assert.is_false(ok)
    assert.matches("CHAT_WRITE_FORBIDDEN", tostring(err))
  end)

  -- A record of these lines, after those of the client.
  local function handmade(...)
    assert(host.writeFile(file, table.concat({
      '{"luna":"record","version":1,"layer":230,"program":"x","wall":1795583163,"seed":5,"masked":false,"continued":false}',
      '{"t":0,"b":1,"k":"bot","name":"bot","order":"chat","floodTimeout":60}',
      '{"t":0.5,"b":1,"k":"up","me":{"id":77,"bot":true,"first_name":"Bot"}}', ...
    }, "\n") .. "\n"))
  end

  it("gives false where it was false", function()
    handmade('{"t":0.6,"b":1,"k":"update","n":1,"u":{"_":"updateBotStopped","user_id":5,"date":9,"stopped":false,"qts":1}}',
      '{"t":0.7,"b":1,"k":"call","n":1,"from":1,"m":"bots.resetBotCommands","p":{"scope":{"_":"botCommandScopeDefault"},"lang_code":"x"}}',
      '{"t":0.8,"b":1,"k":"answer","n":1,"r":false}')
    local result = replay [[
      local luna = require "luna"
      local Bot = luna.EventHandler:extend "Bot"
      function Bot:onUpdateBotStopped(update)
        local done = self.bots.resetBotCommands{ scope = { _ = "botCommandScopeDefault" }, lang_code = "x" }
        if done ~= false or update.stopped ~= false then error(("%s, %s"):format(done, update.stopped)) end
      end
      return Bot
    ]]
    assert.is_true(result.same, result.text)
  end)

  it("tells what does not fit the schema, and leaves it out", function()
    handmade('{"t":0.6,"b":1,"k":"update","n":1,"u":{"_":"updateNewMessage","message":{"_":"message","id":"x"},"pts":1,"pts_count":1}}',
      '{"t":0.6,"b":1,"k":"update","n":2,"u":{"_":"updateOfAnotherLayer"}}')
    local result = replay(ECHO)
    assert.is_false(result.same)
    assert.matches('update 1 %(updateNewMessage%): it was left out: [^\n]*"update%.message%.id": expected int, got string "x"', result.text)
    assert.matches("update 2 %(updateOfAnotherLayer%): it was left out: ", result.text)
    for line, why in pairs {
      ['{"t":0.6,"b":1,"k":"update","n":1,"u":{"_":"bytes","bytes":"AAAA"}}'] = "line 4: an update without its kind",
      ['{"t":0.6,"b":1,"k":"update","n":1.5,"u":{"_":"updatePtsChanged"}}'] = 'line 4: "update" without its "n"',
      ['{"t":0.6,"b":1,"k":"call","n":1,"from":0,"m":"help.getConfig","p":{"_":"bytes","bytes":"AAAA"}}'] =
        'line 4: "call" without its "p"',
    } do
      handmade(line, '{"t":0.7,"b":1,"k":"stop"}')
      local ok, err = pcall(replay, ECHO)
      assert.is_false(ok)
      assert.matches(why, tostring(err), 1, true)
    end
  end)

  it("lets nothing out: HTTP is refused", function()
    local source = bot [[
      local ok, err = pcall(luna.http.get, "http://127.0.0.1:9/")
      self.messages.sendMessage{ peer = update, message = tostring(err.name) }]]
    record(source, say "x")
    local result = replay(source)
    assert.equal("OFFLINE", result.differences[1].now.message)
  end)

  it("leaves time and clients as they were", function()
    local path = record(ECHO, say "one")
    local before = world:clock():now()
    sandbox.replay(file, path)
    assert.is_nil(require("luna.api").onNew)
    assert.near(before, world:clock():now(), 0.001)
    local alice, again = world:user "Alice", world:run(path)
    alice:send(again, "after")
    assert.equal("echo: after", alice:expect(again).message)
  end)

  local function refused(text, pattern)
    assert(host.writeFile(file, text))
    local ok, err = pcall(sandbox.replay, file, write("bot.lua", ECHO))
    assert.is_false(ok)
    assert.matches(pattern, tostring(err))
    assert.equal(2, err.status)
  end

  it("says what is wrong with a record", function()
    local head = '{"luna":"record","version":1,"layer":230,"wall":1795583163,"seed":5}\n'
    refused("", "it is empty")
    refused("dear diary\n", "it is no record of luna run")
    refused('{"a":1}\n', "it is no record of luna run")
    refused(head:gsub('version":1', 'version":9'), "a record of version 9, this program reads 1")
    refused(head .. "[\n" .. head, "line 2: it is no JSON")
    refused(head .. '{"t":1,"b":1,"k":"call","n":1}\n{}\n', 'line 2: "call" without its "')
    refused(head .. '{"t":1,"b":1,"k":"update","n":1,"own":3,"i":1}\n{}\n', "line 2: an update without its kind")
    refused(head, "there is no bot")
    refused(head .. '{"t":0,"b":1,"k":"bot","name":"bot"}\n', "had not logged in when the record ended")
  end)
end)

describe("what a replay is made of", function()
  local Tape = require "luna.replay.tape"

  it("reads bytes back", function()
    local json = require "luna.json"
    for n = 0, 9 do
      local bytes = ("\255\0\1\254\7\200\3\4\5"):sub(1, n)
      assert.same({ bytes }, Tape.value(json.decode(json.encode { bytes })))
    end
    assert.equal(("\0"):rep(5), Tape.value { _ = "luna.cut", n = 5 })
    assert.equal("", Tape.value { _ = "luna.cut", n = -5 })
  end)

  it("passes over what differs from run to run", function()
    local a = Tape.canonical { peer = { access_hash = 1, user_id = 5.0 }, random_id = 4 }
    assert.equal(a, Tape.canonical { peer = { access_hash = 2, user_id = 5 } })
    assert.are_not.equal(a, Tape.canonical { peer = { user_id = 6 } })
    luna.stateOf(luna.Success()) -- the library is loaded: nothing of it is a table that holds itself
    local loop = {}
    loop.loop = loop
    assert.equal("string", type(Tape.canonical(loop)))
  end)
end)
