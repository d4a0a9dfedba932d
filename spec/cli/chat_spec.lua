local cli = dofile((debug.getinfo(1, "S").source:match "^@(.*/)" or "") .. "support.lua")

describe("the chat behind a pipe", function()
  local folder
  setup(function() folder = cli.folder() end)
  teardown(cli.clean)

  local function bot(name, body)
    return cli.script(folder, name .. ".lua", ([[
      local luna = require "luna"
      local Bot = luna.EventHandler:extend "Bot"
      function Bot:onUpdateNewMessage(update)
        local message = update.message
        if message.out then return end
        %s
      end
      return Bot
    ]]):format(body))
  end

  it("prints each reply under the bot's name, and nothing else", function()
    local r = cli.run { "run", "bots/echo.lua", "--sandbox", input = "hello\nworld\n" }
    assert.same({ 0, "echo: hello\necho: world\n" }, { r.status, r.out }, r.err)
  end)

  it("prints each line of a reply under it, whatever the name is", function()
    local r = cli.run { "run", bot("100%", [[message:reply("one\n" .. message.message)]]), "--sandbox", input = "two\n" }
    assert.same({ 0, "100%: one\n100%: two\n" }, { r.status, r.out }, r.err)
  end)

  it("shows buttons as lines, and presses them by number where the last reply had some", function()
    local r = cli.run { "run", "bots/menu.lua", "--sandbox", input = "/start\n/2\n/6\n/2\n" }
    local function menu(first, rest) return ("menu: %s\nmenu: [1] "):format(first) .. table.concat(rest, "\nmenu: ") .. "\n" end
    local sizes = { "[4] • Small", "[5] Large", "[6] Order" }
    local expected = menu("A small coffee?", { "• Coffee", "[2] Tea", "[3] Cocoa", table.unpack(sizes) })
      .. menu("[edited] A small tea?", { "Coffee", "[2] • Tea", "[3] Cocoa", table.unpack(sizes) })
      .. "menu: [edited] Ordered: a small tea.\nmenu: (It is on its way.)\n"
      .. menu("A small coffee?", { "• Coffee", "[2] Tea", "[3] Cocoa", table.unpack(sizes) }) -- to a menu that is gone it is a text
    assert.same({ 0, expected }, { r.status, r.out }, r.err)
    assert.equal("echo: /1\necho: x\n", cli.run({ "run", "bots/echo.lua", "--sandbox", input = "/1\nx\n" }).out)
  end)

  it("does not wait for ever for the answer to a button", function()
    local script = bot("deaf", [[
      message:reply{ message = "b", reply_markup = { inline_keyboard = { { { text = "Go", callback_data = "go" } } } } }
    ]])
    local r = cli.run { "run", script, "--sandbox", input = "x\n/1\ny\n" }
    assert.same({ 0, ("deaf: b\ndeaf: [1] Go\n"):rep(2) }, { r.status, r.out }, r.err)
    assert.matches("the bot did not answer the button", r.err)
  end)

  it("says where a bot answers itself, and not where it has much to answer", function()
    local script = cli.script(folder, "loud.lua", [[
      local luna = require "luna"
      local Loud = luna.EventHandler:extend "Loud"
      local n = 0
      function Loud:onUpdateNewMessage(update)
        n = n + 1
        if n < 200 then update.message:reply "again" end
      end
      return Loud
    ]])
    local r = cli.run { "run", script, "--sandbox", input = "x\n" }
    assert.equal(1, select(2, r.err:gsub("WARNING loud: [^\n]*it answers itself, it seems; message%.out tells", "")), r.err)
    r = cli.run { "run", "bots/echo.lua", "--sandbox", input = ("x\n"):rep(200) }
    assert.equal(("echo: x\n"):rep(200), r.out)
    assert.is_nil(r.err:find("answers itself", 1, true))
  end)

  it("says where a script has forgotten to return its handler", function()
    local forgot = cli.script(folder, "forgot.lua", 'local luna = require "luna" local B = luna.EventHandler:extend "Forgot"')
    local r = cli.run { "run", forgot, "--sandbox", input = "x\n" }
    assert.same({ 0, "" }, { r.status, r.out })
    assert.matches("WARNING forgot: [^\n]*forgot.lua makes a handler class and returns nothing: to be a bot it ends with `return Forgot`",
      r.err)
    local other = cli.script(folder, "own.lua", [[
      local luna = require "luna"
      local Own = luna.EventHandler:extend "Own"
      local api = luna.API()
      api:setEventHandler(Own)
    ]])
    assert.is_nil(cli.run({ "run", other, "--sandbox", input = "" }).err:find "returns nothing")
    local world = require("luna.sandbox").world()
    assert.error_matches(function() world:run(forgot) end, "forgot.lua returns no handler: it ends without `return Forgot`")
  end)

  it("takes a last line without an end, and no line at all", function()
    assert.same("echo: tail\n", cli.run({ "run", "bots/echo.lua", "--sandbox", input = "\ntail" }).out)
    local r = cli.run { "run", "bots/echo.lua", "--sandbox" }
    assert.same({ 0, "" }, { r.status, r.out }, r.err)
  end)

  it("keeps the order of many lines", function()
    local lines, expected = {}, {}
    for i = 1, 300 do
      lines[i] = "line " .. i
      expected[i] = "echo: line " .. i
    end
    local r = cli.run { "run", "bots/echo.lua", "--sandbox", input = table.concat(lines, "\n") .. "\n" }
    assert.equal(0, r.status, r.err)
    assert.equal(table.concat(expected, "\n") .. "\n", r.out)
  end)

  it("puts the prefix before every line of a reply", function()
    local r = cli.run { "run", bot("two", 'self.messages.sendMessage{ peer = update, message = "a\\nb" }'), "--sandbox", input = "x\n" }
    assert.same({ 0, "two: a\ntwo: b\n" }, { r.status, r.out }, r.err)
  end)

  it("waits for handlers that still run, not for timers", function()
    local script = bot("slow", [[
      luna.callFork(function() luna.sleep(3600) end)
      luna.sleep(0.3)
      self.messages.sendMessage{ peer = update, message = "late" }
    ]])
    local r = cli.run { "run", script, "--sandbox", input = "x\n" }
    assert.same({ 0, "slow: late\n" }, { r.status, r.out }, r.err)
  end)

  it("ends with 1 where a handler has raised, after all that was due", function()
    local script = bot("raising", [[
      if message.message == "bad" then error "no" end
      self.messages.sendMessage{ peer = update, message = message.message }
    ]])
    local r = cli.run { "run", script, "--sandbox", input = "one\nbad\ntwo\n" }
    assert.same({ 1, "raising: one\nraising: two\n" }, { r.status, r.out }, r.err)
    assert.matches("raising%.lua:%d+: no", r.err)
  end)

  it("gives a line to who waits in readLine, at the top level and in onStart", function()
    local script = cli.script(folder, "asking.lua", [[
      local luna = require "luna"
      local name = luna.readLine()
      local Bot = luna.EventHandler:extend "Bot"
      function Bot:onStart() self.greeting = self:readLine() end
      function Bot:onUpdateNewMessage(update)
        local message = update.message
        if not message.out then
          self.messages.sendMessage{ peer = update, message = ("%s, %s: %s"):format(self.greeting, name, message.message) }
        end
      end
      return Bot
    ]])
    local r = cli.run { "run", script, "--sandbox", input = "Anna\nHello\none\ntwo\n" }
    assert.same({ 0, "asking: Hello, Anna: one\nasking: Hello, Anna: two\n" }, { r.status, r.out }, r.err)
  end)

  it("tells who waits in a handler that the input has ended", function()
    local script = bot("waiting", 'self.messages.sendMessage{ peer = update, message = tostring(self:readLine()) }')
    local r = cli.run { "run", script, "--sandbox", input = "x\n" }
    assert.same({ 0, "waiting: nil\n" }, { r.status, r.out }, r.err)
  end)

  it("does not wait for an answer that nobody can give any more", function()
    local script = cli.script(folder, "curious.lua", [[
      local luna = require "luna"
      local Bot = luna.EventHandler:extend "Bot"
      Bot:command("start", function(_, message)
        local name = message:ask "Name?"
        local buttons = { inline_keyboard = { { { text = "Yes", callback_data = "yes" }, { text = "No", callback_data = "no" } } } }
        local sure = message:ask { message = name.message .. "?", reply_markup = buttons }
        sure:answer("You said " .. sure.data)
        message:ask "Anything else?"
      end)
      return Bot
    ]])
    local r = cli.run { "run", script, "--sandbox", input = "/start\nAnna\n/2\n" }
    assert.equal(0, r.status, r.err)
    assert.equal("curious: Name?\ncurious: Anna?\ncurious: [1] Yes\ncurious: [2] No\n", r.out:sub(1, 63))
    assert.matches("\ncurious: Anything else%?\n", r.out)
    assert.matches("\ncurious: %(You said no%)\n", r.out)
  end)

  it("is not there for a plain script, which reads for itself", function()
    local script = cli.script(folder, "plain.lua", [[
      local luna = require "luna"
      print(luna.readLine())
      print(luna.readLine(), luna.readLine())
    ]])
    local r = cli.run { "run", script, "--sandbox", input = "a\nb\n" }
    assert.same({ 0, "a\nb\tnil\n" }, { r.status, r.out }, r.err)
  end)

  it("talks to the first of several bots", function()
    local r = cli.run { "run", "bots/echo.lua", bot("other", 'message:reply "other"'), "--sandbox", input = "x\n" }
    assert.same({ 0, "echo: x\n" }, { r.status, r.out }, r.err)
  end)
end)
