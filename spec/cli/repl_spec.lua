local cli = dofile((debug.getinfo(1, "S").source:match "^@(.*/)" or "") .. "support.lua")
local host = require "_luna.host"

local script = [[
  local luna = require "luna"
  local Bot = luna.EventHandler:extend "Bot"
  function Bot:answer(x) return x + 1 end
  function Bot:onStart()
    luna.sleep(0.01) -- until after the turn in which the program listens
    print "up"
  end
  return Bot
]]

-- Bots in processes of their own, and `luna repl` beside them.
describe("luna repl", function()
  local folder, started

  before_each(function()
    folder, started = cli.folder(), {}
  end)
  after_each(function()
    for _, bot in ipairs(started) do
      os.execute("kill -9 " .. bot.pid .. " 2>/dev/null")
      bot.pipe:close()
      bot.hold:close()
    end
    cli.clean()
  end)

  -- Starts a bot and waits until it says "up". Its chat's input is held open until it is to end.
  local function start(name, ...)
    local path, hold = cli.script(folder, name .. ".lua", script), ("%s/%s.in"):format(folder, name)
    os.execute(("rm -f '%s' && mkfifo '%s'"):format(hold, hold))
    local command = "echo $$; exec env -u XDG_RUNTIME_DIR XDG_STATE_HOME='%s' '%s' run '%s' --sandbox %s 2>/dev/null <'%s'"
    local bot = { pipe = assert(io.popen(command:format(folder, cli.program, path, table.concat({ ... }, " "), hold))) }
    bot.hold = assert(io.open(hold, "w"))
    bot.pid = bot.pipe:read "l"
    assert.equal("up", bot.pipe:read "l")
    started[#started + 1] = bot
    bot.socket = ("%s/luna/repl/%s.sock"):format(folder, name)
    return bot
  end

  local function attach(...) return cli.run { "repl", state = folder, ... } end

  it("evaluates in the bot that runs", function()
    start "first"
    local r = attach("--eval", 'handler:answer(41), bot.name, api:getSelf().username')
    assert.same({ 0, '42\n"first"\n"first_bot"\n' }, { r.status, r.out }, r.err)
    r = attach("first", "--json", "--eval", "{ n = handler:answer(1) }")
    assert.same({ 0, '{"n":2}\n' }, { r.status, r.out }, r.err)
    r = attach("--eval", "error 'oops'")
    assert.same({ 1, "" }, { r.status, r.out })
    assert.matches("^repl:1: oops\n", r.err)
    r = cli.run { "repl", "first", state = folder, input = "local x = 20\nfunction f()\n  return x + 1\nend\nf()\n:mem\n:quit\n'never'\n" }
    assert.equal(0, r.status, r.err)
    assert.matches("^21\nLua %d+ KiB", r.out)
    assert.is_nil(r.out:find "never")
  end)

  it("opens to its owner alone", function()
    local bot = start "first"
    assert.equal(384, host.stat(bot.socket).mode) -- 0600
    assert.equal(448, host.stat(folder .. "/luna/repl").mode) -- 0700
  end)

  it("finds a bot that has no runtime folder, from where there is one", function()
    start "first"
    local r = cli.run { "repl", "--eval", "bot.name", state = folder, env = { XDG_RUNTIME_DIR = folder } }
    assert.same({ 0, '"first"\n' }, { r.status, r.out }, r.err)
    r = cli.run { "repl", "first", "--eval", "bot.name", state = folder, env = { XDG_RUNTIME_DIR = folder } }
    assert.same({ 0, '"first"\n' }, { r.status, r.out }, r.err)
  end)

  it("wants a name where several run, and says which there are", function()
    start "first"
    start "second"
    local r = attach("--eval", "1")
    assert.equal(2, r.status)
    assert.matches("several bots run: first, second", r.err)
    r = attach("second", "--eval", "bot.name")
    assert.same({ 0, '"second"\n' }, { r.status, r.out }, r.err)
    r = attach("third", "--eval", "1")
    assert.equal(1, r.status)
    assert.matches('no bot "third" runs\nluna: there are first, second', r.err)
  end)

  it("passes over the socket of one that was killed, and a new one takes it", function()
    local bot = start "first"
    os.execute("kill -9 " .. bot.pid)
    bot.pipe:close()
    bot.hold:close()
    table.remove(started)
    assert.is_table(host.stat(bot.socket))
    local r = attach("first", "--eval", "1")
    assert.equal(1, r.status)
    assert.matches('no bot "first" runs', r.err)
    start "first"
    r = attach("--eval", "bot.name")
    assert.same({ 0, '"first"\n' }, { r.status, r.out }, r.err)
  end)

  it("is off with --no-repl", function()
    local bot = start("first", "--no-repl")
    assert.is_nil((host.stat(bot.socket)))
  end)

  -- The program at a terminal: say(keys), wait(text) → all that has come up to it.
  local function terminal(...)
    local fifo = folder .. "/keys"
    os.execute(("rm -f '%s' && mkfifo '%s'"):format(fifo, fifo))
    local command = ("env -u XDG_RUNTIME_DIR TERM=dumb XDG_STATE_HOME='%s' '%s' %s"):format(folder, cli.program, table.concat({ ... }, " "))
    local t = { pipe = assert(io.popen(("echo $$; exec timeout 30 script -qec \"%s\" /dev/null <'%s' 2>&1"):format(command, fifo))) }
    t.hold = assert(io.open(fifo, "w"))
    t.hold:setvbuf "no"
    t.pid = t.pipe:read "l"
    started[#started + 1] = t
    function t.say(keys) assert(t.hold:write(keys)) end
    function t.wait(text)
      local got = ""
      while not got:find(text, 1, true) do
        local c = t.pipe:read(1)
        if not c then error(("%q did not come, but %q"):format(text, got)) end
        got = got .. c
      end
      return got
    end
    return t
  end

  it("takes a bot line by line, which two people chat with, and Ctrl-C ends a line that computes", function()
    local t = terminal "repl"
    t.wait "sandbox> "
    t.say "function Bot:onUpdateNewMessage(update)\r"
    t.wait "... "
    t.say "  if not update.message.out then update.message:reply('hi ' .. update.message.message) end\r"
    t.wait "... "
    t.say "end\r"
    t.wait "sandbox> "
    t.say "alice:send 'one' bob:send 'two'\r"
    local got = t.wait "to alice: hi one"
    assert.is_true(got:find "to bob: hi two" ~= nil or t.wait "to bob: hi two" ~= nil)
    t.say "print('comp' .. 'uting') while true do end\r"
    t.wait "computing"
    t.say "\3"
    t.wait "interrupted"
    t.say "Bot.onUpdateN\t\r"
    t.wait "ewMessage"
    t.wait "function: 0x"
    t.say ":break onUpdateNewMessage if not update.message.out\r"
    t.wait "break 1 at repl:2"
    t.say "alice:send 'again'\r"
    t.wait "is held at repl:2"
    t.say "update.message.message .. '!'\r"
    t.wait '"again!"'
    t.say ":continue\r"
    t.wait "to alice: hi again"
    t.say "\4"
    assert.is_nil(t.pipe:read "a":find "rror")
  end)

  it("takes routes, of which the newest of a kind counts, and errors at their line", function()
    local r = cli.run { "repl", state = folder, input = [[
Bot:command("hi", function(_, message) message:reply "one" end)
Bot:command("hi", function(_, message) message:reply("two, " .. message:ask("Who?").message) end)
Bot:on({ privat = true }, print)
alice:send "/hi"
require("luna").sleep(0.3)
alice:send "Alice"
require("luna").sleep(0.3)
]] }
    assert.matches("to alice: Who%?\n", r.out)
    assert.matches("to alice: two, Alice\n", r.out)
    assert.is_nil(r.out:find "one")
    assert.matches('repl:1: Bot:on: a filter has no field "privat"; did you mean "private"?', r.out .. r.err)
  end)

  it("is a sandbox with two people where no bot runs", function()
    local r = cli.run { "repl", state = folder, input = [[
api:setCallback(function(u)
  if u.message and not u.message.out then u.message:reply("hello " .. u.message.message) end
end)
alice:send "from alice"
bob:send "from bob"
"after"
]] }
    assert.equal(0, r.status, r.err)
    assert.equal('to alice: hello from alice\nto bob: hello from bob\n"after"\n', r.out)
    r = attach("--json")
    assert.equal(2, r.status)
  end)
end)
