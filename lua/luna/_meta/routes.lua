---@meta

---@class luna.EventHandler
local EventHandler = {}

---A route: what the filter fits goes to the function, and nowhere else. The first that fits, in the order of the script, before the class's
---on… methods. A text is a Lua pattern for the message's text (its captures are `args`), a table names fields (luna help Filter), a function
---says by itself, a list is any of its items. What the bot has written itself never comes here.
---```lua
---Bot:on("^I want (%d+) (%a+)", function(self, message, args) message:reply(args[1] .. " " .. args[2] .. ", gladly") end)
---Bot:on({ callback = "^buy:(%d+)$" }, function(self, query, args) query:answer("Number " .. args[1] .. " is yours.") end)
---Bot:on({ media = "photo", private = true }, function(self, message) message:reply "A nice picture." end)
---```
---@generic T: luna.EventHandler
---@param self T
---@param filter string|luna.Filter|(string|luna.Filter|fun(message: luna.Subject, self: T): any)[]|fun(message: luna.Subject, self: T): any
---@param fn fun(self: T, message: luna.Subject, args: luna.Arguments, update: tl.Update): any?
function EventHandler:on(filter, fn) end

---A route for /name, in any case of letters, also as /name@the_bot. `args` are the words behind it, `args.raw` the text as it was written,
---`args.command` the name. Several names: a list. The description is for self:setCommands() alone.
---```lua
---Bot:command("start", function(self, message) message:reply "Welcome!" end, { description = "begins" })
---Bot:command({ "add", "buy" }, function(self, message, args) message:reply(#args .. " things: " .. args.raw) end)
---```
---@generic T: luna.EventHandler
---@param self T
---@param name string|string[]
---@param fn fun(self: T, message: luna.Subject, args: luna.CommandArguments, update: tl.Update): any?
---@param options? { description?: string }
function EventHandler:command(name, fn, options) end

---A function that every update goes through first: next() lets it go on, and comes back when it has been handled; without it the update ends
---there. Or another handler class, as a plugin: its routes and middleware count from here on, its methods are the class's too, where the
---class has none of that name.
---```lua
---Bot:use(function(self, update, next)
---  local began = luna.loop.now()
---  next()
---  self:logger(("%s took %d ms"):format(update._, luna.loop.now() - began))
---end)
---Bot:use(require "admin") -- a file that returns a handler class
---```
---@generic T: luna.EventHandler
---@param self T
---@param x luna.EventHandler|fun(self: T, update: tl.Update, next: fun()): any?
function EventHandler:use(x) end

---Tells Telegram the commands that have a description, for the menu of the chat. Options: the scope and lang_code of bots.setBotCommands.
---```lua
---function Bot:onStart() self:setCommands() end
---```
---@param options? { scope?: tl.BotCommandScope, lang_code?: string }
---@return boolean
function EventHandler:setCommands(options) end

---What Echo:on takes: each field that is there has to fit. Without `edited`, `callback`, `inline` and `action`: a new message with text or media.
---```lua
---Bot:on({ command = "ban", group = true, from = { 1234567, 7654321 } }, function(self, message, args) end)
---Bot:on({ exact = { "Tea", "Coffee" } }, function(self, message) end)
---```
---@class luna.Filter
---@field text? string|string[] a Lua pattern for the text or caption, or several of which one fits; its captures are the arguments
---@field exact? string|string[] the whole text, as of a button of a reply keyboard
---@field command? true|string|string[] a command's name without its slash; true: any
---@field callback? true|string|string[] the press of an inline button, with a Lua pattern for its callback_data; true: any
---@field inline? true|string|string[] an inline query, with a Lua pattern for what has been typed; true: any
---@field private? boolean whether the chat is one person's with the bot
---@field group? boolean whether the chat is a group or a supergroup
---@field channel? boolean whether it is a channel's post
---@field chat? integer|integer[] the chat's id, as of the Bot API
---@field from? integer|integer[] the id of who wrote, pressed or asks
---@field media? boolean|string|string[] photo, video, round, animation, audio, voice, sticker, file, document (any file), location, venue, contact, poll, dice, game, invoice, story; true: any
---@field action? true|string|string[] a service message: chatAddUser, chatDeleteUser, pinMessage, … (luna help MessageAction); true: any
---@field reply? boolean whether it answers another message
---@field forwarded? boolean whether it comes from elsewhere
---@field mentioned? boolean whether it is for this account by name, or by an answer
---@field out? boolean true: what this account has written itself, which else does not come
---@field edited? boolean true: a message that was changed, rather than a new one
---@field where? fun(message: luna.Subject, self: any): any last: a function; what it gives, where that is not true, is the arguments

---What a route's function gets: a message, or, with `callback`, the press of a button, or, with `inline`, an inline query.
---@class luna.Subject: tl.message, tl.updateBotCallbackQuery, tl.updateBotInlineQuery

---The captures of a route's pattern, or the words behind a command.
---@class luna.Arguments
---@field [integer] any
---@field raw? string of a command: all that stands behind it
---@field command? string of a command: its name, in small letters

---The words behind a command.
---@class luna.CommandArguments: luna.Arguments
---@field raw string
---@field command string

---@class luna.MessageMethods
local Message = {}

---A question to who wrote this message, in its chat. Waits for that person's next message there, or for the press of a button of the question,
---and gives it; nobody else gets that. In a forum the topic counts as the chat. The chat's other updates are handled meanwhile. A new question to the same person in the same chat
---takes the place of an open one, which raises a CancelledException, as does a new version of the script. An open question comes before every
---route: a command is an answer too. The ways out are options (luna help AskOptions): `timeout`, `cancel` for the person, a `cancellation` token
---for the script; `except` lets the questioned person's /help and the like go past it.
---```lua
---local name = message:ask "Your name?"
---local _, args = message:ask("Your age?", { check = "^(%d+)$", retry = "A number, please.", timeout = 300 })
---local drink = message:ask("Tea or coffee?", { choices = { "Tea", "Coffee" }, cancel = { command = "cancel" } })
---drink:send(("%s, %d: %s"):format(name.message, args[1], drink.message))
---```
---@param question string|luna.MessageOptions
---@param options? luna.AskOptions
---@return luna.Subject answer
---@return any value what the check gave: a pattern's captures, a function's value
function Message:ask(question, options) end

---@alias luna.Check string|luna.Filter|fun(answer: luna.Subject, self: any): any

---What message:ask takes beside the question.
---```lua
---local answer = message:ask("Your name?", { timeout = 60, late = "Too late.", cancel = { command = "cancel" } })
---```
---@class luna.AskOptions
---@field timeout? number seconds, over all tries, after which the question is closed: it raises a TimeoutException, which ends the handler where nobody catches it
---@field late? string|luna.MessageOptions what is said when that time is over
---@field check? luna.Check what is an answer: a filter as of Bot:on, or a function whose value comes with the answer
---@field retry? string|luna.MessageOptions|fun(answer: luna.Subject): string|luna.MessageOptions what is said to what is none; else the question, again
---@field choices? string[]|string[][] a keyboard of these, and no other answer
---@field cancel? luna.Check what the person ends the question with: it raises a CancelledException, which ends the handler where nobody catches it
---@field except? luna.Check what is no answer but goes on to the routes; all else that the person writes is taken first
---@field cancellation? luna.CancellationToken closes the question when the script says so: it raises a CancelledException

---What the press of an inline button can do, beside its fields: what onUpdateBotCallbackQuery and a route with `callback` get.
---@class luna.CallbackMethods
local Query = {}

---Tells who has pressed something, and ends the button's waiting. Every press wants an answer, be it an empty one.
---```lua
---query:answer "You rolled a 6"
---query:answer{ message = "Too late!", alert = true }
---query:answer()
---```
---@param x? string|{ message?: string, alert?: boolean, url?: string, cache_time?: integer }
---@param options? luna.CallOptions
---@return boolean
---@overload fun(self: luna.CallbackMethods, x: string|{ message?: string, alert?: boolean, url?: string, cache_time?: integer }|nil, options: luna.AsyncOptions): luna.Promise<boolean>
function Query:answer(x, options) end

---Changes the message that has the button.
---```lua
---query:edit{ message = "Large?", reply_markup = { inline_keyboard = { { { text = "Yes", callback_data = "large" } } } } }
---```
---@param x string|luna.MessageOptions
---@param options? luna.CallOptions
---@return tl.Updates|boolean
---@overload fun(self: luna.CallbackMethods, x: string|luna.MessageOptions, options: luna.AsyncOptions): luna.Promise<tl.Updates|boolean>
function Query:edit(x, options) end

---Sends to the chat of the button's message; in a forum, where a press does not tell the topic, as an answer to that message.
---@param x string|luna.MessageOptions
---@param options? luna.CallOptions
---@return tl.Updates
---@overload fun(self: luna.CallbackMethods, x: string|luna.MessageOptions, options: luna.AsyncOptions): luna.Promise<tl.Updates>
function Query:send(x, options) end

---The message that has the button; nil where it is gone. Asks the server.
---@return tl.message?
function Query:getMessage() end

---The user, group or channel of its chat. Asks the server.
---@return tl.User|tl.Chat
function Query:getChat() end

---The user who has pressed. Asks the server.
---@return tl.User
function Query:getSender() end

---A question to who has pressed the button, in its chat: as message:ask.
---```lua
---local answer = query:ask "How many?"
---```
---@param question string|luna.MessageOptions
---@param options? luna.AskOptions
---@return luna.Subject answer
---@return any value what the check gave
function Query:ask(question, options) end

---What an inline query can do, beside its fields: what onUpdateBotInlineQuery gets.
---@class luna.InlineMethods
local InlineQuery = {}

---Shows results to who types: a list of them as the Bot API writes them, or a table of `results` with what else
---messages.setInlineBotResults takes.
---```lua
---function Bot:onUpdateBotInlineQuery(update)
---  update:answer{ { title = "Say it", input_message_content = update.query } }
---end
---```
---@param x luna.InlineResult[]|{ results: luna.InlineResult[], next_offset?: string, cache_time?: integer, gallery?: boolean, private?: boolean, switch_pm?: { text: string, start_param: string } }
---@param options? luna.CallOptions
---@return boolean
---@overload fun(self: luna.InlineMethods, x: luna.InlineResult[]|{ results: luna.InlineResult[], [string]: any }, options: luna.AsyncOptions): luna.Promise<boolean>
function InlineQuery:answer(x, options) end

---The user who types. Asks the server.
---@return tl.User
function InlineQuery:getSender() end
