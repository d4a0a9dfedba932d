local luna = require "luna"
local host = require "_luna.host"
local Logger = luna.Logger

describe("luna.Logger", function()
  local path
  before_each(function() path = os.tmpname() end)
  after_each(function()
    Logger.configure { level = "NOTICE" }
    os.remove(path)
    os.remove(path .. ".1")
  end)
  local function content(name)
    local file = io.open(name or path)
    local text = file and file:read "a"
    if file then file:close() end
    return text
  end

  it("writes to a file, with time, level and who speaks", function()
    Logger.configure { target = path }
    Logger.log "one"
    Logger.log("two", Logger.ERROR, "my bot")
    Logger.log("three", "verbose") -- below the level
    assert.matches("^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d NOTICE script: one\n%d[%d %-:]+ ERROR my bot: two\n$", content())
    assert.equal(384, host.stat(path).mode & 511)
  end)

  it("goes on in a new file where the old one was moved away", function()
    Logger.configure { target = path }
    Logger.log "before"
    os.rename(path, path .. ".1")
    Logger.log "after"
    assert.matches("before", content(path .. ".1"))
    assert.matches("after\n$", content())
    assert.is_nil(content():find "before")
  end)

  it("lets no text pass for a line of its own", function()
    Logger.configure { target = path }
    Logger.log "innocent\n2030-01-01 00:00:00 FATAL host: forged\27[2J\0"
    assert.matches("innocent\n    2030", content())
    assert.is_nil(content():find "[%z\27]")
  end)

  it("hands lines to a function, whatever that does", function()
    local seen = {}
    Logger.configure { level = "VERBOSE", target = function(text, level, room) seen[#seen + 1] = { text, level, room } end }
    Logger.log("v", Logger.VERBOSE)
    luna.logger("w", Logger.WARNING)
    assert.same({ { "v", 4, "script" }, { "w", 2, "script" } }, seen)
    local lines = {}
    Logger.setWriter(function(text) lines[#lines + 1] = text end)
    Logger.configure { target = function(text)
      if text == "again" then Logger.log "from inside" end
      error "broken"
    end }
    Logger.log "x"
    Logger.log "again"
    Logger.setWriter(require("luna.cli.test_output").keepLog)
    local all = table.concat(lines)
    assert.matches("function failed: .*broken", all)
    assert.matches("from inside", all)
    assert.matches("script: x\n", all)
    local _, complaints = all:gsub("function failed", "")
    assert.equal(1, complaints)
  end)

  it("takes syslog, and complains of what it cannot take", function()
    Logger.configure { target = "syslog" }
    Logger.log("a line of the specs", Logger.VERBOSE)
    local ok, err = pcall(Logger.configure, { target = "/nowhere/at/all/log" })
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.SettingsException))
    assert.has_error(function() Logger.configure { target = 5 } end)
    assert.has_error(function() Logger.configure { level = "loud" } end)
    assert.has_error(function() Logger.log("x", "loud") end)
  end)

  it("masks secrets wherever lines go", function()
    host.secret "canary-secret-word"
    Logger.configure { target = path }
    Logger.log "canary-secret-word 123456789:AAEabcdefghijklmnopqrstuvwxyz_-12345 +441234567890"
    local text = content()
    assert.is_nil(text:find("canary", 1, true))
    assert.is_nil(text:find("AAEabc", 1, true))
    assert.is_nil(text:find("1234567890", 1, true))
    assert.matches("123456789:%*%*%*", text)
  end)
end)
