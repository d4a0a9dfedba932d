--- One client of the REPL: its table of names over the bot's environment, the line that runs for it, and what it is told. Made by
--- luna.repl.server for each connection, and by luna.cli.repl where no bot runs. What goes out: tables with `op`, by the function `send`.
local task = require "_luna.task"
local promise = require "_luna.promise"
local Class = require "luna.class"
local errors = require "luna.errors"
local scope = require "luna.scope"
local Logger = require "luna.logger"
local locals = require "luna.repl.locals"
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

local function ownFunctions(bot)
  local dispatch, list = bot.core.dispatch, {}
  if type(bot.handler) == "function" then list[1] = bot.handler end
  for _, fn in next, dispatch.class or {} do
    if type(fn) == "function" then list[#list + 1] = fn end
  end
  return list
end

-- The environment of the version of the script that runs now.
local function environment(bot) return bot.env or _G end

-- Where a file-level local of the script is: a function that holds it, and the number of the upvalue.
local function findLocal(bot, name)
  local seen, found, at = {}, nil, nil
  local function look(fn, depth)
    if seen[fn] or found or depth == 0 then return end
    seen[fn] = true
    for i = 1, 255 do
      local n, value = debug.getupvalue(fn, i)
      if n == nil then break end
      if n == name then
        found, at = fn, i
        return
      end
      if type(value) == "function" and debug.getinfo(value, "S").what == "Lua" then look(value, depth - 1) end
    end
  end
  for _, fn in ipairs(ownFunctions(bot)) do look(fn, 4) end
  return found, at
end

local function upvalues(bot)
  return setmetatable({}, {
    __name = "the script's file-level locals",
    __index = function(_, name)
      local fn, at = findLocal(bot, name)
      if not fn then error(('the script has no file-level local "%s" that its handlers use'):format(tostring(name)), 2) end
      return select(2, debug.getupvalue(fn, at))
    end,
    __newindex = function(_, name, value)
      local fn, at = findLocal(bot, name)
      if not fn then error(('the script has no file-level local "%s" that its handlers use'):format(tostring(name)), 2) end
      debug.setupvalue(fn, at, value)
    end,
  })
end

--- bot: { core, api, name, path, handler, env }; send(message); evaluating(on): told around what computes, in its task.
function Session:init(bot, send, evaluating)
  self.bot, self.send, self.evaluating = bot, send, evaluating or function() end
  self.queue, self.first, self.last = {}, 1, 0
  local up = upvalues(bot)
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
  for line in (traceback or ""):gmatch "[^\n]+" do
    local where = line:match "^%s+(.-): in "
    if where and where ~= "[C]" and not where:find "^%?" and not where:find "^luna[%.:]" and not where:find "/lua/luna/" then
      lines[#lines + 1] = "  " .. line:gsub("^%s+", "")
    end
  end
  return Logger.redact(table.concat(lines, "\n"))
end

local function trace(err)
  if errors.isException(err) then return { err = err, traced = err.traceback or debug.traceback(nil, 2) } end
  return { err = err, traced = debug.traceback(nil, 2) }
end

-- A line as a function; nil and why, and whether more lines may mend it.
local function compile(self, code)
  local chunk, asValue = load("return " .. code, "=repl", "t", self.env)
  if chunk then return chunk end
  local why
  chunk, why = load(locals(code), "=repl", "t", self.env)
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

local function evaluate(self, message)
  local chunk, why, incomplete = compile(self, message.code)
  if not chunk then
    return { op = "done", id = message.id, ok = false, incomplete = incomplete and not message.whole or nil, text = Logger.redact(why) }
  end
  local results = table.pack(pcall(promise.await, task.spawn(execute, self, chunk)))
  self.running = nil
  local ok, first = results[1], results[2]
  if not ok then return { op = "done", id = message.id, ok = false, text = describe(results[2]) } end
  if not first then return { op = "done", id = message.id, ok = false, text = describe(results[3]) } end
  local values = table.pack(table.unpack(results, 3, results.n))
  if values.n > 0 then self.env._ = values[1] end
  local fine, text = pcall(function()
    if message.json then return Logger.redact(asJson(values)) end
    local parts = {}
    for i = 1, values.n do parts[i] = show(values[i]) end
    return table.concat(parts, "\n")
  end)
  if fine and #text > TEXT_MAX then
    fine, text = not message.json, ("%s\n-- %d bytes more"):format(text:sub(1, TEXT_MAX), #text - TEXT_MAX)
  end
  return { op = "done", id = message.id, ok = fine, text = fine and text or tostring(text) }
end

local NAMES_MAX = 1000

-- The names that a line can begin with, for completion.
local function names(self)
  local list, seen = {}, {}
  local function add(name)
    if type(name) ~= "string" or seen[name] or #list >= NAMES_MAX or not name:find "^[%a_][%w_]*$" then return end
    seen[name] = true
    list[#list + 1] = name
  end
  for _, t in ipairs { self.given, self.env, environment(self.bot), _G } do
    for name in next, t do add(name) end
  end
  return list
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
    if message.names then answer.names = names(self) end
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

--- The client has gone.
function Session:close()
  self.closed = true
  self:interrupt()
  if self.unwatch then self.unwatch() end
end

return Session
