local markup = require "luna.markup"

describe("luna.markup", function()
  it("makes inline keyboards", function()
    local made = markup.toTL { inline_keyboard = { { { text = "A", callback_data = "a" }, { text = "B", url = "http://b" } } } }
    assert.same({ _ = "replyInlineMarkup", rows = { { _ = "keyboardInlineButtonRow", buttons = {
      { _ = "keyboardInlineButton", text = "A", type = { _ = "inlineButtonTypeCallback", data = "a" } },
      { _ = "keyboardInlineButton", text = "B", type = { _ = "inlineButtonTypeUrl", url = "http://b" } },
    } } } }, made)
  end)

  it("makes reply keyboards of texts", function()
    local made = markup.toTL { keyboard = { { "Yes", { text = "Phone", request_contact = true } } }, resize_keyboard = true }
    assert.is_true(made.resize)
    assert.is_nil(made.single_use)
    assert.equal("buttonTypeDefault", made.rows[1].buttons[1].type._)
    assert.equal("buttonTypeRequestPhone", made.rows[1].buttons[2].type._)
  end)

  it("hides keyboards and asks for replies", function()
    assert.equal("replyKeyboardHide", markup.toTL { remove_keyboard = true }._)
    assert.equal("replyKeyboardForceReply", markup.toTL { force_reply = true }._)
  end)

  it("says what is wrong", function()
    local cases = {
      { {}, "expected inline_keyboard" }, { { inline_keyboard = { { { text = "A" } } } }, 'button "A" does nothing' },
      { { inline_keyboard = { { text = "A", url = "x" } } }, "row 1 of the keyboard is a button" },
      { { keyboard = { "A" } }, "row 1 of the keyboard is a string" }, { { keyboard = { { 5 } } }, "not a number" }, { 5, "got a number" },
      { { inline_keybord = {} }, 'reply_markup has no "inline_keybord"; did you mean "inline_keyboard"?' },
      { { inline_keyboard = { { { text = "A", calback_data = "x" } } } }, 'button "A" has no "calback_data"; did you mean' },
    }
    for _, case in ipairs(cases) do
      local made, why = markup.toTL(case[1])
      assert.is_nil(made)
      assert.matches(case[2], why, 1, true)
    end
  end)
end)
