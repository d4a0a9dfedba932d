--- The wire end of a sandbox: takes requests off `_luna.server`, unwraps them, knows whose session it is, runs the method's handler and
--- answers. One Server owns one wire server and one model. Handlers are fn(ctx, params) → result; ctx: model, server, session, req, user,
--- auth, layer (methods/*).
local wire = require "_luna.server"
local task = require "_luna.task"
local timer = require "_luna.timer"
local core_ = require "_luna.promise"
local tl = require "_luna.tl"
local Class = require "luna.class"
local rpc = require "luna.sandbox.rpc"
local updates = require "luna.sandbox.updates"
local methods = require "luna.sandbox.methods"
local polls = require "luna.sandbox.polls"
local scheduled = require "luna.sandbox.scheduled"

local Server = Class.new "Server"

local FIRST_LAYER = tl.firstLayer or 227
local DONE_MAX = 2000 -- answered requests remembered for invokeAfterMsg

-- What a temporary key may ask before it is bound.
local unbound = { ["auth.bindTempAuthKey"] = true, ["help.getConfig"] = true, ["help.getNearestDc"] = true }
local DOWN_MAX = 30 -- seconds for which updates are kept for a session without a connection

local WARNING, NOTICE, VERBOSE = 2, 3, 4

-- ---- wrappers: each returns the query within ----

local wrappers = {}

function wrappers.invokeWithLayer(ctx, p)
  if p.layer < FIRST_LAYER then rpc.fail(400, "CONNECTION_LAYER_INVALID") end
  ctx.session:setLayer(math.min(p.layer, tl.layer))
  return p.query
end

function wrappers.initConnection(ctx, p)
  local function short(s) return s:sub(1, 64) end
  ctx.data.client = {
    api_id = p.api_id, device_model = short(p.device_model), system_version = short(p.system_version), app_version = short(p.app_version),
    lang_code = short(p.lang_code),
  }
  return p.query
end

function wrappers.invokeWithoutUpdates(ctx, p)
  ctx.silent = true
  return p.query
end

-- The earlier request is answered first; where it has failed, this one fails too.
local function after(ctx, id)
  local data = ctx.data
  local running = data.running and data.running[id]
  if running then core_.await(running) end
  if data.failed and data.failed[id] then rpc.fail(400, "MSG_WAIT_FAILED") end
end

function wrappers.invokeAfterMsg(ctx, p)
  after(ctx, p.msg_id)
  return p.query
end

function wrappers.invokeAfterMsgs(ctx, p)
  for _, id in ipairs(p.msg_ids) do after(ctx, id) end
  return p.query
end

for _, name in ipairs {
  "invokeWithMessagesRange", "invokeWithTakeout", "invokeWithReCaptcha", "invokeWithGooglePlayIntegrity", "invokeWithApnsSecret",
} do
  wrappers[name] = function(_, p) return p.query end
end

function wrappers.invokeWithBusinessConnection() return rpc.fail(400, "CONNECTION_ID_INVALID") end

-- ---- a request ----

local function note(data, req, failed)
  if not data.done then data.done, data.failed = {}, {} end
  local list = data.done
  list[#list + 1] = req
  if failed then data.failed[req] = true end
  if #list > DONE_MAX then
    local cut = DONE_MAX // 4
    for i = 1, cut do data.failed[list[i]] = nil end
    table.move(list, cut + 1, #list, 1)
    for i = #list, #list - cut + 1, -1 do list[i] = nil end
  end
end

local function trace(err)
  if rpc.is(err) then return err end
  return debug.traceback(tostring(err), 2)
end

local function run(ctx, query)
  local name = query._
  while wrappers[name] do
    query = wrappers[name](ctx, query)
    name = query._
  end
  ctx.name = name
  return ctx.server:invoke(ctx, name, query)
end

--- Calls the handler of a method; raises rpc errors.
function Server:invoke(ctx, name, query)
  local model = self.model
  local entry = methods[name]
  local auth = self:authOf(ctx.session)
  ctx.auth = auth
  ctx.user = auth and model:user(auth.user) or nil
  ctx.layer = ctx.session:layer()
  if not model.state.keys[ctx.session.authKeyId] and not unbound[name] and not self:isBound(ctx.session) then
    rpc.fail(401, "AUTH_KEY_PERM_EMPTY")
  end
  if not ctx.user and not methods.free[name] then rpc.fail(401, "AUTH_KEY_UNREGISTERED") end
  if ctx.user then self:attach(ctx.session, ctx.user.id, ctx.silent) end
  if model.faults then model.faults:beforeMethod(ctx, name, query) end
  if not entry then
    self.log(NOTICE, ("the sandbox has no %s"):format(name))
    rpc.fail(400, "METHOD_NOT_IMPLEMENTED")
  end
  local described = self.described[name]
  if described == nil then
    described = tl.method(name) or false
    self.described[name] = described
  end
  if ctx.user and described then
    if described.usersOnly and ctx.user.bot then rpc.fail(400, "BOT_METHOD_INVALID") end
    if described.botsOnly and not ctx.user.bot then rpc.fail(400, "USER_BOT_REQUIRED") end
  end
  return entry(ctx, query)
end

local function answer(self, ctx, req, ok, result)
  local session = ctx.session
  local failed = not ok
  if ok then
    local sent, why = pcall(session.result, session, req, result, ctx.name)
    if not sent then ok, result = false, why end
  end
  if not ok then
    failed = true
    if rpc.is(result) then
      self.log(VERBOSE, ("%s → %d %s"):format(ctx.name or "?", result.code, result.text))
      session:error(req, result.code, result.text)
    else
      self.log(WARNING, ("%s failed in the sandbox: %s"):format(ctx.name or "?", tostring(result)))
      self.faulty = (self.faulty or 0) + 1
      session:error(req, 500, "INTERNAL")
    end
  end
  local data = ctx.data
  note(data, req, failed)
  local running = data.running and data.running[req]
  if running then
    data.running[req] = nil
    core_.resolve(running)
  end
end

function Server:request(session, req, query, errname, id)
  local data = session.data
  if not query then
    self.log(NOTICE, ("a request that cannot be read (%s, constructor %08x)"):format(errname, id or 0))
    note(data, req, true)
    local known = id and tl.constructor(id)
    session:error(req, 400, errname == "UNKNOWN_ID" and not known and "INPUT_METHOD_INVALID" or "INPUT_FETCH_ERROR")
    return
  end
  local ctx = { server = self, model = self.model, session = session, req = req, data = data, dc = session.dc }
  -- Whoever names this request by invokeAfterMsg while it runs waits for it.
  if not data.running then data.running = {} end
  local promise = core_.new()
  data.running[req] = promise
  local ok, result = xpcall(run, trace, ctx, query)
  answer(self, ctx, req, ok, result)
end

-- ---- sessions and accounts ----

--- Whose session it is: { user, date, … }, or nil before the login. A temporary key stands for the one it is bound to.
function Server:authOf(session)
  local s = self.model.state
  local id = session.authKeyId
  local bound = s.bound[id]
  if bound then
    if bound.expires <= self.model:now() then return nil end
    id = bound.perm
  end
  return s.auths[id]
end

--- Whether the session's key is a temporary one that stands for a permanent one.
function Server:isBound(session)
  local bound = self.model.state.bound[session.authKeyId]
  return bound ~= nil and bound.expires > self.model:now()
end

--- The session gets the updates of that account from now on (or, silent, does not).
function Server:attach(session, uid, silent)
  local data = session.data
  if data.uid == uid and data.silent == silent then return end
  self:detach(session)
  data.uid, data.silent = uid, silent
  if silent then return end
  local set = self.model.sessions[uid]
  if not set then
    set = {}
    self.model.sessions[uid] = set
  end
  set[session] = true
  updates.release(self.model, uid)
end

--- A connection carries the session again. What was not kept for it meanwhile it has to fetch.
function Server:up(session)
  local data = session.data
  data.down = nil
  if not data.uid or data.silent then return end
  if data.missed then
    data.missed = nil
    self.model:deliver(session, { _ = "updatesTooLong" })
  end
  updates.release(self.model, data.uid)
end

function Server:detach(session)
  local data = session.data
  local set = data.uid and self.model.sessions[data.uid]
  if set then
    set[session] = nil
    if not next(set) then self.model.sessions[data.uid] = nil end
  end
  data.uid = nil
end

--- A login: the key of ctx's session belongs to the account from now on.
function Server:authorize(ctx, user)
  local s = self.model.state
  local bound = s.bound[ctx.session.authKeyId]
  s.auths[bound and bound.perm or ctx.session.authKeyId] = {
    user = user.id, date = self.model:now(), client = ctx.data.client, hash = self.model:random(),
  }
  self:attach(ctx.session, user.id)
  self.model:changed()
end

--- The session's key stands for `perm` from now on. Where it is known by another temporary key of that one, it goes on: what was pushed
--- and not acknowledged comes again.
function Server:bind(session, perm, expires)
  local s = self.model.state
  s.bound[session.authKeyId] = { perm = perm, expires = expires }
  self.log(VERBOSE, "a temporary key is bound")
  local auth = s.auths[perm]
  for other in pairs(auth and self.model.sessions[auth.user] or {}) do
    local bound = s.bound[other.authKeyId]
    if other ~= session and other.id == session.id and bound and bound.perm == perm then
      session:takeOver(other)
      self:detach(other)
      self:attach(session, auth.user)
      break
    end
  end
  self.model:changed()
end

--- A logout: every session of that key is nobody's.
function Server:unauthorize(ctx)
  local s = self.model.state
  local key = ctx.session.authKeyId
  local bound = s.bound[key]
  s.auths[bound and bound.perm or key] = nil
  for session in pairs(self.model.sessions[ctx.user.id] or {}) do
    if session.authKeyId == key then self:detach(session) end
  end
  self.model:changed()
end

--- opts: model, key (private PEM), log = fn(level, text).
function Server:init(opts)
  local model = opts.model
  self.model = model
  self.log = opts.log or model.log
  self.described = {}
  self.addresses = {}
  model.server = self
  local function send(session, container)
    local ok, id, why = pcall(session.push, session, container)
    if not ok then
      self.faulty = (self.faulty or 0) + 1
      self.log(WARNING, "an update could not be sent: " .. tostring(id))
    elseif not id and why then
      self.log(NOTICE, "an update was not sent: " .. tostring(why))
    end
  end
  function model.deliver(_, session, container)
    local data = session.data
    if data.down and not session.up and timer.now() - data.down > DOWN_MAX then
      data.missed = true
      return
    end
    if model.faults then return model.faults:deliver(session, container, send) end
    send(session, container)
  end
  self.wire = wire.new {
    key = opts.key,
    on = {
      request = function(session, req, query, errname, id) self:request(session, req, query, errname, id) end,
      up = function(session) self:up(session) end,
      down = function(session) session.data.down = timer.now() end,
      gone = function(session) self:detach(session) end,
      authKey = function(auth, dc)
        local keys = model.state.keys
        keys[auth.id] = { key = auth.key, salt = auth.salt, dc = dc }
        model:changed()
      end,
    },
  }
  polls.resume(model)
  scheduled.resume(model)
  for _, auth in pairs(model.state.keys) do self.wire:addAuthKey(auth, auth.dc) end
end

--- Listens for a DC; returns the port, or raises.
function Server:listen(host, port, dc)
  local taken, why = self.wire:listen(host, port, dc)
  if not taken then error(("the sandbox cannot listen on %s:%d: %s"):format(host, port, why or "?"), 0) end
  self.addresses[#self.addresses + 1] = { host = host, port = taken, dc = dc }
  return taken
end

function Server:close()
  if self.closed then return end
  self.closed = true
  self.wire:close()
  self.model.sessions = {}
end

--- A task per request is what the wire gives; this is for work of the sandbox's own.
Server.spawn = task.spawn

return Server
