local cli = dofile((debug.getinfo(1, "S").source:match "^@(.*/)" or "") .. "support.lua")
local host = require "_luna.host"

-- The first line of standard error, and the status.
local function fails(status, pattern, opts)
  local r = cli.run(opts)
  assert.equal(status, r.status, r.err)
  assert.equal("", r.out)
  assert.matches(pattern, r.err:match "^[^\n]*")
  return r
end

describe("luna", function()
  local folder
  local app = { LUNA_API_ID = "1", LUNA_API_HASH = "hash" }
  setup(function() folder = cli.folder() end)
  teardown(cli.clean)

  local handler = [[
    local luna = require "luna"
    local E = luna.EventHandler:extend "E"
    function E:onAny() end
    return E
  ]]

  it("says what it is and what it can", function()
    assert.matches("^luna %d+%.%d+%.%d+ %(layer %d+, Lua 5%.4%)\n$", cli.run { "--version" }.out)
    local help = cli.run { "--help" }
    assert.equal(0, help.status)
    for _, name in ipairs { "run", "test", "sandbox", "new", "help", "login", "logout", "status", "service", "doctor" } do
      assert.matches("\n  " .. name .. " ", help.out)
      local own = cli.run { name, "--help" }
      assert.equal(0, own.status)
      assert.matches("^usage: luna " .. name, own.out)
    end
  end)

  it("refuses wrong use with 2", function()
    assert.equal(2, cli.run({}).status)
    fails(2, 'unknown command "rnu"; did you mean "run"%?', { "rnu" })
    fails(2, "unknown option %-%-sandbx; did you mean %-%-sandbox%?", { "run", "--sandbx", "x.lua" })
    fails(2, "FILE is missing", { "run" })
    fails(2, "%-%-dc x: it is ID=HOST:PORT", { "run", "x.lua", "--dc", "x" })
    fails(2, "%-%-transport carrier", { "run", "x.lua", "--transport", "carrier" })
    fails(2, '%-%-log "loud" is no log level', { "run", "x.lua", "--log", "loud" })
    fails(2, "listen address x:99999", { "sandbox", "--listen", "x:99999" })
    fails(2, "loopback addresses alone", { "sandbox", "--listen", "8.8.8.8:0" })
    fails(2, "the token of a_bot is not of the form", { "sandbox", "--bot", "a_bot=bad" })
    fails(2, "%-%-sandbox and %-%-dc exclude each other", { "run", "x.lua", "--sandbox", "--dc", "2=127.0.0.1:1" })
    for _, limit in ipairs { "0", "x", "nan", "1e999" } do
      fails(2, "%-%-record%-limit " .. limit .. ": it is a number", { "run", "x.lua", "--record", folder .. "/r", "--record-limit", limit })
    end
    fails(2, "%-%-seed x: a whole number", { "test", "--seed", "x", cli.script(folder, "one_spec.lua", "") })
    fails(2, "%-%-token is for one file", { "run", "x.lua", "y.lua", "--token", "1:aaaaaaaa" })
  end)

  it("refuses files that cannot be read with 2", function()
    fails(2, "the script /nonexistent%.lua cannot be read: No such file", { "run", "/nonexistent.lua" })
    local script = cli.script(folder, "ok.lua", handler)
    fails(2, "the key file /nonexistent%.pem cannot be read", { "run", script, "--dc-key", "/nonexistent.pem" })
    fails(2, "the record .* cannot be read: Is a directory", { "replay", folder, script })
    local r = cli.run { "stubs", script .. "/x" }
    assert.equal(1, r.status)
    assert.matches("^luna: the stubs cannot be written: [^\n]*\n$", r.err)
    fails(2, "holds no public key", { "run", script, "--dc-key", script })
    fails(2, "the session path /nonexistent/x cannot be used", { "run", script, "--session", "/nonexistent/x" })
    fails(2, "is a folder", { "run", script, "--session", folder })
    fails(2, "the settings file /nonexistent cannot be read", { "run", script, "--config", "/nonexistent" })
  end)

  it("wants a token and an app id, before it connects", function()
    local script = cli.script(folder, "ok.lua", handler)
    local session = folder .. "/a.session"
    fails(2, "LUNA_API_ID and LUNA_API_HASH", { "run", script, "--session", session, env = { LUNA_BOT_TOKEN = "1:aaaaaaaa" } })
    fails(2, "no bot token and no saved session", { "run", script, "--session", session, env = app })
    assert.is_nil((host.stat(session))) -- nobody logged in to it
    fails(2, "the bot token is not digits, a colon and letters", { "run", script, "--session", session, "--token", "abc", env = app })
    fails(2, "the bot token is not digits", { "run", script, "--session", session,
      env = { LUNA_BOT_TOKEN = "1:a b", LUNA_API_ID = "1", LUNA_API_HASH = "hash" } })
    assert.is_nil((host.stat(session)))
    fails(2, "LUNA_API_ID is not a number", { "run", script, "--session", session, env = { LUNA_API_ID = "x", LUNA_API_HASH = "y" } })
  end)

  it("ends with 1 where a script fails, naming file and line", function()
    fails(1, "syntax%.lua:2: ", { "run", cli.script(folder, "syntax.lua", "local a = 1\nlocal = 2\n") })
    local raising = cli.script(folder, "raise.lua", "\nlocal function f() error 'boo' end\nf()\n")
    local raised = fails(1, "^luna: .*raise%.lua:2: boo$", { "run", raising })
    assert.matches("raise%.lua:3: in ", raised.err)
    fails(1, "object%.lua:2: out of luck", {
      "run", cli.script(folder, "object.lua", "local luna = require 'luna'\nerror(luna.Exception 'out of luck')\n"),
    })
    fails(2, '^luna: .*settings%.lua:2: luna%.API: unknown setting "botTokn"; did you mean "botToken"%?$', {
      "run", cli.script(folder, "settings.lua", "local luna = require 'luna'\nluna.API { botTokn = '1' }\n"),
    })
    fails(1, "five%.lua returned a number", { "run", cli.script(folder, "five.lua", "return 5") })
    fails(1, 'onUpdateNewMesage: there is no such update; did you mean "onUpdateNewMessage"', {
      "run", cli.script(folder, "typo.lua", (handler:gsub("onAny", "onUpdateNewMesage"))),
    })
    fails(1, "dead%.lua:2: this wait can never end", {
      "run", cli.script(folder, "dead.lua", "local luna = require 'luna'\nluna.await(luna.Deferred():promise())\n"),
    })
  end)

  it("ends with 1 where nothing listens and there is no session yet", function()
    local script = cli.script(folder, "ok.lua", handler)
    local config = cli.script(folder, "quick.conf.lua", "return { connection = { timeout = 1 } }")
    local r = cli.run {
      "run", script, "--dc", "2=127.0.0.1:1", "--session", folder .. "/b.session", "--config", config, "--token", "1234567:aaaaaaaa",
      env = app,
    }
    assert.equal(1, r.status)
    assert.matches("luna: no connection to DC 2 %(127%.0%.0%.1:1%) within 1 s", r.err)
    assert.is_nil(r.err:find("aaaaaaaa", 1, true))
  end)

  it("runs a plain script to its end, from a file or standard input", function()
    local script = cli.script(folder, "plain.lua", [[
      local luna = require "luna"
      print("hello", (...):match "[^/]+$")
      luna.callFork(function() luna.sleep(0.05) print "forked" end)
      luna.sleep(0.01)
      print "slept"
    ]])
    local r = cli.run { "run", script }
    assert.same({ 0, "hello\tplain.lua\nslept\nforked\n", "" }, { r.status, r.out, r.err })
    r = cli.run { "run", "-", input = "print(1 + 1)" }
    assert.same({ 0, "2\n", "" }, { r.status, r.out, r.err })
    assert.equal(3, cli.run({ "run", "-", input = "os.exit(3)" }).status)
  end)

  it("starts programs that end by a broken pipe as they do elsewhere, and does not end by one itself", function()
    local script = cli.script(folder, "pipes.lua", [[
      local pipe = io.popen "yes | head -1"
      io.write(pipe:read "a")
      pipe:close()
      os.execute "yes | head -1"
      local gone = io.popen("true", "w")
      require("luna").sleep(0.1)
      for _ = 1, 100 do gone:write(("x"):rep(10000)) end
      print "still here"
    ]])
    local r = cli.run { "run", script }
    assert.same({ 0, "y\ny\nstill here\n", "" }, { r.status, r.out, r.err })
  end)

  it("runs where it is given no standard files at all", function()
    local path = folder .. "/said.txt"
    local script = cli.script(folder, "closed.lua", [[
      local luna = require "luna"
      local file = io.open(os.getenv "SAID", "w")
      print "to nobody"
      luna.echo "to nobody"
      luna.logger "to nobody"
      file:write(tostring(luna.readLine "? "), " ", tostring(luna.readLine()))
      file:close()
    ]])
    local _, kind, status = os.execute(("SAID='%s' '%s' run '%s' <&- >&- 2>&-"):format(path, cli.program, script))
    assert.same({ "exit", 0 }, { kind, status })
    local file <close> = assert(io.open(path))
    assert.equal("nil nil", file:read "a")
  end)

  it("ends by os.exit in a handler, which does not go on, and without an error", function()
    local script = cli.script(folder, "quitter.lua", [[
      local luna = require "luna"
      local Quitter = luna.EventHandler:extend "Quitter"
      function Quitter:onUpdateNewMessage(update)
        if update.message.out then return end
        print "bye"
        os.exit(5)
        print "never"
      end
      function Quitter:onStop() print "stopped" end
      return Quitter
    ]])
    local r = cli.run { "run", script, "--sandbox", input = "quit\n" }
    assert.same({ 5, "bye\nstopped\n" }, { r.status, r.out }, r.err)
    assert.is_nil(r.err:find("failed", 1, true), r.err)
  end)

  it("ends cleanly at SIGTERM and SIGINT", function()
    for _, name in ipairs { "TERM", "INT" } do
      local script = cli.script(folder, name .. ".lua", ([[
        local luna = require "luna"
        -- From the background: while system() runs, SIGINT is ignored.
        os.execute("(sleep 0.1; kill -%s " .. io.open("/proc/self/stat"):read "n" .. ") &")
        luna.sleep(20)
        print "never"
      ]]):format(name))
      local r = cli.run { "run", script }
      assert.same({ 0, "" }, { r.status, r.out })
    end
  end)

  it("writes a bot and its spec, once", function()
    local r = cli.run { "new", "dice_game", cd = folder }
    assert.same({ 0, "dice_game.lua\nspec/dice_game_spec.lua\n" }, { r.status, r.out })
    assert.matches("^try it: [^\n]* run dice_game%.lua %-%-sandbox\n", r.err)
    local tested = cli.run { "test", cd = folder }
    assert.same({ 0, "3 passed, 0 failed, 0 skipped\n" }, { tested.status, tested.out }, tested.err)
    fails(2, "there is a file dice_game%.lua already", { "new", "dice_game", cd = folder })
    fails(2, "is no name for a bot: letters, digits and _, a letter first, as x$", { "new", "../x", cd = folder })
    fails(2, "a letter first, as order_bot$", { "new", "order-bot", cd = folder })
    fails(2, "a letter first$", { "new", "9x", cd = folder })
  end)

  it("writes files that others may read where the umask lets them, unlike a session", function()
    local program = host.realpath(cli.program)
    for mask, modes in pairs { ["022"] = { 420, 493 }, ["077"] = { 384, 448 } } do
      local place = cli.folder()
      assert.truthy(os.execute(("cd '%s' && umask %s && '%s' new open >/dev/null 2>&1"):format(place, mask, program)))
      local found = {}
      for i, name in ipairs { "open.lua", "spec", ".luarc.json", ".luna/stubs" } do found[i] = host.stat(place .. "/" .. name).mode end
      assert.same({ modes[1], modes[2], modes[1], modes[2] }, found)
    end
  end)

  it("writes what an editor wants beside a bot, and leaves what is there", function()
    local json = require "luna.json"
    local place = cli.folder()
    assert.equal(0, cli.run({ "new", "first", cd = place }).status)
    local settings = json.decode((assert(host.readFile(place .. "/.luarc.json"))))
    local library = settings["workspace.library"][1]
    assert.equal("Lua 5.4", settings["runtime.version"])
    assert.truthy(host.readFile(("%s/%s/luna.lua"):format(place, library)))
    assert.equal("*\n", (host.readFile(place .. "/.luna/.gitignore")))
    assert.is_true(host.writeFile(place .. "/.luarc.json", "{}", 420))
    assert.equal(0, cli.run({ "new", "second", cd = place }).status)
    assert.equal("{}", (host.readFile(place .. "/.luarc.json")))
    local r = cli.run { "stubs", "elsewhere", cd = place }
    assert.equal(0, r.status)
    assert.matches("^%d+ files in elsewhere\n$", r.err)
    assert.truthy(host.readFile(place .. "/elsewhere/luna/sandbox.lua"))
  end)

  it("explains the schema", function()
    local r = cli.run { "help", "messages.sendMessage" }
    assert.equal(0, r.status)
    assert.matches("^api%.messages%.sendMessage{ %.%.%. }: Updates\n", r.out)
    assert.matches("\n  peer%s+InputPeer%s", r.out)
    assert.is_nil(r.out:find "\27") -- no terminal, no colours
    assert.matches("function Bot:onUpdateNewMessage%(update%)", cli.run({ "help", "onUpdateNewMessage" }).out)
    assert.matches("inputPeerSelf", cli.run({ "help", "InputPeer" }).out)
    fails(2, 'did you mean "messages%.sendMessage"', { "help", "mesages.sendMessage" })
  end)

  it("runs specs and counts them", function()
    cli.script(folder, "some_spec.lua", [[
      describe("some", function()
        it("waits", function() require("luna").sleep(0.01) end)
        it("fails", function() assert.equal(1, 2) end)
        it("breaks", function() error "broken" end)
        pending "later"
      end)
    ]])
    local r = cli.run { "test", folder .. "/some_spec.lua" }
    assert.equal(1, r.status)
    assert.equal("1 passed, 2 failed, 1 skipped", r.out:match "([^\n]*)\n$")
    assert.matches("not ok %- some fails %(.*some_spec%.lua:3%)", r.out)
    r = cli.run { "test", folder .. "/some_spec.lua", "--filter", "waits" }
    assert.same({ 0, "1 passed, 0 failed, 0 skipped\n" }, { r.status, r.out })
    r = cli.run { "test", cli.script(folder, "tests.lua", "describe('x', function() it('y', function() end) end)") }
    assert.same({ 0, "1 passed, 0 failed, 0 skipped\n" }, { r.status, r.out }, r.err)
    fails(2, "there is no file or folder /nonexistent", { "test", "/nonexistent" })
  end)
end)
