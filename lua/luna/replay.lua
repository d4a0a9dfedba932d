--- Runs bots against a record, offline and on a clock of its own: each update comes at its time, each call gets its recorded answer, and
--- what differs is told. Called by `luna replay` and by require("luna.sandbox").replay; owns the clock and the clients for that time.
local promise = require "_luna.promise"
local storeLib = require "_luna.store"
local task = require "_luna.task"
local timer = require "_luna.timer"
local tl = require "_luna.tl"
local Class = require "luna.class"
local Connection = require "luna.replay.connection"
local Logger = require "luna.logger"
local Tape = require "luna.replay.tape"
local differences = require "luna.replay.differences"
local ending = require "luna.ending"
local errors = require "luna.errors"
local expand = require "luna.updates.expand"
local frames = require "luna.frames"
local ids = require "luna.ids"
local printable = require "luna.printable"

local Replay = Class.new "Replay"

local randomseed = math.randomseed -- a script may have its own

local HALF = 5e-7 -- clocks count in microseconds
local AFTER = 0.001 -- what the last line brings may go on for so long

-- ---- what stands in for the network ----

-- An update as the decoder would have made it; nil and why where the schema here knows no such one.
local function fresh(u)
  local redelivered = u.redelivered
  u.redelivered = nil
  local ok, made = pcall(function()
    return tl.decode(tl.encode({ _ = "updateShort", update = u, date = 0 }, "Updates"), "Updates").update
  end)
  if not ok then return nil, made end
  made.redelivered = redelivered
  return made
end

local function hand(self, core, update, n)
  self.numbers[update] = n or 0
  if n then randomseed(self.tape.seed, n) end
  core.dispatch:handle(update)
end

-- The updates that ride in an answer: those that reached the handlers then, or all of an answer that is made up.
local function fromResult(self, core, bot, u, request)
  local full = expand.container(u, core.me.id, request)
  if not full or core.updates.stopped then return end
  core.peers:harvest(full)
  for _, update in ipairs(full.updates) do
    if bot.conn.made[u] then
      hand(self, core, update)
    else
      local n = bot.client.keys[Tape.key(update)]
      if n then hand(self, core, update, n) end
    end
  end
end

local function boot(self, core, client)
  local wait = client.upAt - self:now()
  if wait > 0 then task.sleep(wait + HALF) end
  core.store = storeLib.open(nil, "off")
  core.accountName = "bot" .. client.me.id
  core.account = core.store:account(core.accountName)
  core.randomId:prepare()
  for name, text in pairs(client.state) do core.account:set("persist." .. name, text) end
  core.me, core.home, core.state = client.me, 2, "up"
end

local function peers(core, client)
  local base, get, byUsername = core.peers, core.peers.get, core.peers.byUsername
  local asked = {}
  for _, call in ipairs(client.calls) do
    local name = call.name == "contacts.resolveUsername" and call.p.username
    if type(name) == "string" then asked[name:lower()] = true end
  end
  function base.get(this, marked)
    local entry = get(this, marked)
    if entry or core.me.bot then return entry end
    local kind = ids.split(marked)
    return kind and { id = marked, type = kind, hash = 1 } or nil
  end
  function base.byUsername(this, name)
    local entry = byUsername(this, name)
    if entry then return entry end
    local id = client.names[name:lower()]
    local kind = math.type(id) == "integer" and not asked[name:lower()] and ids.split(id)
    return kind and { id = id, type = kind, hash = 1, username = name } or nil
  end
end

local function noteFailure(self, core, bot, err, update, what, text)
  if self.ended or self.over then return end
  local line, traceback = frames.tidy(errors.text(err), text and text:match "\n(.*)$")
  local from = update and self.numbers[update] or 0
  local first, known = errors.bare(errors.text(err)):match "^[^\n]*", false
  for _, recorded in ipairs(bot.client.errors) do
    if not recorded.seen and recorded.from == from and recorded.text:match "^[^\n]*" == first then
      recorded.seen, known = true, true
      break
    end
  end
  table.insert(self.errors, {
    text = ("%s failed: %s"):format(what, line), traceback = traceback, err = err, update = from, recorded = known, bot = core.name,
    where = differences.where(bot.client, from),
  })
end

-- Part of the record does not fit the schema: of another layer, or damaged.
local function leftOut(self, bot, n, why)
  table.insert(self.errors, {
    text = ("it was left out: %s"):format(why), update = n, bot = bot.core.name, where = differences.where(bot.client, n),
  })
end

-- Everything by which a client would meet the world goes to the record instead.
local function follow(self, core, client)
  local bot = { core = core, client = client, conn = Connection(self, client, core) }
  local updates, dispatch, dcs = core.updates, core.dispatch, core.dcs
  client.taken = true
  self.bots[#self.bots + 1], self.byClient[client] = bot, bot
  core.conn = bot.conn
  if client.order and self.order[core] == nil then dispatch:turn(client.order) end
  if type(client.floodTimeout) == "number" then core.settings.floodTimeout = client.floodTimeout end
  function core.boot() boot(self, core, client) end
  for _, name in ipairs { "connectHome", "get", "migrate" } do dcs[name] = function() return bot.conn end end
  function updates.prepare() end
  function updates.newSession() end
  function updates.affected() end
  function updates.activate()
    if updates.active then return end
    updates.active = true
    dispatch:restore()
    dispatch:begin "start"
  end
  function updates.fromResult(_, u, request) fromResult(self, core, bot, u, request) end
  local guard, report, log = dispatch.guard, dispatch.report, core.log
  function dispatch.guard(...)
    local id = task.current().id
    self.guarded[id] = true
    local ok = guard(...)
    self.guarded[id] = nil
    return ok
  end
  function dispatch.report(this, err, update, what, text, version)
    noteFailure(self, core, bot, err, update, what, text)
    return report(this, err, update, what, text, version)
  end
  function core.log(this, level, text, about, ...)
    if type(about) == "table" and about.err ~= nil and level == Logger.ERROR then return end -- the report has it
    return log(this, level, text, about, ...)
  end
  peers(core, client)
  return bot
end

-- ---- the scripts ----

local function freeClient(self, name)
  local free = {}
  for _, client in ipairs(self.tape.clients) do
    if not client.taken and client.me then free[#free + 1] = client end
  end
  for _, client in ipairs(free) do
    if client.name == name then return client end
  end
  if #self.scripts == 1 and #free == 1 then return free[1] end
  return self.tape:client(name, #self.scripts == 1)
end

local function load(self, path)
  local runner, api = require "luna.runner", require "luna.api"
  local record, started, names = {}, {}, {}
  local what = runner.load(path, nil, record)
  self.marks[#self.marks + 1] = record.mark
  local list = type(what) == "table" and what[1] ~= nil and what or { what }
  local stem = runner.stem(path)
  local loaded = { path = path, record = record, bots = {} }
  for i, handler in ipairs(list) do
    local name, n = stem, 1
    while names[name] do
      n = n + 1
      name = stem .. n
    end
    names[name] = true
    local class = type(handler) == "table" and handler.settings or nil
    self.mine = true
    local object = api.new(nil, { class = class, stem = stem, name = name, where = "luna replay" })
    self.mine = false
    self.order[object._core] = class and class.updates and class.updates.order
    loaded.bots[i] = { api = object, name = name }
    follow(self, object._core, freeClient(self, class and class.name or name))
    started[i] = task.spawn(api.methods.run, object, handler, record.mark)
  end
  for _, p in ipairs(started) do promise.await(p) end
  if #loaded.bots > 0 then loaded.reloader = require "luna.reload"(loaded) end
  self.loaded[#self.loaded + 1] = loaded
end

local function reload(self, bot)
  for _, loaded in ipairs(self.loaded) do
    for _, one in ipairs(loaded.bots) do
      if one.api._core == bot.core and not loaded.reloader.loading then task.spawn(loaded.reloader.now, loaded.reloader) end
    end
  end
end

-- ---- the run ----

local function happen(self, event)
  local bot = self.byClient[event.client]
  if not bot or event.own then return end
  local wait = event.t - self:now()
  if wait > 0 then task.sleep(wait + HALF) end
  if self.over or self.failed then return end
  if event.kind == "update" then
    if bot.core.updates.active and not bot.core.updates.stopped then
      self.updates = self.updates + 1
      local update, why = fresh(Tape.value(event.u))
      if update then return hand(self, bot.core, update, event.n) end
      leftOut(self, bot, event.n, errors.bare(tostring(why)))
    end
  elseif event.kind == "reload" then
    reload(self, bot)
  elseif event.kind == "stop" and not bot.stopping then
    bot.stopping = task.spawn(bot.core.stop, bot.core, type(event.why) == "string" and event.why or "stop")
  end
end

local function finish(self)
  for _, bot in ipairs(self.bots) do
    if bot.stopping then promise.await(bot.stopping) end
  end
  self.ended = true -- what comes now is not in the record
  for _, bot in ipairs(self.bots) do
    if not bot.stopping then bot.core:stop("stop", 0) end
  end
  for _, mark in ipairs(self.marks) do ending.finish(mark, "the replay is over") end
end

local function run(self)
  timer.useClock(self.clock)
  task.owner(0)
  self.began = timer.now()
  randomseed(self.tape.seed, 0)
  local loads = {}
  for i, path in ipairs(self.scripts) do
    loads[i] = task.spawn(load, self, path)
    promise.onResolve(loads[i], function(err)
      if err ~= nil and self.failed == nil then self.failed = err end
    end)
  end
  for _, event in ipairs(self.tape.events) do
    if self.over or self.failed then break end
    happen(self, event)
  end
  local left = self.tape.last + AFTER - self:now()
  if left > 0 and not self.over and not self.failed then task.sleep(left) end
  local ok, why = pcall(finish, self)
  if self.failed ~= nil then error(self.failed, 0) end
  if not ok then error(why, 0) end
  for _, loading in ipairs(loads) do
    if promise.state(loading) == "pending" then promise.markHandled(loading) end
  end
end

-- ---- the result ----

local result = {}
result.__index = result

--- The report for a person.
function result:__tostring() return self.text end

local function plural(n, word) return ("%d %s%s"):format(n, word, n == 1 and "" or "s") end

local function sum(self)
  local out = setmetatable({
    differences = {}, errors = self.errors, updates = self.updates, calls = 0, matched = 0, seconds = self.tape.last,
  }, result)
  local lines, answered = {}, 0
  for _, bot in ipairs(self.bots) do
    local of = #self.bots > 1 and bot.core.name .. ", " or ""
    for _, call in ipairs(bot.conn.now) do
      out.calls = out.calls + 1
      if call.match then out.matched = out.matched + 1 end
    end
    for _, d in ipairs(differences.of(bot.client, bot.conn.now)) do
      if self.over and d.kind == "gone" then goto continue end -- the rest of the record was not played
      d.bot = bot.core.name
      out.differences[#out.differences + 1] = d
      lines[#lines + 1] = ("%d. %s%s"):format(#out.differences, of, differences.text(bot.client, d))
      ::continue::
    end
    answered = answered + bot.client.updateCount
  end
  for _, e in ipairs(self.errors) do
    lines[#lines + 1] = ("%s: %s%s"):format(e.where, e.text, e.recorded and " (as in the record)" or "")
    if e.traceback then lines[#lines + 1] = "  " .. e.traceback:gsub("\n", "\n  ") end
  end
  for _, bot in ipairs(self.bots) do
    for _, e in ipairs(bot.client.errors) do
      if not e.seen then
        lines[#lines + 1] = ("%s: failed in the record, and does not now: %s"):format(differences.where(bot.client, e.from),
          e.text:match "^[^\n]*")
      end
    end
  end
  out.same = #out.differences == 0 and #out.errors == 0
  lines[#lines + 1] = ("%s, %s over %.1f s: %s, %s"):format(plural(answered, "update"), plural(out.calls, "call"), self.tape.last,
    #out.differences == 0 and "no difference" or plural(#out.differences, "difference"),
    #out.errors == 0 and "no error" or plural(#out.errors, "error"))
  if self.tape.continued then
    lines[#lines + 1] = "the record goes on from an earlier file: what the bot kept in memory then is not in it"
  end
  local zone = os.date("%z", self.tape.wall // 1 | 0)
  if not out.same and type(self.tape.zone) == "string" and zone ~= self.tape.zone then
    lines[#lines + 1] = ("clocks were at %s then, here they are at %s (TZ): os.date differs"):format(self.tape.zone, zone)
  end
  out.text = printable.text(table.concat(lines, "\n")) -- a record comes from outside
  return out
end

local function offline()
  local ok, exchange = pcall(require, "luna.http.exchange")
  if not ok then return function() end end
  local before = exchange.run
  exchange.run = function()
    errors.throw(errors.classes.HTTPException("the replay is offline: a record holds no HTTP", { name = "OFFLINE" }))
  end
  return function() exchange.run = before end
end

--- replay(file, script | { scripts }, { strict = true, online = true }) → { same, differences, errors, updates, calls, matched, seconds,
--- text }. Waits. Raises where the record or a script cannot be read, or a script's top level fails.
function Replay.play(file, scripts, opts)
  opts = opts or {}
  local tape = Tape(file)
  local self = setmetatable({
    tape = tape, scripts = type(scripts) == "table" and scripts or { scripts }, strict = opts.strict, guarded = {}, bots = {},
    byClient = {}, errors = {}, marks = {}, loaded = {}, updates = 0,
    numbers = setmetatable({}, { __mode = "k" }), -- update → its number in the record
    order = setmetatable({}, { __mode = "k" }), -- core → the order that its class wants
  }, Replay)
  self.now = function() return timer.now() - self.began end
  self.onDifference = function()
    if self.strict then self.over = true end
  end
  if #tape.clients == 0 then tape:client("", false) end
  self.clock = timer.newVirtual(tape.wall)
  local api = require "luna.api"
  local before, online = api.onNew, opts.online and function() end or offline()
  api.onNew = function(core) -- a script's own API object
    if not self.mine then follow(self, core, freeClient(self, core.name)) end
  end
  local done = task.spawn(run, self)
  local ok, why = pcall(promise.await, done)
  api.onNew = before
  online()
  self.clock:free()
  if not ok then error(why, 0) end
  return sum(self)
end

return Replay
