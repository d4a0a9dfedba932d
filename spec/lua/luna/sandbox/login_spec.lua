-- Logging in, over the wire: bots by token, people by phone, between DCs, and out again.
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local connect = dofile(folder .. "/spec/support/wire.lua")

local function sendCode(c, phone)
  return c:call("auth.sendCode", { phone_number = phone, api_id = 1, api_hash = "x", settings = { _ = "codeSettings" } })
end
local function signIn(c, phone, hash, code)
  return c:call("auth.signIn", { phone_number = phone, phone_code_hash = hash, phone_code = code })
end
local function botLogin(c, token)
  return c:call("auth.importBotAuthorization", { flags = 0, api_id = 1, api_hash = "x", bot_auth_token = token })
end

describe("sandbox login", function()
  local world = require("luna.sandbox").world { dcs = { 2, 4 } }
  local clients = {}
  local function client(opts)
    local c = connect(world, opts)
    clients[#clients + 1] = c
    return c
  end
  after_each(function()
    for _, c in ipairs(clients) do c:close() end
    clients = {}
  end)

  it("lets nobody do anything before it", function()
    local c = client()
    assert.equal("config", c:must("help.getConfig")._)
    assert.equal(2, c:must("help.getConfig").this_dc)
    assert.equal(2, c:must("help.getNearestDc").this_dc)
    local _, why = c:call("users.getUsers", { id = { { _ = "inputUserSelf" } } })
    assert.equal("401 AUTH_KEY_UNREGISTERED", why)
    _, why = c:call "updates.getState"
    assert.equal("401 AUTH_KEY_UNREGISTERED", why)
  end)

  it("makes a bot of any token of the right form", function()
    local c = client()
    local user = c:bot "123456:AAbb_-cc"
    assert.same({ 123456, true, true, "bot123456_bot" }, { user.id, user.bot, user.self, user.username })
    assert.equal(123456, c:must("users.getUsers", { id = { { _ = "inputUserSelf" } } })[1].id)
    assert.equal(123456, client():bot("123456:AAbb_-cc").id)
  end)

  it("refuses other tokens", function()
    local c = client()
    for _, token in ipairs { "", "123456", "123456:short", "abc:AAbbccdd", "123456:AAbbccdd!", "0:AAbbccdd", "99999999999999:AAbbccdd" } do
      local _, why = botLogin(c, token)
      assert.equal("400 ACCESS_TOKEN_INVALID", why, token)
    end
    local person = client():login "9996620001"
    local _, why = botLogin(c, person.id .. ":AAbbccdd")
    assert.equal("400 ACCESS_TOKEN_INVALID", why)
  end)

  it("makes an account at the first login by phone, and knows it at the next", function()
    local first = client():login "+99966 2 0042"
    assert.same({ true, "9996620042" }, { first.self, first.phone })
    assert.is_nil(first.bot)
    assert.equal(first.id, client():login("9996620042").id)
  end)

  it("checks number, code and hash; a wrong code spoils nothing", function()
    local c = client()
    for _, phone in ipairs { "4912345678", "999662004", "99966200420", "" } do
      local _, why = sendCode(c, phone)
      assert.equal("400 PHONE_NUMBER_INVALID", why, phone)
    end
    local sent = sendCode(c, "9996620043")
    assert.equal(5, sent.type.length)
    local _, why = signIn(c, "9996620043", sent.phone_code_hash, "11111")
    assert.equal("400 PHONE_CODE_INVALID", why)
    _, why = signIn(c, "9996620043", sent.phone_code_hash, "")
    assert.equal("400 PHONE_CODE_EMPTY", why)
    _, why = signIn(c, "9996620044", sent.phone_code_hash, "22222")
    assert.equal("400 PHONE_CODE_EXPIRED", why)
    sent = sendCode(c, "9996620043")
    assert.equal("auth.authorization", (signIn(c, "9996620043", sent.phone_code_hash, "22222"))._)
    _, why = signIn(c, "9996620043", sent.phone_code_hash, "22222")
    assert.equal("400 PHONE_CODE_EXPIRED", why)
  end)

  it("lets a code expire", function()
    local c = client()
    local sent = sendCode(c, "9996620045")
    world:clock():advance(301)
    local _, why = signIn(c, "9996620045", sent.phone_code_hash, "22222")
    assert.equal("400 PHONE_CODE_EXPIRED", why)
  end)

  it("asks for a sign-up from 9000 on", function()
    local c = client()
    local sent = sendCode(c, "9996629001")
    local name = { phone_number = "9996629001", phone_code_hash = sent.phone_code_hash, first_name = "Ada", last_name = "" }
    local _, why = c:call("auth.signUp", name)
    assert.equal("400 PHONE_CODE_INVALID", why)
    assert.equal("auth.authorizationSignUpRequired", (signIn(c, "9996629001", sent.phone_code_hash, "22222"))._)
    name.first_name = " "
    _, why = c:call("auth.signUp", name)
    assert.equal("400 FIRSTNAME_INVALID", why)
    name.first_name = "Ada"
    local user = c:must("auth.signUp", name).user
    assert.same({ "Ada", true, "9996629001" }, { user.first_name, user.self, user.phone })
    assert.equal(user.id, client():login("9996629001").id)
  end)

  it("sends who lives in another DC there, and lets him come back with an exported authorization", function()
    local here = client()
    local _, why = sendCode(here, "9996640001")
    assert.equal("303 PHONE_MIGRATE_4", why)
    world.model:addUser { id = 777, bot = true, first_name = "far", username = "far_bot", token = "777:AAbbccdd", dc = 4 }
    _, why = botLogin(here, "777:AAbbccdd")
    assert.equal("303 USER_MIGRATE_4", why)
    local there = client { dc = 4 }
    assert.equal(4, there:must("help.getConfig").this_dc)
    local user = there:login "9996640001"
    _, why = there:call("auth.exportAuthorization", { dc_id = 4 })
    assert.equal("400 DC_ID_INVALID", why)
    local exported = there:must("auth.exportAuthorization", { dc_id = 2 })
    _, why = here:call("auth.importAuthorization", { id = exported.id, bytes = exported.bytes:reverse() })
    assert.equal("400 AUTH_BYTES_INVALID", why)
    local import = { id = exported.id, bytes = exported.bytes }
    assert.equal(user.id, here:must("auth.importAuthorization", import).user.id)
    _, why = here:call("auth.importAuthorization", import)
    assert.equal("400 AUTH_BYTES_INVALID", why)
  end)

  it("takes an account of a DC that it has not got where it comes", function()
    assert.equal("9996630001", client():login("9996630001").phone)
  end)

  it("ends by a log-out; the account stays", function()
    local c = client()
    local user = c:login "9996620046"
    assert.equal("auth.loggedOut", c:must("auth.logOut")._)
    local _, why = c:call "updates.getState"
    assert.equal("401 AUTH_KEY_UNREGISTERED", why)
    assert.equal(user.id, c:login("9996620046").id)
  end)

  it("keeps a key's login over a new connection", function()
    local c = client()
    local user = c:login "9996620047"
    local auth = c.auth
    c:close()
    local again = client { auth = auth }
    assert.equal(user.id, again:must("users.getUsers", { id = { { _ = "inputUserSelf" } } })[1].id)
  end)

  it("does not bind a permanent key", function()
    local c = client()
    local _, why = c:call("auth.bindTempAuthKey", {
      perm_auth_key_id = 1, nonce = 1, expires_at = 2000000000, encrypted_message = ("x"):rep(40),
    })
    assert.equal("400 TEMP_AUTH_KEY_EMPTY", why)
  end)

  it("lets one device bring in another by a login token", function()
    local phone, desk = client(), client()
    local user = phone:login "9996620048"
    local token = desk:must("auth.exportLoginToken", { api_id = 1, api_hash = "x", except_ids = {} })
    local _, why = phone:call("auth.acceptLoginToken", { token = token.token:reverse() })
    assert.equal("400 AUTH_TOKEN_INVALID", why)
    assert.equal("authorization", phone:must("auth.acceptLoginToken", { token = token.token })._)
    desk:expect "updateLoginToken"
    local done = desk:must("auth.exportLoginToken", { api_id = 1, api_hash = "x", except_ids = {} })
    assert.equal(user.id, done.authorization.user.id)
    assert.equal(2, #phone:must("account.getAuthorizations").authorizations)
  end)
end)
