--- A person of the test kit: an account of the sandbox that acts on the model directly, without a client. world:user makes one. What
--- others write comes in by the model's watcher and waits here, one queue a dialog, until the test expects it.
local core_ = require "_luna.promise"
local timer = require "_luna.timer"
local tl = require "_luna.tl"
local Class = require "luna.class"
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local actions = require "luna.sandbox.actions"
local boxes = require "luna.sandbox.boxes"
local buttons = require "luna.sandbox.buttons"
local conversation = require "luna.sandbox.conversation"
local describe = require "luna.sandbox.describe"
local groups = require "luna.sandbox.groups"
local inline = require "luna.sandbox.inline"
local keyboards = require "luna.sandbox.keyboards"
local kinds = require "luna.media"
local media = require "luna.sandbox.media"
local objects = require "luna.sandbox.objects"
local patterns = require "luna.pattern"
local payments = require "luna.sandbox.payments"
local polls = require "luna.sandbox.polls"
local reactions = require "luna.sandbox.reactions"
local scheduled = require "luna.sandbox.scheduled"
local updates = require "luna.sandbox.updates"
local suggest = require "luna.suggest"

local Person = Class.new "Person"

--- world: gives model, clock and what it knows of the bots; user: the account.
function Person:init(world, user)
  self.world, self.account, self.id, self.username, self.name = world, user, user.id, user.username, user.first_name
  self.queues, self.waiters = {}, {}
  world.model.watchers[user.id] = function(entry) self:see(entry) end
end

local heard = { new = true, edit = true, reactions = true }

--- What others do to this person's dialogs: k is "new", "edit", "delete", "typing", …
function Person:see(entry)
  local core = entry.gid and self.world.model.state.cores[entry.gid]
  if not core or (entry.actor or core.by) == self.id or not heard[entry.k] then return end
  local owner = entry.chan or self.id
  local peer = boxes.peerOf(core, owner)
  local queue = self:queue(peer)
  queue[#queue + 1] = { kind = core.action and "service" or entry.k, core = core, owner = owner, list = entry.list }
  for _, p in ipairs(self.waiters) do
    if core_.state(p) == "pending" then core_.resolve(p) end
  end
  self.waiters = {}
end

function Person:queue(peer)
  local queue = self.queues[peer]
  if not queue then
    queue = {}
    self.queues[peer] = queue
  end
  return queue
end

local seen = setmetatable({}, { __mode = "k" }) -- message → { core, id of the person who got it }

-- A bot, a person, a group, a channel, a message or a marked id → the marked id.
local function marked(self, x, level)
  if math.type(x) == "integer" then return x end
  if type(x) == "table" then
    if x.peer_id then return ids.ofPeer(x.peer_id) end
    if x.id then return x.id end
  end
  if type(x) == "string" then
    local found = self.world.model:byUsername(x)
    if found then return found end
  end
  error(("a peer is a bot, a person, a group, a channel or a username, not %s"):format(tostring(x)), (level or 1) + 2)
end

-- The topic that a peer is, or nil.
local function topicOf(x) return type(x) == "table" and x.kind == "topic" and x.topic or nil end

-- A group or a channel → its marked id.
local function placeOf(self, x)
  local id = marked(self, x, 2)
  if ids.split(id) == "user" then error(("%s is no group and no channel"):format(self.world.model:name(id)), 3) end
  return id
end

-- What a refusal means where its name alone does not say it.
local reasons = {
  BOT_RESPONSE_TIMEOUT = "the bot has not answered within 10 s",
  BOT_PRECHECKOUT_TIMEOUT = "the bot has not called messages.setBotPrecheckoutResults within 10 s",
}

-- Runs an action as this person; a refusal is an error at the test's line.
local function act(self, fn, ...)
  self.world:enter()
  local result = table.pack(pcall(fn, ...))
  if result[1] then return table.unpack(result, 2, result.n) end
  if not rpc.is(result[2]) then error(result[2], 0) end
  local text = result[2].text
  local reason = reasons[text] and (" (%s)"):format(reasons[text]) or ""
  error(("%s: the sandbox refuses it: %s%s%s"):format(self.name, text, reason, self.world:failures()), 3)
end

local function by(self) return { user = self.account } end

--- A message as this person sees it now.
function Person:view(owner, core)
  local id = core.ids[owner]
  if not id then return nil end
  local message = objects.message(self.world.model, owner, self.id, id, tl.layer, {})
  seen[message] = { core, self.id }
  return message
end

-- A message that a test has, as this person's: its dialog and its id there. In private chats and basic groups each account has ids of its
-- own; so one that somebody else has got is found by what it is.
local function own(self, message, level)
  local known = seen[message]
  if not known or known[2] == self.id then return marked(self, message, level), type(message) == "table" and message.id end
  local core = known[1]
  local pair = core.pair
  local peer = core.chat or pair[1] == self.id and pair[2] or pair[2] == self.id and pair[1]
  local id = peer and core.ids[actions.owner({ user = self.account }, peer)]
  if not id then
    error(("%s: this message is not in %s's chats: it came while %s was not there, or has been deleted"):format(self.name, self.name,
      self.name), level + 1)
  end
  return peer, id
end

-- What send and edit take: a text, or a table of message, media (a TL InputMedia), photo or document (bytes), reply_to, entities, silent.
local function content(self, x)
  if type(x) == "string" then return { text = x } end
  local ctx = { model = self.world.model, user = self.account, dc = self.world.model.dcs[1] }
  local m = { text = x.message or "", entities = x.entities, silent = x.silent, reply = x.reply_to }
  if type(m.reply) == "table" then
    local _
    _, m.reply = own(self, m.reply, 3)
  end
  if x.media and x.media._ == "inputMediaPoll" then
    m.media = polls.make(ctx.model, ctx.user, x.media)
  elseif x.media then
    m.media = x.media._ and media.take(ctx, x.media) or media.make(ctx, x.media)
  elseif x.photo or x.document then
    m.media = media.make(ctx, x)
  end
  return m
end

local contents = {}
for name in ("message media photo document name mime reply_to entities silent"):gmatch "%S+" do contents[name] = true end
local function checkContent(x)
  if type(x) ~= "string" and type(x) ~= "table" then
    error(("a message is a text or a table, not a %s"):format(type(x)), 3)
  end
  if type(x) ~= "table" then return end
  suggest.check(x, contents, "a message has no", 3)
  for _, name in ipairs { "message", "photo", "document" } do
    if x[name] ~= nil and type(x[name]) ~= "string" then
      local what = name == "message" and "text is a string" or name .. " is bytes in a string"
      error(("a message's %s, not a %s"):format(what, type(x[name])), 3)
    end
  end
end

--- Sends; returns the message.
function Person:send(peer, x)
  checkContent(x)
  local to = marked(self, peer)
  local _, _, core = act(self, function()
    local m = content(self, x)
    m.top = topicOf(peer)
    return actions.send(self.world.model, by(self), to, m)
  end)
  return self:view(actions.owner(by(self), to), core)
end

--- Writes a message that is sent by itself in so many seconds.
function Person:schedule(peer, x, seconds)
  checkContent(x)
  if type(seconds) ~= "number" then error(("schedule wants a number of seconds, got a %s"):format(type(seconds)), 2) end
  local to = marked(self, peer)
  act(self, function()
    local model, m = self.world.model, content(self, x)
    local later = scheduled.add(model, by(self), to, m, model:now() + math.ceil(seconds))
    if not later then actions.send(model, by(self), to, m) end
  end)
end

--- Presses "Start" in a bot's chat.
function Person:start(bot, param)
  local message = self:send(bot, param and "/start " .. param or "/start")
  return message
end

function Person:edit(message, x)
  checkContent(x)
  local peer, id = own(self, message, 2)
  local _, core = act(self, function()
    local m = content(self, x)
    return actions.edit(self.world.model, by(self), peer, id, m)
  end)
  return self:view(actions.owner(by(self), peer), core)
end

--- Deletes a message for everybody; opts.revoke = false: for this person alone.
function Person:delete(message, opts)
  local peer, id = own(self, message, 2)
  act(self, function()
    if ids.split(peer) == "channel" then return actions.deleteFromChannel(self.world.model, by(self), peer, { id }) end
    return actions.delete(self.world.model, by(self), { id }, not opts or opts.revoke ~= false)
  end)
end

--- Reacts to a message with an emoji; without one, takes the reaction back. Gives the message as it is then.
function Person:react(message, emoji)
  if emoji ~= nil and type(emoji) ~= "string" then error(("a reaction is an emoji, not a %s"):format(type(emoji)), 2) end
  local peer, id = own(self, message, 2)
  local _, core = act(self, reactions.set, self.world.model, by(self), peer, id, { emoji })
  return self:view(actions.owner(by(self), peer), core)
end

--- Votes in the poll of a message, by the texts of its answers; without any, takes the vote back. Gives the message as it is then.
function Person:vote(message, ...)
  local peer, id = own(self, message, 2)
  local model = self.world.model
  local core = boxes.core(model, actions.owner(by(self), peer), id)
  local poll = polls.of(model, core)
  if not poll then error(("%s: %q has no poll"):format(self.name, describe.message(message)), 2) end
  local options = {}
  for i, label in ipairs { ... } do
    local labels = {}
    for at, a in ipairs(poll.answers) do
      labels[at] = a.text
      if a.text == label then options[i] = a.option end
    end
    if not options[i] then
      error(("%s: the poll %q has no answer %q; it has %s"):format(self.name, poll.question.text, tostring(label),
        table.concat(labels, ", ")), 2)
    end
  end
  act(self, polls.vote, model, by(self), peer, id, options)
  return self:view(actions.owner(by(self), peer), core)
end

--- Marks a dialog read.
function Person:read(peer, max)
  local to = marked(self, peer)
  act(self, actions.read, self.world.model, by(self), to, max or 0)
end

function Person:typing(peer)
  local to = marked(self, peer)
  act(self, actions.typing, self.world.model, by(self), to, { _ = "sendMessageTypingAction" })
end

--- Stops a bot (or another person) from writing; unblock takes it back.
local function block(self, peer, on)
  local id = marked(self, peer)
  local model = self.world.model
  self.world:enter()
  self.account.blocked[id] = on and model:now() or nil
  if model:user(id).bot then
    updates.push(model, id, { boxes.logQts(model, id, { k = "stopped", from = self.id, date = model:now(), stopped = on }) })
  end
end
function Person:block(peer) block(self, peer, true) end
function Person:unblock(peer) block(self, peer, false) end

--- Joins a group or a channel by himself; add brings somebody else.
function Person:join(place)
  local to = placeOf(self, place)
  if ids.split(to) == "channel" then return act(self, groups.joinChannel, self.world.model, by(self), to) and nil end
  act(self, groups.join, self.world.model, by(self), -to)
end

function Person:add(place, who)
  local to, uid = placeOf(self, place), marked(self, who)
  if ids.split(to) == "channel" then return act(self, groups.invite, self.world.model, by(self), to, { uid }) and nil end
  act(self, groups.addUser, self.world.model, by(self), -to, uid)
end

--- Leaves.
function Person:leave(place, who)
  if who ~= nil then error("leave takes a place alone: person:kick(place, who) takes somebody else out", 2) end
  local to = placeOf(self, place)
  if ids.split(to) == "channel" then return act(self, groups.leaveChannel, self.world.model, by(self), to, self.id) and nil end
  act(self, groups.deleteUser, self.world.model, by(self), -to, self.id)
end

--- Takes somebody out of a group or a channel; ban: for good (a basic group knows no such thing).
function Person:kick(place, who)
  local to, uid = placeOf(self, place), marked(self, who)
  if ids.split(to) == "channel" then return act(self, groups.leaveChannel, self.world.model, by(self), to, uid) and nil end
  act(self, groups.deleteUser, self.world.model, by(self), -to, uid)
end

function Person:ban(place, who)
  local to, uid = placeOf(self, place), marked(self, who)
  if ids.split(to) == "channel" then return act(self, groups.leaveChannel, self.world.model, by(self), to, uid, true) and nil end
  act(self, groups.deleteUser, self.world.model, by(self), -to, uid)
end

--- Who was banned from a supergroup or a channel may come again.
function Person:unban(place, who)
  local to, uid = placeOf(self, place), marked(self, who)
  if ids.split(to) ~= "channel" then error("a basic group bans nobody: who was kicked may be added again", 2) end
  act(self, groups.unban, self.world.model, by(self), to, uid)
end

--- Makes a member an admin; demote takes that back.
function Person:promote(place, who)
  local to, uid = placeOf(self, place), marked(self, who)
  act(self, groups.setAdmin, self.world.model, by(self), to, uid, true)
end

function Person:demote(place, who)
  local to, uid = placeOf(self, place), marked(self, who)
  act(self, groups.setAdmin, self.world.model, by(self), to, uid, false)
end

--- Gives a group or a channel another title.
function Person:rename(place, title)
  local to = placeOf(self, place)
  act(self, groups.editTitle, self.world.model, by(self), to, title)
end

--- Pins a message; unpin takes that back.
function Person:pin(message)
  local peer, id = own(self, message, 2)
  act(self, actions.pin, self.world.model, by(self), peer, id, true, {})
end

function Person:unpin(message)
  local peer, id = own(self, message, 2)
  act(self, actions.pin, self.world.model, by(self), peer, id, false, {})
end

--- The messages of a dialog, newest first.
function Person:history(peer, limit)
  local to = marked(self, peer)
  self.world:enter()
  local model = self.world.model
  local owner = actions.owner(by(self), to)
  local dialog = boxes.dialog(model, owner, to)
  local list = {}
  for i = dialog and #dialog.ids or 0, 1, -1 do
    if limit and #list >= limit then break end
    local core = boxes.core(model, owner, dialog.ids[i])
    if not topicOf(peer) or core.topic == topicOf(peer) then list[#list + 1] = self:view(owner, core) end
  end
  return list
end

--- A message as it is now; nil where it has been deleted.
function Person:message(message)
  local peer, id = own(self, message, 2)
  local owner = actions.owner(by(self), peer)
  local core = boxes.core(self.world.model, owner, id)
  self.world:enter()
  return core and self:view(owner, core) or nil
end

--- The file in a message: its bytes, name and kind ("image/png").
function Person:file(message)
  local m = type(message) == "table" and message.media
  local object = m and (m.photo or m.document)
  local kept = object and self.world.model.state.files[object.id]
  if not kept then
    error(("%s: there is no file in %s"):format(self.name, m and "a " .. (kinds.kind(m) or "link") or "a message without media"), 2)
  end
  local name
  for _, a in ipairs(kept.attributes or {}) do name = name or a.file_name end
  return kept.bytes, name, kept.mime or "image/jpeg"
end

local filters = { text = true, media = true, button = true, from = true, action = true }

-- "pinMessage" → "messageActionPinMessage", or nil.
local function actionName(name)
  local full = type(name) == "string" and "messageAction" .. name:sub(1, 1):upper() .. name:sub(2)
  return full and tl.constructor(full) and full or nil
end

-- What a test expects, checked: nil, a Lua pattern for the text, a function of the message, or { text =, media = true | kind, button =
-- label, from = who, action = true | name of a service message }.
local function checkFilter(self, filter, level)
  local pattern = filter
  if type(filter) == "table" then pattern = filter.text end
  if type(pattern) == "string" then
    local why = patterns.mistake(pattern)
    if why then error(("%q is no Lua pattern: %s"):format(pattern, why), level + 1) end
  elseif type(filter) == "table" and pattern ~= nil then
    error(("the text that is expected is a Lua pattern, not a %s"):format(type(pattern)), level + 1)
  end
  if type(filter) ~= "table" then
    if filter == nil or type(filter) == "string" or type(filter) == "function" then return filter end
    error(("what is expected is a pattern, a table or a function, not a %s"):format(type(filter)), level + 1)
  end
  suggest.check(filter, filters, "what is expected has no", level + 1)
  local kind = filter.media
  if kind ~= nil and kind ~= true and not kinds.kinds[kind] then
    error(('there is no media of the kind "%s"%s'):format(tostring(kind), suggest.hint(tostring(kind), kinds.kinds)), level + 1)
  end
  local action = filter.action
  if action ~= nil and action ~= true then
    action = actionName(action)
    if not action then
      error(('there is no service message "%s": pinMessage, chatAddUser, … (luna help MessageAction)'):format(tostring(filter.action)),
        level + 1)
    end
  end
  return {
    text = filter.text, media = kind, button = filter.button, from = filter.from ~= nil and marked(self, filter.from, level + 1) or nil,
    action = action,
  }
end

local function fits(message, filter)
  if filter == nil then return true end
  local text = message.message or ""
  if type(filter) == "string" then return text:find(filter) ~= nil end
  if type(filter) == "function" then return filter(message) end
  if filter.action and filter.action ~= true and filter.action ~= message.action._ then return false end
  if filter.text and not text:find(filter.text) then return false end
  local kind, more = kinds.kind(message.media)
  if filter.media and (not kind or filter.media ~= true and filter.media ~= kind and filter.media ~= more) then return false end
  if filter.button and not keyboards.find(message.reply_markup, filter.button) then return false end
  return not filter.from or ids.ofPeer(message.from_id or message.peer_id) == filter.from
end

local function inWords(self, filter)
  if filter == nil then return "" end
  if type(filter) == "string" then return (" like %q"):format(filter) end
  if type(filter) == "function" then return " that the test's function takes" end
  local out = {}
  if filter.action then
    out[#out + 1] = filter.action == true and " of the service kind" or " of the kind " .. filter.action
  end
  if filter.text then out[#out + 1] = (" like %q"):format(filter.text) end
  if filter.media then out[#out + 1] = " with " .. (filter.media == true and "media" or "a " .. filter.media) end
  if filter.button then out[#out + 1] = (" with a button %q"):format(filter.button) end
  if filter.from then out[#out + 1] = " by " .. self.world.model:name(filter.from) end
  return table.concat(out)
end

-- Takes the first of a queue that fits; what stands before it is passed over. topic: what is in that topic alone.
local function take(self, queue, kind, filter, topic)
  for i, item in ipairs(queue) do
    local message = item.kind == kind and (not topic or item.core.topic == topic) and self:view(item.owner, item.core)
    if message and fits(message, filter) then
      local rest = table.move(queue, i + 1, #queue, 1, {})
      for j = i - 1, 1, -1 do
        if topic and queue[j].core.topic ~= topic then table.insert(rest, 1, queue[j]) end
      end
      for j = 1, #queue do queue[j] = rest[j] end
      return message
    end
  end
  return nil
end

-- Waits on the world's clock for something that `check` finds.
local function wait(self, seconds, check)
  local limit = timer.now() + seconds
  while true do
    local found = check()
    if found then return found end
    local left = limit - timer.now()
    if left <= 0 then return nil end
    local p = core_.new()
    self.waiters[#self.waiters + 1] = p
    if core_.awaitTimeout(p, left) == false then
      -- What came in the very moment of the limit still counts.
      return check()
    end
  end
end

local function expect(self, kind, what, peer, seconds, filter)
  if seconds ~= nil and type(seconds) ~= "number" then seconds, filter = nil, seconds end
  local from = marked(self, peer, 2)
  filter = checkFilter(self, filter, 3)
  seconds = seconds or 5
  self.world:enter()
  if type(filter) == "table" and filter.action then kind = "service" end
  local message = wait(self, seconds, function() return take(self, self:queue(from), kind, filter, topicOf(peer)) end)
  if message then return message end
  error(("%s expected %s from %s%s within %g s; none came%s\n%s"):format(self.name, what, self.world.model:name(from),
    inWords(self, filter), seconds, self.world:failures(), conversation.show(self, from)), 3)
end

--- The next message from `peer` not yet expected; with a filter, the next that fits (what comes before it is passed over): a Lua pattern,
--- a function, or { text = pattern, media = true | "photo" | …, button = label, from = who }. Service messages count where the filter has
--- action = true | "pinMessage" | … alone.
function Person:expect(peer, seconds, filter)
  local message = expect(self, "new", "a message", peer, seconds, filter) -- no tail call: the error names the test's line
  return message
end

--- The next edit of a message by somebody else in that dialog: the message as it is now.
function Person:expectEdit(peer, seconds, filter)
  local message = expect(self, "edit", "an edit", peer, seconds, filter)
  return message
end

--- The next reaction of somebody else to a message; with an emoji, the next that is that one. Gives the message as it is now.
function Person:expectReaction(message, seconds, emoji)
  if type(seconds) == "string" then seconds, emoji = nil, seconds end
  seconds = seconds or 5
  local peer, id = own(self, message, 2)
  local owner = actions.owner(by(self), peer)
  local core = boxes.core(self.world.model, owner, id)
  if emoji ~= nil then emoji = act(self, reactions.take, emoji) end
  self.world:enter()
  local function isIt(item)
    return item.kind == "reactions" and item.core == core and (emoji and item.list[1] == emoji or not emoji and #item.list > 0)
  end
  local found = core and wait(self, seconds, function()
    local queue = self:queue(peer)
    for i, item in ipairs(queue) do
      if isIt(item) then return table.remove(queue, i) end
    end
  end)
  if found then return self:view(owner, core) end
  error(("%s expected a reaction%s to %q within %g s; none came%s\n%s"):format(self.name, emoji and " " .. emoji or "",
    describe.message(message), seconds, self.world:failures(), conversation.show(self, peer)), 2)
end

--- Nothing new comes from `peer` for that long.
function Person:expectNothing(peer, seconds)
  local from = marked(self, peer)
  seconds = seconds or 1
  if type(seconds) ~= "number" then error(("expectNothing wants a number of seconds, got a %s"):format(type(seconds)), 2) end
  self.world:enter()
  local message = wait(self, seconds, function() return take(self, self:queue(from), "new", nil, topicOf(peer)) end)
  if message then
    error(("%s expected nothing from %s within %g s, and got: %s\n%s"):format(self.name, self.world.model:name(from), seconds,
      describe.message(message), conversation.show(self, from)), 2)
  end
end

-- What a button without a callback does, by its kind.
local deeds = {}
function deeds.inlineButtonTypeSwitchInline(self, button, peer, bot)
  return self:inline(bot, button.type.query, { chat = button.type.same_peer and peer or nil })
end
function deeds.inlineButtonTypeCopy(_, button) return { copied = button.type.copy_text } end
function deeds.inlineButtonTypeUserProfile(_, button) return { user_id = button.type.user_id } end
function deeds.buttonTypeDefault(self, button, peer) return self:send(peer, button.text) end
function deeds.buttonTypeRequestPhone(self, _, peer)
  local account = self.account
  return self:send(peer, { media = {
    _ = "inputMediaContact", phone_number = account.phone, first_name = account.first_name, last_name = account.last_name or "", vcard = "",
  } })
end

--- Presses a button of a message, by its label or by row and column: the callback's answer { message, alert, url }. A button of a reply
--- keyboard sends its text (or the person's contact) and returns that message; a link returns { url }, one that switches to an inline query
--- what person:inline returns.
function Person:click(message, label, column)
  local peer, id = own(self, message, 2)
  self.world:enter()
  local model = self.world.model
  local core = boxes.core(model, actions.owner(by(self), peer), id)
  local button = core and keyboards.find(core.markup, label, column)
  if not button then
    local what = type(label) == "number" and ("row %d, column %d"):format(label, column or 1) or ("%q"):format(tostring(label))
    local there = core and keyboards.labels(core.markup) or {}
    local text = core and describe.message({ message = core.text, media = core.media, action = core.action }):match "^[^\n]*"
    if text and #text > 60 then text = text:sub(1, 60) .. "…" end
    local which = text and ("%q of %s"):format(text, model:name(core.by)) or "a message that is gone"
    error(("%s: %s has no button %s; it has %s\n%s"):format(self.name, which, what,
      #there > 0 and table.concat(there, ", ") or "none", conversation.show(self, peer)), 2)
  end
  local kind = button.type._
  if kind == "inlineButtonTypeCallback" then
    local answer = act(self, buttons.press, model, by(self), peer, id, button.type.data)
    return { message = answer.message, alert = answer.alert, url = answer.url }
  end
  if button.type.url then return { url = button.type.url } end
  local deed = deeds[kind]
  if deed then return deed(self, button, peer, core.via or core.by) end
  return error(("%s: a button of the kind %s cannot be pressed in a test"):format(self.name, kind), 2)
end

--- Pays an invoice of a bot in its chat, in Stars, once the bot has agreed: the receipt; or nil and the bot's words where it refuses.
function Person:pay(message)
  local peer, id = own(self, message, 2)
  local entry, core = act(self, payments.pay, self.world.model, by(self), peer, id)
  if not entry then return nil, core end
  return self:view(actions.owner(by(self), peer), core)
end

local asked = { offset = true, chat = true, location = true }

--- Types `@bot query` into a chat (opts.chat; the bot's own where it is not given): the list of what the bot answers, each a
--- botInlineResult with its query_id, the list with next_offset, cache_time, gallery, switch_pm. opts: offset, location = { lat, long }.
function Person:inline(bot, query, opts)
  if query ~= nil and type(query) ~= "string" then error(("a query is a text, not a %s"):format(type(query)), 2) end
  opts = suggest.check(opts or {}, asked, "person:inline: unknown option", 2)
  local model = self.world.model
  local id = marked(self, bot)
  local chat = opts.chat and marked(self, opts.chat) or id
  local user = model:user(id)
  if not user then error(("%s: a query goes to a bot, not to %s"):format(self.name, model:name(id)), 2) end
  local geo = opts.location and { _ = "geoPoint", lat = opts.location.lat + 0.0, long = opts.location.long + 0.0, access_hash = 0 }
  local q = act(self, inline.ask, model, by(self), user, chat, { query = query, offset = opts.offset, geo = geo })
  local found = inline.show(q, tl.layer)
  local list = found.results
  for _, r in ipairs(list) do r.query_id, r.chat = q.id, chat end
  list.next_offset, list.cache_time, list.gallery, list.switch_pm = found.next_offset, found.cache_time, found.gallery, found.switch_pm
  return list
end

--- Sends one of the results of `inline` to a chat (where it is not given, the one in which it was asked for); gives the message.
function Person:choose(result, chat)
  if type(result) ~= "table" or not result.query_id then
    error(("%s: what is chosen is one of the results that person:inline gives, as results[1]"):format(self.name), 2)
  end
  local to = chat and marked(self, chat) or result.chat
  local _, _, core = act(self, inline.send, self.world.model, by(self), to, result.query_id, result.id, {})
  return self:view(actions.owner(by(self), to), core)
end

function Person.__tostring(self) return "person " .. self.name end

return Person
