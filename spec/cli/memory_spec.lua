-- memoryLimit: what grows without end fails where it grows, and the bot lives on.
local cli = dofile((debug.getinfo(1, "S").source:match "^@(.*/)" or "") .. "support.lua")

describe("memoryLimit", function()
  local folder
  setup(function() folder = cli.folder() end)
  teardown(cli.clean)

  local body = [[
    function Bot:onUpdateNewMessage(update)
      local message = update.message
      if message.out then return end
      local word, n = message.message:match "^(%a+) ?(%d*)"
      if word == "grow" then
        local list = {}
        while true do list[#list + 1] = { #list } end
      elseif word == "text" then
        local text = "x"
        while true do text = text .. text end
      elseif word == "keep" then
        kept = kept or {}
        while true do kept[#kept + 1] = "x" .. #kept end
      elseif word == "free" then
        kept = nil
      elseif word == "hold" then
        local list = {}
        for i = 1, tonumber(n) do list[i] = ("%d"):format(i):rep(200) end
        message:reply(("held %d"):format(#list))
      else
        message:reply(message.message)
      end
    end
    return Bot
  ]]

  local function bot(name, settings)
    local head = 'local luna = require "luna"\nlocal Bot = luna.EventHandler:extend "Bot"\nBot.settings = %s\n'
    return cli.script(folder, name .. ".lua", head:format(settings) .. body)
  end

  it("ends the handler that wants more, says so, and serves the next message", function()
    local r = cli.run { "run", bot("greedy", "{ memoryLimit = 24 * 2 ^ 20 }"), "--sandbox",
      input = "grow\nhello\ntext\ngrow\ngrow\nagain\n" }
    assert.equal("greedy: hello\ngreedy: again\n", r.out, r.err)
    local line = "the handler of updateNewMessage failed: not enough memory: all scripts together may hold 25165824 bytes (memoryLimit)"
    assert.equal(4, select(2, r.err:gsub(line:gsub("%p", "%%%0"), "")), r.err)
    assert.equal(1, r.status)
  end)

  it("counts what is held now: what is garbage makes room", function()
    local r = cli.run { "run", bot("tidy", "{ memoryLimit = 24 << 20 }"), "--sandbox", input = ("hold 9000\n"):rep(5) }
    assert.same({ 0, ("tidy: held 9000\n"):rep(5) }, { r.status, r.out }, r.err)
  end)

  it("holds for luna.loop's callbacks as for handlers", function()
    local script = cli.script(folder, "looper.lua", [[
      local luna = require "luna"
      local Bot = luna.EventHandler:extend "Bot"
      Bot.settings = { memoryLimit = 24 << 20, handlerBudget = 60 }
      function Bot:onUpdateNewMessage(update)
        local message = update.message
        if message.out then return end
        local done = luna.Deferred()
        luna.loop.setErrorHandler(function(err) done:resolve(tostring(err):match "not enough memory" or tostring(err)) end)
        luna.loop.defer(function()
          local list = {}
          for i = 1, 3000000 do list[i] = { i } end
          done:resolve "it was not held"
        end)
        message:reply(luna.await(done:promise()))
      end
      return Bot
    ]])
    local r = cli.run { "run", script, "--sandbox", input = "one\ntwo\n" }
    assert.equal(("looper: not enough memory\n"):rep(2), r.out, r.err)
  end)

  it("lets what the library does go on where a script keeps all there is", function()
    local r = cli.run { "run", bot("miser", "{ memoryLimit = 12 << 20 }"), "--sandbox", input = "keep\na\nb\nkeep\nfree\nhello\n" }
    assert.equal("miser: hello\n", r.out, r.err)
    assert.equal(4, select(2, r.err:gsub("updateNewMessage failed: not enough memory", "")), r.err)
  end)

  it("is the largest of several bots', and none where one has none", function()
    local small, large, free = bot("small", "{ memoryLimit = 8 << 20 }"), bot("large", "{ memoryLimit = 24 << 20 }"), bot("free", "{}")
    local r = cli.run { "run", small, large, "--sandbox", input = "hold 9000\nhold 30000\nx\n" }
    assert.equal("small: held 9000\nsmall: x\n", r.out, r.err)
    r = cli.run { "run", small, free, "--sandbox", input = "hold 30000\n" }
    assert.equal("small: held 30000\n", r.out, r.err)
  end)

  it("holds for a plain script too", function()
    local script = cli.script(folder, "plain.lua", [[
      local luna = require "luna"
      local api = luna.API({ memoryLimit = 16 << 20 })
      api:start()
      local ok, why = pcall(function()
        local list = {}
        while true do list[#list + 1] = { #list } end
      end)
      print(ok, why)
    ]])
    local r = cli.run { "run", script, "--sandbox" }
    assert.same({ 0, "false\tnot enough memory\n" }, { r.status, r.out }, r.err)
  end)

  it("is a number of bytes that the library has room in", function()
    local r = cli.run { "run", bot("tiny", "{ memoryLimit = 1000 }"), "--sandbox" }
    assert.matches('setting "memoryLimit" is 1000, expected a number of bytes, 4194304 or more', r.err, nil, true)
  end)
end)
