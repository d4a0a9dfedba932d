--- luna.sandbox: an MTProto server inside the program. `.serve` listens on loopback for any client; `.world` is the test kit; `.attach` is
--- what an API object with the setting `sandbox` gets. The wire is `_luna.server`, what it knows is luna.sandbox.model.
local sandbox = {}

local shared

--- sandbox.serve{ listen = "127.0.0.1:0", dcs = { 2 }, key = path, data = path, bots = { { name, token }, … } } → a served sandbox: model,
--- server, addresses, key (public PEM), keyPath, tokens, close().
function sandbox.serve(opts) return require "luna.sandbox.serve"(opts or {}) end

--- sandbox.world(opts) → the test kit's world. See luna.sandbox.world.
function sandbox.world(opts) return require "luna.sandbox.world"(opts or {}) end

--- sandbox.replay(record, script | { scripts }, { check = false, strict = true, online = true }): the script against what `luna run
--- --record` has written (see luna.replay). Raises the report where calls differ or a handler fails; gives the result otherwise, and with
--- check = false in any case.
function sandbox.replay(record, scripts, opts)
  local result = require("luna.replay").play(record, scripts, opts)
  if not result.same and not (opts and opts.check == false) then error("the replay differs:\n" .. result.text, 2) end
  return result
end

--- Settings for an API object that shall live in a sandbox: `true` means one that the process shares, a table is a served one.
--- who: { stem =, username = }. Returns { dc, homeDc, dcKeys, botToken }.
function sandbox.attach(where, who)
  if where == true then
    shared = shared or sandbox.serve {}
    where = shared
  end
  return where:settings(who)
end

--- A new private key. One in sixteen is passed over: mtcute does not find keys whose fingerprint begins with the digit 0. Suspends.
function sandbox.makeKey()
  local crypto = require "_luna.crypto"
  while true do
    local key = crypto.generateRsa()
    local _, fingerprint = crypto.rsaPublic(key)
    if fingerprint >> 60 ~= 0 then return key end
  end
end

--- A private key for sandboxes that nobody meets but this process: made once. Suspends.
function sandbox.processKey()
  if not sandbox.privateKey then sandbox.privateKey = sandbox.makeKey() end
  return sandbox.privateKey
end

return sandbox
