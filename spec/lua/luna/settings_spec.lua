local settings = require "luna.settings"
local errors = require "luna.errors"

describe("luna.settings", function()
  local line, file
  before_each(function()
    line, file = settings.commandLine, settings.file
    settings.commandLine, settings.file = {}, {}
  end)
  after_each(function() settings.commandLine, settings.file = line, file end)

  it("for a class: command line over file over class over defaults", function()
    local class = { floodTimeout = 1, transport = "full", durability = "off" }
    settings.file = { floodTimeout = 2, transport = "padded" }
    settings.commandLine = { floodTimeout = 3 }
    local s = settings.resolve { class = class }
    assert.equal(3, s.floodTimeout)
    assert.equal("padded", s.transport)
    assert.equal("off", s.durability)
    assert.equal(10, s.connection.timeout)
    assert.is_false(s.pfs) -- a start with it takes nearly twice as long
  end)

  it("for luna.API its own table wins", function()
    settings.commandLine = { floodTimeout = 3, botToken = "1:line" }
    local s = settings.resolve { own = { floodTimeout = 4 } }
    assert.equal(4, s.floodTimeout)
    assert.equal("1:line", s.botToken)
  end)

  it("promises no protection that is not there", function()
    assert.has_no.errors(function() settings.resolve { own = { untrusted = false } } end)
    assert.error_matches(function() settings.resolve { own = { untrusted = true } } end, 'setting "untrusted" is true, .*not trusted')
    assert.error_matches(function() settings.resolve { own = { app = { id = "1" } } } end, "expected an integer")
  end)

  it("merges tables key by key", function()
    settings.file = { updates = { order = "none" }, app = { id = 5 } }
    local s = settings.resolve { own = { app = { hash = "h" } } }
    assert.equal("none", s.updates.order)
    assert.is_true(s.updates.catchUp)
    assert.equal("h", s.app.hash)
  end)

  it("what one file alone is given counts for it alone", function()
    settings.commandLine = { bots = { echo = { botToken = "1:echo" } }, botToken = "1:all" }
    assert.equal("1:echo", settings.resolve({ stem = "echo" }).botToken)
    assert.equal("1:all", settings.resolve({ stem = "menu" }).botToken)
  end)

  it("refuses unknown keys with a guess, and wrong values", function()
    local cases = {
      { { botTokn = "x" }, 'unknown setting "botTokn"; did you mean "botToken"?' },
      { { updates = { ordr = "chat" } }, 'unknown setting "updates.ordr"; did you mean "order"?' },
      { { updates = { order = "sideways" } }, 'setting "updates.order" is "sideways", expected one of "chat", "none", "all"' },
      { { handlerBudget = 0 }, 'setting "handlerBudget" is 0, expected a number above 0' },
      { { memoryLimit = 1e6 }, 'setting "memoryLimit" is 1000000.0, expected a number of bytes, 4194304 or more' },
      { { memoryLimit = 2 ^ 23 + 0.5 }, 'setting "memoryLimit" is 8388608.5, expected a number of bytes' },
      { { logger = { level = "loud" } }, 'setting "logger.level" is "loud", expected FATAL_ERROR, ERROR' },
      { { connection = 5 }, 'setting "connection" is a number, expected a table' },
      { { dc = { [2] = "nowhere" } }, 'setting "dc" is a table, expected a table like' },
      { { floodTimeout = -1 }, "a number of seconds" },
    }
    for _, case in ipairs(cases) do
      local ok, err = pcall(settings.check, case[1], "here")
      assert.is_false(ok)
      assert.is_true(errors.is(err, errors.classes.SettingsException))
      assert.matches(case[2], tostring(err), 1, true)
      assert.equal(2, err.status)
    end
  end)

  it("never shows a token that is wrong", function()
    local _, err = pcall(settings.check, { botToken = 5, app = { hash = 7 } }, "here")
    assert.not_matches("5", tostring(err))
  end)

  it("reads addresses", function()
    assert.same({ "127.0.0.1", 443 }, { settings.parseAddress "127.0.0.1:443" })
    assert.same({ "::1", 80 }, { settings.parseAddress "[::1]:80" })
    assert.same({ "example.org", 1 }, { settings.parseAddress "example.org:1" })
    for _, bad in ipairs { "::1:80", "127.0.0.1", "host:0", "host:70000", ":443", "a b:1" } do assert.is_nil(settings.parseAddress(bad)) end
  end)
end)
