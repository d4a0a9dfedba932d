--- The REPL's end in the bot: a Unix socket for each bot, named after it, that only its owner can open. Started by luna.cli.run, once a
--- bot runs; everything else of the REPL is loaded when somebody first connects.
local host = require "_luna.host"
local repl = require "_luna.repl"
local place = require "luna.repl.place"
local Logger = require "luna.logger"

local server = {}

local sessions, lastSession = setmetatable({}, { __mode = "v" }), 0

-- open: connection → session, of those that are connected.
local function serve(bot, connection, open)
  local json = require "luna.json"
  local session = require "luna.repl.session"(bot, function(message) return connection:send(json.encode(message)) end,
    function(on) connection:evaluating(on) end)
  lastSession = lastSession + 1
  sessions[lastSession], open[connection] = session, session
  local function close()
    open[connection] = nil
    session:close()
  end
  connection:onLine(function(line)
    if line == nil then return close() end
    if line == "\3" then return session:interrupt() end
    local ok, message = pcall(json.decode, line, { dropNull = true })
    if not ok then
      connection:close()
      return close()
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

--- Listens for a bot ({ name, core, api, … }). Returns what ends it, those that are connected too. That it cannot is told in the log and
--- stops nothing.
function server.start(bot)
  local folder, why = place.folder()
  if not folder then
    Logger.write(Logger.VERBOSE, "repl", "no REPL: " .. tostring(why))
    return function() end
  end
  local open = {}
  local function accept(connection) serve(bot, connection, open) end
  local listener, err, text = repl.listen(place.socket(folder, bot.name), accept)
  -- Another process runs a bot of this name.
  if err == "BUSY" then listener, err, text = repl.listen(place.socket(folder, ("%s-%d"):format(bot.name, host.pid())), accept) end
  if not listener then Logger.write(Logger.VERBOSE, "repl", ("no REPL: %s (%s)"):format(tostring(text), tostring(err))) end
  return function()
    if listener then listener:close() end
    for connection, session in pairs(open) do
      connection:close()
      session:close()
    end
  end
end

return server
