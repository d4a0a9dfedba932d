--- Which of a bot's settings hold from a reload on, and which only from a new start. Called by luna.reload: `resolve` before the swap,
--- since it may raise, `apply` at the swap.
local errors = require "luna.errors"
local settings = require "luna.settings"
local Logger = require "luna.logger"

local live = {}

local function connection(core, value)
  core.settings.connection = value.connection
  core.httpClient = nil -- made of these
end

-- What is read where it is used, or can be told to who holds it. All other settings are about how the bot logs in and is connected.
local held = {
  floodTimeout = function(core, value) core.settings.floodTimeout = value.floodTimeout end,
  slowCallback = function(core, value) core.settings.slowCallback = value.slowCallback end,
  handlerBudget = function(core, value) core.settings.handlerBudget = value.handlerBudget end,
  memoryLimit = function(core, value) core.settings.memoryLimit = value.memoryLimit end,
  ["updates.order"] = function(core, value) core.dispatch:setOrder(value.updates.order) end,
  ["updates.pending"] = function(core, value) core.dispatch:setLimit(value.updates.pending) end,
  ["connection.timeout"] = connection, ["connection.proxies"] = connection,
  ["logger.level"] = function(core, value)
    local logger = value.logger or {}
    core.settings.logger = value.logger
    Logger.configure { level = logger.level or Logger.NOTICE, target = logger.target, json = logger.json }
  end,
}
held["logger.target"], held["logger.json"] = held["logger.level"], held["logger.level"]

local function get(values, key)
  local outer, inner = key:match "^(.-)%.(.*)$"
  if not outer then return values[key] end
  return values[outer] and values[outer][inner]
end

local function put(values, key, value)
  local outer, inner = key:match "^(.-)%.(.*)$"
  if not outer then
    values[key] = value
  else
    values[outer] = values[outer] or {}
    values[outer][inner] = value
  end
end

local function same(a, b)
  if a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" or getmetatable(a) then return false end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

--- What is in force, kept from the first time on that it is asked: before anything is read anew.
function live.remember(core) core.given = core.given or settings.resolve(core.opts) end

--- The settings with that handler, a class or a function. Raises where they are wrong.
function live.resolve(core, handler)
  local opts = {}
  for key, value in pairs(core.opts) do opts[key] = value end
  opts.class = type(handler) == "table" and handler.settings or nil
  return { opts = opts, values = settings.resolve(opts) }
end

--- Takes what `resolve` gave into force. Returns the names of those that take a new start, and whether any other has changed. say(text):
--- told what could not be done.
function live.apply(core, resolved, say)
  local rest, done, any = {}, {}, false
  core.opts = resolved.opts
  for _, key in ipairs(settings.keys()) do
    local value = get(resolved.values, key)
    if not same(get(core.given, key), value) then
      local set = held[key]
      if not set then
        rest[#rest + 1] = key
      else
        any = true
        put(core.given, key, value)
        if not done[set] then
          done[set] = true
          local ok, why = pcall(set, core, resolved.values)
          if not ok then say(("the setting %s does not hold: %s"):format(key, errors.bare(tostring(why)))) end
        end
      end
    end
  end
  return rest, any
end

return live
