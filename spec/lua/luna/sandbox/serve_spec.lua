-- A sandbox that listens on loopback: addresses, keys, tokens, and what it keeps over a restart.
local luna = require "luna"
local crypto = require "_luna.crypto"
local promise = require "_luna.promise"
local sandbox = require "luna.sandbox"

local function fails(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

-- A bot of a served sandbox with a session of its own; the texts that it gets, and a function that waits until there are n.
local function bot(place, session, username)
  local texts, waiting = {}, promise.new()
  local api = luna.API(session, { sandbox = place, username = username })
  api:run(function(update)
    if update.message and not update.message.out then
      texts[#texts + 1] = update.message.message
      local p = waiting
      waiting = promise.new()
      promise.resolve(p)
    end
  end)
  return api, texts, function(n)
    while #texts < n do assert(promise.awaitTimeout(waiting, 5), "no update came") end
  end
end

describe("a served sandbox", function()
  local open, files = {}, {}
  local function serve(opts)
    local place = sandbox.serve(opts)
    open[#open + 1] = place
    return place
  end
  local function temporary()
    local path = os.tmpname()
    os.remove(path)
    files[#files + 1] = path
    return path
  end
  after_each(function()
    for _, place in ipairs(open) do place:close() end
    for _, path in ipairs(files) do
      for _, suffix in ipairs { "", ".new", "-wal", "-shm" } do os.remove(path .. suffix) end
    end
    open, files = {}, {}
  end)

  it("has an address for each DC, and tells clients all of them", function()
    local place = serve { dcs = { 2, 4 } }
    assert.same({ 2, 4 }, { place.addresses[1].dc, place.addresses[2].dc })
    assert.are_not.equal(place.addresses[1].port, place.addresses[2].port)
    local api = luna.API { sandbox = place, username = "some_bot" }
    local config = api.help.getConfig {}
    assert.equal(2, config.this_dc)
    assert.same({ place.addresses[1].port, place.addresses[2].port }, { config.dc_options[1].port, config.dc_options[2].port })
    api:stop()
  end)

  it("gives out its public key, as text and as a file", function()
    local key = temporary()
    local file = assert(io.open(key, "wb"))
    local pem = sandbox.processKey()
    file:write(pem)
    file:close()
    local place = serve { key = key }
    assert.equal(crypto.rsaPublic(pem), place.key)
    files[#files + 1] = place.keyPath
    file = assert(io.open(place.keyPath, "rb"))
    assert.equal(place.key, file:read "a")
    file:close()
  end)

  it("makes bots by name and token", function()
    local place = serve { bots = { { "first_bot", "7001:AAbbccdd" }, { "second_bot" } } }
    assert.same({ "first_bot", "7001:AAbbccdd", 7001 }, { place.tokens[1].username, place.tokens[1].token, place.tokens[1].id })
    local id, secret = place.tokens[2].token:match "^(%d+):([%w_-]+)$"
    assert.equal(place.tokens[2].id, tonumber(id))
    assert.is_true(#secret >= 8)
    assert.equal(place.tokens[2].token, place:addBot("second_bot").token)
    assert.matches("the token of x_bot is not of the form", fails(place.addBot, place, "x_bot", "7001:short"))
    assert.matches("is taken by another account", fails(place.addBot, place, "first_bot", "7002:AAbbccdd"))
    assert.matches("no username", fails(place.addBot, place, "a b", "7002:AAbbccdd"))
  end)

  it("says what is wrong with an address or a key", function()
    assert.matches("expected HOST:PORT", fails(sandbox.serve, { listen = "127.0.0.1:x" }))
    assert.matches("cannot listen on 8.8.8.8:0: the sandbox listens on loopback addresses alone",
      fails(sandbox.serve, { listen = "8.8.8.8:0" }))
    assert.matches("the key file cannot be read", fails(sandbox.serve, { key = "/nowhere/key.pem" }))
    local path = temporary()
    io.open(path, "wb"):write("no key"):close()
    assert.matches("is no private RSA key", fails(sandbox.serve, { key = path }))
  end)

  it("keeps accounts, messages, key and logins over a restart, and the bot catches up", function()
    local data, session = temporary(), temporary()
    local actions = require "luna.sandbox.actions"
    local place = serve { data = data }
    local key, port = place.key, place.addresses[1].port
    local api, _, wait = bot(place, session, "keeper_bot")
    local me = api:getSelf().id
    local alice = place.model:addUser { first_name = "Alice", phone = "9996620001" }
    actions.send(place.model, { user = alice }, me, { text = "before" })
    wait(1)
    api:stop()
    actions.send(place.model, { user = alice }, me, { text = "while the bot is away" })
    place:close()

    local again = serve { data = data, listen = "127.0.0.1:" .. port }
    assert.equal(key, again.key)
    assert.equal("Alice", again.model:user(alice.id).first_name)
    actions.send(again.model, { user = again.model:user(alice.id) }, me, { text = "after the restart" })
    local logins = 0
    local methods = require "luna.sandbox.methods"
    local login = methods["auth.importBotAuthorization"]
    finally(function() methods["auth.importBotAuthorization"] = login end)
    methods["auth.importBotAuthorization"] = function(...)
      logins = logins + 1
      return login(...)
    end
    local texts
    api, texts, wait = bot(again, session, "keeper_bot")
    wait(2)
    assert.same({ "while the bot is away", "after the restart" }, texts)
    assert.equal(0, logins) -- by the saved key
    api:stop()
  end)

  it("does not start on damaged data, nor touch it", function()
    local data = temporary()
    io.open(data, "wb"):write("luna sandbox 1\nnonsense"):close()
    assert.matches("is damaged and was left as it was", fails(sandbox.serve, { data = data }))
    local file = io.open(data, "rb")
    assert.equal("luna sandbox 1\nnonsense", file:read "a")
    file:close()
  end)
end)
