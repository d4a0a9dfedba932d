--- Hot reload of one script: has its files watched (luna.reload.watch), loads a new version beside the one that runs, and swaps the
--- handlers between two updates. What was sent and received, the lanes and the connection know nothing of it. Made by luna.cli.run and the
--- test kit.
local task = require "_luna.task"
local promise = require "_luna.promise"
local Class = require "luna.class"
local ending = require "luna.ending"
local errors = require "luna.errors"
local runner = require "luna.runner"
local Logger = require "luna.logger"
local Watch = require "luna.reload.watch"

local Reload = Class.new "Reload"

local EXCERPT = 2 -- lines before and after the one at fault
local MAX_LOOKED, MAX_TOLD = 10000, 5

--- opts: path, record (as runner.load filled it), bots: a list of { api = }, in the order of the script's handlers.
function Reload:init(opts)
  self.path, self.bots = opts.path, opts.bots
  self.mark, self.files = opts.record.mark, opts.record.files
  self.wanted, self.count = 0, 0
end

local function core(bot) return bot.api._core end

local function log(self, level, text) core(self.bots[1]):log(level, "%s", text) end

local function over(self)
  for _, bot in ipairs(self.bots) do
    local state = core(bot).state
    if state ~= "stopped" and state ~= "stopping" then return false end
  end
  return true
end

--- From now on a save loads the script anew.
function Reload:watch()
  self.watcher = Watch {
    path = self.path, log = function(level, text) log(self, level, text) end, over = function() return over(self) end,
    changed = function() self:now() end,
  }
  self.watcher:follow(self.files)
end

function Reload:close()
  self.closed = true
  if self.watcher then self.watcher:close() end
end

-- ---- what went wrong ----

local function trace(err)
  if errors.isException(err) then return { err = errors.annotate(err, debug.traceback(nil, 2)), traceback = err.traceback } end
  return { err = err, traceback = debug.traceback(nil, 2) }
end

-- The file and the line of an error, of those that were loaded. Lua shortens long names to "...end".
local function position(files, text)
  for name, line in text:gmatch "([^%s:][^\n:]*):(%d+):" do
    local tail = name:match "^%.%.%.(.+)$"
    for path in pairs(files.texts) do
      if path == name or tail and path:sub(-#tail) == tail then return path, math.tointeger(tonumber(line)) end
    end
  end
end

local function excerpt(text, line)
  local out, n = {}, 0
  for content in (text .. "\n"):gmatch "(.-)\r?\n" do
    n = n + 1
    if n >= line - EXCERPT and n <= line + EXCERPT then
      out[#out + 1] = ("%s %4d | %s"):format(n == line and ">" or " ", n, #content > 200 and content:sub(1, 200) .. "…" or content)
    end
  end
  return table.concat(out, "\n")
end

-- Says why the new version does not run; gives the text.
local function failed(self, traced, files)
  local err = traced.err
  local text = tostring(err)
  local path, line = position(files, text)
  if not path and traced.traceback then
    path, line = position(files, traced.traceback)
    if path then text = ("%s:%d: %s"):format(path, line, text) end
  end
  if path then text = text .. "\n" .. excerpt(files.texts[path], line) end
  log(self, Logger.ERROR, ("%s was not reloaded, the version before goes on: %s"):format(self.path, text))
  return text
end

-- Functions in the state are code of the version that is gone.
local function lookThrough(self, state, name)
  local seen, looked, told = { [state] = true }, 0, 0
  local function tell(path, what)
    told = told + 1
    if told <= MAX_TOLD then
      log(self, Logger.WARNING,
        ("%s%s is %s of the version before and stays as it was: keep data alone in self.state"):format(name, path, what))
    end
  end
  local queue, first, last = { { state, "" } }, 1, 1
  while first <= last and looked < MAX_LOOKED do
    local t, path = queue[first][1], queue[first][2]
    queue[first] = nil
    first = first + 1
    if getmetatable(t) ~= nil then tell(path, "a table with a metatable") end
    for k, v in next, t do
      looked = looked + 1
      if looked > MAX_LOOKED then break end
      local kind = type(v)
      local at = ("%s.%s"):format(path, tostring(k))
      if kind == "function" or kind == "thread" then
        tell(at, "a " .. (kind == "thread" and "coroutine" or kind))
      elseif kind == "table" and not seen[v] then
        seen[v] = true
        last = last + 1
        queue[last] = { v, at }
      end
    end
  end
end

-- ---- the new version ----

-- Handlers, in the order of the bots, and their instances, before anything is swapped. Their init may wait or raise.
local function prepare(self, value, record, prepared)
  local list = type(value) == "table" and value[1] ~= nil and value or { value }
  if #list ~= #self.bots then
    error(errors.classes.Exception(("%s returned %s now, and %d before: that takes a new start"):format(self.path,
      #list == 0 and "no handler" or #list == 1 and "one handler" or #list .. " handlers", #self.bots)), 0)
  end
  for i, bot in ipairs(self.bots) do
    local dispatch = core(bot).dispatch
    local state = dispatch.instance and rawget(dispatch.instance, "state")
    prepared[i] = dispatch:prepare(list[i], record.mark, type(state) == "table" and state or nil)
  end
end

-- Between two updates: nothing here waits.
local function swap(self, record, prepared)
  local gone, mark = {}, self.mark
  for i, bot in ipairs(self.bots) do
    local dispatch = core(bot).dispatch
    local _
    _, gone[i] = dispatch:install(prepared[i])
    local ok, why = pcall(dispatch.restore, dispatch)
    if not ok then log(self, Logger.ERROR, "what was kept of self.state cannot be read: " .. tostring(why)) end
  end
  self.mark = record.mark
  ending.finish(mark, "a new version of the script has come")
  for i, bot in ipairs(self.bots) do
    local c = core(bot)
    if bot.core then bot.handler, bot.env = prepared[i].handler, record.env end -- a bot of luna.cli.run
    c.dispatch:retire(gone[i], "reload")
    -- In the next turn, when what was ended has ended. A bot that is not yet up has its onStart("start") still to come.
    if c.updates.active then task.defer(c.dispatch.begin, c.dispatch, "reload", prepared[i]) end
    if prepared[i].instance then
      lookThrough(self, rawget(prepared[i].instance, "state"), #self.bots > 1 and bot.name and bot.name .. ": state" or "state")
    end
  end
end

local function once(self, n)
  local record, prepared = {}, {}
  self.record = record
  local ok, value = xpcall(runner.load, trace, self.path, nil, record)
  if ok then
    ok, value = xpcall(prepare, trace, self, value, record, prepared)
    if not ok then ending.finish(record.mark, "the new version of the script has failed") end
  end
  self.record = nil
  if ok and (self.closed or over(self)) then
    ending.finish(record.mark, "the bot has ended")
    return false, "the bot has ended"
  end
  if ok then
    swap(self, record, prepared)
    self.count = self.count + 1
    log(self, Logger.NOTICE, self.path .. " reloaded")
  elseif self.wanted == n then -- else it was ended for a newer one
    value = failed(self, value, record.files)
  end
  if next(record.files.texts) then -- a script that cannot be read leaves what is known
    self.files = record.files
    if self.watcher then self.watcher:follow(self.files) end
  end
  return ok, value
end

--- Loads the script anew, whatever has changed. A promise of true, or of false and why. While a load waits in its top level, a newer one
--- ends it.
function Reload:now()
  self.wanted = self.wanted + 1
  if self.loading then
    local record = self.record
    if record and record.mark then ending.finish(record.mark, "a newer version of the script has come") end
    return self.loading
  end
  local done = promise.new()
  self.loading = done
  task.spawn(function()
    task.owner(0)
    local ok, why, n
    repeat
      n = self.wanted
      ok, why = once(self, n)
    until self.wanted == n or self.closed
    self.loading = nil
    promise.resolve(done, ok, why)
  end)
  return done
end

return Reload
