local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local fake = dofile(folder .. "/spec/support/fake_core.lua")
local forms = require "luna.peer_forms"
local ids = require "luna.ids"

local function known(opts)
  local core = fake(opts)
  core.peers:harvest {
    users = { { _ = "user", id = 50, access_hash = 5050, first_name = "Alice", username = "alice" },
      { _ = "user", id = 51, access_hash = 1, min = true, first_name = "Min" } },
    chats = { { _ = "chat", id = 60, title = "Group" }, { _ = "channel", id = 70, access_hash = 7070, title = "News", username = "news" } },
  }
  return core
end

local alice = { _ = "inputPeerUser", user_id = 50, access_hash = 5050 }
local group = { _ = "inputPeerChat", chat_id = 60 }
local news = { _ = "inputPeerChannel", channel_id = 70, access_hash = 7070 }

describe("luna.ids", function()
  it("turns every kind of peer into one number and back", function()
    for _, peer in ipairs { { _ = "peerUser", user_id = 5 }, { _ = "peerChat", chat_id = 5 }, { _ = "peerChannel", channel_id = 5 } } do
      assert.same(peer, ids.toPeer(ids.ofPeer(peer)))
    end
    assert.equal(-1000000000005, ids.channel(5))
    assert.is_nil(ids.split(0))
    assert.is_nil(ids.split(math.maxinteger))
  end)
end)

describe("peer forms", function()
  local core = known()
  local function input(x) return forms.inputPeer(core.peers, x) end

  it("ids in Bot API form, as numbers and as text", function()
    assert.same(alice, input(50))
    assert.same(alice, input(50.0))
    assert.same(group, input(-60))
    assert.same(news, input(-1000000000070))
    assert.same(news, input "-1000000000070")
    assert.same({ _ = "inputPeerSelf" }, input(1))
  end)

  it("names and links", function()
    for _, x in ipairs { "@alice", "@ALICE", "alice", "https://t.me/alice", "t.me/alice", "tg://resolve?domain=alice", "tg://user?id=50",
      "http://telegram.me/alice?start=x" } do
      assert.same(alice, input(x))
    end
    assert.same(news, input "https://t.me/news/15")
    assert.same(news, input "https://t.me/s/news")
    assert.same(news, input "https://t.me/c/70/15")
    assert.same({ _ = "inputPeerSelf" }, input "me")
  end)

  it("TL objects of every kind", function()
    for _, x in ipairs { { _ = "peerUser", user_id = 50 },
      { _ = "user", id = 50, access_hash = 5050, first_name = "Alice", username = "alice" },
      { _ = "inputUser", user_id = 50, access_hash = 5050 }, alice, { bot_api_id = 50 }, { _ = "userFull", id = 50 } } do
      assert.same(alice, input(x))
    end
    for _, x in ipairs { { _ = "channel", id = 70, access_hash = 7070, title = "News", username = "news" }, { _ = "channelFull", id = 70 },
      { _ = "inputChannel", channel_id = 70, access_hash = 7070 } } do
      assert.same(news, input(x))
    end
    assert.same(group, input { _ = "chat", id = 60, title = "Group" })
  end)

  it("updates and messages by their chat", function()
    local message = { _ = "message", id = 1, peer_id = { _ = "peerChat", chat_id = 60 }, from_id = { _ = "peerUser", user_id = 50 } }
    assert.same(group, input(message))
    assert.same(group, input { _ = "updateNewMessage", message = message, pts = 1, pts_count = 1 })
    assert.same(group, input { _ = "updateBotCallbackQuery", user_id = 50, peer = { _ = "peerChat", chat_id = 60 } })
    assert.same(alice, input { _ = "updateUserTyping", user_id = 50 })
    assert.same(news, input { _ = "updateChannel", channel_id = 70 })
  end)

  it("as users and channels where a method wants these", function()
    assert.same({ _ = "inputUser", user_id = 50, access_hash = 5050 }, forms.inputUser(core.peers, "@alice"))
    assert.same({ _ = "inputUserSelf" }, forms.inputUser(core.peers, "me"))
    assert.same({ _ = "inputChannel", channel_id = 70, access_hash = 7070 }, forms.inputChannel(core.peers, -1000000000070))
    assert.same({ _ = "inputUser", user_id = 50, access_hash = 5050 }, -- who wrote it, not where
      forms.inputUser(core.peers, { _ = "message", id = 1, peer_id = { _ = "peerChat", chat_id = 60 },
        from_id = { _ = "peerUser", user_id = 50 } }))
    assert.error_matches(function() forms.inputUser(core.peers, -60) end, "a user is wanted")
    assert.error_matches(function() forms.inputChannel(core.peers, -60) end, "not a basic group")
  end)

  it("asks the server for a name that is new", function()
    core.answers["contacts.resolveUsername"] = function(p)
      assert.equal("bob", p.username)
      core.peers:harvest { users = { { _ = "user", id = 52, access_hash = 52, first_name = "Bob", username = "bob" } } }
      return { _ = "contacts.resolvedPeer", peer = { _ = "peerUser", user_id = 52 }, users = {}, chats = {} }
    end
    assert.equal(52, input("@bob").user_id)
    local before = #core.calls
    assert.equal(52, input("t.me/bob").user_id)
    assert.equal(before, #core.calls)
  end)

  it("a bot may name by id what it has not met, a person may not", function()
    assert.same({ _ = "inputPeerUser", user_id = 99, access_hash = 0 }, input(99))
    local person = known { me = { id = 1, bot = false } }
    assert.error_matches(function() forms.inputPeer(person.peers, 99) end, "has not met the peer 99")
    assert.error_matches(function() forms.inputPeer(person.peers, 51) end, "known by a mention only")
  end)

  it("says what names no peer", function()
    for _, x in ipairs { true, "no such thing!", "", 1.5, 0 } do
      local ok, err = pcall(input, x)
      assert.is_false(ok)
      assert.is_true(require("luna.errors").is(err, require("luna.errors").classes.PeerException))
    end
    assert.error_matches(function() input {} end, "names no peer")
    assert.error_matches(function() input { _ = "updateConfig" } end, "updateConfig names no peer")
    -- Tables that a script made itself, of no right shape; and none of them is learned from.
    for _, x in ipairs { { _ = 5 }, { _ = "user" }, { _ = "user", id = "5" }, { _ = "user", id = 58, access_hash = "x" }, { _ = "chat" },
      { _ = "user", id = 58, access_hash = 5, username = 5 }, { _ = "channel", id = {} }, { _ = "peerUser" },
      { _ = "user", id = 58, usernames = { 3 } },
      { _ = "peerChat", chat_id = true }, { _ = "peerChannel" }, { _ = "message", peer_id = 3 },
      { _ = "updateNewMessage", message = { _ = "message", peer_id = 3 } },
      { _ = "updateNewMessage", message = 3 }, { _ = "updateUserTyping", user_id = "5" }, { _ = "updateChannel", channel_id = {} },
      { _ = "users.userFull" }, { _ = "userFull" }, { _ = "chatFull" }, { _ = "channelFull", id = "x" }, { _ = "dialog", peer = 3 },
      { _ = "updateChatParticipants", participants = { chat_id = "x" } }, { _ = "contacts.resolvedPeer" } } do
      local ok, err = pcall(input, x)
      assert.is_false(ok, x._)
      assert.is_true(require("luna.errors").is(err, require("luna.errors").classes.PeerException), tostring(err))
    end
    core:settle()
    assert.is_nil(core.peers:get(58))
  end)
end)

describe("luna.peers", function()
  it("keeps what it knows in the store", function()
    local store = require("_luna.store").open(nil)
    local first = fake { store = store }
    first.peers:harvest { users = { { _ = "user", id = 50, access_hash = 5050, first_name = "Alice", username = "alice" } } }
    first:settle()
    local second = fake { store = store }
    assert.same(alice, forms.inputPeer(second.peers, 50))
    assert.same(alice, forms.inputPeer(second.peers, "@Alice"))
  end)

  it("a min object does not spoil what is known", function()
    local core = known()
    core.peers:harvest { users = { { _ = "user", id = 50, access_hash = 1, min = true, first_name = "A" } } }
    assert.same(alice, forms.inputPeer(core.peers, 50))
    core.peers:harvest { users = { { _ = "user", id = 51, access_hash = 5151, first_name = "Full" } } }
    assert.equal(5151, forms.inputPeer(core.peers, 51).access_hash)
  end)

  it("bounds what it holds in memory, and finds the rest in the store", function()
    local core = fake()
    local users = {}
    for i = 1, 9000 do users[i] = { _ = "user", id = 1000 + i, access_hash = i, first_name = "u" } end
    core.peers:harvest { users = users }
    core:settle()
    local count = 0
    for _ in pairs(core.peers.young) do count = count + 1 end
    for _ in pairs(core.peers.old) do count = count + 1 end
    assert.is_true(count <= 8000)
    assert.equal(1, forms.inputPeer(core.peers, 1001).access_hash)
  end)
end)
