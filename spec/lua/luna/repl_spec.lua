local host = require "_luna.host"
local json = require "luna.json"
local promise = require "_luna.promise"
local repl = require "_luna.repl"
local task = require "_luna.task"

local support = (debug.getinfo(1, "S").source:match "^@(.*/)" or "") .. "../../support/"
local fakeCore = dofile(support .. "fake_core.lua")

local script = [[
  local count = 7
  local Bot = {}
  function Bot:grow(n)
    count = count + n
    print("grown to", count)
    return count
  end
  shared = { "a", "b" }
  return Bot
]]

describe("a line's locals", function()
  local locals = require "luna.repl.locals"
  local function same(expected, code) assert.equal(expected, locals(code)) end

  it("become assignments at the top level", function()
    same("x = 1", "local x = 1")
    same("x, y =1, 2", "local x <const>, y=1, 2")
    same("x, y = nil ", "local x, y")
    same("function f() local y = 1 end", "local function f() local y = 1 end")
    same("x = 1; y = 2", "local x = 1; local y = 2")
  end)

  it("stay where they are inside of blocks, texts and comments", function()
    for _, code in ipairs {
      "do local x = 1 end", "for i = 1, 2 do local x = i end", "if a then local x = 1 else local y = 2 end",
      "while a do local x = 1 end", "repeat local x = 1 until x", "f(function() local x = 1 end)",
      "s = 'local x = 1'", "s = \"\\\" local x\"", "s = [[ local x = 1 ]]", "s = [==[ ]] local x ]==]", "-- local x = 1",
      "--[[ local x = 1 ]]", "locality = 1", "local x <close> = f()",
    } do same(code, code) end
  end)

  it("begin again after a block has ended", function()
    same("if a then f() end x = 1", "if a then f() end local x = 1")
    same("repeat f() until a x = 1", "repeat f() until a local x = 1")
    same("for i = 1, 2 do f(i) end x = 1", "for i = 1, 2 do f(i) end local x = 1")
  end)

  it("keep the numbers of their lines", function() same("a, b =\n\n 1", "local a,\n\nb = 1") end)
end)

describe("a value as text", function()
  local show = require "luna.repl.show"

  it("has its secrets masked, but for access hashes, which are of use", function()
    assert.equal('{ access_hash = 5, bot_auth_token = "***", phone = "***", phone_number = "***" }',
      show { access_hash = 5, phone = "4412345", phone_number = "441234567801", bot_auth_token = "x" })
  end)

  it("gives the same value when it is pasted back", function()
    local value = {
      1, 2.0, 1e300, math.mininteger, "a\nb\0c\r\"", true, _ = "x", ["end"] = 1, ["a b"] = { {} }, [10] = false, [2.5] = "f", [true] = 0,
    }
    assert.same(value, load("return " .. show(value))())
  end)

  it("tells cycles, and stops at three levels and a hundred entries", function()
    local t = { name = "t" }
    t.inner = { up = t }
    assert.equal('{ inner = { up = nil --[[cycle: _]] }, name = "t" }', show(t))
    assert.equal("{ { { { --[[…]] } } } }", show { { { { 1 } } } })
    local long = {}
    for i = 1, 103 do long[i] = i end
    assert.matches("100,\n  %-%-%[%[3 more%]%]\n}$", show(long))
    assert.equal(100, #load("return " .. show(long))())
  end)

  it("names what has no text of its own", function()
    assert.matches("^nil %-%-%[%[function: ", show(print))
    assert.is_nil(load("return " .. show { f = print }) ().f)
    assert.equal("nil --[[a clock]]", show(setmetatable({}, { __tostring = function() return "a clock" end })))
  end)

  it("shows messages and other objects of the schema, though they have methods", function()
    local tl = require "_luna.tl"
    require "luna.message"
    local update = { _ = "updateShort", date = 1, update = {
      _ = "updateNewMessage", pts = 1, pts_count = 1,
      message = { _ = "message", id = 7, peer_id = { _ = "peerUser", user_id = 5 }, date = 1, message = "hello" },
    } }
    update = tl.decode(tl.encode(update, "Updates"), "Updates").update
    assert.is_function(update.message.reply)
    assert.matches('message = "hello"', show(update), 1, true)
  end)

  it("shows a handler with the fields that the script has given it", function()
    local luna = require "luna"
    local object = require("luna.handler").instantiate(luna.EventHandler:extend "Shop", { api = {} }, { open = true })
    assert.equal("{ --[[Shop]] state = { open = true } }", show(object))
    object.orders = 3
    assert.equal("{ { --[[Shop]] orders = 3, state = { open = true } } }", show { object })
    assert.same({ orders = 3, state = { open = true } }, load("return " .. show(object))())
  end)

  it("masks secrets", function()
    host.secret "83838383:canary-in-the-repl"
    local text = show { text = "it is 83838383:canary-in-the-repl", password = "hunter22", api_hash = "0123456789abcdef" }
    assert.is_nil(text:find("canary", 1, true))
    assert.is_nil(text:find("hunter22", 1, true))
    assert.is_nil(text:find("0123456789abcdef", 1, true))
  end)
end)

describe("completion", function()
  local complete = require "luna.repl.complete"

  local asked = 0
  local class = { onAny = function() end, helper = 1 }
  local session = {
    given = { api = function() return nil end, up = function() return false end }, held = {},
    env = { mine = { deep = { list = {}, ["no name"] = 1, fn = function() end } } },
    bot = { core = { dispatch = { class = class } }, path = "bots/echo.lua", env = {
      messages = 1, object = setmetatable({ own = 1 }, { __index = setmetatable({ inherited = function() end }, {
        __index = function() asked = asked + 1 end }) }),
    } },
  }
  local function same(expected, word, before) assert.same(expected, complete(word, before or "", session)) end

  it("knows commands and their arguments", function()
    same({ ":task", ":tasks" }, ":tas")
    same({ "on" }, "on", ":trace ")
    same({ "off", "onAny" }, "o", ":break ")
    same({ "updateNewMessage" }, "updateNewMessage", ":watch ")
    same({ "messages.sendMessage" }, "messages.sendMessag", ":help ")
  end)

  it("knows globals and fields to any depth, and calls nothing of the bot's for that", function()
    same({ "math", "messages", "mine" }, "m")
    same({ "mine.deep.fn", "mine.deep.list" }, "mine.deep.")
    same({ "mine.deep:fn" }, "mine.deep:", "x = ")
    same({ "object.inherited" }, "object.in")
    same({ "string.gmatch", "string.gsub" }, "string.g")
    same({}, "nothing.like.it")
    assert.equal(0, asked)
  end)

  it("knows the schema: namespaces, methods, parameters, constructors", function()
    same({ "api.users." }, "api.use", "x = ")
    same({ "self.users.getFullUser" }, "self.users.getF")
    same({ "message = " }, "mess", "api.messages.sendMessage{ peer = f{ 1 }, ")
    same({ "messages" }, "mess", "api.messages.sendMessage{ } ")
    same({ "messages" }, "mess", "api.messages.sendMessage{ message = 1, ") -- no parameter twice
    same({ "replyInlineMarkup" }, "replyI", 'api.messages.sendMessage{ reply_markup = { _ = "')
    same({ "rows = " }, "ro", 'api.messages.sendMessage{ reply_markup = { _ = "replyInlineMarkup", ')
    same({ "buttons = " }, "", 'api.messages.sendMessage{ reply_markup = { _ = "replyInlineMarkup", rows = { { ')
    same({ "inputPeerSelf" }, "inputPeerSe", 'x = { _ = "')
  end)
end)

describe("the REPL of a bot", function()
  local folder, stop, core, bot, before

  setup(function() before = rawget(_G, "print") end)
  teardown(function() rawset(_G, "print", before) end)

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(host.mkdirs(folder))
    core = fakeCore()
    core.api = { marker = "api" }
    local env = require("luna.environment").new(nil)
    local class = assert(load(script, "=bot", "t", env))()
    core.dispatch.class, core.dispatch.instance = class, setmetatable({}, { __index = class })
    bot = { name = "bot", path = "bot.lua", api = core.api, core = core, handler = class, env = env }
    local place = require "luna.repl.place"
    local real = place.folder
    place.folder = function() return folder end
    stop = require("luna.repl.server").start(bot)
    place.folder = real
  end)
  after_each(function()
    stop()
    os.execute("rm -rf '" .. folder .. "'")
  end)

  -- A client: say(message) without waiting, next() the next thing that it hears, ask(code) the answer to a line.
  local function client()
    local c = { connection = assert(repl.connect(folder .. "/bot.sock")), heard = {}, printed = {} }
    c.connection:onLine(function(line)
      table.insert(c.heard, line and json.decode(line) or { op = "end" })
      if c.waiting then promise.resolve(c.waiting) end
    end)
    function c.say(message) assert.is_true(c.connection:send(json.encode(message))) end
    function c.next()
      while #c.heard == 0 do
        c.waiting = promise.new()
        promise.awaitTimeout(c.waiting, 5)
        assert.is_true(promise.state(c.waiting) ~= "pending", "nothing came in 5 s")
        c.waiting = nil
      end
      return table.remove(c.heard, 1)
    end
    function c.done()
      while true do
        local message = c.next()
        if message.op == "done" then return message end
        assert.equal("print", message.op)
        table.insert(c.printed, message.text)
      end
    end
    function c.ask(code)
      c.say { op = "eval", code = code }
      local answer = c.done()
      assert.is_true(answer.ok, answer.text)
      return answer.text
    end
    function c.refused(code)
      c.say { op = "eval", code = code }
      local answer = c.done()
      assert.is_false(answer.ok)
      return answer.text
    end
    function c.command(line)
      c.say { op = "command", line = line }
      return c.done()
    end
    local hello = c.next()
    assert.equal("hello", hello.op)
    c.number = hello.session
    return c
  end

  it("evaluates in the bot, and keeps each client's names apart", function()
    local a, b = client(), client()
    assert.equal('{ "a", "b" }', a.ask "shared")
    assert.equal("", a.ask "local x, y = 20, 3")
    assert.equal("23", a.ask "x + y")
    assert.equal("24", a.ask "_ + 1")
    assert.equal("nil", b.ask "x")
    assert.equal("", a.ask "shared = 1")
    assert.equal('{ "a", "b" }', b.ask "shared")
    assert.equal('"api"', a.ask "api.marker")
    a.connection:close()
    b.connection:close()
  end)

  it("reads and sets the script's file-level locals", function()
    local c = client()
    assert.equal("7", c.ask "up.count")
    assert.equal("", c.ask "up.count = 40")
    assert.equal("42", c.ask "handler:grow(2)")
    assert.matches('no file%-level local "nosuch"', c.refused "up.nosuch")
    c.connection:close()
  end)

  it("gets what its lines print, the bot's own functions too, and nobody else's", function()
    local a, b = client(), client()
    a.ask "print('mine', 1) handler:grow(1)"
    assert.same({ "mine\t1", "grown to\t8" }, a.printed)
    b.ask "1"
    assert.same({}, b.printed)
    a.connection:close()
    b.connection:close()
  end)

  it("awaits promises, and others go on meanwhile", function()
    local a, b = client(), client()
    bot.env.waitFor = promise.new()
    a.say { op = "eval", code = "waitFor" }
    assert.equal("2", b.ask "1 + 1")
    promise.resolve(bot.env.waitFor, "there")
    assert.equal('"there"', a.done().text)
    a.connection:close()
    b.connection:close()
  end)

  it("asks for more where a line is not whole", function()
    local c = client()
    for _, code in ipairs { "function f()", "x = {", "1 +", "f(", "if true then" } do
      c.say { op = "eval", code = code }
      assert.is_true(c.done().incomplete, code)
    end
    c.say { op = "eval", code = "f(", whole = true }
    assert.is_nil(c.done().incomplete)
    assert.is_nil(c.refused "x = = 1":find "incomplete")
    assert.equal("", c.ask "function f()\n  return 5\nend")
    assert.equal("5", c.ask "f()")
    c.connection:close()
  end)

  it("tells errors with the place, and goes on", function()
    local c = client()
    assert.equal("repl:2: oops", c.refused "\nerror 'oops'")
    assert.equal("", c.ask "function deep()\nerror 'oops'\nend")
    assert.equal("repl:2: oops\n  repl:2: in global 'deep'\n  repl:3: in what was typed", c.refused "\n\ndeep() return 1")
    assert.matches("nosuch", c.refused "nosuch.field")
    assert.equal("1", c.ask "1")
    c.connection:close()
  end)

  it("is interrupted while it computes and while it waits", function()
    local c = client()
    c.say { op = "eval", code = "while true do end" }
    assert.is_true(c.connection:send "\3")
    assert.matches("^interrupted", c.done().text)
    c.say { op = "eval", code = "pcall(function() while true do end end) while true do end" }
    assert.is_true(c.connection:send "\3")
    assert.matches("^interrupted", c.done().text)
    bot.env.never = promise.new()
    c.say { op = "eval", code = "print 'waits' return never" }
    assert.equal("print", c.next().op)
    assert.is_true(c.connection:send "\3")
    assert.matches("interrupted", c.done().text)
    assert.equal("1", c.ask "1")
    c.connection:close()
  end)

  it("ends what a client that has gone was running", function()
    local c, other = client(), client()
    bot.env.never = promise.new()
    c.say { op = "eval", code = "print 'waits' return never" }
    assert.equal("print", c.next().op)
    c.connection:close()
    for _ = 1, 100 do
      if not other.command(":tasks").text:find "repl:1" then break end
    end
    assert.is_nil(other.command(":tasks").text:find "repl:1")
    other.connection:close()
  end)

  it("gives JSON where it is asked for", function()
    local c = client()
    c.say { op = "eval", code = "{ a = 1 }", json = true }
    assert.equal('{"a":1}', c.done().text)
    c.say { op = "eval", code = "print", json = true }
    assert.is_false(c.done().ok)
    c.connection:close()
  end)

  it("lists tasks with their stacks, and kills one", function()
    local c = client()
    bot.env.never = promise.new()
    local victim = task.spawn(function()
      task.current().name = "victim"
      promise.await(bot.env.never)
    end)
    local id = c.command(":tasks").text:match "(%d+)%s+waits: promise, for %d+ ms%s+victim"
    assert.is_string(id)
    assert.matches("^task %d+ %(victim%): waits: promise, for .*repl_spec.lua:%d+ in function", c.command(":task " .. id).text)
    assert.is_true(c.command(":kill " .. id).ok)
    assert.is_false(pcall(promise.await, victim))
    assert.is_false(c.command(":kill " .. id).ok)
    assert.matches('did you mean "mem"', c.command(":memm").text)
    assert.matches(":watch %[FILTER%]", c.command(":help").text)
    assert.is_true(c.command(":quit").quit)
    c.connection:close()
  end)

  it("reloads, and says why a version does not run", function()
    local c = client()
    assert.is_false(c.command(":reload").ok)
    bot.reload = function()
      bot.env = require("luna.environment").new(nil)
      local code = "local count = 1 local Bot = {} function Bot:get() return count end fresh = 5 return Bot"
      local class = assert(load(code, "=bot", "t", bot.env))()
      core.dispatch.class, core.dispatch.instance = class, class
      return true
    end
    assert.equal("7", c.ask "up.count")
    assert.equal("reloaded", c.command(":reload").text)
    assert.equal("1\n5\nnil", c.ask "up.count, fresh, shared")
    bot.reload = function() return false, "bot.lua:3: no" end
    local answer = c.command ":reload"
    assert.same({ false, "bot.lua:3: no" }, { answer.ok, answer.text })
    c.connection:close()
  end)

  it("shows updates as they come, by name and by an expression, until it is told to stop", function()
    local c = client()
    local function comes(update) core.dispatch:handle(update) end
    assert.is_true(c.command(":watch newmessage").ok)
    comes { _ = "updateUserTyping" }
    comes { _ = "updateNewMessage", n = 1 }
    assert.equal('{ _ = "updateNewMessage", n = 1 }', c.next().text)
    assert.is_true(c.command(":watch update.n > 2").ok)
    comes { _ = "updateNewMessage", n = 2 }
    comes { _ = "updateNewMessage", n = 3 }
    assert.equal('{ _ = "updateNewMessage", n = 3 }', c.next().text)
    assert.is_true(c.command(":watch off").ok)
    comes { _ = "updateNewMessage", n = 4 }
    assert.equal("1", c.ask "1")
    assert.same({}, c.printed)
    assert.equal(require("luna.dispatch").handle, core.dispatch.handle)
    c.connection:close()
  end)

  it("completes for a client by another connection, which waits", function()
    local c = client()
    c.ask "mine = { inner = { leaf = 1 } }"
    local question = json.encode { op = "complete", session = c.number, word = "mine.inner.l", before = "" } .. "\n"
    -- Whoever asks stands still, so the answer comes from another process in earnest; here from a task.
    local other = assert(repl.connect(folder .. "/bot.sock"))
    local answers, came = {}, promise.new()
    other:onLine(function(line)
      answers[#answers + 1] = line and json.decode(line)
      if #answers == 2 then promise.resolve(came) end
    end)
    other:send((question:gsub("\n", "")))
    promise.awaitTimeout(came, 5)
    assert.same({ op = "completed", words = { "mine.inner.leaf" } }, answers[2])
    other:close()
    c.connection:close()
  end)

  it("shows with :more what was cut, part by part", function()
    local c = client()
    c.ask "local t = {} for i = 1, 250 do t[i] = i end return { t, { { { deep = 7 } } }, ('x'):rep(5000) }"
    local text = c.command(":more").text
    assert.matches("%-%- _%[1%], from entry 101 on\n{\n  %[101%] = 101,", text)
    assert.matches("%-%- _%[2%]%[1%]%[1%]\n{ deep = 7 }", text)
    assert.matches('%-%- _%[3%], from byte 4001 of 5000 on\n"x+"', text)
    assert.matches("%[250%] = 250", c.command(":more").text)
    assert.is_false(c.command(":more").ok)
    c.connection:close()
  end)

  it("shows loops and watchers with their next time, and calls with their names", function()
    local c = client()
    local luna = require "luna"
    local api = setmetatable({ _core = core }, {})
    local loop = luna.PeriodicLoop(api, function() end, "tick", 50)
    loop:start()
    local id = luna.loop.delay(20000, function() end)
    local text = c.command(":loops").text
    assert.matches("tick .-pauses, runs for %d+ ms, next in 50%.0 s", text)
    assert.matches(("watcher %s: delay 20%%.0 s, next in [12][09]%%.%%d s"):format(id), text)
    luna.loop.cancel(id)
    loop:stop()
    local server <close> = luna.socket.listen "tcp://127.0.0.1:0"
    local accepted = server:accept { async = true }
    local socket <close> = luna.socket.connect("tcp://" .. server.localAddress)
    luna.await(accepted)
    accepted = server:accept { async = true }
    local reading = socket:read { async = true }
    server:unreference()
    text = c.command(":loops").text
    assert.matches("socket %d+: listens at 127%.0%.0%.1:%d+, waits to accept, unreferenced", text)
    assert.matches(("socket %%d+: %s, waits to read"):format(server.localAddress), text)
    luna.cancel(accepted)
    luna.cancel(reading)
    core.conn.state = function() return "up" end
    core.conn.calls = function() return { { method = "users.getUsers", seconds = 1.5 } } end
    assert.matches("1 without an answer; the connection is up\n%s+1%.5 s  users.getUsers", c.command(":rpc").text)
    c.connection:close()
  end)

  it("traces updates with the time that their handlers take", function()
    local c = client()
    core.dispatch:setCallback(function() task.sleep(0.001) end)
    assert.is_true(c.command(":trace on").ok)
    core.dispatch:handle { _ = "updateNewMessage", message = { id = 1 } }
    assert.matches("%d+:%d+:%d+%.%d+ <%- updateNewMessage$", c.next().text)
    assert.matches("updateNewMessage handled in %d+%.%d ms$", c.next().text)
    assert.is_true(c.command(":trace off").ok)
    assert.equal(require("luna.dispatch").handle, core.dispatch.handle)
    c.connection:close()
  end)

  it("explains a method of the schema, and guesses", function()
    local c = client()
    assert.matches("random_id", c.command(":help messages.sendMessage").text)
    assert.matches(":break FUNCTION", c.command(":help break").text)
    local answer = c.command ":help messages.sendMesage"
    assert.is_false(answer.ok)
    assert.matches("did you mean", answer.text)
    c.connection:close()
  end)

  describe("break points", function()
    local path, ran

    before_each(function()
      path, ran = folder .. "/held.lua", {}
      local file = assert(io.open(path, "w"))
      file:write [[
local total = 10
local Bot = {}
-- a comment
local function add(a, b)
  local sum = a + b
  return sum
end
function Bot:work(n)
  local twice = n * 2
  local all = add(twice, 1)
  total = total + all
  done(n, all)
  return all
end
function Bot:sorted()
  local t = { 2, 1 }
  table.sort(t, function(a, b)
    return a < b
  end)
  return t[1]
end
return Bot
]]
      file:close()
      bot.path = path
      local class = assert(loadfile(path, "t", bot.env))()
      bot.env.done = function(n, all) ran[#ran + 1] = n .. ":" .. all end
      core.dispatch.class, core.dispatch.instance = class, setmetatable({}, { __index = class })
    end)

    local function work(n) return task.spawn(core.dispatch.class.work, core.dispatch.instance, n) end

    it("hold one task, whose locals are read and set, while others go on", function()
      local c = client()
      local answer = c.command ":break held.lua:11 if n > 1"
      assert.is_true(answer.ok, answer.text)
      assert.matches("^break %d+ at held.lua:11\n>   11    total = total %+ all", answer.text)
      local held = work(5)
      assert.matches("^task %d+ is held at .*held.lua:11 in function .*\n>   11    total = total %+ all\n", c.next().text)
      assert.equal("pending", promise.state(held))
      assert.equal(3, promise.await(work(1))) -- another one, for which the condition is not true
      assert.equal("5\n10\n11\n13", c.ask "n, twice, all, total")
      c.ask "all = 100 total = 1"
      assert.equal("100\n1", c.ask "all, total")
      assert.matches("n = 5\n.*twice = 10\n.*all = 100\n.*total = 1  %-%- upvalue", c.command(":locals").text)
      assert.matches("> 0  .*held.lua:11", c.command(":where").text)
      assert.matches("held.lua:11 if n > 1  %(1 time%)\n> task %d+ is held", c.command(":break").text)
      assert.matches("waits: held at a break point", c.command(":tasks").text)
      assert.is_true(c.command(":continue").ok)
      assert.equal(100, promise.await(held))
      assert.same({ "1:3", "5:100" }, ran)
      assert.equal("101", c.ask "up.total")
      c.connection:close()
    end)

    it("go on step by step: over, into and out of functions", function()
      local c = client()
      assert.is_true(c.command(":break work").ok)
      local held = work(5)
      local function at(line) assert.matches(("held.lua:%d in"):format(line), c.next().text) end
      at(9)
      c.command ":next"
      at(10)
      c.command ":step"
      at(5)
      c.command ":next"
      at(6)
      assert.equal("11", c.ask "sum")
      assert.same({ true, "" }, { (function(a) return a.ok, a.text end)(c.command ":out") })
      at(11)
      c.command ":next"
      at(12)
      assert.equal("1 break point taken back", c.command(":break off").text)
      c.command ":continue"
      assert.equal(11, promise.await(held))
      assert.is_false(c.command(":continue").ok)
      c.connection:close()
    end)

    it("let a task go on when the client has gone, and cost it nothing more", function()
      local c = client()
      c.command ":break held.lua:10"
      local held = work(5)
      assert.matches("held.lua:10", c.next().text)
      c.connection:close()
      assert.equal(11, promise.await(held))
      assert.equal(3, promise.await(work(1)))
    end)

    it("let a held task be killed at its line", function()
      local c = client()
      c.command ":break held.lua:10"
      local held = work(5)
      local id = c.next().text:match "task (%d+)"
      assert.is_true(c.command(":kill " .. id).ok)
      assert.matches("killed in the REPL", tostring(select(2, pcall(promise.await, held))))
      assert.same({}, ran)
      c.connection:close()
    end)

    it("hold a line of the prompt too, whose value comes when it goes on", function()
      local c = client()
      c.command ":break work"
      assert.equal("", c.ask "handler:work(5)")
      assert.matches("held.lua:9", c.printed[1])
      assert.equal("5", c.ask "n")
      c.command ":continue"
      assert.matches("^the line of task %d+ has ended\n11$", c.next().text)
      c.connection:close()
    end)

    it("say where a task cannot be held, and where there is nothing to hold", function()
      local c = client()
      c.command ":break held.lua:18"
      assert.equal("1", c.ask "handler:sorted()")
      assert.matches("cannot wait", c.printed[1])
      assert.matches("^break %d+ at held.lua:4", c.command(":break held.lua:3").text)
      assert.is_false(c.command(":break held.lua:99").ok)
      assert.is_false(c.command(":break nosuch").ok)
      assert.is_false(c.command(":break print").ok)
      assert.is_false(c.command(":break work if n >").ok)
      c.connection:close()
    end)

    it("take a task that is held for another handler's chat out of no budget", function()
      local c = client()
      task.setBudget(0.05)
      c.command ":break held.lua:10"
      local held = work(5)
      assert.matches("held.lua:10", c.next().text)
      task.sleep(0.1) -- twice the budget, in which it would have been stopped
      c.command ":continue"
      local ok, value = pcall(promise.await, held)
      task.setBudget(5)
      assert.same({ true, 11 }, { ok, value })
      c.connection:close()
    end)
  end)

  it("drops a peer that speaks something else", function()
    local c = client()
    c.connection:send "this is no JSON"
    assert.equal("end", c.next().op)
    local other = client()
    other.connection:send "[1]"
    other.connection:send '{"op":"eval"}'
    other.connection:send '{"op":"what"}'
    assert.equal("1", other.ask "1")
    other.connection:close()
  end)

  it("takes another name where its own is in use, and leaves no socket behind", function()
    local place = require "luna.repl.place"
    local real = place.folder
    place.folder = function() return folder end
    local second = require("luna.repl.server").start(bot)
    place.folder = real
    local names = place.names(folder)
    table.sort(names)
    assert.same({ "bot", "bot-" .. host.pid() }, names)
    second()
    assert.same({ "bot" }, place.names(folder))
    stop()
    assert.same({}, place.names(folder))
  end)
end)
