--- The chat at a terminal: line editing, the log above the prompt, buttons by number, a group where the bot is for groups. Called by
--- luna.chat.
local host = require "_luna.host"
local task = require "_luna.task"
local Logger = require "luna.logger"
local printable = require "luna.printable"
local suggest = require "luna.suggest"

local clean = printable.text -- names and texts come from outside

-- People whom :join makes up, where no name is given.
local NAMES = { "Bob", "Carol", "Dave", "Erin", "Frank", "Grace" }

local HELP = {
  "/1, /2, … presses a button of the last message that has some",
  ":group [TITLE]    a group of you and the bot, for bots that are for groups",
  ":join [NAME]      somebody joins the group; :leave NAME: goes again; :say NAME TEXT: says something there,",
  "                  or presses a button: :say NAME /1",
  ":private          back to the bot alone",
  "Ctrl-D            ends",
}

local commands = {}

function commands.help() return table.concat(HELP, "\n") end

function commands.group(self, title)
  local ok, why = self.person:makeGroup(title ~= "" and title or "Group")
  if not ok then return nil, why end
  self.joined = 0
  return "you are in a group with the bot now; :join lets somebody join, :private leads back"
end

local function inGroup(self)
  if self.person.group then return true end
  return commands.group(self, "")
end

function commands.join(self, name)
  local ok, why = inGroup(self)
  if not ok then return nil, why end
  if name == "" then
    self.joined = (self.joined or 0) + 1
    name = NAMES[(self.joined - 1) % #NAMES + 1]
  end
  ok, why = self.person:joins(name)
  if not ok then return nil, why end
  return ""
end

function commands.leave(self, name)
  if not self.person.group or name == "" then return nil, ":leave NAME, in a group" end
  local ok, why = self.person:goes(name)
  if not ok then return nil, why end
  return ""
end

function commands.say(self, rest)
  local name, text = rest:match "^(%S+)%s+(.+)$"
  if not self.person.group or not name then return nil, ":say NAME TEXT, in a group" end
  local n = math.tointeger(tonumber(text:match "^/(%d+)$"))
  if n and self.press(n, name) then return "" end
  local ok, why = self.person:says(name, text)
  if not ok then return nil, why end
  return "" -- what is seen of it says enough
end

function commands.private(self)
  self.person:leaveGroup()
  return "alone with the bot"
end

return function(self)
  local plain = not require("luna.colour").on(1)
  local function bold(text) return plain and text or "\27[1m" .. text .. "\27[0m" end
  local function dim(text) return plain and text or "\27[2m" .. text .. "\27[0m" end
  local editor
  local function show(text) editor:print(text) end
  local buttons, told = {}, false

  -- Whether there are buttons, of which one might be meant. name: who presses, where it is somebody else.
  function self.press(n, name)
    if #buttons == 0 then return false end
    local b = buttons[n]
    if not b then
      show(dim(("there is no button %d"):format(n)))
      return true
    end
    local ok, answer = self.person:press(b, name)
    if not ok then
      show(dim("the button: " .. answer))
    elseif type(answer) == "string" and answer ~= "" then
      show(dim("(" .. (name and clean(name) .. ": " or "") .. clean(answer) .. ")"))
    end
    return true
  end

  self.person.onMessage = function(m)
    local text, name = clean(m.text), clean(m.from or self.name)
    local indent = (" "):rep(#name + 2)
    show(bold(name .. ": ") .. (m.edited and dim "(edited) " or "") .. text:gsub("\n", "\n" .. indent))
    if #m.buttons > 0 then
      buttons = m.buttons
      local labels = {}
      for i, b in ipairs(m.buttons) do labels[i] = ("/%d %s"):format(i, clean(b.label)) end
      show(indent .. dim(table.concat(labels, "   ") .. (told and "" or "   (/1 presses the first)")))
      told = true
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

  local function command(name, rest)
    local text, why = commands[name](self, rest)
    if text ~= "" then show(dim(text or "not done: " .. tostring(why))) end
    editor:setPrompt(self.person.group and "group> " or "you> ")
  end

  -- What was typed to one bot is of no use with another.
  local session = (host.env "HOME" or host.env "XDG_STATE_HOME") and require("luna.cli.run").defaultSession "chat"
  local history = session and session:gsub("[^/]*$", "chat_history_" .. self.name:gsub("[^%w_.-]", "_"))
  self.input:attach(function(line)
    if line == nil then return stop(0) end
    local n = math.tointeger(tonumber(line:match "^/(%d+)%s*$"))
    if n and self.press(n) then return end
    if not line:find "%S" then return end
    local name, rest = line:match "^:(%l+)%s*(.-)%s*$"
    if name and commands[name] then return command(name, rest) end
    local near = name and suggest.nearest(name, commands)
    if near then return show(dim(("there is no :%s; did you mean :%s?"):format(name, near))) end
    local ok, why = self:send(line)
    if not ok then show(dim("not sent: " .. why)) end
  end, true)
  editor = host.edit { prompt = "you> ", history = history, onLine = self.input.deliver }
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
  function self.turned()
    buttons = {}
    editor:setPrompt "you> "
    show(dim(("the other bot has ended: you chat with @%s now"):format(self.person.botName)))
  end
  show(dim(("chatting with @%s: type and press Enter; :help says what else there is; Ctrl-D ends"):format(self.person.botName)))
end
