--- luna.ResumableSignalLoop: both together, the usual base of a loop. A ResumableLoop with SignalLoop's methods.
local ResumableLoop = require "luna.loops.resumable"
local SignalLoop = require "luna.loops.signal"

local ResumableSignalLoop = ResumableLoop:extend "ResumableSignalLoop"

for _, name in ipairs { "waitSignal", "signal", "_queued" } do ResumableSignalLoop[name] = SignalLoop[name] end

function ResumableSignalLoop:_ended(s)
  ResumableLoop._ended(self, s)
  SignalLoop._ended(self, s)
end

return ResumableSignalLoop
