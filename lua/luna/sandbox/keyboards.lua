--- Keyboards between layers. Up to 228 an inline button is a keyboardButtonCallback (Url, …) in a keyboardButtonRow; since then a
--- keyboardInlineButton with a type. The model keeps the newer form; sessions of older layers write and read the older one.
local keyboards = {}

local CHANGED = 229 -- the first layer with button types

-- Old constructor → new type; the fields are the same.
local inline = {
  keyboardButtonUrl = "inlineButtonTypeUrl",
  keyboardButtonUrlAuth = "inlineButtonTypeUrlAuth",
  inputKeyboardButtonUrlAuth = "inlineButtonTypeUrlAuth",
  keyboardButtonWebView = "inlineButtonTypeWebView",
  keyboardButtonCallback = "inlineButtonTypeCallback",
  keyboardButtonGame = "inlineButtonTypeGame",
  keyboardButtonBuy = "inlineButtonTypeBuy",
  keyboardButtonSwitchInline = "inlineButtonTypeSwitchInline",
  keyboardButtonUserProfile = "inlineButtonTypeUserProfile",
  inputKeyboardButtonUserProfile = "inputInlineButtonTypeUserProfile",
  keyboardButtonCopy = "inlineButtonTypeCopy",
}
local plain = {
  keyboardButton = "buttonTypeDefault",
  keyboardButtonRequestPhone = "buttonTypeRequestPhone",
  keyboardButtonRequestGeoLocation = "buttonTypeRequestGeoLocation",
  keyboardButtonRequestPoll = "buttonTypeRequestPoll",
  keyboardButtonRequestPeer = "buttonTypeRequestPeer",
  inputKeyboardButtonRequestPeer = "inputButtonTypeRequestPeer",
  keyboardButtonSimpleWebView = "buttonTypeSimpleWebView",
}
local function invert(t)
  local out = {}
  for old, new in pairs(t) do
    if not old:find "^input" then out[new] = old end
  end
  return out
end
local oldInline, oldPlain = invert(inline), invert(plain)

local BUTTON_FIELDS = { _ = true, text = true, style = true, type = true }

-- What a user sees of a button that a bot has described by input types.
local given = {
  inputInlineButtonTypeUserProfile = function(t, resolve)
    return { _ = "inlineButtonTypeUserProfile", user_id = resolve(t.user_id) }
  end,
  inlineButtonTypeUrlAuth = function(t)
    return { _ = "inlineButtonTypeUrlAuth", fwd_text = t.fwd_text, url = t.url, button_id = t.button_id or 1 }
  end,
  inputInlineButtonTypeUrlAuth = function(t)
    return { _ = "inlineButtonTypeUrlAuth", fwd_text = t.fwd_text, url = t.url, button_id = 1 }
  end,
  inputButtonTypeRequestPeer = function(t)
    return { _ = "buttonTypeRequestPeer", button_id = t.button_id, peer_type = t.peer_type, max_quantity = t.max_quantity }
  end,
}

local function newButton(b, types, name, resolve)
  local kind = b.type
  if not kind then
    local new = types[b._]
    if not new then return nil end
    kind = { _ = new }
    for k, v in pairs(b) do
      if not BUTTON_FIELDS[k] then kind[k] = v end
    end
  end
  local make = given[kind._]
  if make then kind = make(kind, resolve) end
  return { _ = name, text = b.text, style = b.style, type = kind }
end

--- A ReplyMarkup of any layer in the form that the model keeps; nil where it has a button that is unknown. `resolve(inputUser)` gives
--- the id of a user.
function keyboards.keep(markup, resolve)
  local isInline = markup._ == "replyInlineMarkup"
  if not isInline and markup._ ~= "replyKeyboardMarkup" then return markup end
  local rows = {}
  for i, row in ipairs(markup.rows) do
    local buttons = {}
    for j, b in ipairs(row.buttons) do
      local new = newButton(b, isInline and inline or plain, isInline and "keyboardInlineButton" or "keyboardButton", resolve)
      if not new then return nil end
      buttons[j] = new
    end
    rows[i] = { _ = isInline and "keyboardInlineButtonRow" or "keyboardButtonRow", buttons = buttons }
  end
  local out = {}
  for k, v in pairs(markup) do out[k] = v end
  out.rows = rows
  return out
end

local function oldButton(b, names)
  local old = { _ = names[b.type._] or "keyboardButton", text = b.text, style = b.style }
  if old._ ~= "keyboardButton" then
    for k, v in pairs(b.type) do
      if k ~= "_" then old[k] = v end
    end
  end
  return old
end

--- A kept ReplyMarkup as a session of that layer reads it.
function keyboards.show(markup, layer)
  if layer >= CHANGED or not markup.rows then return markup end
  local isInline = markup._ == "replyInlineMarkup"
  local out = {}
  for k, v in pairs(markup) do out[k] = v end
  out.rows = {}
  for i, row in ipairs(markup.rows) do
    local buttons = {}
    for j, b in ipairs(row.buttons) do buttons[j] = oldButton(b, isInline and oldInline or oldPlain) end
    out.rows[i] = { _ = "keyboardButtonRow", buttons = buttons }
  end
  return out
end

--- The button of a kept inline keyboard that carries `data`, or nil.
function keyboards.byData(markup, data)
  if not markup or markup._ ~= "replyInlineMarkup" then return nil end
  for _, row in ipairs(markup.rows) do
    for _, b in ipairs(row.buttons) do
      if b.type._ == "inlineButtonTypeCallback" and b.type.data == data then return b end
    end
  end
  return nil
end

--- The button with that label, or at that row and column; nil where there is none.
function keyboards.find(markup, label, column)
  if not markup or not markup.rows then return nil end
  if type(label) == "number" then
    local row = markup.rows[label]
    return row and row.buttons[column or 1] or nil
  end
  for _, row in ipairs(markup.rows) do
    for _, b in ipairs(row.buttons) do
      if b.text == label then return b end
    end
  end
  return nil
end

--- All labels, for messages: "Yes", "No".
function keyboards.labels(markup)
  local list = {}
  for _, row in ipairs(markup and markup.rows or {}) do
    for _, b in ipairs(row.buttons) do list[#list + 1] = b.text end
  end
  return list
end

return keyboards
