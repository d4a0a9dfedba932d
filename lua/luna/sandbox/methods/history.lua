--- messages.*: reading what is there: by id, by page, by search; and marking it read.
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local actions = require "luna.sandbox.actions"
local boxes = require "luna.sandbox.boxes"
local objects = require "luna.sandbox.objects"
local peers = require "luna.sandbox.peers"

local history = {}

local CHANNEL = ids.CHANNEL
local PAGE_MAX = 100

--- Messages by their ids in an owner's box, as messages.Messages. Shared with channels.getMessages.
function history.byIds(ctx, owner, inputs)
  local model, uid = ctx.model, ctx.user.id
  local seen, list = {}, {}
  for i, input in ipairs(inputs) do
    if i > PAGE_MAX then break end
    local id = input.id
    if input._ == "inputMessageReplyTo" then
      local core = boxes.core(model, owner, id)
      local to = core and core.reply and model.state.cores[core.reply]
      id = to and to.ids[owner] or 0
    elseif input._ == "inputMessagePinned" then
      id = 0
      local dialog = owner < CHANNEL and boxes.dialog(model, owner, owner)
      for at = dialog and #dialog.ids or 0, 1, -1 do
        local core = boxes.core(model, owner, dialog.ids[at])
        if core and core.pinned then
          id = dialog.ids[at]
          break
        end
      end
    elseif input._ == "inputMessageCallbackQuery" then
      local query = model.queries[input.query_id]
      id = query and query.core.ids[owner] or 0
    end
    local core = boxes.core(model, owner, id)
    if core and owner > 0 and core.chat and core.chat < CHANNEL then core = nil end
    list[#list + 1] = core and objects.message(model, owner, uid, id, ctx.layer, seen) or { _ = "messageEmpty", id = id }
  end
  local users, chats = objects.fill(model, uid, seen)
  if owner < CHANNEL then
    return {
      _ = "messages.channelMessages", pts = boxes.of(model, owner).pts, count = #list, messages = list, topics = {}, chats = chats,
      users = users,
    }
  end
  return { _ = "messages.messages", messages = list, topics = {}, chats = chats, users = users }
end

-- A page of a list of ids (ascending), newest first, by Telegram's offsets. Returns ids and how many there are in all.
local function page(list, dateOf, p)
  local at -- the place of the first id that is shown is at - 1
  if p.offset_id ~= 0 then
    at = boxes.lowerBound(list, p.offset_id)
  elseif p.offset_date and p.offset_date ~= 0 then
    local lo, hi = 1, #list + 1
    while lo < hi do
      local mid = (lo + hi) // 2
      if dateOf(list[mid]) < p.offset_date then lo = mid + 1 else hi = mid end
    end
    at = lo
  else
    at = #list + 1
  end
  local first = at - 1 - p.add_offset
  local limit = math.max(0, math.min(p.limit, PAGE_MAX))
  local out = {}
  for i = first, first - limit + 1, -1 do
    local id = list[i]
    if id and (p.max_id == 0 or id < p.max_id) and (p.min_id == 0 or id > p.min_id) then out[#out + 1] = id end
  end
  return out
end

local function pageOf(ctx, peer, list, p)
  local model, uid = ctx.model, ctx.user.id
  local owner = actions.owner(ctx, peer)
  local shown = page(list, function(id) return boxes.core(model, owner, id).date end, p)
  local seen, out = { [peer] = true }, {}
  for i, id in ipairs(shown) do out[i] = objects.message(model, owner, uid, id, ctx.layer, seen) end
  local users, chats = objects.fill(model, uid, seen)
  if peer < CHANNEL then
    return {
      _ = "messages.channelMessages", pts = boxes.of(model, owner).pts, count = #list, messages = out, topics = {}, chats = chats,
      users = users,
    }
  end
  if #out == #list then return { _ = "messages.messages", messages = out, topics = {}, chats = chats, users = users } end
  return { _ = "messages.messagesSlice", count = #list, messages = out, topics = {}, chats = chats, users = users }
end

history["messages.getMessages"] = function(ctx, p) return history.byIds(ctx, ctx.user.id, p.id) end

history["messages.getHistory"] = function(ctx, p)
  local peer = peers.marked(ctx, p.peer)
  local dialog = boxes.dialog(ctx.model, actions.owner(ctx, peer), peer)
  return pageOf(ctx, peer, dialog and dialog.ids or {}, p)
end

local function document(name, field)
  return function(core)
    local m = core.media
    if not m or m._ ~= "messageMediaDocument" then return false end
    for _, a in ipairs(m.document.attributes) do
      if a._ == name and (field == nil or (a[field] or false) == field[1]) then return true end
    end
    return false
  end
end
local function media(name)
  return function(core) return core.media ~= nil and core.media._ == name end
end
local video = document "documentAttributeVideo"

local filters = {
  inputMessagesFilterEmpty = function() return true end,
  inputMessagesFilterPhotos = media "messageMediaPhoto",
  inputMessagesFilterVideo = video,
  inputMessagesFilterPhotoVideo = function(core) return media "messageMediaPhoto"(core) or video(core) end,
  inputMessagesFilterDocument = media "messageMediaDocument",
  inputMessagesFilterGif = document "documentAttributeAnimated",
  inputMessagesFilterVoice = document("documentAttributeAudio", nil),
  inputMessagesFilterMusic = document("documentAttributeAudio", nil),
  inputMessagesFilterGeo = media "messageMediaGeo",
  inputMessagesFilterContacts = media "messageMediaContact",
  inputMessagesFilterPinned = function(core) return core.pinned == true end,
  inputMessagesFilterUrl = function(core)
    for _, e in ipairs(core.entities or {}) do
      if e._ == "messageEntityUrl" or e._ == "messageEntityTextUrl" then return true end
    end
    return false
  end,
  inputMessagesFilterMyMentions = function(core, model, uid)
    local to = core.reply and model.state.cores[core.reply]
    return to ~= nil and to.from == uid and core.from ~= uid
  end,
}

local function found(ctx, peer, p, filter)
  local model = ctx.model
  local owner = actions.owner(ctx, peer)
  local dialog = boxes.dialog(model, owner, peer)
  local from = p.from_id and peers.marked(ctx, p.from_id)
  local q = p.q:lower()
  local list = {}
  for _, id in ipairs(dialog and dialog.ids or {}) do
    local core = boxes.core(model, owner, id)
    if (q == "" or (core.text or ""):lower():find(q, 1, true)) and (not from or core.from == from) and filter(core, model, ctx.user.id) and
      (not p.min_date or p.min_date == 0 or core.date > p.min_date) and (not p.max_date or p.max_date == 0 or core.date < p.max_date) then
      list[#list + 1] = id
    end
  end
  return list
end

history["messages.search"] = function(ctx, p)
  if p.peer._ == "inputPeerEmpty" then
    return { _ = "messages.messages", messages = {}, topics = {}, chats = {}, users = {} }
  end
  local peer = peers.marked(ctx, p.peer)
  local filter = filters[p.filter._] or function() return false end
  return pageOf(ctx, peer, found(ctx, peer, p, filter), p)
end

history["messages.getSearchCounters"] = function(ctx, p)
  local peer = peers.marked(ctx, p.peer)
  local list = {}
  for i, filter in ipairs(p.filters) do
    local fn = filters[filter._] or function() return false end
    list[i] = { _ = "messages.searchCounter", filter = filter, count = #found(ctx, peer, { q = "" }, fn) }
  end
  return list
end

history["messages.readHistory"] = function(ctx, p)
  local peer = peers.marked(ctx, p.peer)
  if peer < CHANNEL then rpc.fail(400, "PEER_ID_INVALID") end
  local entry = actions.read(ctx.model, { user = ctx.user, session = ctx.session }, peer, p.max_id)
  return { _ = "messages.affectedMessages", pts = boxes.of(ctx.model, ctx.user.id).pts, pts_count = entry and 1 or 0 }
end

history["messages.readMessageContents"] = function(ctx)
  return { _ = "messages.affectedMessages", pts = boxes.of(ctx.model, ctx.user.id).pts, pts_count = 0 }
end

history["messages.receivedMessages"] = function() return {} end

history["messages.getMessagesViews"] = function(ctx, p)
  local peer = peers.marked(ctx, p.peer)
  local owner = actions.owner(ctx, peer)
  local views = {}
  for i, id in ipairs(p.id) do
    local core = boxes.core(ctx.model, owner, id)
    if core and core.post then
      if p.increment then core.views = (core.views or 1) + 1 end
      views[i] = { _ = "messageViews", views = core.views or 1, forwards = core.forwards or 0 }
    else
      views[i] = { _ = "messageViews" }
    end
  end
  return { _ = "messages.messageViews", views = views, chats = {}, users = {} }
end

local byIds = history.byIds
history.byIds = nil
return setmetatable(history, { __index = { byIds = byIds } })
