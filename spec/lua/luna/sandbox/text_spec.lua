-- What the server does to texts.
local text = require "luna.sandbox.text"
local rpc = require "luna.sandbox.rpc"

local function refused(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert(rpc.is(err), tostring(err))
  return err.text
end

-- Entities as "name offset length".
local function names(entities)
  local list = {}
  for i, e in ipairs(entities or {}) do list[i] = ("%s %d %d"):format(e._:gsub("messageEntity", ""), e.offset, e.length) end
  return list
end

describe("sandbox text", function()
  it("counts UTF-16 code units", function()
    assert.equal(5, text.length "hello")
    assert.equal(3, text.length "äöü")
    assert.equal(2, text.length "👋")
    assert.equal(8, text.length "👨‍👩‍👧")
  end)

  it("takes white space off the ends and moves entities along", function()
    local kept, entities = text.take("  bold \n", { { _ = "messageEntityBold", offset = 2, length = 5 } }, 4096)
    assert.equal("bold", kept)
    assert.same({ "Bold 0 4" }, names(entities))
    kept, entities = text.take("   ", {}, 4096)
    assert.equal("", kept)
    assert.is_nil(entities)
  end)

  it("drops an entity of which nothing is left", function()
    local _, entities = text.take("a   ", { { _ = "messageEntityBold", offset = 1, length = 3 } }, 4096)
    assert.is_nil(entities)
  end)

  it("refuses what is too long, by code units and not by bytes", function()
    assert.equal(4096, #(text.take(("x"):rep(4096), nil, 4096)))
    assert.equal("MESSAGE_TOO_LONG", refused(text.take, ("x"):rep(4097), nil, 4096))
    text.take(("ä"):rep(4096), nil, 4096)
    assert.equal("MESSAGE_TOO_LONG", refused(text.take, ("👋"):rep(2049), nil, 4096))
    assert.equal("MEDIA_CAPTION_TOO_LONG", refused(text.take, ("x"):rep(1025), nil, 1024))
  end)

  it("refuses entities outside of the text, and what is no UTF-8", function()
    assert.equal("ENTITY_BOUNDS_INVALID", refused(text.take, "abc", { { _ = "messageEntityBold", offset = 2, length = 2 } }, 4096))
    assert.equal("ENTITY_BOUNDS_INVALID", refused(text.take, "abc", { { _ = "messageEntityBold", offset = -1, length = 2 } }, 4096))
    assert.equal("INPUT_FETCH_ERROR", refused(text.take, "a\255", nil, 4096))
  end)

  it("finds commands, mentions, hashtags, links and addresses", function()
    local function found(s) return names(select(2, text.take(s, nil, 4096))) end
    assert.same({ "BotCommand 0 6" }, found "/start now")
    assert.same({ "BotCommand 0 15" }, found "/start@echo_bot x")
    assert.same({ "Mention 3 6" }, found "👋 @alice")
    assert.same({ "Hashtag 0 4" }, found "#one two")
    assert.same({}, found "#123")
    assert.same({ "Url 4 19" }, found "see https://example.com.")
    assert.same({ "Email 0 9" }, found "me@you.de")
    assert.same({}, found "1/2 a/b </b>")
  end)

  it("finds nothing within what is marked already", function()
    local _, entities = text.take("/start", { { _ = "messageEntityCode", offset = 0, length = 6 } }, 4096)
    assert.same({ "Code 0 6" }, names(entities))
  end)

  it("turns a mention by name into the user's id, or leaves it out", function()
    local mention = { _ = "inputMessageEntityMentionName", offset = 0, length = 2, user_id = { _ = "inputUserSelf" } }
    local _, entities = text.take("me", { mention }, 4096, function() return 7 end)
    assert.same({ { _ = "messageEntityMentionName", offset = 0, length = 2, user_id = 7 } }, entities)
    _, entities = text.take("me", { mention }, 4096, function() return nil end)
    assert.is_nil(entities)
  end)
end)
