--- auth.*: bots by token, people by phone and code, between DCs, and out again. The rules for tokens, phones and codes are those of a
--- sandbox: any token of the right form, phones 99966XYYYY, the code is the digit X five times.
local crypto = require "_luna.crypto"
local wire = require "_luna.server"
local rpc = require "luna.sandbox.rpc"
local objects = require "luna.sandbox.objects"

local auth = {}

local CODE_LIFE, EXPORT_LIFE, TOKEN_LIFE = 300, 300, 30

local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

local function authorization(ctx, user)
  ctx.server:authorize(ctx, user)
  return { _ = "auth.authorization", user = objects.user(ctx.model, user.id, user.id) }
end

local function isHere(ctx, dc)
  if dc == ctx.dc then return true end
  for _, known in ipairs(ctx.model.dcs) do
    if known == dc then return false end
  end
  return true -- a DC that this sandbox has not got: the account lives wherever it is asked for
end

auth["auth.importBotAuthorization"] = function(ctx, p)
  local user = ctx.model:bot(p.bot_auth_token, ctx.dc)
  if not user then rpc.fail(400, "ACCESS_TOKEN_INVALID") end
  if not isHere(ctx, user.dc) then rpc.fail(303, ("USER_MIGRATE_%d"):format(user.dc)) end
  return authorization(ctx, user)
end

-- ---- by phone ----

local function phone(ctx, text)
  local digits = text:gsub("[^%d]", "")
  local dc, number = digits:match "^99966(%d)(%d%d%d%d)$"
  if not dc then rpc.fail(400, "PHONE_NUMBER_INVALID") end
  local known = ctx.model.state.phones[digits]
  local home = known and ctx.model:user(known).dc or tonumber(dc)
  if not isHere(ctx, home) then rpc.fail(303, ("PHONE_MIGRATE_%d"):format(home)) end
  return digits, dc, number
end

local function sentCode(ctx, digits, dc, number)
  local model = ctx.model
  for old, sent in pairs(model.codes) do
    if sent.expires <= model:now() then model.codes[old] = nil end
  end
  local hash = hex(crypto.sha256(model.state.secret .. string.pack("<i8", model:random()))):sub(1, 18)
  model.codes[hash] = { phone = digits, code = dc:rep(5), number = number, expires = model:now() + CODE_LIFE }
  return {
    _ = "auth.sentCode", type = { _ = "auth.sentCodeTypeApp", length = 5 }, phone_code_hash = hash,
    next_type = { _ = "auth.codeTypeSms" }, timeout = 60,
  }
end

auth["auth.sendCode"] = function(ctx, p) return sentCode(ctx, phone(ctx, p.phone_number)) end

local function take(ctx, p)
  local digits = phone(ctx, p.phone_number)
  local sent = ctx.model.codes[p.phone_code_hash]
  if not sent or sent.phone ~= digits or sent.expires <= ctx.model:now() then
    ctx.model.codes[p.phone_code_hash] = nil
    rpc.fail(400, "PHONE_CODE_EXPIRED")
  end
  return sent
end

auth["auth.resendCode"] = function(ctx, p)
  local sent = take(ctx, p)
  ctx.model.codes[p.phone_code_hash] = nil
  return sentCode(ctx, sent.phone, sent.code:sub(1, 1), sent.number)
end

auth["auth.cancelCode"] = function(ctx, p)
  take(ctx, p)
  ctx.model.codes[p.phone_code_hash] = nil
  return true
end

auth["auth.signIn"] = function(ctx, p)
  local sent = take(ctx, p)
  if not p.phone_code or p.phone_code == "" then rpc.fail(400, "PHONE_CODE_EMPTY") end
  if p.phone_code ~= sent.code then rpc.fail(400, "PHONE_CODE_INVALID") end
  local model = ctx.model
  local id = model.state.phones[sent.phone]
  if not id and tonumber(sent.number) >= 9000 then
    sent.verified = true
    return { _ = "auth.authorizationSignUpRequired" }
  end
  model.codes[p.phone_code_hash] = nil
  local user = id and model:user(id) or model:addUser { first_name = "Person " .. sent.number, phone = sent.phone, dc = ctx.dc }
  return authorization(ctx, user)
end

auth["auth.signUp"] = function(ctx, p)
  local sent = take(ctx, p)
  if not sent.verified then rpc.fail(400, "PHONE_CODE_INVALID") end
  if not p.first_name:find "%S" then rpc.fail(400, "FIRSTNAME_INVALID") end
  ctx.model.codes[p.phone_code_hash] = nil
  return authorization(ctx, ctx.model:addUser {
    first_name = p.first_name, last_name = p.last_name ~= "" and p.last_name or nil, phone = sent.phone, dc = ctx.dc,
  })
end

auth["auth.logOut"] = function(ctx)
  if ctx.user then ctx.server:unauthorize(ctx) end
  return { _ = "auth.loggedOut" }
end

auth["auth.resetAuthorizations"] = function(ctx)
  local s = ctx.model.state
  for key, other in pairs(s.auths) do
    if other.user == ctx.user.id and other ~= ctx.auth then s.auths[key] = nil end
  end
  for session in pairs(ctx.model.sessions[ctx.user.id] or {}) do
    if ctx.server:authOf(session) ~= ctx.auth then ctx.server:detach(session) end
  end
  ctx.model:changed()
  return true
end

-- ---- between DCs ----

auth["auth.exportAuthorization"] = function(ctx, p)
  local known = false
  for _, dc in ipairs(ctx.model.dcs) do known = known or dc == p.dc_id end
  if not known or p.dc_id == ctx.dc then rpc.fail(400, "DC_ID_INVALID") end
  for old, exported in pairs(ctx.model.exports) do
    if exported.expires <= ctx.model:now() then ctx.model.exports[old] = nil end
  end
  local bytes = crypto.random(64)
  ctx.model.exports[bytes] = { user = ctx.user.id, dc = p.dc_id, expires = ctx.model:now() + EXPORT_LIFE }
  return { _ = "auth.exportedAuthorization", id = ctx.user.id, bytes = bytes }
end

auth["auth.importAuthorization"] = function(ctx, p)
  local exported = ctx.model.exports[p.bytes]
  ctx.model.exports[p.bytes] = nil
  if not exported or exported.user ~= p.id or exported.dc ~= ctx.dc or exported.expires <= ctx.model:now() then
    rpc.fail(400, "AUTH_BYTES_INVALID")
  end
  return authorization(ctx, ctx.model:user(exported.user))
end

-- https://core.telegram.org/method/auth.bindTempAuthKey
auth["auth.bindTempAuthKey"] = function(ctx, p)
  local s, temp = ctx.model.state, ctx.session.authKeyId
  local perm = s.keys[p.perm_auth_key_id]
  if s.keys[temp] then rpc.fail(400, "TEMP_AUTH_KEY_EMPTY") end
  local m = perm and perm.dc == ctx.dc and wire.readBinding(p.encrypted_message, perm.key)
  local right = m and m.msgId == ctx.req and m.seqno == 0 and m.nonce == p.nonce and m.temp == temp and m.perm == p.perm_auth_key_id
    and m.session == ctx.session.id and m.expires == p.expires_at
  if not right then rpc.fail(400, "ENCRYPTED_MESSAGE_INVALID") end
  if p.expires_at <= ctx.model:now() then rpc.fail(400, "EXPIRES_AT_INVALID") end
  if s.bound[temp] and s.bound[temp].perm ~= p.perm_auth_key_id then rpc.fail(400, "TEMP_AUTH_KEY_ALREADY_BOUND") end
  for id, bound in pairs(s.bound) do
    if bound.expires <= ctx.model:now() then s.bound[id] = nil end
  end
  ctx.server:bind(ctx.session, p.perm_auth_key_id, p.expires_at)
  return true
end

auth["auth.dropTempAuthKeys"] = function(ctx, p)
  local keep = { [ctx.session.authKeyId] = true }
  for _, id in ipairs(p.except_auth_keys) do keep[id] = true end
  local mine = ctx.model.state.bound[ctx.session.authKeyId]
  local perm = mine and mine.perm or ctx.session.authKeyId
  for id, bound in pairs(ctx.model.state.bound) do
    if bound.perm == perm and not keep[id] then ctx.model.state.bound[id] = nil end
  end
  ctx.model:changed()
  return true
end

-- ---- by QR code ----

auth["auth.exportLoginToken"] = function(ctx)
  local model, key = ctx.model, ctx.session.authKeyId
  model.logins = model.logins or {}
  for token, login in pairs(model.logins) do
    if login.key == key and login.user and login.expires > model:now() then
      model.logins[token] = nil
      return { _ = "auth.loginTokenSuccess", authorization = authorization(ctx, model:user(login.user)) }
    elseif login.expires <= model:now() then
      model.logins[token] = nil
    end
  end
  local token = crypto.random(32)
  model.logins[token] = { key = key, session = ctx.session, expires = model:now() + TOKEN_LIFE }
  return { _ = "auth.loginToken", expires = model:now() + TOKEN_LIFE, token = token }
end

auth["auth.acceptLoginToken"] = function(ctx, p)
  local model = ctx.model
  local login = model.logins and model.logins[p.token]
  if not login then rpc.fail(400, "AUTH_TOKEN_INVALID") end
  if login.expires <= model:now() then rpc.fail(400, "AUTH_TOKEN_EXPIRED") end
  if login.user then rpc.fail(400, "AUTH_TOKEN_ALREADY_ACCEPTED") end
  if ctx.user.bot then rpc.fail(400, "BOT_METHOD_INVALID") end
  login.user = ctx.user.id
  model:deliver(login.session, { _ = "updateShort", update = { _ = "updateLoginToken" }, date = model:now() })
  return objects.authorization(model, { client = login.session.data.client, hash = model:random(), date = model:now() }, false)
end

return auth
