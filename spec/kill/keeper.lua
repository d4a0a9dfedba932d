-- The bot of spec/kill/run: answers each message with its text, and keeps over restarts how many it has answered, and which.
local luna = require "luna"

local Keeper = luna.EventHandler:extend "Keeper"
Keeper.persist = { "count", "texts" }

function Keeper:onUpdateNewMessage(update)
  local message = update.message
  if message.out then return end
  local text = message.message
  if text == "count?" then
    message:send(("count %d, %d texts"):format(self.state.count or 0, self.state.texts and #self.state.texts or 0))
    return
  end
  message:send(text)
  -- Nothing waits from here on: it is kept with the mark that this update is done, or not at all.
  local state = self.state
  state.count = (state.count or 0) + 1
  state.texts = state.texts or {}
  table.insert(state.texts, text)
end

return Keeper
