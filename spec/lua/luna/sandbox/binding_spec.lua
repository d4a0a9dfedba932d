-- What the server lets a temporary key do: little before it is bound, then what its permanent key may, until it ends. That a client's
-- message is taken is seen in spec/lua/luna/pfs_spec.lua; what it has to be, in spec/host/mtproto/binding_spec.c.
local crypto = require "_luna.crypto"
local wire = require "_luna.server"
local rpc = require "luna.sandbox.rpc"

local PERM, TEMP = -5, 77

describe("a temporary key", function()
  local world = require("luna.sandbox").world()
  local model = world.model
  local user = model:addUser { first_name = "Alice", phone = "9996620001" }
  local session

  before_each(function()
    model.state.keys[PERM] = { key = crypto.random(256), dc = 2 }
    model.state.auths[PERM] = { user = user.id, date = model:now() }
    session = { authKeyId = TEMP, id = -99, data = {}, dc = 2, layer = function() return 230 end, up = true, push = function() end }
  end)
  after_each(function() model.sessions = {} end)

  local function invoke(name, p)
    local ctx = { server = world.server, model = model, session = session, data = session.data, dc = 2, req = 8 }
    local ok, result = pcall(world.server.invoke, world.server, ctx, name, p)
    if ok then return result end
    assert(rpc.is(result), tostring(result))
    return nil, result.text
  end
  local function bind(bytes)
    return invoke("auth.bindTempAuthKey", { perm_auth_key_id = PERM, nonce = 1, expires_at = model:now() + 60, encrypted_message = bytes })
  end
  local me = { id = { { _ = "inputUserSelf" } } }

  it("that is not bound asks for the configuration alone", function()
    for name, p in pairs { ["auth.sendCode"] = { phone_number = "9996620001" }, ["users.getUsers"] = me, ["updates.getState"] = {} } do
      assert.equal("AUTH_KEY_PERM_EMPTY", select(2, invoke(name, p)), name)
    end
    assert.equal("config", invoke("help.getConfig", {})._)
    assert.equal("nearestDc", invoke("help.getNearestDc", {})._)
  end)

  it("is not bound by what its permanent key has not sealed", function()
    for _, bytes in ipairs { "", crypto.random(104), string.pack("<i8", PERM) .. crypto.random(96) } do
      assert.is_nil(wire.readBinding(bytes, model.state.keys[PERM].key))
      assert.equal("ENCRYPTED_MESSAGE_INVALID", select(2, bind(bytes)))
    end
    session.authKeyId = PERM
    assert.equal("TEMP_AUTH_KEY_EMPTY", select(2, bind "")) -- a permanent key is no temporary one
  end)

  it("stands for the permanent one until its end", function()
    model.state.bound[TEMP] = { perm = PERM, expires = model:now() + 3600 }
    assert.equal(user.id, invoke("users.getUsers", me)[1].id)
    world:clock():advance(3601)
    assert.equal("AUTH_KEY_PERM_EMPTY", select(2, invoke("users.getUsers", me)))
  end)
end)
