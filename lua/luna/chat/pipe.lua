--- The chat behind a pipe: each line is sent at once, replies go to standard output as `STEM: text`, their buttons as `STEM: [1] label`;
--- a line /1 presses the first of them. The program ends when input has ended and all that was due has come. Called by luna.chat.
local host = require "_luna.host"
local promise = require "_luna.promise"
local task = require "_luna.task"
local timer = require "_luna.timer"
local Logger = require "luna.logger"

local POLL = 0.002 -- seconds between looks at what is still due
local PATIENCE = 5 -- seconds that a line /1 waits for the reply whose button it presses
local GRACE = 0.3 -- after which a press that the bot is not even handling counts as not answered

-- Every line of a text with the prefix.
local function prefixed(prefix, text) return prefix .. text:gsub("\r", ""):gsub("\n", { ["\n"] = "\n" .. prefix }) end

local function due(self)
  for _, bot in ipairs(self.bots) do
    if self.person:awaits(bot) then return true end
  end
  return false
end

local function finishWhenDone(self)
  if due(self) or self.working or #self.held > 0 then
    timer.after(POLL, finishWhenDone, self)
    return
  end
  local failures = 0
  for _, bot in ipairs(self.bots) do failures = failures + (bot.core.dispatch.failures or 0) end
  self.finish(failures > 0 and 1 or 0)
end

local function complain(why) Logger.log(("a line was not sent: %s"):format(why), Logger.WARNING, "chat") end

local function send(self, line)
  local ok, why = self:send(line)
  if not ok then complain(why) end
end

local function press(self, button)
  local pressed = task.spawn(self.person.press, self.person, button)
  local idle = 0
  while promise.state(pressed) == "pending" and idle < GRACE do
    task.sleep(POLL)
    idle = due(self) and 0 or idle + POLL
  end
  if promise.state(pressed) == "pending" then
    promise.markHandled(pressed)
    promise.cancel(pressed)
    return Logger.log("the bot did not answer the button (setBotCallbackAnswer)", Logger.NOTICE, "chat")
  end
  local ok, answer = promise.await(pressed)
  if not ok then return Logger.log(("the button: %s"):format(answer), Logger.WARNING, "chat") end
  if type(answer) == "string" and answer ~= "" then host.write(1, prefixed(self.prefix, "(" .. answer .. ")") .. "\n") end
end

-- What came after a line /N waits for it.
local function work(self)
  self.working = true
  while self.first <= self.last do
    local line = self.lines[self.first]
    self.lines[self.first] = nil
    self.first = self.first + 1
    local n = math.tointeger(tonumber(line:match "^/(%d+)%s*$"))
    local limit = timer.now() + PATIENCE
    while n and due(self) and timer.now() < limit do task.sleep(POLL) end
    local button = n and self.buttons[n]
    if button then press(self, button) else send(self, line) end
  end
  self.working = false
end

return function(self)
  function self.turned() self.prefix = self.name .. ": " end
  self.turned()
  self.buttons, self.lines, self.first, self.last = {}, {}, 1, 0
  local shown -- the message whose buttons these are
  self.person.onMessage = function(m)
    local lines = { prefixed(self.prefix, (m.edited and "[edited] " or "") .. m.text) }
    for i, b in ipairs(m.buttons) do lines[#lines + 1] = prefixed(self.prefix, ("[%d] %s"):format(i, b.label)) end
    host.write(1, table.concat(lines, "\n") .. "\n")
    if m.edited and m.id ~= shown and #m.buttons == 0 then return end
    self.buttons, shown = m.buttons, m.id
  end
  self.input:attach(function(line)
    if line == nil then return finishWhenDone(self) end
    if line == "" then return end
    if not self.working and not line:find "^/%d+%s*$" then return send(self, line) end
    self.last = self.last + 1
    self.lines[self.last] = line
    if not self.working then work(self) end
  end)
end
