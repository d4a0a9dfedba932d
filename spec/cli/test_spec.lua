-- luna test: handlers that fail; snapshots of conversations and what it says about them; which handlers never ran.
local cli = dofile "spec/cli/support.lua"
local host = require "_luna.host"

local spec = [[
describe("echo", function()
  local world = require("luna.sandbox").world()
  local bot = world:run(function(update)
    if update._ == "updateNewMessage" and not update.message.out then update.message:reply("you said: " .. update.message.message) end
  end, { name = "echo" })
  local alice = world:user "Alice"
  it("answers", function()
    alice:send(bot, "@WORDS@")
    alice:expect(bot)
    world:snapshot "an answer"
  end)
  it("compares any text", function() world:snapshot("a text", "one\ntwo\n") end)
end)
]]

describe("luna test with snapshots", function()
  local folder
  local function write(words, name) cli.script(folder, (name or "echo") .. "_spec.lua", (spec:gsub("@WORDS@", words))) end
  local function read(name) return host.readFile(folder .. "/snapshots/echo/" .. name) end
  before_each(function()
    folder = cli.folder()
    write "hello"
  end)
  after_each(cli.clean)
  local ci, no = { CI = "true" }, { CI = "" }

  it("writes what is not there yet, but not in CI; compares, shows what differs, takes it over when told to", function()
    local r = cli.run { "test", ".", cd = folder, env = ci }
    assert.equal(1, r.status)
    assert.matches("echo_spec.lua:10: there is no snapshot ./snapshots/echo/an-answer.txt, and CI writes none", r.out, 1, true)
    assert.is_nil(read "an-answer.txt")
    r = cli.run { "test", ".", cd = folder, env = no }
    assert.equal(0, r.status)
    assert.matches("snapshot written: ./snapshots/echo/an-answer.txt\n", r.out, 1, true)
    assert.equal("Alice and echo_bot\n   1  Alice: hello\n   2  echo_bot (to 1): you said: hello\n", read "an-answer.txt")
    assert.equal("one\ntwo\n", read "a-text.txt")
    r = cli.run { "test", ".", cd = folder, env = ci }
    assert.equal("2 passed, 0 failed, 0 skipped\n", r.out)
    write "bye"
    r = cli.run { "test", ".", cd = folder, env = no }
    assert.equal(1, r.status)
    assert.matches("echo_spec.lua:10: the conversation is not that of ./snapshots/echo/an-answer.txt", r.out, 1, true)
    assert.matches("\n    %-    1  Alice: hello\n    %-    2  echo_bot %(to 1%): you said: hello\n    %+    1  Alice: bye\n", r.out)
    assert.matches("Alice: hello", (read "an-answer.txt"))
    r = cli.run { "test", ".", "--update-snapshots", cd = folder, env = ci }
    assert.equal("snapshot changed: ./snapshots/echo/an-answer.txt\n2 passed, 0 failed, 0 skipped\n", r.out)
    assert.matches("Alice: bye", (read "an-answer.txt"))
  end)

  it("names those that no test asks for, and takes them away when told to", function()
    cli.run { "test", ".", cd = folder, env = no }
    cli.script(folder .. "/snapshots/echo", "old.txt", "x")
    assert(host.mkdirs(folder .. "/snapshots/gone"))
    cli.script(folder .. "/snapshots/gone", "other.txt", "x")
    local r = cli.run { "test", ".", "--filter", "answers", cd = folder }
    assert.is_nil(r.out:find("without a test", 1, true)) -- not all have run
    r = cli.run { "test", ".", cd = folder }
    assert.equal(0, r.status)
    assert.matches("snapshot without a test: ./snapshots/echo/old.txt (--update-snapshots removes it)\n"
      .. "snapshot without a test: ./snapshots/gone/other.txt", r.out, 1, true)
    r = cli.run { "test", ".", "--update-snapshots", cd = folder }
    assert.matches("snapshot removed: ./snapshots/echo/old.txt", r.out, 1, true)
    r = cli.run { "test", ".", cd = folder }
    assert.equal("2 passed, 0 failed, 0 skipped\n", r.out)
    assert.truthy(read "an-answer.txt")
  end)

  it("refuses one name for two texts, and what is no name", function()
    cli.script(folder, "two_spec.lua", [[
      local world = require("luna.sandbox").world()
      it("two", function()
        world:snapshot("same", "a")
        world:snapshot("same", "b")
      end)
      it("none", function() world:snapshot("../..", "b") end)
      it("no text", function() world:snapshot("x", 5) end)
    ]])
    local r = cli.run { "test", "two_spec.lua", "--update-snapshots", cd = folder }
    assert.matches('two_spec.lua:4: two snapshots of this spec are called "same", and they differ', r.out, 1, true)
    assert.matches('two_spec.lua:6: "../.." is no name for a snapshot', r.out, 1, true)
    assert.matches("two_spec.lua:7: a snapshot is a text, not a number", r.out, 1, true)
  end)
end)

describe("luna test with coverage", function()
  local bot = [[
local luna = require "luna"
local Shop = luna.EventHandler:extend "Shop"
Shop:command("start", function(self, message)
  message:send { message = "What?", reply_markup = { inline_keyboard = { {
    { text = "Tea", callback_data = "buy:tea" }, { text = "Help", callback_data = "help" } } } } }
end)
Shop:on("^never", function() end)
Shop:on({ callback = "^buy:(%a+)$" }, function(self, query, args) query:answer(args[1]) end)
function Shop:onUpdateNewMessage(update) if update.message.message == "fail" then error "on purpose" end end
function Shop:onUpdateEditMessage() end
function Shop:onStart() end
function Shop:onError() end
return Shop
]]
  local test = [[
describe("shop", function()
  local world = require("luna.sandbox").world()
  local bot = world:run "shop.lua"
  world:run(function() end, { name = "of the spec alone" })
  local alice = world:user "Alice"
  it("sells", function()
    alice:start(bot)
    local menu = alice:expect(bot)
    alice:click(menu, "Tea")
    alice:click(menu, "Tea")
    alice:send(bot, "hello")
    alice:send(bot, "fail")
    world:clock():advance(1)
    bot:takeErrors()
  end)
  it("fails", function() error "x" end)
end)
]]
  after_each(cli.clean)

  it("says how often each handler, route and button has run, and which never; the status stays", function()
    local folder = cli.folder()
    cli.script(folder, "shop.lua", bot)
    cli.script(folder, "shop_spec.lua", test)
    local r = cli.run { "test", ".", "--coverage", "--coverage-json", "c.json", cd = folder }
    assert.equal(1, r.status)
    assert.equal([[
shop.lua: 5 of 7 handlers have run
       3  Shop:onUpdateNewMessage (line 9)
       -  Shop:onUpdateEditMessage (line 10): never run
       1  Shop:onStart (line 11)
       1  Shop:onError (line 12)
       1  Shop:command "start" (line 3)
       -  Shop:on "^never" (line 7): never run
       2  Shop:on{ callback = "^buy:(%a+)$" } (line 8)
  buttons, by the first word of their data:
       2  buy
       -  help: never pressed
1 passed, 1 failed, 0 skipped
]], r.out:match "\n(shop%.lua: .*)$")
    local data = require("luna.json").decode(host.readFile(folder .. "/c.json"))
    assert.same({ name = "Shop:onUpdateEditMessage", line = 10, count = 0 }, data["shop.lua"].handlers[2])
    assert.equal(2, data["shop.lua"].buttons[1].count)
    assert.equal(2, cli.run({ "test", ".", "--coverage-json", "/nowhere/x", cd = folder }).status)
    assert.is_nil(cli.run({ "test", ".", cd = folder }).out:find("have run", 1, true))
  end)
end)

describe("luna test with a test that fails", function()
  after_each(cli.clean)

  it("says where, and leaves the next test nothing to stumble over", function()
    local folder = cli.folder()
    cli.script(folder, "order_spec.lua", [[
describe("a script that is not there", function()
  local world = require("luna.sandbox").world()
  local bot = world:run "nosuch.lua"
end)
describe("order", function()
  local luna = require "luna"
  local Bot = luna.EventHandler:extend "Bot"
  Bot:on(".", function(_, message)
    message:reply("one " .. message.message)
    message:reply "two"
  end)
  local world = require("luna.sandbox").world()
  local bot, alice = world:run(Bot), world:user "Alice"
  it("fails", function()
    alice:send(bot, "first")
    error "on purpose"
  end)
  it("follows", function()
    alice:send(bot, "second")
    assert.equal("one second", alice:expect(bot).message)
  end)
  it("gets what a test before it has left, where that has passed", function()
    assert.equal("two", alice:expect(bot).message)
    alice:click(alice:send(bot, "third"), "Go")
  end)
end)
]])
    local r = cli.run { "test", "order_spec.lua", cd = folder }
    assert.equal(1, r.status)
    assert.matches("\n1 passed, 3 failed, 0 skipped\n$", r.out)
    for _, part in ipairs {
      "not ok - a script that is not there (order_spec.lua:1)\n    order_spec.lua:3: the script nosuch.lua cannot be read: No such file",
      "not ok - order fails (order_spec.lua:14)\n    order_spec.lua:16: on purpose",
      'order_spec.lua:24: Alice: "third" of Alice has no button "Go"; it has none\n',
    } do
      assert.truthy(r.out:find(part, 1, true), part .. "\n" .. r.out)
    end
  end)
end)

describe("luna test after a test that has failed", function()
  after_each(cli.clean)

  it("has bots that wait for nothing of it, and faults that it has not made", function()
    local folder = cli.folder()
    cli.script(folder, "waits_spec.lua", [[
describe("waits", function()
  local luna = require "luna"
  local world = require("luna.sandbox").world()
  local Bot = luna.EventHandler:extend "Bot"
  local ticked, ended = 0, {}
  function Bot:onStart() luna.PeriodicLoop(self.API, function() ticked = ticked + 1 end, "ticks", 100):start() end
  local function ending(name, fn, ...)
    local ok, err = pcall(fn, ...)
    ended[#ended + 1] = name
    if not ok then error(err, 0) end
  end
  Bot:command("ask", function(_, message) ending("ask", message.ask, message, "Name?") end)
  Bot:command("sleep", function(_, message)
    luna.callFork(function()
      luna.sleep(50)
      message:send "from a fork"
    end)
    luna.loop.delay(50000, function() message:send "from a watcher" end)
    luna.callFork(function() message:ask "And?" end)
    ending("sleep", luna.sleep, 50)
    message:send "from a handler"
  end)
  Bot:command("hang", function() ending("hang", luna.await, luna.Deferred():promise()) end)
  Bot:command("stubborn", function(_, message)
    pcall(message.ask, message, "Name?")
    message:send "not taken for an answer"
  end)
  Bot:on("^fail", function()
    ended[#ended + 1] = "fail"
    error "of a test before"
  end)
  Bot:on(".", function(_, message) message:send("route " .. message.message) end)
  local bot, alice, bob = world:run(Bot), world:user "Alice", world:user "Bob"
  local zoe, yan = world:user "Zoe", world:user "Yan"
  it("goes on where it was, where the test before has passed", function() alice:send(bot, "/ask") alice:expect(bot, "Name") end)
  it("fails", function()
    alice:send(bot, "Alice")
    world:clock():advance(1)
    assert.same({ "ask" }, ended)
    ended = {}
    alice:send(bot, "/sleep")
    for _, text in ipairs { "/hang", "fail", "/hang" } do bob:send(bot, text) end
    zoe:send(bot, "/ask")
    yan:send(bot, "/stubborn")
    world:clock():advance(1)
    world:fault { flood = { 1000, times = 3 } }
    world:fault { gap = 3, duplicate = 1.0 }
    error "on purpose"
  end)
  it("follows", function()
    table.sort(ended)
    assert.same({ "ask", "hang", "sleep" }, ended)
    for _, person in ipairs { alice, bob, zoe, yan } do
      person:send(bot, "hello")
      assert.equal("route hello", person:expect(bot, 1).message)
      person:expectNothing(bot, 60)
    end
    assert.equal(2, ticked) -- what onStart has begun goes on
    assert.is_true(bot.api:isIdle())
  end)
end)
]])
    local r = cli.run { "test", "waits_spec.lua", cd = folder }
    assert.matches("\n2 passed, 1 failed, 0 skipped\n$", r.out)
    assert.matches("not ok - waits fails (waits_spec.lua:36)\n    waits_spec.lua:48: on purpose", r.out, 1, true)
  end)
end)

describe("luna test with a handler that fails", function()
  after_each(cli.clean)

  it("has one failure of it, which is the test's, with the handler's place and the conversation", function()
    local folder = cli.folder()
    cli.script(folder, "broken_spec.lua", [[
describe("broken", function()
  local world = require("luna.sandbox").world()
  local bot = world:run(function(update) if (update.message or {}).message == "x" then error "on purpose" end end, { name = "broken" })
  local alice = world:user "Alice"
  local function fail()
    alice:send(bot, "x")
    world:clock():advance(1)
  end
  it("expects", function()
    alice:send(bot, "x")
    alice:expect(bot)
  end)
  it("expects nothing", fail)
  it("has another failure", function()
    fail()
    assert.equal(1, 2)
  end)
  it("cleans up", function()
    finally(fail)
    finally(function() error "first" end)
  end)
  it("has a world of its own", function()
    local own = require("luna.sandbox").world()
    local other = own:run(function() error "elsewhere" end, { name = "other" })
    finally(function() own:user("Zoe"):send(other, "x") own:clock():advance(1) end)
  end)
  it("has expected it", function()
    fail()
    assert.equal(1, #bot:takeErrors())
  end)
end)
]])
    local r = cli.run { "test", "broken_spec.lua", cd = folder }
    assert.equal(1, r.status)
    assert.matches("\n1 passed, 5 failed, 0 skipped\n$", r.out)
    local names = {}
    for name in r.out:gmatch "not ok %- ([^(]+) %(" do names[#names + 1] = name end
    assert.same({ "broken expects", "broken expects nothing", "broken has another failure", "broken cleans up",
      "broken has a world of its own" }, names)
    for n, part in pairs {
      expects = "Alice expected a message from broken_bot within 5 s; none came\n    broken_bot failed: broken_spec.lua:3: on purpose",
      nothing = "not ok - broken expects nothing (broken_spec.lua:13)\n    broken_bot failed: broken_spec.lua:3: on purpose",
      another = "    (number) 1\n      broken_spec.lua:16: in function <broken_spec.lua:14>\n    broken_bot failed: broken_spec.lua:3: on",
      cleans = "first\n", own = "    other_bot failed: broken_spec.lua:24: elsewhere\n",
      conversation = "    what was said and done:\n    Alice and broken_bot\n       1  Alice: x\n          broken_bot failed: on purpose\n",
    } do
      assert.truthy(r.out:find(part, 1, true), n .. "\n" .. r.out)
    end
    assert.equal(4, select(2, r.out:gsub("what was said and done:", ""))) -- expect has shown it already
    assert.equal(4, select(2, r.out:gsub("\n    broken_bot failed: broken_spec.lua:3: on purpose", "")))
  end)
end)
