--- `luna sandbox`: the sandbox as a server of its own, for any MTProto client. Prints where it is, a fact a line, and runs on.
local host = require "_luna.host"
local task = require "_luna.task"
local promise = require "_luna.promise"
local options = require "luna.cli.options"
local signals = require "luna.cli.signals"

local M = {}

M.spec = {
  about = "A Telegram server for trying and testing: real TCP on loopback, real key exchange, real encryption. Prints, one a\n"
    .. "line: listen HOST:PORT and dc ID (for each DC), key FILE (its public key), bot USERNAME TOKEN, ready.",
  { "listen", "HOST:PORT", "where (default 127.0.0.1:0: a free port; each further DC takes the next)" },
  { "dc", "ID", "a DC to be; the first is where accounts live (default 2)", many = true },
  { "key", "FILE", "the server's private key in PEM form (made where it is not given)" },
  { "data", "FILE", "keeps everything in that file (default: in memory)" },
  { "bot", "NAME=TOKEN", "a bot from the start; NAME alone gets a token", many = true },
  { "log", "LEVEL", "fatal_error, error, warning, notice (default), verbose or ultra_verbose" },
  { "log-json", nil, "each event of the log as one JSON object a line" },
  more = "Any token of the form DIGITS:8 or more of A-Za-z0-9_- makes a bot. Phones are 99966XYYYY, X the DC; the code is the\n"
    .. "digit X five times; from YYYY = 9000 on the account has to sign up. Any api_id and hash will do.",
}

local function dcs(list)
  local ids, seen = {}, {}
  for i, text in ipairs(list or {}) do
    local id = math.tointeger(tonumber(text))
    if not id or id < 1 or id > 999 or seen[id] then options.fail(("luna sandbox: --dc %s: a number from 1, each once"):format(text)) end
    ids[i], seen[id] = id, true
  end
  return #ids > 0 and ids or nil
end

local function bots(list)
  local out = {}
  for i, text in ipairs(list or {}) do
    local name, token = text:match "^@?([%w_]+)=(.+)$"
    name = name or text:match "^@?([%w_]+)$"
    if not name then options.fail(("luna sandbox: --bot %s: it is NAME=TOKEN"):format(text)) end
    out[i] = { name, token }
  end
  return out
end

function M.run(args)
  require("luna.cli.run").commandLine { log = args.log, ["log-json"] = args["log-json"] }
  local opts = { listen = args.listen or "127.0.0.1:0", dcs = dcs(args.dc), key = args.key, data = args.data, bots = bots(args.bot) }
  local over = promise.new()
  signals.install(function() promise.resolve(over) end)
  local place = require "luna.cli.served"("luna sandbox", opts)
  -- Beside the data it can be found again; else it is a temporary file, removed at the end.
  local keyPath = place:writeKey(args.data and args.data .. ".pem" or nil)
  local lines = {}
  local function put(...) lines[#lines + 1] = (...):format(select(2, ...)) end
  for _, a in ipairs(place.addresses) do
    put(a.host:find(":", 1, true) and "listen [%s]:%d" or "listen %s:%d", a.host, a.port)
    put("dc %d", a.dc)
  end
  put("key %s", keyPath)
  for _, bot in ipairs(place.tokens) do put("bot %s %s", bot.username, bot.token) end
  put "ready"
  host.write(1, table.concat(lines, "\n") .. "\n")
  task.ref()
  promise.await(over)
  task.unref()
  place:close()
  if not args.data then host.remove(keyPath) end
  return 0
end

return M
