--- What `luna doctor` says of the clock and of the server: whether it can be reached, whether a key of ours fits, and how far its clock is
--- from this machine's. Makes a key exchange, logs nobody in.
local client = require "_luna.client"
local promise = require "_luna.promise"
local tl = require "_luna.tl"
local timer = require "_luna.timer"
local settings = require "luna.settings"

local PATIENCE = 6 -- seconds
local SKEW = 30 -- what a client mends by itself without a word
local BUILT = 1735689600 -- 2025: no clock that is right shows less

local function connect(dc, addresses, keys, done)
  local function finish(...)
    if promise.state(done) == "pending" then promise.resolve(done, ...) end
  end
  local function lost(errname, why)
    if errname == "NO_KEY" then return finish("fatal", "it offers no key that is known here") end
    finish("down", why or errname)
  end
  return client.connect {
    dc = dc, addresses = addresses, keys = keys, timeout = PATIENCE, prefix = "",
    on = {
      status = function(state, errname, why)
        if state == "up" then finish "up" elseif errname and errname ~= "" then lost(errname, why) end
      end,
      fatal = lost,
      key = function() end, salts = function() end, update = function() end, session = function() end,
    },
  }
end

return function(report, args)
  if os.time() < BUILT then
    report.wrong("the clock is years behind: the server's messages would be refused", "set it (timedatectl set-ntp true)")
  end
  if args.offline then return report.note "the server was not asked (--offline)" end
  local core = { settings = settings.resolve {} }
  local dcs = require "luna.dc"(core)
  local line = settings.commandLine
  local dc = line.homeDc or core.settings.homeDc or (core.settings.dc and next(core.settings.dc)) or 2
  local addresses = dcs:addresses(dc)
  local where = addresses and addresses[1] and ("DC %d (%s:%d)"):format(dc, addresses[1][1], addresses[1][2])
  if not where then return report.wrong(("no address is known for DC %d"):format(dc), "--dc ID=HOST:PORT") end
  local keys = core.settings.dcKeys and dcs:keys() or { tl.keys "production" }
  local done = promise.new()
  local conn = connect(dc, addresses, keys, done)
  local began = timer.now()
  local answered = promise.awaitTimeout(done, PATIENCE) ~= false
  local state, why
  if answered then state, why = promise.await(done) else promise.markHandled(done) end
  if state == "up" then
    local skew = conn:serverTime() - os.time()
    report.ok(("%s answers, after %.1f s"):format(where, timer.now() - began))
    if math.abs(skew) > SKEW then
      report.wrong(("this machine's clock is %d s %s the server's"):format(math.abs(skew), skew > 0 and "behind" or "ahead of"),
        "set it (timedatectl set-ntp true)")
    else
      report.ok "the clock agrees with the server's"
    end
  elseif state == "fatal" then
    report.wrong(("%s: %s"):format(where, why), line.dc and "--dc-key FILE.pem names its public key" or "a proxy that reads along?")
  else
    report.note(("%s cannot be reached: %s"):format(where, why or ("no answer within %d s"):format(PATIENCE)),
      "look at network and firewall; the sandbox needs neither")
  end
  conn:close()
end
