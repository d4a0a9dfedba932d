-- Logins in our sandbox that go another way than straight: sign-up, and accounts that live in another DC. Telethon,
-- Kurigram, mtcute and gotd's client as persons, Telethon, mtcute and ours as bots.
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local interop = dofile(here .. "interop.lua")

local TOKEN, OTHER = "7005:logins-spec-token", "87005:logins-spec-token"

-- Each peer as a person: the command that says one text to a bot. `first`: the name to sign up by.
local function peer(command)
  return function(place, phone, username, text, first)
    first = first and "--first " .. first or ""
    return ("%s %s --user %s %s --say %s %s"):format(command, interop.at(place), phone, first, username, text)
  end
end
local persons = {
  Telethon = peer(interop.telethon),
  Kurigram = peer(interop.kurigram),
  mtcute = peer(interop.mtcute),
  teled = function(place, phone, username, text, first)
    return interop.say(place, ("-phone %s %s %s %s"):format(phone, first and "-first " .. first or "", username, text))
  end,
}
local bots = {
  Telethon = function(place) return ("%s %s --bot %s"):format(interop.telethon, interop.at(place), OTHER) end,
  mtcute = function(place) return ("%s %s --bot %s"):format(interop.mtcute, interop.at(place), OTHER) end,
}

describe("a login in our sandbox", function()
  local frame = interop.frame(_ENV)

  local function test(name, needs, fn)
    frame(name, needs, function(scene)
      scene.server = interop.sandbox("--dc 2", "--dc 4", "echo_bot=" .. TOKEN, "other_bot=" .. OTHER)
      fn(scene, scene.server)
    end)
  end

  for _, name in ipairs { "Telethon", "Kurigram", "mtcute", "teled" } do
    local say = persons[name]

    test("signs up: " .. name, { name }, function(scene, server)
      scene.bot = interop.bot(server, { token = TOKEN })
      local first = interop.must(say(server, "9996629001", "echo_bot", "new", "Nora"), "^me %d+$", "^answer new$")
      local again = interop.must(say(server, "9996629001", "echo_bot", "known"), "^me %d+$", "^answer known$")
      assert.equal(first.lines[1], again.lines[1])
    end)

    test("goes to the DC of the phone: " .. name, { name }, function(scene, server)
      scene.bot = interop.bot(server, { token = TOKEN })
      interop.must(say(server, "9996640042", "echo_bot", "moved"), "^me %d+$", "^answer moved$")
    end)
  end

  for _, name in ipairs { "Telethon", "mtcute" } do
    test("goes to the DC of the bot: " .. name, { "teled", name }, function(scene, server)
      scene.bot = interop.start(bots[name](server.places[4]), 60)
      scene.bot:expect("^ready")
      interop.must(interop.say(server, "other_bot moved"), "^answer moved$")
    end)
  end

  test("goes to the DC of the bot: our client", { "teled" }, function(scene, server)
    local bot = interop.bot(server.places[4], { token = TOKEN })
    scene.bot = bot
    interop.must(interop.say(server, "echo_bot moved"), "^answer moved$")
    assert.equal(0, bot:stop())
    assert.matches("lives in DC 2", bot:said())
  end)
end)
