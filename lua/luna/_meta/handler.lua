---@meta

---Classes: `Base:extend "Name"`; calling a class makes an instance, by `init`.
---@class luna.Class
---@field super? luna.Class
local Class = {}

---A class that has all of this one. For an editor, say its name above it: `---@class Shop: luna.EventHandler`.
---```lua
---local Shop = luna.EventHandler:extend "Shop"
---```
---@param name? string
---@return self
function Class:extend(name) end

---The class that a bot extends: methods on… get updates; `self` has every method of the API and every helper.
---```lua
---local Echo = luna.EventHandler:extend "Echo"
---Echo.persist = { "count" }
---function Echo:onUpdateNewMessage(update)
---  local message = update.message
---  if message.out then return end
---  self.state.count = (self.state.count or 0) + 1
---  message:reply(("%d: %s"):format(self.state.count, message.message))
---end
---return Echo
---```
---@class luna.EventHandler: luna.Class, luna.Namespaces, luna.Helpers, luna.UpdateHandlers
---@field API luna.API
---@field state table lives on over a reload; keep data alone in it
---@field settings? luna.Settings of the class: its settings, where nothing else says them
---@field persist? string[] of the class: fields of self.state that are saved with each update done, and are there again after a restart
---@field init? fun(self: self, api: luna.API) called once, before the first update
---@field onStart? fun(self: self, reason: "start"|"reload") called before the first update, and after a reload
---@field onStop? fun(self: self, reason: string) called after the last handler
---@field onError? fun(self: self, err: any, update: tl.Update) called for what a handler raised
---@field onGap? fun(self: self, info: table) called where updates were missed and could not be fetched
local EventHandler = {}

---The next update of this chat may begin though this handler still runs.
function EventHandler:release() end

---What messages can do, beside their fields.
---@class luna.MessageMethods
local Message = {}

---Answers this message in its chat, with a reference to it; in a forum, in its topic.
---```lua
---message:reply "hello"
---message:reply{ message = "<b>bold</b>", parse_mode = "HTML" }
---```
---@param x string|luna.MessageOptions
---@param options? luna.CallOptions
---@return tl.Updates
---@overload fun(self: luna.MessageMethods, x: string|luna.MessageOptions, options: luna.AsyncOptions): luna.Promise<tl.Updates>
function Message:reply(x, options) end

---Sends to the message's chat, and in a forum to its topic, without the reference.
---```lua
---message:send{ message = "Ready?", reply_markup = { inline_keyboard = { { { text = "Go", callback_data = "go" } } } } }
---```
---@param x string|luna.MessageOptions
---@param options? luna.CallOptions
---@return tl.Updates
---@overload fun(self: luna.MessageMethods, x: string|luna.MessageOptions, options: luna.AsyncOptions): luna.Promise<tl.Updates>
function Message:send(x, options) end

---Changes this message.
---```lua
---message:edit "done"
---```
---@param x string|luna.MessageOptions
---@param options? luna.CallOptions
---@return tl.Updates
---@overload fun(self: luna.MessageMethods, x: string|luna.MessageOptions, options: luna.AsyncOptions): luna.Promise<tl.Updates>
function Message:edit(x, options) end

---Deletes this message for both sides.
---@param options? luna.CallOptions
---@return tl.messages.affectedMessages
---@overload fun(self: luna.MessageMethods, options: luna.AsyncOptions): luna.Promise<tl.messages.affectedMessages>
function Message:delete(options) end

---Forwards this message to another chat.
---```lua
---message:forward "@username"
---```
---@param peer luna.PeerLike
---@param options? luna.CallOptions
---@return tl.Updates
---@overload fun(self: luna.MessageMethods, peer: luna.PeerLike, options: luna.AsyncOptions): luna.Promise<tl.Updates>
function Message:forward(peer, options) end

---The user, group or channel of the message's chat. Asks the server.
---@return tl.User|tl.Chat
function Message:getChat() end

---The user or channel that wrote it. Asks the server.
---@return tl.User|tl.Chat
function Message:getSender() end

---What a call gives that sends something, beside its fields: message:send, api.messages.sendMessage and their kin.
---@class luna.SentMethods
local Sent = {}

---The message that has been sent, or changed: to change or delete it later. The first of several; nil where the answer has none.
---```lua
---local sent = message:send("Working…"):getMessage()
---sent:edit "Done."
---```
---@return tl.message?
function Sent:getMessage() end

---What message:reply, :send and :edit take beside a text: the parameters of messages.sendMessage, or with media of messages.sendMedia.
---@class luna.MessageOptions
---@field message? string
---@field media? luna.MediaLike
---@field parse_mode? luna.ParseMode
---@field reply_markup? luna.Keyboard|tl.ReplyMarkup
---@field peer? luna.PeerLike
---@field reply_to_msg_id? integer
---@field reply_to? integer|tl.message|tl.InputReplyTo
---@field entities? tl.MessageEntity[]
---@field silent? boolean
---@field no_webpage? boolean
---@field noforwards? boolean
---@field schedule_date? integer
---@field [string] any

---A part of an album, for messages.sendMultiMedia.
---@class luna.AlbumItem
---@field media luna.MediaLike
---@field message? string
---@field parse_mode? luna.ParseMode
---@field entities? tl.MessageEntity[]

---A keyboard as the Bot API writes it: one of inline_keyboard, keyboard, remove_keyboard and force_reply.
---@class luna.Keyboard
---@field inline_keyboard? luna.InlineButton[][]
---@field keyboard? (string|luna.ReplyButton)[][]
---@field resize_keyboard? boolean
---@field one_time_keyboard? boolean
---@field is_persistent? boolean
---@field input_field_placeholder? string
---@field selective? boolean
---@field remove_keyboard? boolean
---@field force_reply? boolean

---@class luna.InlineButton
---@field text string
---@field callback_data? string comes back as update.data of onUpdateBotCallbackQuery
---@field url? string
---@field web_app? string|{ url: string }
---@field switch_inline_query? string
---@field switch_inline_query_current_chat? string
---@field copy_text? string|{ text: string }
---@field login_url? string|table
---@field callback_game? any
---@field pay? boolean

---@class luna.ReplyButton
---@field text string
---@field request_contact? boolean
---@field request_location? boolean
---@field request_poll? boolean|{ type: string }
---@field web_app? string|{ url: string }

---A result of an inline query as the Bot API writes it, for messages.setInlineBotResults.
---@class luna.InlineResult
---@field type? string article where nothing else is said; photo, gif, mpeg4_gif, video, audio, voice, document, location, venue, contact
---@field id? string|integer its place in the list where it is not given
---@field title? string
---@field description? string
---@field url? string
---@field thumbnail_url? string
---@field input_message_content? string|luna.InlineContent|tl.InputBotInlineMessage what is sent where it is chosen: a text, or a table
---@field reply_markup? luna.Keyboard|tl.ReplyMarkup
---@field caption? string
---@field parse_mode? luna.ParseMode of the caption
---@field photo? luna.MediaLike a photo that Telegram has
---@field document? luna.MediaLike a document that Telegram has
---@field photo_url? string
---@field [string] any

---What is sent where a result is chosen.
---@class luna.InlineContent
---@field message_text? string
---@field parse_mode? luna.ParseMode
---@field entities? tl.MessageEntity[]
---@field disable_web_page_preview? boolean
---@field latitude? number
---@field longitude? number
---@field title? string
---@field address? string
---@field phone_number? string
---@field first_name? string
---@field last_name? string
---@field [string] any
