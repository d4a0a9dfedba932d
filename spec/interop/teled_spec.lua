-- Our client against a server that is not ours: one made of gotd's exchange, cipher, codecs and TL code, of layer 227.
-- A person with gotd's client writes to bots/echo.lua.
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local interop = dofile(here .. "interop.lua")

local TOKEN = "7001:teled-spec-token"

describe("our client on gotd's server", function()
  local server, bot, session, keys

  local function serve(flags)
    keys = os.tmpname()
    os.remove(keys)
    server = interop.server(("%s serve -log -key-dir %s -bot echo_bot=%s %s"):format(interop.teled, keys, TOKEN, flags or ""))
  end

  before_each(function()
    session = os.tmpname()
    os.remove(session)
  end)

  after_each(function()
    if bot then bot:stop() end
    if server then server.child:stop() end
    interop.remove_session(session)
    if keys then os.execute("rm -rf " .. keys) end
    bot, server, keys = nil, nil, nil
  end)

  it("logs in and answers", function()
    local missing = interop.lacks("luna", "teled")
    if missing then return pending(missing) end
    serve()
    bot = interop.bot(server, { token = TOKEN, session = session })
    interop.must(interop.say(server, "echo_bot hello 'zwei äöü 🙂'"), "^answer hello$", "^answer zwei äöü 🙂$")
    assert.equal(0, bot:stop())
  end)

  it("counts its messages by the rules", function()
    local missing = interop.lacks("luna", "teled")
    if missing then return pending(missing) end
    serve("-strict")
    bot = interop.bot(server, { token = TOKEN, session = session })
    interop.must(interop.say(server, "echo_bot one two three"), "^answer three$")
    assert.is_nil(server.child:said():match("bad_msg_notification"))
  end)

  it("understands the short forms of updates", function()
    local missing = interop.lacks("luna", "teled")
    if missing then return pending(missing) end
    serve("-short")
    bot = interop.bot(server, { token = TOKEN, session = session })
    interop.must(interop.say(server, "echo_bot one two"), "^answer one$", "^answer two$")
  end)

  -- The full framing has no tag, so it cannot be obfuscated.
  for _, framing in ipairs { "abridged", "intermediate", "padded", "full",
    "obfuscated-abridged", "obfuscated-intermediate", "obfuscated-padded" } do
    it("speaks " .. framing, function()
      local missing = interop.lacks("luna", "teled")
      if missing then return pending(missing) end
      serve()
      bot = interop.bot(server, { token = TOKEN, session = session, flags = "--transport " .. framing })
      interop.must(interop.say(server, "echo_bot hello"), "^answer hello$")
    end)
  end

  it("has temporary keys, a new one after kill -9, and the same saved one", function()
    local missing = interop.lacks("luna", "teled")
    if missing then return pending(missing) end
    serve()
    local function perm(n)
      local found = {}
      for id in server.child:said():gmatch "a temporary key is bound: %x+ to (%x+)" do found[#found + 1] = id end
      assert.equal(n, #found)
      return found[n]
    end
    bot = interop.bot(server, { token = TOKEN, session = session, pfs = true })
    interop.must(interop.say(server, "echo_bot hello"), "^answer hello$")
    local first = perm(1)
    bot:signal("KILL")
    assert.equal(137, bot:finish())
    bot = interop.bot(server, { token = TOKEN, session = session, pfs = true })
    interop.must(interop.say(server, "echo_bot again"), "^answer again$")
    assert.equal(first, perm(2))
    interop.must(interop.say(server, "-pfs echo_bot theirs"), "^answer theirs$")
    assert.is_true(perm(3) ~= first)
  end)

  it("is back after kill -9 with the same key, and answers what it missed", function()
    local missing = interop.lacks("luna", "teled")
    if missing then return pending(missing) end
    serve()
    bot = interop.bot(server, { token = TOKEN, session = session })
    interop.must(interop.say(server, "echo_bot before"), "^answer before$")
    bot:signal("KILL")
    assert.equal(137, bot:finish())

    local person = interop.start(interop.say(server, "-timeout 30s echo_bot missed"))
    person:expect("^said missed$")
    local function exchanges()
      return select(2, server.child:said():gsub("new key", ""))
    end
    local before = exchanges()
    bot = interop.bot(server, { token = TOKEN, session = session })
    person:expect("^answer missed$")
    assert.equal(0, person:finish())
    assert.equal(before, exchanges())
  end)

  it("answers each message once, though it is killed under traffic, twice", function()
    local missing = interop.lacks("luna", "teled")
    if missing then return pending(missing) end
    serve()
    bot = interop.bot(server, { token = TOKEN, session = session })
    local person = interop.start(interop.drive(server, "echo_bot 'flood 600 20'"), 50)
    for _, mark in ipairs { "100", "300" } do
      person:expect("^answered " .. mark .. "$")
      bot:signal("KILL")
      assert.equal(137, bot:finish())
      bot = interop.bot(server, { token = TOKEN, session = session })
    end
    person:expect("^flooded 600 ")
    assert.equal(0, person:finish())
  end)
end)
