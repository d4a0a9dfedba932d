--- messages.*: votes in polls. Polls are sent by messages.sendMedia, and closed by messages.editMessage.
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local actions = require "luna.sandbox.actions"
local incoming = require "luna.sandbox.incoming"
local objects = require "luna.sandbox.objects"
local peers = require "luna.sandbox.peers"
local polls = require "luna.sandbox.polls"
local view = require "luna.sandbox.poll_view"

local methods = {}

local function find(ctx, p, id)
  local core, owner = actions.find(ctx.model, incoming.by(ctx), peers.marked(ctx, p.peer), id)
  local poll = polls.of(ctx.model, core)
  if not poll then rpc.fail(400, "MESSAGE_ID_INVALID") end
  return poll, core, owner
end

methods["messages.sendVote"] = function(ctx, p)
  local peer = peers.marked(ctx, p.peer)
  return incoming.reply(ctx, { (polls.vote(ctx.model, incoming.by(ctx), peer, p.msg_id, p.options)) })
end

methods["messages.getPollResults"] = function(ctx, p)
  local poll, core, owner = find(ctx, p, p.msg_id)
  return incoming.reply(ctx, { { k = "poll", poll = poll.id, gid = core.gid, chan = owner < ids.CHANNEL and owner or nil } })
end

methods["messages.getPollVotes"] = function(ctx, p)
  local poll = find(ctx, p, p.id)
  if not poll.public then rpc.fail(400, "MESSAGE_ID_INVALID") end
  if not view.voteOf(poll, ctx.user.id) and poll.by ~= ctx.user.id then rpc.fail(403, "POLL_VOTE_REQUIRED") end
  local all, seen = {}, {}
  for i = #poll.votes, 1, -1 do
    local vote = poll.votes[i]
    local fits = p.option == nil
    for _, option in ipairs(vote.options) do fits = fits or option == p.option end
    if fits then
      local common = { _ = "messagePeerVoteInputOption", peer = ids.toPeer(vote.by), date = vote.date }
      if p.option == nil then
        local several = #vote.options > 1
        common._ = several and "messagePeerVoteMultiple" or "messagePeerVote"
        common.option, common.options = not several and vote.options[1] or nil, several and vote.options or nil
      end
      all[#all + 1] = common
    end
  end
  local from = math.tointeger(tonumber(p.offset or "")) or 0
  local to = math.min(#all, from + math.max(0, math.min(p.limit, 100)))
  local list = table.move(all, from + 1, to, 1, {})
  for _, vote in ipairs(list) do seen[vote.peer.user_id] = true end
  local users, chats = objects.fill(ctx.model, ctx.user.id, seen)
  return {
    _ = "messages.votesList", count = #all, votes = list, chats = chats, users = users, next_offset = to < #all and tostring(to) or nil,
  }
end

return methods
