--- messages.*: the list of dialogs.
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local boxes = require "luna.sandbox.boxes"
local objects = require "luna.sandbox.objects"
local peers = require "luna.sandbox.peers"
local updates = require "luna.sandbox.updates"

local dialogs = {}

local PAGE_MAX = 100

-- { peer, date, id } of every dialog that shows, newest first, pinned ones before.
local function all(model, uid)
  local list = {}
  for peer, dialog in pairs(boxes.of(model, uid).dialogs) do
    local owner = peer < ids.CHANNEL and peer or uid
    local source = boxes.dialog(model, owner, peer)
    local id = source and source.ids[#source.ids]
    local target = model:object(peer)
    local member = peer > 0 or peer < ids.CHANNEL and target.members[uid] or peer < 0 and peer > ids.CHANNEL
    if id and target and member then
      list[#list + 1] = { peer = peer, id = id, date = boxes.core(model, owner, id).date, pinned = dialog.pinned or false }
    end
  end
  table.sort(list, function(a, b)
    if a.pinned ~= b.pinned then return a.pinned end
    if a.date ~= b.date then return a.date > b.date end
    if a.id ~= b.id then return a.id > b.id end
    return a.peer < b.peer
  end)
  return list
end

local function describe(ctx, list)
  local seen, out, messages = {}, {}, {}
  for i, d in ipairs(list) do
    out[i] = objects.dialog(ctx.model, ctx.user.id, d.peer, seen)
    messages[#messages + 1] = objects.topMessage(ctx.model, ctx.user.id, d.peer, ctx.layer, seen)
  end
  local users, chats = objects.fill(ctx.model, ctx.user.id, seen)
  return out, messages, users, chats
end

dialogs["messages.getDialogs"] = function(ctx, p)
  local list = all(ctx.model, ctx.user.id)
  local shown, started = {}, p.offset_date == 0 and p.offset_id == 0 and p.offset_peer._ == "inputPeerEmpty"
  local offset = p.offset_peer._ ~= "inputPeerEmpty" and peers.marked(ctx, p.offset_peer) or nil
  local total = 0
  local limit = math.max(1, math.min(p.limit > 0 and p.limit or PAGE_MAX, PAGE_MAX))
  for _, d in ipairs(list) do
    if (p.folder_id or 0) == 0 and not (p.exclude_pinned and d.pinned) then
      total = total + 1
      if started then
        if #shown < limit then shown[#shown + 1] = d end
      elseif offset and d.peer == offset then
        started = true
      elseif not d.pinned and p.offset_date ~= 0 and
        (d.date < p.offset_date or d.date == p.offset_date and p.offset_id ~= 0 and d.id < p.offset_id) then
        started = true
        shown[#shown + 1] = d
      end
    end
  end
  local out, messages, users, chats = describe(ctx, shown)
  if #out == total then return { _ = "messages.dialogs", dialogs = out, messages = messages, chats = chats, users = users } end
  return { _ = "messages.dialogsSlice", count = total, dialogs = out, messages = messages, chats = chats, users = users }
end

local function peerDialogs(ctx, list)
  local out, messages, users, chats = describe(ctx, list)
  return {
    _ = "messages.peerDialogs", dialogs = out, messages = messages, chats = chats, users = users,
    state = updates.state(ctx.model, ctx.user.id),
  }
end

dialogs["messages.getPeerDialogs"] = function(ctx, p)
  local list = {}
  for _, input in ipairs(p.peers) do
    if input._ == "inputDialogPeer" then list[#list + 1] = { peer = peers.marked(ctx, input.peer) } end
  end
  return peerDialogs(ctx, list)
end

dialogs["messages.getPinnedDialogs"] = function(ctx)
  local list = {}
  for _, d in ipairs(all(ctx.model, ctx.user.id)) do
    if d.pinned then list[#list + 1] = d end
  end
  return peerDialogs(ctx, list)
end

dialogs["messages.toggleDialogPin"] = function(ctx, p)
  if p.peer._ ~= "inputDialogPeer" then rpc.fail(400, "PEER_ID_INVALID") end
  local dialog = boxes.dialog(ctx.model, ctx.user.id, peers.marked(ctx, p.peer.peer), true)
  dialog.pinned = p.pinned and true or nil
  ctx.model:changed()
  return true
end

dialogs["messages.getPeerSettings"] = function(ctx, p)
  local seen = { [peers.marked(ctx, p.peer)] = true }
  local users, chats = objects.fill(ctx.model, ctx.user.id, seen)
  return { _ = "messages.peerSettings", settings = { _ = "peerSettings" }, chats = chats, users = users }
end

dialogs["messages.getDialogUnreadMarks"] = function() return {} end
dialogs["messages.getDialogFilters"] = function()
  return { _ = "messages.dialogFilters", filters = { { _ = "dialogFilterDefault" } } }
end
dialogs["messages.getSuggestedDialogFilters"] = function() return {} end

return dialogs
