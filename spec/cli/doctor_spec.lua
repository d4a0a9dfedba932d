local cli = dofile((debug.getinfo(1, "S").source:match "^@(.*/)" or "") .. "support.lua")
local host = require "_luna.host"

local TOKEN, HASH = "123456789:AAEcanarycanarycanarycanarycanary", "0123456789abcdef0123456789abcdef"

describe("luna doctor", function()
  local state
  before_each(function() state = cli.folder() end)
  after_each(cli.clean)

  local function doctor(opts, ...)
    opts.state = state
    for i, word in ipairs { "doctor", ... } do opts[i] = word end
    return cli.run(opts)
  end

  it("says what there is, and shows no secret", function()
    local r = doctor({ env = { LUNA_BOT_TOKEN = TOKEN, LUNA_API_ID = "12345678", LUNA_API_HASH = HASH } }, "--offline")
    assert.equal(0, r.status, r.out)
    assert.matches("\nok    Lua 5%.4%.%d", r.out)
    assert.matches("\nok    OpenSSL %d.*, libuv %d.*, SQLite %d.*, zlib %d", r.out)
    assert.matches("\nok    app id and hash are there\n", r.out)
    assert.matches("\nok    a bot token is there\n", r.out)
    assert.matches("\nok    sessions go to ", r.out)
    assert.matches("\nnothing is wrong\n$", r.out)
    for _, secret in ipairs { "canary", HASH, "12345678" } do assert.is_nil((r.out .. r.err):find(secret, 1, true)) end
  end)

  it("finds what is wrong with token and app id", function()
    local r = doctor({ env = { LUNA_BOT_TOKEN = "abc", LUNA_API_ID = "1" } }, "--offline")
    assert.equal(1, r.status)
    assert.matches("wrong the bot token is not digits", r.out)
    assert.matches("wrong LUNA_API_HASH is not set, though its partner is", r.out)
    assert.matches("\n2 things are wrong\n$", r.out)
    r = doctor({ env = { LUNA_BOT_TOKEN_MY_BOT = TOKEN, LUNA_API_ID = "x", LUNA_API_HASH = HASH } }, "--offline", "my-bot")
    assert.matches("wrong LUNA_API_ID is not a number", r.out)
  end)

  it("takes secrets from files of the service manager", function()
    local folder = cli.folder()
    local files = { LUNA_BOT_TOKEN_ECHO = TOKEN .. "\n", LUNA_API_ID = "7", LUNA_API_HASH = HASH }
    for name, text in pairs(files) do cli.script(folder, name, text) end
    local r = doctor({ env = { CREDENTIALS_DIRECTORY = folder } }, "--offline", "echo")
    assert.equal(0, r.status, r.out)
    assert.matches("ok    app id and hash are there\nok    a bot token is there\n", r.out)
    r = doctor({ env = { CREDENTIALS_DIRECTORY = folder } }, "--offline", "other")
    assert.matches("no bot token: LUNA_BOT_TOKEN_OTHER is not set", r.out)
  end)

  it("looks at the sessions: whole, damaged, in use, open to others", function()
    local sessions = state .. "/luna"
    assert(host.mkdirs(sessions))
    local store = require "_luna.store"
    local held = store.open(sessions .. "/held.session")
    store.open(sessions .. "/broken.session"):close()
    local whole = host.readFile(sessions .. "/broken.session")
    cli.script(sessions, "broken.session", whole:sub(1, 4096) .. ("x"):rep(#whole - 4096))
    cli.script(sessions, "other.session", "no database")
    os.execute(("chmod 600 '%s'/*.session; cp '%s/broken.session' '%s/open.session'; chmod 644 '%s/open.session'"):format(sessions,
      sessions, sessions, sessions))
    local r = doctor({}, "--offline")
    held:close()
    assert.equal(1, r.status)
    assert.matches("wrong the session [^\n]*/broken%.session is damaged: restore a copy", r.out)
    assert.matches("ok    the session [^\n]*/held%.session [^\n]*process %d+", r.out)
    assert.matches("wrong the session [^\n]*/open%.session is open to others: chmod 600", r.out)
    assert.matches("wrong the session [^\n]*/other%.session is not a session[^\n]*: move it away", r.out)
    os.execute(("chmod 755 '%s'"):format(sessions))
    assert.matches("wrong the sessions' folder [^\n]* is open to others: chmod 700", doctor({}, "--offline").out)
  end)

  it("reads the settings file", function()
    local folder = cli.folder()
    local path = cli.script(folder, "some.conf.lua", ('return { botToken = "%s" }'):format(TOKEN))
    os.execute(("chmod 644 '%s'"):format(path))
    local r = doctor({}, "--offline", "--config", path)
    assert.equal(1, r.status)
    assert.matches("wrong the settings file [^\n]* holds secrets and others may read it: chmod 600", r.out)
    assert.is_nil(r.out:find "canary")
    cli.script(folder, "luna.conf.lua", "return 5")
    assert.matches("wrong the settings file: [^\n]*luna%.conf%.lua: settings are a table", doctor({}, "--offline", folder .. "/x.lua").out)
    r = doctor({}, "--offline", "--config", cli.script(folder, "bad.conf.lua", "return { floodTimout = 1 }"))
    assert.matches('wrong the settings file: [^\n]*unknown setting "floodTimout"; did you mean "floodTimeout"', r.out)
  end)

  it("asks the server for its clock, and takes none for no harm", function()
    local served = require("luna.sandbox").serve { listen = "127.0.0.1:0" }
    local key = served:writeKey(state .. "/key.pem")
    local address = ("2=%s:%d"):format(served.addresses[1].host, served.addresses[1].port)
    -- The program runs beside this one, whose loop has to go on.
    local out = state .. "/out"
    local function ask(...)
      os.remove(out)
      local command = "(XDG_STATE_HOME='%s' '%s' doctor --dc %s %s >'%s.part' 2>&1; echo $? >>'%s.part'; mv '%s.part' '%s') &"
      os.execute(command:format(state, cli.program, address, table.concat({ ... }, " "), out, out, out, out))
      for _ = 1, 1000 do
        local text = host.readFile(out)
        if text then return text end
        require("luna").sleep(0.01)
      end
      error "it does not end"
    end
    local text = ask("--dc-key", key)
    assert.matches("ok    DC 2 %(127%.0%.0%.1:%d+%) answers, after", text)
    assert.matches("ok    the clock agrees with the server's\n", text)
    assert.matches("nothing is wrong\n0\n$", text)
    text = ask()
    assert.matches("wrong DC 2 [^\n]*it offers no key that is known here: %-%-dc%-key", text)
    served:close()
    local r = doctor({}, "--dc", "2=127.0.0.1:1")
    assert.equal(0, r.status, r.out)
    assert.matches("note  DC 2 %(127%.0%.0%.1:1%) cannot be reached: ", r.out)
  end)
end)
