--- Boxes: what one account (or one channel) has received, numbered for it alone, and the log of changes that getDifference reads. A
--- message is a core, kept once, with an id of its own in each box that holds it (core.ids). Owners are marked ids: a user's own
--- box, or the channel's.
local boxes = {}

local FIRST_PTS = 1000 -- well above 0: clients refuse a pts that is not above its pts_count
local LOG_MAX, LOG_KEEP = 12000, 10000
local RANDOM_MAX = 5000

--- The box of an owner.
function boxes.of(model, owner)
  local box = model.state.boxes[owner]
  if not box then
    box = {
      pts = FIRST_PTS, qts = 1, floor = FIRST_PTS, qfloor = 1, next = 1, messages = {}, dialogs = {}, log = {}, qlog = {},
      random = {}, randoms = {},
    }
    model.state.boxes[owner] = box
  end
  return box
end

--- The dialog with `peer` (marked) in an owner's box; made where it is not there and `create` is set.
function boxes.dialog(model, owner, peer, create)
  local box = boxes.of(model, owner)
  local dialog = box.dialogs[peer]
  if not dialog and create then
    dialog = { peer = peer, ids = {}, readIn = 0, readOut = 0, unread = 0 }
    box.dialogs[peer] = dialog
  end
  return dialog
end

--- A new message: fields as given (from, date, text, entities, media, markup, reply, action, …), in nobody's box yet.
function boxes.newCore(model, core)
  local s = model.state
  core.gid = s.nextCore
  s.nextCore = core.gid + 1
  core.ids = {}
  s.cores[core.gid] = core
  return core
end

--- Puts a core into a box; returns its id there.
function boxes.put(model, owner, peer, core)
  local box = boxes.of(model, owner)
  local id = box.next
  box.next = id + 1
  box.messages[id] = core.gid
  core.ids[owner] = id
  local dialog = boxes.dialog(model, owner, peer, true)
  dialog.ids[#dialog.ids + 1] = id
  return id, dialog
end

--- The core behind an id in a box, or nil.
function boxes.core(model, owner, id)
  local box = model.state.boxes[owner]
  local gid = box and box.messages[id]
  return gid and model.state.cores[gid] or nil
end

--- With which dialog of an owner a core belongs.
function boxes.peerOf(core, owner)
  if core.chat then return core.chat end
  if core.pair[1] == owner then return core.pair[2] end
  return core.pair[1]
end

--- The place in a sorted list of the first id that is not below `id`.
function boxes.lowerBound(list, id)
  local lo, hi = 1, #list + 1
  while lo < hi do
    local mid = (lo + hi) // 2
    if list[mid] < id then lo = mid + 1 else hi = mid end
  end
  return lo
end

--- Takes a message out of a box. Returns its core, or nil where there was none.
function boxes.remove(model, owner, id)
  local core = boxes.core(model, owner, id)
  if not core then return nil end
  local box = boxes.of(model, owner)
  box.messages[id] = nil
  core.ids[owner] = nil
  local dialog = box.dialogs[boxes.peerOf(core, owner)]
  if dialog then
    local at = boxes.lowerBound(dialog.ids, id)
    if dialog.ids[at] == id then table.remove(dialog.ids, at) end
    if id > dialog.readIn and core.from ~= owner and dialog.unread > 0 then dialog.unread = dialog.unread - 1 end
  end
  if next(core.ids) == nil then model.state.cores[core.gid] = nil end
  return core
end

local function trim(log)
  if #log <= LOG_MAX then return nil end
  local cut = #log - LOG_KEEP
  local last = log[cut]
  table.move(log, cut + 1, #log, 1)
  for i = #log, #log - cut + 1, -1 do log[i] = nil end
  return last
end

--- Writes a change into an owner's log: it gets the box's next pts. `count` is its pts_count, 1 where none is given.
function boxes.log(model, owner, entry)
  local box = boxes.of(model, owner)
  box.pts = box.pts + (entry.count or 1)
  entry.pts = box.pts
  box.log[#box.log + 1] = entry
  local last = trim(box.log)
  if last then box.floor = last.pts end
  model:changed()
  return entry
end

--- The same for what is counted by qts.
function boxes.logQts(model, owner, entry)
  local box = boxes.of(model, owner)
  box.qts = box.qts + 1
  entry.qts = box.qts
  box.qlog[#box.qlog + 1] = entry
  local last = trim(box.qlog)
  if last then box.qfloor = last.qts end
  model:changed()
  return entry
end

--- Where in a log the changes after `pts` begin.
function boxes.after(log, pts, field)
  field = field or "pts"
  local lo, hi = 1, #log + 1
  while lo < hi do
    local mid = (lo + hi) // 2
    if log[mid][field] <= pts then lo = mid + 1 else hi = mid end
  end
  return lo
end

--- Whether this random_id has been used in that box.
function boxes.seen(model, owner, randomId) return boxes.of(model, owner).random[randomId] ~= nil end

--- From now on it has.
function boxes.remember(model, owner, randomId)
  local box = boxes.of(model, owner)
  local list = box.randoms
  box.random[randomId] = true
  list[#list + 1] = randomId
  if #list <= RANDOM_MAX then return end
  local cut = RANDOM_MAX // 5
  for i = 1, cut do box.random[list[i]] = nil end
  table.move(list, cut + 1, #list, 1)
  for i = #list, #list - cut + 1, -1 do list[i] = nil end
end

--- How many unread messages an account has.
function boxes.unread(model, uid)
  local n = 0
  for _, dialog in pairs(boxes.of(model, uid).dialogs) do n = n + dialog.unread end
  return n
end

return boxes
