--- Settings of an API object: what keys there are, what they may hold, and which source wins. A class: command line, environment,
--- settings file, class, defaults; luna.API: its own table, then the same. Owns the command line's part (`settings.commandLine`), which
--- the program's start sets once.
local host = require "_luna.host"
local errors = require "luna.errors"

local settings = {}
local SettingsException = errors.classes.SettingsException

--- What the command line says: keys as of luna.API, and `session`, `bots` = { [stem] = table } for what one file alone is given.
settings.commandLine = {}
--- The settings file: a table with the keys of luna.API, where it is or would be (`path`), what was read (`text`), and whether it may be
--- missing (`optional`). Set by settings.loadFile and luna.cli.run.
settings.file = {}

local function oneOf(list)
  return function(v)
    for _, x in ipairs(list) do
      if v == x then return true end
    end
    return false, 'one of "' .. table.concat(list, '", "') .. '"'
  end
end
local function typed(...)
  local wanted = { ... }
  return function(v)
    for _, t in ipairs(wanted) do
      if type(v) == t or (t == "integer" and math.type(v) == "integer") then return true end
    end
    return false, (wanted[1]:find "^[aeiou]" and "an " or "a ") .. table.concat(wanted, " or a ")
  end
end
local function positive(v) return type(v) == "number" and v > 0, "a number above 0" end
local function logLevel(v)
  local Logger = require "luna.logger"
  return (pcall(Logger.level, v)), "FATAL_ERROR, ERROR, WARNING, NOTICE, VERBOSE or ULTRA_VERBOSE"
end
local LEAST = 4 << 20 -- the library itself takes about one
local function bytes(v) return math.tointeger(v) ~= nil and v >= LEAST, ("a number of bytes, %d or more"):format(LEAST) end
local function notNegative(v) return type(v) == "number" and v >= 0, "a number of seconds" end

local function isList(v)
  if type(v) ~= "table" then return false, "a list of strings" end
  for _, x in ipairs(v) do
    if type(x) ~= "string" then return false, "a list of strings" end
  end
  return true
end

local function addresses(v)
  if type(v) ~= "table" then return false, 'a table like { [2] = "127.0.0.1:443" }' end
  for id, where in pairs(v) do
    if math.type(id) ~= "integer" or not settings.parseAddress(where) then return false, 'a table like { [2] = "127.0.0.1:443" }' end
  end
  return true
end

local transports = {}
for _, name in ipairs { "abridged", "intermediate", "padded", "full" } do
  transports[#transports + 1] = name
  transports[#transports + 1] = "obfuscated-" .. name
end

local schema = {
  app = { id = typed "integer", hash = typed "string" },
  botToken = typed "string", phone = typed "string", username = typed "string", name = typed "string",
  sandbox = typed("boolean", "userdata", "table"),
  dc = addresses, homeDc = typed "integer", dcKeys = isList, transport = oneOf(transports), pfs = typed "boolean",
  connection = { timeout = positive, proxies = isList },
  updates = { order = oneOf { "chat", "none", "all" }, catchUp = typed "boolean", pending = positive },
  floodTimeout = notNegative, durability = oneOf { "full", "normal", "off" },
  slowCallback = positive, handlerBudget = positive, memoryLimit = bytes,
  logger = { level = logLevel, target = typed("string", "function"), json = typed "boolean" },
  device = { model = typed "string", system = typed "string", app = typed "string", lang = typed "string" },
  untrusted = function(v) return v == false, "false: a script that is not trusted cannot be held in yet, run nothing but your own" end,
}

local defaults = {
  connection = { timeout = 10 },
  transport = "intermediate", pfs = false,
  updates = { order = "chat", catchUp = true, pending = 1000 },
  floodTimeout = 60, durability = "normal", slowCallback = 0.1, handlerBudget = 5,
  device = { lang = "en" },
}

--- "127.0.0.1:443" or "[::1]:443" → host, port.
function settings.parseAddress(text)
  if type(text) ~= "string" then return nil end
  local name, port = text:match "^%[([%x:.]+)%]:(%d+)$"
  if not name then name, port = text:match "^([^%[%]:%s]+):(%d+)$" end
  port = math.tointeger(tonumber(port))
  if not name or not port or port < 1 or port > 65535 then return nil end
  return name, port
end

local function check(values, rules, path, where, level)
  for key, value in pairs(values) do
    local rule = type(key) == "string" and rules[key] or nil
    local full = path .. tostring(key)
    if rule == nil then
      local hint = require("luna.suggest").hint(tostring(key), rules)
      error(SettingsException(('%s: unknown setting "%s"%s'):format(where, full, hint)), level)
    elseif type(rule) == "table" then
      if type(value) ~= "table" then
        error(SettingsException(('%s: setting "%s" is a %s, expected a table'):format(where, full, type(value))), level)
      end
      check(value, rule, full .. ".", where, level)
    else
      local ok, expected = rule(value)
      if not ok then
        local secret = key == "botToken" or key == "phone" or path == "app." -- hash and id are easily mixed up
        local plain = type(value) == "boolean" or type(value) == "number" and not secret
        local got = plain and tostring(value) or "a " .. type(value)
        if type(value) == "string" and not secret then got = ('"%s"'):format((value:gsub("(://)[^/@%s]+@", "%1***@"))) end
        error(SettingsException(('%s: setting "%s" is %s, expected %s'):format(where, full, got, expected)), level)
      end
    end
  end
end

--- Raises a SettingsException for an unknown key (with a guess) or a value of the wrong kind. `where` names the source.
function settings.check(values, where)
  if type(values) ~= "table" then
    error(SettingsException(("%s: settings are a table, not a %s"):format(where, type(values))), 0)
  end
  check(values, schema, "", where, 0)
  return values
end

local function merge(into, from)
  for key, value in pairs(from) do
    if type(schema[key]) == "table" and type(value) == "table" then
      into[key] = into[key] or {}
      for k, v in pairs(value) do into[key][k] = v end
    else
      into[key] = value
    end
  end
end

local ENOENT = 2

--- Where a secret is missing: what it is said to be, and what has kept a credential of the service manager from being read.
function settings.missing(text)
  local why = settings.unread
  return SettingsException(why and ("%s (a credential of the service manager cannot be read: %s)"):format(text, why) or text)
end

-- A secret that the service manager hands over as a file (LoadCredential), named as the variable would be.
local function credential(name)
  local folder = host.env "CREDENTIALS_DIRECTORY"
  if not folder then return nil end
  local text, why, errno = host.readFile(folder .. "/" .. name)
  if not text and errno ~= ENOENT then settings.unread = why end
  text = text and text:match "^%s*(.-)%s*$"
  return text ~= "" and text or nil
end

local function fromEnvironment(stem)
  local env = host.env
  local suffix = stem and "_" .. stem:upper():gsub("[^%w]", "_") or nil
  local function get(name)
    return (suffix and (env(name .. suffix) or credential(name .. suffix))) or env(name) or credential(name)
  end
  local found = {}
  found.botToken = get "LUNA_BOT_TOKEN"
  local id, hash = get "LUNA_API_ID", get "LUNA_API_HASH"
  if id or hash then found.app = { hash = hash } end
  if id then
    found.app.id = math.tointeger(tonumber(id))
    if not found.app.id then error(SettingsException "LUNA_API_ID is not a number: set it to the api_id of my.telegram.org", 0) end
  end
  return found
end

--- The names of all keys: "floodTimeout", "updates.order".
function settings.keys()
  local list = {}
  for key, rule in pairs(schema) do
    for inner in pairs(type(rule) == "table" and rule or {}) do list[#list + 1] = key .. "." .. inner end
    if type(rule) ~= "table" then list[#list + 1] = key end
  end
  table.sort(list)
  return list
end

--- Reads a settings file: Lua that returns a table with the keys of luna.API. Its text is kept, to know a change by.
function settings.loadFile(path)
  local text, why = host.readFile(path)
  if not text then error(SettingsException(("the settings file cannot be read: %s"):format(why)), 0) end
  settings.path, settings.text = path, text
  local chunk
  chunk, why = load((text:gsub("^#[^\n]*", "", 1)), "@" .. path, "t", setmetatable({}, { __index = _G }))
  if not chunk then error(SettingsException(("the settings file does not compile: %s"):format(why)), 0) end
  settings.file = settings.check(chunk(), path)
end

--- The same once more, for a reload. One that nobody named (optional) may be gone.
function settings.readAgain()
  if not settings.path then return end
  if host.stat(settings.path) or not settings.optional then return settings.loadFile(settings.path) end
  settings.file, settings.text = {}, nil
end

--- The settings in force. opts: own (the table given to luna.API), class (Handler.settings), stem (the script's name), where.
function settings.resolve(opts)
  local out = {}
  merge(out, defaults)
  if opts.class then merge(out, settings.check(opts.class, opts.where or "the class's settings")) end
  merge(out, settings.file)
  merge(out, fromEnvironment(opts.stem))
  local line, own = {}, settings.commandLine.bots and opts.stem and settings.commandLine.bots[opts.stem]
  for key, value in pairs(settings.commandLine) do
    if key ~= "session" and key ~= "bots" then line[key] = value end
  end
  merge(out, line)
  if own then merge(out, own) end
  if opts.own then merge(out, settings.check(opts.own, opts.where or "luna.API")) end
  return out
end

return settings
