--- TL objects as one viewer sees them: users, chats, channels, messages, dialogs. Each builder notes in `seen` (a set of marked ids) whom
--- it has named, and fill() makes the users and chats that go along. Read only: nothing here changes the model.
local ids = require "luna.ids"
local boxes = require "luna.sandbox.boxes"
local keyboards = require "luna.sandbox.keyboards"
local polls = require "luna.sandbox.poll_view"

local objects = {}

local CHANNEL = ids.CHANNEL
local OFFLINE_AFTER = 300
local RECENT = 3 -- reactions that a message shows with who has made them

local everybody = { -- what members of a new group may do: all but what admins keep for themselves
  _ = "chatBannedRights", until_date = 0x7fffffff,
}
local adminRights = {
  _ = "chatAdminRights", change_info = true, post_messages = true, edit_messages = true, delete_messages = true, ban_users = true,
  invite_users = true, pin_messages = true, add_admins = true, manage_call = true, other = true, manage_topics = true,
}
objects.adminRights = adminRights
objects.bannedRights = everybody

function objects.notifySettings() return { _ = "peerNotifySettings" } end

-- Whether b has a among its contacts.
local function isMutual(model, a, b)
  local other = model:user(b)
  return other ~= nil and other.contacts[a] ~= nil
end

function objects.user(model, viewer, id)
  local u = model:user(id)
  if not u then return { _ = "userEmpty", id = id } end
  local me = model:user(viewer)
  local mine = me and me.contacts[id]
  local isSelf = viewer == id or nil
  local user = {
    _ = "user", id = id, access_hash = model:hash(viewer, id), first_name = mine and mine.first_name or u.first_name,
    last_name = mine and mine.last_name or u.last_name, username = u.username, self = isSelf, deleted = u.deleted,
  }
  if u.bot then
    user.bot = true
    user.bot_info_version = u.infoVersion or 1
    user.bot_chat_history = u.seesAll and true or nil
    user.bot_inline_placeholder = not u.noInline and "" or nil
  else
    if isSelf or mine then user.phone = u.phone end
    user.contact = mine and true or nil
    user.mutual_contact = mine and isMutual(model, viewer, id) or nil
    if u.online and u.online > model:now() then
      user.status = { _ = "userStatusOnline", expires = u.online }
    else
      user.status = { _ = "userStatusOffline", was_online = u.online or model:now() - OFFLINE_AFTER }
    end
  end
  return user
end

function objects.chat(model, viewer, id)
  local c = model:chat(id)
  if not c then return { _ = "chatEmpty", id = id } end
  local member = c.members[viewer]
  if not member and not c.left[viewer] then return { _ = "chatForbidden", id = id, title = c.title } end
  return {
    _ = "chat", id = id, title = c.title, photo = { _ = "chatPhotoEmpty" }, participants_count = c.count, date = c.date,
    version = c.version, creator = c.creator == viewer and member and true or nil, left = not member and true or nil,
    admin_rights = member and (member.role == "admin" or c.creator == viewer) and adminRights or nil,
    default_banned_rights = everybody,
  }
end

function objects.channel(model, viewer, id)
  local c = model:channel(id)
  local marked = CHANNEL - id
  if not c then return { _ = "channelForbidden", id = id, access_hash = 0, title = "" } end
  local member = c.members[viewer]
  if c.banned[viewer] or not member and not c.username then
    return {
      _ = "channelForbidden", id = id, access_hash = model:hash(viewer, marked), title = c.title,
      broadcast = not c.megagroup or nil, megagroup = c.megagroup or nil,
    }
  end
  return {
    _ = "channel", id = id, access_hash = model:hash(viewer, marked), title = c.title, username = c.username,
    photo = { _ = "chatPhotoEmpty" }, date = member and member.date or c.date, creator = c.creator == viewer or nil,
    left = not member and true or nil, broadcast = not c.megagroup or nil, megagroup = c.megagroup or nil,
    forum = c.forum,
    signatures = c.signatures or nil, participants_count = c.count,
    admin_rights = member and (member.role == "admin" or c.creator == viewer) and adminRights or nil,
    default_banned_rights = c.megagroup and everybody or nil,
  }
end

--- Users and chats for everybody in `seen`.
function objects.fill(model, viewer, seen)
  local users, chats = {}, {}
  for marked in pairs(seen) do
    if marked > 0 then
      users[#users + 1] = objects.user(model, viewer, marked)
    elseif marked < CHANNEL then
      chats[#chats + 1] = objects.channel(model, viewer, CHANNEL - marked)
    else
      chats[#chats + 1] = objects.chat(model, viewer, -marked)
    end
  end
  return users, chats
end

local function replyHeader(model, owner, core)
  local to = core.reply and model.state.cores[core.reply]
  local id, topic = to and to.ids[owner], core.topic
  if topic == core.ids[owner] then topic = nil end -- it begins the topic
  if not id and not topic then return nil end
  return {
    _ = "messageReplyHeader", reply_to_msg_id = id or topic, reply_to_top_id = id and topic, forum_topic = topic and true or nil,
    quote = core.quote and true or nil, quote_text = core.quote,
    quote_entities = core.quoteEntities, quote_offset = core.quoteOffset,
  }
end

local function forwardHeader(core, seen)
  local f = core.fwd
  if not f then return nil end
  seen[f.from] = true
  return { _ = "messageFwdHeader", from_id = ids.toPeer(f.from), date = f.date, channel_post = f.post }
end

--- Emoji as Reactions.
function objects.reactionList(list)
  local out = {}
  for i, emoji in ipairs(list) do out[i] = { _ = "reactionEmoji", emoticon = emoji } end
  return out
end

--- One of what reactions.list gives, as a MessagePeerReaction.
function objects.peerReaction(r, viewer, seen)
  seen[r.by] = true
  return {
    _ = "messagePeerReaction", my = r.by == viewer or nil, peer_id = ids.toPeer(r.by), date = r.date,
    reaction = { _ = "reactionEmoji", emoticon = r.emoji },
  }
end

--- How often each reaction was given to a message, the most frequent first.
function objects.reactionCounts(core, viewer)
  local counts, at = {}, {}
  for _, r in ipairs(core.reactions or {}) do
    for _, emoji in ipairs(r.list) do
      local c = at[emoji]
      if not c then
        c = { _ = "reactionCount", reaction = { _ = "reactionEmoji", emoticon = emoji }, count = 0 }
        counts[#counts + 1] = c
        at[emoji] = c
      end
      c.count = c.count + 1
      if r.by == viewer then c.chosen_order = 0 end
    end
  end
  for i, c in ipairs(counts) do at[c] = i end
  table.sort(counts, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    return at[a] < at[b]
  end)
  return counts
end

--- What a viewer sees of a message's reactions: in a channel, how many; elsewhere also whose.
function objects.reactions(core, viewer, seen)
  local out = { _ = "messageReactions", results = objects.reactionCounts(core, viewer) }
  if core.post then return out end
  out.can_see_list = true
  local list = {}
  for i = #(core.reactions or {}), 1, -1 do
    local r = core.reactions[i]
    for _, emoji in ipairs(r.list) do
      if #list < RECENT then list[#list + 1] = objects.peerReaction({ by = r.by, date = r.date, emoji = emoji }, viewer, seen) end
    end
  end
  out.recent_reactions = #list > 0 and list or nil
  return out
end

--- The media that a core keeps, as a viewer sees it.
function objects.media(model, viewer, media, seen)
  if not media then return nil end
  if media._ == "messageMediaPoll" then return polls.media(model.state.polls[media.id], viewer, seen) end
  if media._ ~= "messageMediaInvoice" then return media end
  local out = {}
  for k, v in pairs(media) do out[k] = v end
  out.invoice = nil -- what is the bot's alone
  return out
end

--- A message of an owner's box, for a viewer: the owner himself, or a reader of the owner's channel. layer: of the session that reads it.
function objects.message(model, owner, viewer, id, layer, seen)
  local core = boxes.core(model, owner, id)
  if not core then return { _ = "messageEmpty", id = id } end
  return objects.ofCore(model, owner, viewer, core, id, layer, seen)
end

--- The same of a core that may be in nobody's box.
function objects.ofCore(model, owner, viewer, core, id, layer, seen)
  local peer = boxes.peerOf(core, owner)
  seen[peer] = true
  local post = core.post or nil
  if not post then seen[core.from] = true end
  local message = {
    id = id, peer_id = ids.toPeer(peer), from_id = not post and ids.toPeer(core.from) or nil, date = core.date, post = post,
    out = core.by == viewer and not (core.pair and core.pair[1] == core.pair[2]) and true or nil, silent = core.silent,
    reply_to = replyHeader(model, owner, core),
  }
  if core.reply and not message.out then
    local to = model.state.cores[core.reply]
    if to and to.from == viewer then message.mentioned = true end
  end
  if core.action then
    message._ = "messageService"
    message.action = core.action
    if core.action._ == "messageActionPaymentSentMe" and viewer == core.by then -- the bot has the payload and the charge
      message.action = { _ = "messageActionPaymentSent", currency = core.action.currency, total_amount = core.action.total_amount }
    end
    for _, uid in ipairs(core.action.users or {}) do seen[uid] = true end
    if core.action.user_id then seen[core.action.user_id] = true end
    return message
  end
  message._ = "message"
  message.message = core.text
  message.entities = core.entities
  message.media = objects.media(model, viewer, core.media, seen)
  message.from_scheduled = core.scheduled and core.by == viewer or nil
  message.edit_date = core.edited
  message.edit_hide = core.editHidden
  message.noforwards = core.noforwards
  message.pinned = core.pinned
  message.grouped_id = core.grouped
  message.fwd_from = forwardHeader(core, seen)
  if core.reactions then message.reactions = objects.reactions(core, viewer, seen) end
  if core.markup then message.reply_markup = keyboards.show(core.markup, layer) end
  if core.via then
    message.via_bot_id = core.via
    seen[core.via] = true
  end
  if post then
    message.views, message.forwards = core.views or 1, core.forwards or 0
    if core.author then message.post_author = core.author end
  end
  if core.entities then
    for _, e in ipairs(core.entities) do
      if e.user_id then seen[e.user_id] = true end
    end
  end
  if core.media and core.media.user_id and core.media.user_id ~= 0 then seen[core.media.user_id] = true end
  return message
end

--- How a bot names a message that somebody has sent by way of it; nil where its sender has no such message any more.
function objects.inlineId(model, bot, core)
  local owner = core.chat and core.chat < CHANNEL and core.chat or core.by
  local id = core.ids[owner]
  if not id then return nil end
  return {
    _ = "inputBotInlineMessageID64", dc_id = model.dcs[1], owner_id = owner, id = id, access_hash = model:hash(bot, core.gid),
  }
end

--- The dialog of an account with a peer (marked).
function objects.dialog(model, viewer, marked, seen)
  local d = boxes.dialog(model, viewer, marked)
  seen[marked] = true
  local list, pts = d and d.ids, nil
  local isChannel = marked < CHANNEL
  if isChannel then
    local box = boxes.of(model, marked)
    list, pts = (box.dialogs[marked] or { ids = {} }).ids, box.pts
  end
  return {
    _ = "dialog", peer = ids.toPeer(marked), top_message = list and list[#list] or 0, read_inbox_max_id = d and d.readIn or 0,
    read_outbox_max_id = d and d.readOut or 0, unread_count = d and objects.unread(model, viewer, marked) or 0, unread_mentions_count = 0,
    unread_reactions_count = 0, unread_poll_votes_count = 0, notify_settings = objects.notifySettings(), pts = pts,
    pinned = d and d.pinned or nil,
  }
end

--- How many messages of that dialog the viewer has not read.
function objects.unread(model, viewer, marked)
  local d = boxes.dialog(model, viewer, marked)
  if not d then return 0 end
  if marked >= CHANNEL then return d.unread end
  local list = (boxes.of(model, marked).dialogs[marked] or { ids = {} }).ids
  local n = 0
  for i = #list, 1, -1 do
    if list[i] <= d.readIn then break end
    local core = boxes.core(model, marked, list[i])
    if core and core.from ~= viewer then n = n + 1 end
  end
  return n
end

--- The newest message of a dialog as a TL object, or nil.
function objects.topMessage(model, viewer, marked, layer, seen)
  local owner = marked < CHANNEL and marked or viewer
  local d = boxes.dialog(model, owner, marked)
  local id = d and d.ids[#d.ids]
  return id and objects.message(model, owner, viewer, id, layer, seen) or nil
end

function objects.botInfo(model, id)
  local u = model:user(id)
  return {
    _ = "botInfo", user_id = id, description = u.description or "", commands = u.commands and u.commands[""] or {},
    menu_button = { _ = "botMenuButtonDefault" },
  }
end

local function participant(c, uid)
  local m = c.members[uid]
  if uid == c.creator then return { _ = "chatParticipantCreator", user_id = uid } end
  return {
    _ = m.role == "admin" and "chatParticipantAdmin" or "chatParticipant", user_id = uid, inviter_id = m.inviter or c.creator,
    date = m.date,
  }
end

function objects.participants(model, id, seen)
  local c = model:chat(id)
  local list = {}
  for i, uid in ipairs(model.memberIds(c)) do
    list[i] = participant(c, uid)
    seen[uid] = true
  end
  return { _ = "chatParticipants", chat_id = id, participants = list, version = c.version }
end

--- An Authorization: one of an account's logins.
function objects.authorization(model, auth, current)
  local c = auth.client or {}
  return {
    _ = "authorization", current = current or nil, hash = current and 0 or auth.hash or 0, device_model = c.device_model or "?",
    platform = "", system_version = c.system_version or "?", api_id = c.api_id or 0, app_name = "sandbox",
    app_version = c.app_version or "?", date_created = auth.date, date_active = model:now(), ip = "127.0.0.1", country = "", region = "",
  }
end

return objects
