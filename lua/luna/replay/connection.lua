--- Stands where a client's connection would: each call gets the answer that the record has for it, after the time that it took then. A
--- call that is not in the record gets the answer of one like it, a made-up one, or 400 NOT_RECORDED. Made by luna.replay for each client;
--- what was called is kept here for luna.replay.differences.
local promise = require "_luna.promise"
local task = require "_luna.task"
local timer = require "_luna.timer"
local tl = require "_luna.tl"
local Class = require "luna.class"
local frames = require "luna.frames"
local ids = require "luna.ids"
local Mask = require "luna.record.mask"
local middleware = require "luna.middleware"
local Recorder = require "luna.record"
local Tape = require "luna.replay.tape"

local Connection = Class.new "Connection"

local NEAR = 0.5 -- seconds: a call that comes so soon before its recorded time has its answer when it had it then
local HALF = 5e-7 -- clocks count in microseconds

--- run: { numbers, guarded, now(), over, ended, onDifference() }; client: of the tape; core: the client of this process.
function Connection:init(run, client, core)
  self.run, self.client, self.core = run, client, core
  self.mask = Mask { texts = run.tape.masked }
  self.made = setmetatable({}, { __mode = "k" }) -- answers that are not the record's
  self.now = {} -- the calls of this run, in order
  self.pending, self.requests, self.nextId = 0, 0, 1 << 24
  local index = {}
  for _, call in ipairs(client.calls) do
    if not call.raised or call.raised == "cancelled" then
      local key = call.name .. "\0" .. call.text
      index[key] = index[key] or {}
      table.insert(index[key], call)
    end
  end
  self.index = index
end

-- The recorded call that this one is: of the same handler first, in the order of the record.
local function find(self, call)
  local other
  for _, recorded in ipairs(self.index[call.name .. "\0" .. call.text] or {}) do
    if not recorded.match then
      if recorded.from == call.from then return recorded end
      other = other or recorded
    end
  end
  return other
end

-- ---- answers that the record does not have ----

local function peerOf(p) return type(p) == "table" and type(p.peer) == "table" and ids.ofPeer(p.peer) or nil end

-- A recorded answer to a call of that method: of the same handler, which nobody else gets then; else of the same chat; else any.
local function like(self, call)
  local lent, chat, any
  for _, recorded in ipairs(self.client.calls) do
    if recorded.name == call.name and recorded.answer and recorded.answer.r ~= nil then
      if recorded.from == call.from and not recorded.match and not recorded.lent then
        lent = lent or recorded
      elseif peerOf(recorded.p) == peerOf(call.q) then
        chat = chat or recorded
      end
      any = any or recorded
    end
  end
  if lent then lent.lent = true end
  return lent or chat or any, lent ~= nil
end

local function freshId(self)
  self.nextId = self.nextId + 1
  return self.nextId
end

-- The updates of an answer to another call, as if they told of this one. same: the message's number may stay.
local function adapt(self, result, q, same)
  if not same and result.id then result.id = freshId(self) end
  for _, update in ipairs(type(result.updates) == "table" and result.updates or {}) do
    local message = update.message
    if type(message) == "table" then
      if q.message then message.message, message.entities = q.message, q.entities end
      if q.reply_markup == nil or q.reply_markup._ == "replyInlineMarkup" then message.reply_markup = q.reply_markup end
      if type(q.id) == "number" then message.id = q.id elseif not same then message.id = freshId(self) end
    end
  end
  return result
end

local function madeUp(self, method, q)
  local kind = method.result
  if kind == "Bool" then return true end
  if kind == "messages.AffectedMessages" then return { _ = "messages.affectedMessages", pts = 0, pts_count = 0 } end
  if kind ~= "Updates" then return nil end
  local list, peer = {}, type(q.peer) == "table" and q.peer
  if type(q.message) == "string" and peer then
    local marked = peer._ == "inputPeerSelf" and self.core.me.id or ids.ofPeer(peer)
    list[1] = { _ = type(q.id) == "number" and "updateEditMessage" or "updateNewMessage", pts = 0, pts_count = 0, message = {
      _ = "message", out = true, id = type(q.id) == "number" and q.id or freshId(self), date = timer.wall() // 1 | 0, message = q.message,
      entities = q.entities, peer_id = marked and ids.toPeer(marked), from_id = { _ = "peerUser", user_id = self.core.me.id },
      reply_markup = q.reply_markup and q.reply_markup._ == "replyInlineMarkup" and q.reply_markup or nil,
    } }
  end
  return { _ = "updates", updates = list, users = {}, chats = {}, date = timer.wall() // 1 | 0, seq = 0 }
end

-- A table of an answer as the decoder would have made it: with its metatables, and nobody else's.
local function fresh(name, value)
  local ok, made = pcall(function() return tl.decodeResult(tl.encodeResult(value, name), name) end)
  return ok and made or value
end

local function unrecorded(self, call)
  local recorded, same = like(self, call)
  local result
  if recorded then
    result = Tape.value(recorded.answer.r)
    if type(result) == "table" then result = adapt(self, result, call.q, same) end
  else
    result = madeUp(self, self.core:method(call.name), call.q)
  end
  if result == nil then return nil, 400, "NOT_RECORDED", "" end
  result = fresh(call.name, result)
  if type(result) == "table" then self.made[result] = true end
  return result
end

-- ---- calls ----

local function never() promise.await(promise.new()) end

-- Waits as the call did then; false where its own limit came first.
local function wait(seconds, limit)
  if limit and seconds > limit then
    task.sleep(limit)
    return false
  end
  task.sleep(math.max(0, seconds) + HALF)
  return true
end

local function answer(self, call, limit)
  local run, recorded = self.run, call.match
  if not recorded then
    task.sleep(0)
    return unrecorded(self, call)
  end
  local given = recorded.answer
  if not given then -- none had come when the record ended
    if limit then
      task.sleep(limit)
      return nil, 0, "TIMEOUT", ""
    end
    never()
  end
  local delay = given.t - recorded.t
  local early = recorded.t - run.now()
  if early >= 0 and early < NEAR then delay = delay + early end
  if not wait(delay, limit) then return nil, 0, "TIMEOUT", "" end
  if given.e then
    local code, text, detail = given.e[1], given.e[2], given.e[3]
    return nil, math.tointeger(code) or 400, tostring(text), type(detail) == "string" and detail or ""
  end
  return fresh(call.name, Tape.value(given.r))
end

local function take(self, name, q)
  local run = self.run
  local ok, why = pcall(tl.encodeMethod, name, q)
  if not ok and not tostring(why):find("missing parameter \"random_id\"", 1, true) then error(why, 0) end
  local from = Recorder.caller(run, self.core) or 0
  local masked = self.mask:value(q)
  local call = { n = #self.now + 1, t = run.now(), name = name, q = q, from = from, text = Tape.canonical(masked), shown = masked,
    beyond = run.ended }
  if Recorder.isPrivate(name) then return call end
  call.match = find(self, call)
  self.now[call.n] = call
  if call.match then
    call.match.match = call
  elseif not call.beyond then
    call.where = frames.position(debug.traceback())
    run.onDifference()
  end
  return call
end

function Connection:call(name, q, opts, keyed)
  if type(q) == "string" then return nil, 400, "NOT_RECORDED", "" end
  q = q or {}
  if keyed then q.random_id = 0 end
  local call = take(self, name, q)
  if self.run.over then never() end
  if opts and opts.noResponse then return true end
  self.pending = self.pending + 1
  local results = table.pack(pcall(answer, self, call, opts and opts.timeout))
  self.pending = self.pending - 1
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

function Connection:callAsync(name, q, opts, keyed)
  self.requests = self.requests + 1
  return task.spawn(function()
    local result, code, text, detail = self:call(name, q, opts, keyed)
    if code then error(middleware.toError(code, text, detail, name), 0) end
    return result
  end)
end

function Connection:lastRequest() return self.requests end
function Connection:inFlight() return self.pending end
function Connection:calls() return {} end
function Connection:state() return "up" end
function Connection:serverTime() return timer.wall() end
function Connection:temporaryKey() end
function Connection:ack() end
function Connection:close() end

return Connection
