--- updates.*: the state, and what has happened since one.
local rpc = require "luna.sandbox.rpc"
local boxes = require "luna.sandbox.boxes"
local objects = require "luna.sandbox.objects"
local peers = require "luna.sandbox.peers"
local updates = require "luna.sandbox.updates"

local handlers = {}

local SLICE, SLICE_MAX = 100, 5000
local TOO_LONG = 10000 -- more changes than this are not told one by one
local CHANNEL_TIMEOUT = 30

handlers["updates.getState"] = function(ctx) return updates.state(ctx.model, ctx.user.id) end

-- New messages go into their own list, the rest are updates.
local function sort(ctx, owner, e, new, other, seen)
  local update = updates.make[e.k](ctx.model, ctx.user.id, e, ctx.layer, seen)
  if not update then return end
  if e.k == "new" then
    new[#new + 1] = update.message
  else
    other[#other + 1] = update
  end
end

handlers["updates.getDifference"] = function(ctx, p)
  local model, uid = ctx.model, ctx.user.id
  local box = boxes.of(model, uid)
  if p.pts < 1 then rpc.fail(400, "PERSISTENT_TIMESTAMP_EMPTY") end
  if p.pts > box.pts or p.qts > box.qts then rpc.fail(400, "PERSISTENT_TIMESTAMP_INVALID") end
  local qts = math.max(p.qts, box.qfloor)
  if p.pts == box.pts and qts == box.qts then return { _ = "updates.differenceEmpty", date = model:now(), seq = 1 } end
  local total = p.pts_total_limit or TOO_LONG
  if p.pts < box.floor or not ctx.user.bot and box.pts - p.pts > total then return { _ = "updates.differenceTooLong", pts = box.pts } end
  local limit = math.max(1, math.min(p.pts_limit or SLICE, SLICE_MAX))
  local new, other, seen = {}, {}, {}
  local from = boxes.after(box.log, p.pts)
  local to = math.min(from + limit - 1, #box.log)
  for i = from, to do sort(ctx, uid, box.log[i], new, other, seen) end
  local state = updates.state(model, uid)
  local whole = to == #box.log
  if whole then
    for i = boxes.after(box.qlog, qts, "qts"), #box.qlog do sort(ctx, uid, box.qlog[i], new, other, seen) end
  else
    state.pts, state.qts = box.log[to].pts, qts
  end
  local users, chats = objects.fill(model, uid, seen)
  return {
    _ = whole and "updates.difference" or "updates.differenceSlice", new_messages = new, new_encrypted_messages = {}, other_updates = other,
    chats = chats, users = users, [whole and "state" or "intermediate_state"] = state,
  }
end

handlers["updates.getChannelDifference"] = function(ctx, p)
  local model, uid = ctx.model, ctx.user.id
  local _, chan = peers.channel(ctx, p.channel)
  local box = boxes.of(model, chan)
  if p.pts < 1 then rpc.fail(400, "PERSISTENT_TIMESTAMP_EMPTY") end
  if p.pts > box.pts then rpc.fail(400, "PERSISTENT_TIMESTAMP_INVALID") end
  if p.pts == box.pts then
    return { _ = "updates.channelDifferenceEmpty", final = true, pts = box.pts, timeout = CHANNEL_TIMEOUT }
  end
  local limit = math.max(1, math.min(p.limit, ctx.user.bot and 100000 or 100))
  local seen = { [chan] = true }
  if p.pts < box.floor then
    local dialog = objects.dialog(model, uid, chan, seen)
    local top = objects.topMessage(model, uid, chan, ctx.layer, seen)
    local users, chats = objects.fill(model, uid, seen)
    return {
      _ = "updates.channelDifferenceTooLong", final = true, timeout = CHANNEL_TIMEOUT, dialog = dialog, messages = { top }, chats = chats,
      users = users,
    }
  end
  local new, other = {}, {}
  local from = boxes.after(box.log, p.pts)
  local to = math.min(from + limit - 1, #box.log)
  for i = from, to do sort(ctx, chan, box.log[i], new, other, seen) end
  local users, chats = objects.fill(model, uid, seen)
  return {
    _ = "updates.channelDifference", final = to == #box.log or nil, pts = box.log[to].pts, timeout = CHANNEL_TIMEOUT, new_messages = new,
    other_updates = other, chats = chats, users = users,
  }
end

return handlers
