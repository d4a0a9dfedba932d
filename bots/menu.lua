-- Takes an order with inline buttons: /start shows the menu, the buttons change it.
local luna = require "luna"

---@class Menu: luna.EventHandler
local Menu = luna.EventHandler:extend "Menu"

local drinks = { coffee = "Coffee", tea = "Tea", cocoa = "Cocoa" }
local sizes = { small = "small", large = "large" }

local function keyboard(order)
  local function button(kind, key, label)
    return { text = (order[kind] == key and "• " or "") .. label, callback_data = kind .. ":" .. key }
  end
  return { inline_keyboard = {
    { button("drink", "coffee", "Coffee"), button("drink", "tea", "Tea"), button("drink", "cocoa", "Cocoa") },
    { button("size", "small", "Small"), button("size", "large", "Large") },
    { { text = "Order", callback_data = "order:now" } },
  } }
end

local function describe(order) return ("A %s %s?"):format(sizes[order.size], drinks[order.drink]:lower()) end

function Menu:onUpdateNewMessage(update)
  local message = update.message
  if message.out or not (message.message or ""):find "^/" then return end
  local order = { drink = "coffee", size = "small" }
  self.messages.sendMessage{ peer = update, message = describe(order), reply_markup = keyboard(order) }
end

-- The order stands in the message itself: so the bot needs to keep nothing.
local function current(text)
  local size, drink = text:match "^A (%a+) (%a+)%?$"
  return { size = size or "small", drink = drinks[drink or ""] and drink or "coffee" }
end

function Menu:onUpdateBotCallbackQuery(update)
  local kind, key = (update.data or ""):match "^(%a+):(%a+)$"
  local message = self.messages.getMessages{ id = { update.msg_id } }.messages[1]
  local order = current(message.message or "")
  if kind == "order" then
    self.messages.editMessage{ peer = update, id = update.msg_id, message = ("Ordered: a %s %s."):format(order.size, order.drink) }
    self.messages.setBotCallbackAnswer{ query_id = update.query_id, message = "It is on its way.", cache_time = 0 }
    return
  end
  local known = kind == "drink" and drinks or kind == "size" and sizes or {}
  if known[key] and order[kind] ~= key then
    order[kind] = key
    self.messages.editMessage{ peer = update, id = update.msg_id, message = describe(order), reply_markup = keyboard(order) }
  end
  self.messages.setBotCallbackAnswer{ query_id = update.query_id, cache_time = 0 }
end

return Menu
