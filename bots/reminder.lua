-- Reminds: "in 10 minutes tea", "in 2h call home"; "list" says what is due.
local luna = require "luna"

---@class Reminder: luna.EventHandler
local Reminder = luna.EventHandler:extend "Reminder"

local units = { s = 1, m = 60, h = 3600, d = 86400 }
local help = 'Say "in 10 minutes tea" or "in 2h call home". "list" shows what is due.'

-- "in 10 minutes tea" → 600, "tea"
local function parse(text)
  local amount, unit, what = text:match "^/?[Ii]n%s+(%d+)%s*(%a+)%s+(.+)$"
  local seconds = unit and units[unit:sub(1, 1):lower()]
  if not seconds or #amount > 6 then return nil end
  return tonumber(amount) * seconds, what
end

function Reminder:onUpdateNewMessage(update)
  local message = update.message
  if message.out or (message.message or "") == "" then return end
  local text = message.message
  local mine = self.state[message.peer_id.user_id or message.peer_id.chat_id or 0] or {}
  self.state[message.peer_id.user_id or message.peer_id.chat_id or 0] = mine

  if text:find "^/?[Ll]ist$" then
    local lines = {}
    for _, item in pairs(mine) do lines[#lines + 1] = ("%s: %s"):format(os.date("%H:%M", item.due), item.what) end
    table.sort(lines)
    message:reply(#lines > 0 and table.concat(lines, "\n") or "Nothing is due.")
    return
  end

  local seconds, what = parse(text)
  if not seconds then
    message:reply(help)
    return
  end

  -- An update is done when its handler is done. If the program dies meanwhile, the next run is handed this message again: then the time
  -- since it was written counts, and what was said already is not said twice.
  local due = message.date + seconds
  mine[message.id] = { due = due, what = what }
  message:reply(("I will remind you at %s."):format(os.date("%H:%M:%S", due)))
  luna.sleep(math.max(0, due - os.time())) -- the chat's next messages are handled meanwhile
  mine[message.id] = nil
  message:reply("Reminder: " .. what)
end

return Reminder
