--- `luna status [NAME]`: what the running bots of the same user say of themselves, over the sockets of their REPLs (luna.repl.server
--- answers, luna.status counts). As a table, a page for one bot, or JSON.
local host = require "_luna.host"
local promise = require "_luna.promise"
local repl = require "_luna.repl"
local task = require "_luna.task"
local colour = require "luna.colour"
local json = require "luna.json"
local options = require "luna.cli.options"
local place = require "luna.repl.place"
local printable = require "luna.printable"
local suggest = require "luna.suggest"
local signals = require "luna.cli.signals"

local M = {}
local PATIENCE = 2 -- seconds that a bot has to answer

M.spec = {
  usage = "[NAME]", arguments = { 0, 1 },
  about = "What runs and how it fares: one bot in full, several as a table. Asks the bots of the same user (those run with --no-repl\n"
    .. "cannot be asked).",
  { "json", nil, "a list of objects, with all there is" },
  { "watch", "SECONDS", "again every so many seconds, until Ctrl-C" },
  more = "Exit status, as of an init script: 0 it runs; 3 it does not; 4 it runs and does not answer. 2: wrong use.",
}

-- ---- asking ----

-- A promise of one bot's answer, or of false: it did not answer in time.
local function ask(connection)
  local answer = promise.new()
  connection:onLine(function(line)
    if promise.state(answer) ~= "pending" then return end
    if line == nil then return promise.resolve(answer, nil) end
    local ok, message = pcall(json.decode, line, { dropNull = true })
    if ok and type(message) == "table" and message.op == "status" then promise.resolve(answer, message.status) end
  end)
  connection:send(json.encode { op = "status" })
  return answer
end

-- What there is, sorted by name: a list of { name, status | nil (no answer) }.
local function collect(wanted)
  local asked, names = {}, {}
  for _, folder in ipairs(place.folders()) do
    for _, name in ipairs(place.names(folder)) do
      if not asked[name] and (not wanted or name == wanted or name:gsub("%-%d+$", "") == wanted) then
        local connection = repl.connect(place.socket(folder, name))
        if connection then
          asked[name] = { connection, ask(connection) }
          names[#names + 1] = name
        end
      end
    end
  end
  table.sort(names)
  local list = {}
  local deadline = task.spawn(task.sleep, PATIENCE)
  for _, name in ipairs(names) do
    local connection, answer = asked[name][1], asked[name][2]
    if promise.state(deadline) == "pending" then promise.awaitTimeout(answer, PATIENCE) end
    local state = promise.state(answer)
    local value = state == "resolved" and promise.await(answer) or nil
    if state ~= "resolved" or value then list[#list + 1] = { name = name, status = value } end
    connection:close()
  end
  promise.cancel(deadline)
  promise.markHandled(deadline)
  return list
end

-- ---- words ----

local function span(seconds)
  seconds = math.max(0, seconds // 1 | 0)
  if seconds < 60 then return ("%d s"):format(seconds) end
  if seconds < 3600 then return ("%d min"):format(seconds // 60) end
  if seconds < 86400 then return ("%d h %d min"):format(seconds // 3600, seconds % 3600 // 60) end
  return ("%d d %d h"):format(seconds // 86400, seconds % 86400 // 3600)
end

local function size(kib)
  if kib < 1000 then return ("%d KiB"):format(kib) end
  return ("%.1f MiB"):format(kib / 1024)
end

local function clock(time)
  local text = os.date("%H:%M:%S", time // 1 | 0)
  return os.time() - time > 12 * 3600 and os.date("%Y-%m-%d ", time // 1 | 0) .. text or text
end

local function clean(text) return printable.line(tostring(text)) end

local function connected(c, now)
  if c.state == "none" then return "there is no connection" end
  local where = ("DC %d (%s)"):format(c.dc, clean(c.address))
  local since = c.since and " for " .. span(now - c.since) or ""
  local again = c.reconnects > 0 and (", %d reconnects"):format(c.reconnects) or ""
  local key = c.temporaryKey and (", temporary key for %s more"):format(span(c.temporaryKey)) or ""
  if c.state == "up" then return where .. ", connected" .. since .. again .. key end
  return ("%s, NOT connected%s%s%s"):format(where, since, c.why and ": " .. clean(c.why) or "", again)
end

local function count(n, word) return ("%d %s%s"):format(n, word, n == 1 and "" or "s") end

local function page(s, bold)
  local now = os.time()
  local lines = { ("%s  %s  pid %d, up %s, luna %s"):format(bold(clean(s.name)), s.username and "@" .. clean(s.username) or "not logged in",
    s.pid, span(now - s.started), clean(s.version)) }
  local function row(name, text) lines[#lines + 1] = ("  %-11s %s"):format(name, text) end
  row("script", clean(s.script or "-") .. (s.reloads > 0 and (", %s"):format(count(s.reloads, "reload")) or ""))
  row("session", clean(s.session or "in memory"))
  row("connection", connected(s.connection, now))
  row("updates", ("%.1f/s (1 min), %.1f/s (15 min), %d in all"):format(s.updates.perSecond1, s.updates.perSecond15, s.updates.total))
  local asking = s.handlers.asking or 0
  row("handlers", ("%d running%s, %d waiting, %d failed"):format(s.handlers.running,
    asking > 0 and (" (%s open)"):format(count(asking, "question")) or "", s.handlers.waiting, s.handlers.failed))
  local flood = s.calls.floodWaits
  row("calls", ("%d in flight, %s%s"):format(s.calls.inFlight, count(flood, "flood wait"),
    s.calls.floodUntil and s.calls.floodUntil > now and (", one for %s more"):format(span(s.calls.floodUntil - now)) or ""))
  row("loop", s.stalls.count == 0 and "never held" or ("held for too long %s, last at %s%s"):format(count(s.stalls.count, "time"),
    clock(s.stalls.last), s.stalls.where and " by " .. clean(s.stalls.where) or ""))
  row("memory", ("%s (at most %s), Lua %s; CPU %.1f s"):format(size(s.memory.resident), size(s.memory.highest), size(s.memory.lua), s.cpu))
  row("store", ("%s not yet handled%s"):format(count(s.store.inbox, "update"),
    s.store.refusals > 0 and "; the session takes nothing now" or ""))
  row("last error", s.lastError and ("%s %s"):format(clock(s.lastError.time), clean(s.lastError.text)) or "none")
  return table.concat(lines, "\n")
end

local function overview(list, bold)
  local now = os.time()
  local rows = { { "BOT", "PID", "UP", "CONNECTION", "UPDATES/S", "HANDLERS", "CALLS", "MEMORY", "LAST ERROR" } }
  for _, item in ipairs(list) do
    local s = item.status
    rows[#rows + 1] = s and {
      clean(s.name), tostring(s.pid), span(now - s.started), s.connection.state == "up" and "up" or "DOWN",
      ("%.1f"):format(s.updates.perSecond1), tostring(s.handlers.running), tostring(s.calls.inFlight),
      size(s.memory.resident), s.lastError and clock(s.lastError.time) or "-",
    } or { item.name, "", "", "does not answer", "", "", "", "", "" }
  end
  local width, lines = {}, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do width[i] = math.max(width[i] or 0, utf8.len(cell) or #cell) end
  end
  for n, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do cells[i] = cell .. (" "):rep(width[i] - (utf8.len(cell) or #cell)) end
    local line = table.concat(cells, "  "):gsub("%s+$", "")
    lines[n] = n == 1 and bold(line) or line
  end
  return table.concat(lines, "\n")
end

-- The text, and the exit status.
local function show(args, wanted)
  local list = collect(wanted)
  local answered = {}
  for _, item in ipairs(list) do answered[#answered + 1] = item.status end
  local result = #list == 0 and 3 or #answered < #list and 4 or 0
  if args.json then return json.encode(json.array(answered), { pretty = true }), result end
  local plain = not colour.on(1)
  local function bold(text) return plain and text or "\27[1m" .. text .. "\27[0m" end
  if #list == 0 then
    local others = wanted and collect() or {}
    for i, item in ipairs(others) do others[i] = item.name end
    if #others == 0 then return wanted and ("no bot %q runs"):format(wanted) or "no bot of yours runs", result end
    return ("no bot %q runs%s; there are %s"):format(wanted, suggest.hint(wanted, others), table.concat(others, ", ")), result
  end
  if #list > 1 then return overview(list, bold), result end
  local s = list[1].status
  return s and page(s, bold) or list[1].name .. ": does not answer; its loop is held, or it is of an older version", result
end

function M.run(args)
  local wanted = args[1] and require("luna.runner").stem(args[1])
  local every = args.watch and tonumber(args.watch)
  if args.watch and (not every or every < 0.1) then options.fail(("luna status: --watch %s: a number of seconds"):format(args.watch)) end
  if not every then
    local text, result = show(args, wanted)
    host.write(1, text .. "\n")
    return result
  end
  local ended
  local over = promise.new()
  signals.install(function()
    ended = true
    promise.resolve(over)
  end)
  local result
  while not ended do
    local text
    text, result = show(args, wanted)
    if host.isatty(1) then text = "\27[H\27[2J" .. text end
    host.write(1, text .. "\n")
    promise.awaitTimeout(over, every)
  end
  return result
end

return M
