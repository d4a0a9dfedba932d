---@meta

---The event loop of scripts, as Amp's Loop: watchers by ids, times in milliseconds. Callbacks may suspend.
---```lua
---local id = luna.loop.every(1000, function() print "a second" end)
---luna.loop.delay(5500, function() luna.loop.cancel(id) end)
---luna.loop.run()
---```
---@class luna.loop
local loop = {}

---Runs until nothing referenced and enabled is left, or stop().
---@param fn? fun()
function loop.run(fn) end

---Ends the innermost run at the end of the tick.
function loop.stop() end

---Milliseconds of a clock that only goes forward, taken once a tick.
---@return integer
function loop.now() end

---Calls fn(id, data) in the next tick.
---@param fn fun(id: string, data: any)
---@param data? any
---@return string id
function loop.defer(fn, data) end

---Calls fn(id, data) once after some milliseconds.
---@param ms number
---@param fn fun(id: string, data: any)
---@param data? any
---@return string id
function loop.delay(ms, fn, data) end

---Calls fn(id, data) every so many milliseconds. Amp's name is luna.loop["repeat"].
---@param ms number
---@param fn fun(id: string, data: any)
---@param data? any
---@return string id
function loop.every(ms, fn, data) end

---Calls fn(id, stream, data) when a stream can be read: a Lua file, a socket or a descriptor. Closing the file or socket cancels its
---watchers.
---@param stream any
---@param fn fun(id: string, stream: any, data: any)
---@param data? any
---@return string id
function loop.onReadable(stream, fn, data) end

---Calls fn(id, stream, data) when a stream can be written.
---@param stream any
---@param fn fun(id: string, stream: any, data: any)
---@param data? any
---@return string id
function loop.onWritable(stream, fn, data) end

---Calls fn(id, signo, data) at a signal.
---```lua
---luna.loop.onSignal("SIGUSR1", function() print "hello" end)
---```
---@param signo integer|string
---@param fn fun(id: string, signo: integer, data: any)
---@param data? any
---@return string id
function loop.onSignal(signo, fn, data) end

---Makes a watcher active again from the next tick on. Raises InvalidWatcherError.
---@param id string
function loop.enable(id) end

---Holds a watcher back until enable.
---@param id string
function loop.disable(id) end

---Takes a watcher away.
---@param id string
function loop.cancel(id) end

---Lets a watcher keep run() going, as it does from the start. Raises InvalidWatcherError.
---@param id string
function loop.reference(id) end

---The watcher no longer keeps run() going.
---@param id string
function loop.unreference(id) end

---Keeps a value for what belongs to the loop.
---@param key string
---@param value any
function loop.setState(key, value) end

---@param key string
---@return any
function loop.getState(key) end

---Who gets what callbacks throw, nil: nobody; returns the one before.
---@param fn? fun(err: any)
---@return fun(err: any)?
function loop.setErrorHandler(fn) end

---Counts of watchers, by Amp's names.
---@return table
function loop.getInfo() end

---The loop underneath.
---@return any
function loop.getHandle() end

---What a stream has, in one system call: "" when nothing yet, nil at the end.
---@param stream any
---@param n? integer
---@return string?
function loop.read(stream, n) end

---Writes to a stream in one system call; the count of bytes that went out.
---@param stream any
---@param bytes string
---@return integer
function loop.write(stream, bytes) end
