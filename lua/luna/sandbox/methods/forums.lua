--- Forum topics: messages.*ForumTopic*, channels.toggleForum.
local rpc = require "luna.sandbox.rpc"
local boxes = require "luna.sandbox.boxes"
local forums = require "luna.sandbox.forums"
local incoming = require "luna.sandbox.incoming"
local objects = require "luna.sandbox.objects"
local peers = require "luna.sandbox.peers"

local methods = {}

methods["channels.toggleForum"] = function(ctx, p)
  local _, marked = peers.channel(ctx, p.channel)
  return incoming.reply(ctx, forums.toggle(ctx.model, incoming.by(ctx), marked, p.enabled))
end

methods["messages.createForumTopic"] = function(ctx, p)
  local peer = peers.marked(ctx, p.peer)
  local entry, _, id = forums.create(ctx.model, incoming.by(ctx), peer, p.title, { color = p.icon_color, random = p.random_id })
  return incoming.reply(ctx, { { k = "messageId", id = id, random = p.random_id }, entry })
end

methods["messages.editForumTopic"] = function(ctx, p)
  local peer = peers.marked(ctx, p.peer)
  return incoming.reply(ctx, { forums.edit(ctx.model, incoming.by(ctx), peer, p.topic_id, { title = p.title, closed = p.closed }) })
end

local function show(ctx, p, wanted)
  local model, peer = ctx.model, peers.marked(ctx, p.peer)
  local channel = model:object(peer)
  if not channel.forum then rpc.fail(400, "CHANNEL_FORUM_MISSING") end
  local list, messages, seen, n = {}, {}, { [peer] = true }, 0
  for _, topic in ipairs(forums.list(channel)) do
    if wanted(topic, n) then
      n = n + 1
      local view = forums.view(model, channel, topic, ctx.user.id, seen)
      list[n] = view
      messages[n] = objects.message(model, peer, ctx.user.id, view.top_message, ctx.layer, seen)
    end
  end
  local users, chats = objects.fill(model, ctx.user.id, seen)
  return {
    _ = "messages.forumTopics", count = n, topics = list, messages = messages, chats = chats, users = users,
    pts = boxes.of(model, peer).pts,
  }
end

methods["messages.getForumTopics"] = function(ctx, p)
  local q = (p.q or ""):lower()
  return show(ctx, p, function(topic, n)
    return n < p.limit and topic.id > p.offset_topic and topic.title:lower():find(q, 1, true) ~= nil
  end)
end

methods["messages.getForumTopicsByID"] = function(ctx, p)
  local wanted = {}
  for _, id in ipairs(p.topics) do wanted[id] = true end
  return show(ctx, p, function(topic) return wanted[topic.id] end)
end

return methods
