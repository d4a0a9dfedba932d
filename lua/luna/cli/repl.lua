--- `luna repl [NAME]`: attaches to a running bot of the same user; with none running, a REPL with a sandbox in this process.
local host = require "_luna.host"
local repl = require "_luna.repl"
local task = require "_luna.task"
local promise = require "_luna.promise"
local options = require "luna.cli.options"
local errors = require "luna.errors"
local suggest = require "luna.suggest"
local place = require "luna.repl.place"

local M = {}

M.spec = {
  usage = "[NAME]", arguments = { 0, 1 },
  about = "A prompt in a running bot (NAME: that of its file). Each line is Lua: `api` is the bot's, calls are awaited, :help lists the\n"
    .. "commands. With no bot running and no NAME: a sandbox, with two people (alice:send \"hello\") and a bot that you type in.",
  { "eval", "CODE", "runs CODE instead of a prompt, prints its value" },
  { "json", nil, "with --eval: the value as JSON" },
  more = "Exit status: 0; with --eval or lines from a pipe 1 where one of them failed; 1 where the bot is not there; 2 wrong use.",
}

local function fail(text, hint) error(errors.classes.Exception(text, { status = 1, hint = hint }), 0) end

-- The connections to all that listen: name → connection.
local function running()
  local found, names = {}, {}
  for _, folder in ipairs(place.folders()) do
    for _, name in ipairs(repl.names(folder)) do
      local connection = not found[name] and repl.connect(place.socket(folder, name))
      if connection then
        found[name] = connection
        names[#names + 1] = name
      end
    end
  end
  table.sort(names)
  return found, names
end

-- The connection to the bot that is meant, and its name; nil where none runs.
local function find(wanted)
  if wanted then
    local name = require("luna.runner").stem(wanted)
    local err, why
    for _, folder in ipairs(place.folders()) do
      local connection, e, text = repl.connect(place.socket(folder, name))
      if connection then return connection, name end
      if e ~= "CONNECT" then err, why = e, text end
    end
    local others, names = running()
    for _, other in pairs(others) do other:close() end
    if err then fail(("the REPL of %s cannot be opened: %s"):format(name, why)) end
    fail(("no bot %q runs%s"):format(name, suggest.hint(name, names)),
      #names > 0 and "there are " .. table.concat(names, ", ") or "no bot of yours runs at all")
  end
  local found, names = running()
  if #names == 1 then return found[names[1]], names[1] end
  for _, connection in pairs(found) do connection:close() end
  if #names > 1 then options.fail("several bots run: " .. table.concat(names, ", "), "luna repl NAME attaches to one") end
end

local function history()
  local ok, path = pcall(require("luna.cli.run").defaultSession, "repl")
  return ok and path:gsub("[^/]*$", "repl_history") or nil
end

-- A session over the socket.
local function attach(connection, name)
  local json = require "luna.json"
  local client = require "luna.repl.client" {
    name = name, history = history(),
    say = function(message) connection:send(json.encode(message)) end,
    interrupt = function() connection:send "\3" end,
  }
  connection:onLine(function(line)
    if line == nil then return client:lost() end
    local ok, message = pcall(json.decode, line, { dropNull = true })
    if ok and type(message) == "table" then client:heard(message) end
  end)
  return client
end

-- A session in this process, against a sandbox of its own.
local function alone()
  local settings = require "luna.settings"
  local Logger = require "luna.logger"
  Logger.configure { level = "warning" }
  local served = require("luna.sandbox").serve { listen = "127.0.0.1:0" }
  settings.commandLine.sandbox = served
  local api = require("luna.api").new(nil, { stem = "repl", name = "repl", where = "luna repl" })
  local env = require("luna.environment").new(nil)
  local bot = { api = api, core = api._core, name = "repl", env = env }
  task.setUnhandled(require("luna.cli.report").unhandled)
  api:start()
  local session
  local client = require "luna.repl.client" {
    name = "sandbox", history = history(),
    say = function(message) session:handle(message) end,
    interrupt = function() session:interrupt() end,
  }
  session = require "luna.repl.session"(bot, function(message) client:heard(message) end)
  local Person = require "luna.chat.person"
  for _, name in ipairs { "alice", "bob" } do
    local person = Person(served, bot, name:gsub("^%l", string.upper))
    person.onMessage = function(m) client:heard { op = "print", text = ("to %s: %s"):format(name, m.text) } end
    env[name] = { send = function(_, text)
      local ok, why = person:send(text)
      if not ok then error("not sent: " .. tostring(why), 2) end
    end }
  end
  return client
end

function M.run(args)
  if args.json and not args.eval then options.fail "--json goes with --eval" end
  local connection, name = find(args[1])
  if not connection and args.attached then fail "no bot of yours runs" end
  local client
  if connection then
    client = attach(connection, name)
  else
    if host.isatty(0) and not args.eval then host.write(2, "luna: no bot runs: this is a sandbox of its own (luna repl --help)\n") end
    client = alone()
  end
  task.onExit(function() client:finish(0) end)
  if args.eval then client:evaluate(args.eval, args.json) end
  client:start()
  task.ref()
  local status = promise.await(client.over)
  task.unref()
  if connection then
    connection:close()
  else
    require("luna.cli.run").stopAll()
  end
  return status
end

return M
