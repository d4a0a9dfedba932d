--- luna.GenericLoop(API, fn, name): a loop whose function says how long to pause. A signal with a true value ends it.
local core = require "_luna.promise"
local task = require "_luna.task"
local ResumableSignalLoop = require "luna.loops.resumable_signal"
local kind = require("luna.loops.loop").kind

local GenericLoop = ResumableSignalLoop:extend "GenericLoop"

local function word(name)
  return setmetatable({}, { __tostring = function() return "GenericLoop." .. name end, __name = "GenericLoop." .. name })
end

--- What the function may return beside a number of seconds: the end, a pause until resume(), the next round after one tick.
GenericLoop.STOP, GenericLoop.PAUSE, GenericLoop.CONTINUE = word "STOP", word "PAUSE", word "CONTINUE"

--- Checks what GenericLoop and PeriodicLoop are made of; raises at the script's line.
function GenericLoop.setUp(self, class, api, fn, name)
  if type(api) ~= "table" then error(("%s: argument 1 is %s, not an API object"):format(class, kind(api)), 4) end
  if type(fn) ~= "function" then error(("%s: argument 2 is %s, not a function"):format(class, kind(fn)), 4) end
  if name ~= nil and type(name) ~= "string" then error(("%s: argument 3 is %s, not a name"):format(class, kind(name)), 4) end
  self.API, self.callback, self.name = api, fn, name
end

function GenericLoop:init(api, fn, name) GenericLoop.setUp(self, "GenericLoop", api, fn, name) end

function GenericLoop:__tostring() return self.name or getmetatable(self).__name end

--- Runs the function once: what it returned, or what the promise that it returned resolves to.
function GenericLoop._call(self)
  local value = self.callback(self)
  if core.is(value) then return core.await(value) end
  return value
end

function GenericLoop:loop()
  while true do
    local wait = GenericLoop._call(self)
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
      local at = debug.getinfo(self.callback, "S")
      error(("%s:%d: the function returned %s; wanted are a number of seconds, GenericLoop.STOP, PAUSE, CONTINUE, or nothing"):format(
        at.short_src, at.linedefined, type(wait) == "number" and tostring(wait) or kind(wait)), 0)
    end
    if signal then return end
  end
end

return GenericLoop
