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

  it("knows commands, namespaces, methods, parameters and the bot's names", function()
    assert.same({ ":task", ":tasks" }, complete(":tas", "", {}))
    assert.same({ "api.users." }, complete("api.use", "x = ", {}))
    assert.same({ "self.users.getFullUser" }, complete("self.users.getF", "", {}))
    assert.same({ "message = " }, complete("mess", "api.messages.sendMessage{ peer = f{ 1 }, ", { "message", "messages" }))
    assert.same({ "message", "messages" }, complete("mess", "api.messages.sendMessage{ } ", { "messages", "x", "message" }))
    assert.same({}, complete("", "", { "x" }))
    assert.same({}, complete("nothing.like.it", "", { "nothing" }))
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
    stop = require("luna.repl.server").start { bot }
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
    assert.equal("hello", c.next().op)
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
    assert.matches("^repl:2: oops\n  repl:2: in", c.refused "\nerror 'oops'")
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
    local id = c.command(":tasks").text:match "(%d+)%s+waiting%s+promise%s+victim"
    assert.is_string(id)
    assert.matches("stack traceback", c.command(":task " .. id).text)
    assert.is_true(c.command(":kill " .. id).ok)
    assert.is_false(pcall(promise.await, victim))
    assert.is_false(c.command(":kill " .. id).ok)
    assert.matches('did you mean "mem"', c.command(":memm").text)
    assert.matches(":watch FILTER", c.command(":help").text)
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
    assert.is_nil(rawget(core.dispatch, "handle"))
    c.connection:close()
  end)

  it("gives the names that a line may begin with where it is asked", function()
    local c = client()
    c.ask "mine = 1"
    c.say { op = "eval", code = "1", names = true }
    local known = {}
    for _, name in ipairs(c.done().names) do known[name] = true end
    for _, name in ipairs { "api", "handler", "up", "mine", "shared", "string" } do assert.is_true(known[name], name) end
    c.connection:close()
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
    local second = require("luna.repl.server").start { bot }
    place.folder = real
    local names = repl.names(folder)
    table.sort(names)
    assert.same({ "bot", "bot-" .. host.pid() }, names)
    second()
    assert.same({ "bot" }, repl.names(folder))
    stop()
    assert.same({}, repl.names(folder))
  end)
end)
