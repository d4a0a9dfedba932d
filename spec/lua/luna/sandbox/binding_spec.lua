-- Binding a temporary key: the message, and what the server makes of it.
local crypto = require "_luna.crypto"
local binding = require "luna.sandbox.binding"
local rpc = require "luna.sandbox.rpc"

local function message(more)
  local m = {
    key = ("k"):rep(255) .. "\1", perm = -5, temp = 77, session = -99, nonce = 123456789, expires = 2000000000, id = 7590176156653985764,
  }
  for k, v in pairs(more or {}) do m[k] = v end
  return m
end

describe("the binding of a temporary key", function()
  it("is taken where everything fits", function()
    assert.is_true(binding.check(binding.make(message()), message()))
  end)

  it("is refused where anything does not", function()
    local bytes = binding.make(message())
    local others = {
      key = ("K"):rep(256), perm = 6, temp = 78, session = 99, nonce = 1, expires = 2000000001, id = 7590176156653985768,
    }
    for field, value in pairs(others) do
      assert.is_false(binding.check(bytes, message { [field] = value }), field)
    end
    for at = 1, #bytes do
      local changed = bytes:sub(1, at - 1) .. string.char(bytes:byte(at) ~ 1) .. bytes:sub(at + 1)
      -- The padding at the end is nobody's, all else is.
      if at <= #bytes - 16 then assert.is_false(binding.check(changed, message()), at) end
      assert.is_false(binding.check(bytes:sub(1, at - 1), message()))
    end
    assert.is_false(binding.check(bytes .. ("x"):rep(16), message()))
    assert.is_false(binding.check(("x"):rep(24 + 1024), message()))
  end)

  it("gives a session the account of the permanent key, until it expires", function()
    local world = require("luna.sandbox").world()
    local model, server = world.model, world.server
    local user = model:addUser { first_name = "Alice", phone = "9996620001" }
    local key = crypto.random(256)
    model.state.keys[-5] = { key = key, dc = 2 }
    model.state.auths[-5] = { user = user.id, date = model:now() }
    local session = { authKeyId = 77, id = -99, data = {}, dc = 2, layer = function() return 230 end, up = true, push = function() end }
    local function invoke(name, p, req)
      local ctx = { server = server, model = model, session = session, data = session.data, dc = 2, req = req or 8 }
      local ok, result = pcall(server.invoke, server, ctx, name, p)
      if ok then return result end
      assert(rpc.is(result), tostring(result))
      return nil, result.text
    end
    assert.equal("AUTH_KEY_PERM_EMPTY", select(2, invoke("auth.sendCode", { phone_number = "9996620001" })))
    assert.equal("config", invoke("help.getConfig", {})._)
    local expires = model:now() + 3600
    local m = message { key = key, expires = expires, id = 8 }
    local p = { perm_auth_key_id = -5, nonce = m.nonce, expires_at = expires, encrypted_message = binding.make(m) }
    assert.equal("ENCRYPTED_MESSAGE_INVALID", select(2, invoke("auth.bindTempAuthKey", p, 12)))
    assert.is_true(invoke("auth.bindTempAuthKey", p, 8))
    assert.equal(user.id, invoke("users.getUsers", { id = { { _ = "inputUserSelf" } } })[1].id)
    world:clock():advance(3601)
    assert.equal("AUTH_KEY_UNREGISTERED", select(2, invoke("users.getUsers", { id = { { _ = "inputUserSelf" } } })))
    session.authKeyId = -5
    assert.equal("TEMP_AUTH_KEY_EMPTY", select(2, invoke("auth.bindTempAuthKey", p, 8)))
    model.sessions = {}
  end)
end)
