--- What accounts do to messages: send, edit, delete, read, type, forward. Called by the methods on the wire and by the test kit's people
--- alike. `by` is { user =, session = nil | the one that asked }; peers are marked ids. Each changes the model, writes the logs, pushes to
--- everybody concerned but the asking session, and returns what the asker's own answer is made of. Refusals are raised by rpc.fail.
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local text = require "luna.sandbox.text"
local boxes = require "luna.sandbox.boxes"
local updates = require "luna.sandbox.updates"

local actions = {}

local EDIT_LIMIT = 2 * 86400 -- seconds; bots may edit for ever
local CHANNEL = ids.CHANNEL
local GENERAL = 1 -- the topic of a forum that a message is in where nothing else is said

local function isAdmin(o, uid)
  local m = o.members[uid]
  return m ~= nil and (o.creator == uid or m.role == "admin")
end
actions.isAdmin = isAdmin

--- In whose box a peer's messages are numbered: the account's own, or the channel's.
function actions.owner(by, peer) return peer < CHANNEL and peer or by.user.id end

-- A bot that sees only what is meant for it: commands, answers to it, its name, and what has happened to the group.
local function concerns(model, bot, core)
  if core.action or bot.seesAll or core.via == bot.id then return true end
  if core.text and core.text:find "^/" then return true end
  local to = core.reply and model.state.cores[core.reply]
  if to and to.from == bot.id then return true end
  return core.text ~= nil and bot.username ~= nil and core.text:lower():find("@" .. bot.username:lower(), 1, true) ~= nil
end

--- The accounts in whose boxes a new message goes, the sender first; raises where the sender may not write there.
local function recipients(model, me, peer, core)
  local target, kind = model:object(peer)
  if not target then rpc.fail(400, "PEER_ID_INVALID") end
  if kind == "user" then
    if target.deleted then rpc.fail(400, "INPUT_USER_DEACTIVATED") end
    if target.id == me.id then return { me.id } end
    if me.bot and target.bot then rpc.fail(400, "USER_IS_BOT") end
    if me.bot and not boxes.dialog(model, me.id, peer) then rpc.fail(400, "PEER_ID_INVALID") end
    if me.blocked[target.id] then rpc.fail(400, "YOU_BLOCKED_USER") end
    if target.blocked[me.id] then
      if me.bot then rpc.fail(400, "USER_IS_BLOCKED") end
      return { me.id }
    end
    return { me.id, target.id }
  end
  local member = target.members[me.id]
  if not member then rpc.fail(403, "CHAT_WRITE_FORBIDDEN") end
  if kind == "channel" then
    if not target.megagroup and not core.action and not isAdmin(target, me.id) then rpc.fail(400, "CHAT_ADMIN_REQUIRED") end
    return nil
  end
  local list = { me.id }
  for _, uid in ipairs(model.memberIds(target)) do
    if uid ~= me.id then
      local user = model:user(uid)
      if not user.bot or (not me.bot or core.action) and concerns(model, user, core) then list[#list + 1] = uid end
    end
  end
  return list
end

-- Members of a channel who get its updates.
local function readers(model, chan)
  return model.memberIds(model:channel(CHANNEL - chan))
end

--- Pushes a channel's entry to its members.
function actions.toChannel(model, chan, entry, except)
  for _, uid in ipairs(readers(model, chan)) do
    if entry.k ~= "new" or not model:user(uid).bot or concerns(model, model:user(uid), model.state.cores[entry.gid] or {}) then
      updates.push(model, uid, { entry }, except)
    end
  end
end

local function resolveReply(model, owner, peer, id)
  local core = boxes.core(model, owner, id)
  if not core or boxes.peerOf(core, owner) ~= peer then rpc.fail(400, "REPLY_MESSAGE_ID_INVALID") end
  return core.gid
end

-- Numbers a core in every box it goes to, logs and pushes. Returns the sender's (or the channel's) entry.
local function spread(model, by, peer, core, list)
  local me = by.user
  if not list then
    local id = boxes.put(model, peer, peer, core)
    local entry = boxes.log(model, peer, { k = "new", gid = core.gid, chan = peer })
    for _, uid in ipairs(readers(model, peer)) do
      local dialog = boxes.dialog(model, uid, peer, true)
      if uid == me.id then dialog.readIn = id end
    end
    actions.toChannel(model, peer, entry, by.session)
    return entry, id
  end
  local mine, mineId
  local private = peer > 0
  local others = {}
  for _, uid in ipairs(list) do
    local there = private and uid ~= me.id and me.id or peer
    local id, dialog = boxes.put(model, uid, there, core)
    if uid == me.id then
      dialog.readIn, dialog.unread = id, 0
      if private and peer == me.id then dialog.readOut = id end
    else
      dialog.unread = dialog.unread + 1
    end
    local entry = boxes.log(model, uid, { k = "new", gid = core.gid })
    if uid == me.id then
      mine, mineId = entry, id
    else
      others[#others + 1] = { uid, entry }
    end
  end
  updates.push(model, me.id, { mine }, by.session)
  for _, pair in ipairs(others) do updates.push(model, pair[1], { pair[2] }) end
  return mine, mineId
end

-- The message that a new one answers, and in a forum the topic that it goes to: that of what it answers, else m.top; General is none.
local function placeOf(model, by, peer, m)
  local owner, channel = actions.owner(by, peer), peer < CHANNEL and model:channel(CHANNEL - peer)
  if not channel or not channel.forum then return m.reply and resolveReply(model, owner, peer, m.reply), nil end
  local known, gid, topic = channel.topics, nil, m.top
  if m.reply and (known[m.reply] or m.reply == GENERAL) then
    topic = topic or m.reply
  elseif m.reply and (boxes.core(model, owner, m.reply) or not topic) then
    gid = resolveReply(model, owner, peer, m.reply)
    topic = model.state.cores[gid].topic
  end
  if not topic or topic == GENERAL then return gid, nil end
  if not known[topic] then rpc.fail(400, "TOPIC_DELETED") end
  if known[topic].closed and not isAdmin(channel, by.user.id) then rpc.fail(400, "TOPIC_CLOSED") end
  return gid, topic
end

-- A new message as a table, in nobody's box yet, and who gets it. m: as for send.
local function compose(model, by, peer, m)
  local me = by.user
  if m.random and boxes.seen(model, me.id, m.random) then rpc.fail(500, "RANDOM_ID_DUPLICATE") end
  local kept, entities = m.text or "", m.entities
  if not m.action and not m.raw then
    kept, entities = text.take(kept, m.entities, m.media and text.MAX_CAPTION or text.MAX_MESSAGE, m.mention)
    if kept == "" and not m.media then rpc.fail(400, "MESSAGE_EMPTY") end
  end
  local draft, topic = { action = m.action, text = kept, via = m.via }, nil
  if m.reply or m.top then draft.reply, topic = placeOf(model, by, peer, m) end
  local list = recipients(model, me, peer, draft)
  local channel = peer < CHANNEL and model:channel(CHANNEL - peer) or nil
  local post = channel and not channel.megagroup or nil
  if post and m.media and m.media.public then rpc.fail(400, "BROADCAST_PUBLIC_VOTERS_FORBIDDEN") end
  if m.random then boxes.remember(model, me.id, m.random) end
  return {
    from = post and peer or me.id, chat = peer < 0 and peer or nil, pair = peer > 0 and { me.id, peer } or nil, date = model:now(),
    text = not m.action and kept or nil, entities = entities, media = m.media, markup = m.markup, reply = draft.reply, quote = m.quote,
    quoteEntities = m.quoteEntities, quoteOffset = m.quoteOffset, silent = m.silent or nil, noforwards = m.noforwards or nil,
    action = m.action, topic = topic, fwd = m.fwd, grouped = m.grouped, via = m.via, post = post,
    author = post and channel.signatures and me.first_name or nil, by = me.id,
  }, list
end

-- From here on it is there.
local function post(model, by, peer, made, list)
  local me, core = by.user, boxes.newCore(model, made)
  local poll = core.media and core.media._ == "messageMediaPoll" and model.state.polls[core.media.id]
  if poll and not poll.gid then poll.gid = core.gid end
  if model.heard then model.heard("send", { by = me.id, core = core }) end
  local entry, id = spread(model, by, peer, core, list)
  return entry, id, core
end

--- Sends to a peer. m: text, entities, media, markup, reply (an id in the owner's box), top (a topic), quote, silent, noforwards,
--- random (random_id), action, fwd, grouped, via. Returns the entry, the id that the message got in the owner's box, and the core.
function actions.send(model, by, peer, m)
  local made, list = compose(model, by, peer, m)
  return post(model, by, peer, made, list)
end

--- The same in two steps, for messages that are sent later: what there will be, then the sending, which may be refused as well.
actions.compose = compose
function actions.post(model, by, peer, made)
  return post(model, by, peer, made, recipients(model, by.user, peer, made))
end

--- The core of a message that `by` names, in that dialog; raises MESSAGE_ID_INVALID.
function actions.find(model, by, peer, id)
  local owner = actions.owner(by, peer)
  local core = boxes.core(model, owner, id)
  if not core or boxes.peerOf(core, owner) ~= peer then rpc.fail(400, "MESSAGE_ID_INVALID") end
  return core, owner
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for k, v in pairs(a) do
    if not same(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

-- Logs one kind of entry for every box that holds the core and pushes it. actor: whose deed it is, where it is not the sender's. Returns
-- the asker's entry.
local function tell(model, by, core, kind, actor)
  local mine
  for owner in pairs(core.ids) do
    if owner < CHANNEL then
      mine = boxes.log(model, owner, { k = kind, gid = core.gid, chan = owner, actor = actor })
      actions.toChannel(model, owner, mine, by.session)
    else
      local entry = boxes.log(model, owner, { k = kind, gid = core.gid, actor = actor })
      if owner == by.user.id then mine = entry end
      updates.push(model, owner, { entry }, by.session)
    end
  end
  return mine
end

--- The core of a message that `by` may edit. m: as for edit.
function actions.editable(model, by, peer, id, m)
  local core = actions.find(model, by, peer, id)
  local me = by.user
  if core.action or core.fwd then rpc.fail(400, "MESSAGE_ID_INVALID") end
  local channel = core.post and model:channel(CHANNEL - peer)
  if core.by ~= me.id and not (channel and isAdmin(channel, me.id)) then rpc.fail(403, "MESSAGE_AUTHOR_REQUIRED") end
  if not me.bot and not m.actor and not core.post and model:now() - core.date > EDIT_LIMIT then
    rpc.fail(400, "MESSAGE_EDIT_TIME_EXPIRED")
  end
  return core
end

--- Edits a message: m as for send, and actor: the bot that changes what was sent by way of it, shown = true where the message has changed
--- otherwise; without text and media only the keyboard changes. Returns the asker's entry.
function actions.edit(model, by, peer, id, m)
  local core = actions.editable(model, by, peer, id, m)
  local media = m.media or core.media
  local kept, entities = core.text, core.entities
  if m.text then
    kept, entities = text.take(m.text, m.entities, media and text.MAX_CAPTION or text.MAX_MESSAGE, m.mention)
    if kept == "" and not media then rpc.fail(400, "MESSAGE_EMPTY") end
  end
  local shown = m.shown or kept ~= core.text or not same(entities, core.entities) or not same(media, core.media)
  if not shown and same(m.markup, core.markup) then rpc.fail(400, "MESSAGE_NOT_MODIFIED") end
  core.text, core.entities, core.media, core.markup = kept, entities, media, m.markup
  core.edited = model:now()
  core.editHidden = not shown and true or nil
  if model.heard then model.heard("edit", { by = m.actor or by.user.id, core = core }) end
  return tell(model, by, core, "edit", m.actor), core
end

-- Takes messages out of one box and tells its account. Returns the entry, or nil where none of them was there.
local function take(model, owner, list, except, by)
  local gone = {}
  for _, id in ipairs(list) do
    if boxes.remove(model, owner, id) then gone[#gone + 1] = id end
  end
  if #gone == 0 then return nil end
  local chan = owner < CHANNEL and owner or nil
  local entry = boxes.log(model, owner, { k = "delete", ids = gone, count = #gone, chan = chan })
  if chan then
    actions.toChannel(model, chan, entry, by.session)
  else
    updates.push(model, owner, { entry }, except)
  end
  return entry
end

--- Deletes messages of the account's own box; with `revoke` for the others too. Returns the entry or nil.
function actions.delete(model, by, list, revoke)
  local me = by.user
  local others = {}
  for _, id in ipairs(list) do
    local core = boxes.core(model, me.id, id)
    if core and model.heard then model.heard("delete", { by = me.id, core = core, alone = not (revoke or me.bot) }) end
    if core and (revoke or me.bot) then
      local chat = core.chat and model:object(core.chat)
      if core.chat and core.from ~= me.id and not isAdmin(chat, me.id) then
        if me.bot then rpc.fail(403, "MESSAGE_DELETE_FORBIDDEN") end
      else
        for uid, there in pairs(core.ids) do
          if uid ~= me.id then
            others[uid] = others[uid] or {}
            table.insert(others[uid], there)
          end
        end
      end
    end
  end
  local mine = take(model, me.id, list, by.session, by)
  for uid, there in pairs(others) do
    table.sort(there)
    take(model, uid, there, nil, by)
  end
  return mine
end

--- Deletes messages of a channel. Returns the entry or nil.
function actions.deleteFromChannel(model, by, chan, list)
  local channel = model:channel(CHANNEL - chan)
  if not channel or not channel.members[by.user.id] then rpc.fail(400, "CHANNEL_PRIVATE") end
  for _, id in ipairs(list) do
    local core = boxes.core(model, chan, id)
    if core and core.by ~= by.user.id and not isAdmin(channel, by.user.id) then rpc.fail(403, "MESSAGE_DELETE_FORBIDDEN") end
  end
  for _, id in ipairs(model.heard and list or {}) do
    local core = boxes.core(model, chan, id)
    if core then model.heard("delete", { by = by.user.id, core = core }) end
  end
  return take(model, chan, list, nil, by)
end

--- Marks a dialog read up to `max` (0: all). Returns the asker's entry, or nil where nothing changed.
function actions.read(model, by, peer, max)
  local me = by.user
  local dialog = boxes.dialog(model, me.id, peer)
  if not dialog then return nil end
  if peer < CHANNEL then
    local list = boxes.dialog(model, peer, peer, true).ids
    local last = list[#list] or 0
    max = max > 0 and math.min(max, last) or last
    if max <= dialog.readIn then return nil end
    dialog.readIn = max
    model:changed()
    local entry = { k = "readChannel", chan = peer, max = max }
    updates.push(model, me.id, { entry }, by.session)
    return entry
  end
  local last = dialog.ids[#dialog.ids] or 0
  max = max > 0 and math.min(max, last) or last
  if max <= dialog.readIn then return nil end
  local senders, left = {}, 0
  for i = #dialog.ids, 1, -1 do
    local id = dialog.ids[i]
    if id <= dialog.readIn then break end
    local core = boxes.core(model, me.id, id)
    if core.from ~= me.id then
      if id > max then
        left = left + 1
      elseif core.ids[core.from] and not senders[core.from] then
        senders[core.from] = core.ids[core.from]
      end
    end
  end
  dialog.readIn, dialog.unread = max, left
  local mine = boxes.log(model, me.id, { k = "readIn", peer = peer, max = max, left = left })
  updates.push(model, me.id, { mine }, by.session)
  for uid, id in pairs(senders) do
    local there = boxes.dialog(model, uid, peer > 0 and me.id or peer, true)
    local user = model:user(uid)
    if id > there.readOut then
      there.readOut = id
      if not user.bot then
        updates.push(model, uid, { boxes.log(model, uid, { k = "readOut", peer = there.peer, max = id }) })
      end
    end
  end
  return mine
end

--- Shows the others that somebody types (or does what `action` says).
function actions.typing(model, by, peer, action)
  local target, kind = model:object(peer)
  local me = by.user
  local e = { k = "typing", from = me.id, peer = peer, action = action }
  if kind == "user" then
    if target.id ~= me.id and not target.bot and not target.blocked[me.id] then updates.push(model, target.id, { e }) end
    return
  end
  if not target or not target.members[me.id] then rpc.fail(400, "PEER_ID_INVALID") end
  for _, uid in ipairs(model.memberIds(target)) do
    if uid ~= me.id and not model:user(uid).bot then updates.push(model, uid, { e }) end
  end
end

--- Sends copies of messages on, by opts.send where that is given. Returns lists of entries and of ids.
function actions.forward(model, by, from, list, to, opts)
  local entries, made = {}, {}
  for i, id in ipairs(list) do
    local core = actions.find(model, by, from, id)
    if core.noforwards then rpc.fail(400, "CHAT_FORWARDS_RESTRICTED") end
    if core.action then rpc.fail(400, "MESSAGE_ID_INVALID") end
    local fwd = not opts.dropAuthor and (core.fwd or { from = core.from, date = core.date, post = core.post and id or nil }) or nil
    entries[i], made[i] = (opts.send or actions.send)(model, by, to, {
      text = not (core.media and opts.dropCaptions) and core.text or "", entities = core.entities, media = core.media, fwd = fwd,
      silent = opts.silent, noforwards = opts.noforwards, top = opts.top, random = opts.randoms and opts.randoms[i], raw = true,
    })
  end
  return entries, made
end

--- Pins a message, or takes the pin off. opts: silent, oneSide. Returns the asker's entries.
function actions.pin(model, by, peer, id, on, opts)
  local core, owner = actions.find(model, by, peer, id)
  local target = model:object(peer)
  if peer < 0 and not isAdmin(target, by.user.id) then rpc.fail(400, "CHAT_ADMIN_REQUIRED") end
  if (core.pinned or false) == on then rpc.fail(400, "CHAT_NOT_MODIFIED") end
  core.pinned = on or nil
  local mine = {}
  for holder, there in pairs(core.ids) do
    if not opts.oneSide or holder == owner then
      local chan = holder < CHANNEL and holder or nil
      local entry = boxes.log(model, holder, { k = "pinned", ids = { there }, peer = boxes.peerOf(core, holder), on = on, chan = chan })
      if holder == owner then mine[1] = entry end
      if chan then
        actions.toChannel(model, chan, entry, by.session)
      else
        updates.push(model, holder, { entry }, by.session)
      end
    end
  end
  if on and not opts.oneSide then
    mine[2] = actions.send(model, by, peer, { action = { _ = "messageActionPinMessage" }, reply = id, silent = opts.silent })
  end
  return mine
end

return actions
