--- The person's end of the REPL: lines of standard input go to a session, what it answers to standard output; with a terminal, line
--- editing, history and Ctrl-C. Made by luna.cli.repl. `say(message)` reaches the session, `interrupt()` its running line,
--- `complete(word, before)` asks it and waits.
local host = require "_luna.host"
local task = require "_luna.task"
local promise = require "_luna.promise"
local Class = require "luna.class"
local printable = require "luna.printable"

local Client = Class.new "Client"

--- opts: name, say(message), interrupt(), complete(word, before), history = path | nil, rest() | nil: waits for what a line of a pipe has
--- set going, before the next one. Its `over` is a promise of the exit status.
function Client:init(opts)
  self.name, self.say, self.interruptLine = opts.name, opts.say, opts.interrupt
  self.history, self.complete, self.rest = opts.history, opts.complete, opts.rest
  self.over = promise.new()
  self.block, self.pending, self.id, self.failed = nil, 0, 0, false
end

function Client:finish(status)
  if promise.state(self.over) ~= "pending" then return end
  if self.editor then self.editor:close() end
  promise.resolve(self.over, status)
end

-- Texts of people come with it: no control characters to a terminal.
local function put(self, fd, text)
  if self.editor then return self.editor:print(printable.text(text)) end
  host.write(fd, (host.isatty(fd) and printable.text(text) or text) .. "\n")
end

function Client:show(text) put(self, 1, text) end

function Client:complain(text) put(self, 2, text) end

function Client:request(message)
  self.id = self.id + 1
  self.pending = self.pending + 1
  message.id = self.id
  self.say(message)
end

--- One line of code (or a command), and the end: for --eval.
function Client:evaluate(code, json)
  self.single = true
  if code:find "^:%a" then return self:request { op = "command", line = code } end
  self:request { op = "eval", code = code, json = json, whole = true }
end

-- A pipe has given its last line: what is left of a block is judged as it is.
local function ended(self)
  self.inputEnded = true
  if self.block then
    local code = self.block
    self.block = nil
    return self:request { op = "eval", code = code, whole = true }
  end
  if self.pending == 0 then self:finish(self.failed and 1 or 0) end
end

local function nextLine(self)
  if self.editor or self.pending > 0 then return end
  local line = table.remove(self.lines, 1)
  if line then return self:line(line) end
  if self.inputOver then ended(self) end
end

--- A line that was typed; nil: the end.
function Client:line(line)
  if line == nil then
    if self.editor then return self:finish(0) end
    return ended(self)
  end
  if not self.block then
    if not line:find "%S" then return nextLine(self) end
    if line:find "^%s*:%w" or line:find "^%s*:$" then
      return self:request { op = "command", line = line:match "^%s*(.-)%s*$" }
    end
  end
  self.asked = self.block and self.block .. "\n" .. line or line
  self.block = nil
  self:request { op = "eval", code = self.asked, hints = self.editor and true or nil }
end

function Client:prompt()
  local wanted = self.block and "... " or self.name .. "> "
  if not self.editor or wanted == self.shown then return end
  self.shown = wanted
  self.editor:setPrompt(wanted)
end

-- A line is done, and so is what it has set going: on with the next one.
local function answered(self)
  self.pending = self.pending - 1
  if self.single or self.inputEnded then return self:finish(self.failed and 1 or 0) end
  self:prompt()
  nextLine(self)
end

--- What the session says.
function Client:heard(message)
  if message.op == "print" then
    -- Of a line that was run by --eval it is not the result, but it is output.
    return self:show(message.text)
  end
  if message.op ~= "done" then return end
  if message.incomplete then
    self.block = self.asked
  elseif not message.ok then
    self.failed = true
    self:complain(message.text)
  elseif message.text and message.text ~= "" then
    self:show(message.text)
  end
  if message.quit then return self:finish(0) end
  if not self.rest or self.editor then return answered(self) end
  task.spawn(function()
    self.rest()
    answered(self)
  end)
end

--- The connection has ended.
function Client:lost()
  if promise.state(self.over) ~= "pending" then return end
  self:complain "luna: the bot has ended"
  self:finish(1)
end

-- Ctrl-C: ends the line that runs; drops a block that is not finished.
local function interrupted(self)
  if self.pending > 0 then return self.interruptLine() end
  if self.block then
    self.block = nil
    self:prompt()
  elseif not self.editor then
    self:finish(130)
  end
end

--- Reads lines until the end.
function Client:start()
  host.onSignal("SIGINT", function() interrupted(self) end)
  if self.single then return end
  if host.isatty(0) and host.isatty(1) then
    self.shown = self.name .. "> "
    self.editor = host.edit {
      prompt = self.shown, history = self.history, onLine = function(line) self:line(line) end,
      complete = self.complete,
    }
    return
  end
  self.lines = {}
  host.readLines(function(line)
    if line == nil then self.inputOver = true else self.lines[#self.lines + 1] = line end
    nextLine(self)
  end)
end

return Client
