--- Updates of one account: every container, whether it was pushed, rode in a result, came by a difference or waited in the store, passes
--- here. Boxes put them in order and drop doubles, dispatch.lua runs the handlers, and the store's inbox keeps what is not yet done.
--- Acks go out after the commit that holds what they acknowledge. One object per client core.
local timer = require "_luna.timer"
local task = require "_luna.task"
local tl = require "_luna.tl"
local Class = require "luna.class"
local ids = require "luna.ids"
local Peers = require "luna.peers"
local Box = require "luna.updates.box"
local Journal = require "luna.updates.journal"
local difference = require "luna.updates.difference"
local expand = require "luna.updates.expand"
local Dispatch = require "luna.dispatch"
local scope = require "luna.scope"
local Logger = require "luna.logger"

local NONE = Journal.NONE
local take, harvest, handle = Journal.take, Peers.harvest, Dispatch.handle

local Updates = Class.new "Updates"

local nobody = {}

local SILENCE = 15 * 60
local CHECK = 60
local MAX_EARLY = 1000

function Updates:init(core)
  self.core, self.peers, self.dispatch = core, core.peers, core.dispatch
  self.active, self.stopped = false, false
  self.journal = Journal(core)
  self.fromResult = self.fromResult -- in the object itself, so that each call finds it at once
  self.early = {} -- what came between the log-in and activate
  self.channels = {} -- marked id of a channel → its box
  self.seq, self.date, self.pendingSeq = 0, 0, {}
  self.heard = 0
  self.kept = {}
end

-- A unit is a container of which something has to wait its turn: `left` counts what of it is still open, then its ack follows. own: it is
-- a call's result; raw: its bytes, where it holds one update alone.
local function settle(self, unit)
  unit.left = unit.left - 1
  if unit.left == 0 and unit.ack then self.journal:ack(unit.conn, unit.ack) end
end

local function makeBox(self, name, pts, onGap)
  return Box(name, pts,
    function(update, unit)
      if update then
        self.journal:take(update, name, unit.own, unit.raw)
      elseif name < 0 then
        self.journal:moved(name)
      else
        self.journal:touch()
      end
      settle(self, unit)
    end,
    function(unit) settle(self, unit) end,
    onGap)
end

--- The account is logged in: learns where the server stands, so that nothing is lost before a handler is there.
function Updates:prepare()
  local saved = self.core.account:state()
  if saved then
    self:setState(saved)
  else
    self:setState(self.core:invoke("updates.getState", {}))
    self.fresh = true -- nothing to catch up with, unless something is pushed before a handler is there
    self.journal:touch()
  end
end

function Updates:setState(state)
  self.date, self.seq = state.date or self.date, state.seq or self.seq
  if not self.common then
    self.common = makeBox(self, Journal.COMMON, state.pts, function() difference.common(self) end)
    self.qts = makeBox(self, Journal.QTS, state.qts or 0, function() difference.common(self) end)
  else
    self.common.pts, self.qts.pts = state.pts, state.qts or self.qts.pts
  end
end

--- What the store keeps, in the one table that is filled anew each time.
function Updates:state()
  local state = self.kept
  state.pts, state.qts, state.date, state.seq = self.common.pts, self.qts.pts, self.date, self.seq
  return state
end

--- A handler is there: hands over what was left, then what was missed, then what comes.
function Updates:activate()
  if self.active then return end
  self.active = true
  self.heard = timer.now()
  local core = self.core
  core.dispatch:restore()
  core.dispatch:begin(core.startReason or "start")
  self:redeliver()
  if self.fresh then
    self.fresh = nil
  elseif core.settings.updates.catchUp then
    difference.common(self)
  else
    task.spawn(function() self:setState(core:invoke("updates.getState", {})) end)
  end
  local early = self.early
  self.early = {}
  for _, e in ipairs(early) do self:receive(e[1], e[2], e[3], e[4]) end
  self.ticking = timer.unref(timer.every(CHECK, function()
    if self.active and timer.now() - self.heard > SILENCE then
      self.heard = timer.now()
      difference.common(self)
    end
  end))
end

--- Updates that were journalled but not done when the last process ended.
function Updates:redeliver()
  for _, kept in ipairs(self.core.account:inbox()) do
    local ok, u = pcall(tl.decode, kept.raw, "Updates")
    local full = ok and u and expand.container(u, self.core.me and self.core.me.id)
    if full and full.updates[1] then
      local update = full.updates[1]
      update.redelivered = true
      self.core.peers:harvest(full)
      if not self.core.dispatch:handle(update, kept.seq) then self.journal:forget(kept.seq) end
    else
      self.core:log(Logger.WARNING, "an update kept from before cannot be read and is given up: %s", tostring(ok and u and u._ or u))
      self.journal:forget(kept.seq)
    end
  end
end

function Updates:channelBox(id, pts)
  local box = self.channels[id]
  if not box then
    local known = self.core.account:channelPts(id)
    box = makeBox(self, id, known, function(b) difference.channel(self, id, b) end)
    self.channels[id] = box
    if known == nil and pts then box.pts = pts end
  end
  return box
end

-- What has no turn to wait for is taken at once; what nobody handles, and nobody listens to by a handle of its own, not at all.
local meant = { updateChannelTooLong = true, updatePtsChanged = true } -- for us
local function loose(self, update, own, raw)
  local kind, dispatch = update._, self.dispatch
  if dispatch.found[kind] == false and not meant[kind] and dispatch.handle == handle then
    dispatch.dull[kind] = true
    return
  end
  if kind == "updateChannelTooLong" then
    local marked = ids.channel(update.channel_id)
    local box = self:channelBox(marked, update.pts)
    if not update.pts or box.pts ~= update.pts then difference.channel(self, marked, box) end
  elseif kind == "updatePtsChanged" then
    task.spawn(function()
      scope.enter(self.core.scope, 0)
      self:setState(self.core:invoke("updates.getState", {}))
    end)
  end
  self.journal:take(update, NONE, own, raw)
end

-- The box of an update that has an order, its number there, and how far it moves the box.
local function place(self, update, count, own)
  if not count then return self.qts, update.qts, 1 end
  local channel = update.channel_id
  if not channel then
    local message = update.message -- a table, where there is a count
    local peer = message and message.peer_id
    channel = peer and peer.channel_id
    if not channel then return self.common, update.pts, count end
  end
  local marked = ids.channel(channel)
  local box = self:channelBox(marked, update.pts - count)
  if not own and self.core.dispatch:isFull() then difference.channel(self, marked, box) end
  return box, update.pts, count
end

--- One update that came by a difference of another box.
function Updates:takeOne(update)
  self.journal.count = self.journal.count + 1
  if not update.pts_count then return loose(self, update) end
  local box, pts, count = place(self, update, update.pts_count)
  box:offer(pts, count, update, { left = 1 })
end

local function hasOrder(update) return update.pts_count ~= nil or update.qts ~= nil end

-- seq orders what has no pts of its own. Returns whether the container's rest may be applied now.
local function inSequence(self, full)
  local last = full.seq or 0
  if last == 0 then return true end
  local first = full.seq_start or last
  if self.seq == 0 or first == self.seq + 1 then
    self.seq = last
    if full.date and full.date > self.date then self.date = full.date end
    return true
  end
  if first <= self.seq then return false end
  return nil -- a gap
end

local function applySeq(self, full, unit)
  local list = full.updates
  for i = 1, #list do
    if not hasOrder(list[i]) then
      loose(self, list[i], unit.own, unit.raw)
      settle(self, unit)
    end
  end
end

local function skipSeq(self, full, unit)
  for _, update in ipairs(full.updates) do
    if not hasOrder(update) then settle(self, unit) end
  end
end

-- Containers whose seq came too early, after a gap closed.
local function drainSeq(self)
  local again = true
  while again do
    again = false
    for i, waiting in ipairs(self.pendingSeq) do
      local now = inSequence(self, waiting.full)
      if now ~= nil then
        table.remove(self.pendingSeq, i)
        if now then applySeq(self, waiting.full, waiting.unit) else skipSeq(self, waiting.full, waiting.unit) end
        again = true
        break
      end
    end
  end
end
Updates.drainSeq = drainSeq

--- A full container. Its ack is owed once all of it is in place; own: it is a call's result.
local function takeContainer(self, full, own, conn, ack, raw)
  local list, journal, dispatch, unit = full.updates, self.journal, self.dispatch, nil
  local n, ordered, seq = #list, true, full.seq
  harvest(self.peers, full)
  if n ~= 1 then raw = nil end
  journal.count = journal.count + n
  if seq and seq ~= 0 then ordered = inSequence(self, full) end
  local common, dull = self.common, ordered and dispatch.handle == handle and dispatch.dull or nobody
  for i = 1, n do
    local update = list[i]
    if not dull[update._] then
      local count = update.pts_count
      if count or update.qts then
        local message = update.message
        local peer = message and message.peer_id
        local box, pts
        if count and peer and peer._ ~= "peerChannel" then -- nearly always
          box, pts = common, update.pts
        else
          box, pts, count = place(self, update, count, own)
        end
        if box.pts == pts - count and box.n == 0 and not box.fetching then -- its turn: nearly always
          box.pts = pts
          take(journal, update, box.name, own, raw)
        else
          unit = unit or { left = 1, own = own, conn = conn, ack = ack, raw = raw }
          unit.left = unit.left + 1
          box:offer(pts, count, update, unit)
        end
      elseif ordered then
        loose(self, update, own, raw)
      elseif ordered == nil then
        unit = unit or { left = 1, own = own, conn = conn, ack = ack, raw = raw }
        unit.left = unit.left + 1
      end
    end
  end
  if ordered == nil then
    self.pendingSeq[#self.pendingSeq + 1] = { full = full, unit = unit or { left = 1 } }
    if not self.seqTimer then
      self.seqTimer = timer.after(0.7, function()
        self.seqTimer = nil
        if #self.pendingSeq > 0 then difference.common(self) end
      end)
    end
  elseif seq and seq ~= 0 then
    drainSeq(self)
  end
  if n == 0 and full.pts_count then self.common:offer(full.pts, full.pts_count, nil, { left = 1 }) end
  if unit then
    settle(self, unit)
  elseif ack then
    journal:ack(conn, ack)
  end
end

--- What a connection pushes. `ack` is owed once all of it is safe.
function Updates:receive(conn, u, ack, raw, errname)
  if self.stopped then return end
  self.heard = timer.now()
  if not u then
    self.core:log(Logger.WARNING, "an update cannot be read (%s): asking for the difference", tostring(errname))
    if ack then conn:ack(ack) end
    if self.active then difference.common(self) end
    return
  end
  if not self.active then
    if self.core.dispatch:hasHandler() then -- it is about to be ready; what has no pts comes once
      if #self.early < MAX_EARLY then self.early[#self.early + 1] = { conn, u, ack, raw } end
      return
    end
    -- Nobody to hand it to: the state stays, so the difference brings it when a handler is set.
    self.core.peers:harvest(u)
    self.fresh = nil
    if ack then conn:ack(ack) end
    return
  end
  local full = u
  if u._ ~= "updates" then
    local me = self.core.me
    full = expand.container(u, me and me.id)
    local unknown = full and full.needs and not (me and me.bot) and not self.core.peers:get(full.needs)
    if not full or unknown then -- updatesTooLong, or a short form about somebody never met
      if ack then conn:ack(ack) end
      return difference.common(self)
    end
  end
  -- Handlers do not keep up: from here on the difference brings what comes, as fast as they take it; the server keeps it meanwhile.
  if self.core.dispatch:isFull() then difference.common(self) end
  takeContainer(self, full, false, conn, ack, raw)
end

--- Updates inside a call's result.
function Updates:fromResult(u, request)
  if not self.active or self.stopped then
    if u.users then self.core.peers:harvest(u) end
    return
  end
  local full = u
  if u._ ~= "updates" then
    local me = self.core.me
    full = expand.container(u, me and me.id, request)
    if not full then return difference.common(self) end
  end
  takeContainer(self, full, true)
end

--- messages.affectedMessages and its kin move a box without an update.
function Updates:affected(request, result)
  if not self.active or self.stopped then return end
  local where = request.channel or (request.peer and request.peer.channel_id and request.peer)
  local unit = { left = 1 }
  if where and where.channel_id then
    self:channelBox(ids.channel(where.channel_id), result.pts - result.pts_count):offer(result.pts, result.pts_count, nil, unit)
  else
    self.common:offer(result.pts, result.pts_count, nil, unit)
  end
end

--- The server began a new session: what it had queued for the old one may be gone, after an answer that is still on its way, too.
function Updates:newSession()
  if self.active then difference.common(self) end
end

--- Nothing waits for a gap to close or for a difference.
function Updates:isIdle()
  if not self.common then return true end
  if self.common.fetching or self.common.n > 0 or self.pendingSeq[1] then return false end
  for _, box in pairs(self.channels) do
    if box.fetching or box.n > 0 then return false end
  end
  return true
end

function Updates:flush() self.journal:flush() end

function Updates:stop()
  self.stopped, self.active = true, false
  if self.ticking then timer.cancel(self.ticking) end
  if self.seqTimer then timer.cancel(self.seqTimer) end
  if self.common then
    self.common:close()
    self.qts:close()
  end
  for _, box in pairs(self.channels) do box:close() end
end

return Updates
