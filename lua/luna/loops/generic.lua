--- luna.GenericLoop(API, fn, name): a loop whose function says how long to pause. A signal with a true value ends it.
local core = require "_luna.promise"
local task = require "_luna.task"
local ResumableSignalLoop = require "luna.loops.resumable_signal"

local GenericLoop = ResumableSignalLoop:extend "GenericLoop"

local function word(name)
  return setmetatable({}, { __tostring = function() return "GenericLoop." .. name end, __name = "GenericLoop." .. name })
end

--- What the function may return beside a number of seconds: the end, a pause until resume(), the next round after one tick.
GenericLoop.STOP, GenericLoop.PAUSE, GenericLoop.CONTINUE = word "STOP", word "PAUSE", word "CONTINUE"

--- Checks what GenericLoop and PeriodicLoop are made of; raises at the script's line.
function GenericLoop.setUp(self, class, api, fn, name)
  if type(api) ~= "table" then error(("%s: argument 1 is a %s, not an API object"):format(class, type(api)), 4) end
  if type(fn) ~= "function" then
    error(("%s: argument 2 is a %s, not a function"):format(class, core.is(fn) and "promise" or type(fn)), 4)
  end
  if name ~= nil and type(name) ~= "string" then error(("%s: argument 3 is a %s, not a name"):format(class, type(name)), 4) end
  self.API, self.callback, self.name = api, fn, name
end

function GenericLoop:init(api, fn, name) GenericLoop.setUp(self, "GenericLoop", api, fn, name) end

function GenericLoop:__tostring() return self.name or getmetatable(self).__name end

function GenericLoop:loop()
  while true do
    local wait = self.callback(self)
    if wait == GenericLoop.STOP then return end
    local signal
    if wait == GenericLoop.CONTINUE then
      task.sleep(0)
      if self._queued(self._loop) then signal = self:waitSignal() end
    elseif wait == nil or wait == GenericLoop.PAUSE then
      signal = self:waitSignal(self:pause())
    elseif type(wait) == "number" and wait >= 0 then
      signal = self:waitSignal(self:pause(wait))
    else
      error(("the function returned %s; wanted are a number of seconds, GenericLoop.STOP, PAUSE, CONTINUE, or nothing"):format(
        type(wait) == "number" and tostring(wait) or "a " .. type(wait)), 0)
    end
    if signal then return end
  end
end

return GenericLoop
