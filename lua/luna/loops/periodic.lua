--- luna.PeriodicLoop(API, fn, name, timeout): waits, runs the function, and so on, until it returns STOP (or a promise of it), or a true
--- signal comes.
local ResumableSignalLoop = require "luna.loops.resumable_signal"
local GenericLoop = require "luna.loops.generic"
local base = require "luna.loops.loop"

local PeriodicLoop = ResumableSignalLoop:extend "PeriodicLoop"

PeriodicLoop.STOP = GenericLoop.STOP
PeriodicLoop.__tostring = GenericLoop.__tostring

function PeriodicLoop:init(api, fn, name, timeout)
  GenericLoop.setUp(self, "PeriodicLoop", api, fn, name)
  if not (type(timeout) == "number" and timeout >= 0) then
    error(("PeriodicLoop: argument 4 is %s, not a number of seconds"):format(
      type(timeout) == "number" and tostring(timeout) or base.kind(timeout)), 3)
  end
  self.timeout = timeout
end

function PeriodicLoop:loop()
  repeat
    if self:waitSignal(self:pause(self.timeout)) then return end
  until GenericLoop._call(self) == PeriodicLoop.STOP
end

return PeriodicLoop
