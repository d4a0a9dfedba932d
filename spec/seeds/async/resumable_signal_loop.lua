-- The seed's "ResumableSignalLoop": pauses for its timeout, or until a signal comes: a number above 0 is the new timeout, else the end.
local luna = require "luna"

local MySuperLoop = luna.ResumableSignalLoop:extend "my cron signal loop"

function MySuperLoop:init(API, timeout)
  self.API = API
  self.timeout = timeout
end

function MySuperLoop:loop()
  local MadelineProto = self.API
  while true do
    local t = os.time()

    local result = self:waitSignal(self:pause(self.timeout))
    if result and result <= 0 then
      return
    elseif result then
      self.timeout = result
    end

    t = os.time() - t

    MadelineProto.messages.sendMessage{
      peer = "@alice_of_the_loops",
      message = ("Resumed after %d seconds of timeout"):format(t),
    }
  end
end

return MySuperLoop
