---@meta

---What `require "luna"` gives: classes, promises, helpers that suspend the coroutine they are called in. A bot's own modules lie beside its
---script; `require "plugins.*"` loads all of a folder, and gives what they return in the order of their names, and by name.
---```lua
---for _, plugin in ipairs(require "plugins.*") do plugin(Bot) end
---```
---@class luna
---@field version string
---@field LOCK_SH integer a shared lock, for flock
---@field LOCK_EX integer an exclusive lock, for flock
---@field EventHandler luna.EventHandler the class that a bot extends
---@field Class luna.Class the base of all classes
---@field Logger luna.Logger
---@field loop luna.loop the event loop, as Amp's Loop
---@field iterator luna.iterator
---@field http luna.http
---@field socket luna.socket TCP and Unix sockets
---@field json luna.json
---@field entities luna.entities
---@field sandbox luna.sandbox the server inside the program, and the test kit
---@field Loop luna.Loop
---@field ResumableLoop luna.ResumableLoop
---@field SignalLoop luna.SignalLoop
---@field ResumableSignalLoop luna.ResumableSignalLoop
---@field GenericLoop luna.GenericLoop
---@field PeriodicLoop luna.PeriodicLoop
---@field Exception luna.Exception
---@field RPCErrorException luna.RPCErrorException
---@field TimeoutException luna.TimeoutException
---@field CancelledException luna.CancelledException
---@field MultiReasonException luna.MultiReasonException
---@field InvalidWatcherError luna.InvalidWatcherError
---@field InvalidYieldError luna.InvalidYieldError
---@field ConnectionException luna.ConnectionException
---@field SettingsException luna.SettingsException
---@field SessionException luna.SessionException
---@field LoginException luna.LoginException
---@field PeerException luna.PeerException
---@field HTTPException luna.HTTPException
---@field SocketException luna.SocketException
---@field ConnectException luna.ConnectException
---@field JSONException luna.JSONException
local luna = {}

---An API object: its namespaces hold every method of the schema, its helpers are called with a colon. The first call connects and
---logs in. `session` is a path; without one, what `--session` says, else memory.
---```lua
---local api = luna.API("shop.session", { botToken = "…", app = { id = 1, hash = "…" } })
---api:setCallback(function(update) print(update._) end)
---api:loop()
---```
---@param session? string|luna.Settings
---@param settings? luna.Settings
---@return luna.API
function luna.API(session, settings) end

---Whether a value is an instance of a class, or of one that extends it.
---```lua
---local ok, err = pcall(function() api.messages.sendMessage{ peer = 1, message = "" } end)
---if luna.is(err, luna.RPCErrorException) then print(err.name, err.code) end
---```
---@param value any
---@param class luna.Class
---@return boolean
function luna.is(value, class) end

---Waits until a promise is resolved; returns its values or raises its error. Of a list of promises: the list of their values, the
---first failure is raised. Anything else comes back as it is.
---```lua
---local first = self.users.getUsers({ id = { "me" } }, { async = true })
---print(luna.await(first)[1].id)
---```
---@generic T
---@param promise luna.Promise<T>
---@return T
---@overload fun(promises: luna.Promise[]): any[]
---@overload fun(value: any): any
function luna.await(promise) end

---"pending", "resolved" or "failed".
---@param promise luna.Promise
---@return "pending"|"resolved"|"failed"
function luna.stateOf(promise) end

---Ends what stands behind a promise by a CancelledException at its wait; of an API call the server is told. Of all, some, any, first and
---timeout it ends the functions that they have begun: promises that were handed to them go on.
---@param promise luna.Promise
---@param reason? any
---@return boolean cancelled whether there was something to cancel
function luna.cancel(promise, reason) end

---A promise that is already resolved.
---@param ... any
---@return luna.Promise
function luna.Success(...) end

---A promise that has already failed.
---@param err any
---@return luna.Promise
function luna.Failure(err) end

---The right to resolve one promise: d:promise(), d:resolve(…), d:fail(err).
---```lua
---local answer = luna.Deferred()
---luna.loop.delay(100, function() answer:resolve(42) end)
---print(luna.await(answer:promise()))
---```
---@return luna.Deferred
function luna.Deferred() end

---What may cancel: its token is handed to calls as `{ cancellation = token }`.
---```lua
---local source = luna.CancellationTokenSource()
---luna.loop.delay(1000, function() source:cancel "too late" end)
---self.users.getUsers({ id = { "me" } }, { cancellation = source:getToken() })
---```
---@return luna.CancellationTokenSource
function luna.CancellationTokenSource() end

---A stream of values that its holder emits.
---```lua
---local emitter = luna.Emitter()
---luna.callFork(function() for i = 1, 3 do luna.await(emitter:emit(i)) end emitter:complete() end)
---for value in emitter:iterate() do print(value) end
---```
---@return luna.Emitter
function luna.Emitter() end

---An iterator of what a function emits.
---```lua
---for value in luna.Producer(function(emit) for i = 1, 3 do luna.await(emit(i)) end end) do print(value) end
---```
---@param fn fun(emit: fun(value: any): luna.Promise)
---@return luna.Iterator
function luna.Producer(fn) end

return luna
