--- luna.Logger: the levels, and the one place where a line of the log is written: to standard error, a file, syslog or a function.
--- The host's own lines come here too. Secrets are masked here and nowhere else, so that no way round exists.
local host = require "_luna.host"
local timer = require "_luna.timer"
local files = require "_luna.files"
local errors = require "luna.errors"

local Logger = {
  FATAL_ERROR = 0, ERROR = 1, WARNING = 2, NOTICE = 3, VERBOSE = 4, ULTRA_VERBOSE = 5,
}
local names = { [0] = "FATAL", "ERROR", "WARNING", "NOTICE", "VERBOSE", "ULTRA" }
local colours = { [0] = "\27[1;31m", "\27[31m", "\27[33m", "\27[36m", "\27[2m", "\27[2m" }
local target, level, colour -- as configured
local sink, file -- what writes a line; the open log, where it is one
local told, calling -- the last complaint; whether the script's function runs
local writeLine = function(text) host.write(2, text) end

-- Bot tokens, phone numbers and what stands before the host in a URL are masked by their form as well, since a script may print one that
-- the host never heard of.
local function redact(text)
  text = text:find("\0", 1, true) and text:gsub("[^%z]+", host.redact) or host.redact(text)
  if text:find("%d%d%d%d%d%d:[%w_-]") then
    text = text:gsub("(%d%d%d%d%d%d+):[%w_-]+", function(id) return id .. ":***" end)
  end
  if text:find("+", 1, true) then
    text = text:gsub("%+(%d%d)%d%d%d%d%d+(%d%d)", "+%1***%2")
  end
  if text:find("://", 1, true) then text = text:gsub("(://)[^/@%s]+@", "%1***@") end
  return text
end

local function clean(text)
  return (text:gsub("[%z\1-\8\11-\31\127]", function(c) return ("\\x%02x"):format(c:byte()) end))
end

local function toStderr(lvl, room, text)
  local head = ("%s %s %s: "):format(os.date("%H:%M:%S", timer.wall() // 1 | 0), names[lvl], room)
  if colour and colours[lvl] then head = colours[lvl] .. head .. "\27[0m" end
  writeLine(head .. text .. "\n")
end

-- Says once that a target does not work; its lines go to standard error from then on, or until it works again.
local function complain(why)
  if told == why then return end
  told = why
  toStderr(Logger.ERROR, "log", clean(redact(why)))
end

-- The lines that follow the first are set in, so that no text can pass for a line of the log.
local function setIn(text) return (text:gsub("\n", "\n    ")) end

local function toFile(lvl, room, text)
  local time = os.date("%Y-%m-%d %H:%M:%S", timer.wall() // 1 | 0)
  local ok, why = file:write(("%s %s %s: %s\n"):format(time, names[lvl], room, setIn(text)))
  if ok then return end
  complain("the log cannot be written: " .. why)
  toStderr(lvl, room, text)
end

local function toSyslog(lvl, room, text) files.syslog(lvl, room .. ": " .. text:gsub("\n", " | ")) end

-- What the function itself logs, and what it fails with, goes to standard error.
local function toFunction(lvl, room, text)
  if calling then return toStderr(lvl, room, text) end
  calling = true
  local ok, why = pcall(target, text, lvl, room)
  calling = false
  if ok then return end
  complain("the log's function failed: " .. tostring(why))
  toStderr(lvl, room, text)
end

local function write(lvl, room, text)
  if lvl <= level then sink(lvl, room, clean(redact(text))) end
end

--- Sets where lines go (nil or "stderr": standard error; "syslog"; a function(text, level, room); else a file's name) and down to which
--- level. Raises where the file cannot be opened.
function Logger.configure(settings)
  settings = settings or {}
  if settings.level then level = Logger.level(settings.level, 2) end
  level = level or Logger.NOTICE
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
  colour = target == nil and host.isatty(2) and not host.env "NO_COLOR"
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

--- luna.Logger.log(message, level = NOTICE, room?)
function Logger.log(message, lvl, room)
  lvl = lvl == nil and Logger.NOTICE or Logger.level(lvl, 2)
  if lvl > level then return end
  if type(message) == "table" and not getmetatable(message) then message = require("luna.inspect")(message) end
  write(lvl, room or "script", tostring(message))
end

--- Where finished lines of standard error go instead (the chat prints them above its prompt); nil: back to standard error.
function Logger.setWriter(fn) writeLine = fn or function(text) host.write(2, text) end end

--- Whether a line of this level would be written: to skip making it.
function Logger.wants(lvl) return lvl <= level end

Logger.write = write
Logger.redact = redact

Logger.configure()
host.setLogSink(write)

return Logger
