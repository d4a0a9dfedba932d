--- Standard input of a run with `--sandbox`: who waits in readLine gets the next line; what nobody waits for goes to the chat, once there
--- is one. Until then nothing is read that nobody waits for. Made by luna.cli.run before a script runs; the chat attaches to it.
local host = require "_luna.host"
local promise = require "_luna.promise"
local helpers = require "luna.helpers"
local Class = require "luna.class"

local Input = Class.new "Input"

function Input:init()
  self.waiting, self.first, self.last = {}, 1, 0
  self.reading, self.ended = false, false
  self.deliver = function(line) self:arrived(line) end
  helpers.lineSource = function(p) self:ask(p) end
end

-- Who waits longest and still does.
local function take(self)
  while self.first <= self.last do
    local p = self.waiting[self.first]
    self.waiting[self.first] = nil
    self.first = self.first + 1
    if promise.state(p) == "pending" then return p end
  end
end

local function read(self)
  if self.editing then return end
  if not self.reading then
    self.reading = true
    host.readLines(self.deliver)
  else
    host.pauseLines(false)
  end
end

function Input:ask(p)
  if self.ended then return promise.resolve(p, nil) end
  self.last = self.last + 1
  self.waiting[self.last] = p
  read(self)
end

--- A line has come; nil: the end.
function Input:arrived(line)
  if line == nil then
    self.ended = true
    for p in take, self do promise.resolve(p, nil) end
    if self.onLine then self.onLine(nil) end
    return
  end
  local p = take(self)
  if not self.onLine and not self.editing and self.first > self.last then host.pauseLines(true) end
  if p then
    promise.resolve(p, line)
  elseif self.onLine then
    self.onLine(line)
  end
end

--- The chat takes what nobody waits for: fn(line | nil). editing: the lines come by arrived(), from an editor.
function Input:attach(fn, editing)
  self.onLine = fn
  if editing then
    self.editing = true
    if self.reading and not self.ended then host.readLines(nil) end
  elseif self.ended then
    fn(nil)
  else
    read(self)
  end
end

return Input
