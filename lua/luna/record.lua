--- `luna run --record FILE`: what comes to a program's bots and what they call, as one JSON object a line, for `luna replay`. It hangs on
--- four methods of a client (the update's way in, the connection's calls, boot, stop), which it puts over the client's own: a run without
--- a record pays nothing. Made by luna.cli.run; owns the file. The lines are described in lua/README.md.
local crypto = require "_luna.crypto"
local raw = require "_luna.json"
local host = require "_luna.host"
local promise = require "_luna.promise"
local task = require "_luna.task"
local timer = require "_luna.timer"
local tl = require "_luna.tl"
local Class = require "luna.class"
local errors = require "luna.errors"
local File = require "luna.record.file"
local Logger = require "luna.logger"
local Mask = require "luna.record.mask"
local persist = require "luna.persist"
local redaction = require "luna.redaction"
local scope = require "luna.scope"

local Recorder = Class.new "Recorder"

local randomseed = math.randomseed -- a script may have its own

local LIMIT = 64 << 20
local VERSION = 1
Recorder.VERSION = VERSION

--- Calls that are about secrets alone: they are not part of a record.
function Recorder.isPrivate(name) return name:find "^auth%." ~= nil or name:find "assword" ~= nil end

--- opts: path, maskTexts, limit (bytes). Begins the file; raises an exception with status 2 where it cannot be.
function Recorder:init(opts)
  self.maskTexts = opts.maskTexts or false
  self.mask = Mask { texts = self.maskTexts }
  self.seed = string.unpack("<i8", crypto.random(8))
  self.began, self.wall = timer.now(), timer.wall()
  self.n, self.calls = 0, 0 -- numbers of updates and of calls
  self.numbers = setmetatable({}, { __mode = "k" }) -- update → its number, while somebody has it
  self.own = setmetatable({}, { __mode = "k" }) -- update inside an answer → the call's number << 16 | its place there
  self.clients, self.guarded = {}, {}
  self.file = File { path = opts.path, limit = opts.limit or LIMIT,
    onFull = function() self:head(true) end, onError = function(why) self:failed(why) end }
  local ok, why = self.file:open()
  if not ok then
    error(errors.classes.Exception(("the record %s cannot be written: %s"):format(opts.path, (tostring(why):gsub("^.*: ", ""))),
      { status = 2, hint = "--record takes a new file's name, or that of an earlier record, which becomes FILE.1" }), 0)
  end
  self:head()
  self.file:flush()
  randomseed(self.seed, 0)
end

-- The record cannot be written any more: that is said once, and the bots go on.
function Recorder:failed(why)
  self.closed = true
  Logger.write(Logger.ERROR, "record", ("the record %s ends here, the bots go on: %s"):format(self.file.path, why))
end

local function text(value) return raw.encode(value) end

-- One line: time, the client's number, kind, and what follows as JSON without its braces.
function Recorder:line(client, kind, rest)
  if self.closed then return end
  self.file:write(('{"t":%.6f,"b":%d,"k":"%s"%s}\n'):format(timer.now() - self.began, client, kind, rest or ""))
end

-- What a file begins with. continued: an earlier part is in FILE.1.
function Recorder:head(continued)
  self.file:write(('%s"version":%d,"layer":%d,"program":%s,"wall":%.6f,"zone":%s,"seed":%d,"masked":%s,"continued":%s}\n'):format(File.MARK,
    VERSION, tl.layer, text(tostring(host.version)), self.wall, text(os.date("%z", self.wall // 1 | 0)), self.seed, self.maskTexts,
    continued or false))
  for _, client in ipairs(self.clients) do
    self:line(client.number, "bot", client.about)
    if client.me then self:line(client.number, "up", client.me) end
  end
end

-- A value as JSON, or as a note of why there is none.
function Recorder:json(value)
  local made, why = self.mask:encode(value)
  return made or ('{"_":"luna.lost","why":%s}'):format(text(redaction.text(errors.bare(tostring(why)))))
end

-- ---- updates ----

local function takeUpdate(self, client, update)
  local n = self.n + 1
  self.n, self.numbers[update] = n, n
  local own = self.own[update]
  if own then
    self:line(client, "update", (',"n":%d,"own":%d,"i":%d'):format(n, own >> 16, own & 0xffff))
  else
    self:line(client, "update", (',"n":%d,"u":%s'):format(n, self:json(update)))
  end
  randomseed(self.seed, n) -- what a handler draws, it draws again in the replay
end

-- ---- calls ----

local internal = { ["updates.getState"] = true, ["updates.getDifference"] = true, ["updates.getChannelDifference"] = true }

--- The number of the update whose handler calls, 0 for what the script does otherwise; nil: it is not the script that calls. self: has
--- `numbers` (update → its number) and `guarded` (ids of tasks that run onStart and its kin).
function Recorder.caller(self, core)
  local owner, low = scope.current()
  if owner == core and low ~= 0 and not scope.markOf(low) then
    local context = core.dispatch:context()
    return context and self.numbers[context.update] or 0
  end
  if low ~= 0 then return 0 end
  local current = task.current()
  return current and self.guarded[current.id] and 0 or nil -- else the library, or a person at the REPL
end

local function began(self, core, client, name, q)
  if self.closed or type(q) == "string" or type(name) ~= "string" or Recorder.isPrivate(name) then return nil end
  local from = Recorder.caller(self, core)
  if not from or from == 0 and internal[name] then return nil end
  local n = self.calls + 1
  self.calls = n
  self:line(client, "call", (',"n":%d,"from":%d,"m":"%s","p":%s'):format(n, from, name, self:json(q or {})))
  return n
end

-- An answer, or what was raised instead of one.
local function ended(self, client, n, ok, result, code, why, detail)
  if not ok then
    local what = errors.is(result, errors.classes.CancelledException) and "cancelled" or redaction.text(errors.bare(tostring(result)))
    self:line(client, "raised", (',"n":%d,"why":%s'):format(n, self:json(what)))
  elseif code then
    self:line(client, "refused", (',"n":%d,"e":%s'):format(n, self:json { code, tostring(why), detail and tostring(detail) or nil }))
  elseif type(result) == "string" then
    self:line(client, "answer", (',"n":%d,"r":%s'):format(n, self:json { _ = "luna.cut", n = #result }))
  else
    self:line(client, "answer", (',"n":%d,"r":%s'):format(n, self:json(result)))
    local list = type(result) == "table" and result.updates
    if type(list) ~= "table" then return end
    for i = 1, math.min(#list, 0xffff) do self.own[list[i]] = n << 16 | i end
  end
end

local function finish(self, client, n, ok, ...)
  ended(self, client, n, ok, ...)
  if not ok then error((...), 0) end
  return ...
end

-- The connection as the client sees it, its calls going through the record. One for each connection.
local function overConnection(self, core, client, conn)
  if getmetatable(conn) == self.proxies then return conn end
  local known = client.connections[conn]
  if known then return known end
  local proxy = {}
  function proxy.call(_, name, q, opts, ...)
    local n = began(self, core, client.number, name, q)
    if not n then return conn:call(name, q, opts, ...) end
    return finish(self, client.number, n, pcall(conn.call, conn, name, q, opts, ...))
  end
  function proxy.callAsync(_, name, q, opts, ...)
    local n = began(self, core, client.number, name, q)
    local answer = conn:callAsync(name, q, opts, ...)
    if n then
      promise.onResolve(answer, function(err, value)
        if err == nil then return ended(self, client.number, n, true, value) end
        if errors.is(err, errors.classes.RPCErrorException) then return ended(self, client.number, n, true, nil, err.code, err.rpc) end
        ended(self, client.number, n, false, err)
      end)
    end
    return answer
  end
  setmetatable(proxy, self.proxies)
  self.behind[proxy] = conn
  client.connections[conn] = proxy
  return proxy
end

-- Everything else a connection can do goes to it as it is.
local function proxies(self)
  self.behind = setmetatable({}, { __mode = "k" })
  self.proxies = {
    __index = function(proxy, name)
      local conn = self.behind[proxy]
      local method = conn[name]
      if type(method) ~= "function" then return method end
      local fn = function(_, ...) return method(conn, ...) end
      rawset(proxy, name, fn)
      return fn
    end,
  }
end

-- ---- clients ----

-- Fields of the handler's state that were there from an earlier run.
local function keptState(self, core, client)
  local class, instance = core.dispatch.class, core.dispatch.instance
  local state = instance and rawget(instance, "state")
  if not class or not class.persist or type(state) ~= "table" then return end
  local fields = {}
  for _, name in ipairs(class.persist) do
    local ok, made = pcall(function() return persist.encode(self.mask:value(state[name])) end)
    if ok and state[name] ~= nil then fields[name] = made end
  end
  if next(fields) then self:line(client, "state", ',"fields":' .. self:json(fields)) end
end

--- Follows a client from its first connection on.
function Recorder:attach(core)
  if self.closed then return end
  if not self.proxies then proxies(self) end
  local number = #self.clients + 1
  local settings = core.settings
  local client = { number = number, connections = setmetatable({}, { __mode = "k" }) }
  client.about = (',"name":%s,"order":"%s","floodTimeout":%s'):format(text(core.name), settings.updates.order,
    text(settings.floodTimeout))
  self.clients[number] = client
  self:line(number, "bot", client.about)
  local dispatch, dcs = core.dispatch, core.dcs
  local handle, install, guard, report, restore = dispatch.handle, dispatch.install, dispatch.guard, dispatch.report, dispatch.restore

  function dispatch.handle(this, update, ...)
    if not self.closed then takeUpdate(self, number, update) end
    return handle(this, update, ...)
  end
  function dispatch.install(...)
    if core.updates.active then self:line(number, "reload") end
    return install(...)
  end
  -- onStart, onStop and onGap belong to the script, though no update and no version's mark says so.
  function dispatch.guard(...)
    local id = task.current().id
    self.guarded[id] = true
    local ok = guard(...)
    self.guarded[id] = nil
    return ok
  end
  function dispatch.report(this, err, update, ...)
    local said = self:json(errors.bare(errors.text(err)))
    self:line(number, "error", (',"from":%d,"text":%s'):format(update and self.numbers[update] or 0, said))
    return report(this, err, update, ...)
  end
  function dispatch.restore(...)
    local result = restore(...)
    if not core.updates.active or not client.restored then keptState(self, core, number) end
    client.restored = true
    return result
  end
  local connectHome, get, boot, stop, byUsername = dcs.connectHome, dcs.get, core.boot, core.stop, core.peers.byUsername
  function dcs.connectHome(...)
    connectHome(...)
    core.conn = overConnection(self, core, client, core.conn)
    return core.conn
  end
  function dcs.get(...) return overConnection(self, core, client, get(...)) end
  function core.boot(...)
    boot(...)
    client.me = ',"me":' .. self:json { id = core.me.id, bot = core.me.bot, username = core.me.username, first_name = core.me.first_name }
    self:line(number, "up", client.me)
  end
  function core.stop(this, reason, ...)
    if core.state ~= "stopped" and core.state ~= "stopping" then
      self:line(number, "stop", ',"why":' .. self:json(tostring(reason)))
    end
    stop(this, reason, ...)
    self.file:flush()
  end
  -- A name that the session knew needs no call.
  function core.peers.byUsername(this, name)
    local entry = byUsername(this, name)
    if entry then self:line(number, "name", (',"name":%s,"id":%d'):format(self:json(name:lower()), entry.id)) end
    return entry
  end
end

--- Ends the record; clients that it follows go on without.
function Recorder:close()
  if not self.closed then self.file:close() end
  self.closed = true
  local api = require "luna.api"
  if self.onNew and api.onNew == self.onNew then api.onNew = nil end
end

--- Records every client that the program makes from now on.
function Recorder.start(opts)
  local self = Recorder(opts)
  if self.file.moved then
    Logger.write(Logger.NOTICE, "record", ("the record that was there is %s.1 now"):format(self.file.path))
  end
  self.onNew = function(core) self:attach(core) end
  require("luna.api").onNew = self.onNew
  return self
end

return Recorder
