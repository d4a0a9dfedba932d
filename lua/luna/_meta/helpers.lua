---@meta

-- The helpers that are functions of `luna`, which suspend, and methods of API objects and handlers as well; the methods among the
-- stubs are made from these.

---@class luna
local luna = {}

---Suspends the coroutine for some seconds while others run; lets the next update of the chat begin. Returns the seconds slept.
---```lua
---luna.sleep(1.5)
---```
---@param seconds number
---@return number slept
function luna.sleep(seconds) end

---The next line of standard input, or of the chat; nil at its end.
---```lua
---local name = luna.readLine "Your name? "
---```
---@param prompt? string
---@return string? line
function luna.readLine(prompt) end

---Writes to standard output, without a line end.
---```lua
---luna.echo("ready\n")
---```
---@param text string|number
function luna.echo(text) end

---Writes to the log, at the level NOTICE where none is given.
---```lua
---luna.logger("the shop is open", luna.Logger.VERBOSE)
---```
---@param message any
---@param level? luna.LogLevel
function luna.logger(message, level) end

---Waits for what a function returns or for a promise; as a method of an API object, gives the promise at once.
---```lua
---local sum = luna.call(function(a, b) luna.sleep(1) return a + b end, 1, 2)
---```
---@param x any a function, a promise or a value
---@param ... any arguments of the function
---@return any
function luna.call(x, ...) end

---Runs a function, or follows a promise, beside the caller; an error goes to luna.loop's error handler, else out of api:loop or
---luna.loop.run.
---```lua
---luna.callFork(function() luna.sleep(60) print "a minute later" end)
---```
---@param x luna.Work
---@return luna.Promise
function luna.callFork(x) end

---The same as callFork, begun in the next turn of the loop.
---@param x luna.Work
---@return luna.Promise
function luna.callForkDefer(x) end

---The same as callFork, by Amp's name: for a promise that nobody waits for.
---@param x luna.Work
---@return luna.Promise
function luna.rethrow(x) end

---Waits for a lock on a file, made where it is not there. Gives what unlocks: call it, or keep it in a <close> variable.
---```lua
---local unlock <close> = luna.flock("state.lock", luna.LOCK_EX)
---```
---@param path string
---@param mode integer luna.LOCK_SH or luna.LOCK_EX
---@param poll? number seconds between two tries, 0.1 where it is not given
---@return luna.Lock
function luna.flock(path, mode, poll) end

---Waits for all of some promises and functions; the first failure fails it. Keys are kept.
---```lua
---local results = luna.all{
---  me = function() return self.users.getUsers{ id = { "me" } } end,
---  config = self.help.getConfig({}, { async = true }),
---}
---```
---@param items table<any, luna.Work>
---@return table values
function luna.all(items) end

---errors, values of some promises and functions; fails only when all fail.
---```lua
---local errors, values = luna.some{ function() return 1 end, function() error "no" end }
---```
---@param items table<any, luna.Work>
---@return table errors
---@return table values
function luna.some(items) end

---errors, values of some promises and functions; never fails.
---@param items table<any, luna.Work>
---@return table errors
---@return table values
function luna.any(items) end

---The first success among some promises and functions; a MultiReasonException when all fail. The others go on.
---```lua
---local page = luna.first{ function() return luna.fileGetContents "https://one.example" end, function() luna.sleep(5) return "" end }
---```
---@param items table<any, luna.Work>
---@return any
function luna.first(items) end

---The value of a promise or function, or a TimeoutException after some seconds.
---```lua
---local page = luna.timeout(function() return luna.fileGetContents "https://example.org" end, 10)
---```
---@param x luna.Work
---@param seconds number
---@return any
function luna.timeout(x, seconds) end

---The value of a promise or function, or another value after some seconds.
---```lua
---local page = luna.timeoutWithDefault(function() return luna.fileGetContents "https://example.org" end, 10, "")
---```
---@param x luna.Work
---@param seconds number
---@param default any
---@return any
function luna.timeoutWithDefault(x, seconds, default) end

---The HTTP client, or one with defaults of its own.
---```lua
---local answer = luna.getHTTPClient():get("https://example.org", { timeout = 10 })
---print(answer.status, #answer:body())
---```
---@param defaults? luna.HTTPOptions
---@return luna.HTTPClient
function luna.getHTTPClient(defaults) end

---The body that a URL answers with; raises an HTTPException where there is none.
---```lua
---local page = luna.fileGetContents "https://example.org"
---```
---@param url string
---@param options? luna.HTTPOptions
---@return string
function luna.fileGetContents(url, options) end

---What the server knows of a peer, in one table.
---```lua
---print(self:getInfo("@telegram").type)
---```
---@param peer luna.PeerLike
---@return luna.Info
function luna.getInfo(peer) end

---What a person wants to know of a peer, flat: id, type, title or first_name, username, …
---@param peer luna.PeerLike
---@return table
function luna.getPwrChat(peer) end

---Fetches the file in an update, a message or media into a folder; gives its path. Never overwrites a file.
---```lua
---function Bot:onUpdateNewMessage(update)
---  if update.message.media then print(self:downloadToDir(update, "downloads")) end
---end
---```
---@param media any
---@param directory string
---@return string path
function luna.downloadToDir(media, directory) end
