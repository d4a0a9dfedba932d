--- reply_markup as a Bot API object → TL: inline_keyboard, keyboard, remove_keyboard, force_reply. Pure, called by params.lua.
local markup = {}

local tl = require "_luna.tl"
local suggest = require "luna.suggest"

-- What the Bot API has beside what is used here is left alone; what is no more than misspelt is an error.
local function misspelt(x, known, what)
  for key in pairs(x) do
    local best = type(key) == "string" and not known[key] and suggest.nearest(key, known)
    if best then return ('%s has no "%s"; did you mean "%s"?'):format(what, key, best) end
  end
end

local function urlOf(v) return type(v) == "table" and v.url or v end

-- Bot API field → the button's type.
local inline = {
  { "callback_data", function(v) return { _ = "inlineButtonTypeCallback", data = v } end },
  { "url", function(v) return { _ = "inlineButtonTypeUrl", url = v } end },
  { "web_app", function(v) return { _ = "inlineButtonTypeWebView", url = urlOf(v) } end },
  { "switch_inline_query", function(v) return { _ = "inlineButtonTypeSwitchInline", query = v } end },
  { "switch_inline_query_current_chat", function(v) return { _ = "inlineButtonTypeSwitchInline", same_peer = true, query = v } end },
  { "copy_text", function(v) return { _ = "inlineButtonTypeCopy", copy_text = type(v) == "table" and v.text or v } end },
  { "callback_game", function() return { _ = "inlineButtonTypeGame" } end },
  { "pay", function() return { _ = "inlineButtonTypeBuy" } end },
  { "login_url", function(v)
    if type(v) ~= "table" then v = { url = v } end
    return { _ = "inputInlineButtonTypeUrlAuth", url = v.url, fwd_text = v.forward_text,
      request_write_access = v.request_write_access or nil }
  end },
}
local plain = {
  { "request_contact", function() return { _ = "buttonTypeRequestPhone" } end },
  { "request_location", function() return { _ = "buttonTypeRequestGeoLocation" } end },
  { "request_poll", function(v)
    local quiz
    if type(v) == "table" and v.type then quiz = v.type == "quiz" end
    return { _ = "buttonTypeRequestPoll", quiz = quiz }
  end },
  { "web_app", function(v) return { _ = "buttonTypeSimpleWebView", url = urlOf(v) } end },
}

local function fields(kinds)
  local known = { text = true }
  for _, kind in ipairs(kinds) do known[kind[1]] = true end
  return known
end

local function button(x, shape)
  if type(x) == "string" then x = { text = x } end
  if type(x) ~= "table" then return nil, "a button is a table or a text, not a " .. type(x) end
  if x._ then return x end
  local wrong = misspelt(x, shape.known, ('the button "%s"'):format(tostring(x.text)))
  if wrong then return nil, wrong end
  if type(x.text) ~= "string" then return nil, 'a button needs a "text"' end
  for _, kind in ipairs(shape.kinds) do
    local value = x[kind[1]]
    if value ~= nil and value ~= false then return { _ = shape.button, text = x.text, type = kind[2](value) } end
  end
  if shape.default then return { _ = shape.button, text = x.text, type = { _ = shape.default } } end
  return nil, ('the inline button "%s" does nothing: give it callback_data, url, …'):format(x.text)
end

local shapes = {
  inline = { kinds = inline, known = fields(inline), button = "keyboardInlineButton", row = "keyboardInlineButtonRow" },
  plain = { kinds = plain, known = fields(plain), button = "keyboardButton", row = "keyboardButtonRow", default = "buttonTypeDefault" },
}

local function rows(list, shape)
  if type(list) ~= "table" then return nil, "the rows of a keyboard are a list" end
  local n, wrong = tl.list(list)
  if not n then return nil, "the rows of the keyboard: " .. wrong end
  local out = {}
  for i = 1, n do
    local row = list[i]
    if type(row) ~= "table" then return nil, ("row %d of the keyboard is a %s, not a list of buttons"):format(i, type(row)) end
    if row.text then return nil, ("row %d of the keyboard is a button, not a list of buttons"):format(i) end
    local buttons, given = {}, row
    if row._ == shape.row and type(row.buttons) == "table" then given = row.buttons end
    local width
    width, wrong = tl.list(given)
    if not width then return nil, ("row %d of the keyboard: %s"):format(i, wrong) end
    for j = 1, width do
      local made, why = button(given[j], shape)
      if not made then return nil, why end
      buttons[j] = made
    end
    out[i] = { _ = shape.row, buttons = buttons }
  end
  return out
end

local keyboards = {}
for name in ("inline_keyboard keyboard resize_keyboard one_time_keyboard selective is_persistent input_field_placeholder remove_keyboard "
  .. "hide_keyboard force_reply"):gmatch "%S+" do
  keyboards[name] = true
end

--- The TL ReplyMarkup, or nil and what is wrong.
function markup.toTL(x)
  if type(x) ~= "table" then return nil, "expected a Bot API keyboard or a ReplyMarkup, got a " .. type(x) end
  local wrong = misspelt(x, keyboards, "reply_markup")
  if wrong then return nil, wrong end
  if x.inline_keyboard then
    local made, why = rows(x.inline_keyboard, shapes.inline)
    if not made then return nil, why end
    return { _ = "replyInlineMarkup", rows = made }
  end
  if x.keyboard then
    local made, why = rows(x.keyboard, shapes.plain)
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
