---@meta

---What a peer may be given as.
---@alias luna.PeerLike integer|string|tl.InputPeer|tl.InputUser|tl.InputChannel|tl.Peer|tl.User|tl.Chat|tl.Message|tl.Update|luna.Info|{ id: integer }

---A file to be sent: bytes as photo or document, or a path (of a photo with photo = true).
---@class luna.File
---@field photo? string|boolean the bytes of a picture; true: what is at path is one
---@field document? string the bytes
---@field path? string
---@field name? string
---@field mime? string by the name, where it is not given
---@field attributes? tl.DocumentAttribute[]
---@field spoiler? boolean
---@field ttl_seconds? integer
---@field force_file? boolean

---What media may be given as: a file, an InputMedia, or what has media that is sent again.
---@alias luna.MediaLike tl.InputMedia|tl.MessageMedia|tl.Message|tl.Update|tl.Photo|tl.Document|luna.File

---@alias luna.ParseMode "HTML"|"Markdown"|"MarkdownV2"|"html"|"markdown"

---@class luna.SomeOptions
---@field timeout? number seconds, then a TimeoutException
---@field cancellation? luna.CancellationToken

---The last argument of helpers.
---@class luna.WaitOptions: luna.SomeOptions
---@field async? boolean give a promise at once, or wait, whatever the API object's mode is

---What calls alone may have.
---@class luna.SchemaOptions: luna.SomeOptions
---@field queue? string calls of one queue are carried out by the server one after the other
---@field noResponse? boolean do not wait for an answer
---@field dc? integer the data centre to ask

---The last argument of calls: without `async`, or with false, they wait.
---@class luna.CallOptions: luna.SchemaOptions
---@field async? false wait, whatever the API object's mode is

---The last argument of calls that give a promise at once.
---@class luna.AsyncOptions: luna.SchemaOptions
---@field async true

---Several calls of one method in one container: `{ multiple = true, {…}, {…} }` gives the list of results.
---@class luna.Multiple
---@field multiple true
---@field [integer] table

---@class luna.Info
---@field bot_api_id integer
---@field type "user"|"bot"|"chat"|"supergroup"|"channel"
---@field Peer tl.Peer
---@field InputPeer tl.InputPeer
---@field User? tl.User
---@field InputUser? tl.InputUser
---@field user_id? integer
---@field Chat? tl.Chat
---@field chat_id? integer
---@field channel_id? integer
---@field InputChannel? tl.InputChannel

---The object that luna.API makes, and that handlers hold as self.API.
---@class luna.API: luna.Namespaces, luna.Helpers
local API = {}

---Connects and logs in. The first call does so by itself.
---```lua
---api:start()
---```
---@param options? luna.WaitOptions
---@return luna.API
function API:start(options) end

---From now on what waits returns a promise at once, on this API object and its handlers; false takes it back. `luna.*` and the methods of
---messages (`message:reply`, `message:ask`) go on waiting: with them it is `{ async = true }`.
---```lua
---api:async(true)
---local user = luna.await(api.users.getUsers{ id = { "me" } })[1]
---```
---@param on boolean
function API:async(on) end

---A handler class gets the updates; returns its instance.
---@generic T: luna.EventHandler
---@param class T
---@return T
function API:setEventHandler(class) end

---One function gets all updates.
---```lua
---api:setCallback(function(update)
---  if update._ == "updateNewMessage" then print(update.message.message) end
---end)
---```
---@param fn fun(update: tl.Update)
function API:setCallback(fn) end

---Takes updates until stop(); with a function or a promise, until that is done: returns its value or raises its error.
---```lua
---local me = api:loop(function() return api:getSelf() end)
---```
---@param x? luna.Promise|fun(...): ...
---@param ... any arguments of the function
---@return any
function API:loop(x, ...) end

---Sets a handler class or a callback, starts, and takes updates in the background. Returns the handler's instance.
---@param handler luna.EventHandler|fun(update: tl.Update)
---@return luna.EventHandler?
function API:run(handler) end

---Ends what the API object does; loop() returns.
---@param reason? string
function API:stop(reason) end

---The account's own user.
---@param options? luna.WaitOptions
---@return tl.user
function API:getSelf(options) end

---Whether no handler runs, no update waits and no call is in flight.
---@return boolean
function API:isIdle() end

---The seed's old way to take updates: a list of { update_id, update }; an offset confirms what is below it.
---@param parameters? { offset?: integer, limit?: integer, timeout?: number }
---@param options? luna.WaitOptions
---@return { update_id: integer, update: tl.Update }[]
function API:getUpdates(parameters, options) end
