--- Messages that people have scheduled: a queue for each account and dialog, { next, items }, an item { id, date, core }; the clock sends
--- them. Called by the methods and by the test kit's people.
local rpc = require "luna.sandbox.rpc"
local actions = require "luna.sandbox.actions"
local text = require "luna.sandbox.text"
local updates = require "luna.sandbox.updates"

local scheduled = {}

local SOON = 10 -- seconds: what is to come within them goes at once
local MAX_AHEAD = 366 * 86400
local MAX = 100 -- a dialog
local WHEN_ONLINE = 0x7ffffffe

local function queueOf(model, uid, peer, create)
  local all = model.state.scheduled
  if create then
    all[uid] = all[uid] or {}
    all[uid][peer] = all[uid][peer] or { next = 1, items = {} }
  end
  return all[uid] and all[uid][peer]
end

--- The queue of a dialog, in the order in which it will be sent.
function scheduled.list(model, uid, peer)
  local queue = queueOf(model, uid, peer)
  local list = queue and table.move(queue.items, 1, #queue.items, 1, {}) or {}
  table.sort(list, function(a, b)
    if a.date ~= b.date then return a.date < b.date end
    return a.id < b.id
  end)
  return list
end

--- An item of a queue by its id, and its place there.
function scheduled.find(model, uid, peer, id)
  local queue = queueOf(model, uid, peer)
  for i, item in ipairs(queue and queue.items or {}) do
    if item.id == id then return item, i end
  end
  return nil
end

local function checkDate(model, date)
  if date == WHEN_ONLINE then rpc.fail(400, "SCHEDULE_STATUS_PRIVATE") end -- nobody's status is shown here
  if date > model:now() + MAX_AHEAD then rpc.fail(400, "SCHEDULE_DATE_TOO_LATE") end
end

-- Sends items, those that may be sent; returns the asker's entries.
local function deliver(model, by, peer, list)
  local uid, entries, gone, sent = by.user.id, {}, {}, {}
  for _, item in ipairs(list) do
    local _, at = scheduled.find(model, uid, peer, item.id)
    table.remove(queueOf(model, uid, peer).items, at)
    item.core.date = model:now()
    local ok, entry, id = pcall(actions.post, model, by, peer, item.core)
    if not ok and not rpc.is(entry) then error(entry, 0) end
    gone[#gone + 1] = item.id
    if ok then
      entries[#entries + 1] = entry
      sent[#sent + 1] = id
    end
  end
  model:changed()
  local told = { k = "unscheduled", peer = peer, ids = gone, sent = #sent == #gone and sent or nil }
  updates.push(model, uid, { told }, by.session)
  table.insert(entries, 1, told)
  return entries
end

-- Its time comes, unless it was sent, deleted or put off until then.
local function watch(model, uid, peer, item)
  local date = item.date
  model:at(date, function()
    if scheduled.find(model, uid, peer, item.id) == item and item.date == date then
      deliver(model, { user = model:user(uid) }, peer, { item })
    end
  end)
end

--- Puts a message off until `date`; m as for actions.send. Returns the asker's entry, or nil where it is to be sent at once.
function scheduled.add(model, by, peer, m, date)
  if by.user.bot then rpc.fail(400, "SCHEDULE_BOT_NOT_ALLOWED") end
  checkDate(model, date)
  if date <= model:now() + SOON then return nil end
  local queue = queueOf(model, by.user.id, peer, true)
  if #queue.items >= MAX then rpc.fail(400, "SCHEDULE_TOO_MUCH") end
  local core = actions.compose(model, by, peer, m)
  core.scheduled, core.date, core.ids = true, date, {}
  local item = { id = queue.next, date = date, core = core }
  queue.next = queue.next + 1
  queue.items[#queue.items + 1] = item
  model:changed()
  watch(model, by.user.id, peer, item)
  local entry = { k = "scheduled", peer = peer, id = item.id }
  updates.push(model, by.user.id, { entry }, by.session)
  return entry
end

--- Changes a message that waits, or when it is sent. Returns the asker's entry.
function scheduled.edit(model, by, peer, id, m, date)
  local item = scheduled.find(model, by.user.id, peer, id)
  if not item then rpc.fail(400, "MESSAGE_ID_INVALID") end
  checkDate(model, date)
  if date <= model:now() then rpc.fail(400, "SCHEDULE_DATE_INVALID") end
  local core = item.core
  local media = m.media or core.media
  if m.text then
    local kept, entities = text.take(m.text, m.entities, media and text.MAX_CAPTION or text.MAX_MESSAGE, m.mention)
    if kept == "" and not media then rpc.fail(400, "MESSAGE_EMPTY") end
    core.text, core.entities = kept, entities
  end
  core.media, core.date, item.date = media, date, date
  model:changed()
  watch(model, by.user.id, peer, item)
  local entry = { k = "scheduled", peer = peer, id = id }
  updates.push(model, by.user.id, { entry }, by.session)
  return entry
end

-- Items by their ids; raises MESSAGE_ID_INVALID.
local function items(model, uid, peer, list)
  local out = {}
  for i, id in ipairs(list) do
    out[i] = scheduled.find(model, uid, peer, id)
    if not out[i] then rpc.fail(400, "MESSAGE_ID_INVALID") end
  end
  return out
end

--- Sends some of a queue now. Returns the asker's entries.
function scheduled.send(model, by, peer, list) return deliver(model, by, peer, items(model, by.user.id, peer, list)) end

--- Takes some out of a queue. Returns the asker's entry.
function scheduled.delete(model, by, peer, list)
  local uid = by.user.id
  for _, item in ipairs(items(model, uid, peer, list)) do
    local _, at = scheduled.find(model, uid, peer, item.id)
    table.remove(queueOf(model, uid, peer).items, at)
  end
  model:changed()
  local entry = { k = "unscheduled", peer = peer, ids = list }
  updates.push(model, uid, { entry }, by.session)
  return entry
end

--- After a start with a saved state.
function scheduled.resume(model)
  for uid, dialogs in pairs(model.state.scheduled) do
    for peer in pairs(dialogs) do
      for _, item in ipairs(scheduled.list(model, uid, peer)) do watch(model, uid, peer, item) end
    end
  end
end

return scheduled
