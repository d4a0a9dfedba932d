---@meta

---A piece of work in the background, under a name that the log has. Extend it, give it `loop`, call start().
---```lua
---local Clock = luna.ResumableSignalLoop:extend "clock"
---function Clock:loop()
---  while not self:waitSignal(self:pause(60)) do
---    self.API.messages.sendMessage{ peer = "me", message = os.date "%H:%M" }
---  end
---end
---Clock(api):start()
---```
---@class luna.Loop: luna.LoopMethods
---@overload fun(...: any): self

---@class luna.LoopMethods: luna.Class
---@field API luna.API
---@field init? fun(self: self, ...: any)
---@field loop? fun(self: self): ...
local Loop = {}

---Runs loop() in the background; a promise of its end. While it runs, a second start is logged and gives false.
---@return luna.Promise|false
function Loop:start() end

---Ends the loop at its wait; the promise of start() resolves.
function Loop:stop() end

---Whether the loop runs.
---@return boolean
function Loop:isRunning() end

---A loop that pauses and is resumed.
---@class luna.ResumableLoop: luna.PauseMethods
---@overload fun(...: any): self

---@class luna.PauseMethods: luna.LoopMethods
local ResumableLoop = {}

---A promise that resolves after some seconds, or without them at resume().
---@param seconds? number
---@return luna.Promise
function ResumableLoop:pause(seconds) end

---Ends the pause; where the loop is at work, its next one.
function ResumableLoop:resume() end

---A loop that takes signals.
---@class luna.SignalLoop: luna.SignalMethods
---@overload fun(...: any): self

---@class luna.SignalMethods: luna.LoopMethods
local SignalLoop = {}

---Waits for a signal, or for a promise, whatever comes first. A signal that is an exception is raised.
---@param promise? luna.Work
---@return any
function SignalLoop:waitSignal(promise) end

---Sends a value into the loop; it is kept until somebody waits.
---@param data any
function SignalLoop:signal(data) end

---Both together, the usual base of a loop.
---@class luna.ResumableSignalLoop: luna.PauseMethods, luna.SignalMethods
---@overload fun(...: any): self

---A loop whose function says how long to pause: a number of seconds, GenericLoop.STOP, PAUSE or CONTINUE. A signal with a true value
---ends it.
---```lua
---luna.GenericLoop(api, function() print "tick" return 60 end, "ticker"):start()
---```
---@class luna.GenericLoop: luna.PauseMethods, luna.SignalMethods
---@field STOP any
---@field PAUSE any
---@field CONTINUE any
---@overload fun(api: luna.API|luna.EventHandler, fn: luna.LoopFunction, name?: string): luna.GenericLoop

---A loop that waits, runs its function, and so on; it may return PeriodicLoop.STOP.
---```lua
---luna.PeriodicLoop(api, function() print "tick" end, "ticker", 60):start()
---```
---@class luna.PeriodicLoop: luna.PauseMethods, luna.SignalMethods
---@field STOP any
---@overload fun(api: luna.API|luna.EventHandler, fn: luna.LoopFunction, name: string?, timeout: number): luna.PeriodicLoop

---What GenericLoop and PeriodicLoop call: the loop is its argument.
---@alias luna.LoopFunction fun(loop: luna.GenericLoop|luna.PeriodicLoop): ...
