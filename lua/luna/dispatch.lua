--- Updates to handlers: a task for each update, in lanes. A lane is a chat (or a user, where there is no chat): its updates run one after
--- the other, lanes beside each other. A handler that waits for time or a person lets its lane go on. One object per client core.
local task = require "_luna.task"
local timer = require "_luna.timer"
local core_ = require "_luna.promise"
local Class = require "luna.class"
local errors = require "luna.errors"
local frames = require "luna.frames"
local lanes = require "luna.lanes"
local scope = require "luna.scope"
local Logger = require "luna.logger"

local Dispatch = Class.new "Dispatch"

-- Gives a task back to the owner that it had.
local giveBack = { __close = function(before) task.owner(before[1]) end }
local function ignore() end
local done, trace

local LAST_SERIAL = scope.LAST_SERIAL

local IDLE_LANES = 64 -- that may be there before they are looked for
local HELD = 30 -- seconds after which a lane that keeps others waiting is logged

function Dispatch:init(core)
  self.core = core
  self.owner = core.scope << 32 -- of the tasks that have the serial 0
  self.entries = {} -- serial → entry of a running handler
  self.serial, self.running, self.waiting = 0, 0, 0
  self.crowded = false -- somebody waits for a handler to end
  self.current = { mark = scope.newMark(), retired = false } -- the version of the script that the updates go to
  self.lanes, self.untilTidy = {}, IDLE_LANES -- key → { busy = entry | false, first, last, [n] = entry }
  self.ready, self.readyFirst, self.readyLast = {}, 1, 0 -- lanes that may run but for the limit
  self.found = {} -- update name → function(instance, update) or false
  self.dull = {} -- names of updates that nobody wants, for luna.updates
  self:turn(core.settings.updates.order)
  self.limit = core.settings.updates.pending
  self.work = task.worker(done, self, trace)
  -- In the object itself, so that each update finds them at once.
  self.handle, self.asks, self.nextOrder, self.change = self.handle, false, false, false
end

--- Makes what is to get the updates, a class's instance or a function, without handing it any yet: a version { mark, instance, class,
--- callback }. mark: that of the script's version; state: the table that lives on. The class's init may wait, or raise.
function Dispatch:prepare(handler, mark, state)
  local version = { mark = mark or scope.mark() or scope.newMark(), handler = handler, retired = false }
  if type(handler) == "function" then
    version.callback = function(_, update) return handler(update) end
    return version
  end
  version.class = handler
  local _ <close> = setmetatable({ scope.enterMark(self.core.scope, version.mark) }, giveBack)
  version.instance = require("luna.handler").instantiate(handler, self.core, state)
  return version
end

--- From now on the updates go to this version. Returns its instance, and the version before.
function Dispatch:install(version)
  local before = self.current
  self.current = version
  self.instance, self.class, self.callback = version.instance, version.class, version.callback
  self:forget()
  return version.instance, before
end

--- The handler class's instance that gets the updates.
function Dispatch:setHandler(instance, class)
  self:install { mark = scope.newMark(), instance = instance, class = class, retired = false }
end

--- One function for all updates.
function Dispatch:setCallback(fn) self:install(self:prepare(fn)) end

--- A version has come whose onStart is still to be called: until begin() no update goes to it.
function Dispatch:hold()
  if not self.held then self.held, self.limit = self.limit, 0 end
end

--- Calls onStart, in a task that is the version's, and lets updates go on that hold() has kept. version: nothing happens where another one
--- has come since, which has a begin() of its own.
function Dispatch:begin(reason, version)
  local current = self.current
  local instance, class = current.instance, current.class
  if version and version ~= current then return end
  if instance and class.onStart then
    task.spawn(function()
      scope.enterMark(self.core.scope, current.mark)
      self:guard("onStart", class.onStart, instance, reason)
    end)
  end
  if not self.held then return end
  self.limit, self.held = self.held, nil
  self:free()
end

--- The version gets no more updates: once its last handler has ended, onStop(reason) is called on its instance.
function Dispatch:retire(version, reason)
  version.retired = reason
  if self.asks then self.asks:retire(version) end
  for _, entry in pairs(self.entries) do
    if entry.version == version then return end
  end
  version.retired = false
  local instance, class = version.instance, version.class
  if not instance or not class.onStop then return end
  task.spawn(function()
    scope.enter(self.core.scope, 0)
    self:guard("onStop", class.onStop, instance, reason)
  end)
end

--- The fields of the handler's state that outlive the program.
function Dispatch:restore()
  if self.class and self.class.persist then require("luna.persist").restore(self.core) end
end

--- Another order, or another limit of pending updates. The order holds once no update waits: what has begun in one order ends in it.
function Dispatch:setOrder(order)
  self.nextOrder = order
  if self:isIdle() then self:turn(order) end
end

function Dispatch:turn(order)
  self.order, self.nextOrder = order, false
  self.inLanes, self.byChat = order ~= "none", order == "chat"
end

function Dispatch:setLimit(limit)
  if self.held then
    self.held = limit
    return
  end
  self.limit = limit
  if self.crowded then self:free() end
end

function Dispatch:hasHandler() return self.callback ~= nil or self.instance ~= nil end

-- The function for an update of that name, or false.
local function lookup(self, name)
  local fn = self.found[name]
  if fn == nil then
    local class = self.class
    fn = self.callback or (class and (class["on" .. name:sub(1, 1):upper() .. name:sub(2)] or class.onAny)) or false
    if fn and self.observe then fn = self.observe(name, fn) end -- see luna.sandbox.coverage
    if self.asks or class and class._routes then fn = require("luna.routes").over(self, name, fn) end
    self.found[name] = fn
  end
  return fn
end

Dispatch.lookup = lookup

--- What handles an update has changed: each kind is looked up anew.
function Dispatch:forget()
  self.found = {}
  for name in pairs(self.dull) do self.dull[name] = nil end
end

--- What the running task's handler is about: { update, sent, … }, or nil outside of handlers.
function Dispatch:context()
  local core, serial = scope.current()
  if core ~= self.core then return nil end
  return self.entries[serial]
end

local start

-- The first of the updates that wait in a lane.
local function startNext(self, lane)
  local first = lane.first
  local entry = lane[first]
  lane[first], lane.first = nil, first + 1
  self.waiting = self.waiting - 1
  start(self, lane, entry)
end

-- The lane's next update may begin. An idle lane stays for the chat's next message.
local function leave(self, entry)
  local lane = entry.lane
  if lane and lane.busy == entry then
    lane.busy, entry.lane = false, nil
    if lane.first <= lane.last then startNext(self, lane) end
  end
end

-- Called with the stack of the error still standing.
function trace(err)
  if errors.isException(err) then
    return errors.annotate(err, debug.traceback(nil, 2))
  end
  return { err, debug.traceback(errors.text(err), 2) }
end

--- An error of a handler: to the log, to onError, and nowhere else.
function Dispatch:report(err, update, what, text, version)
  local line, traceback = frames.tidy(errors.text(err), text:match "\n(.*)$")
  self.core:log(Logger.ERROR, ("%s failed: %s"):format(what, line), { traceback = traceback, err = err, update = update })
  self.failures = (self.failures or 0) + 1
  if self.onFailure then self.onFailure(err, update, text) end
  version = version or self.current
  if version.instance and version.class.onError then
    local ok, why = pcall(version.class.onError, version.instance, err, update)
    if not ok then self.core:log(Logger.ERROR, "onError failed: %s", tostring(why)) end
  end
end

-- What `trace` made of an error → the error and its text.
local function unpackTrace(traced)
  if errors.isException(traced) then return traced, tostring(traced) .. "\n" .. (traced.traceback or "") end
  if type(traced) == "string" then return traced, traced end -- there was no memory for a traceback: Lua asks nobody then
  return traced[1], traced[2]
end

--- Runs one of a handler's own functions (onStart, onGap) so that its error ends nothing else.
function Dispatch:guard(name, fn, ...)
  local ok, traced = xpcall(fn, trace, ...)
  if ok then return true end
  local err, text = unpackTrace(traced)
  if not errors.is(err, errors.classes.CancelledException) then self:report(err, nil, name, text) end
  return false
end

-- One less that counts to the limit, where anybody waits for that.
local function free(self)
  while self.readyFirst <= self.readyLast and self.running < self.limit do
    local lane = self.ready[self.readyFirst]
    self.ready[self.readyFirst] = nil
    self.readyFirst = self.readyFirst + 1
    if not lane.busy and lane.first <= lane.last then startNext(self, lane) end
  end
  local room = self.room
  if room and self.running + self.waiting < self.limit then
    self.room = nil
    core_.resolve(room)
  end
  self.crowded = self.room ~= nil or self.readyFirst <= self.readyLast
end

Dispatch.free = free

-- Whether the error is no failure: the handler was ended, or a question of its own was left unanswered.
local function ended(entry, err)
  return entry.ended and errors.is(err, errors.classes.CancelledException) or errors.isException(err) and err.unanswered
end

-- A handler has ended, with an error or without.
function done(self, entry, err)
  local version = entry.version
  if err and not ended(entry, err) then
    local original, text = unpackTrace(err)
    self:report(original, entry.update, "the handler of " .. tostring(entry.update._), text, version)
  end
  self.entries[entry.serial] = nil
  entry.serial = false
  if entry.asker then self.asks.ended(self, entry) end
  leave(self, entry)
  if entry.seq and entry.serial == false then self.core.updates.journal:forget(entry.seq) end
  if version.retired then self:retire(version, version.retired) end
  if not entry.released then
    self.running = self.running - 1
    if self.crowded then free(self) end
  end
  if self.nextOrder and self:isIdle() then self:turn(self.nextOrder) end
  local change = self.change
  if change and core_.state(change) == "pending" then core_.resolve(change) end
end

local function postpone(self, lane, entry)
  lane = lane or { first = 1, last = 0, busy = false, alone = true }
  lane.first = lane.first - 1
  lane[lane.first] = entry
  self.waiting = self.waiting + 1
  self.readyLast = self.readyLast + 1
  self.ready[self.readyLast] = lane
  self.crowded = true
end

-- What has waited begins in the next turn. Its handler is looked up: a new version may have come meanwhile.
function start(self, lane, entry)
  local running, version, serial = self.running, self.current, self.serial
  if running >= self.limit then return postpone(self, lane, entry) end -- bounded: the lane waits until a handler has ended
  if serial < LAST_SERIAL then serial = serial + 1 else serial = 1 end
  self.serial, self.running = serial, running + 1
  entry.serial, entry.version = serial, version
  self.entries[serial] = entry
  if lane then lane.busy, entry.lane = entry, lane end
  local update = entry.update
  self.work(self.owner + serial, true, entry, self.found[update._] or lookup(self, update._) or ignore, version.instance, update)
end

-- Lanes of chats that were quiet for a while go, once there are many.
local function tidy(self)
  local left = 0
  for key, lane in pairs(self.lanes) do
    if lane.busy or lane.first <= lane.last then left = left + 1 else self.lanes[key] = nil end
  end
  self.untilTidy = left + IDLE_LANES
end

-- A lane for that key. nil is none: such an update waits for no other.
local function newLane(self, key)
  if key == nil then return nil end
  self.untilTidy = self.untilTidy - 1
  if self.untilTidy < 0 then tidy(self) end
  local lane = { first = 1, last = 0, busy = false }
  self.lanes[key] = lane
  return lane
end

local function queue(self, lane, entry)
  lane.last = lane.last + 1
  lane[lane.last] = entry
  self.waiting = self.waiting + 1
  if not lane.since then
    lane.since = timer.now()
    self:watch()
  end
  return entry
end

--- Hands an update to its handler. Returns the entry, or nil where no handler wants it. `seq` is its number in the store's inbox, where
--- it has one already. An entry's serial is nil before its handler starts and false after it has ended.
function Dispatch:handle(update, seq)
  local fn = self.found[update._] or lookup(self, update._)
  if not fn then return nil end
  local lane, key
  if self.inLanes then
    key = 0
    if self.byChat then
      local message = update.message -- a message, or a text
      local peer = message and message.peer_id
      key = peer and peer.user_id or lanes.key(update)
    end
    lane = self.lanes[key]
    if not lane then
      lane = newLane(self, key)
    elseif lane.busy or lane.first <= lane.last then
      return queue(self, lane, { update = update, seq = seq })
    end
  end
  local running, version, serial = self.running, self.current, self.serial
  if running >= self.limit then
    local entry = { update = update, seq = seq }
    postpone(self, lane, entry)
    return entry
  end
  if serial < LAST_SERIAL then serial = serial + 1 else serial = 1 end
  self.serial, self.running = serial, running + 1
  -- Five names make room for eight: a table that grows field by field is made anew three times.
  local entry = { update = update, seq = seq, serial = serial, version = version, lane = lane }
  self.entries[serial] = entry
  if lane then lane.busy = entry end
  self.work(self.owner + serial, false, entry, fn, version.instance, update)
  return entry
end

--- self:release(): the next update of this chat may begin though this handler still runs. It no longer counts to the limit either: a
--- thousand handlers that wait for people must not keep those people's answers out. forGood: an answer does not bring the lane back.
function Dispatch:release(forGood)
  local entry = self:context()
  if not entry then return end
  if forGood then entry.free = true end
  leave(self, entry)
  if not entry.released and entry.serial then
    entry.released = true
    self.running = self.running - 1
    if self.crowded then free(self) end
  end
end

--- The lane of the entry that brought an answer goes to the one that asked: the chat's next update waits for that one now.
function Dispatch:handOver(entry, asker)
  local lane = entry.lane
  if not lane or lane.busy ~= entry or asker.lane or asker.free then return end
  lane.busy, asker.lane, entry.lane = asker, lane, nil
  if asker.released then
    asker.released = nil
    self.running = self.running + 1
  end
end

--- As many updates are pending as may be.
function Dispatch:isFull() return self.running + self.waiting >= self.limit end

--- Waits until fewer updates are pending than the limit.
function Dispatch:waitForRoom()
  while self:isFull() do
    self.room = self.room or core_.new()
    self.crowded = true
    core_.await(self.room)
  end
end

-- Whether a handler other than that one runs; one whose question is open does not.
local function others(self, mine)
  for _, entry in pairs(self.entries) do
    if entry ~= mine and not entry.asking then return true end
  end
  return false
end

--- No handler runs and no update waits for one. Handlers that wait for a person's answer (message:ask) do not count.
function Dispatch:isIdle() return self.waiting == 0 and (next(self.entries) == nil or not others(self)) end

local function where(self, serial)
  local owner = self.core.scope << 32 | serial
  for _, t in ipairs(task.all()) do
    if t.owner == owner then return t:where() or "", select(2, t:status()) == "break" end
  end
  return "", false
end

-- Logs lanes that have been held too long; runs only while updates wait.
function Dispatch:check()
  self.watching = nil
  if self.core.state == "stopped" then return end
  local now, any = timer.now(), false
  for key, lane in pairs(self.lanes) do
    if lane.busy and lane.first <= lane.last then
      any = true
      if lane.heldBy ~= lane.busy then
        lane.heldBy, lane.since, lane.told = lane.busy, now, nil
      elseif now - lane.since >= HELD and not lane.told then
        lane.told = true
        local at, held = where(self, lane.busy.serial)
        self.core:log(held and Logger.NOTICE or Logger.WARNING, "chat %s: one handler has run for %d s while %d updates wait: %s\n%s",
          tostring(key), now - lane.since, lane.last - lane.first + 1,
          held and "the REPL holds it at a break point" or "self:release() lets them begin", at)
      end
    else
      lane.heldBy, lane.since = nil, nil
    end
  end
  if any then self:watch() end
end

function Dispatch:watch()
  if self.watching then return end
  self.watching = timer.unref(timer.after(5, self.check, self))
end

-- Takes the updates that wait in a lane out of it.
local function drop(self, lane)
  for i = lane.first, lane.last do
    local entry = lane[i]
    lane[i], entry.serial = nil, false
    self.waiting = self.waiting - 1
    if entry.seq then self.core.updates.journal:forget(entry.seq) end
  end
  lane.first, lane.last = 1, 0
end

--- Nothing goes on that updates have begun until now: those that wait are dropped, handlers and their forks end at their waits by `err`,
--- what they have set with luna.loop is cancelled. Loops and what else the version has started by itself go on. For the test kit.
function Dispatch:abandon(err)
  for _, lane in pairs(self.lanes) do drop(self, lane) end
  for i = self.readyFirst, self.readyLast do drop(self, self.ready[i]) end
  local mine = self.core.scope
  local function isHandlers(owner) return owner >> 32 == mine and owner & 0xffffffff ~= 0 and owner & 0xffffffff <= LAST_SERIAL end
  local watchers = package.loaded["_luna.loop"]
  for _, w in ipairs(watchers and watchers.list() or {}) do
    if isHandlers(w.owner) then watchers.cancel(w.id) end
  end
  if self.asks then self.asks:abandon(err) end
  local first, forks = {}, {} -- serial → a handler's own task; what it has begun, where that waits for time alone
  for _, t in ipairs(task.all()) do
    local _, kind = t:status()
    if isHandlers(t.owner) and kind ~= "exit" then
      local serial = t.owner & 0xffffffff
      local own = self.entries[serial] and (not first[serial] or t.id < first[serial].id)
      local fork = t
      if own then fork, first[serial] = first[serial], t end
      if fork and select(2, fork:status()) == "sleep" then forks[#forks + 1] = fork end
    end
  end
  for serial, t in pairs(first) do
    self.entries[serial].ended = true
    t:cancel(err)
  end
  for _, t in ipairs(forks) do t:cancel(err) end
end

--- Ends: handlers get `grace` seconds, then a CancelledException at their wait.
function Dispatch:stop(reason, grace)
  if self.watching then timer.cancel(self.watching) end
  self.lanes, self.waiting = {}, 0
  local limit = timer.now() + grace
  local mine = self:context()
  local tasks = {} -- serial → the handler's own, which is older than any that it has begun
  for _, t in ipairs(task.all()) do
    local entry = t.owner >> 32 == self.core.scope and self.entries[t.owner & 0xffffffff]
    if entry then
      local _, kind = t:status()
      entry.lane = nil
      if kind == "exit" then -- a handler that called os.exit waits for this very stop: it is done
        done(self, entry)
      elseif not tasks[entry.serial] or t.id < tasks[entry.serial].id then
        tasks[entry.serial] = t
      end
    end
  end
  while others(self, mine) do
    local left = limit - timer.now()
    self.change = core_.new()
    if left <= 0 or core_.awaitTimeout(self.change, left) == false then break end
  end
  self.change = false
  for serial, t in pairs(tasks) do
    local entry = self.entries[serial]
    if entry and entry ~= mine then
      entry.ended = true
      t:cancel(errors.classes.CancelledException(reason))
    end
  end
  if self.instance and self.class.onStop then
    self:guard("onStop", self.class.onStop, self.instance, reason)
  end
end

-- A handler that sleeps or asks lets its chat go on.
task.setPatience(function()
  local core = scope.current()
  if core and core.dispatch then core.dispatch:release() end
end)

return Dispatch
