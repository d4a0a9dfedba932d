-- What a server takes of a client beyond the schema: an InputPeer where an InputUser or InputChannel is due.
local tl = require "_luna.tl"

local function head(name) return string.pack("<I4", tl.constructor(name).id) end

-- The method's bytes with one constructor put in another's place.
local function with(method, params, was, is)
  local bytes = tl.encodeMethod(method, params)
  local from = assert(bytes:find(head(was), 1, true))
  return bytes:sub(1, from - 1) .. head(is) .. bytes:sub(from + 4)
end

describe("a request", function()
  local user = { _ = "inputUser", user_id = 7, access_hash = 9 }
  local channel = { _ = "inputChannel", channel_id = 8, access_hash = 10 }

  it("may name a user or channel as a peer", function()
    local users = tl.decodeMethod(with("users.getUsers", { id = { { _ = "inputUserSelf" }, user } }, "inputUser", "inputPeerUser"))
    assert.same({ { _ = "inputUserSelf" }, user }, users.id)
    users = tl.decodeMethod(with("users.getUsers", { id = { { _ = "inputUserSelf" } } }, "inputUserSelf", "inputPeerSelf"))
    assert.same({ { _ = "inputUserSelf" } }, users.id)
    local full = tl.decodeMethod(with("channels.getFullChannel", { channel = channel }, "inputChannel", "inputPeerChannel"))
    assert.same(channel, full.channel)
  end)

  it("may not name one as the other, nor anything else", function()
    local function refused(...) assert.is_false((pcall(tl.decodeMethod, with(...)))) end
    refused("users.getUsers", { id = { user } }, "inputUser", "inputPeerChannel")
    refused("channels.getFullChannel", { channel = channel }, "inputChannel", "inputPeerUser")
    refused("channels.getFullChannel", { channel = channel }, "inputChannel", "inputUser")
    refused("users.getUsers", { id = { user } }, "inputUser", "inputPhoneContact")
  end)

  it("alone may: elsewhere it is an error", function()
    local bytes = head "inputPeerUser" .. tl.encode(user):sub(5)
    assert.equal("inputPeerUser", tl.decode(bytes, "InputPeer")._)
    assert.is_false((pcall(tl.decode, bytes, "InputUser")))
  end)
end)
