-- gotd's client as a person in our sandbox, by every framing, chatting with bots/echo.lua that runs on our client.
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local interop = dofile(here .. "interop.lua")

local TOKEN = "7002:gotd-spec-token"

describe("gotd's client in our sandbox", function()
  local frame = interop.frame(_ENV)

  local function test(name, fn)
    frame(name, { "teled" }, function(scene)
      scene.server = interop.sandbox("--log verbose", "echo_bot=" .. TOKEN)
      scene.bot = interop.bot(scene.server, { token = TOKEN })
      fn(scene.server)
    end)
  end

  test("logs in as a person and is answered", function(server)
    interop.must(interop.say(server, "echo_bot hello 'zwei äöü 🙂'"), "^me %d+$", "^answer hello$", "^answer zwei äöü 🙂$")
  end)

  test("finds its account again", function(server)
    local phone = ("-phone 99966%d0123 "):format(server.dc)
    local first = interop.must(interop.say(server, phone .. "echo_bot a"), "^answer a$")
    local second = interop.must(interop.say(server, phone .. "echo_bot b"), "^answer b$")
    assert.equal(first.lines[1], second.lines[1])
  end)

  test("has temporary keys", function(server)
    interop.must(interop.say(server, "-pfs echo_bot hello"), "^me %d+$", "^answer hello$")
    assert.is_true(interop.bound(server) > 0)
  end)

  test("comes in by every framing", function(server)
    for _, framing in ipairs { "abridged", "intermediate", "padded", "full",
      "obfuscated-abridged", "obfuscated-intermediate", "obfuscated-padded" } do
      interop.must(interop.say(server, "-transport " .. framing .. " echo_bot " .. framing), "^answer " .. framing:gsub("-", "%%-"))
    end
  end)
end)
