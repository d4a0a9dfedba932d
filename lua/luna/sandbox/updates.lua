--- From changes to updates: what a log entry is as a TL update, the container that it travels in, and the push to every session of the
--- account. An entry is { k = kind, … }, with pts and count once boxes.log has numbered it; entries of a channel have `chan`, its
--- marked id.
local ids = require "luna.ids"
local boxes = require "luna.sandbox.boxes"
local objects = require "luna.sandbox.objects"
local polls = require "luna.sandbox.poll_view"

local updates = {}

local WAITING_MAX = 100 -- passing updates (queries) kept for an account without a session

local function count(e) return e.count or 1 end

-- Kind → function(model, viewer, entry, layer, seen) → update, or nil where there is nothing left to tell.
local make = {}
updates.make = make

function make.new(model, viewer, e, layer, seen)
  local owner = e.chan or viewer
  local core = model.state.cores[e.gid]
  local id = core and core.ids[owner]
  if not id then return nil end
  return {
    _ = e.chan and "updateNewChannelMessage" or "updateNewMessage", message = objects.message(model, owner, viewer, id, layer, seen),
    pts = e.pts, pts_count = count(e),
  }
end

function make.edit(model, viewer, e, layer, seen)
  local update = make.new(model, viewer, e, layer, seen)
  if update then update._ = e.chan and "updateEditChannelMessage" or "updateEditMessage" end
  return update
end

function make.delete(_, _, e, _, seen)
  if e.chan then
    seen[e.chan] = true
    return {
      _ = "updateDeleteChannelMessages", channel_id = ids.CHANNEL - e.chan, messages = e.ids, pts = e.pts, pts_count = count(e),
    }
  end
  return { _ = "updateDeleteMessages", messages = e.ids, pts = e.pts, pts_count = count(e) }
end

function make.pinned(_, _, e, _, seen)
  seen[e.peer] = true
  if e.chan then
    return {
      _ = "updatePinnedChannelMessages", pinned = e.on or nil, channel_id = ids.CHANNEL - e.chan, messages = e.ids, pts = e.pts,
      pts_count = count(e),
    }
  end
  return {
    _ = "updatePinnedMessages", pinned = e.on or nil, peer = ids.toPeer(e.peer), messages = e.ids, pts = e.pts, pts_count = count(e),
  }
end

function make.readIn(_, _, e, _, seen)
  seen[e.peer] = true
  return {
    _ = "updateReadHistoryInbox", peer = ids.toPeer(e.peer), max_id = e.max, still_unread_count = e.left, pts = e.pts,
    pts_count = count(e),
  }
end

function make.readOut(_, _, e, _, seen)
  seen[e.peer] = true
  return { _ = "updateReadHistoryOutbox", peer = ids.toPeer(e.peer), max_id = e.max, pts = e.pts, pts_count = count(e) }
end

function make.readChannel(model, viewer, e, _, seen)
  seen[e.chan] = true
  return {
    _ = "updateReadChannelInbox", channel_id = ids.CHANNEL - e.chan, max_id = e.max,
    still_unread_count = objects.unread(model, viewer, e.chan), pts = boxes.of(model, e.chan).pts,
  }
end

-- The id and the dialog of an entry's message for a viewer; nil where it is gone.
local function messageOf(model, viewer, e, seen)
  local owner = e.chan or viewer
  local core = model.state.cores[e.gid]
  local id = core and core.ids[owner]
  if not id then return nil end
  local peer = boxes.peerOf(core, owner)
  seen[peer] = true
  return core, id, ids.toPeer(peer)
end

function make.reactions(model, viewer, e, _, seen)
  local core, id, peer = messageOf(model, viewer, e, seen)
  return core and {
    _ = "updateMessageReactions", peer = peer, msg_id = id, reactions = objects.reactions(core, viewer, seen),
  }
end

function make.reaction(model, viewer, e, _, seen)
  local core, id, peer = messageOf(model, viewer, e, seen)
  seen[e.actor] = true
  return core and {
    _ = "updateBotMessageReaction", peer = peer, msg_id = id, date = e.date, actor = ids.toPeer(e.actor), qts = e.qts,
    old_reactions = objects.reactionList(e.before), new_reactions = objects.reactionList(e.after),
  }
end

function make.reactionCounts(model, viewer, e, _, seen)
  local core, id, peer = messageOf(model, viewer, e, seen)
  return core and {
    _ = "updateBotMessageReactions", peer = peer, msg_id = id, date = e.date, reactions = objects.reactionCounts(core, nil), qts = e.qts,
  }
end

function make.poll(model, viewer, e, _, seen)
  local poll = model.state.polls[e.poll]
  local _, id, peer = nil, nil, nil
  if e.gid then _, id, peer = messageOf(model, viewer, e, seen) end
  return {
    _ = "updateMessagePoll", peer = peer, msg_id = id, poll_id = poll.id, poll = polls.poll(poll, viewer),
    results = polls.results(poll, viewer, seen),
  }
end

function make.pollVote(_, _, e, _, seen)
  seen[e.user] = true
  return {
    _ = "updateMessagePollVote", poll_id = e.poll, peer = ids.toPeer(e.user), options = e.options, positions = e.positions, qts = e.qts,
  }
end

function make.scheduled(model, viewer, e, layer, seen)
  for _, item in ipairs(model.state.scheduled[viewer][e.peer].items) do
    if item.id == e.id then
      return { _ = "updateNewScheduledMessage", message = objects.ofCore(model, viewer, viewer, item.core, item.id, layer, seen) }
    end
  end
  return nil
end

function make.unscheduled(_, _, e, _, seen)
  seen[e.peer] = true
  return { _ = "updateDeleteScheduledMessages", peer = ids.toPeer(e.peer), messages = e.ids, sent_messages = e.sent }
end

function make.messageId(_, _, e) return { _ = "updateMessageID", id = e.id, random_id = e.random } end

function make.typing(_, _, e, _, seen)
  seen[e.from] = true
  local kind, id = ids.split(e.peer)
  if kind == "user" then return { _ = "updateUserTyping", user_id = e.from, action = e.action } end
  seen[e.peer] = true
  if kind == "chat" then
    return { _ = "updateChatUserTyping", chat_id = id, from_id = ids.toPeer(e.from), action = e.action }
  end
  return { _ = "updateChannelUserTyping", channel_id = id, from_id = ids.toPeer(e.from), action = e.action }
end

function make.callback(model, viewer, e, _, seen)
  local core = model.state.cores[e.gid]
  local owner = core and core.chat and ids.split(core.chat) == "channel" and core.chat or viewer
  local id = core and core.ids[owner]
  if not id then return nil end
  local peer = boxes.peerOf(core, owner)
  seen[e.from], seen[peer] = true, true
  return {
    _ = "updateBotCallbackQuery", query_id = e.query, user_id = e.from, peer = ids.toPeer(peer), msg_id = id,
    chat_instance = e.instance, data = e.data,
  }
end

function make.inlineCallback(model, viewer, e, _, seen)
  local core = model.state.cores[e.gid]
  local id = core and objects.inlineId(model, viewer, core)
  if not id then return nil end
  seen[e.from] = true
  return {
    _ = "updateInlineBotCallbackQuery", query_id = e.query, user_id = e.from, msg_id = id, chat_instance = e.instance, data = e.data,
  }
end

function make.checkout(_, _, e, _, seen)
  seen[e.from] = true
  return {
    _ = "updateBotPrecheckoutQuery", query_id = e.query, user_id = e.from, payload = e.payload, currency = e.currency,
    total_amount = e.amount,
  }
end

function make.inlineQuery(_, _, e, _, seen)
  seen[e.from] = true
  return {
    _ = "updateBotInlineQuery", query_id = e.query, user_id = e.from, query = e.text, geo = e.geo, peer_type = { _ = e.type },
    offset = e.offset,
  }
end

function make.inlineSend(model, viewer, e, _, seen)
  local core = e.gid and model.state.cores[e.gid]
  seen[e.from] = true
  return {
    _ = "updateBotInlineSend", user_id = e.from, query = e.text, geo = e.geo, id = e.id,
    msg_id = core and objects.inlineId(model, viewer, core) or nil,
  }
end

function make.participants(model, _, e, _, seen)
  seen[-e.chat] = true
  return { _ = "updateChatParticipants", participants = objects.participants(model, e.chat, seen) }
end

function make.channel(_, _, e, _, seen)
  seen[e.chan] = true
  return { _ = "updateChannel", channel_id = ids.CHANNEL - e.chan }
end

function make.stopped(_, _, e, _, seen)
  seen[e.from] = true
  return { _ = "updateBotStopped", user_id = e.from, date = e.date, stopped = e.stopped, qts = e.qts }
end

-- A participant of a basic group, or of a channel, as it stood; nil for who was not there.
local function chatParticipant(uid, s)
  if not s then return nil end
  if s.creator then return { _ = "chatParticipantCreator", user_id = uid } end
  return { _ = s.admin and "chatParticipantAdmin" or "chatParticipant", user_id = uid, inviter_id = s.inviter or uid, date = s.date }
end
local function channelParticipant(uid, s, e)
  if not s then return nil end
  if s.banned then
    return {
      _ = "channelParticipantBanned", left = true, peer = ids.toPeer(uid), kicked_by = e.actor, date = e.date,
      banned_rights = { _ = "chatBannedRights", view_messages = true, until_date = 0 },
    }
  end
  if s.creator then return { _ = "channelParticipantCreator", user_id = uid, admin_rights = objects.adminRights } end
  if s.admin then
    return {
      _ = "channelParticipantAdmin", user_id = uid, promoted_by = e.actor, date = s.date, admin_rights = objects.adminRights,
    }
  end
  return { _ = "channelParticipant", user_id = uid, date = s.date }
end

function make.member(_, _, e, _, seen)
  seen[e.peer], seen[e.actor], seen[e.user] = true, true, true
  local kind, id = ids.split(e.peer)
  if kind == "chat" then
    return {
      _ = "updateChatParticipant", chat_id = id, date = e.date, actor_id = e.actor, user_id = e.user, qts = e.qts,
      prev_participant = chatParticipant(e.user, e.before), new_participant = chatParticipant(e.user, e.after),
    }
  end
  return {
    _ = "updateChannelParticipant", channel_id = id, date = e.date, actor_id = e.actor, user_id = e.user, qts = e.qts,
    prev_participant = channelParticipant(e.user, e.before, e), new_participant = channelParticipant(e.user, e.after, e),
  }
end

function make.name(model, _, e, _, seen)
  local u = model:user(e.user)
  seen[e.user] = true
  return {
    _ = "updateUserName", user_id = e.user, first_name = u.first_name, last_name = u.last_name or "",
    usernames = u.username and { { _ = "username", username = u.username, editable = true, active = true } } or {},
  }
end

--- Entries as the `updates` container for a viewer whose session has that layer; nil where none of them has anything to tell.
function updates.container(model, viewer, entries, layer)
  local seen, list = {}, {}
  for _, e in ipairs(entries) do
    local update = make[e.k](model, viewer, e, layer, seen)
    if update then list[#list + 1] = update end
  end
  if #list == 0 then return nil end
  local users, chats = objects.fill(model, viewer, seen)
  return { _ = "updates", updates = list, users = users, chats = chats, date = model:now(), seq = 0 }
end

-- What no difference tells: it waits for an account without a session.
local passing = { checkout = true, callback = true, inlineCallback = true, inlineQuery = true, inlineSend = true }

local lost = {} -- what a fault keeps from being pushed

local function isUp(sessions)
  for session in pairs(sessions or {}) do
    if session.up then return true end
  end
  return false
end

--- Sends entries to every session of an account but `except`, and to whoever watches it.
function updates.push(model, uid, entries, except)
  local watcher = model.watchers[uid]
  if watcher then
    for _, e in ipairs(entries) do watcher(e) end
  end
  local sessions = model.sessions[uid]
  if entries[1] and passing[entries[1].k] and not isUp(sessions) then return updates.keep(model, uid, entries) end
  if not sessions then return end
  if model.faults and model.faults:loses(uid, entries) then return end
  local byLayer = {}
  for session in pairs(sessions) do
    if session ~= except then
      local layer = session:layer()
      local container = byLayer[layer]
      if container == nil then
        container = updates.container(model, uid, entries, layer) or lost
        byLayer[layer] = container
      end
      if container ~= lost then model:deliver(session, container) end
    end
  end
end

--- Queries for an account that nobody is connected for: they wait.
function updates.keep(model, uid, entries)
  local list = model.waiting[uid] or {}
  model.waiting[uid] = list
  for _, e in ipairs(entries) do
    if #list < WAITING_MAX then list[#list + 1] = e end
  end
end

--- An account has a session again.
function updates.release(model, uid)
  local list = model.waiting[uid]
  if not list then return end
  model.waiting[uid] = nil
  updates.push(model, uid, list)
end

--- updates.state of an account.
function updates.state(model, uid)
  local box = boxes.of(model, uid)
  return {
    _ = "updates.state", pts = box.pts, qts = box.qts, date = model:now(), seq = 1, unread_count = boxes.unread(model, uid),
  }
end

return updates
