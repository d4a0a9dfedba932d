--- Hot reload of one script: has its files watched (luna.reload.watch), loads a new version beside the one that runs, and swaps the
--- handlers between two updates. What was sent and received, the lanes and the connection know nothing of it. Made by luna.cli.run and the
--- test kit.
local host = require "_luna.host"
local task = require "_luna.task"
local timer = require "_luna.timer"
local promise = require "_luna.promise"
local Class = require "luna.class"
local errors = require "luna.errors"
local frames = require "luna.frames"
local report = require "luna.reload.report"
local runner = require "luna.runner"
local settings = require "luna.settings"
local Logger = require "luna.logger"

local Reload = Class.new "Reload"

local SLOW = 10 -- seconds after which a load that waits is told of

local function core(bot) return bot.api._core end

-- What a version has started ends.
local function finish(mark, why) require("luna.ending").finish(mark, why) end

local function log(self, level, text) core(self.bots[1]):log(level, "%s", text) end

-- The settings file is one of the files.
local function noteSettings(files)
  if not settings.path then return end
  files.texts[settings.path] = settings.text
  files.missing[settings.path] = settings.text == nil or nil
end

local function over(self)
  for _, bot in ipairs(self.bots) do
    local state = core(bot).state
    if state ~= "stopped" and state ~= "stopping" then return false end
  end
  return true
end

--- opts: path, record (as runner.load filled it), bots: a list of { api = }, in the order of the script's handlers. Of luna.cli.run, where
--- bots may come and go: make(handler, record) gives a new one, or raises; start(bot) logs it in; remove(bot) ends it; failed(err): the
--- only one could not log in; settled(): settings have changed.
function Reload:init(opts)
  self.path, self.bots = opts.path, opts.bots
  self.mark, self.files = opts.record.mark, opts.record.files
  self.make, self.start, self.remove, self.failed, self.settled = opts.make, opts.start, opts.remove, opts.failed, opts.settled
  self.wanted, self.count = 0, 0
  for _, bot in ipairs(self.bots) do core(bot).dispatch.current.texts = self.files.texts end
  noteSettings(self.files)
end

-- Whether the load under way has read these files as they are, or has yet to read them: it is compared with them once more at its end.
local function has(self, paths)
  local files = self.record and self.record.files
  if not files then return false end
  for _, path in ipairs(paths) do
    local text = files.texts[path]
    if text and text ~= host.readFile(path) then return false end
  end
  return true
end

--- From now on a save loads the script anew.
function Reload:watch()
  self.watcher = require "luna.reload.watch" {
    path = self.path, log = function(level, text) log(self, level, text) end, over = function() return over(self) end,
    changed = function(paths)
      if not has(self, paths) then self:now(paths) end
    end,
  }
  self.watcher:follow(self.files)
end

function Reload:close()
  self.closed = true
  if self.watcher then self.watcher:close() end
end

-- ---- the new version ----

local function nameOf(handler) return type(handler) == "table" and handler.__name or nil end

-- Whose is which handler now: a class is the bot's whose class had its name, the rest are taken in order. The bots by the handlers'
-- indices, and those for whom there is no handler any more.
local function match(self, list)
  local free, taken = table.move(self.bots, 1, #self.bots, 1, {}), {}
  local function take(i, fits)
    for n, bot in ipairs(free) do
      if fits(core(bot).dispatch.current.handler) then
        taken[i] = table.remove(free, n)
        return
      end
    end
  end
  for i, handler in ipairs(list) do
    local name = nameOf(handler)
    if name then take(i, function(before) return nameOf(before) == name end) end
  end
  for i in ipairs(list) do
    if not taken[i] then take(i, function() return true end) end
  end
  return taken, free
end

local function counted(n) return n == 0 and "no handler" or n == 1 and "one handler" or n .. " handlers" end

local function describe(handler, i) return nameOf(handler) or "handler " .. i end

-- Everything of the new version that may wait or raise, before anything is swapped: `record` gets what the swap needs.
local function prepare(self, record)
  local live = require "luna.reload.settings"
  for _, bot in ipairs(self.bots) do live.remember(core(bot)) end
  settings.readAgain()
  local value = runner.load(self.path, nil, record)
  local list = type(value) == "table" and value[1] ~= nil and value or { value }
  if #list == 0 or #list ~= #self.bots and not self.make then
    error(errors.classes.Exception(("%s returned %s now, and %d before%s"):format(self.path, counted(#list), #self.bots,
      #list > 0 and ": here the number cannot change" or "")), 0)
  end
  local taken, gone = match(self, list)
  record.gone = gone
  for i, handler in ipairs(list) do
    local bot = taken[i]
    if not bot then
      local ok, made = pcall(self.make, handler, record)
      if ok then
        bot = made
        record.made[#record.made + 1] = bot
      else
        record.refused[#record.refused + 1] = ("%s needs a restart: %s"):format(describe(handler, i), tostring(made))
      end
    end
    if bot then
      local c = core(bot)
      local state = c.dispatch.instance and rawget(c.dispatch.instance, "state")
      record.bots[#record.bots + 1] = bot
      record.prepared[bot] = c.dispatch:prepare(handler, record.mark, type(state) == "table" and state or nil)
      if taken[i] then record.settings[bot] = live.resolve(c, handler) end
    end
  end
end

-- A bot that is new with this version. Where it cannot log in, the next reload tries again; where there is no other, that is the end.
local function start(self, bot)
  local ok, why = xpcall(self.start, report.trace, bot)
  if ok then return end
  for i, other in ipairs(self.bots) do
    if other == bot then
      if #self.bots == 1 then return self.failed(why.err) end
      table.remove(self.bots, i)
      self.remove(bot)
      local text = ("%s: %s was not started, the other handlers run: %s"):format(self.path, bot.name, tostring(why.err))
      log(self, Logger.ERROR, text)
      return text
    end
  end
end

-- Settings that hold at once; says which do not.
local function settle(self, record, say)
  local rest, seen, any = {}, {}, false
  for bot, resolved in pairs(record.settings) do
    local names, changed = require("luna.reload.settings").apply(core(bot), resolved, say)
    any = any or changed
    for _, name in ipairs(names) do
      if not seen[name] then rest[#rest + 1] = name end
      seen[name] = true
    end
  end
  if any and self.settled then self.settled() end
  table.sort(rest)
  if #rest > 0 then
    say(("needs a restart: the setting%s %s %s changed; the rest of the new version runs"):format(#rest > 1 and "s" or "",
      table.concat(rest, ", "), #rest > 1 and "have" or "has"))
  end
end

-- Between two updates: nothing here waits. Gives what is to be told to who asked for it, and the bots that are to be started.
local function swap(self, record)
  local before, mark, notes = {}, self.mark, {}
  local function say(text)
    notes[#notes + 1] = ("%s: %s"):format(self.path, text)
    log(self, Logger.WARNING, notes[#notes])
  end
  self.bots = record.bots
  settle(self, record, say)
  for _, bot in ipairs(record.bots) do
    local dispatch = core(bot).dispatch
    record.prepared[bot].texts = record.files.texts
    local _
    _, before[bot] = dispatch:install(record.prepared[bot])
    local ok, why = pcall(dispatch.restore, dispatch)
    if not ok then log(self, Logger.ERROR, "what was kept of self.state cannot be read: " .. tostring(why)) end
  end
  self.mark = record.mark
  finish(mark, "a new version of the script has come")
  for _, bot in ipairs(record.bots) do
    local c, prepared = core(bot), record.prepared[bot]
    if bot.core then bot.handler, bot.env = prepared.handler, record.env end -- a bot of luna.cli.run
    c.dispatch:retire(before[bot], "reload")
    -- In the next turn, when what was ended has ended. A bot that is not yet up has its onStart("start") still to come.
    if c.updates.active then
      c.dispatch:hold()
      task.defer(c.dispatch.begin, c.dispatch, "reload", prepared)
    end
    if prepared.instance then
      report.state(rawget(prepared.instance, "state"), #self.bots > 1 and bot.name and bot.name .. ": state" or "state",
        function(text) log(self, Logger.WARNING, text) end)
    end
  end
  local breaks = package.loaded["luna.repl.breaks"]
  for _, bot in ipairs(breaks and record.bots or {}) do breaks.reloaded(core(bot), mark) end
  for _, text in ipairs(record.refused) do say(text) end
  for _, bot in ipairs(record.gone) do
    core(bot):log(Logger.NOTICE, "%s has no handler for this bot any more: it ends", self.path)
    self.remove(bot)
  end
  return notes
end

-- What is followed from now on: what a version was read from that runs, or that failed. One that was not even read leaves what is known.
local function follow(self, files)
  if files.texts[self.path] then self.files = files else noteSettings(self.files) end
  if self.watcher then self.watcher:follow(self.files) end
end

-- Which files it was, where it was not the script.
local function because(self)
  local list = {}
  for _, path in ipairs(self.paths or {}) do
    if path ~= self.path then list[#list + 1] = path end
  end
  if #list == 0 then return "" end
  return (" (%s%s)"):format(table.concat(list, ", ", 1, math.min(#list, 3)), #list > 3 and (" and %d more"):format(#list - 3) or "")
end

-- One load. Gives true, a list of what is to be told, and the bots to start; or false and why.
local function once(self, n)
  local record = {
    files = { texts = {}, missing = {}, folders = {} },
    bots = {}, made = {}, gone = {}, refused = {}, prepared = {}, settings = {},
  }
  self.record = record
  local me = task.current()
  local timeout = timer.unref(timer.after(SLOW, function()
    local at = frames.position(me:where())
    log(self, Logger.WARNING, ("%s has been loading for %d s%s; until it has, the version before goes on"):format(self.path, SLOW,
      at and " and waits at " .. at or ""))
  end))
  local ok, why = xpcall(prepare, report.trace, self, record)
  timer.cancel(timeout)
  self.record = nil
  noteSettings(record.files)
  local ended = ok and (self.closed or over(self))
  if not ok or ended then
    if record.mark then finish(record.mark, ended and "the bot has ended" or "the new version of the script has failed") end
    for _, bot in ipairs(record.made) do self.remove(bot) end
    if ended then return false, "the bot has ended" end
    if self.wanted == n then -- else it was ended for a newer one
      why = report.text(why, record.files)
      log(self, Logger.ERROR, ("%s was not reloaded, the version before goes on: %s"):format(self.path, why))
    end
    follow(self, record.files)
    return false, why
  end
  local notes = swap(self, record)
  self.count = self.count + 1
  log(self, Logger.NOTICE, self.path .. " reloaded" .. because(self))
  follow(self, record.files)
  return true, notes, record.made
end

-- Of the library's own making: that one reload fails must not end those after it.
local function unexpected(err)
  Logger.write(Logger.ERROR, "reload", tostring(err), { traceback = debug.traceback(nil, 2) })
  return false
end

--- Loads the script anew, whatever has changed. A promise of true and what is to be told of it (text or nil), or of false and why: it
--- resolves when the bots that are new have logged in. While a load waits in its top level, a newer one ends it. paths: the files that have
--- changed, where it is known.
function Reload:now(paths)
  self.wanted, self.paths = self.wanted + 1, paths
  if self.loading then
    local record = self.record
    if record and record.mark then finish(record.mark, "a newer version of the script has come") end
    return self.loading
  end
  local done = promise.new()
  self.loading = done
  task.spawn(function()
    task.owner(0)
    local _, ok, why, made, n
    local starting = {}
    repeat
      n = self.wanted
      _, ok, why, made = xpcall(once, unexpected, self, n)
      for _, bot in ipairs(made or {}) do starting[#starting + 1] = task.spawn(start, self, bot) end
    until self.wanted == n or self.closed
    self.loading = nil
    if ok then
      for _, p in ipairs(starting) do why[#why + 1] = promise.await(p) end
      why = why[1] and table.concat(why, "\n")
    end
    promise.resolve(done, ok, why)
  end)
  return done
end

return Reload
