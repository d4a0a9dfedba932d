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
  it("shares users and peers with the one before", function()
    local a, b = updates(31, "one"), updates(31, "two")
    assert.equal(a.users[1], b.users[1])
    assert.equal(peerOf(a), peerOf(b))
    assert.not_equal(a.updates[1].message, b.updates[1].message)
    assert.equal("two", b.updates[1].message.message)
    local other = updates(32, "two")
    assert.same({ _ = "peerUser", user_id = 32 }, peerOf(other))
    assert.equal(32, other.users[1].id)
  end)

  it("has its peers as they were sent, whatever a script has done to the one before", function()
    for _, change in ipairs {
      function(p) p._ = "inputPeerUser" end, function(p) p.user_id = 1 end, function(p) p.user_id = nil end,
      function(p) p._ = nil end, function(p) p.user_id = 33.0 end,
    } do
      change(peerOf(updates(33, "x")))
      assert.same({ _ = "peerUser", user_id = 33 }, peerOf(updates(33, "x")))
      assert.equal("integer", math.type(peerOf(updates(33, "x")).user_id))
    end
  end)

  it("keeps many peers apart", function()
    for round = 1, 2 do
      for id = 1, 2000 do assert.equal(id, peerOf(updates(id, tostring(round))).user_id) end
    end
  end)

  it("keeps kinds of peers of the same number apart", function()
    local function of(peer)
      local list = tl.encode({ _ = "updates", updates = { { _ = "updateNewMessage", pts = 1, pts_count = 1,
        message = { _ = "message", id = 1, peer_id = peer, date = 0, message = "" } } },
        users = {}, chats = {}, date = 0, seq = 0 }, "Updates")
      return peerOf(tl.decode(list, "Updates"))
    end
    for _ = 1, 2 do
      for _, peer in ipairs {
        { _ = "peerUser", user_id = 9 }, { _ = "peerChat", chat_id = 9 }, { _ = "peerChannel", channel_id = 9 },
      } do
        assert.same(peer, of(peer))
      end
    end
  end)

  it("that ends in the middle of a peer is an error, also where the peer is known", function()
    local bytes = tl.encode({ _ = "updateShort", update = { _ = "updateNewMessage", pts = 1, pts_count = 1,
      message = { _ = "messageEmpty", id = 1, peer_id = { _ = "peerUser", user_id = 40 } } }, date = 0 }, "Updates")
    assert.equal(40, tl.decode(bytes, "Updates").update.message.peer_id.user_id)
    for n = 4, #bytes - 4, 4 do assert.is_false(pcall(tl.decode, bytes:sub(1, n), "Updates")) end
  end)
end)
