-- Keyboards of every layer meet in one form and go back.
local keyboards = require "luna.sandbox.keyboards"
local tl = require "_luna.tl"

local old = {
  _ = "replyInlineMarkup", rows = {
    { _ = "keyboardButtonRow", buttons = {
      { _ = "keyboardButtonCallback", text = "One", data = "1" }, { _ = "keyboardButtonUrl", text = "Link", url = "https://example.com" },
    } },
  },
}

describe("sandbox keyboards", function()
  it("keeps the old form as the new, and shows either", function()
    local kept = keyboards.keep(old)
    assert.equal("keyboardInlineButtonRow", kept.rows[1]._)
    local button = { _ = "keyboardInlineButton", text = "One", type = { _ = "inlineButtonTypeCallback", data = "1" } }
    assert.same(button, kept.rows[1].buttons[1])
    assert.same(old, keyboards.show(kept, 227))
    assert.equal(kept, keyboards.show(kept, 230))
    assert.equal(#tl.encode(old, "ReplyMarkup", 227), #tl.encode(keyboards.show(kept, 227), "ReplyMarkup", 227))
    assert.same(kept, tl.decode(tl.encode(kept, "ReplyMarkup", 230), "ReplyMarkup"))
  end)

  it("keeps reply keyboards too", function()
    local markup = { _ = "replyKeyboardMarkup", resize = true, rows = {
      { _ = "keyboardButtonRow", buttons = {
        { _ = "keyboardButton", text = "Yes" }, { _ = "keyboardButtonRequestPhone", text = "Phone" },
      } },
    } }
    local kept = keyboards.keep(markup)
    assert.equal("buttonTypeDefault", kept.rows[1].buttons[1].type._)
    assert.equal("buttonTypeRequestPhone", kept.rows[1].buttons[2].type._)
    assert.is_true(kept.resize)
    assert.same(markup, keyboards.show(kept, 228))
    assert.equal("string", type(tl.encode(kept, "ReplyMarkup", 230)))
  end)

  it("leaves markup without rows alone", function()
    local hide = { _ = "replyKeyboardHide" }
    assert.equal(hide, keyboards.keep(hide))
    assert.equal(hide, keyboards.show(hide, 227))
  end)

  it("finds buttons by label, place and data", function()
    local kept = keyboards.keep(old)
    assert.equal("1", keyboards.find(kept, "One").type.data)
    assert.equal("Link", keyboards.find(kept, 1, 2).text)
    assert.is_nil(keyboards.find(kept, 2, 1))
    assert.is_nil(keyboards.find(kept, "Two"))
    assert.equal("One", keyboards.byData(kept, "1").text)
    assert.is_nil(keyboards.byData(kept, "https://example.com"))
    assert.same({ "One", "Link" }, keyboards.labels(kept))
  end)

  it("shows users what a bot described by input types", function()
    local kept = keyboards.keep({ _ = "replyInlineMarkup", rows = { { _ = "keyboardInlineButtonRow", buttons = {
      { _ = "keyboardInlineButton", text = "Me", type = { _ = "inputInlineButtonTypeUserProfile", user_id = { _ = "inputUserSelf" } } },
    } } } }, function() return 5 end)
    assert.same({ _ = "inlineButtonTypeUserProfile", user_id = 5 }, kept.rows[1].buttons[1].type)
  end)
end)
