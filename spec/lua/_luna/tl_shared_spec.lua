-- What the parts of an Updates object share with those decoded before, and what keeps that apart from what a script does.
local tl = require "_luna.tl"

local function updates(user, text)
  local function peer(id) return { _ = "peerUser", user_id = id } end
  local message = { _ = "message", id = 1, peer_id = peer(user), from_id = peer(user), date = 0, message = text }
  return tl.decode(tl.encode({
    _ = "updates", updates = { { _ = "updateNewMessage", message = message, pts = 1, pts_count = 1 } },
    users = { { _ = "user", id = user, access_hash = user, first_name = "Ann" } }, chats = {}, date = 0, seq = 0,
  }, "Updates"), "Updates")
end

local function peerOf(u) return u.updates[1].message.peer_id end

describe("an Updates object", function()
  it("shares users with the one before, and nothing that a script gets with its update", function()
    local a, b = updates(31, "one"), updates(31, "two")
    assert.equal(a.users[1], b.users[1])
    assert.not_equal(a.updates[1].message, b.updates[1].message)
    peerOf(a).user_id, peerOf(a).more = 1, true
    a.updates[1].message.from_id._ = "inputPeerUser"
    for _, u in ipairs { b, updates(31, "three") } do
      assert.same({ _ = "peerUser", user_id = 31 }, peerOf(u))
      assert.same({ _ = "peerUser", user_id = 31 }, u.updates[1].message.from_id)
    end
    assert.equal(32, updates(32, "two").users[1].id)
  end)

  it("that ends in the middle of a user is an error, also where the user is known", function()
    local bytes = tl.encode({ _ = "updates", updates = {}, users = { { _ = "user", id = 40, access_hash = 1, first_name = "Ann" } },
      chats = {}, date = 0, seq = 0 }, "Updates")
    assert.equal(40, tl.decode(bytes, "Updates").users[1].id)
    for n = 4, #bytes - 4, 4 do assert.is_false(pcall(tl.decode, bytes:sub(1, n), "Updates")) end
  end)
end)
