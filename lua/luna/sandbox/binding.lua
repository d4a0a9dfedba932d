--- The message by which a client binds a temporary key to its permanent one: MTProto 1.0 under the permanent key, the only place where
--- that is still spoken. https://core.telegram.org/method/auth.bindTempAuthKey Called by methods/auth.lua.
local crypto = require "_luna.crypto"
local tl = require "_luna.tl"

local binding = {}

local sha1 = crypto.sha1

-- Key and iv of MTProto 1.0, client to server.
local function derive(key, msgKey)
  local a = sha1(msgKey .. key:sub(1, 32))
  local b = sha1(key:sub(33, 48) .. msgKey .. key:sub(49, 64))
  local c = sha1(key:sub(65, 96) .. msgKey)
  local d = sha1(msgKey .. key:sub(97, 128))
  return a:sub(1, 8) .. b:sub(9, 20) .. c:sub(5, 16), a:sub(9, 20) .. b:sub(1, 8) .. c:sub(17, 20) .. d:sub(1, 8)
end

--- Builds one. m: key, perm (its id), temp, session, nonce, expires, id (msg_id of the query that carries it).
function binding.make(m)
  local inner = tl.encode { _ = "bind_auth_key_inner", nonce = m.nonce, temp_auth_key_id = m.temp, perm_auth_key_id = m.perm,
    temp_session_id = m.session, expires_at = m.expires }
  local plain = crypto.random(16) .. string.pack("<i8i4I4", m.id, 0, #inner) .. inner
  local msgKey = sha1(plain):sub(5, 20)
  local aes, iv = derive(m.key, msgKey)
  return string.pack("<i8", m.perm) .. msgKey .. crypto.igeEncrypt(aes, iv, plain .. crypto.random(-#plain % 16))
end

--- Whether bytes are a right one for what is known: the same fields as make's.
function binding.check(bytes, m)
  if #bytes < 24 + 32 or (#bytes - 24) % 16 ~= 0 or #bytes > 24 + 256 then return false end
  local perm = string.unpack("<i8", bytes)
  local msgKey = bytes:sub(9, 24)
  local aes, iv = derive(m.key, msgKey)
  local plain = crypto.igeDecrypt(aes, iv, bytes:sub(25))
  local id, seqno, length = string.unpack("<i8i4I4", plain, 17)
  if length > #plain - 32 or #plain - 32 - length > 15 or sha1(plain:sub(1, 32 + length)):sub(5, 20) ~= msgKey then return false end
  local ok, inner = pcall(tl.decode, plain:sub(33, 32 + length))
  return ok and type(inner) == "table" and inner._ == "bind_auth_key_inner" and perm == m.perm and id == m.id and seqno == 0 and
    inner.nonce == m.nonce and inner.temp_auth_key_id == m.temp and inner.perm_auth_key_id == m.perm and
    inner.temp_session_id == m.session and inner.expires_at == m.expires
end

return binding
