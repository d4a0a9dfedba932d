--- messages.*Scheduled*: messages that wait for their time. They are scheduled by the schedule_date of what sends, and changed by that of
--- messages.editMessage.
local incoming = require "luna.sandbox.incoming"
local objects = require "luna.sandbox.objects"
local peers = require "luna.sandbox.peers"
local scheduled = require "luna.sandbox.scheduled"

local methods = {}

local function show(ctx, peer, list)
  local messages, seen = {}, { [peer] = true }
  for i, item in ipairs(list) do
    messages[i] = objects.ofCore(ctx.model, ctx.user.id, ctx.user.id, item.core, item.id, ctx.layer, seen)
  end
  local users, chats = objects.fill(ctx.model, ctx.user.id, seen)
  return { _ = "messages.messages", messages = messages, topics = {}, chats = chats, users = users }
end

methods["messages.getScheduledHistory"] = function(ctx, p)
  local peer, list = peers.marked(ctx, p.peer), {}
  for _, item in ipairs(scheduled.list(ctx.model, ctx.user.id, peer)) do table.insert(list, 1, item) end
  return show(ctx, peer, list)
end

methods["messages.getScheduledMessages"] = function(ctx, p)
  local peer, list = peers.marked(ctx, p.peer), {}
  for _, id in ipairs(p.id) do list[#list + 1] = scheduled.find(ctx.model, ctx.user.id, peer, id) end
  return show(ctx, peer, list)
end

methods["messages.sendScheduledMessages"] = function(ctx, p)
  return incoming.reply(ctx, scheduled.send(ctx.model, incoming.by(ctx), peers.marked(ctx, p.peer), p.id))
end

methods["messages.deleteScheduledMessages"] = function(ctx, p)
  return incoming.reply(ctx, { scheduled.delete(ctx.model, incoming.by(ctx), peers.marked(ctx, p.peer), p.id) })
end

return methods
