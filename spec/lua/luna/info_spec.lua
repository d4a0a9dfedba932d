-- getInfo and getPwrChat in the sandbox: every form of a peer, what is in the answer, and peers that nobody knows.
local luna = require "luna"

describe("luna.info", function()
  local world = require("luna.sandbox").world()
  local bot = world:run(function() end, { name = "informed" })
  local api = bot.api
  local alice = world:user("Alice", { username = "alice_informed" })
  local group = world:group("Tea", { members = { alice, bot } })
  local club = world:channel("Club", { megagroup = true, admins = { bot }, members = { alice } })
  local news = world:channel("News", { username = "news_informed", admins = { bot } })
  alice:start(bot)
  world:clock():advance(1)

  it("takes a user in every form", function()
    local met = {}
    bot.api:setCallback(function(update) met[#met + 1] = update end)
    alice:send(bot, "hello")
    world:clock():advance(1)
    for _, x in ipairs {
      alice.id, tostring(alice.id), "alice_informed", "@alice_informed", "https://t.me/alice_informed",
      "tg://resolve?domain=alice_informed",
      { _ = "peerUser", user_id = alice.id }, { _ = "user", id = alice.id }, met[1], met[1].message,
    } do
      local info = api:getInfo(x)
      assert.equal(alice.id, info.bot_api_id)
      assert.equal("user", info.type)
      assert.equal("Alice", info.User.first_name)
      assert.same({ _ = "peerUser", user_id = alice.id }, info.Peer)
      assert.equal(info.InputPeer.access_hash, info.InputUser.access_hash)
      assert.is_nil(info.Chat)
    end
    assert.equal("bot", api:getInfo("me").type)
  end)

  it("tells groups, supergroups and channels apart", function()
    local tea = api:getInfo(group.id)
    assert.same({ "chat", "Tea", "inputPeerChat" }, { tea.type, tea.Chat.title, tea.InputPeer._ })
    assert.equal(-group.id, tea.chat_id)
    local c = api:getInfo(club.id)
    assert.same({ "supergroup", "inputPeerChannel", "inputChannel" }, { c.type, c.InputPeer._, c.InputChannel._ })
    assert.equal(club.id, c.bot_api_id)
    assert.equal("channel", api:getInfo("@news_informed").type)
  end)

  it("gives a flat table to people", function()
    local person = api:getPwrChat("alice_informed")
    assert.same({ alice.id, alice.id, "user", "Alice", "alice_informed" },
      { person.id, person.bot_api_id, person.type, person.first_name, person.username })
    assert.same({ news.id, "channel", "News", "news_informed" },
      (function(c) return { c.id, c.type, c.title, c.username } end)(api:getPwrChat(news.id)))
    assert.equal(2, api:getPwrChat(group.id).participants_count)
    assert.equal(alice.id, luna.await(api:getPwrChat("alice_informed", { async = true }).bot_api_id))
  end)

  it("raises for whom nobody knows", function()
    for _, name in ipairs { "getInfo", "getPwrChat" } do
      for _, x in ipairs { 99, { _ = "peerUser", user_id = 123456 } } do
        local ok, err = pcall(api[name], api, x)
        assert.is_false(ok)
        assert.is_true(luna.is(err, luna.PeerException))
        assert.matches("^the server does not know the peer %d+$", tostring(err))
      end
      assert.error_matches(function() api[name](api, "nobody_of_that_name") end, "USERNAME_NOT_OCCUPIED")
      assert.error_matches(function() api[name](api, {}) end, "names no peer")
      assert.error_matches(function() api[name](api) end, name .. " wants a peer")
    end
  end)
end)
