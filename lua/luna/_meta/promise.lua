---@meta

---What will have a value: luna.await waits for it. `promise.field` is a promise of that field.
---@class luna.Promise<T>
---@field [string] any
local Promise = {}

---Calls fn(err, …) when the promise is resolved (err is nil) or fails.
---@param fn fun(err: any, ...: any)
function Promise:onResolve(fn) end

---What combinators, timeouts and forks take: a promise, or a function that is run.
---@alias luna.Work luna.Promise|fun(): ...

---@class luna.Deferred
local Deferred = {}

---The promise that this deferred resolves.
---@return luna.Promise
function Deferred:promise() end

---Resolves the promise, once. Given another promise, it takes the outcome of that one, which
---must not be waiting for this one's.
---@param ... any
function Deferred:resolve(...) end

---Fails the promise, once.
---@param err? any
function Deferred:fail(err) end

---@class luna.CancellationTokenSource
local Source = {}

---The token that calls are given.
---@return luna.CancellationToken
function Source:getToken() end

---Cancels what has the token, once: its subscribers are told before it returns.
---@param reason? any
function Source:cancel(reason) end

---@class luna.CancellationToken
local Token = {}

---Raises the CancelledException where cancellation was requested.
function Token:throwIfRequested() end

---Whether cancellation was requested.
---@return boolean
function Token:isRequested() end

---Calls fn(err) at the cancellation, or at once where it was; it may wait, and what it throws goes to luna.loop's error handler. Gives
---an id for unsubscribe.
---@param fn fun(err: luna.CancelledException)
---@return integer id
function Token:subscribe(fn) end

---@param id integer
function Token:unsubscribe(id) end

---What flock gives: call it, or keep it in a <close> variable.
---@class luna.Lock
---@operator call: nil

---Errors of this library are objects of this class's kinds. Scripts construct and extend it: `luna.Exception "text"`.
---@class luna.Exception: luna.Class
---@field message string
---@field traceback? string
---@overload fun(message?: string|table, fields?: table): luna.Exception

---The server has refused a call. `luna help NAME` says what an error means.
---@class luna.RPCErrorException: luna.Exception
---@field rpc string as the server said it: "FLOOD_WAIT_3"
---@field name luna.RPCErrorName|string without the number: "FLOOD_WAIT"
---@field value? integer the number: 3
---@field code integer
---@field method? string
---@field description? string
---@overload fun(rpc: string, code: integer, method?: string, fields?: table): luna.RPCErrorException

---A time was up.
---@class luna.TimeoutException: luna.Exception
---@overload fun(message?: string, fields?: table): luna.TimeoutException

---What was waited for was cancelled.
---@class luna.CancelledException: luna.Exception
---@field reason? any
---@overload fun(reason?: any): luna.CancelledException

---Several failed: their errors and what did not fail, by their keys.
---@class luna.MultiReasonException: luna.Exception
---@field reasons table
---@field values table
---@overload fun(reasons?: table, values?: table, message?: string): luna.MultiReasonException

---An unknown watcher's id.
---@class luna.InvalidWatcherError: luna.Exception

---Something that is no promise was yielded.
---@class luna.InvalidYieldError: luna.Exception

---The network or the server's end failed.
---@class luna.ConnectionException: luna.Exception
---@field name? string CLOSED, TIMEOUT, …

---A setting is missing or wrong.
---@class luna.SettingsException: luna.Exception

---The session file is damaged, in use or not readable.
---@class luna.SessionException: luna.Exception

---The server has refused the account.
---@class luna.LoginException: luna.Exception

---A peer cannot be found or reached.
---@class luna.PeerException: luna.Exception

---A socket failed.
---@class luna.SocketException: luna.Exception
---@field name string CLOSED, RESET, BUSY, PERMISSION, …
---@field address string

---A socket could not be connected.
---@class luna.ConnectException: luna.SocketException
---@field name string CONNECT, DNS, PERMISSION, …

---An exchange of HTTP failed.
---@class luna.HTTPException: luna.Exception
---@field name string DNS, CONNECT, TLS, CERTIFICATE, TOOBIG, CLOSED, PRIVATE, REDIRECT, STATUS, …
---@field url? string
---@field status? integer

---A text is no JSON.
---@class luna.JSONException: luna.Exception
---@field position integer
---@field line integer
---@field column integer
---@field reason string
