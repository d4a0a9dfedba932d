--- The test kit: a sandbox of a test's own, with its own clock and in-memory connections, people who act on it, and bots that are real
--- clients. `require("luna.sandbox").world(opts)`; inside busted it checks itself after each test and ends with the block it was made in.
local task = require "_luna.task"
local timer = require "_luna.timer"
local Class = require "luna.class"
local Logger = require "luna.logger"
local Faults = require "luna.sandbox.faults"
local Model = require "luna.sandbox.model"
local Person = require "luna.sandbox.person"
local Server = require "luna.sandbox.server"
local busted = require "luna.sandbox.busted"
local Transcript = require "luna.sandbox.transcript"
local conversation = require "luna.sandbox.conversation"
local coverage = require "luna.sandbox.coverage"
local forums = require "luna.sandbox.forums"
local groups = require "luna.sandbox.groups"
local errors = require "luna.errors"
local frames = require "luna.frames"
local ids = require "luna.ids"
local stills = require "luna.sandbox.stills"
local suggest = require "luna.suggest"

local World = Class.new "World"

local ENDINGS = 4 -- how often bots are told to end what a failed test has begun: who catches the first may wait again

local PLACE = { __tostring = function(self) return ("%s %s"):format(self.kind, self.title) end }

-- What people do, a place does not.
function PLACE.__index(place, name)
  if type(Person[name]) ~= "function" then return nil end
  return function() error(("a %s does nothing by itself: person:%s(%s, …)"):format(place.kind, name, place.kind), 2) end
end

-- What an options table may have, by who takes it.
local known = {}
for who, words in pairs {
  world = "seed dcs wall", run = "name settings session privacy inline", user = "username phone last", group = "members owner",
  channel = "members owner admins username about megagroup forum",
} do
  known[who] = {}
  for word in words:gmatch "%S+" do known[who][word] = true end
end

local function options(opts, who)
  if opts == nil then return {} end
  if type(opts) ~= "table" then error(("%s: the options are a table, not a %s"):format(who, type(opts)), 3) end
  return suggest.check(opts, known[who], ("world%s: unknown option"):format(who == "world" and "" or ":" .. who), 3)
end

--- opts: seed (a string or number: what is random is the same for the same), dcs = { 2 }, wall = unix time at the start.
function World:init(opts)
  opts = options(opts, "world")
  self.virtual = timer.newVirtual(opts.wall)
  timer.useClock(self.virtual)
  local log = function(level, text) Logger.write(level, "sandbox", text) end
  self.model = Model { seed = "world " .. tostring(opts.seed or 1), dcs = opts.dcs or { 2 }, log = log }
  self.server = Server { model = self.model, key = require "luna.sandbox.world_key", log = log }
  self.faults = Faults(self.server)
  self.model.faults = self.faults
  self.record = Transcript(self.model)
  self.bots, self.people = {}, {}
  if coverage.on then coverage.follow(self) end
  busted.follow(self)
end

--- The running task's time is the world's from now on.
function World:enter()
  if self.closed then error("this world has been closed", 3) end
  timer.useClock(self.virtual)
end

--- The clock: advance(s) waits until all that comes due within is done; now() in seconds.
function World:clock() return self.virtual end

local function stemOf(what, opts)
  if opts.name then return opts.name end
  if type(what) == "string" then return (what:match "([^/]+)$" or what):gsub("%.lua$", "") end
  if type(what) == "table" and what.__name then return what.__name:gsub("(%l)(%u)", "%1_%2"):lower() end
  return "bot"
end

local function freeName(self, stem)
  local base = stem:gsub("[^%w_]", "_"):gsub("^[^%a]", "b%0"):sub(1, 24)
  local name, n = base .. "_bot", 1
  while self.model:byUsername(name) do
    n = n + 1
    name = ("%s%d_bot"):format(base, n)
  end
  return name
end

-- The program of a bot: a client that logs in, and the handler. store: what one before has left in memory.
local function begin(self, bot, handler, mark, store)
  local how, own = bot.how, {}
  for k, v in pairs(how.settings or {}) do own[k] = v end
  own.sandbox, own.botToken = self.server.wire, how.token
  own.app = own.app or { id = 1, hash = "sandbox" }
  own.homeDc = own.homeDc or self.model.dcs[1]
  local settings = type(handler) == "table" and handler.settings or nil
  bot.api = require("luna.api").new(how.session, {
    own = own, class = settings, stem = how.stem, name = how.stem, where = "world:run", store = store,
  })
  bot.api._core.keepsStore = how.session == nil -- in memory it outlives the program, as a file would: the world closes it
  local dispatch = bot.api._core.dispatch
  dispatch.onFailure = function(err, update, text)
    table.insert(bot.errors, { error = err, update = update, text = text or errors.text(err) })
    self.record:add("failed", { by = bot.id, text = errors.bare(errors.text(err)) })
  end
  if coverage.on then coverage.attach(bot, dispatch, how.path) end
  bot.handler = require("luna.api").methods.run(bot.api, handler, mark)
end

-- One bot for a handler, with an account of its own, logged in.
local function start(self, handler, stem, opts, mark, path)
  local username = freeName(self, stem)
  local user = self.model:addUser { bot = true, first_name = username, username = username, seesAll = not opts.privacy or nil,
    noInline = opts.inline == false or nil }
  user.token = ("%d:world-%s"):format(user.id, username)
  self.model.state.tokens[user.token] = user.id
  local bot = setmetatable({
    id = user.id, username = username, errors = {}, world = self,
    how = { stem = stem, session = opts.session, settings = opts.settings, token = user.token, path = path, handler = handler },
  }, { __index = World.bot, __tostring = function() return "bot " .. username end })
  self.bots[#self.bots + 1] = bot
  begin(self, bot, handler, mark)
  return bot
end

--- Starts a bot: a script's path, a handler class or a function (as setCallback). opts: name, settings (as of luna.API), session (a path),
--- privacy = true (in groups it sees only what is meant for it), inline = false (nobody may ask it inline). Returns once it is logged in:
--- { id, username, api, handler, errors }; of a script that returns several handlers, several bots, in their order.
function World:run(what, opts)
  opts = options(opts, "run")
  self:enter()
  if type(what) ~= "string" then
    if type(what) ~= "function" and not Class.isClass(what) then
      error("world:run takes a path, a handler class or a function, not a " .. type(what), 2)
    end
    return start(self, what, stemOf(what, opts), opts)
  end
  local record = {}
  local handlers = require("luna.runner").load(what, nil, record)
  if handlers == nil then
    local class = require("luna.handler").forgotten(record.mark)
    error(("%s returns no handler%s"):format(what, class and (": it ends without `return %s`"):format(class) or ""), 2)
  end
  local several = type(handlers) == "table" and handlers[1] ~= nil
  if not several then handlers = { handlers } end
  local bots = {}
  for i, handler in ipairs(handlers) do
    local stem = stemOf(several and not opts.name and type(handler) == "table" and handler or what, opts)
    bots[i] = start(self, handler, stem, opts, record.mark, what)
  end
  local reloader = require "luna.reload" { path = what, record = record, bots = bots }
  for _, bot in ipairs(bots) do bot.reloader = reloader end
  return table.unpack(bots)
end

--- Methods of what run returns.
World.bot = {}

--- The errors of its handlers so far, which the test has expected: they no longer fail it.
function World.bot:takeErrors()
  local list = self.errors
  self.errors = {}
  return list
end

--- Loads its script anew, as saving it does under `luna run`: raises where the new version does not work, and the old one goes on.
function World.bot:reload()
  if not self.reloader then error("only a bot that was run by its path can be reloaded", 2) end
  local ok, why = require("_luna.promise").await(self.reloader:now())
  if not ok then error(why, 0) end
  for _, bot in ipairs(self.reloader.bots) do bot.handler = bot.api._core.dispatch.instance end
end

--- Ends its program and starts it again, with the script as it is now: what is in the session is there again, all else starts anew.
function World.bot:restart()
  local how, record = self.how, {}
  if self.reloader and #self.reloader.bots > 1 then error("bot:restart is for a script of one handler", 2) end
  self.world:enter()
  self:stop()
  self.stopped = nil
  local handler = how.handler
  if how.path then
    handler = require("luna.runner").load(how.path, nil, record)
    if type(handler) == "table" and handler[1] ~= nil then handler = handler[1] end
  end
  begin(self.world, self, handler, record.mark, self.api._core.keepsStore and self.api._core.store or nil)
  if how.path then self.reloader = require "luna.reload" { path = how.path, record = record, bots = { self } } end
end

--- Ends the bot's client, as a program that ends does, and what its script has started.
function World.bot:stop()
  if self.stopped then return end
  self.stopped = true
  self.api:stop "stop"
  if self.reloader then require("luna.ending").finish(self.reloader.mark, "the bot has ended") end
end

--- A person. opts: username, phone.
function World:user(first, opts)
  if type(first) ~= "string" then error(("a person has a first name, not a %s"):format(type(first)), 2) end
  opts = options(opts, "user")
  self:enter()
  local dc = self.model.dcs[1]
  local user = self.model:addUser {
    first_name = first, last_name = opts.last, username = opts.username,
    phone = opts.phone and opts.phone:gsub("%D", "") or ("99966%d%04d"):format(dc, #self.people + 1),
  }
  local person = Person(self, user)
  table.insert(self.people, person)
  return person
end

local function members(self, title, opts)
  if type(title) ~= "string" then error(("a group or a channel has a title, not a %s"):format(type(title)), 3) end
  if opts.members ~= nil and type(opts.members) ~= "table" then
    error(("members are a list of people and bots, not a %s"):format(type(opts.members)), 3)
  end
  for _, m in ipairs(opts.members or {}) do
    if type(m) ~= "table" or not m.id then error(("among the members is a %s, no person or bot"):format(type(m)), 3) end
  end
  local owner, list = opts.owner, {}
  for _, m in ipairs(opts.members or {}) do
    if not owner and getmetatable(m) == Person then owner = m end
  end
  owner = owner or self:user "Owner"
  for _, m in ipairs(opts.members or {}) do
    if m ~= owner then list[#list + 1] = m.id end
  end
  return owner, list
end

--- A basic group, made by its first person. opts: members, owner. Its `id` is the marked one, as of the Bot API.
function World:group(title, opts)
  opts = options(opts, "group")
  self:enter()
  local owner, list = members(self, title, opts)
  local chat = groups.createChat(self.model, { user = owner.account }, title, list)
  return setmetatable({ kind = "group", id = ids.chat(chat.id), chat_id = chat.id, title = title, owner = owner, world = self }, PLACE)
end

--- A channel; opts.megagroup: a supergroup; opts.forum: one with topics. opts: members, owner, admins, username, about.
function World:channel(title, opts)
  opts = options(opts, "channel")
  self:enter()
  local owner, list = members(self, title, opts)
  local by = { user = owner.account }
  local channel = groups.createChannel(self.model, by, title, {
    megagroup = opts.megagroup or opts.forum, forum = opts.forum, about = opts.about, username = opts.username,
  })
  local marked = ids.channel(channel.id)
  if #list > 0 then groups.invite(self.model, by, marked, list) end
  for _, admin in ipairs(opts.admins or {}) do
    if not channel.members[admin.id] then groups.invite(self.model, by, marked, { admin.id }) end
    groups.setAdmin(self.model, by, marked, admin.id, true)
  end
  return setmetatable({ kind = "channel", id = marked, channel_id = channel.id, title = title, owner = owner, world = self }, PLACE)
end

--- A topic of a forum, begun by its owner: a place in which people write and expect messages.
function World:topic(place, title)
  if type(place) ~= "table" or not place.channel_id or not self.model:channel(place.channel_id).forum then
    error("a topic is of a forum: world:channel(title, { forum = true })", 2)
  end
  if type(title) ~= "string" then error(("a topic has a title, not a %s"):format(type(title)), 2) end
  self:enter()
  local _, topic = forums.create(self.model, { user = place.owner.account }, place.id, title, {})
  return setmetatable({ kind = "topic", id = place.id, topic = topic.id, title = title, owner = place.owner, world = self }, PLACE)
end

--- What has been said and done as text, since the test began: who wrote, changed, deleted, pressed what. with: a person, a bot, a group or
--- a channel: what concerns it alone.
function World:transcript(with)
  if with ~= nil and (type(with) ~= "table" or math.type(with.id) ~= "integer") then
    error("a transcript is of all, or of a person, a bot, a group or a channel", 2)
  end
  return (self.record:text { with = with and with.id })
end

--- Compares the transcript (or another text) with the file of that name beside the spec, spec/snapshots/STEM/NAME.txt; it is written where
--- there is none.
function World:snapshot(name, text)
  stills.check(name, text or self:transcript(), 2)
end

--- Breaks something on purpose: see luna.sandbox.faults.
function World:fault(f)
  if type(f) ~= "table" then error(("world:fault wants a table, got a %s"):format(type(f)), 2) end
  self:enter()
  self.faults:set(f)
end

--- What the bots' handlers have raised, as text for a test's message; "" where there is nothing. What has been told once is not told again.
function World:failures()
  local out = {}
  for _, bot in ipairs(self.bots) do
    for _, e in ipairs(bot.errors) do
      if not e.told then
        local text, traceback = frames.tidy(tostring(e.error), e.text:match "\n(.*)$")
        out[#out + 1] = ("\n%s failed: %s%s"):format(bot.username, text, traceback and "\n" .. traceback or "")
      end
      e.told = true
    end
  end
  return table.concat(out)
end

--- The last of what was said and done in this test, for its messages; nil where nothing was.
function World:lately()
  local text, n = self.record:text { last = conversation.LAST }
  local bot = self.record:alone(50)
  local hint = bot and ("\n%s answers itself, it seems: message.out tells what it has written"):format(self.model:name(bot)) or ""
  return n > 0 and "what was said and done:\n" .. text .. hint or nil
end

--- What is to be said against the test so far, where nothing has said it yet: handlers that have failed, or the sandbox itself. nil where
--- all is well.
function World:complaint()
  local text = self:failures()
  for _, bot in ipairs(self.bots) do bot.errors = {} end
  if (self.server.faulty or 0) > 0 then
    text = text .. ("\n%d answers of the sandbox itself failed: see the log"):format(self.server.faulty)
    self.server.faulty = 0
  end
  if text == "" then return nil end
  return text:sub(2)
end

--- After a test that has failed: the faults that it has made are over, what its bots still had to say is said now, their handlers end
--- (questions, sleeps, whatever they wait for), and what people have got and no test has expected is forgotten: so that the next test does
--- not stumble over it, or take it for its own.
function World:forget()
  if self.closed then return end
  self:enter()
  self.faults:reset()
  for _ = 1, ENDINGS do
    pcall(self.virtual.advance, self.virtual, 0)
    local idle = true
    for _, bot in ipairs(self.bots) do
      if not bot.stopped then
        local dispatch = bot.api._core.dispatch
        idle = idle and next(dispatch.entries) == nil and dispatch.waiting == 0
        local err = errors.classes.CancelledException "the test has failed"
        err.versionEnded = true
        dispatch:abandon(err)
      end
    end
    if idle then break end
  end
  for _, bot in ipairs(self.bots) do bot.errors = {} end
  for _, person in ipairs(self.people) do person.queues, person.waiters = {}, {} end
end

--- Raises what complaint() says, with the conversation.
function World:check()
  local text = self:complaint()
  if text then error(("%s\n%s"):format(text, self:lately() or ""), 2) end
end

--- Ends the bots and the server, and gives the task its usual clock back.
function World:close()
  if self.closed then return end
  timer.useClock(self.virtual)
  for _, bot in ipairs(self.bots) do
    local ok, why = pcall(World.bot.stop, bot)
    if not ok then Logger.write(Logger.WARNING, "sandbox", ("%s did not end well: %s"):format(bot.username, tostring(why))) end
    local core = bot.api._core
    if core.keepsStore and core.store then core.store:close() end
  end
  self.closed = true
  self.server:close()
  timer.useClock(nil)
  self.virtual:free()
end

World.spawn = task.spawn

return World
