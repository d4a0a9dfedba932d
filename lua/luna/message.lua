--- Methods of messages: message:reply "text", :edit, :delete, :getChat, :getSender; and of the press of a button, which is an update:
--- query:answer "text", :edit, :send; and of what a call gives that sends something: sent:getMessage(). Fields stay raw; what may wait is a
--- method. All know their API object by the task that handles them.
local tl = require "_luna.tl"
local errors = require "luna.errors"
local ids = require "luna.ids"
local scope = require "luna.scope"
local topics = require "luna.topics"
local expand = require "luna.updates.expand"

local message = {}
local methods = {}

local function core(level)
  local c = scope.core()
  if not c then error("a message's methods need an API object, and there is none", level + 1) end
  return c
end

local function kindOf(x)
  if x == nil then return 'nil (the text of a message is its field "message")' end
  return type(x) == "table" and x._ ~= nil and "a " .. tostring(x._) or "a " .. type(x)
end

-- A method that is called with a dot has its argument where the message should be.
local function withColon(self, x, what, level)
  if x ~= nil or self == nil or type(self) == "table" and self._ ~= nil then return end
  error(("%s is called with a colon, not with a dot"):format(what), level + 1)
end

-- The parameters as a table of the call's own. what: the method that is given them, as "message:reply".
local function options(self, x, what, level)
  if type(x) == "string" then return { message = x } end
  withColon(self, x, what, level + 1)
  if type(x) ~= "table" or x._ ~= nil then
    error(("%s: a text or a table of parameters is wanted, not %s"):format(what, kindOf(x)), level + 1)
  end
  local copy = {}
  for k, v in pairs(x) do copy[k] = v end
  return copy
end

-- Callers put its call in parentheses: a tail call would lose the level. opts: as of every call; a promise where they say so alone.
local function call(name, p, level, opts)
  local c = core(level + 1)
  local method = c:method(name)
  if opts ~= nil then
    return (require("luna.namespace").call(c, method, p, opts, level + 1, type(opts) == "table" and opts.async or false))
  end
  local ok, result = pcall(c.call, c, method, p)
  if ok then return result end
  local text = require("luna.params").isBadCall(method, result, p)
  if text then error(text, level + 1) end
  error(result, 0)
end

-- A text, or media with a text or without.
local function deliver(p, level, opts)
  if not p.media then return (call("messages.sendMessage", p, level + 1, opts)) end
  p.message = p.message or ""
  return (call("messages.sendMedia", p, level + 1, opts))
end

-- What is sent goes to the message's chat and topic, where it does not say another chat. id: of the message that it answers.
local function stay(self, p, id)
  local topic = topics.of(self)
  if p.reply_to == nil and p.reply_to_msg_id == nil then
    if topic and p.peer == nil then p.reply_to = topics.replyTo(topic, id) else p.reply_to_msg_id = id end
  end
  p.peer = p.peer or self.peer_id
end

-- The last argument of those that call is the options of every call: { async = true }, timeout, cancellation, …

--- reply(text | { message =, media =, … }, options?): an answer to this message in its chat.
function methods:reply(x, opts)
  local p = options(self, x, "message:reply", 2)
  stay(self, p, self.id)
  return (deliver(p, 2, opts))
end

--- send(text | table): to the message's chat, without the reference.
function methods:send(x, opts)
  local p = options(self, x, "message:send", 2)
  stay(self, p)
  return (deliver(p, 2, opts))
end

--- ask(text | table, options?): a question to who wrote this message, in its chat. Waits; gives the answer, and what the check made of it.
function methods:ask(question, opts)
  withColon(self, question, "message:ask", 2)
  local answer, value = require("luna.ask").ask(core(2), self, question, opts, 2)
  return answer, value
end

--- edit(text | table): changes this message.
function methods:edit(x, opts)
  local p = options(self, x, "message:edit", 2)
  p.peer, p.id = self.peer_id, self.id
  return (call("messages.editMessage", p, 2, opts))
end

--- delete(): for both sides.
function methods:delete(opts)
  if self.peer_id.channel_id then
    return (call("channels.deleteMessages", { channel = self.peer_id, id = { self.id } }, 2, opts))
  end
  return (call("messages.deleteMessages", { revoke = true, id = { self.id } }, 2, opts))
end

--- forward(peer): to another chat.
function methods:forward(peer, opts)
  return (call("messages.forwardMessages", { from_peer = self.peer_id, id = { self.id }, to_peer = peer }, 2, opts))
end

--- getChat(): the user, chat or channel object of the message's chat.
function methods:getChat()
  local c = core(2)
  return require("luna.info").object(c, ids.ofPeer(self.peer_id))
end

--- getSender(): the user or channel that wrote it.
function methods:getSender()
  local c = core(2)
  local from = self.from_id or self.peer_id
  if self.out and not self.from_id then return require("luna.info").object(c, c.me.id) end
  return require("luna.info").object(c, ids.ofPeer(from))
end

-- ---- the press of an inline button: updateBotCallbackQuery, updateInlineBotCallbackQuery ----

local query = {}

--- answer(text | { message =, alert =, url =, cache_time = } | nothing, options?): what the person who pressed is told; ends the button's
--- waiting.
function query:answer(x, opts)
  withColon(self, x, "query:answer", 2)
  local p = x == nil and {} or options(self, x, "query:answer", 2)
  p.query_id, p.cache_time = self.query_id, p.cache_time or 0
  return (call("messages.setBotCallbackAnswer", p, 2, opts))
end

--- edit(text | table): changes the message that has the button.
function query:edit(x, opts)
  local p = options(self, x, "query:edit", 2)
  p.id = self.msg_id
  if self._ == "updateInlineBotCallbackQuery" then return (call("messages.editInlineBotMessage", p, 2, opts)) end
  p.peer = self.peer
  return (call("messages.editMessage", p, 2, opts))
end

local function chatOf(self, level)
  if self.peer then return self.peer end
  error("this button is under a message that was sent by way of the bot: its chat is not known", level + 1)
end

--- send(text | table): to the chat of the button's message; in a forum as an answer to it, which is in its topic.
function query:send(x, opts)
  local p = options(self, x, "query:send", 2)
  if p.peer == nil then
    p.peer = chatOf(self, 2)
    local inForum = core(2).peers:isForum(self.peer)
    if inForum and p.reply_to == nil and p.reply_to_msg_id == nil then p.reply_to_msg_id = self.msg_id end
  end
  return (deliver(p, 2, opts))
end

--- ask(text | table, options?): as of a message: a question to who pressed the button.
function query:ask(question, opts)
  withColon(self, question, "query:ask", 2)
  local answer, value = require("luna.ask").ask(core(2), self, question, opts, 2)
  return answer, value
end

--- getMessage(): the message that has the button; nil where it is gone.
function query:getMessage()
  local peer = chatOf(self, 2)
  local found
  if peer.channel_id then
    found = call("channels.getMessages", { channel = peer, id = { self.msg_id } }, 2)
  else
    found = call("messages.getMessages", { id = { self.msg_id } }, 2)
  end
  local first = found.messages[1]
  return first and first._ ~= "messageEmpty" and first or nil
end

--- getChat(): the user, chat or channel object of its chat.
function query:getChat() return require("luna.info").object(core(2), ids.ofPeer(chatOf(self, 2))) end

--- getSender(): the user that pressed.
function query:getSender() return require("luna.info").object(core(2), self.user_id) end

-- ---- an inline query: updateBotInlineQuery ----

local inlineQuery = {}

--- answer({ result, … } | { results =, next_offset =, cache_time =, … }): what the person who types is shown.
function inlineQuery:answer(x, opts)
  if type(x) ~= "table" or x._ ~= nil then error(("a list of results or a table of parameters is wanted, not a %s"):format(type(x)), 2) end
  local p = { results = x }
  if x.results ~= nil then
    p = {}
    for k, v in pairs(x) do p[k] = v end
  end
  p.query_id = self.query_id
  return (call("messages.setInlineBotResults", p, 2, opts))
end

--- getSender(): the user that types.
function inlineQuery:getSender() return require("luna.info").object(core(2), self.user_id) end

-- ---- what a call that sends gives: Updates ----

local sent = {}
local requests = setmetatable({}, { __mode = "k" }) -- updateShortSentMessage, which tells the id alone → what was asked for

--- Told by luna.core of such an answer.
function message.remember(result, request) requests[result] = request end

--- getMessage(): the message that the call has sent, or changed; the first of several. nil where there is none in the answer.
function sent:getMessage()
  local request = requests[self]
  local me = request and core(2).me
  local full = expand.container(self, me and me.id, request)
  for _, update in ipairs(full and full.updates or {}) do
    local m = update.message
    if type(m) == "table" and m.id then return m end
  end
end

message.sent, message.sentMeta = sent, { __index = sent, __name = "luna.Sent" }
message.inlineQuery = inlineQuery
message.query, message.deliver, message.options = query, deliver, options
message.methods = methods
message.meta = { __index = methods, __name = "luna.Message" }

tl.setMetatable("message", message.meta)
tl.setMetatable("messageService", message.meta)
local queryMeta = { __index = query, __name = "luna.CallbackQuery" }
tl.setMetatable("updateBotCallbackQuery", queryMeta)
tl.setMetatable("updateInlineBotCallbackQuery", queryMeta)
tl.setMetatable("updateBotInlineQuery", { __index = inlineQuery, __name = "luna.InlineQuery" })
for _, name in ipairs(tl.type "Updates") do tl.setMetatable(name, message.sentMeta) end
expand.setMessageMeta(message.meta)
message.errors = errors

return message
