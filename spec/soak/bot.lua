-- The bot of spec/soak/run: answers what it is told, quickly or after a while, and tells of itself when asked.
local luna = require "luna"
local host = require "_luna.host"
local task = require "_luna.task"

local function descriptors()
  local pipe = io.popen("ls /proc/self/fd 2>/dev/null; ls /proc/$PPID/fd 2>/dev/null | wc -l", "r")
  local last
  for line in pipe:lines() do last = line end
  pipe:close()
  return math.tointeger(tonumber(last)) or 0
end

-- In bytes, of what is held: freed memory that the allocator keeps and pages of the program that were read are given back first.
local function resident()
  host.trim()
  local file = io.open "/proc/self/statm"
  if not file then return 0 end
  local _, pages = file:read("n", "n")
  file:close()
  return pages * 4096
end

local Soak = luna.EventHandler:extend "Soak"
Soak.settings = { pfs = os.getenv "SOAK_PFS" == "true" }

function Soak:onUpdateNewMessage(update)
  local message = update.message
  if message.out then return end
  local text = message.message
  if text == "tell" then
    collectgarbage()
    collectgarbage()
    message:reply(("told %d %d %d %d"):format(resident(), descriptors(), #task.all(), collectgarbage "count" * 1024 // 1))
    return
  end
  if text:find "slow$" then self:sleep(0.5) end
  if text:find "<b>" then
    self.messages.sendMessage { peer = update, message = text, parse_mode = "HTML" }
  else
    message:reply(text)
  end
end

return Soak
