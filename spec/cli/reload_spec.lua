local cli = dofile((debug.getinfo(1, "S").source:match "^@(.*/)" or "") .. "support.lua")
local host = require "_luna.host"
local task = require "_luna.task"

local running -- what a test that fails leaves behind

-- A bot that runs beside the spec, with its chat behind pipes.
local function begin(folder, ...)
  local run = { out = folder .. "/out", err = folder .. "/err" }
  local program = host.realpath(cli.program)
  assert(os.execute(("mkfifo '%s/in'"):format(folder)))
  local command = "env -u LUNA_BOT_TOKEN -u XDG_RUNTIME_DIR XDG_STATE_HOME='%s' '%s' run %s --sandbox <in >out 2>err"
  command = command:format(folder, program, table.concat({ ... }, " "))
  os.execute(("cd '%s' && (%s & echo $! >pid; wait $!; echo $? >rc) &"):format(folder, command))
  run.input = assert(io.open(folder .. "/in", "w"))
  run.input:setvbuf "no"
  running = run

  local function text(name)
    local file = io.open(folder .. "/" .. name, "rb")
    if not file then return "" end
    local all = file:read "a"
    file:close()
    return all
  end

  --- Waits until the file has the text; raises with all that there is where it does not come.
  function run.sees(name, what)
    for _ = 1, 1000 do
      if text(name):find(what, 1, true) then return text(name) end
      task.sleep(0.01)
    end
    error(("%q did not come to %s:\n%s\n%s"):format(what, name, text "out", text "err"), 2)
  end
  --- Waits until the script has been reloaded so often.
  function run.reloads(n)
    for _ = 1, 1000 do
      if select(2, text "err":gsub("%.lua reloaded", "")) == n then return end
      task.sleep(0.01)
    end
    error(("not %d reloads:\n%s"):format(n, text "err"), 2)
  end
  function run.says(line, answer)
    run.input:write(line, "\n")
    return run.sees("out", answer .. "\n")
  end
  function run.signal(name) os.execute(("kill -%s %s"):format(name, text "pid")) end
  function run.ends()
    run.input:close()
    running = nil
    return tonumber((run.sees("rc", "\n")))
  end
  run.text = text
  return run
end

local function bot(version, more)
  return ([[
local luna = require "luna"
local Bot = luna.EventHandler:extend "Bot"
%s
function Bot:onUpdateNewMessage(update)
  if update.message.out then return end
  self.state.n = (self.state.n or 0) + 1
  update.message:reply("%s " .. update.message.message .. " " .. self.state.n)
end
return Bot
]]):format(more or "", version)
end

describe("a running bot whose file is saved", function()
  local folder
  before_each(function() folder = cli.folder() end)
  after_each(function()
    if running then
      running.signal "TERM"
      running.ends()
    end
  end)
  teardown(cli.clean)

  it("takes the new version, keeps the old one where the new one is broken, and stays connected", function()
    cli.script(folder, "bot.lua", bot "one")
    local run = begin(folder, "bot.lua")
    run.says("a", "bot: one a 1")

    host.writeFile(folder .. "/bot.lua", bot "two") -- as editors do that replace the file
    run.sees("err", "bot.lua reloaded")
    run.says("b", "bot: two b 2")

    cli.script(folder, "bot.lua", bot("three", "local x = = 1")) -- in place
    local log = run.sees("err", "was not reloaded")
    assert.matches("bot.lua:3: ", log, 1, true)
    assert.matches(">    3 | local x = = 1", run.sees("err", ">    3 |"), 1, true)
    run.says("c", "bot: two c 3")

    cli.script(folder, "words.lua", "return 'four'")
    cli.script(folder, "bot.lua", bot('" .. require "words" .. "')) -- required as late as in the handler
    run.reloads(2)
    run.says("d", "bot: four d 4")
    cli.script(folder, "words.lua", "return 'five'")
    run.reloads(3)
    run.says("e", "bot: five e 5")
    run.sees("err", "bot.lua reloaded (./words.lua)\n")
    assert.equal(0, run.ends())
    assert.equal("bot: one a 1\nbot: two b 2\nbot: two c 3\nbot: four d 4\nbot: five e 5\n", run.text "out")
    local _, logins = run.text("err"):gsub("logged in", "")
    assert.equal(1, logins, run.text "err")
  end)

  it("gives standard input to the new version's readLine, then to the chat", function()
    cli.script(folder, "bot.lua", bot("one", "luna.callFork(function() print('one ' .. luna.readLine()) end)"))
    local run = begin(folder, "bot.lua")
    run.sees("err", "logged in")
    cli.script(folder, "bot.lua", bot("two", "luna.callFork(function() print('two ' .. luna.readLine()) end)"))
    run.reloads(1)
    run.says("a", "two a")
    run.says("b", "bot: two b 1")
    assert.equal(0, run.ends())
  end)

  it("is left alone with --no-watch, until SIGHUP or luna reload comes", function()
    cli.script(folder, "bot.lua", bot "one")
    local run = begin(folder, "bot.lua", "--no-watch")
    run.says("a", "bot: one a 1")
    cli.script(folder, "bot.lua", bot "two")
    task.sleep(0.3) -- longer than a burst is waited for: nothing must happen
    run.says("b", "bot: one b 2")
    run.signal "HUP"
    run.sees("err", "bot.lua reloaded")
    run.says("c", "bot: two c 3")

    local words = { "reload", "bot", state = folder, env = { XDG_RUNTIME_DIR = "" } }
    cli.script(folder, "bot.lua", bot "three")
    local r = cli.run(words)
    assert.equal(0, r.status, r.err)
    run.says("d", "bot: three d 4")
    cli.script(folder, "bot.lua", bot("four", "local x = = 1"))
    r = cli.run(words)
    assert.equal(1, r.status, r.out)
    assert.matches(">    3 | local x = = 1", r.out .. r.err, 1, true)
    run.says("e", "bot: three e 5")
    assert.equal(0, run.ends())

    r = cli.run(words)
    assert.equal(1, r.status)
    assert.matches('no bot "bot" runs', r.err, 1, true)
    assert.matches("or it runs with --no-repl", r.err, 1, true)
    r = cli.run { "reload", state = folder, env = { XDG_RUNTIME_DIR = "" } }
    assert.same({ 1, "" }, { r.status, r.out })
    assert.matches("^luna: no bot of yours runs", r.err)
  end)

  it("is asked for by its name where several run, and a plain script is none", function()
    cli.script(folder, "one.lua", bot "one")
    cli.script(folder, "two.lua", bot "two")
    cli.script(folder, "plain.lua", "local luna = require 'luna' local api = luna.API() api:setCallback(print) api:start() api:loop()")
    local run = begin(folder, "one.lua", "two.lua", "plain.lua")
    run.sees("err", "as @luna_bot")
    local function reload(name)
      local r = cli.run { "reload", state = folder, env = { XDG_RUNTIME_DIR = "" }, name }
      return { r.status, r.out, r.err }
    end
    -- Their sockets come when they have logged in, which may be later than the log's line.
    for i = 1, 100 do
      if reload("two")[1] == 0 and reload("one")[1] == 0 and not reload("plain")[3]:find "no bot" then break end
      assert.is_true(i < 100, run.text "err")
    end
    assert.same({ 2, "", "luna: several bots run: one, plain, two\nluna: luna reload NAME is about one\n" }, reload())
    assert.same({ 1, "", 'luna: no bot "onw" runs; did you mean "one"?\nluna: there are one, plain, two\n' }, reload "onw")
    assert.same({ 1, "", "this is a plain script, which returned no handler: it has to be ended and started again\n" }, reload "plain")
    assert.same({ 0, "reloaded\n", "" }, reload "one.lua")
    cli.script(folder, "two.lua", "x = = 1")
    local r = reload "two"
    assert.same({ 1, "" }, { r[1], r[2] })
    assert.matches("^two.lua:1: unexpected symbol near '='\n>    1 | x = = 1\n", r[3])
  end)

  -- A script that returns these classes, each of which answers with its name and tells of its start and stop.
  local function several(...)
    local parts = { "local luna = require 'luna'", "local list = {}" }
    for _, name in ipairs { ... } do
      parts[#parts + 1] = ([[
        local %s = luna.EventHandler:extend "%s"
        function %s:onStart(reason) print("%s starts: " .. reason, self.state.n) end
        function %s:onStop(reason) print("%s stops: " .. reason) end
        function %s:onUpdateNewMessage(update)
          if update.message.out then return end
          self.state.n = (self.state.n or 0) + 1
          update.message:reply("%s " .. update.message.message .. " " .. self.state.n)
        end
        list[#list + 1] = %s]]):gsub("%%s", name)
    end
    parts[#parts + 1] = "return list"
    return table.concat(parts, "\n")
  end

  it("starts a bot for a handler that is new, and ends that of one that is gone", function()
    cli.script(folder, "bot.lua", several "Shop")
    local run = begin(folder, "bot.lua")
    local words = { state = folder, env = { XDG_RUNTIME_DIR = "" } }
    local function luna(...)
      return cli.run { state = words.state, env = words.env, ... }
    end
    run.says("a", "bot: Shop a 1")
    cli.script(folder, "bot.lua", several("Bank", "Shop"))
    run.sees("err", "logged in as @bot2_bot")
    run.sees("out", "Bank starts: start\tnil\n")
    run.sees("out", "Shop starts: reload\t1\n")
    run.says("b", "bot: Shop b 2") -- by its name, though it is the second now
    local r = luna("repl", "bot2", "--eval", "tostring(handler)")
    assert.same({ 0, '"Bank"\n' }, { r.status, r.out }, r.err)
    r = luna("status", "--json")
    assert.matches('"name": "bot".*"name": "bot2"', r.out)

    cli.script(folder, "bot.lua", several "Bank")
    run.sees("err", "bot: bot.lua has no handler for this bot any more: it ends")
    run.sees("out", "Shop stops: stop\n")
    run.sees("out", "Bank starts: reload\tnil\n")
    run.says("c", "bot2: Bank c 1") -- the chat goes on with who is left
    r = luna("repl", "bot", "--eval", "1")
    assert.equal(1, r.status)
    assert.matches('no bot "bot" runs', r.err, 1, true)
    r = luna("status", "--json")
    assert.not_matches('"name": "bot"', r.out, 1, true)

    cli.script(folder, "bot.lua", several("Bank", "Shop")) -- who ended may come back
    run.reloads(3)
    for i = 1, 1000 do
      if select(2, run.text "out":gsub("Shop starts: start\tnil", "")) == 2 then break end
      assert.is_true(i < 1000, run.text "err")
      task.sleep(0.01)
    end
    run.says("d", "bot2: Bank d 2")
    assert.equal(0, run.ends())
    assert.not_matches("ERROR", run.text "err", 1, true)
  end)

  it("goes on where all that ran have ended, and who is new has yet to log in", function()
    cli.script(folder, "bot.lua", several "Shop")
    local run = begin(folder, "bot.lua")
    run.says("a", "bot: Shop a 1")
    cli.script(folder, "next.lua", several "Bank")
    -- While this one is loaded the next is saved: Shop ends in the turn in which Bank begins to connect.
    cli.script(folder, "bot.lua", several("Bank", "Shop") .. [[
      , os.execute "mv next.lua bot.lua", os.execute("kill -HUP " .. io.open("/proc/self/stat"):read "n")]])
    run.sees("err", "bot: bot.lua has no handler for this bot any more: it ends")
    run.says("b", "bot2: Bank b 1") -- what is said meanwhile waits for who is new
    assert.equal(0, run.ends())
  end)

  it("ends with an error where the only one that is left cannot log in", function()
    cli.script(folder, "bot.lua", several "Shop")
    local run = begin(folder, "bot.lua")
    run.says("a", "bot: Shop a 1")
    cli.script(folder, "bot.lua", several("Bank", "Shop"):gsub("return list", [[
      local host, task = require "_luna.host", require "_luna.task"
      function Bank:init(api)
        api._core.boot = function()
          while not host.readFile "go" do task.sleep(0.01) end
          error(luna.Exception "the token is refused")
        end
      end
      return list]]))
    run.reloads(1)
    cli.script(folder, "bot.lua", several "Bank") -- it has yet to log in
    run.sees("out", "Shop stops: stop\n")
    cli.script(folder, "go", "")
    run.sees("err", "the token is refused\n")
    assert.equal(1, run.ends())
  end)

  it("runs the rest of a version one of whose handlers cannot start", function()
    cli.script(folder, "bot.lua", bot "one")
    local run = begin(folder, "bot.lua")
    run.says("a", "bot: one a 1")
    -- Its init raises: that is an error of the script's, and nothing of it runs.
    cli.script(folder, "bot.lua", several("Bot", "Bad"):gsub("return list", "function Bad:init() error 'not so' end %0"))
    run.sees("err", "was not reloaded, the version before goes on: bot.lua:")
    run.says("b", "bot: one b 2")
    assert.not_matches("logged in as @bot2_bot", run.text "err", 1, true)
    -- It is refused: the others run.
    cli.script(folder, "bot.lua", several("Bot", "Bad"):gsub("return list", [[
      function Bad:init(api)
        api._core.boot = function() error(luna.Exception "the token is refused") end
      end
      return list]]))
    run.sees("err", "bot.lua: bot2 was not started, the other handlers run: the token is refused")
    run.says("c", "bot: Bot c 3")
    assert.equal(0, run.ends())
  end)

  it("takes settings that may change, and names those that take a new start", function()
    local function with(version, settings, more)
      return bot(version, ("Bot.settings = %s\n%s"):format(settings, more or ""))
    end
    cli.script(folder, "bot.lua", with("one", "{ floodTimeout = 10 }"))
    local run = begin(folder, "bot.lua")
    run.says("a", "bot: one a 1")
    cli.script(folder, "bot.lua", with("two",
      "{ floodTimeout = 20, durability = 'full', transport = 'full', logger = { level = 'verbose' } }",
      "function Bot:onStart() self:logger('heard', luna.Logger.VERBOSE) print(self._core.settings.floodTimeout) end"))
    run.sees("err", "WARNING bot: bot.lua: needs a restart: the settings durability, transport have changed; the rest of the new version")
    run.sees("out", "20\n")
    run.sees("err", "VERBOSE bot: heard")
    run.says("b", "bot: two b 2")
    local r = cli.run { "reload", "bot", state = folder, env = { XDG_RUNTIME_DIR = "" } }
    assert.equal(0, r.status)
    assert.matches("^reloaded\nbot.lua: needs a restart: the settings durability, transport have changed; [^\n]+\n$", r.out)
    cli.script(folder, "bot.lua", with("three", "{ durability = 'often' }"))
    run.sees("err", 'was not reloaded, the version before goes on: bot.lua: Bot.settings: setting "durability" is "often"')
    run.says("c", "bot: two c 3")
  end)

  it("reads the settings file anew, which may come and go", function()
    cli.script(folder, "bot.lua", bot("one", "function Bot:onStart() print('flood ' .. self._core.settings.floodTimeout) end"))
    local run = begin(folder, "bot.lua")
    run.sees("out", "flood 60\n")
    cli.script(folder, "luna.conf.lua", "return { floodTimeout = 7, botToken = '1:another-token' }")
    run.sees("out", "flood 7\n")
    run.sees("err", "needs a restart: the setting botToken has changed")
    assert.not_matches("another-token", run.text "err", 1, true)
    cli.script(folder, "luna.conf.lua", "return {\n  floodTimeout = = 8 }")
    run.sees("err", "was not reloaded, the version before goes on: the settings file does not compile: luna.conf.lua:2:")
    run.sees("err", ">    2 |   floodTimeout = = 8 }")
    cli.script(folder, "luna.conf.lua", "return { flodTimeout = 8 }")
    run.sees("err", 'luna.conf.lua: unknown setting "flodTimeout"; did you mean "floodTimeout"?')
    run.says("a", "bot: one a 1")
    cli.script(folder, "luna.conf.lua", "return { floodTimeout = 8 }")
    run.sees("out", "flood 8\n")
    os.remove(folder .. "/luna.conf.lua")
    for i = 1, 1000 do
      if select(2, run.text "out":gsub("flood 60\n", "")) == 2 then break end
      assert.is_true(i < 1000, run.text "err")
      task.sleep(0.01)
    end
    assert.equal(0, run.ends())
  end)
end)
