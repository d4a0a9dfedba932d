--- Topics of forum supergroups: channel.topics, by the id of the message that began each: { id, title, color, by, date, closed }. The topic
--- "General" (1) is in no list. As groups.lua: `by` is { user =, session = }. Called by the methods and by the test kit.
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local actions = require "luna.sandbox.actions"

local forums = {}

forums.GENERAL = 1
local COLOR = 0x6fb9f0

local function forumOf(model, by, marked)
  local channel = model:object(marked)
  if not channel or not channel.forum then rpc.fail(400, "CHANNEL_FORUM_MISSING") end
  if not actions.isAdmin(channel, by.user.id) then rpc.fail(400, "CHAT_ADMIN_REQUIRED") end
  return channel
end

local function titleOf(text)
  if not text:find "%S" or utf8.len(text) and utf8.len(text) > 128 then rpc.fail(400, "TOPIC_TITLE_EMPTY") end
  return text
end

--- Gives a supergroup topics, or takes them away. Returns the asker's entries.
function forums.toggle(model, by, marked, on)
  local channel = model:object(marked)
  if channel.creator ~= by.user.id then rpc.fail(400, "CHAT_ADMIN_REQUIRED") end
  if not channel.megagroup or (channel.forum or false) == on then rpc.fail(400, "CHAT_NOT_MODIFIED") end
  channel.forum = on or nil
  channel.topics = channel.topics or {}
  model:changed()
  return { { k = "channel", chan = marked } }
end

--- Begins a topic. Returns the asker's entry, and the topic.
function forums.create(model, by, marked, title, opts)
  local channel = forumOf(model, by, marked)
  local color = opts.color or COLOR
  title = titleOf(title)
  local entry, id, core = actions.send(model, by, marked, {
    action = { _ = "messageActionTopicCreate", title = title, icon_color = color }, random = opts.random,
  })
  local topic = { id = id, title = title, color = color, by = by.user.id, date = model:now() }
  channel.topics[id], core.topic = topic, id
  model:changed()
  return entry, topic, id
end

--- Changes a topic: opts.title, opts.closed. Returns the asker's entry.
function forums.edit(model, by, marked, id, opts)
  local channel = forumOf(model, by, marked)
  local topic = channel.topics[id]
  if not topic then rpc.fail(400, "TOPIC_ID_INVALID") end
  local title = opts.title and titleOf(opts.title)
  local closes = opts.closed ~= nil and opts.closed ~= (topic.closed or false)
  if (not title or title == topic.title) and not closes then rpc.fail(400, "TOPIC_NOT_MODIFIED") end
  topic.title = title or topic.title
  if closes then topic.closed = opts.closed or nil end
  model:changed()
  return (actions.send(model, by, marked, {
    action = { _ = "messageActionTopicEdit", title = title, closed = closes and opts.closed or nil }, top = id,
  }))
end

--- The topics of a forum, General first.
function forums.list(channel)
  local out = {}
  for _, topic in pairs(channel.topics or {}) do out[#out + 1] = topic end
  table.sort(out, function(a, b) return a.id < b.id end)
  table.insert(out, 1, { id = forums.GENERAL, title = "General", color = COLOR, by = channel.creator, date = channel.date })
  return out
end

--- A topic as a ForumTopic for a viewer.
function forums.view(model, channel, topic, viewer, seen)
  local marked = ids.channel(channel.id)
  local top = topic.id
  for id, gid in pairs(model.state.boxes[marked].messages) do
    local core = model.state.cores[gid]
    if id > top and (core.topic or forums.GENERAL) == topic.id then top = id end
  end
  seen[topic.by] = true
  return {
    _ = "forumTopic", id = topic.id, date = topic.date, peer = ids.toPeer(marked), title = topic.title, icon_color = topic.color,
    my = topic.by == viewer or nil, closed = topic.closed, top_message = top, read_inbox_max_id = 0, read_outbox_max_id = 0,
    unread_count = 0, unread_mentions_count = 0, unread_reactions_count = 0, unread_poll_votes_count = 0, from_id = ids.toPeer(topic.by),
    notify_settings = { _ = "peerNotifySettings" },
  }
end

return forums
