local cli = dofile((debug.getinfo(1, "S").source:match "^@(.*/)" or "") .. "support.lua")
local json = require "luna.json"

-- It fails at "bad", holds the loop at "slow", waits for ever at "wait", asks at "ask", loads itself anew at "again".
local script = [[
  local luna = require "luna"
  local Bot = luna.EventHandler:extend "Bot"
  function Bot:onStart(reason)
    if reason ~= "start" then return end
    luna.sleep(0.01) -- until after the turn in which the program listens
    print("up " .. io.open("/proc/self/stat"):read "n")
  end
  function Bot:onUpdateNewMessage(update)
    local text = update.message.message
    if update.message.out then return end
    if text == "bad" then error "no 123456789:AAEcanarycanarycanarycanary" end
    if text == "slow" then
      local till = os.clock() + 0.3
      repeat until os.clock() > till
    end
    update.message:reply("did " .. text)
    if text == "wait" then luna.sleep(1000) end
    if text == "ask" then update.message:ask "well" end
  end
  return Bot
]]

describe("luna status", function()
  local folder, started
  before_each(function()
    folder, started = cli.folder(), {}
  end)
  after_each(function()
    for _, bot in ipairs(started) do
      if bot.pid then os.execute("kill -9 " .. bot.pid .. " 2>/dev/null") end
      bot.pipe:close()
      bot.hold:close()
    end
    cli.clean()
  end)

  local function start(name, ...)
    local path, hold = cli.script(folder, name .. ".lua", script), ("%s/%s.in"):format(folder, name)
    os.execute(("mkfifo '%s'"):format(hold))
    local command = "env -u XDG_RUNTIME_DIR XDG_STATE_HOME='%s' timeout -k 1 60 '%s' run '%s' --sandbox %s 2>/dev/null <'%s'"
    local bot = { pipe = assert(io.popen(command:format(folder, cli.program, path, table.concat({ ... }, " "), hold))) }
    bot.hold = assert(io.open(hold, "w"))
    bot.hold:setvbuf "line"
    bot.pid = (bot.pipe:read "l" or "it has ended"):match "^up (%d+)$"
    started[#started + 1] = bot
    assert.is_string(bot.pid)
    function bot.say(text, answer)
      bot.hold:write(text, "\n")
      if answer then assert.equal(answer, bot.pipe:read "l") end
    end
    return bot
  end

  local function status(...) return cli.run { "status", state = folder, ... } end

  it("ends with 3 where nothing runs", function()
    local r = status()
    assert.same({ 3, "no bot of yours runs\n" }, { r.status, r.out })
    assert.same({ 3, "[]\n" }, { status("--json").status, status("--json").out })
    local bot = start "first"
    r = status "second"
    assert.same({ 3, 'no bot "second" runs; there are first\n' }, { r.status, r.out })
    assert.matches('no bot "frist" runs; did you mean "first"', status("frist").out)
    os.execute("kill -9 " .. bot.pid) -- its socket stays
    bot.pipe:read "a"
    assert.equal(3, status().status)
  end)

  it("says how a bot fares", function()
    local bot = start "first"
    bot.say("one", "first: did one")
    bot.say "bad"
    bot.say("slow", "first: did slow")
    bot.say("wait", "first: did wait")
    local r = status("--json")
    assert.equal(0, r.status, r.err)
    local s = json.decode(r.out)[1]
    assert.same({ "first", "first_bot", "up", tonumber(bot.pid), folder .. "/first.lua" }, { s.name, s.username, s.state, s.pid, s.script })
    assert.same({ 2, "up", 0 }, { s.connection.dc, s.connection.state, s.connection.reconnects })
    assert.same({ 1, 0, 1 }, { s.handlers.running, s.handlers.waiting, s.handlers.failed })
    assert.is_true(s.updates.total >= 7, r.out) -- four that came, three that it sent
    assert.is_true(s.updates.perSecond1 > 0)
    assert.equal(1, s.stalls.count)
    assert.matches("first%.lua:1[34]$", s.stalls.where)
    assert.is_true(s.memory.resident > 1000 and s.memory.lua > 100, r.out)
    assert.matches("the handler of updateNewMessage failed: .*first.lua:11: no 123456789:%*%*%*$", s.lastError.text)
    assert.is_nil(r.out:find "canary")

    r = status()
    assert.equal(0, r.status)
    assert.matches("^first  @first_bot  pid " .. bot.pid .. ", up %d+ s, luna", r.out)
    assert.matches("\n  connection  DC 2 %(127%.0%.0%.1:%d+%), connected for %d+ s\n", r.out)
    assert.matches("\n  handlers    1 running, 0 waiting, 1 failed\n", r.out)
    assert.matches("\n  loop        held for too long 1 time, last at %d%d:%d%d:%d%d by [^\n]*first%.lua:1%d\n", r.out)
    assert.matches("\n  last error  %d%d:%d%d:%d%d the handler", r.out)
  end)

  it("counts reloads, and what waits in the store for a handler that has not ended", function()
    local bot = start("first", "--session", folder .. "/a.session")
    bot.say("wait", "first: did wait")
    local s
    for _ = 1, 100 do -- the commit takes its time
      s = json.decode(status("first", "--json").out)[1]
      if s.store.inbox == 1 then break end
    end
    assert.equal(1, s.store.inbox)
    assert.equal(0, s.reloads)
    assert.equal(0, cli.run({ "reload", "first", state = folder }).status)
    s = json.decode(status("first", "--json").out)[1]
    assert.same({ 1, folder .. "/a.session" }, { s.reloads, s.session })
    assert.matches("first%.lua, 1 reload\n", status().out)
  end)

  it("counts questions that nobody has answered", function()
    local bot = start "first"
    bot.say("ask", "first: did ask")
    assert.equal("first: well", bot.pipe:read "l")
    local s = json.decode(status("--json").out)[1]
    assert.same({ 1, 1 }, { s.handlers.running, s.handlers.asking })
    assert.matches("\n  handlers    1 running %(1 question open%), 0 waiting, 0 failed\n", status().out)
    bot.say "fine"
    for _ = 1, 100 do
      s = json.decode(status("--json").out)[1]
      if s.handlers.running == 0 then break end
    end
    assert.same({ 0, 0 }, { s.handlers.running, s.handlers.asking })
  end)

  it("knows a plain script by its API object", function()
    local path = cli.script(folder, "plain.lua", [[
      local luna = require "luna"
      local api = luna.API()
      secret = 41
      api:setCallback(function() end)
      api:loop(function()
        api:start()
        print(io.open("/proc/self/stat"):read "n")
        luna.sleep(1000)
      end)
    ]])
    local command = "env -u XDG_RUNTIME_DIR XDG_STATE_HOME='%s' timeout -k 1 60 '%s' run '%s' --sandbox 2>/dev/null"
    local pipe = assert(io.popen(command:format(folder, cli.program, path)))
    local pid = pipe:read "l"
    started[1] = { pid = pid, pipe = pipe, hold = io.tmpfile() }
    local s = json.decode(status("--json").out)[1]
    assert.same({ "plain", path, "up", tonumber(pid) }, { s.name, s.script, s.state, s.pid })
    local r = cli.run { "repl", "plain", "--eval", "secret + 1", state = folder }
    assert.same({ 0, "42\n" }, { r.status, r.out }, r.err)
  end)

  it("shows several as a table, and says which does not answer", function()
    local first = start "first"
    start "second"
    local r = status()
    assert.equal(0, r.status)
    assert.matches("^BOT +PID +UP +CONNECTION", r.out)
    assert.matches("\nfirst +" .. first.pid .. " +%d+ s +up +", r.out)
    assert.matches("\nsecond +%d+ +%d+ s +up +", r.out)
    assert.matches("^second  @second_bot", status("second").out)
    os.execute("kill -STOP " .. first.pid)
    r = status()
    os.execute("kill -CONT " .. first.pid)
    assert.equal(4, r.status)
    assert.matches("\nfirst +does not answer\n", r.out)
    assert.matches("\nsecond +%d+ +", r.out)
  end)

  it("goes on until it is ended with --watch", function()
    start "first"
    local r = cli.run { "status", "--watch", "0.2", state = folder, seconds = 1 }
    local _, n = r.out:gsub("first  @first_bot", "")
    assert.is_true(n >= 2 and n <= 6, r.out)
    assert.equal(2, status("--watch", "x").status)
  end)
end)
