--- updates.getDifference and updates.getChannelDifference: what was missed over a gap, a restart or a silence. Runs in a task of its own;
--- while it runs, its box keeps what is pushed. https://core.telegram.org/api/updates#recovering-gaps
local task = require "_luna.task"
local timer = require "_luna.timer"
local core_ = require "_luna.promise"
local errors = require "luna.errors"
local Journal = require "luna.updates.journal"
local scope = require "luna.scope"
local Logger = require "luna.logger"

local difference = {}

local function newMessage(name, message, pts)
  return { _ = name, message = message, pts = pts, pts_count = 0 }
end

-- What a slice holds, in its order, straight to the handlers: the boxes stand still meanwhile.
local function apply(self, slice, name, box, pts)
  self.core.peers:harvest(slice)
  for _, message in ipairs(slice.new_messages or {}) do
    self.journal:take(newMessage(name, message, pts), box)
  end
  for _, message in ipairs(slice.new_encrypted_messages or {}) do
    self.journal:take({ _ = "updateNewEncryptedMessage", message = message, qts = self.qts.pts }, box)
  end
  for _, update in ipairs(slice.other_updates or {}) do
    local message = update.message
    local channel = update.channel_id or (type(message) == "table" and message.peer_id and message.peer_id.channel_id)
    if box == Journal.COMMON and channel and (update.pts_count or update._ == "updateChannelTooLong") then
      self:takeOne(update)
    else
      self.journal:take(update, box)
    end
  end
end

local function onGap(self, info)
  local instance, class = self.core.dispatch.instance, self.core.dispatch.class
  if not instance or not class.onGap then return end
  task.spawn(function()
    scope.enter(self.core.scope, 0)
    self.core.dispatch:guard("onGap", class.onGap, instance, info)
  end)
end

-- How long to wait after the n-th failure in a row: as long as the server says, else 1, 2, 4 … 60 s.
local function patience(err, n)
  if errors.is(err, errors.classes.RPCErrorException) and err.code == 420 and err.value then return err.value + 1 end
  return math.min(60, 2 ^ (n - 1))
end

-- An answer that asking again will not change.
local function final(err)
  return errors.is(err, errors.classes.RPCErrorException) and (err.code == 400 or err.code == 403)
end

-- True where it may not be fetched yet: then again() comes when it may. owner: the box.
local function tooEarly(self, owner, again)
  local wait = (owner.retryAt or 0) - timer.now()
  if wait < 0.001 then return false end -- a timer counts in microseconds
  if not owner.retry then
    owner.retry = timer.unref(timer.after(wait, function()
      owner.retry = nil
      if not self.stopped then again() end
    end))
  end
  return true
end

local function failed(owner, err)
  owner.failures = (owner.failures or 0) + 1
  owner.retryAt = timer.now() + patience(err, owner.failures)
end

local function succeeded(owner) owner.failures, owner.retryAt = nil, nil end

-- A part of the difference that leads nowhere: asked again, the server would say the same, thousands of times in a row. As a failure it
-- is asked for ever more slowly.
local function standstill() errors.throw(errors.classes.Exception "the server's difference does not get on") end

-- All slices from where the box stands to where the server stands.
local function fetchCommon(self)
  local core = self.core
  local pts, qts = self.common.pts, self.qts.pts
  for _ = 1, 10000 do
    core.dispatch:waitForRoom()
    local r = core:invoke("updates.getDifference", { pts = pts, date = self.date, qts = qts })
    local state = r.state or r.intermediate_state
    if r._ == "updates.differenceEmpty" then
      self.date, self.seq = r.date, r.seq
      return pts, qts
    elseif r._ == "updates.differenceTooLong" then
      if r.pts <= pts then standstill() end
      core:log(Logger.WARNING, "too much was missed: the server gives no updates before pts %d", r.pts)
      onGap(self, { box = "common", from = pts, to = r.pts })
      pts = r.pts
    else
      if r._ == "updates.differenceSlice" and state.pts == pts and state.qts == qts and state.date == self.date then standstill() end
      pts, qts = state.pts, state.qts
      self.date, self.seq = state.date, state.seq
      self.common.pts, self.qts.pts = pts, qts -- before anything is journalled: one commit holds both
      apply(self, r, "updateNewMessage", Journal.COMMON, pts)
      self.journal:touch()
      if r._ == "updates.difference" then return pts, qts end
    end
  end
  return pts, qts
end

-- The server cannot start from where the account stands: it goes on from now, and whoever listens hears of the gap.
local function startAnew(self)
  local from = self.common.pts
  self:setState(self.core:invoke("updates.getState", {}))
  onGap(self, { box = "common", from = from, to = self.common.pts })
  return self.common.pts, self.qts.pts
end

--- Brings the common box up to date. A second call while one runs makes it run once more afterwards. After a failure what is pushed goes
--- on to the handlers, and the difference is asked for again, ever more slowly.
function difference.common(self)
  if self.stopped or not self.common then return end
  if self.common.fetching then
    self.again = true
    return
  end
  if tooEarly(self, self.common, function() difference.common(self) end) then return end
  self.common:beginFetch()
  self.qts:beginFetch()
  self.fetched = task.spawn(function()
    scope.enter(self.core.scope, 0)
    local ok, pts, qts
    repeat
      self.again = false
      ok, pts, qts = pcall(fetchCommon, self)
    until self.stopped or not ok or not self.again
    if not ok and final(pts) and not self.stopped then
      self.core:log(Logger.WARNING, "the server does not go on from pts %d: %s", self.common.pts, tostring(pts))
      ok, pts, qts = pcall(startAnew, self)
    end
    if self.stopped then return end
    if ok then
      succeeded(self.common)
    else
      failed(self.common, pts)
      self.core:log(Logger.ERROR, "the difference could not be fetched, the next try is in %.0f s: %s",
        self.common.retryAt - timer.now(), tostring(pts))
      pts, qts = nil, nil
    end
    self.journal:touch()
    self.common:endFetch(pts)
    self.qts:endFetch(qts)
    self:drainSeq()
    for _, waiting in ipairs(self.pendingSeq) do waiting.full.seq = 0 end -- the difference has brought what seq waited for
    if self.pendingSeq[1] then
      self.seq = 0
      self:drainSeq()
    end
    if not ok then difference.common(self) end -- when it may
  end)
  core_.markHandled(self.fetched)
end

local gone = { CHANNEL_PRIVATE = true, CHANNEL_INVALID = true, USER_NOT_PARTICIPANT = true, CHANNEL_PUBLIC_GROUP_NA = true }

local function fetchChannel(self, id, box)
  local core = self.core
  local peer = require("luna.peer_forms").inputChannel(core.peers, id)
  local pts = box.pts or 1
  for _ = 1, 10000 do
    core.dispatch:waitForRoom()
    local r = core:invoke("updates.getChannelDifference", {
      channel = peer, filter = { _ = "channelMessagesFilterEmpty" }, pts = pts, limit = core.me and core.me.bot and 1000 or 100,
    })
    if r._ == "updates.channelDifferenceTooLong" then
      local to = r.dialog.pts or pts
      core.peers:harvest(r)
      core:log(Logger.WARNING, "too much was missed in channel %d: going on at pts %d", id, to)
      onGap(self, { box = "channel", channel_id = -1000000000000 - id, bot_api_id = id, from = pts, to = to, messages = r.messages })
      return to
    end
    if not r.final and r.pts <= pts then standstill() end
    pts = r.pts
    box.pts = pts
    if r._ == "updates.channelDifference" then apply(self, r, "updateNewChannelMessage", id, pts) end
    if r.final then return pts end
  end
  return pts
end

--- Brings a channel's box up to date. What is pushed meanwhile waits, over failures too, but for those that will not pass.
function difference.channel(self, id, box)
  if self.stopped or box.fetching then return end
  if tooEarly(self, box, function() if self.channels[id] == box then difference.channel(self, id, box) end end) then return end
  box:beginFetch()
  core_.markHandled(task.spawn(function()
    scope.enter(self.core.scope, 0)
    local ok, pts = pcall(fetchChannel, self, id, box)
    if self.stopped then return end
    if not ok then
      local err = pts
      if errors.is(err, errors.classes.RPCErrorException) and gone[err.name] then
        self.channels[id] = nil
        box.fetching = false
        box:close()
        return
      end
      self.core:log(Logger.WARNING, "the difference of channel %d could not be fetched: %s", id, tostring(err))
      pts = nil
      if not final(err) then
        failed(box, err)
        box:endFetch(nil)
        return difference.channel(self, id, box) -- when it may
      end
    end
    succeeded(box)
    self.journal:moved(id)
    box:endFetch(pts)
    if not ok then box:drain(true) end -- better a hole than a standstill
  end))
end

return difference
