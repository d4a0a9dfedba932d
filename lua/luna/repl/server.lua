--- The REPL's end in the bot: a Unix socket for each bot, named after it, that only its owner can open. Started by luna.cli.run, once the
--- bots run; everything else of the REPL is loaded when somebody first connects.
local host = require "_luna.host"
local repl = require "_luna.repl"
local place = require "luna.repl.place"
local Logger = require "luna.logger"

local server = {}

local sessions, lastSession = setmetatable({}, { __mode = "v" }), 0

local function serve(bot, connection)
  local json = require "luna.json"
  local session = require "luna.repl.session"(bot, function(message) return connection:send(json.encode(message)) end,
    function(on) connection:evaluating(on) end)
  lastSession = lastSession + 1
  sessions[lastSession] = session
  connection:onLine(function(line)
    if line == nil then return session:close() end
    if line == "\3" then return session:interrupt() end
    local ok, message = pcall(json.decode, line, { dropNull = true })
    if not ok then
      connection:close()
      return session:close()
    end
    if type(message) == "table" and message.op == "status" then -- of `luna status`: nothing runs for it
      return connection:send(json.encode { op = "status", id = message.id, status = require("luna.status").of(bot) })
    end
    if type(message) == "table" and message.op == "complete" then -- by a connection of its own, which waits
      local asker = sessions[message.session]
      local fine, words = pcall(asker and asker.complete or function() return {} end, asker, message.word, message.before)
      return connection:send(json.encode { op = "completed", words = fine and words or {} })
    end
    session:handle(message)
  end)
  connection:send(json.encode {
    op = "hello", name = bot.name, path = bot.path or "", pid = host.pid(), version = host.version, session = lastSession,
  })
end

--- Listens for each bot ({ name, core, api, … }). Returns what ends it. That it cannot is told in the log and stops nothing.
function server.start(bots)
  local listeners = {}
  local folder, why = place.folder()
  if not folder then
    Logger.write(Logger.VERBOSE, "repl", "no REPL: " .. tostring(why))
    return function() end
  end
  for _, bot in ipairs(bots) do
    local function accept(connection) serve(bot, connection) end
    local listener, err, text = repl.listen(place.socket(folder, bot.name), accept)
    -- Another process runs a bot of this name.
    if err == "BUSY" then listener, err, text = repl.listen(place.socket(folder, ("%s-%d"):format(bot.name, host.pid())), accept) end
    if listener then
      listeners[#listeners + 1] = listener
    else
      Logger.write(Logger.VERBOSE, "repl", ("no REPL: %s (%s)"):format(tostring(text), tostring(err)))
    end
  end
  return function()
    for _, listener in ipairs(listeners) do listener:close() end
  end
end

return server
