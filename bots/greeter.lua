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

function Greeter:greet(message, user_id)
  local user = self.users.getUsers{ id = { user_id } }[1]
  local words = greetings(self)[group(message)] or usual
  message:send((words:gsub("NAME", ((user.first_name or "stranger"):gsub("%%", "%%%%")))))
end

Greeter:on({ action = { "chatAddUser", "chatCreate" } }, function(self, message)
  for _, id in ipairs(message.action.users) do
    if id == self.API:getSelf().id then
      message:send "Hello! I greet who joins. /greeting changes the words."
    elseif message.action._ == "messageActionChatAddUser" then
      self:greet(message, id)
    end
  end
end)

Greeter:on({ action = "chatJoinedByLink" }, function(self, message) self:greet(message, message.from_id.user_id) end)

Greeter:on({ command = "greeting", group = true }, function(self, message, args)
  local words = args.raw
  if words == "" then
    local answer = message:ask "What shall I say? NAME stands for who joins."
    words = answer.message
  end
  greetings(self)[group(message)] = words
  message:reply "I will say that from now on."
end)

return Greeter
