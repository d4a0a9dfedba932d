--- luna.Loop: a piece of work that start() runs in the background, under a name that the log has. The other loop classes extend Base.
--- A loop's own state is one table, made when first needed: a class's init need not call its parent's.
local core = require "_luna.promise"
local task = require "_luna.task"
local Class = require "luna.class"
local errors = require "luna.errors"
local frames = require "luna.frames"
local combinators = require "luna.combinators"
local scope = require "luna.scope"
local timer = require "_luna.timer"
local Logger = require "luna.logger"

local M = {}

local CancelledException = errors.classes.CancelledException

local Base = Class.new "Loop"
M.Base = Base

--- The state of a loop: `done` (the promise of start), `task` (that of the running loop()), `stop` (the error that ends it). Called first
--- by every method of a loop: raises in who called that with a dot.
local function state(self)
  if type(self) ~= "table" or getmetatable(self) == nil then
    error("call it with a colon: loop:start(), loop:pause(…), loop:signal(…)", 3)
  end
  local s = rawget(self, "_loop")
  if not s then
    s = {}
    rawset(self, "_loop", s)
  end
  return s
end
M.state = state

-- A __tostring that fails must not keep the loop from ending.
local function nameOf(self)
  local ok, name = pcall(tostring, self)
  return ok and name or getmetatable(self).__name
end

local function log(self, level, text, about)
  local api = self.API
  local c = type(api) == "table" and rawget(api, "_core")
  Logger.write(level, c and c.name or "loop", ("%s: %s"):format(nameOf(self), text), about)
end

--- Takes an API object (or a handler), or a table of fields.
function Base:init(x)
  if x == nil then return end
  if type(x) ~= "table" then
    error(("%s: an API object or a table of fields is wanted, not %s"):format(self.__name, combinators.kind(x)), 3)
  end
  if getmetatable(x) ~= nil then
    self.API = x
  else
    for key, value in pairs(x) do self[key] = value end
  end
end

-- Its tasks belong to the API object and to the version of the script that started it, not to the update whose handler happened to.
local function enter(api, mark)
  local c = rawget(api, "_core")
  if c and c.scope then return scope.enter(c.scope, mark or 0) end
  scope.enter(task.owner() >> 32, mark or 0)
end

local function markOf(c)
  local mark = scope.mark()
  if mark or not (c and c.dispatch) then return mark end
  local entry = c.dispatch:context()
  return entry and entry.version and entry.version.mark
end

-- Who catches the error of a stop at one wait is told again at a later one, after so many seconds; then the log names it.
local AGAIN, TIMES = 3, 3

local function press(self, s, err, times)
  s.pressing = nil
  if s.stop ~= err or not s.task then return end
  if times == 0 then return log(self, Logger.WARNING, "it was stopped, but catches the error of its waits and goes on") end
  core.cancel(s.task, err)
  s.pressing = timer.unref(timer.after(AGAIN, press, self, s, err, times - 1))
end

-- In the loop's task: what it throws passes unchanged, with its traceback kept for the log.
local function body(self, s)
  local function pass(ok, ...)
    if not ok then error((...), 0) end
    return ...
  end
  return pass(xpcall(self.loop, function(err)
    local traceback = debug.traceback(nil, 2)
    if errors.isException(err) then return errors.annotate(err, traceback) end
    s.traceback = traceback
    return err
  end, self))
end

local function ended(self, s, err, ...)
  local done, stopped, traceback = s.done, s.stop, s.traceback
  if s.pressing then timer.cancel(s.pressing) end
  s.done, s.task, s.stop, s.traceback, s.pressing = nil, nil, nil, nil, nil
  if self._ended then self:_ended(s) end
  local c = rawget(self.API or {}, "_core")
  if c and c.background then c.background[self] = nil end
  if err == nil or (stopped and err == stopped) or type(err) == "table" and rawget(err, "versionEnded") then
    if Logger.wants(Logger.VERBOSE) then log(self, Logger.VERBOSE, err == nil and "ended" or "stopped") end
    return core.resolve(done, ...)
  end
  local text
  text, traceback = frames.tidy(errors.text(err), errors.isException(err) and err.traceback or traceback)
  if not frames.hasPosition(text) then traceback = nil end -- nothing in it is the script's: a signal, a promise's failure
  log(self, Logger.ERROR, "failed: " .. text, { traceback = traceback, err = err })
  core.fail(done, err)
end

--- Runs loop() in the background; a promise that resolves when it ends (with what it returned), or fails with its error, which is logged
--- as well. While it runs, a second start is logged as an error and returns false.
function Base:start()
  local s = state(self)
  if s.done then
    log(self, Logger.ERROR, "it runs already, start() does nothing")
    return false
  end
  local named, name = pcall(tostring, self)
  if not named then error(("the __tostring of this loop failed: %s"):format(errors.text(name)), 2) end
  local api = self.API
  if type(api) ~= "table" then
    error(("%s: self.API is %s; hand an API object to the class, or set self.API in init"):format(name,
      api == nil and "not set" or combinators.kind(api)), 2)
  end
  if type(self.loop) ~= "function" then error(("%s has no method loop()"):format(name), 2) end
  local done = core.new(function() self:stop() end)
  s.done, s.since = done, timer.now()
  core.markHandled(done) -- an error of it is logged here
  if self._started then self:_started(s) end
  if Logger.wants(Logger.VERBOSE) then log(self, Logger.VERBOSE, "started") end
  local c = rawget(api, "_core")
  if c then
    c.background = c.background or {}
    c.background[self] = true
  end
  s.mark = markOf(c)
  local p = task.spawn(function()
    enter(api, s.mark)
    task.current().name = name
    return body(self, s)
  end)
  if core.state(p) == "pending" then s.task = p end
  if s.stop then press(self, s, s.stop, TIMES) end -- it stopped itself before its first wait
  core.onResolve(p, function(err, ...) ended(self, s, err, ...) end)
  return done
end

function Base:isRunning() return state(self).done ~= nil end

--- Ends the loop at its wait; the promise of start() resolves. Nothing where it does not run.
function Base:stop()
  local s = state(self)
  if not s.done or s.stop then return end
  s.stop = CancelledException "the loop was stopped"
  press(self, s, s.stop, TIMES)
end

--- Raises, where the loop is to stop: its code may have caught the error once.
function M.checkStop(s)
  if s.stop then error(s.stop, 0) end
end

M.toPromise, M.kind = combinators.toPromise, combinators.kind

--- luna.Loop itself: between it and Base stands what to say to who meant luna.loop.
local Loop = Base:extend "Loop"
M.Loop = Loop
Loop.__index = Base

local onLoop = {}
for _, name in ipairs { "run", "now", "defer", "delay", "every", "repeat", "onReadable", "onWritable", "onSignal", "enable", "disable",
  "cancel", "reference", "unreference", "setState", "getState", "setErrorHandler", "getInfo", "getHandle", "read", "write" } do
  onLoop[name] = true
end

getmetatable(Loop).__index = function(_, name)
  if onLoop[name] then error(('luna.Loop has no "%s"; did you mean luna.loop.%s?'):format(name, name), 2) end
  return Base[name]
end

--- luna.Loop:extend "name": a class whose instances look past luna.Loop, so that their fields may have any name.
function Loop.extend(self, name)
  if not Class.isClass(self) or name ~= nil and type(name) ~= "string" then return Base.extend(self, name) end -- which says so
  local class = Base:extend(name == nil and "Loop" or name)
  class.super = Loop
  return class
end

return M
