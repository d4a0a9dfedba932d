--- Data centres of one client core: their addresses (command line and settings over help.getConfig over what is built in), one
--- connection each, keys from and to the store, migration of the account, and authorisation carried over to other DCs.
local client = require "_luna.client"
local task = require "_luna.task"
local timer = require "_luna.timer"
local scope = require "luna.scope"
local core_ = require "_luna.promise"
local tl = require "_luna.tl"
local Class = require "luna.class"
local errors = require "luna.errors"
local settings = require "luna.settings"
local Logger = require "luna.logger"

local Dcs = Class.new "Dcs"
local DAY = 86400 -- how long a temporary key lives
local classes = errors.classes

-- Telegram's own, as every client has them built in.
local builtIn = {
  [1] = { "149.154.175.53", "2001:b28:f23d:f001::a" },
  [2] = { "149.154.167.51", "2001:67c:4e8:f002::a" },
  [3] = { "149.154.175.100", "2001:b28:f23d:f003::a" },
  [4] = { "149.154.167.91", "2001:67c:4e8:f004::a" },
  [5] = { "91.108.56.130", "2001:b28:f23f:f005::a" },
}

function Dcs:init(core)
  self.core = core
  self.connections = {} -- dc → { conn =, ready = promise, authorised = promise | true }
  self.config = nil -- dc → list of { host, port }, from help.getConfig
end

--- Where a DC is: a list of { host, port }, best first.
function Dcs:addresses(dc)
  local own = self.core.settings.dc
  if own and own[dc] then
    local host, port = settings.parseAddress(own[dc])
    return { { host, port } }
  end
  if self.config and self.config[dc] then return self.config[dc] end
  if own and next(own) then return nil end -- another network altogether: Telegram's addresses would be wrong there
  local list = {}
  for _, host in ipairs(builtIn[dc] or {}) do list[#list + 1] = { host, 443 } end
  return #list > 0 and list or nil
end

--- Takes over the list of help.getConfig.
function Dcs:learn(config)
  local found = {}
  for _, option in ipairs(config.dc_options or {}) do
    if not option.media_only and not option.cdn and not option.tcpo_only then
      local list = found[option.id] or {}
      found[option.id] = list
      if option.ipv6 then
        list[#list + 1] = { option.ip_address, option.port }
      else
        table.insert(list, 1, { option.ip_address, option.port })
      end
    end
  end
  self.config = found
end

local function readKeys(list)
  local keys = {}
  for i, key in ipairs(list) do
    if not key:find("-----BEGIN", 1, true) then
      local file = io.open(key, "rb")
      if not file then error(classes.SettingsException(("the key file %s cannot be read: --dc-key takes a PEM file"):format(key)), 0) end
      local text = file:read "a"
      file:close()
      if not text:find("-----BEGIN", 1, true) then
        error(classes.SettingsException(("%s holds no public key in PEM form"):format(key)), 0)
      end
      key = text
    end
    keys[i] = key
  end
  return keys
end

--- The public keys to accept.
function Dcs:keys()
  if not self.keyList then
    local own = self.core.settings.dcKeys
    if own then
      self.keyList = readKeys(own)
    elseif type(self.core.settings.sandbox) == "userdata" then
      self.keyList = { self.core.settings.sandbox:publicKey() }
    else
      self.keyList = { tl.keys "production" }
    end
  end
  return self.keyList
end

local function describe(addresses)
  local first = addresses and addresses[1]
  return first and ("%s:%d"):format(first[1], first[2]) or "the sandbox"
end

-- A connection in the making; its callbacks run in tasks of their own.
local function open(self, dc)
  local core = self.core
  local s = core.settings
  local memory = type(s.sandbox) == "userdata" and s.sandbox or nil
  local addresses = not memory and self:addresses(dc) or nil
  if not memory and not addresses then
    errors.throw(classes.ConnectionException(("no address is known for DC %d: give it by --dc %d=HOST:PORT"):format(dc, dc)))
  end
  local entry = { dc = dc, ready = core_.new(), where = describe(addresses) }
  core_.markHandled(entry.ready)
  self.connections[dc] = entry
  local function fail(err)
    entry.error = err
    if core_.state(entry.ready) == "pending" then core_.fail(entry.ready, err) end
  end
  entry.conn = client.connect {
    dc = dc, addresses = addresses, sandbox = memory, keys = self:keys(), transport = s.transport, timeout = s.connection.timeout,
    temporaryKey = s.pfs and DAY or 0, auth = core.account:authKey(dc), prefix = core:prefix(),
    on = {
      status = function(state, errname, why, retryIn)
        if (state == "up") ~= (entry.state == "up") or not entry.since then entry.since = timer.wall() end
        if state == "up" and entry.state ~= "up" then entry.ups = (entry.ups or 0) + 1 end
        entry.state = state
        if state == "up" then
          if entry.why then core:log(Logger.NOTICE, "DC %d: connected again", dc) end
          entry.why = nil
          if core_.state(entry.ready) == "pending" then core_.resolve(entry.ready, entry) end
        elseif errname and errname ~= "" then
          entry.lastWhy = why or errname
          local ending = core.state == "stopped" or core.state == "stopping"
          local final = retryIn and retryIn < 0 -- `fatal` says it
          if entry.why ~= errname and not ending and not final then -- one line for a dead network, not one a try
            entry.why = errname
            core:log(Logger.WARNING, "DC %d (%s): %s%s", dc, entry.where, why or errname,
              retryIn and retryIn > 0 and (": next try in %.0f s"):format(retryIn) or "")
          end
        end
      end,
      key = function(auth) core.account:setAuthKey(dc, auth) end,
      salts = function(auth) core.account:setAuthKey(dc, auth) end,
      update = function(update, ack, raw, errname)
        core.updates:receive(entry.conn, update, ack, raw, errname)
      end,
      session = function()
        if dc == core.home then core.updates:newSession() end
      end,
      fatal = function(errname, why)
        local text = ("DC %d (%s): %s"):format(dc, entry.where, why or errname)
        if errname == "NO_KEY" and not memory then text = text .. ": --dc-key FILE.pem names another server's public key" end
        local err = classes.ConnectionException(text, { name = errname, status = 1 })
        fail(err)
        core:fatal(err)
      end,
    },
  }
  return entry
end

--- Waits until the entry's connection is up; without a saved key at most connection.timeout seconds.
local function await(self, entry)
  if core_.state(entry.ready) ~= "pending" then return core_.await(entry.ready) end
  local account = self.core.account
  if account:authKey(entry.dc) and account:get "self" then return entry end -- calls are queued until it is up
  local limit = self.core.settings.connection.timeout
  if core_.awaitTimeout(entry.ready, limit) == false then
    errors.throw(classes.ConnectionException(
      ("no connection to DC %d (%s) within %g s%s: check the address and the network"):format(entry.dc, entry.where, limit,
        entry.lastWhy and ": " .. entry.lastWhy or ""), { name = "TIMEOUT", status = 1 }))
  end
  return entry
end

--- The connection to the home DC; core.conn is it from then on.
function Dcs:connectHome()
  local core = self.core
  local entry = self.connections[core.home] or open(self, core.home)
  core.conn = entry.conn
  return await(self, entry).conn
end

-- Another DC accepts the account after export from home and import there.
local function authorise(self, entry)
  local core = self.core
  local exported = core:invoke("auth.exportAuthorization", { dc_id = entry.dc })
  local result, code, text, detail = entry.conn:call("auth.importAuthorization", { id = exported.id, bytes = exported.bytes })
  if code then errors.throw(require("luna.middleware").toError(code, text, detail, "auth.importAuthorization")) end
  return result
end

--- The connection to any DC, ready for the account's calls.
function Dcs:get(dc)
  local core = self.core
  if dc == core.home then return core.conn or self:connectHome() end
  local entry = self.connections[dc] or open(self, dc)
  await(self, entry)
  if core.me and not entry.authorised then
    entry.authorised = task.spawn(function()
      scope.enter(core.scope, 0) -- whoever asked for it first does not own it
      return authorise(self, entry)
    end)
  end
  if entry.authorised then
    local ok, err = pcall(core_.await, entry.authorised)
    if not ok then
      entry.authorised = nil -- the next call tries anew
      error(err, 0)
    end
  end
  return entry.conn
end

local function move(self, dc)
  local core = self.core
  local before, conn = core.home, core.conn
  core:log(Logger.NOTICE, "the account lives in DC %d: moving there", dc)
  if not self.config then
    local config, code = conn:call("help.getConfig", {})
    if not code then self:learn(config) end
  end
  core.home, core.conn = dc, nil
  local ok, err = pcall(self.connectHome, self)
  if not ok then
    core.home, core.conn = before, conn
    error(err, 0)
  end
  core.account:set("home", tostring(dc))
end

--- Waits until a move that is under way is over; raises where it failed.
function Dcs:settled()
  if self.moving then core_.await(self.moving) end
end

--- Follows "…_MIGRATE_X": the account's own DC changes, except for files and statistics. Returns the connection to go on with. `from`: the
--- connection of the call that was refused; of many that are sent away at once the first moves, the others follow.
function Dcs:migrate(dc, text, from)
  local core = self.core
  if text:find "^FILE_MIGRATE" or text:find "^STATS_MIGRATE" then return self:get(dc) end
  self:settled()
  if core.home == dc and core.conn and core.conn ~= from then return core.conn end
  self.moving = task.spawn(function()
    scope.enter(core.scope, 0)
    return move(self, dc)
  end)
  local ok, err = pcall(core_.await, self.moving)
  self.moving = nil
  if not ok then error(err, 0) end
  return core.conn
end

function Dcs:close()
  for _, entry in pairs(self.connections) do
    if entry.conn then entry.conn:close() end
  end
  self.connections = {}
end

return Dcs
