--- The client behind an API object: settings, session store, connections, account, and the one way a call takes. API objects and
--- handlers hold it as `_core`; everything else in luna.* gets it as its first argument. Owns the store handle and the connections.
local client = require "_luna.client"
local storeLib = require "_luna.store"
local task = require "_luna.task"
local core_ = require "_luna.promise"
local host = require "_luna.host"
local tl = require "_luna.tl"
local Class = require "luna.class"
local errors = require "luna.errors"
local params = require "luna.params"
local scope = require "luna.scope"
local settings = require "luna.settings"
local middleware = require "luna.middleware"
local Logger = require "luna.logger"
local Peers = require "luna.peers"
local RandomId = require "luna.random_id"
local Dcs = require "luna.dc"
local Updates = require "luna.updates"
local Dispatch = require "luna.dispatch"

local Core = Class.new "Core"
local classes = errors.classes
local prepare, refused = params.prepare, middleware.refused

-- path → { store, users }: bots of one process share a session file.
local stores = {}

local storeHints = {
  BUSY = "is in use by %s: end that one, or give each its own --session",
  CORRUPT = "is damaged and was left as it is: restore a copy, or move it away and log in anew",
  PERMISSION = "cannot be used: no permission: check who owns it",
}

local function openStore(path, durability)
  local shared = path and stores[path]
  if shared then
    shared.users = shared.users + 1
    return shared.store
  end
  local store, name, text = storeLib.open(path, durability)
  if not store then
    local what = (text or name):gsub("^session .-: ", "")
    local hint = storeHints[name]
    if name == "BUSY" then hint = hint:format(what:match "process %d+" or "another process") end
    hint = hint or what .. ": move it away, or give another --session"
    error(classes.SessionException(("the session %s %s"):format(path or "in memory", hint),
      { name = name, status = name == "PERMISSION" and 2 or 1 }), 0)
  end
  if path then stores[path] = { store = store, users = 1 } end
  return store
end

local function closeStore(path, store)
  local shared = path and stores[path]
  if shared then
    shared.users = shared.users - 1
    if shared.users > 0 then return end
    stores[path] = nil
  end
  store:flush()
  store:close()
end

--- session: a path or nil; opts: as settings.resolve, `name` for the log, and `store`, an open one: of a client before, whose
--- `keepsStore` was set when it was stopped.
function Core:init(session, opts)
  self.settings, self.opts = settings.resolve(opts), opts
  if opts.where == "luna.API" then self:openLog() end -- what the script says from here on goes there
  self.session = session
  self.name = opts.name or opts.stem or self.settings.name or "luna"
  self.async, self.state = false, "new"
  self.namespaces, self.methods = {}, {}
  self.loops = {}
  self.scope, self.mark = scope.new(self), scope.mark()
  self.peers, self.randomId, self.dcs = Peers(self), RandomId(self), Dcs(self)
  self.dispatch = Dispatch(self)
  self.updates = Updates(self)
  -- A plain function, so that a call needs no closure: core.call(core, method, p).
  self.call = Core.callWith
end

--- Where the settings say that the log goes.
function Core:openLog()
  if self.settings.logger and not self.hasLog then Logger.configure(self.settings.logger) end
  self.hasLog = true
end

--- A line of the log: a format and what goes into it, or a text and the table that luna.logger takes.
function Core:log(level, text, ...)
  if not Logger.wants(level) then return end
  local about = ...
  if type(about) == "table" and getmetatable(about) == nil then return Logger.write(level, self.name, text, about) end
  if select("#", ...) > 0 then text = text:format(...) end
  Logger.write(level, self.name, text)
end

--- Runs fn(self…) once in the next turn: for work that a turn's calls share.
function Core:later(fn, object)
  local pending = self.pending
  if not pending then
    pending = {}
    self.pending = pending
    task.defer(Core.runPending, self)
  end
  pending[#pending + 1] = fn
  pending[#pending + 1] = object
end

function Core:runPending()
  local pending = self.pending
  self.pending = nil
  if self.state == "stopped" then return end -- the store is closed, and all was written
  for i = 1, #pending, 2 do pending[i](pending[i + 1]) end
end

--- The compiled method of that full name, or nil.
function Core:method(name)
  local method = self.methods[name]
  if method == nil then
    method = params.compile(name) or false
    self.methods[name] = method
  end
  return method or nil
end

function Core:prefix()
  local s = self.settings
  return client.encodePrefix {
    layer = tl.layer, api_id = s.app.id, device_model = s.device.model or host.hostname(), system_version = s.device.system or "Linux",
    app_version = s.device.app or ("luna " .. tostring(host.version)), system_lang_code = s.device.lang or "en", lang_pack = "",
    lang_code = s.device.lang or "en",
  }
end

local remember -- of luna.message, which a bot may do without

-- What a result teaches: peers, and the updates that ride in it.
local function absorb(self, method, q, result)
  if method.result == "Updates" then
    if result == true then return result end -- nobody waits for the answer
    if result._ == "updateShortSentMessage" then
      remember = remember or require("luna.message").remember
      remember(result, q)
    end
    self.updates:fromResult(result, q)
  elseif type(result) ~= "table" then
    return result
  elseif result.users or result.chats then
    self.peers:harvest(result)
  elseif result.pts_count then
    self.updates:affected(q, result)
  elseif result._ == "user" then
    self.peers:addUser(result)
  elseif result[1] and type(result[1]) == "table" and result[1]._ == "user" then
    for i = 1, #result do self.peers:addUser(result[i]) end
  end
  return result
end

--- The way of a call: prepares the parameters, sends, suspends, handles refusals. Raises exceptions; wrong parameters as strings.
function Core.callWith(self, method, p, opts)
  local conn = self.conn
  if not conn or self.state ~= "up" then
    params.check(method, p)
    self:ready()
    conn = self.conn or self:noConnection()
  end
  local q, key, text, sent = prepare(self, method, p)
  local sendOpts
  if opts then
    if opts.dc then conn = self.dcs:get(opts.dc) end
    if opts.timeout or opts.noResponse or opts.queue then
      sendOpts = { timeout = opts.timeout, noResponse = opts.noResponse }
      if opts.queue then return self:queued(conn, method, opts.queue, sendOpts, q, key, text, sent) end
    end
  end
  local result, code, why, detail = conn:call(method.name, q, sendOpts, key, text, sent)
  if code then result = refused(self, conn, method, q, sendOpts, code, why, detail) end
  return absorb(self, method, q, result)
end

-- Sends a call of a queue and takes it to its end. before: a promise of the end of the one before it, or nil.
local function inTurn(self, conn, method, name, before, sendOpts, q, key, text, sent)
  sendOpts.after = self.queues[name]
  local promise = conn:callAsync(method.name, q, sendOpts, key, text, sent)
  local id = conn:lastRequest()
  self.queues[name] = id
  local ok, result = pcall(core_.await, promise)
  if self.queues[name] == id then self.queues[name] = nil end
  if ok then return result end
  if core_.state(promise) == "pending" then -- this wait was cancelled, and so is the request
    core_.markHandled(promise)
    core_.cancel(promise, result)
  end
  if not errors.is(result, classes.RPCErrorException) then error(result, 0) end
  if before then core_.awaitTimeout(before, sendOpts.timeout or math.huge) end -- it may have to be sent anew, and this one behind it
  sendOpts.after = nil
  local code, why, detail = result.code, result.rpc, nil
  if why == "MSG_WAIT_FAILED" then -- no fault of this one
    result, code, why, detail = conn:call(method.name, q, sendOpts)
    if not code then return result end
  end
  return refused(self, conn, method, q, sendOpts, code, why, detail)
end

--- Calls of one queue are ordered by the server: each names the one before it.
function Core:queued(conn, method, name, sendOpts, q, key, text, sent)
  self.queues, self.turns = self.queues or {}, self.turns or {}
  local done, before = core_.new(), self.turns[name]
  self.turns[name] = done
  local ok, result = pcall(inTurn, self, conn, method, name, before, sendOpts, q, key, text, sent)
  if self.turns[name] == done then self.turns[name] = nil end
  core_.resolve(done)
  if not ok then error(result, 0) end
  return absorb(self, method, q, result)
end

--- A call from inside the library, by name.
function Core:invoke(name, p, opts)
  local method = self:method(name)
  if not method then error("no method " .. name, 2) end
  return self.call(self, method, p, opts)
end

function Core:noConnection() errors.throw(self.fatalError or classes.ConnectionException "there is no connection: it has been closed") end

-- A call before all is up: what logs in goes on, everybody else waits for it.
function Core:ready()
  local state = self.state
  if self.fatalError then error(self.fatalError, 0) end
  if state == "stopping" and self.conn then return end
  if state == "up" and self.dcs.moving then return self.dcs:settled() end
  local current = task.current()
  if state == "starting" and current and current.id == self.bootTask then return end
  self:start()
end

-- What start() begins, once for all that wait for it: a task of its own, which goes on where they are cancelled.
local function bring(self)
  scope.enter(self.scope, 0)
  self.bootTask = task.current().id
  local ok, err = pcall(self.boot, self)
  if not ok then
    if self.state == "starting" then self.state = "new" end
    self.started = nil
    error(err, 0)
  end
  if Core.onUp then Core.onUp(self) end -- luna.cli.run: for the service manager
  if self.dispatch:hasHandler() then self.updates:activate() end
end

--- Connects and logs in; waits while another task does. Raises what keeps it from working.
function Core:start()
  if self.state == "up" then return self end
  if self.state == "stopped" then errors.throw(classes.Exception "this API object has been stopped") end
  local started = self.started
  if not started then
    task.checkWait() -- before anything begins
    self.state = "starting"
    started = task.spawn(bring, self)
    if core_.state(started) == "pending" then self.started = started end
  end
  core_.await(started)
  return self
end

-- Whether the server is one of this machine: not Telegram's, which alone wants an app id of its own.
local function isLocal(s)
  local where = s.dc and (s.dc[s.homeDc] or select(2, next(s.dc)))
  local address = where and settings.parseAddress(where)
  return address ~= nil and (address:find "^127%." or address == "::1" or address == "localhost") and true or false
end

local function sandboxed(self)
  local s = self.settings
  if s.sandbox or isLocal(s) then
    s.app = s.app or {}
    s.app.id, s.app.hash = s.app.id or 1, s.app.hash or "sandbox"
  end
  if not s.sandbox then return end
  if type(s.sandbox) == "userdata" then return end
  -- `true` or a served sandbox: luna.sandbox gives wire or address and keys, and a token for this bot.
  local place = require("luna.sandbox").attach(s.sandbox, { stem = self.name, username = s.username })
  for key, value in pairs(place) do s[key] = value end
end

function Core:boot()
  sandboxed(self)
  local s = self.settings
  if not (s.app and s.app.id and s.app.hash) then
    local text = "no app id: set LUNA_API_ID and LUNA_API_HASH (from https://my.telegram.org), or try --sandbox, which needs neither"
    error(settings.missing(text), 0)
  end
  if s.botToken then host.secret(s.botToken) end
  host.secret(s.app.hash)
  if s.phone then host.secret((s.phone:gsub("%D", ""))) end
  self:openLog()
  local login = require "luna.login"
  self.dcs:keys()
  if not self.store then
    login.checkBefore(self)
    self.store = self.opts.store or openStore(self.session, s.durability)
    self.accountName = login.accountName(s, self.store)
    self.account = self.store:account(self.accountName)
    self.randomId:prepare()
  end
  self.home = self.home or math.tointeger(tonumber(self.account:get "home")) or s.homeDc or (s.dc and next(s.dc)) or 2
  if s.dc and not s.dc[self.home] and next(s.dc) then self.home = s.homeDc or next(s.dc) end
  login.check(self)
  self.dcs:connectHome()
  login.run(self)
  self.state = "up"
  self.updates:prepare()
end

--- The account is no longer authorised. A bot logs in anew by its token, once; a person has to.
function Core:unauthorized(text)
  if self.state ~= "up" or text == "SESSION_PASSWORD_NEEDED" or self.relogin then return end
  self:log(Logger.ERROR, "the server says %s: the session has been logged out", text)
  self.account:set("self", nil)
  if not self.settings.botToken then
    return self:fatal(classes.LoginException("the session has been logged out: log in again", { rpc = text, status = 1 }))
  end
  self.relogin = task.spawn(function()
    scope.enter(self.scope, 0)
    local ok, err = pcall(require("luna.login").bot, self)
    self.relogin = nil
    if not ok then return self:fatal(err) end
    self.updates:newSession()
  end)
end

--- A connection has given up for good.
function Core:fatal(err)
  if self.state == "stopped" then return end
  if self.state == "up" then self:log(Logger.FATAL_ERROR, "%s", tostring(err)) end
  self.fatalError, self.conn = err, nil
  for i = #self.loops, 1, -1 do
    local p = self.loops[i]
    if core_.state(p) == "pending" then core_.fail(p, err) end
  end
end

--- The loops (luna.loops) that run for this API object, as a list: they come and go while it is walked.
function Core:backgroundLoops()
  local list = {}
  for loop in pairs(self.background or {}) do list[#list + 1] = loop end
  return list
end

--- Ends: no more updates, handlers get `grace` seconds, state and store are written, connections closed.
function Core:stop(reason, grace)
  if self.state == "stopped" or self.state == "stopping" then return end
  local wasUp = self.state == "up"
  self.state = "stopping"
  self.updates:stop()
  self.dispatch:stop(reason, grace or 3)
  for _, loop in ipairs(self:backgroundLoops()) do loop:stop() end
  if wasUp then self.updates:flush() end
  self.peers:flush()
  self.state = "stopped"
  self.dcs:close()
  if self.store and not self.keepsStore then closeStore(self.session, self.store) end
  for _, p in ipairs(self.loops) do
    if core_.state(p) == "pending" then core_.resolve(p) end
  end
  scope.free(self.scope)
end

if client.setErrorFactory then
  client.setErrorFactory(function(code, text, detail, method) return middleware.toError(code, text, detail, method) end)
end

return Core
