-- Kurigram in our sandbox: as a person who chats with bots/echo.lua, and as a bot.
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local interop = dofile(here .. "interop.lua")

local TOKEN, OTHER = "7006:kurigram-spec-token", "87006:kurigram-spec-token"

describe("Kurigram in our sandbox", function()
  local server, bot

  local function begin()
    server = interop.sandbox("echo_bot=" .. TOKEN, "other_bot=" .. OTHER)
  end

  --- The command of a person with a phone of this server.
  local function person(words)
    return ("%s %s --user 99966%d0042 %s"):format(interop.kurigram, interop.at(server), server.dc, words)
  end

  --- Telethon as a bot.
  local function start_other()
    bot = interop.start(("%s %s --bot %s"):format(interop.kurigram, interop.at(server), OTHER), 60)
    bot:expect("^ready")
  end

  after_each(function()
    if bot then bot:stop() end
    if server then server.child:stop() end
    bot, server = nil, nil
  end)

  it("is a person: writes, edits, reads, deletes, lists, with our bot at the other end", function()
    local missing = interop.lacks("luna", "Kurigram")
    if missing then return pending(missing) end
    begin()
    bot = interop.bot(server, { token = TOKEN })
    interop.must(person("--tour echo_bot"), "^me %d+$", "^resolved %d+ echo_bot$", "^answer hello$", "^edited hello, edited$",
      "^deleted %d+$", "^history %d+$", "^dialogs %d+$", "^done$")
  end)

  it("is a bot: answers, and answers a button", function()
    local missing = interop.lacks("luna", "Kurigram")
    if missing then return pending(missing) end
    begin()
    start_other()
    interop.must(person("--tour other_bot"), "^done$")
    interop.must(person("--click other_bot /menu One"), "^answer menu$", "^clicked pressed one$", "^done$")
    assert.equal(0, bot:stop())
  end)

  it("presses a button of our bot", function()
    local missing = interop.lacks("luna", "Kurigram")
    if missing then return pending(missing) end
    begin()
    bot = interop.bot(server, { token = TOKEN, bot = "menu" })
    interop.must(person("--click echo_bot /start Order"), "^answer A small coffee%?$", "^clicked It is on its way%.$", "^done$")
  end)

  for _, framing in ipairs { "abridged", "intermediate", "full",
    "obfuscated-abridged", "obfuscated-intermediate", "obfuscated-padded" } do
    it("comes in by " .. framing, function()
      local missing = interop.lacks("luna", "Kurigram")
      if missing then return pending(missing) end
      begin()
      bot = interop.bot(server, { token = TOKEN })
      interop.must(person("--transport " .. framing .. " --say echo_bot hello"), "^answer hello$", "^done$")
    end)
  end
end)
