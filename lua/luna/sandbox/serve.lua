--- A sandbox that listens: `luna sandbox`, and the one behind `--sandbox`. Owns server, model, key and data file; close() ends it.
local crypto = require "_luna.crypto"
local task = require "_luna.task"
local timer = require "_luna.timer"
local Class = require "luna.class"
local Logger = require "luna.logger"
local Model = require "luna.sandbox.model"
local Server = require "luna.sandbox.server"
local snapshot = require "luna.sandbox.snapshot"

local Served = Class.new "Served"

local SAVE_AFTER = 0.2 -- seconds from a change to the file, at least; a big state is written less often
local SAVE_SHARE = 20 -- of the time, one part in so many goes into writing

local function log(level, text) Logger.write(level, "sandbox", text) end

-- "127.0.0.1:0", "[::1]:443", "127.0.0.1" → host, port.
local function place(listen)
  local name, port = listen:match "^%[([%x:]+)%]:(%d+)$"
  if not name then name, port = listen:match "^([^:]+):(%d+)$" end
  if not name then name, port = listen:match "^%[([%x:]+)%]$" or listen:match "^[^:%[%]]+$", "0" end
  port = math.tointeger(tonumber(port))
  if not name or not port or port > 65535 then error(("listen address %s: expected HOST:PORT"):format(listen), 0) end
  if name == "localhost" then name = "127.0.0.1" end
  return name, port
end

local function readKey(path)
  local file, why = io.open(path, "rb")
  if not file then error(("the key file cannot be read: %s"):format(why), 0) end
  local text = file:read "a"
  file:close()
  return text
end

function Served:init(opts)
  local state = opts.data and snapshot.load(opts.data)
  self.data = opts.data
  local key = opts.key and readKey(opts.key) or state and state.privateKey
  if not key then key = opts.data and require("luna.sandbox").makeKey() or require("luna.sandbox").processKey() end
  local dcs = opts.dcs and #opts.dcs > 0 and opts.dcs or { 2 }
  self.model = Model { state = state, dcs = dcs, log = log, seed = opts.seed }
  if opts.data then self.model.state.privateKey = key end
  local ok, server = pcall(Server, { model = self.model, key = key, log = log })
  if not ok then error(("the sandbox's key%s: %s"):format(opts.key and " " .. opts.key or "", tostring(server)), 0) end
  self.server = server
  self.key = server.wire:publicKey()
  local name, port = place(opts.listen or "127.0.0.1:0")
  for i, dc in ipairs(dcs) do server:listen(name, port == 0 and 0 or port + i - 1, dc) end
  self.addresses = server.addresses
  self.tokens = {}
  for _, bot in ipairs(opts.bots or {}) do self:addBot(bot[1], bot[2]) end
  if opts.data then
    self.model.onChange = function() self:later() end
    task.onExit(function() self:save() end)
    self:save()
  end
end

--- A bot with that username; its token is made where none is given. Returns { username =, token =, id = }.
function Served:addBot(username, token)
  local model = self.model
  local name = Model.cleanUsername(username)
  if not name then error(("%s is no username: letters, digits and _, 32 at most"):format(username), 0) end
  local known = model:byUsername(name)
  local user = known and model:user(known)
  if token then
    local id = math.tointeger(tonumber(token:match "^(%d+):" or ""))
    if not id or not token:find "^%d+:[%w_%-]+$" or #token:match ":(.*)$" < 8 then
      error(("the token of %s is not of the form 123456:8 or more letters, digits, _ and -"):format(name), 0)
    end
    if user and user.id ~= id then error(("the username %s is taken by another account"):format(name), 0) end
    user = user or model:bot(token, model.dcs[1])
    if not user then error(("the id of %s's token belongs to a person"):format(name), 0) end
    if user.username ~= name then
      model:setUsername(user.id, name)
      user.first_name = name
    end
    model.state.tokens[token] = user.id
  elseif user then
    for t, id in pairs(model.state.tokens) do
      if id == user.id then token = t end
    end
    if not token then error(("%s is not a bot"):format(name), 0) end
  else
    user = model:addUser { bot = true, first_name = name, username = name, seesAll = true }
    local secret = crypto.sha256(tostring(model:random())):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
    token = ("%d:%s"):format(user.id, secret:sub(1, 35))
    model.state.tokens[token] = user.id
    model:changed()
  end
  local entry = { username = name, token = token, id = user.id }
  self.tokens[#self.tokens + 1] = entry
  return entry
end

--- See sandbox.attach.
function Served:settings(who)
  local dc = {}
  for _, a in ipairs(self.addresses) do
    dc[a.dc] = (a.host:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(a.host, a.port)
  end
  local name = who.username or (who.stem:gsub("[^%w_]", "_") .. "_bot"):gsub("^[^%a]", "b%0")
  return { dc = dc, homeDc = self.model.dcs[1], dcKeys = { self.key }, botToken = self:addBot(name:sub(-32)).token }
end

--- Writes the public key to a file (a temporary one where no path is given) and returns its path.
function Served:writeKey(path)
  path = path or os.tmpname()
  local file, why = io.open(path, "wb")
  if not file then error(("the key file cannot be written: %s"):format(why), 0) end
  file:write(self.key)
  file:close()
  return path
end

--- keyPath is written when it is first asked for.
local lookup = Served.__index
function Served.__index(self, name)
  if name == "keyPath" then
    local path = Served.writeKey(self)
    rawset(self, "keyPath", path)
    return path
  end
  return lookup[name]
end

--- Saves soon; many changes are one writing.
function Served:later()
  if self.saving then return end
  self.saving = timer.unref(timer.after(math.max(SAVE_AFTER, (self.cost or 0) * SAVE_SHARE), function()
    self.saving = nil
    self:save()
  end))
end

function Served:save()
  if not self.data or self.closed then return end
  local began = os.clock()
  local ok, why = pcall(snapshot.save, self.data, self.model.state)
  self.cost = os.clock() - began
  if not ok then log(Logger.ERROR, tostring(why)) end
end

function Served:close()
  if self.closed then return end
  self:save()
  self.closed = true
  self.server:close()
end

return Served
