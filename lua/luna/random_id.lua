--- random_id of what a handler sends: a keyed hash of account, update, method, parameters and the number of identical calls before, so
--- that a handler which runs again after a crash sends nothing twice (the server refuses the double). Elsewhere it is just random.
local crypto = require "_luna.crypto"
local task = require "_luna.task"
local tl = require "_luna.tl"
local Class = require "luna.class"
local lanes = require "luna.lanes"

local RandomId = Class.new "RandomId"
local owner = task.owner

function RandomId:init(core)
  self.core = core
  self.key = nil
end

local function key(self)
  if self.key then return self.key end
  local account = self.core.account
  local stored = account and account:get "random_key"
  if not stored then
    stored = crypto.random(32)
    if account then account:set("random_key", stored) end
  end
  self.key = stored
  return stored
end

--- Makes the key before the log-in, so that it is on the disk with the auth key, long before the first message that it numbers.
function RandomId:prepare() key(self) end

-- What makes a call the same as another: its bytes without the id.
local function serialise(method, q, field, index)
  if index and type(q.id) == "table" and not q._ then return table.concat(q.id, ",") end -- forwardMessages
  q[field] = 0
  local ok, bytes
  if q._ then
    ok, bytes = pcall(tl.encode, q)
  else
    ok, bytes = pcall(tl.encodeMethod, method, q)
  end
  q[field] = nil
  return ok and bytes or nil -- nil: the parameters are wrong, and the call says so in a moment
end

-- What the update of a running handler is, as text that begins the hash, or false.
local function identity(self, entry)
  if entry.sent == false then return false end
  local prefix = self.prefix
  if not prefix then
    prefix = self.core.accountName .. "\0"
    self.prefix = prefix
  end
  local text = lanes.identity(entry.update, prefix) or false
  entry.sent = text
  return text
end

--- Key, text and counts for a connection's call, which then makes the id itself; nothing where it may be just random. What counts how
--- often a handler has sent what is its entry itself, whose own fields are no numbers and no such texts.
function RandomId:keyed()
  local core, o = self.core, owner()
  local entry = o >> 32 == core.scope and core.dispatch.entries[o & 0xffffffff]
  if not entry then return nil end
  local text = entry.sent or identity(self, entry)
  if text then return self.key or key(self), text, entry end
end

--- The id for an item of this call; `index` tells apart several in one call.
function RandomId:next(method, q, field, index)
  local secret, text, sent = self:keyed()
  local bytes = text and serialise(method, q, field, index)
  if not bytes then return crypto.randomId() end
  text = ("%s\0%s\0%d\0%s"):format(text, method, index or 0, bytes)
  local count = sent[text] or 0
  sent[text] = count + 1
  local id = string.unpack("<i8", crypto.hmac(secret, count .. "\0" .. text))
  return id ~= 0 and id or 1
end

return RandomId
