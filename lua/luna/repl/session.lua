--- One client of the REPL: its table of names over the bot's environment, the line that runs for it, and what it is told. Made by
--- luna.repl.server for each connection, and by luna.cli.repl where no bot runs. What goes out: tables with `op`, by the function `send`.
local task = require "_luna.task"
local promise = require "_luna.promise"
local Class = require "luna.class"
local errors = require "luna.errors"
local scope = require "luna.scope"
local Logger = require "luna.logger"
local frames = require "luna.frames"
local locals = require "luna.repl.locals"
local script = require "luna.repl.script"
local show = require "luna.repl.show"

local Session = Class.new "Session"

local TEXT_MAX = 256 * 1024
local QUEUE_MAX = 100

-- task id → session whose line it is: for what the bot's own functions print.
local printing = setmetatable({}, { __mode = "v" })

local function joined(...)
  local parts = table.pack(...)
  for i = 1, parts.n do parts[i] = tostring(parts[i]) end
  return table.concat(parts, "\t")
end

-- The program's print, so that what a line of the REPL makes the bot's code print goes to that REPL.
local wrapped
local function takePrint()
  local before = rawget(_G, "print")
  if before == wrapped then return end
  wrapped = function(...)
    local current = task.current()
    local session = current and printing[current.id]
    if session then return session:print(joined(...)) end
    return before(...)
  end
  rawset(_G, "print", wrapped)
end

-- The environment of the version of the script that runs now.
local function environment(bot) return bot.env or _G end

--- bot: { core, api, name, path, handler, env }; send(message); evaluating(on): told around what computes, in its task.
function Session:init(bot, send, evaluating)
  self.bot, self.send, self.evaluating = bot, send, evaluating or function() end
  self.queue, self.first, self.last = {}, 1, 0
  self.held, self.holds = {}, {} -- tasks at break points: in order, and by id
  self.cuts = {} -- what the last value's text left out
  local up = script.upvalues(bot)
  local about = { name = bot.name, path = bot.path, api = bot.api }
  local given = {
    api = function() return bot.api end,
    handler = function() return bot.core.dispatch.instance end,
    bot = function() return about end,
    up = function() return up end,
  }
  self.given = given
  self.env = setmetatable({}, {
    __index = function(_, name)
      local fn = given[name]
      if fn then return fn() end
      return environment(bot)[name]
    end,
  })
  self.env._G = self.env
  self.env.print = function(...) self:print(joined(...)) end
  takePrint()
end

function Session:print(text)
  if #text > TEXT_MAX then text = ("%s… (%d bytes more)"):format(text:sub(1, TEXT_MAX), #text - TEXT_MAX) end
  self.send { op = "print", text = Logger.redact(text) }
end

-- An error's text and the frames of the line and of the bot's code, without ours.
local function describe(err)
  local text, traceback = err, nil
  if type(err) == "table" and err.traced then
    text, traceback = err.err, err.traced
  elseif errors.isException(err) then
    traceback = err.traceback
  end
  local lines = { tostring(text) }
  for _, line in ipairs(frames.own(traceback)) do
    -- What was typed is a frame without a name of its own: where the text has its line already, it says nothing new.
    local at = line:match "^(repl:%d+): in upvalue '[%w?]+'$"
    if not at then
      lines[#lines + 1] = "  " .. line
    elseif lines[1]:sub(1, #at + 1) ~= at .. ":" then
      lines[#lines + 1] = ("  %s: in what was typed"):format(at)
    end
  end
  return Logger.redact(table.concat(lines, "\n"))
end

local function trace(err)
  if errors.isException(err) then return { err = err, traced = err.traceback or debug.traceback(nil, 2) } end
  return { err = err, traced = debug.traceback(nil, 2) }
end

--- The names that a line sees: those of the frame where a task is held, then the client's own, then the bot's.
function Session:scope()
  local breaks = package.loaded["luna.repl.breaks"]
  local hold = breaks and #self.held > 0 and breaks.current(self)
  if not hold then return self.env, false end
  local frame = breaks.frame(hold)
  return frame:environment(self.env, function() return hold.frame == frame and breaks.isHeld(hold) end), true
end

-- A line as a function; nil and why, and whether more lines may mend it. While a task is held, a `local` lives as long as its line: it
-- must not become an assignment to the task's own.
local function compile(self, code)
  local env, inFrame = self:scope()
  local chunk, asValue = load("return " .. code, "=repl", "t", env)
  if chunk then -- no tail call: what is wrong with the line's arguments is raised at the line
    return load(("local function _values_(...) return ... end return _values_(%s\n)"):format(code), "=repl", "t", env) or chunk
  end
  local why
  chunk, why = load(inFrame and code or locals(code), "=repl", "t", env)
  return chunk, why, not chunk and (why:find "<eof>$" or asValue:find "<eof>$") ~= nil
end

-- Runs the line; in a task of its own, so that who interrupts it ends nothing else.
local function execute(self, chunk)
  scope.enter(self.bot.core.scope, 0)
  local current = task.current()
  current.name = "repl"
  self.running = current
  printing[current.id] = self
  self.evaluating(true)
  local results = table.pack(xpcall(function()
    local values = table.pack(chunk())
    for i = 1, values.n do
      if promise.is(values[i]) then
        local awaited = table.pack(promise.await(values[i]))
        values[i] = awaited[1]
        if i == values.n then
          for j = 2, awaited.n do values[i + j - 1] = awaited[j] end
          values.n = i + math.max(awaited.n, 1) - 1
        end
      end
    end
    return table.unpack(values, 1, values.n)
  end, trace))
  self.evaluating(false)
  printing[current.id] = nil
  return table.unpack(results, 1, results.n)
end

local function asJson(results)
  local value
  if results.n == 1 then
    value = results[1]
  elseif results.n > 1 then
    value = table.pack(table.unpack(results, 1, results.n))
    value.n = nil
  else
    value = require("luna.json").null
  end
  if value == nil then value = require("luna.json").null end
  return require("luna.json").encode(value)
end

-- What a line has come to, as the answer to it.
local function outcome(self, message, results)
  local ok, first = results[1], results[2]
  if not ok then return { op = "done", id = message.id, ok = false, text = describe(results[2]) } end
  if not first then return { op = "done", id = message.id, ok = false, text = describe(results[3]) } end
  local values = table.pack(table.unpack(results, 3, results.n))
  if values.n > 0 then self.env._ = values[1] end
  local cuts = {}
  local fine, text = pcall(function()
    if message.json then return Logger.redact(asJson(values)) end
    local parts = {}
    for i = 1, values.n do
      local more
      parts[i], more = show.value(values[i], i == 1 and "_" or ("(value %d)"):format(i))
      table.move(more, 1, #more, #cuts + 1, cuts)
    end
    return table.concat(parts, "\n")
  end)
  if values.n > 0 then self.cuts = cuts end
  if fine and #text > TEXT_MAX then
    fine, text = not message.json, ("%s\n-- %d bytes more"):format(text:sub(1, TEXT_MAX), #text - TEXT_MAX)
  end
  if fine and #cuts > 0 and values.n > 0 and message.hints then text = text .. "\n-- :more shows what was cut" end
  return { op = "done", id = message.id, ok = fine, text = fine and text or tostring(text) }
end

local function evaluate(self, message)
  local chunk, why, incomplete = compile(self, message.code)
  if not chunk then
    return { op = "done", id = message.id, ok = false, incomplete = incomplete and not message.whole or nil, text = Logger.redact(why) }
  end
  local breaks = package.loaded["luna.repl.breaks"]
  local held = breaks and breaks.whenHeld(self) -- it may come to a break point itself
  local run = task.spawn(execute, self, chunk)
  if held then
    local line = self.running
    promise.onResolve(run, function()
      if promise.state(held) == "pending" then promise.resolve(held, false) end
    end)
    if promise.await(held) then
      promise.markHandled(run)
      self.running = nil
      promise.onResolve(run, function()
        if self.closed then return end
        local answer = outcome(self, message, table.pack(pcall(promise.await, run)))
        self:print(("the line of task %d has ended%s"):format(line.id, answer.text == "" and "" or "\n" .. answer.text))
      end)
      return { op = "done", id = message.id, ok = true, text = "" }
    end
  end
  local results = table.pack(pcall(promise.await, run))
  self.running, self.onHeld = nil, nil
  return outcome(self, message, results)
end

local function command(self, message)
  local ok, text, ends = pcall(require("luna.repl.commands").run, self, message.line)
  return { op = "done", id = message.id, ok = ok, text = Logger.redact(ok and text or tostring(text)), quit = ends or nil }
end

local function work(self)
  self.busy = true
  while self.first <= self.last and not self.closed do
    local message = self.queue[self.first]
    self.queue[self.first] = nil
    self.first = self.first + 1
    local ok, answer = pcall(message.op == "eval" and evaluate or command, self, message)
    if not ok then answer = { op = "done", id = message.id, ok = false, text = Logger.redact(tostring(answer)) } end
    if not self.closed then self.send(answer) end
  end
  self.busy = false
end

--- What the client says: { op = "eval", code, json, whole } or { op = "command", line }, in order; each is answered by one "done".
function Session:handle(message)
  if type(message) ~= "table" then return end
  if message.op == "eval" and type(message.code) ~= "string" or message.op == "command" and type(message.line) ~= "string" then return end
  if message.op ~= "eval" and message.op ~= "command" then return end
  if self.last - self.first >= QUEUE_MAX then
    return self.send { op = "done", id = message.id, ok = false, text = "too many lines at once" }
  end
  self.last = self.last + 1
  self.queue[self.last] = message
  if not self.busy then work(self) end
end

--- Ctrl-C: what waits is cancelled (what computes has been stopped on its way here).
function Session:interrupt()
  if self.running and not self.running:isDone() then self.running:cancel(errors.classes.CancelledException "interrupted") end
end

--- What a word of a line may become: for a client's Tab, which waits for it.
function Session:complete(word, before) return require "luna.repl.complete"(word, before, self) end

--- The client has gone: what it was told of ends, what it held goes on.
function Session:close()
  self.closed = true
  self:interrupt()
  if self.unwatch then self.unwatch() end
  if self.untrace then self.untrace() end
  local breaks = package.loaded["luna.repl.breaks"]
  if breaks then breaks.leave(self) end
end

return Session
