-- Mistakes that a checker has to find: each line that ends with the name of a complaint has it, no other line has one.
local luna = require "luna"

---@class Wrong: luna.EventHandler
local Wrong = luna.EventHandler:extend "Wrong"

function Wrong:onUpdateNewMessage(update)
  self.messages.sendMessag{ peer = update, message = "x" } -- undefined-field
  self.mesages.sendMessage{ peer = update, message = "x" } -- undefined-field
  self.messages.sendMessage{ pear = update, message = "x" } -- param-type-mismatch
  self.messages.sendMessage{ peer = update, message = 5 } -- param-type-mismatch
  self.messages.sendMessage{ peer = update } -- param-type-mismatch
  self.users.getUsers{ id = "me" } -- param-type-mismatch
  self:sleeep(1) -- undefined-field
  self:sleep "1" -- param-type-mismatch
  luna.sleep "1" -- param-type-mismatch
  luna.lop.run() -- undefined-field
  print(update.mesage) -- undefined-field
  update.message:replay "x" -- undefined-field
  update.message:reply{ reply_markup = { inline_keyboard = { { text = "x" } } } } -- param-type-mismatch
  print(self.users.getFullUser{ id = "me" }.full_usr) -- undefined-field
  self:sleep("1", { async = true }) -- param-type-mismatch
  self.messages.sendMessage({ peer = update, message = 5 }, { timeout = 5 }) -- param-type-mismatch
  self.messages.sendMessage({ peer = update, message = "x" }, { asinc = 5, async = 5 }) -- param-type-mismatch
  luna.loop.delay("5", function() end) -- param-type-mismatch
end

function Wrong:onUpdateBotCallbackQuery(update)
  self.messages.setBotCallbackAnswer{ message = update.data } -- param-type-mismatch
  print(update.message) -- undefined-field
end

Wrong:command("x", function(_, message) message:repl "y" end) -- undefined-field
Wrong:command(5, function() end) -- param-type-mismatch

return Wrong
