--- A bare connection into a world's sandbox, for specs of what it answers: no login, no boxes, no comforts. `dofile` it.
local client = require "_luna.client"
local promise = require "_luna.promise"

local Wire = {}
Wire.__index = Wire

--- opts: dc = 2, layer = 230, auth (as of another client's `auth`).
local function connect(world, opts)
  opts = opts or {}
  local self = setmetatable({ world = world, updates = {}, waiting = {} }, Wire)
  world:enter()
  local layer = opts.layer or 230
  self.conn = client.connect {
    dc = opts.dc or 2, sandbox = world.server.wire, keys = { world.server.wire:publicKey() }, transport = "intermediate", timeout = 10,
    auth = opts.auth, prefix = client.encodePrefix {
      layer = layer, api_id = 1, device_model = "spec", system_version = "1", app_version = "1", system_lang_code = "en", lang_pack = "",
      lang_code = "en",
    },
    on = {
      key = function(auth) self.auth = auth end,
      update = function(update, ack)
        self.updates[#self.updates + 1] = update
        self.conn:ack(ack)
        for _, p in ipairs(self.waiting) do
          if promise.state(p) == "pending" then promise.resolve(p) end
        end
        self.waiting = {}
      end,
    },
  }
  return self
end

--- The result; or nil and "400 PEER_ID_INVALID".
function Wire:call(name, params)
  local result, code, text = self.conn:call(name, params or {})
  if code then return nil, ("%d %s"):format(code, text) end
  return result
end

--- The result, or an error of the test.
function Wire:must(name, params)
  local result, why = self:call(name, params)
  if why then error(("%s: %s"):format(name, why), 2) end
  return result
end

--- Logs in with a phone 99966XYYYY: the user.
function Wire:login(phone)
  local sent = self:must("auth.sendCode", { phone_number = phone, api_id = 1, api_hash = "x", settings = { _ = "codeSettings" } })
  local code = phone:gsub("%D", ""):sub(6, 6):rep(5)
  self.me = self:must("auth.signIn", { phone_number = phone, phone_code_hash = sent.phone_code_hash, phone_code = code }).user
  return self.me
end

--- Logs in as the bot of a token: the user.
function Wire:bot(token)
  self.me = self:must("auth.importBotAuthorization", { flags = 0, api_id = 1, api_hash = "x", bot_auth_token = token }).user
  return self.me
end

--- The InputPeer of somebody by username.
function Wire:peer(username)
  local resolved = self:must("contacts.resolveUsername", { username = username })
  local user = resolved.users[1]
  return { _ = "inputPeerUser", user_id = user.id, access_hash = user.access_hash }, user
end

local id = 1000
--- Sends a text: the Updates.
function Wire:send(peer, text, more)
  id = id + 1
  local p = { peer = peer, message = text, random_id = id }
  for k, v in pairs(more or {}) do p[k] = v end
  return self:must("messages.sendMessage", p)
end

--- Waits for an update of that constructor (those before it are passed over): the update and its container.
function Wire:expect(name, seconds)
  local timer = require "_luna.timer"
  local limit = timer.now() + (seconds or 5)
  while true do
    for i, container in ipairs(self.updates) do
      for j, update in ipairs(container.updates or { container.update or container }) do
        if update._ == name then
          if container.updates then table.remove(container.updates, j) else table.remove(self.updates, i) end
          return update, container
        end
      end
    end
    local left = limit - timer.now()
    local p = promise.new()
    self.waiting[#self.waiting + 1] = p
    if left <= 0 or promise.awaitTimeout(p, left) == false then
      local got = {}
      for _, container in ipairs(self.updates) do
        for _, update in ipairs(container.updates or { container.update or container }) do got[#got + 1] = update._ end
      end
      error(("no %s; there came: %s"):format(name, table.concat(got, ", ")), 2)
    end
  end
end

function Wire:close() self.conn:close() end

return connect
