-- Reminds: "in 10 minutes tea", "in 2h call home"; "list" says what is due.
local luna = require "luna"

---@class Reminder: luna.EventHandler
local Reminder = luna.EventHandler:extend "Reminder"

local units = { s = 1, m = 60, h = 3600, d = 86400 }

-- What is due in the message's chat. self.state lives on over a reload.
local function due(self, message)
  local chat = message.peer_id.user_id or message.peer_id.chat_id or 0
  self.state[chat] = self.state[chat] or {}
  return self.state[chat]
end

Reminder:on("^/?[Ll]ist$", function(self, message)
  local lines = {}
  for _, item in pairs(due(self, message)) do lines[#lines + 1] = ("%s: %s"):format(os.date("%H:%M", item.due), item.what) end
  table.sort(lines)
  message:reply(#lines > 0 and table.concat(lines, "\n") or "Nothing is due.")
end)

-- "in 10 minutes tea" → 600, "tea"
local function parse(message)
  local amount, unit, what = message.message:match "^/?[Ii]n%s+(%d+)%s*(%a+)%s+(.+)$"
  local seconds = unit and units[unit:sub(1, 1):lower()]
  return seconds and #amount <= 6 and { tonumber(amount) * seconds, what }
end

Reminder:on(parse, function(self, message, args)
  -- An update is done when its handler is done. If the program dies meanwhile, the next run is handed this message again: then the time
  -- since it was written counts, and what was said already is not said twice.
  local mine, time, what = due(self, message), message.date + args[1], args[2]
  mine[message.id] = { due = time, what = what }
  message:reply(("I will remind you at %s."):format(os.date("%H:%M:%S", time)))
  luna.sleep(math.max(0, time - os.time())) -- the chat's next messages are handled meanwhile
  mine[message.id] = nil
  message:reply("Reminder: " .. what)
end)

Reminder:on(".", function(_, message)
  message:reply 'Say "in 10 minutes tea" or "in 2h call home". "list" shows what is due.'
end)

return Reminder
