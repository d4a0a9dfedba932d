--- The chat of `luna run --sandbox`: a person of the embedded sandbox at standard input and output. With a terminal it is
--- luna.chat.terminal, with a pipe luna.chat.pipe. Started by luna.cli.run; owns the person and standard input.
local host = require "_luna.host"
local Person = require "luna.chat.person"

local chat = {}

-- Whether the bot that the chat is with has ended, and none of the others is logged in yet.
local function alone(self)
  for _, bot in ipairs(self.bots) do
    if bot == self.bot then return false end
  end
  return true
end

-- A line to the bot: true, or false and why. Where there is no bot just now it waits for one.
local function send(self, line)
  if not alone(self) then return self.person:send(line) end
  self.held[#self.held + 1] = line
  return true
end

-- The bot has ended, since a reload found no handler for it: on with another one.
local function turnTo(self, bot)
  local held = self.held
  self.bot, self.name, self.held = bot, bot.name, {}
  self.person:turnTo(bot)
  self.turned()
  for _, line in ipairs(held) do self:send(line) end
end

--- opts: place (the served sandbox), bot (whom to talk to), bots (all that must come to rest), input (luna.chat.input), finish(status).
function chat.start(opts)
  local self = {
    bot = opts.bot, bots = opts.bots, name = opts.bot.name, input = opts.input, finish = opts.finish, ended = false,
    held = {}, -- lines for the bot that is about to come
  }
  self.person = Person(opts.place, opts.bot)
  self.turnTo, self.send = turnTo, send
  require(host.isatty(0) and host.isatty(1) and "luna.chat.terminal" or "luna.chat.pipe")(self)
  return self
end

return chat
