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
    { { text = "Order", callback_data = "order" } },
  } }
end

local function describe(order) return ("A %s %s?"):format(sizes[order.size], drinks[order.drink]:lower()) end

-- The order stands in the message itself: so the bot needs to keep nothing.
local function current(message)
  local size, drink = (message and message.message or ""):match "^A (%a+) (%a+)%?$"
  return { size = sizes[size or ""] or "small", drink = drinks[drink or ""] and drink or "coffee" }
end

Menu:on({ command = true }, function(_, message)
  local order = { drink = "coffee", size = "small" }
  message:send{ message = describe(order), reply_markup = keyboard(order) }
end)

Menu:on({ callback = "^order$" }, function(_, query)
  local order = current(query:getMessage())
  query:edit(("Ordered: a %s %s."):format(order.size, order.drink))
  query:answer "It is on its way."
end)

Menu:on({ callback = "^(%a+):(%a+)$" }, function(_, query, args)
  local kind, key = args[1], args[2]
  local order = current(query:getMessage())
  local known = kind == "drink" and drinks or kind == "size" and sizes or {}
  if known[key] and order[kind] ~= key then
    order[kind] = key
    query:edit{ message = describe(order), reply_markup = keyboard(order) }
  end
  query:answer()
end)

return Menu
