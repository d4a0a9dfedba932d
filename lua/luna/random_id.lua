--- random_id of what a handler sends: a keyed hash of account, update, method, parameters and the number of identical calls before, so
--- that a handler which runs again after a crash sends nothing twice (the server refuses the double). Elsewhere it is just random.
local crypto = require "_luna.crypto"
local tl = require "_luna.tl"
local Class = require "luna.class"
local lanes = require "luna.lanes"

local RandomId = Class.new "RandomId"

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

--- The id for this call; `index` tells apart several in one call.
function RandomId:next(method, q, field, index)
  local context = self.core.dispatch and self.core.dispatch:context()
  if not context then return crypto.randomId() end
  local name = context.identity
  if name == nil then
    name = lanes.identity(context.update) or false
    context.identity = name
  end
  if not name then return crypto.randomId() end
  local bytes = serialise(method, q, field, index)
  if not bytes then return crypto.randomId() end
  local text = ("%s\0%s\0%s\0%d\0%s"):format(self.core.accountName, name, method, index or 0, bytes)
  local sent = context.sent
  if not sent then
    sent = {}
    context.sent = sent
  end
  local count = sent[text] or 0
  sent[text] = count + 1
  local digest = crypto.hmac(key(self), count .. "\0" .. text)
  local id = string.unpack("<i8", digest)
  return id ~= 0 and id or 1
end

return RandomId
