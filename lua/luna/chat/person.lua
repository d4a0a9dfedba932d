--- The person at the terminal, as an account of the embedded sandbox: acts on its model directly, without a client. One Person per chat;
--- `onMessage` is called with { id, text, edited, buttons, keyboard, from } for each message of the bot, and, in a group, for what others
--- do there. In private with the bot, or in a group with it and with people that it makes up.
local Class = require "luna.class"
local actions = require "luna.sandbox.actions"
local boxes = require "luna.sandbox.boxes"
local buttons = require "luna.sandbox.buttons"
local describe = require "luna.sandbox.describe"
local groups = require "luna.sandbox.groups"
local ids = require "luna.ids"
local objects = require "luna.sandbox.objects"
local rpc = require "luna.sandbox.rpc"
local tl = require "_luna.tl"
local timer = require "_luna.timer"
local Logger = require "luna.logger"

local Person = Class.new "Person"

local MANY = 50 -- messages that a bot hardly sends in answer to one

local function buttonsOf(message)
  local list = {}
  local markup = message.reply_markup
  for _, row in ipairs(markup and markup.rows or {}) do
    for _, b in ipairs(row.buttons) do
      list[#list + 1] = { id = message.id, label = b.text, type = b.type, inline = markup._ == "replyInlineMarkup" }
    end
  end
  return list
end

-- first: the first name, "You" where it is not given; the username is the same in small letters.
function Person:init(place, bot, first)
  first = first or "You"
  self.model, self.server = place.model, place.server
  self:turnTo(bot)
  local known = self.model:byUsername(first:lower()) -- a kept sandbox knows the person from the last run
  self.me = known and self.model:user(known) or self.model:addUser { first_name = first, username = first:lower() }
  self.model.watchers[self.me.id] = function(entry) self:see(entry) end
end

--- From now on the person talks to this bot, which is logged in.
function Person:turnTo(bot)
  self.bot, self.group = bot, nil
  self.due, self.acted = 0, 0 -- how many messages of the bot would be no wonder; when the person has last done something
  self.botId, self.botName = bot.core.me.id, bot.core.me.username or bot.name
end

-- An entry of my box.
function Person:see(entry)
  if not self.onMessage or (entry.k ~= "new" and entry.k ~= "edit") then return end
  local core = self.model.state.cores[entry.gid]
  local owner = entry.chan or self.me.id
  local id = core and core.ids[owner]
  if not id or core.from == self.me.id then return end
  local here = self.group and core.chat == self.group
  if not here and (core.from ~= self.botId or core.chat) then return end
  if core.from == self.botId and entry.k == "new" then
    if timer.now() - self.acted > 1 then self.due = math.min(self.due, MANY) end
    self.due = self.due - 1
    if self.due == 0 then
      Logger.write(Logger.WARNING, self.bot.name,
        "one message after the other: it answers itself, it seems; message.out tells what it has written")
    end
  end
  local message = objects.message(self.model, owner, self.me.id, id, tl.layer, {})
  local markup = message.reply_markup
  self.onMessage {
    id = id, text = describe.message(message), edited = entry.k == "edit" and not message.edit_hide, buttons = buttonsOf(message),
    keyboard = markup and markup._ == "replyKeyboardMarkup", from = core.from ~= self.botId and self.model:name(core.from) or nil,
  }
end

local function act(self, fn, ...)
  self.due, self.acted = math.max(self.due, 0) + MANY, timer.now()
  local ok, result = pcall(fn, ...)
  if ok then return true, result end
  if rpc.is(result) then return false, result.text end
  error(result, 0)
end

local function by(user) return { user = user } end

--- Sends a text to the bot, or to the group. Returns true, or false and why.
function Person:send(text) return act(self, actions.send, self.model, by(self.me), self.group or self.botId, { text = text }) end

-- The made-up person of that name.
local function other(self, name)
  local known = self.model:byUsername(name:lower())
  return known and self.model:user(known) or self.model:addUser { first_name = name, username = name:lower() }
end

--- Presses a button; name: as somebody made up, in the group. Returns true and the bot's answer (a text or nil), or false and why.
function Person:press(button, name)
  local kind = button.type and button.type._ or "buttonTypeDefault"
  if not button.inline then
    if kind ~= "buttonTypeDefault" then return false, "this kind of button needs a real Telegram client" end
    if name then return self:says(name, button.label) end
    return self:send(button.label)
  end
  if kind == "inlineButtonTypeUrl" then return true, button.type.url end
  if kind ~= "inlineButtonTypeCallback" then return false, "this kind of button needs a real Telegram client" end
  local who, id = self.me, button.id
  if name then -- each member of a group has a number of its own for a message
    who = other(self, name)
    id = boxes.core(self.model, self.me.id, id).ids[who.id]
    if not id then return false, name .. " has not got that message: :join comes first" end
  end
  local ok, answer = act(self, buttons.press, self.model, by(who), self.group or self.botId, id, button.type.data)
  if not ok then return false, answer == "BOT_RESPONSE_TIMEOUT" and "the bot did not answer" or answer end
  return true, answer.message or answer.url
end

--- A new group of the person and the bot, which is where the person is from now on. Returns true, or false and why.
function Person:makeGroup(title)
  local ok, chat = act(self, groups.createChat, self.model, by(self.me), title, {})
  if not ok then return false, chat end
  self.group = ids.chat(chat.id)
  return act(self, groups.addUser, self.model, by(self.me), chat.id, self.botId)
end

--- Back to the bot alone.
function Person:leaveGroup() self.group = nil end

--- Somebody made up joins the group, goes, or says something there. Each returns true, or false and why.
function Person:joins(name) return act(self, groups.join, self.model, by(other(self, name)), -self.group) end
function Person:goes(name)
  local user = other(self, name)
  return act(self, groups.deleteUser, self.model, by(user), -self.group, user.id)
end
function Person:says(name, text) return act(self, actions.send, self.model, by(other(self, name)), self.group, { text = text }) end

--- Whether something is still to come of this bot: a handler runs, a call is under way, or the sandbox holds updates that it has not seen.
function Person:awaits(bot)
  local core = bot.core
  if not core.dispatch:isIdle() or core.conn and core.conn:inFlight() > 0 then return true end
  local me = core.me
  if not me or not self.model:user(me.id) then return false end
  local common = core.updates and core.updates.common
  return common ~= nil and common.pts ~= nil and common.pts < boxes.of(self.model, me.id).pts
end

return Person
