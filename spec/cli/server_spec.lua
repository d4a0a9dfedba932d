local cli = dofile((debug.getinfo(1, "S").source:match "^@(.*/)" or "") .. "support.lua")

-- A sandbox in a process of its own, and what `luna` does with it as with any server.
describe("luna against a server", function()
  local folder, server, env, where
  local started = [[
    local luna = require "luna"
    local Bot = luna.EventHandler:extend "Bot"
    function Bot:onStart()
      print("started as " .. self.API:getSelf().username)
      os.exit(0)
    end
    return Bot
  ]]

  setup(function()
    folder = cli.folder()
    local command = "echo $$; exec timeout 900 '%s' sandbox --dc 2 --dc 4 --bot first_bot=7001:abcdefgh"
    server = { pipe = assert(io.popen(command:format(cli.program))) }
    server.pid = server.pipe:read "l"
    server.lines = {}
    for line in server.pipe:lines() do
      table.insert(server.lines, line)
      if line == "ready" then break end
    end
    server.address = server.lines[1]:match "^listen (.+)$"
    server.key = server.lines[5]:match "^key (.+)$"
    env = { LUNA_API_ID = "1", LUNA_API_HASH = "hash", LUNA_BOT_TOKEN = "7001:abcdefgh" }
    where = "2=" .. server.address
  end)
  teardown(function()
    os.execute("kill " .. server.pid)
    server.pipe:close()
    cli.clean()
  end)

  local function run(opts)
    local words = { "run", opts.script or cli.script(folder, "bot.lua", started), "--dc", where, "--dc-key", opts.key or server.key }
    for _, word in ipairs(opts) do words[#words + 1] = word end
    words.env, words.state = opts.env or env, opts.state or folder
    return cli.run(words)
  end

  it("is told by the sandbox where it is", function()
    assert.matches("^listen 127%.0%.0%.1:%d+$", server.lines[1])
    assert.equal("dc 2", server.lines[2])
    assert.matches("^listen 127%.0%.0%.1:%d+$", server.lines[3])
    assert.equal("dc 4", server.lines[4])
    assert.equal("bot first_bot 7001:abcdefgh", server.lines[6])
    assert.equal("ready", server.lines[7])
    local pem = assert(io.open(server.key)):read "a"
    assert.matches("^%-%-%-%-%-BEGIN RSA PUBLIC KEY%-%-%-%-%-\n", pem)
  end)

  it("logs in and says who it is, by every framing", function()
    for _, framing in ipairs { "abridged", "intermediate", "padded", "full" } do
      for _, prefix in ipairs { "", "obfuscated-" } do
        local r = run { "--transport", prefix .. framing, "--session", folder .. "/" .. prefix .. framing }
        assert.same({ 0, "started as first_bot\n" }, { r.status, r.out }, r.err)
      end
    end
  end)

  it("needs no token once there is a session, and never shows one", function()
    local session = folder .. "/kept.session"
    local first = run { "--session", session, "--log", "ultra_verbose" }
    assert.equal(0, first.status, first.err)
    assert.is_nil(first.err:find("abcdefgh", 1, true))
    local r = run { "--session", session, env = { LUNA_API_ID = "1", LUNA_API_HASH = "hash" } }
    assert.same({ 0, "started as first_bot\n" }, { r.status, r.out }, r.err)
  end)

  it("takes the token of the script's own name first", function()
    local own = { LUNA_API_ID = "1", LUNA_API_HASH = "hash", LUNA_BOT_TOKEN = "7001:abcdefgh", LUNA_BOT_TOKEN_BOT = "7002:hgfedcba" }
    local r = run { env = own, "--session", folder .. "/own.session" }
    assert.same({ 0, "started as bot7002_bot\n" }, { r.status, r.out }, r.err)
    r = run { env = own, "--session", folder .. "/flag.session", "--token", "7003:hgfedcba" }
    assert.same({ 0, "started as bot7003_bot\n" }, { r.status, r.out }, r.err)
  end)

  it("takes the token from a file of the service manager, after the environment", function()
    local credentials = cli.folder()
    cli.script(credentials, "LUNA_BOT_TOKEN", "7004:abcdefgh\n")
    local r = run { env = { CREDENTIALS_DIRECTORY = credentials }, "--session", folder .. "/credential.session" }
    assert.same({ 0, "started as bot7004_bot\n" }, { r.status, r.out }, r.err)
    r = run {
      env = { CREDENTIALS_DIRECTORY = credentials, LUNA_BOT_TOKEN = "7005:abcdefgh" }, "--session", folder .. "/variable.session",
    }
    assert.same({ 0, "started as bot7005_bot\n" }, { r.status, r.out }, r.err)
  end)

  it("says what has kept a file of the service manager from being read, where it is wanted", function()
    local credentials = cli.folder()
    assert(require("_luna.host").mkdirs(credentials .. "/LUNA_BOT_TOKEN"))
    local given = { CREDENTIALS_DIRECTORY = credentials }
    local r = run { env = given, "--session", folder .. "/unread.session" }
    assert.equal(2, r.status)
    assert.matches("no bot token and no saved session: .* %(a credential of the service manager cannot be read: "
      .. "[^\n]*/LUNA_BOT_TOKEN: Is a directory%)\n", r.err)
    r = run { env = given, "--session", folder .. "/unread.session", "--token", "7006:abcdefgh" }
    assert.same({ 0, "started as bot7006_bot\n" }, { r.status, r.out }, r.err)
  end)

  it("ends with 1 where the server has another key, the token is refused", function()
    local other = cli.script(folder, "other.pem", (require("_luna.crypto").rsaPublic(require("_luna.crypto").generateRsa())))
    local r = run { key = other, "--session", folder .. "/c.session" }
    assert.equal(1, r.status, r.err)
    assert.matches("luna: DC 2 %(127%.0%.0%.1:%d+%): the server offers no key that is pinned", r.err)
    r = run { env = { LUNA_API_ID = "1", LUNA_API_HASH = "hash", LUNA_BOT_TOKEN = "7001:short" }, "--session", folder .. "/d.session" }
    assert.equal(1, r.status, r.err)
    assert.matches("luna: the bot token is refused", r.err)
    assert.is_nil(r.err:find("7001:short", 1, true))
  end)

  it("refuses a session that another process uses", function()
    local session = folder .. "/busy.session"
    local inner = cli.script(folder, "inner.lua", started)
    local outer = cli.script(folder, "outer.lua", ([[
      local luna = require "luna"
      local Bot = luna.EventHandler:extend "Bot"
      function Bot:onStart()
        os.execute("%s run %s --dc %s --dc-key %s --session %s 2>&1; echo $?")
        os.exit(0)
      end
      return Bot
    ]]):format(cli.program, inner, where, server.key, session))
    local r = run { script = outer, "--session", session }
    assert.equal(0, r.status, r.err)
    assert.matches("luna: the session .*busy%.session is in use by process %d+: end that one[^\n]*\n1\n$", r.out)
  end)

  it("leaves a damaged session as it is", function()
    local session = cli.script(folder, "damaged.session", ("no database "):rep(1000))
    local r = run { "--session", session }
    assert.equal(1, r.status, r.err)
    assert.matches("luna: the session .*damaged%.session is not a session[^\n]*: move it away", r.err)
    assert.equal(("no database "):rep(1000), assert(io.open(session)):read "a")
  end)

  it("leaves a damaged sandbox as it is, and says so in one line", function()
    local session = folder .. "/kept.session"
    local data = cli.script(folder, "kept.session.sandbox", "no sandbox")
    for _, words in ipairs { { "run", started, "--sandbox", "--session", session }, { "sandbox", "--data", data } } do
      local r = cli.run(words)
      assert.equal(1, r.status, r.err)
      assert.matches("^luna %l+: the sandbox's data in [^\n]*kept%.session%.sandbox is damaged and was left as it was: "
        .. "move it away to start anew\n$", r.err)
      assert.equal("no sandbox", assert(io.open(data)):read "a")
    end
    local r = cli.run { "run", started, "--sandbox", "--session", folder .. "/no/such/folder" }
    assert.not_matches("traceback", r.err)
    os.remove(data)
    assert(os.execute("mkdir " .. data))
    r = cli.run { "run", started, "--sandbox", "--session", session }
    assert.equal(2, r.status, r.err)
    assert.matches("^luna run: the sandbox's data cannot be read: [^\n]*kept%.session%.sandbox is no file\n", r.err)
    os.execute("rmdir " .. data)
  end)

  it("logs in and out by commands of its own", function()
    local words = { "login", "bot", "--dc", where, "--dc-key", server.key, env = env, state = folder }
    local r = cli.run(words)
    assert.same({ 0, "logged in as @first_bot (7001)\n" }, { r.status, r.out }, r.err)
    local session = r.err:match "session: (%S+)\n"
    local noToken = { LUNA_API_ID = "1", LUNA_API_HASH = "hash" }
    r = run { env = noToken }
    assert.same({ 0, "started as first_bot\n" }, { r.status, r.out }, r.err)
    words[1], words.env = "logout", noToken
    r = cli.run(words)
    assert.same({ 0, "logged out @first_bot (7001)\n" }, { r.status, r.out }, r.err)
    r = run { env = noToken, "--session", session }
    assert.equal(2, r.status, r.err)
  end)

  it("ends cleanly at one SIGINT, at once with 130 at a second", function()
    local text = [[
      local luna = require "luna"
      local Bot = luna.EventHandler:extend "Bot"
      function Bot:onStart()
        local pid = io.open("/proc/self/stat"):read "n"
        os.execute(("(sleep 0.1; kill -INT %d; sleep 0.3; kill -INT %d) 2>/dev/null &"):format(pid, pid))
      end
      function Bot:onStop()
        luna.sleep(PATIENCE)
        print "stopped"
        io.stdout:flush()
      end
      return Bot
    ]]
    local r = run { script = cli.script(folder, "signal.lua", (text:gsub("PATIENCE", "0.01"))) }
    assert.same({ 0, "stopped\n" }, { r.status, r.out }, r.err)
    r = run { script = cli.script(folder, "signal.lua", (text:gsub("PATIENCE", "4"))) }
    assert.same({ 130, "" }, { r.status, r.out }, r.err)
  end)

  it("runs several bots, each with a token of its own", function()
    local one = cli.script(folder, "one.lua", (started:gsub("os.exit%(0%)", "self.API:stop()")))
    local two = cli.script(folder, "two.lua", (started:gsub("os.exit%(0%)", "self.API:stop()")))
    local both = { LUNA_API_ID = "1", LUNA_API_HASH = "hash", LUNA_BOT_TOKEN_ONE = "7001:abcdefgh", LUNA_BOT_TOKEN_TWO = "7002:hgfedcba" }
    local r = run { script = one, two, env = both }
    assert.equal(0, r.status, r.err)
    assert.matches("started as first_bot\n", r.out)
    assert.matches("started as bot7002_bot\n", r.out)
    both.LUNA_BOT_TOKEN_TWO = "7001:abcdefgh"
    r = run { script = one, two, env = both }
    assert.equal(2, r.status, r.err)
    assert.matches("several bots need a token each: set LUNA_BOT_TOKEN_TWO", r.err)
  end)
end)
