--- From ordered updates to handlers and to the store: what a few milliseconds brought goes into one commit (state, inbox, what is done),
--- and the acks follow when that commit is durable. A handler that has ended by then leaves nothing in the inbox. Owned by luna.updates.
local timer = require "_luna.timer"
local tl = require "_luna.tl"
local Class = require "luna.class"
local Logger = require "luna.logger"

local Journal = Class.new "Journal"
local unpack, min = table.unpack, math.min

-- Numbers of the queues in the store; a channel's is its marked id, below 0.
Journal.COMMON, Journal.QTS, Journal.NONE = 0, 1, 2

-- A commit costs more than most handlers: so long is waited for more to share it, or until so many have come. While handlers of the group
-- still run it waits for them too, up to PATIENCE: one that ends in that time needs no row.
local GROUP_SECONDS, GROUP_UPDATES, PATIENCE = 0.01, 256, 0.05
-- Where the bot's own messages are all that moved the state, nobody waits for the commit: were it lost, the difference would tell of them.
local OWN_SECONDS = 0.2
local ACKS = 100 -- in one call

function Journal:init(core)
  self.core, self.dispatch = core, core.dispatch
  self.entries, self.n = {}, 0 -- entries of handlers that may still run
  self.since = 0 -- when the group began
  self.acks, self.done, self.channels = {}, {}, nil -- acks: connection → list of msg_ids
  self.group = {} -- what a commit takes; filled anew each time
  self.scheduled, self.refusals, self.count = false, 0, 0
  self.persist, self.timer = false, false
end

--- The state has changed: there will be a commit soon.
function Journal:touch()
  if self.scheduled then return end
  if self.timer then timer.cancel(self.timer) end -- one that was in no hurry
  self.scheduled, self.since = true, timer.now()
  self.timer = timer.unref(timer.after(GROUP_SECONDS, self.due, self))
end

--- Keeps the entries whose handlers still run, and commits unless it is worth waiting for them.
function Journal:due()
  local entries, n = self.entries, 0
  for i = 1, self.n do
    local entry = entries[i]
    if entry.serial ~= false then
      n = n + 1
      entries[n] = entry
    end
  end
  for i = n + 1, self.n do entries[i] = nil end
  self.n = n
  if n == 0 or n >= GROUP_UPDATES / 2 or timer.now() - self.since >= PATIENCE then return self:flush() end
  if self.timer then timer.cancel(self.timer) end
  self.timer = timer.unref(timer.after(GROUP_SECONDS, self.due, self))
end

--- One update in its turn: starts its handler, and remembers what the inbox needs of it. box: COMMON, QTS, NONE or a channel's id. own: of
--- a call's result. raw: the bytes of a container that holds it alone.
function Journal:take(update, box, own, raw)
  local message = own and update.message -- a message, or the text of a notice, which has no `out` either
  if box < 0 then
    local channels = self.channels or {}
    channels[box], self.channels = true, channels
  end
  if message and message.out and not self.persist then
    -- What the bot has sent itself needs no second telling, so no row in the inbox, and its state is in no hurry.
    if not self.timer then self.timer = timer.unref(timer.after(OWN_SECONDS, self.flush, self)) end
    self.dispatch:handle(update)
    return
  end
  if not self.scheduled then self:touch() end
  local entry = self.dispatch:handle(update)
  if not entry or entry.serial == false or message and message.out then return end
  local n = self.n + 1
  entry.box, entry.raw = box, raw
  self.entries[n], self.n = entry, n
  if n == GROUP_UPDATES then self.core:later(self.due, self) end
end

--- A channel's box stands elsewhere now.
function Journal:moved(box)
  self.channels = self.channels or {}
  self.channels[box] = true
  self:touch()
end

--- Everything of a container is in place: its ack may follow the next commit.
function Journal:ack(conn, id)
  local acks = self.acks[conn]
  if not acks then
    acks = {}
    self.acks[conn] = acks
  end
  acks[#acks + 1] = id
  if not self.scheduled then self:touch() end
end

--- What the inbox has under that number is done.
function Journal:forget(seq)
  self.done[#self.done + 1] = seq
  self:touch()
end

-- The bytes to hand over again: the container's own where it held this update alone.
local function bytesOf(entry)
  if entry.raw then return entry.raw end
  local ok, bytes = pcall(tl.encode, { _ = "updateShort", update = entry.update, date = 0 }, "Updates")
  return ok and bytes or nil
end

local function before(first, second)
  if not first then return second end
  return table.move(second, 1, #second, #first + 1, first)
end

-- The store takes nothing now (the disk does not keep up, or fails): all of it goes with a later commit.
local function refused(self, why, kept, channels, done, acks)
  self.entries, self.done = before(kept, self.entries), before(done, self.done)
  for conn, list in pairs(acks or {}) do self.acks[conn] = before(list, self.acks[conn] or {}) end
  self.n = #self.entries
  for id in pairs(channels or {}) do
    self.channels = self.channels or {}
    self.channels[id] = true
  end
  self.refusals = self.refusals + 1
  if self.refusals == 1 then
    self.core:log(Logger.ERROR, "the session does not take what it should keep, trying again: %s", tostring(why))
  end
  self.scheduled = true
  self.timer = timer.unref(timer.after(1, self.flush, self))
end

function Journal:flush()
  if self.timer then timer.cancel(self.timer) end
  self.scheduled, self.timer = false, false
  local account, updates = self.core.account, self.core.updates
  if not account or not updates.common then return end
  if self.core.state == "stopped" then return end -- the store is closed
  local adds, kept = nil, nil
  local entries = self.entries
  if self.n > 0 then
    self.entries, self.n = {}, 0
    for i = 1, #entries do
      local entry = entries[i]
      local bytes = entry.serial ~= false and bytesOf(entry)
      if bytes then
        adds, kept = adds or {}, kept or {}
        local n = #kept + 1
        adds[n] = { box = entry.box, pts = entry.update.pts or entry.update.qts or 0, raw = bytes, layer = tl.layer }
        kept[n], entry.raw = entry, bytes
      end
    end
  end
  local channels
  if self.channels then
    channels = {}
    for id in pairs(self.channels) do
      local box = updates.channels[id]
      if box and box.pts then channels[id] = box.pts end
    end
    self.channels = nil
  end
  local done, acks = self.done, self.acks
  if done[1] then self.done = {} else done = nil end
  if next(acks) == nil then acks = nil else self.acks = {} end
  local durable = acks and function(errname)
    if errname then return end -- not on disk: the server shall send them again
    for conn, list in pairs(acks) do
      for i = 1, #list, ACKS do conn:ack(unpack(list, i, min(i + ACKS - 1, #list))) end
    end
  end
  local group = self.group
  group.state, group.channels, group.add, group.done = updates:state(), channels, adds, done
  group.persist = self.persist and self.persist() or nil -- set by luna.persist: the handler's persistent fields
  local ok, seqs = pcall(account.commit, account, group, durable)
  if not ok then return refused(self, seqs, kept, channels, done, acks) end
  self.refusals = 0
  if group.persist then self.persisted() end
  if kept then
    for i = 1, #seqs do
      kept[i].seq, kept[i].raw = seqs[i], nil
    end
  end
end

return Journal
