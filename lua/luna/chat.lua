--- The chat of `luna run --sandbox`: a person of the embedded sandbox at standard input and output. With a terminal it is
--- luna.chat.terminal, with a pipe luna.chat.pipe. Started by luna.cli.run; owns the person and standard input.
local host = require "_luna.host"
local Person = require "luna.chat.person"

local chat = {}

-- The bot has ended, since a reload found no handler for it: on with another one.
local function turnTo(self, bot)
  self.bot, self.name = bot, bot.name
  self.person:turnTo(bot)
  self.turned()
end

--- opts: place (the served sandbox), bot (whom to talk to), bots (all that must come to rest), input (luna.chat.input), finish(status).
function chat.start(opts)
  local self = {
    bot = opts.bot, bots = opts.bots, name = opts.bot.name, input = opts.input, finish = opts.finish, ended = false,
  }
  self.person = Person(opts.place, opts.bot)
  self.turnTo = turnTo
  require(host.isatty(0) and host.isatty(1) and "luna.chat.terminal" or "luna.chat.pipe")(self)
  return self
end

return chat
