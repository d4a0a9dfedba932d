-- gotd's client as a person in our sandbox, by every framing, chatting with bots/echo.lua that runs on our client.
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local interop = dofile(here .. "interop.lua")

local TOKEN = "7002:gotd-spec-token"

describe("gotd's client in our sandbox", function()
  local server, bot

  local function begin()
    server = interop.sandbox("echo_bot=" .. TOKEN)
    bot = interop.bot(server, { token = TOKEN })
  end

  after_each(function()
    if bot then bot:stop() end
    if server then server.child:stop() end
    bot, server = nil, nil
  end)

  it("logs in as a person and is answered", function()
    local missing = interop.lacks("luna", "teled")
    if missing then return pending(missing) end
    begin()
    interop.must(interop.say(server, "echo_bot hello 'zwei äöü 🙂'"), "^me %d+$", "^answer hello$", "^answer zwei äöü 🙂$")
  end)

  it("finds its account again", function()
    local missing = interop.lacks("luna", "teled")
    if missing then return pending(missing) end
    begin()
    local phone = ("-phone 99966%d0123 "):format(server.dc)
    local first = interop.must(interop.say(server, phone .. "echo_bot a"), "^answer a$")
    local second = interop.must(interop.say(server, phone .. "echo_bot b"), "^answer b$")
    assert.equal(first.lines[1], second.lines[1])
  end)

  it("comes in by every framing", function()
    local missing = interop.lacks("luna", "teled")
    if missing then return pending(missing) end
    begin()
    for _, framing in ipairs { "abridged", "intermediate", "padded", "full",
      "obfuscated-abridged", "obfuscated-intermediate", "obfuscated-padded" } do
      interop.must(interop.say(server, "-transport " .. framing .. " echo_bot " .. framing), "^answer " .. framing:gsub("-", "%%-"))
    end
  end)
end)
