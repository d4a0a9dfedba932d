-- Other clients in our sandbox: as persons who chat with bots/echo.lua and bots/menu.lua, and as bots.
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local interop = dofile(here .. "interop.lua")

-- difference: the tour asks for one. pfs: it can have temporary keys. inline: it knows --inline. framings: those that the client can.
local clients = {
  { name = "Telethon", command = interop.telethon, id = 7003, difference = true, inline = true,
    framings = { "abridged", "intermediate", "full", "obfuscated-abridged" } },
  { name = "Kurigram", command = interop.kurigram, id = 7006, framings = { "abridged", "intermediate", "full", "obfuscated-abridged",
    "obfuscated-intermediate", "obfuscated-padded" } },
  { name = "mtcute", command = interop.mtcute, id = 7004, difference = true, pfs = true,
    framings = { "padded", "obfuscated-intermediate", "obfuscated-padded" } },
}

local function specify(client)
  local frame = interop.frame(_ENV)
  local token, other = ("%d:clients-spec-token"):format(client.id), ("8%d:clients-spec-token"):format(client.id)

  -- fn(scene, person): a sandbox with both bots; person(words): the client's command as a person with a phone of this server.
  local function test(name, fn)
    frame(name, { client.name }, function(scene)
      local server = interop.sandbox("--log verbose", "echo_bot=" .. token, "other_bot=" .. other)
      scene.server = server
      fn(scene, function(words)
        return ("%s %s --user 99966%d0042 %s"):format(client.command, interop.at(server), server.dc, words)
      end)
    end)
  end

  test("is a person: writes, edits, reads, deletes, lists, with our bot at the other end", function(scene, person)
    scene.bot = interop.bot(scene.server, { token = token })
    interop.must(person("--tour echo_bot"), "^me %d+$", "^resolved %d+ echo_bot$", "^answer hello$", "^edited hello, edited$",
      "^deleted %d+$", "^history %d+$", "^dialogs %d+$", table.unpack(client.difference and { "^difference ", "^done$" } or { "^done$" }))
  end)

  test("is a bot: answers, and answers a button", function(scene, person)
    local bot = interop.start(("%s %s --bot %s"):format(client.command, interop.at(scene.server), other), 60)
    scene.bot = bot
    bot:expect("^ready")
    interop.must(person("--tour other_bot"), "^done$")
    interop.must(person("--click other_bot /menu One"), "^answer menu$", "^clicked pressed one$", "^done$")
    assert.equal(0, bot:stop())
  end)

  if client.inline then
    test("asks a bot inline, sends a result, presses its button, sees it changed", function(scene, person)
      local bot = interop.start(("%s %s --bot %s"):format(client.command, interop.at(scene.server), other), 60)
      scene.bot = bot
      bot:expect("^ready")
      interop.must(person("--inline other_bot tea"), "^chosen first of tea$", "^pressed pressed$", "^now changed$", "^done$")
    end)
  end

  if client.pfs then
    test("has temporary keys, as our bot has", function(scene, person)
      scene.bot = interop.bot(scene.server, { token = token, pfs = true })
      assert.equal(1, interop.bound(scene.server))
      interop.must(person("--pfs --tour echo_bot"), "^me %d+$", "^answer hello$", "^done$")
      assert.is_true(interop.bound(scene.server) > 1)
    end)

    test("is a bot with temporary keys", function(scene, person)
      local bot = interop.start(("%s %s --pfs --bot %s"):format(client.command, interop.at(scene.server), other), 60)
      scene.bot = bot
      bot:expect("^ready")
      assert.is_true(interop.bound(scene.server) > 0)
      interop.must(person("--pfs --tour other_bot"), "^done$")
      assert.equal(0, bot:stop())
    end)
  end

  test("presses a button of our bot", function(scene, person)
    scene.bot = interop.bot(scene.server, { token = token, bot = "menu" })
    interop.must(person("--click echo_bot /start Order"), "^answer A small coffee%?$", "^clicked It is on its way%.$", "^done$")
  end)

  for _, framing in ipairs(client.framings) do
    test("comes in by " .. framing, function(scene, person)
      scene.bot = interop.bot(scene.server, { token = token })
      interop.must(person("--transport " .. framing .. " --say echo_bot hello"), "^answer hello$", "^done$")
    end)
  end
end

for _, client in ipairs(clients) do
  describe(client.name .. " in our sandbox", function() specify(client) end)
end
