--- `luna repl [NAME]`: attaches to a running bot of the same user; with none running, a REPL with a sandbox in this process.
local host = require "_luna.host"
local repl = require "_luna.repl"
local task = require "_luna.task"
local promise = require "_luna.promise"
local options = require "luna.cli.options"
local errors = require "luna.errors"
local suggest = require "luna.suggest"
local Logger = require "luna.logger"
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

local NONE = "no bot of yours runs, or it runs with --no-repl (kill -HUP reloads it then)"

local function fail(text, hint) error(errors.classes.Exception(text, { status = 1, hint = hint }), 0) end

-- The connections to all that listen: name → { connection, path }.
local function running()
  local found, names = {}, {}
  for _, folder in ipairs(place.folders()) do
    for _, name in ipairs(place.names(folder)) do
      local path = place.socket(folder, name)
      local connection = not found[name] and repl.connect(path)
      if connection then
        found[name] = { connection = connection, path = path }
        names[#names + 1] = name
      end
    end
  end
  table.sort(names)
  return found, names
end

-- The connection to the bot that is meant, its name and its socket; nil where none runs. command: "repl" or "reload".
local function find(wanted, command)
  if wanted then
    local name = require("luna.runner").stem(wanted)
    local err, why
    for _, folder in ipairs(place.folders()) do
      local path = place.socket(folder, name)
      local connection, e, text = repl.connect(path)
      if connection then return connection, name, path end
      if e ~= "CONNECT" then err, why = e, text end
    end
    local others, names = running()
    for _, other in pairs(others) do other.connection:close() end
    if err then fail(("the REPL of %s cannot be opened: %s"):format(name, why)) end
    fail(("no bot %q runs%s"):format(name, suggest.hint(name, names)),
      #names > 0 and "there are " .. table.concat(names, ", ") or NONE)
  end
  local found, names = running()
  if #names == 1 then return found[names[1]].connection, names[1], found[names[1]].path end
  for _, other in pairs(found) do other.connection:close() end
  if #names > 1 then options.fail("several bots run: " .. table.concat(names, ", "), ("luna %s NAME is about one"):format(command)) end
end

local function history()
  local ok, path = pcall(require("luna.cli.run").defaultSession, "repl")
  return ok and path:gsub("[^/]*$", "repl_history") or nil
end

local TAB_PATIENCE = 400 -- milliseconds that a completion may take: the bot may compute

-- A session over the socket. The editor's Tab cannot wait in a task, so that question goes another way.
local function attach(connection, name, path)
  local json = require "luna.json"
  local number
  local client = require "luna.repl.client" {
    name = name, history = history(),
    complete = function(word, before)
      local question = json.encode { op = "complete", session = number, word = word, before = before }
      local answer = repl.ask(path, question .. "\n", 1, TAB_PATIENCE)
      local ok, message = pcall(json.decode, answer or "", { dropNull = true })
      return ok and type(message) == "table" and message.words or {}
    end,
    say = function(message) connection:send(json.encode(message)) end,
    interrupt = function() connection:send "\3" end,
  }
  connection:onLine(function(line)
    if line == nil then return client:lost() end
    local ok, message = pcall(json.decode, line, { dropNull = true })
    if not ok or type(message) ~= "table" then return end
    if message.op == "hello" then number = message.session end
    client:heard(message)
  end)
  return client
end

-- A session in this process, against a sandbox of its own.
local function alone()
  local bot = require "luna.repl.playground"()
  local session
  local client = require "luna.repl.client" {
    name = "sandbox", history = history(),
    say = function(message) session:handle(message) end,
    interrupt = function() session:interrupt() end,
    complete = function(word, before) return session:complete(word, before) end,
    rest = bot.rest,
  }
  Logger.setWriter(function(text) -- above the prompt, where there is one
    if client.editor then client.editor:print((text:gsub("\n$", ""))) else host.write(2, text) end
  end)
  session = require "luna.repl.session"(bot, function(message) client:heard(message) end, repl.interruptible)
  bot.onMessage = function(name, text) client:heard { op = "print", text = ("to %s: %s"):format(name, text) } end
  return client
end

function M.run(args)
  if args.json and not args.eval then options.fail "--json goes with --eval" end
  local connection, name, path = find(args[1], args.attached and "reload" or "repl")
  if not connection and args.attached then fail(NONE) end
  local client
  if connection then
    client = attach(connection, name, path)
  else
    if host.isatty(0) and not args.eval then host.write(2, "luna: no bot runs: this is a sandbox of its own, :help says how\n") end
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
