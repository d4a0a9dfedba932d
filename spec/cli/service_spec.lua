local cli = dofile((debug.getinfo(1, "S").source:match "^@(.*/)" or "") .. "support.lua")
local host = require "_luna.host"

describe("luna service", function()
  local folder
  before_each(function() folder = cli.folder() end)
  after_each(cli.clean)

  -- What systemd says of it, where it is here to be asked.
  local function verified(text, ...)
    local path = cli.script(folder, "luna-checked.service", text)
    if not os.execute "command -v systemd-analyze >/dev/null 2>&1" then return "" end
    local pipe = io.popen(("XDG_RUNTIME_DIR='%s' systemd-analyze verify %s '%s' 2>&1"):format(folder, table.concat({ ... }, " "), path))
    local said = pipe:read "a"
    pipe:close()
    return said
  end

  it("writes a unit that systemd takes, with the secrets in files", function()
    local script = cli.script(folder, "my bot.lua", "return function() end")
    local r = cli.run { "service", script }
    assert.equal(0, r.status, r.err)
    assert.matches("\nType=notify\n", r.out)
    assert.matches(('\nExecStart=[^\n]+ run "%s"\n'):format(host.realpath(script):gsub("%p", "%%%0")), r.out)
    assert.matches("\nExecReload=[^\n]+ reload \"my bot\"\n", r.out)
    assert.matches("\nLoadCredential=LUNA_BOT_TOKEN:/etc/luna/my_bot%.token\n", r.out)
    local wanted = { "NoNewPrivileges=yes", "ProtectSystem=strict", "StateDirectory=luna", "WatchdogSec=60", "CapabilityBoundingSet=" }
    for _, line in ipairs(wanted) do
      assert.is_truthy(r.out:find("\n" .. line .. "\n", 1, true), line)
    end
    assert.matches("luna%-my_bot%.service", r.err)
    assert.equal("", verified(r.out))
  end)

  it("names a script with signs that systemd would read as something else", function()
    local script = cli.script(folder, "100%$x.lua", "return function() end")
    local r = cli.run { "service", script }
    assert.equal(0, r.status, r.err)
    assert.is_truthy(r.out:find("/100%%$$x.lua\n", 1, true), r.out)
  end)

  it("gives several bots a token each, and a user's own manager what it can do", function()
    local one, two = cli.script(folder, "one.lua", ""), cli.script(folder, "two.lua", "")
    local r = cli.run { "service", one, two, "--user" }
    assert.equal(0, r.status, r.err)
    assert.matches("\nEnvironmentFile=%%h/%.config/luna/one%.env\n", r.out)
    assert.is_nil(r.out:find "\nUser=")
    assert.matches("LUNA_BOT_TOKEN_ONE=.*LUNA_BOT_TOKEN_TWO=", r.err)
    assert.equal("", verified(r.out, "--user"))
    r = cli.run { "service", one, two, "--account", "bots" }
    assert.matches("\nUser=bots\n", r.out)
    assert.matches("LoadCredential=LUNA_BOT_TOKEN_ONE:.*LoadCredential=LUNA_BOT_TOKEN_TWO:", r.out)
  end)

  it("reloads each bot by its name, and says what the account would not see", function()
    assert(host.mkdirs(folder .. "/more"))
    local one, two = cli.script(folder, "one.lua", ""), cli.script(folder, "two.lua", "")
    local again = cli.script(folder .. "/more", "one.lua", "")
    local r = cli.run { "service", one, two, again }
    local names = {}
    for name in r.out:gmatch "\nExecReload=%S+ reload (%S+)" do names[#names + 1] = name end
    assert.same({ "one", "two", "one2" }, names)
    local closed = two .. " is for its owner alone, as it is now: chmod o+rX it and what leads there, or chown it to luna\n"
    assert.truthy(r.err:find(closed, 1, true))
    assert(os.execute(("chmod 755 '%s' && chmod 644 '%s'"):format(folder, two)))
    local said = cli.run({ "service", two }).err
    assert.is_nil(said:find(closed, 1, true))
    local hidden = ("the service does not see what is in /tmp or /var/tmp (PrivateTmp): move %s, to /srv say\n"):format(two)
    assert.equal(two:find "^/tmp/" ~= nil, said:find(hidden, 1, true) ~= nil)
    assert.is_nil(cli.run({ "service", two, "--user" }).err:find(hidden, 1, true))
  end)

  it("refuses what it cannot run", function()
    local r = cli.run { "service", "/nonexistent.lua" }
    assert.same({ 2, "" }, { r.status, r.out })
    assert.matches("^luna service: there is no script /nonexistent%.lua\n", r.err)
    assert.equal(2, cli.run({ "service", cli.script(folder, "a.lua", ""), "--account", "a b" }).status)
  end)
end)
