--- The chat of `luna run --sandbox`: a person of the embedded sandbox at standard input and output. With a terminal: line editing, the log
--- above the prompt, buttons by number. With a pipe: each line is sent at once, replies go to standard output as `STEM: text`, and the
--- program ends when input has ended and all that was due has come. Started by luna.cli.run; owns the person and standard input.
local host = require "_luna.host"
local task = require "_luna.task"
local timer = require "_luna.timer"
local Person = require "luna.chat.person"
local Logger = require "luna.logger"

local chat = {}

local POLL = 0.002 -- seconds between looks at what is still due, once input has ended

-- Every line of a text with the prefix.
local function prefixed(prefix, text) return prefix .. text:gsub("\r", ""):gsub("\n", "\n" .. prefix) end

-- ---- a pipe ----

local function due(self)
  for _, bot in ipairs(self.bots) do
    local core = bot.core
    if not core.dispatch:isIdle() then return true end
    if core.conn and core.conn:inFlight() > 0 then return true end
    if self.person:hasUndelivered(bot) then return true end
  end
  return false
end

local function finishWhenDone(self)
  if due(self) then
    timer.after(POLL, finishWhenDone, self)
    return
  end
  local failures = 0
  for _, bot in ipairs(self.bots) do failures = failures + (bot.core.dispatch.failures or 0) end
  self.finish(failures > 0 and 1 or 0)
end

local function startPipe(self)
  local prefix = self.name .. ": "
  self.person.onMessage = function(m)
    host.write(1, prefixed(prefix, (m.edited and "[edited] " or "") .. m.text) .. "\n")
  end
  self.input:attach(function(line)
    if line == nil then return finishWhenDone(self) end
    if line == "" then return end
    local ok, why = self.person:send(line)
    if not ok then Logger.log(("a line was not sent: %s"):format(why), Logger.WARNING, "chat") end
  end)
end

-- ---- a terminal ----

local function startTerminal(self)
  local plain = not require("luna.colour").on(1)
  local function bold(text) return plain and text or "\27[1m" .. text .. "\27[0m" end
  local function dim(text) return plain and text or "\27[2m" .. text .. "\27[0m" end
  local editor
  local function show(text) editor:print(text) end
  local buttons = {}

  local function press(n)
    local b = buttons[n]
    if not b then return show(dim(("there is no button %d"):format(n))) end
    local ok, answer = self.person:press(b)
    if not ok then return show(dim("the button: " .. answer)) end
    if answer and answer ~= "" then show(dim("(" .. answer .. ")")) end
  end

  self.person.onMessage = function(m)
    -- Names and texts come from outside: no control characters to the terminal.
    local text = m.text:gsub("[%z\1-\8\11-\31\127]", "")
    show(bold(self.name .. ": ") .. (m.edited and dim "(edited) " or "") .. text:gsub("\n", "\n" .. (" "):rep(#self.name + 2)))
    if #m.buttons > 0 then
      buttons = m.buttons
      local labels = {}
      for i, b in ipairs(m.buttons) do labels[i] = ("/%d %s"):format(i, b.label) end
      show((" "):rep(#self.name + 2) .. dim(table.concat(labels, "   ")))
    elseif m.edited and buttons[1] and buttons[1].id == m.id then
      buttons = {}
    end
  end

  local function stop(status)
    if self.ended then return end
    self.ended = true
    Logger.setWriter(nil)
    editor:close()
    host.write(1, "\n")
    self.finish(status)
  end

  local session = host.env "HOME" and require("luna.cli.run").defaultSession "chat"
  self.input:attach(function(line)
    if line == nil then return stop(0) end
    local n = math.tointeger(tonumber(line:match "^/(%d+)%s*$"))
    if n and #buttons > 0 then return press(n) end
    if not line:find "%S" then return end
    local ok, why = self.person:send(line)
    if not ok then show(dim("not sent: " .. why)) end
  end, true)
  editor = host.edit {
    prompt = "you> ",
    history = session and session:gsub("[^/]*$", "history") or nil,
    onLine = self.input.deliver,
  }
  Logger.setWriter(function(text) editor:print((text:gsub("\n$", ""))) end)
  -- A script's print would land in the middle of what is being typed.
  local print = print
  rawset(_G, "print", function(...)
    if self.ended then return print(...) end
    local parts = table.pack(...)
    for i = 1, parts.n do parts[i] = tostring(parts[i]) end
    show(table.concat(parts, "\t"))
  end)
  task.onExit(function() if not self.ended then stop(0) end end)
  show(dim(("chatting with @%s: type and press Enter; /1 presses a button; Ctrl-D ends"):format(self.person.botName)))
end

--- opts: place (the served sandbox), bot (whom to talk to), bots (all that must come to rest), input (luna.chat.input), finish(status).
function chat.start(opts)
  local self = {
    bot = opts.bot, bots = opts.bots, name = opts.bot.name, input = opts.input, finish = opts.finish, ended = false,
  }
  self.person = Person(opts.place, opts.bot)
  if host.isatty(0) and host.isatty(1) then startTerminal(self) else startPipe(self) end
  return self
end

return chat
