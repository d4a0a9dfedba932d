--- How the bots of this process fare, as plain tables: what `luna status` shows, and the service manager's status line. Started by
--- luna.cli.run; asked over the REPL's socket (luna.repl.server). Counts by looking every five seconds, so that an update costs nothing.
local host = require "_luna.host"
local system = require "_luna.system"
local timer = require "_luna.timer"
local frames = require "luna.frames"
local Logger = require "luna.logger"

local status = {}

local EVERY, KEPT = 5, 181 -- seconds between two looks; looks kept: a quarter of an hour
local samples = setmetatable({}, { __mode = "k" }) -- core → ring of { time, updates }, `n` looks so far
local stalls = { count = 0 }
local began = timer.wall()
local bots = {}

local function taken(core) return core.updates.journal.count end

local function look()
  local now = timer.now()
  for _, bot in ipairs(bots) do
    local ring = samples[bot.core]
    local slot = ring[ring.n % KEPT + 1]
    if not slot then
      slot = {}
      ring[ring.n % KEPT + 1] = slot
    end
    slot[1], slot[2] = now, taken(bot.core)
    ring.n = ring.n + 1
  end
end

--- Counts from now on for these bots ({ name, core, path, … }) too. onLook() is called after each look.
function status.start(list, onLook)
  for _, bot in ipairs(list) do
    bots[#bots + 1] = bot
    samples[bot.core] = { n = 0 }
  end
  look()
  if status.timer then return end
  status.timer = timer.unref(timer.every(EVERY, function()
    look()
    if onLook then onLook() end
  end))
end

--- This bot has ended, and is no longer one of them.
function status.stop(bot)
  for i, other in ipairs(bots) do
    if other == bot then table.remove(bots, i) end
  end
end

--- A callback has held the loop for longer than `slowCallback`. where: its traceback.
function status.stalled(where)
  stalls.count, stalls.last, stalls.where = stalls.count + 1, timer.wall(), frames.position(where)
end

-- Updates a second over the last so many seconds, or since the first look.
local function rate(core, seconds)
  local ring, now, n = samples[core], timer.now(), taken(core)
  if not ring or ring.n == 0 then return 0 end
  local from
  for i = math.max(1, ring.n - KEPT + 1), ring.n do -- the oldest that is not older
    local slot = ring[(i - 1) % KEPT + 1]
    if now - slot[1] <= seconds + EVERY / 2 or i == ring.n then
      from = slot
      break
    end
  end
  local passed = now - from[1]
  return passed > 0 and (n - from[2]) / passed or 0
end

local function connection(core)
  local entry = core.dcs.connections[core.home]
  if not entry then return { state = "none" } end
  return {
    dc = core.home, address = entry.where, state = entry.state or "dialling", since = entry.since,
    reconnects = math.max(0, (entry.ups or 0) - 1),
    temporaryKey = entry.conn and entry.conn:temporaryKey(), -- seconds that it is good for
    why = entry.state ~= "up" and entry.lastWhy or nil,
  }
end

-- Updates in the store whose handlers have not ended.
local function inbox(dispatch)
  local n = 0
  for _, entry in pairs(dispatch.entries) do
    if entry.seq then n = n + 1 end
    for _, answer in ipairs(entry.answers or {}) do -- done when the handler that asked is
      if answer.seq and answer.serial == true then n = n + 1 end
    end
  end
  local function lane(l)
    for i = l.first, l.last do
      if l[i] and l[i].seq then n = n + 1 end
    end
  end
  for _, l in pairs(dispatch.lanes) do lane(l) end
  for i = dispatch.readyFirst, dispatch.readyLast do
    local l = dispatch.ready[i]
    if l and l.alone then lane(l) end
  end
  return n
end

local function size(t)
  local n = 0
  for _ in pairs(t) do n = n + 1 end
  return n
end

--- One bot, as numbers and texts: times are Unix seconds, sizes KiB.
function status.of(bot)
  local core = bot.core
  local dispatch, me = core.dispatch, core.me or {}
  local inFlight = 0
  for _, entry in pairs(core.dcs.connections) do
    if entry.conn then inFlight = inFlight + entry.conn:inFlight() end
  end
  local cpu = host.usage()
  local rss, highest = system.memory()
  local last = Logger.lastError(core.name)
  return {
    name = bot.name, username = me.username, id = me.id, state = core.state, pid = host.pid(), version = host.version, started = began,
    script = bot.path, session = core.session, connection = connection(core),
    updates = { total = taken(core), perSecond1 = rate(core, 60), perSecond15 = rate(core, 900) },
    handlers = { running = size(dispatch.entries), waiting = dispatch.waiting, failed = dispatch.failures or 0,
      asking = dispatch.asks and dispatch.asks.count or 0 },
    calls = { inFlight = inFlight, floodWaits = core.floodWaits or 0, floodUntil = core.floodUntil },
    stalls = { count = stalls.count, last = stalls.last, where = stalls.where },
    memory = { resident = rss or highest, highest = math.max(rss or 0, highest), lua = collectgarbage "count" // 1 | 0 }, cpu = cpu,
    store = { inbox = inbox(dispatch), refusals = core.updates.journal.refusals },
    reloads = bot.reloader and bot.reloader.count or 0,
    lastError = last,
  }
end

--- A line for the service manager.
function status.line()
  local parts = {}
  for _, bot in ipairs(bots) do
    local core = bot.core
    local c = connection(core)
    parts[#parts + 1] = ("%s: %s, %.1f updates/s"):format(core.me and core.me.username and "@" .. core.me.username or bot.name,
      c.state == "up" and "connected" or "not connected" .. (c.why and " (" .. c.why .. ")" or ""), rate(core, 60))
  end
  return (table.concat(parts, "; "):gsub("%s*\n%s*", " "))
end

return status
