--- reply_markup as a Bot API object → TL: inline_keyboard, keyboard, remove_keyboard, force_reply. Pure, called by params.lua.
local markup = {}

-- Bot API field → how the button is made. fn(button, value, toUser)
local inline = {
  { "callback_data", function(text, v) return { _ = "keyboardButtonCallback", text = text, data = v } end },
  { "url", function(text, v) return { _ = "keyboardButtonUrl", text = text, url = v } end },
  { "web_app", function(text, v) return { _ = "keyboardButtonWebView", text = text, url = type(v) == "table" and v.url or v } end },
  { "switch_inline_query", function(text, v) return { _ = "keyboardButtonSwitchInline", text = text, query = v } end },
  { "switch_inline_query_current_chat", function(text, v)
    return { _ = "keyboardButtonSwitchInline", same_peer = true, text = text, query = v }
  end },
  { "copy_text", function(text, v) return { _ = "keyboardButtonCopy", text = text, copy_text = type(v) == "table" and v.text or v } end },
  { "callback_game", function(text) return { _ = "keyboardButtonGame", text = text } end },
  { "pay", function(text) return { _ = "keyboardButtonBuy", text = text } end },
  { "login_url", function(text, v)
    return { _ = "inputKeyboardButtonUrlAuth", text = text, url = v.url, fwd_text = v.forward_text, bot = { _ = "inputUserSelf" },
      request_write_access = v.request_write_access or nil }
  end },
}
local plain = {
  { "request_contact", function(text) return { _ = "keyboardButtonRequestPhone", text = text } end },
  { "request_location", function(text) return { _ = "keyboardButtonRequestGeoLocation", text = text } end },
  { "request_poll", function(text, v) return { _ = "keyboardButtonRequestPoll", text = text, quiz = v.type == "quiz" or nil } end },
  { "web_app", function(text, v) return { _ = "keyboardButtonSimpleWebView", text = text, url = type(v) == "table" and v.url or v } end },
}

local function button(x, kinds, default)
  if type(x) == "string" then x = { text = x } end
  if type(x) ~= "table" then return nil, "a button is a table or a text, not a " .. type(x) end
  if x._ then return x end
  if type(x.text) ~= "string" then return nil, 'a button needs a "text"' end
  for _, kind in ipairs(kinds) do
    local value = x[kind[1]]
    if value ~= nil and value ~= false then return kind[2](x.text, value) end
  end
  if default then return default(x.text) end
  return nil, ('the inline button "%s" does nothing: give it callback_data, url, …'):format(x.text)
end

local function rows(list, kinds, default)
  if type(list) ~= "table" then return nil, "the rows of a keyboard are a list" end
  local out = {}
  for i, row in ipairs(list) do
    if type(row) ~= "table" then return nil, ("row %d of the keyboard is a %s, not a list of buttons"):format(i, type(row)) end
    if row.text or row._ == "keyboardButton" then return nil, ("row %d of the keyboard is a button, not a list of buttons"):format(i) end
    local buttons = {}
    for j, x in ipairs(row._ == "keyboardButtonRow" and row.buttons or row) do
      local made, why = button(x, kinds, default)
      if not made then return nil, why end
      buttons[j] = made
    end
    out[i] = { _ = "keyboardButtonRow", buttons = buttons }
  end
  return out
end

--- The TL ReplyMarkup, or nil and what is wrong.
function markup.toTL(x)
  if type(x) ~= "table" then return nil, "expected a Bot API keyboard or a ReplyMarkup, got a " .. type(x) end
  if x.inline_keyboard then
    local made, why = rows(x.inline_keyboard, inline)
    if not made then return nil, why end
    return { _ = "replyInlineMarkup", rows = made }
  end
  if x.keyboard then
    local made, why = rows(x.keyboard, plain, function(text) return { _ = "keyboardButton", text = text } end)
    if not made then return nil, why end
    return {
      _ = "replyKeyboardMarkup", rows = made, resize = x.resize_keyboard or nil, single_use = x.one_time_keyboard or nil,
      selective = x.selective or nil, persistent = x.is_persistent or nil, placeholder = x.input_field_placeholder,
    }
  end
  if x.remove_keyboard or x.hide_keyboard then return { _ = "replyKeyboardHide", selective = x.selective or nil } end
  if x.force_reply then
    return { _ = "replyKeyboardForceReply", selective = x.selective or nil, placeholder = x.input_field_placeholder }
  end
  return nil, "expected inline_keyboard, keyboard, remove_keyboard or force_reply"
end

return markup
