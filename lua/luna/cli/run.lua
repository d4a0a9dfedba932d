--- `luna run FILE...`: reads the options, loads each file, starts the bots that it returns, and waits until they have ended or a signal
--- comes. A file that returns nothing is a plain script. Owns the embedded sandbox of `--sandbox` and the list of bots.
local host = require "_luna.host"
local task = require "_luna.task"
local promise = require "_luna.promise"
local errors = require "luna.errors"
local frames = require "luna.frames"
local notify = require "luna.notify"
local options = require "luna.cli.options"
local report = require "luna.cli.report"
local settings = require "luna.settings"
local signals = require "luna.cli.signals"
local status = require "luna.status"
local timer = require "_luna.timer"
local Logger = require "luna.logger"

local M = {}

local REST = 0.5 -- seconds after the start in which a bot has come to rest

M.spec = {
  usage = "FILE...", about = "Runs bots, several in one process if need be; a file that returns no handler is a plain script (- reads it\n"
    .. "from standard input).", arguments = { 1 },
  { "sandbox", nil, "against the embedded sandbox, with a chat on standard input and output" },
  { "session", "PATH", "the session file (default: under the user's state folder; with --sandbox: memory, and so is the sandbox)" },
  { "token", "TOKEN", "the bot token; LUNA_BOT_TOKEN_<STEM> and LUNA_BOT_TOKEN do the same unseen by ps" },
  { "dc", "ID=HOST:PORT", "another server: the address of a DC, the first is the home DC", many = true },
  { "dc-key", "FILE.pem", "the RSA public keys of that server", many = true },
  { "transport", "NAME", "abridged, intermediate, padded or full, obfuscated- before it if wanted" },
  { "config", "FILE", "the settings file (default: luna.conf.lua beside the script)" },
  { "log", "LEVEL", "fatal_error, error, warning, notice (default), verbose or ultra_verbose" },
  { "log-json", nil, "each event of the log as one JSON object a line" },
  { "no-watch", nil, "do not load the script anew when it or a module of its folder is saved; SIGHUP still does" },
  { "no-repl", nil, "no socket for luna repl" },
  { "record", "FILE", "what comes and what is called, for luna replay; without secrets, readable by its owner alone" },
  { "record-mask-text", nil, "in the record, letters of texts and names are x, digits 0" },
  { "record-limit", "MIB", "at this size (64) the record becomes FILE.1 and a new one begins" },
  more = "Exit status: 0 finished or ended by a signal; 2 wrong use, missing token or app id, unreadable script, key or\n"
    .. "session path; 1 the script or the session fails, the server refuses, or in a chat by pipe a handler has raised.",
}

local function readFile(path, what)
  local text, why = host.readFile(path)
  if not text then options.fail(("the %s %s cannot be read: %s"):format(what, path, tostring(why):gsub("^.-: ", ""))) end
  return text
end

-- The keys of --dc-key, as PEM text: a file that cannot be read is wrong use, before anything is connected.
local function keys(files)
  local list = {}
  for i, path in ipairs(files) do
    local pem = readFile(path, "key file")
    if not pem:find("-----BEGIN[%u ]* PUBLIC KEY-----") then
      options.fail(("the key file %s holds no public key in PEM form"):format(path), "--dc-key takes PKCS#1 or SubjectPublicKeyInfo")
    end
    list[i] = pem
  end
  return list
end

local function sessionPath(path)
  local folder = path:match "^(.*)/[^/]*$" or "."
  if folder == "" then folder = "/" end
  local stat = host.stat(folder)
  if not stat or stat.type ~= "directory" then
    options.fail(("the session path %s cannot be used: there is no folder %s"):format(path, folder))
  end
  local own = host.stat(path)
  if own and own.type == "directory" then options.fail(("the session path %s is a folder: give a file"):format(path)) end
  return path
end

--- The default session file of a script, its folder made. A session belongs to one network: another server's has the address in its name.
function M.defaultSession(stem)
  local line = settings.commandLine
  if line.dc then stem = ("%s@%d=%s"):format(stem, line.homeDc, line.dc[line.homeDc]) end
  local base = host.env "XDG_STATE_HOME"
  if not base or base == "" then
    local home = host.env "HOME"
    if not home or home == "" then options.fail("neither HOME nor XDG_STATE_HOME is set: give --session PATH") end
    base = home .. "/.local/state"
  end
  local folder = base .. "/luna"
  local ok, why = host.mkdirs(folder)
  if not ok then options.fail(("the session folder %s cannot be made: %s"):format(folder, tostring(why)), "give --session PATH") end
  return ("%s/%s.session"):format(folder, (stem:gsub("[^%w_.@=-]", "_")))
end

local framings = { abridged = true, intermediate = true, padded = true, full = true }

--- What the options say, as settings (luna.settings.commandLine). Also used by login and logout.
function M.commandLine(args)
  local line = settings.commandLine
  if args.log or args["log-json"] then
    line.logger = { json = args["log-json"] }
    if args.log then
      local ok, level = pcall(Logger.level, args.log)
      if not ok then options.fail((errors.bare(tostring(level)):gsub('^"', '--log "'))) end
      line.logger.level = level
    end
    Logger.configure(line.logger)
  end
  if args.sandbox and (args.dc or args.token) then
    options.fail(("--sandbox and --%s exclude each other"):format(args.dc and "dc" or "token"))
  end
  if args.dc then
    line.dc = {}
    for _, text in ipairs(args.dc) do
      local id, where = text:match "^(%-?%d+)=(.+)$"
      id = math.tointeger(tonumber(id))
      if not id or not settings.parseAddress(where) then
        options.fail(("--dc %s: it is ID=HOST:PORT, as in 2=127.0.0.1:443 or 2=[::1]:443"):format(text))
      end
      line.homeDc = line.homeDc or id
      line.dc[id] = where
    end
  end
  if args["dc-key"] then line.dcKeys = keys(args["dc-key"]) end
  if args.transport then
    if not framings[args.transport:gsub("^obfuscated%-", "")] then
      options.fail(("--transport %s: it is abridged, intermediate, padded or full, or one of these after obfuscated-")
        :format(args.transport))
    end
    line.transport = args.transport
  end
  if args.session then line.session = sessionPath(args.session) end
  if args.token then
    host.secret(args.token)
    line.botToken = args.token
  end
  return line
end

-- Before a client is made. What the record is about is over once stopAll has run: it closes after that.
local function recorded(args)
  local limit = args["record-limit"] and tonumber(args["record-limit"])
  if args["record-limit"] and not (limit and limit > 0 and limit < 2 ^ 30) then
    options.fail(("--record-limit %s: it is a number of MiB"):format(args["record-limit"]))
  end
  if not args.record then
    if limit or args["record-mask-text"] then options.fail "--record-limit and --record-mask-text belong to --record FILE" end
    return
  end
  require("luna.record").start { path = args.record, maskTexts = args["record-mask-text"], limit = limit and limit * 2 ^ 20 // 1 | 0 }
end

local function settingsFile(args)
  if args.config then
    readFile(args.config, "settings file")
    return settings.loadFile(args.config)
  end
  local folder = args[1]:match "^(.*/)[^/]*$" or ""
  local path = folder .. "luna.conf.lua"
  if args[1] == "-" then return end
  settings.path, settings.optional = path, true
  if host.stat(path) then settings.loadFile(path) end
end

-- Settings that are the process's, not one bot's: the most patient one holds for all.
local function guards(self)
  local budget, slow, memory = 0, 0, 0
  for _, bot in ipairs(self.bots) do
    local values = bot.core.settings
    budget, slow = math.max(budget, values.handlerBudget), math.max(slow, values.slowCallback)
    memory = math.max(memory, values.memoryLimit or math.huge)
  end
  for _, core in ipairs(self.plain) do memory = math.max(memory, core.settings.memoryLimit or math.huge) end
  host.memoryLimit(memory < math.huge and memory or 0)
  task.setBudget(budget)
  task.setSlow(slow, function(where, seconds)
    status.stalled(where)
    local text, traceback = frames.tidy(("a callback has held the loop for %.1f s (slowCallback)"):format(seconds), where)
    Logger.write(Logger.WARNING, "host", text, { traceback = traceback, fields = { seconds = seconds } })
  end)
end

-- Makes the API object of one handler of a file.
local function makeBot(self, path, stem, handler)
  local name, n = stem, 1
  while self.names[name] do
    n = n + 1
    name = stem .. n
  end
  local session = self.args.session
  if not session and not self.args.sandbox then session = M.defaultSession(self.stem) end
  local class = type(handler) == "table" and handler.settings or nil
  local api = require("luna.api").new(session, { class = class, stem = name, name = name, where = path })
  local core = api._core
  for _, other in ipairs(self.bots) do
    local token = core.settings.botToken
    if not self.args.sandbox and (token == nil or token == other.core.settings.botToken) then
      require("luna.scope").free(core.scope)
      error(errors.classes.SettingsException(("%s and %s: several bots need a token each: set LUNA_BOT_TOKEN_%s"):format(other.path, path,
        name:upper():gsub("[^%w]", "_"))), 0)
    end
  end
  self.names[name] = true
  core.settings.name = core.settings.name or name
  local bot = { api = api, core = core, name = name, path = path, handler = handler }
  self.bots[#self.bots + 1] = bot
  guards(self)
  return bot
end

-- Starts a bot whose handler is set, and follows it to its end. Logging in is over when this returns.
local function start(self, bot)
  local api = bot.api
  self.starting = self.starting + 1
  local _ <close> = setmetatable({}, { __close = function() self.starting = self.starting - 1 end })
  bot.core:start()
  bot.core.updates:activate()
  self.running = self.running + 1
  task.spawn(function()
    local ok, err = pcall(require("luna.api").methods.loop, api)
    self.running = self.running - 1
    if not ok then return self.finish(report.print(err)) end
    if self.running == 0 and self.starting == 0 and self.loading == 0 then self.finish(0) end
  end)
end

-- From now on these bots are counted for `luna status`, and each has its REPL.
local function listen(self, bots)
  status.start(bots, function() notify.status(status.line()) end)
  if self.args["no-repl"] then return end
  for _, bot in ipairs(bots) do self.closers[bot] = require("luna.repl.server").start(bot) end
end

-- A bot of a file that is loaded anew can be told to do so.
local function reloadable(bot, reloader)
  bot.reloader = reloader
  bot.reload = function() return promise.await(reloader:now()) end
end

-- The chat is with a bot that runs: where its own has ended, with the first that is logged in.
local function turnChat(self)
  if not self.chat then return end
  local other
  for _, bot in ipairs(self.bots) do
    if bot == self.chat.bot then return end
    other = other or bot.core.me and bot
  end
  if other then self.chat:turnTo(other) end
end

-- The script has no handler for this bot any more, or it could not log in.
local function remove(self, bot)
  for i, other in ipairs(self.bots) do
    if other == bot then table.remove(self.bots, i) end
  end
  self.names[bot.name] = nil
  status.stop(bot)
  if self.closers[bot] then self.closers[bot]() end
  self.closers[bot] = nil
  guards(self)
  turnChat(self)
  task.spawn(bot.core.stop, bot.core, "stop")
end

-- Saving the file, or a module of its folder, loads it anew; SIGHUP does too.
local function follow(self, path, record, bots)
  local reloader
  reloader = require "luna.reload" {
    path = path, record = record, bots = bots,
    make = function(handler, new)
      local bot = makeBot(self, path, require("luna.runner").stem(path), handler)
      bot.env = new.env
      return bot
    end,
    start = function(bot)
      start(self, bot)
      reloadable(bot, reloader)
      listen(self, { bot })
      turnChat(self)
    end,
    remove = function(bot) remove(self, bot) end,
    failed = function(err) self.finish(report.print(err)) end,
    settled = function() guards(self) end,
  }
  self.reloaders[#self.reloaders + 1] = reloader
  if not self.args["no-watch"] then reloader:watch() end
  if #self.reloaders > 1 then return end
  host.onSignal("SIGHUP", function()
    notify.reloading()
    local loads = {}
    for i, r in ipairs(self.reloaders) do loads[i] = r:now() end
    for _, load in ipairs(loads) do promise.await(load) end
    notify.reloaded(status.line())
  end)
end

-- One file: its top level, then its bots, which are returned.
local function file(self, path)
  local runner = require "luna.runner"
  local stem = runner.stem(path)
  local record = {}
  self.files[#self.files + 1] = { path = path, stem = stem, record = record }
  local what = runner.load(path, nil, record)
  local bots = {}
  if what == nil then
    local class = require("luna.handler").forgotten(record.mark)
    if class then
      local text = "%s makes a handler class and returns nothing: to be a bot it ends with `return %s`"
      Logger.write(Logger.WARNING, stem, text:format(path, class))
    end
    return bots
  end
  local list = type(what) == "table" and what[1] ~= nil and what or { what }
  for n, handler in ipairs(list) do
    bots[n] = makeBot(self, path, stem, handler)
    bots[n].env = record.env
    local dispatch = bots[n].core.dispatch
    dispatch:install(dispatch:prepare(handler, record.mark))
    start(self, bots[n])
  end
  if path ~= "-" then follow(self, path, record, bots) end
  return bots
end

-- The chat of --sandbox is with the first file's first bot.
local function talkTo(self, bots)
  if not self.args.sandbox or not bots[1] or self.chat then return end
  self.chat = require("luna.chat").start {
    place = self.place, bot = bots[1], bots = self.bots, input = self.input, finish = self.finish,
  }
end

-- Several files: side by side, since one of them may be a script that goes on for long.
local function several(self)
  local loads = {}
  self.loads = loads
  for i, path in ipairs(self.args) do
    loads[i] = task.spawn(function()
      local ok, bots = xpcall(file, report.trace, self, path)
      self.loading = self.loading - 1
      if not ok then
        self.finish(report.print(bots))
        return {}
      end
      -- nil: plain scripts alone, so on until nothing is left.
      if self.running == 0 and self.loading == 0 then self.finish(#self.bots > 0 and 0 or nil) end
      return bots
    end)
  end
  task.spawn(function()
    for _, load in ipairs(loads) do talkTo(self, promise.await(load)) end
  end)
end

-- Once a file's bots run; after the last file the service manager hears of it.
local function attend(self)
  local function go(bots)
    for _, reloader in ipairs(self.reloaders) do
      for _, bot in ipairs(reloader.bots) do reloadable(bot, reloader) end
    end
    listen(self, bots)
  end
  local function ready()
    notify.ready(status.line())
    timer.unref(timer.after(REST, host.trim))
  end
  if #self.args == 1 then
    go(self.bots)
    return ready()
  end
  local left = #self.loads
  for _, load in ipairs(self.loads) do
    task.spawn(function()
      go(promise.await(load))
      left = left - 1
      if left == 0 then ready() end
    end)
  end
end

-- A plain script may never come to the end of its top level: it is a bot, and ready, once its first API object is.
local function expectPlain(self)
  require("luna.core").onUp = function(core)
    for _, bot in ipairs(self.bots) do
      if bot.core == core then return end
    end
    for _, f in ipairs(self.files) do
      if f.record.mark == core.mark then
        self.plain[#self.plain + 1] = core
        guards(self)
      end
      if f.record.mark == core.mark and not f.known then
        f.known = true
        task.spawn(function()
          task.owner(0) -- what is made here is not the script's
          listen(self, { { api = core.api, core = core, name = f.stem, path = f.path, env = f.record.env } })
        end)
      end
    end
    notify.ready(status.line())
  end
end

function M.run(args)
  local self = { args = args, bots = {}, plain = {}, names = {}, reloaders = {}, files = {}, closers = {}, loading = #args,
    running = 0, starting = 0, -- bots that are logged in, and those that are about to be
  }
  self.over = promise.new()
  function self.finish(code)
    if promise.state(self.over) == "pending" then promise.resolve(self.over, code) end
  end
  self.stem = require("luna.runner").stem(args[1])
  local line = M.commandLine(args)
  if args.token and #args > 1 then options.fail("--token is for one file: give each its LUNA_BOT_TOKEN_<STEM>") end
  local dashes = 0
  for _, path in ipairs(args) do dashes = dashes + (path == "-" and 1 or 0) end
  if dashes > 1 then options.fail("standard input can be read once") end
  settingsFile(args)
  task.setUnhandled(function(...) require("luna.helpers").unhandled(...) end)
  signals.install(function() task.exit(0) end)
  task.onExit(notify.stopping)
  task.onExit(M.stopAll)
  recorded(args)
  task.onExit(function()
    for _, close in pairs(self.closers) do close() end
  end)
  expectPlain(self)
  if args.sandbox then
    -- A session that is kept needs a server that is: its file lies beside.
    self.place = require "luna.cli.served"("luna run", { listen = "127.0.0.1:0", data = args.session and args.session .. ".sandbox" })
    line.sandbox = self.place
    self.input = require "luna.chat.input"()
  end
  if #args == 1 then
    local bots = file(self, args[1])
    self.loading = 0
    if #bots == 0 then -- a plain script: on, until nothing is left
      notify.ready(status.line())
      return nil
    end
    talkTo(self, bots)
  else
    several(self)
  end
  attend(self)
  task.ref()
  local code = promise.await(self.over)
  task.unref()
  return code
end

--- Ends every API object of the program: handlers get a moment, states and stores are written, connections closed.
function M.stopAll()
  local waits = {}
  for _, core in ipairs(require("luna.scope").all()) do
    if core.stop and core.state ~= "stopped" then waits[#waits + 1] = task.spawn(core.stop, core, "stop") end
  end
  for _, p in ipairs(waits) do
    local ok, err = pcall(promise.await, p)
    if not ok then Logger.write(Logger.ERROR, "host", "while ending: " .. tostring(err)) end
  end
end

return M
