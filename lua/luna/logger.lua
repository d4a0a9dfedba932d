--- luna.Logger: the levels, and the one place where an event of the log is written: to standard error, a file, syslog or a function; as a
--- line for people or as JSON. The host's own lines come here too. Secrets are masked here and nowhere else, so that no way round exists.
local host = require "_luna.host"
local timer = require "_luna.timer"
local files = require "_luna.files"
local colours_ = require "luna.colour"
local errors = require "luna.errors"
local printable = require "luna.printable"
local redaction = require "luna.redaction"
local system = require "_luna.system"

local Logger = {
  FATAL_ERROR = 0, ERROR = 1, WARNING = 2, NOTICE = 3, VERBOSE = 4, ULTRA_VERBOSE = 5,
}
local names = { [0] = "FATAL", "ERROR", "WARNING", "NOTICE", "VERBOSE", "ULTRA" }
local colours = { [0] = "\27[1;31m", "\27[31m", "\27[33m", "\27[36m", "\27[2m", "\27[2m" }
local priorities = { [0] = 2, 3, 4, 5, 6, 7 } -- of syslog, as the journal reads them at the head of a line
local ROOMS = 200 -- whose last errors are kept: a script may make up as many as it likes
local target, level, colour, json -- as configured
local journal -- whether standard error is the journal's, which has times of its own
local sink, file -- what writes an event; the open log, where it is one
local told, calling -- the last complaint; whether the script's function runs
local last, rooms = {}, 0 -- room → the last error; how many rooms
local writeLine = function(text) host.write(2, text) end
local redact = redaction.text

local function visible(c) return #c == 1 and ("\\x%02x"):format(c:byte()) or ("\\u{%02x}"):format(utf8.codepoint(c)) end

local function clean(text) return printable.text(text, visible) end

-- The lines that follow the first are set in, so that no text can pass for a line of the log.
local function setIn(text) return (text:gsub("\n", "\n    ")) end

local function whole(text, traceback) return traceback and text .. "\n" .. traceback or text end

local function asJson(lvl, ...) return require("luna.log_json")(Logger.levelName(lvl), ...) end

local function toStderr(lvl, room, text, traceback, about)
  local mark = journal and ("<%d>"):format(priorities[lvl]) or ""
  if json then return writeLine(mark .. asJson(lvl, room, text, traceback, about) .. "\n") end
  text = setIn(whole(text, traceback))
  if journal then return writeLine(mark .. (room .. ": " .. text):gsub("\n", "\n" .. mark) .. "\n") end
  local head = ("%s %s %s: "):format(os.date("%H:%M:%S", timer.wall() // 1 | 0), names[lvl], room)
  if colour == nil then colour = colours_.on(2) end
  if colour then
    head = colours[lvl] .. head .. "\27[0m"
    text = text:gsub("\n(.*)$", "\n\27[2m%1\27[0m")
  end
  writeLine(head .. text .. "\n")
end

-- Says once that a target does not work; its lines go to standard error from then on, or until it works again.
local function complain(why)
  if told == why then return end
  told = why
  toStderr(Logger.ERROR, "log", clean(redact(why)))
end

local function toFile(lvl, room, text, traceback, about)
  local line
  if json then
    line = asJson(lvl, room, text, traceback, about)
  else
    local time = os.date("%Y-%m-%d %H:%M:%S", timer.wall() // 1 | 0)
    line = ("%s %s %s: %s"):format(time, names[lvl], room, setIn(whole(text, traceback)))
  end
  local ok, why = file:write(line .. "\n")
  if ok then return end
  complain("the log cannot be written: " .. why)
  toStderr(lvl, room, text, traceback, about)
end

local function toSyslog(lvl, room, text, traceback)
  files.syslog(lvl, room .. ": " .. whole(text, traceback):gsub("\n", " | "))
end

-- What the function itself logs, and what it fails with, goes to standard error.
local function toFunction(lvl, room, text, traceback, about)
  if calling then return toStderr(lvl, room, text, traceback, about) end
  calling = true
  local ok, why = pcall(target, whole(text, traceback), lvl, room)
  calling = false
  if ok then return end
  complain("the log's function failed: " .. tostring(why))
  toStderr(lvl, room, text, traceback, about)
end

--- One event. room: the bot's name, or the part of the program. about: { traceback = text, err =, update =, fields = table } | nil, for
--- who reads it by machine; the traceback is shown to people too.
local function write(lvl, room, text, about)
  if lvl > level and lvl > Logger.ERROR then return end
  room = clean(redact(room)):gsub("\n", " ")
  if lvl <= Logger.ERROR then
    local line = text:match "^[^\n]*"
    if not last[room] then rooms = rooms + 1 end
    if rooms > ROOMS then last, rooms = {}, 1 end
    last[room] = { time = timer.wall(), text = clean(redact(#line > 500 and line:sub(1, 500) .. "…" or line)) }
  end
  if lvl > level then return end
  local traceback = about and about.traceback
  sink(lvl, room, clean(redact(text)), traceback and clean(redact(traceback)), about)
end

--- Sets where events go (target: nil or "stderr": standard error; "syslog"; a function(text, level, room); else a file's name), down to
--- which level, and whether each is one JSON object (json = true). Raises where the file cannot be opened.
function Logger.configure(settings)
  settings = settings or {}
  if settings.level then level = Logger.level(settings.level, 2) end
  level = level or Logger.NOTICE
  json = settings.json or false
  local wanted = settings.target
  if wanted == "stderr" then wanted = nil end
  if wanted == nil or wanted == "syslog" or type(wanted) == "function" then
    sink = wanted == nil and toStderr or wanted == "syslog" and toSyslog or toFunction
    file = nil
  elseif type(wanted) == "string" then
    local opened, why = files.openLog(wanted)
    if not opened then error(errors.classes.SettingsException("the log cannot be written: " .. why), 2) end
    sink, file = toFile, opened
  else
    error(("the target of the log is a file's name, \"stderr\", \"syslog\" or a function, not a %s"):format(type(wanted)), 2)
  end
  target, told = wanted, nil
  host.setLogLevel(level)
  colour = nil -- asked when a line is written: --no-color may follow
  journal = system.journal()
end

--- A level by number or by name ("notice", "VERBOSE"); raises for anything else.
function Logger.level(x, depth)
  if math.type(x) == "integer" and names[x] then return x end
  if type(x) == "string" then
    local wanted = x:upper():gsub("[- ]", "_")
    if Logger[wanted] and type(Logger[wanted]) == "number" then return Logger[wanted] end
    for i = 0, 5 do
      if names[i] == wanted then return i end
    end
  end
  error(('"%s" is no log level: FATAL_ERROR, ERROR, WARNING, NOTICE, VERBOSE, ULTRA_VERBOSE'):format(tostring(x)), (depth or 1) + 1)
end

--- The name of a level as --log takes it.
function Logger.levelName(lvl)
  return lvl == Logger.FATAL_ERROR and "fatal_error" or lvl == Logger.ULTRA_VERBOSE and "ultra_verbose" or names[lvl]:lower()
end

--- luna.Logger.log(message, level = NOTICE, room?)
function Logger.log(message, lvl, room)
  lvl = lvl == nil and Logger.NOTICE or Logger.level(lvl, 2)
  if room ~= nil and type(room) ~= "string" then error(("the room of the log is a text, not a %s"):format(type(room)), 2) end
  if lvl > level and lvl > Logger.ERROR then return end -- errors are kept for luna status whatever the level
  local about
  -- What comes from the server is shown though it has methods.
  if type(message) == "table" and (not getmetatable(message) or type(rawget(message, "_")) == "string") then
    if json then about = { fields = message } end
    message = require("luna.inspect")(redaction.value(message, true))
  end
  write(lvl, room or "script", tostring(message), about)
end

--- Where finished lines of standard error go instead (the chat prints them above its prompt); nil: back to standard error.
function Logger.setWriter(fn) writeLine = fn or function(text) host.write(2, text) end end

--- Whether an event of this level would be written: to skip making it.
function Logger.wants(lvl) return lvl <= level end

--- The last error of that room: { time =, text = }, masked, its first line alone; or nil.
function Logger.lastError(room) return last[room] end

Logger.write = write
Logger.redact = redact

Logger.configure()
host.setLogSink(write)

return Logger
