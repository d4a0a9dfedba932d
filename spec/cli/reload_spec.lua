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
    for i = 1, 1000 do -- the log has the line once already
      if select(2, run.text("err"):gsub("bot.lua reloaded", "")) == 2 then break end
      assert.is_true(i < 1000, run.text "err")
      task.sleep(0.01)
    end
    run.says("d", "bot: four d 4")
    cli.script(folder, "words.lua", "return 'five'")
    for i = 1, 1000 do
      if select(2, run.text("err"):gsub("bot.lua reloaded", "")) == 3 then break end
      assert.is_true(i < 1000, run.text "err")
      task.sleep(0.01)
    end
    run.says("e", "bot: five e 5")
    assert.equal(0, run.ends())
    assert.equal("bot: one a 1\nbot: two b 2\nbot: two c 3\nbot: four d 4\nbot: five e 5\n", run.text "out")
    local _, logins = run.text("err"):gsub("logged in", "")
    assert.equal(1, logins, run.text "err")
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
  end)
end)
