-- Greets who joins a group. "/greeting Hello, NAME!" changes the words.
local luna = require "luna"

---@class Greeter: luna.EventHandler
local Greeter = luna.EventHandler:extend "Greeter"

local usual = "Welcome, NAME!"

local function group(message) return message.peer_id.chat_id or message.peer_id.channel_id end

-- The greeting of each group. self.state lives on over a reload.
local function greetings(self)
  self.state.greetings = self.state.greetings or {}
  return self.state.greetings
end

function Greeter:greet(update, user_id)
  local user = self.users.getUsers{ id = { user_id } }[1]
  local words = greetings(self)[group(update.message)] or usual
  local text = words:gsub("NAME", ((user.first_name or "stranger"):gsub("%%", "%%%%")))
  self.messages.sendMessage{ peer = update, message = text }
end

function Greeter:onUpdateNewMessage(update)
  local message = update.message
  if message.out then return end
  local action = message.action
  if action and (action._ == "messageActionChatAddUser" or action._ == "messageActionChatCreate") then
    for _, id in ipairs(action.users) do
      if id == self.API:getSelf().id then
        self.messages.sendMessage{ peer = update, message = "Hello! I greet who joins. /greeting changes the words." }
      elseif action._ == "messageActionChatAddUser" then
        self:greet(update, id)
      end
    end
  elseif action and action._ == "messageActionChatJoinedByLink" then
    self:greet(update, message.from_id.user_id)
  elseif message.message then
    local words = message.message:match "^/greeting%s+(.+)$"
    if words and group(message) then
      greetings(self)[group(message)] = words
      message:reply "I will say that from now on."
    end
  end
end

-- A supergroup is a channel to Telegram: its messages come by another update.
Greeter.onUpdateNewChannelMessage = Greeter.onUpdateNewMessage

return Greeter
