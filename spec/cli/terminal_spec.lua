local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""
local cli = dofile(here .. "support.lua")
local host = require "_luna.host"

describe("the chat at a terminal", function()
  local folder
  before_each(function() folder = cli.folder() end)
  after_each(cli.clean)

  -- Plays the steps; gives what was on the screen, and the exit status.
  local function play(script, steps, env)
    local path = cli.script(folder, "steps", table.concat(steps, "\n") .. "\n")
    local command = "env -u LUNA_BOT_TOKEN -u XDG_RUNTIME_DIR -u NO_COLOR XDG_STATE_HOME='%s' TERM=xterm %s "
      .. "python3 '%s../support/terminal.py' '%s' '%s' run '%s' --sandbox --no-repl 2>&1"
    local pipe = io.popen(command:format(folder, env or "", here, path, host.realpath(cli.program), script))
    local text = pipe:read "a"
    pipe:close()
    return text, tonumber(text:match "status (%-?%d+)\n$")
  end

  it("chats, and presses buttons by number", function()
    local text, status = play("bots/menu.lua", {
      "expect chatting with @menu_bot", "type /start", "expect A small coffee?", "expect /2 Tea", "expect (/1 presses the first)",
      "type /2", "expect A small tea?", "type /6", "expect Ordered: a small tea.", "expect (It is on its way.)",
      "type /2", "expect A small coffee?", "end", -- to a menu that is gone it is a text
    })
    assert.equal(0, status, text)
  end)

  it("has a group, and people who join it", function()
    local text, status = play("bots/greeter.lua", {
      "expect :help says", "type :help", "expect :join [NAME]", "type :group Tea", "expect Hello! I greet who joins", "expect group> ",
      "type :join", "expect Welcome, Bob!", "type :join Zoe", "expect Welcome, Zoe!", "type /greeting Hi NAME!", "expect from now on",
      "type :join Kim", "expect Hi Kim!", "type :say Kim hello", "expect Kim: ", "expect hello", "type :leave Kim", "expect [left]",
      "type :private", "expect you> ", "end",
    })
    assert.equal(0, status, text)
    assert.is_nil(text:find("NO_COLOR", 1, true))
  end)

  it("presses buttons as somebody else of the group", function()
    local script = cli.script(folder, "vote.lua", [[
      local luna = require "luna"
      local Vote = luna.EventHandler:extend "Vote"
      Vote:command("poll", function(_, message)
        message:send { message = "Tea?", reply_markup = { inline_keyboard = { { { text = "Yes", callback_data = "yes" } } } } }
      end)
      Vote:on({ callback = "^yes$" }, function(_, query) query:answer("thanks, " .. query:getSender().first_name) end)
      return Vote
    ]])
    local text, status = play(script, {
      "expect you> ", "type :join Bob", "expect Bob: ", "type :say Bob /1", "expect Bob: ", "expect /1", -- no buttons yet: a text
      "type /poll", "expect (/1 presses the first)", "type :say Bob /1", "expect (Bob: thanks, Bob)", "type :say Bob /2",
      "expect there is no button 2", "type :say Zoe /1", "expect Zoe has not got that message: :join comes first", "type /1",
      "expect (thanks, You)", "end",
    })
    assert.equal(0, status, text)
  end)

  it("lets nothing of what a bot says steer the terminal", function()
    local script = cli.script(folder, "sly.lua", [[
      local luna = require "luna"
      local Sly = luna.EventHandler:extend "Sly"
      function Sly:onUpdateNewMessage(update)
        if update.message.out then return end
        update.message:reply { message = "one \27[31mtwo \u{9b}32mthree",
          reply_markup = { inline_keyboard = { { { text = "press \u{9b}33mme", callback_data = "x" } } } } }
      end
      function Sly:onUpdateBotCallbackQuery(query) query:answer "an answer \27[34mhere \u{9b}35mand there" end
      return Sly
    ]])
    local text, status = play(script, {
      "expect you> ", "type hello", "expect press", "type /1", "expect an answer", "expect there", "end",
    })
    assert.equal(0, status, text)
    for code in ("31m 32m 33m 34m 35m"):gmatch "%S+" do
      assert.is_truthy(text:find(code, 1, true), text)
      assert.is_nil(text:find("\27[" .. code, 1, true) or text:find("\u{9b}" .. code, 1, true), text)
    end
  end)

  it("guesses a command that is no more than misspelt; other words after a colon are the bot's", function()
    local text, status = play("bots/echo.lua", {
      "expect you> ", "type :hlep", "expect there is no :hlep; did you mean :help?", "type :wonderful", "expect echo: ",
      "expect :wonderful", "end",
    })
    assert.equal(0, status, text)
  end)

  it("keeps what was typed for each bot apart", function()
    assert.equal(0, select(2, play("bots/echo.lua", { "expect you> ", "type first words", "expect echo: ", "end" })))
    assert.equal(0, select(2, play("bots/menu.lua", { "expect you> ", "type other words", "end" })))
    local one, two = host.readFile(folder .. "/luna/chat_history_echo"), host.readFile(folder .. "/luna/chat_history_menu")
    assert.matches("first", one)
    assert.is_nil(one:find "other")
    assert.matches("other", two)
  end)

  it("ends where the terminal goes away", function()
    local text, status = play("bots/echo.lua", { "expect you> ", "type x", "expect echo: ", "hangup" })
    assert.equal(0, status, text)
  end)

  it("is coloured, but not with NO_COLOR", function()
    local steps = { "expect you> ", "type x", "expect echo: ", "end" }
    local text = play("bots/echo.lua", steps)
    assert.is_truthy(text:find("\27[36m", 1, true) and text:find("\27[1mecho: ", 1, true), text)
    text = play("bots/echo.lua", steps, "NO_COLOR=1")
    assert.is_nil(text:find("\27[36m", 1, true) or text:find("\27[1m", 1, true), text)
  end)
end)
