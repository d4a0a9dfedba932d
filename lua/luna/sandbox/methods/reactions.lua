--- messages.*Reaction*: reactions to messages.
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local actions = require "luna.sandbox.actions"
local incoming = require "luna.sandbox.incoming"
local objects = require "luna.sandbox.objects"
local peers = require "luna.sandbox.peers"
local reactions = require "luna.sandbox.reactions"

local methods = {}

-- A Reaction → its emoji; nil for none. The sandbox has no custom emoji.
local function emojiOf(r)
  if r._ == "reactionEmpty" then return nil end
  if r._ ~= "reactionEmoji" then rpc.fail(400, "REACTION_INVALID") end
  return r.emoticon
end

methods["messages.sendReaction"] = function(ctx, p)
  local list = {}
  for _, r in ipairs(p.reaction or {}) do list[#list + 1] = emojiOf(r) end
  return incoming.reply(ctx, { (reactions.set(ctx.model, incoming.by(ctx), peers.marked(ctx, p.peer), p.msg_id, list)) })
end

methods["messages.getMessagesReactions"] = function(ctx, p)
  local peer, entries = peers.marked(ctx, p.peer), {}
  for i, id in ipairs(p.id) do
    local core, owner = actions.find(ctx.model, incoming.by(ctx), peer, id)
    entries[i] = { k = "reactions", gid = core.gid, chan = owner < ids.CHANNEL and owner or nil }
  end
  return incoming.reply(ctx, entries)
end

methods["messages.getMessageReactionsList"] = function(ctx, p)
  local core = actions.find(ctx.model, incoming.by(ctx), peers.marked(ctx, p.peer), p.id)
  if core.post then rpc.fail(403, "BROADCAST_FORBIDDEN") end
  local all = reactions.list(core, p.reaction and emojiOf(p.reaction))
  local from = math.tointeger(tonumber(p.offset or "")) or 0
  local to = math.min(#all, from + math.max(0, math.min(p.limit, 100)))
  local list, seen = {}, {}
  for i = from + 1, to do list[#list + 1] = objects.peerReaction(all[i], ctx.user.id, seen) end
  local users, chats = objects.fill(ctx.model, ctx.user.id, seen)
  return {
    _ = "messages.messageReactionsList", count = #all, reactions = list, chats = chats, users = users,
    next_offset = to < #all and tostring(to) or nil,
  }
end

return methods
