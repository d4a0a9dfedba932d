local luna = require "luna"
local host = require "_luna.host"
local Logger = luna.Logger

describe("the last error of a room", function()
  it("is kept for a bounded number of rooms, the latest among them", function()
    Logger.configure { target = function() end }
    local function size()
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    local before = size()
    for i = 1, 5000 do Logger.log("it failed", Logger.ERROR, "chat " .. i) end
    assert.is_true(size() - before < 100, ("%.0f KiB for 5000 rooms"):format(size() - before))
    assert.equal("it failed", Logger.lastError("chat 5000").text)
    Logger.configure { level = "NOTICE" }
  end)
end)

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

  it("is where luna.API's settings say from that line on, though nothing is connected", function()
    local api = luna.API { logger = { target = path, level = "verbose" } }
    api:logger("kept", "verbose")
    assert.matches("VERBOSE luna: kept\n$", content())
    local ok, err = pcall(luna.API, { logger = { target = "/nonexistent/log" } })
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.SettingsException))
    assert.matches("the log cannot be written: /nonexistent/log", tostring(err), 1, true)
  end)

  it("writes to a file, with time, level and who speaks", function()
    Logger.configure { target = path }
    Logger.log "one"
    Logger.log("two", Logger.ERROR, "my bot")
    Logger.log("three", "verbose") -- below the level
    assert.matches("^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d NOTICE script: one\n%d[%d %-:]+ ERROR my bot: two\n$", content())
    assert.equal(384, host.stat(path).mode & 511)
  end)

  it("writes tables as Lua, and what comes from the server, though it has methods", function()
    require "luna.message"
    local tl = require "_luna.tl"
    local message = { _ = "message", id = 7, peer_id = { _ = "peerUser", user_id = 5 }, date = 1, message = "hello" }
    message = tl.decode(tl.encode(message, "Message"), "Message")
    Logger.configure { target = path }
    luna.logger { 1, a = "b", [70] = 2 }
    luna.logger(message)
    assert.is_function(message.reply)
    assert.matches('script: { 1, [70] = 2, a = "b" }\n', content(), 1, true)
    assert.matches('script: { _ = "message", date = 1, id = 7, message = "hello", peer_id = ', content(), 1, true)
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

  it("has a warning of Lua's in one line, though it comes in pieces", function()
    local seen = {}
    Logger.configure { target = function(text, _, room) seen[#seen + 1] = room .. ": " .. text end }
    warn("@on")
    warn("one ", "two ", ("x"):rep(3000))
    setmetatable({}, { __gc = function() error "in a finalizer" end })
    collectgarbage()
    for _ = 1, 1000 do -- the host's events come on a later turn
      if #seen >= 2 then break end
      luna.sleep(0.005)
    end
    assert.equal(2, #seen)
    assert.matches("^lua: one two x+$", seen[1])
    assert.matches("^lua: error in __gc .*in a finalizer", seen[2])
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

  describe("as JSON", function()
    local json = require "luna.json"
    local function events()
      local list = {}
      for line in content():gmatch "[^\n]+" do list[#list + 1] = json.decode(line) end
      return list
    end

    it("is one object a line, with the traceback and what is known of the error apart", function()
      Logger.configure { target = path, json = true, level = "verbose" }
      Logger.log "one\ntwo"
      local err = luna.RPCErrorException("PEER_ID_INVALID", 400, "messages.sendMessage")
      Logger.write(Logger.ERROR, "my bot", "the handler failed", {
        traceback = "a.lua:1: in x\na.lua:2: in y", err = err,
        update = { _ = "updateNewMessage", message = { id = 7, peer_id = { _ = "peerUser", user_id = 5 } } },
      })
      Logger.log({ price = 5, list = { 1, 2 } }, Logger.VERBOSE)
      local list = events()
      assert.equal(3, #list)
      assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", list[1].time)
      assert.same({ "notice", "script", "one\ntwo" }, { list[1].level, list[1].room, list[1].message })
      assert.same({ "error", "my bot", "the handler failed", "a.lua:1: in x\na.lua:2: in y" },
        { list[2].level, list[2].room, list[2].message, list[2].traceback })
      assert.same({
        update = "updateNewMessage", chat = 5, message_id = 7, error = "RPCErrorException", rpc = "PEER_ID_INVALID", code = 400,
        method = "messages.sendMessage",
      }, list[2].fields)
      assert.same({ price = 5, list = { 1, 2 } }, list[3].fields)
    end)

    it("holds whatever text there is", function()
      Logger.configure { target = path, json = true }
      Logger.log "quote \" \\ \255 \27[2J \u{9b}2J \0 ü"
      assert.equal([[quote " \ \xff \x1b[2J \u{9b}2J \x00 ü]], events()[1].message)
    end)

    it("names a bot as one", function()
      local world = require("luna.sandbox").world()
      local bot = world:run("bots/echo.lua")
      Logger.configure { target = path, json = true }
      bot.api:logger "hello"
      assert.same({ "echo", "hello" }, { events()[1].bot, events()[1].message })
      world:close()
    end)

    it("masks secrets in message, traceback, names and fields", function()
      host.secret "canary-secret-word"
      host.secret "987654321012"
      Logger.configure { target = path, json = true }
      local token = "123456789:AAEcanarydefghijklmnopqrstuvwxyz"
      Logger.write(Logger.ERROR, "canary-secret-word", "canary-secret-word " .. token, {
        traceback = "canary-secret-word", err = luna.RPCErrorException("CANARY", 400, "canary-secret-word"),
        fields = {
          api_hash = "canarycanary", ["canary-secret-word"] = 1, deep = { { { text = token } } }, number = 987654321012,
          at = "x://canary:a@b",
        },
      })
      Logger.log { token = "canary", ["note"] = "canary-secret-word" }
      assert.is_nil(content():find "canary", content())
      assert.is_nil(content():find("987654321012", 1, true))
      local fields = events()[1].fields
      assert.same({ "***", "***", "123456789:***" }, { fields.api_hash, fields.number, fields.deep[1][1].text })
    end)
  end)

  it("remembers the last error of each, masked", function()
    host.secret "canary-secret-word"
    Logger.configure { target = path, level = "fatal_error" }
    Logger.log("fine", Logger.WARNING, "some")
    assert.is_nil(Logger.lastError "some")
    Logger.log("bad canary-secret-word\nmore", Logger.ERROR, "some")
    assert.equal("bad ***", Logger.lastError("some").text)
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
