--- Errors that end a command: one line first, with file and line of the script where there is one, then what to do, then the traceback.
--- Called by luna.cli and luna.cli.run.
local host = require "_luna.host"
local errors = require "luna.errors"

local report = {}

--- For xpcall: keeps the traceback of where the error was raised.
function report.trace(err)
  if type(err) == "table" and err.traced then return err end
  if errors.isException(err) then return { err = errors.annotate(err, debug.traceback(nil, 2)), traced = err.traceback } end
  return { err = err, traced = debug.traceback(nil, 2) }
end

-- Only what a person wrote: frames of the library itself say nothing to who wrote the script.
local function ownFrames(traceback)
  local kept = {}
  for line in traceback:gmatch "[^\n]+" do
    local where = line:match "^%s+(.-): in "
    if where and not where:find "^luna[%.:]" and not where:find "/lua/luna/" and not where:find "^%[C%]" then
      kept[#kept + 1] = "  " .. line:gsub("^%s+", "")
    end
  end
  return kept
end

local function position(traceback)
  for _, line in ipairs(ownFrames(traceback)) do
    local file, at = line:match "^%s*(.-):(%d+): in "
    if file then return file .. ":" .. at end
  end
end

--- The exit status that an error is worth.
function report.status(err)
  local status = errors.isException(err) and err.status
  return math.type(status) == "integer" and status or 1
end

--- Prints an error (raw, or as report.trace made it) to standard error; returns its exit status.
function report.print(err)
  local traceback
  if type(err) == "table" and err.traced ~= nil then
    err, traceback = err.err, err.traced
  elseif errors.isException(err) then
    traceback = err.traceback
  end
  local status = report.status(err)
  local text = tostring(err)
  local wrongUse = errors.isException(err) and (status == 2 or err.compile or err.hint)
  local lines = {}
  if not wrongUse and traceback and not text:find "^[^%s:]+:%d+: " then
    local where = position(traceback)
    if where then text = where .. ": " .. text end
  end
  lines[1] = "luna: " .. text
  if errors.isException(err) and err.hint then lines[#lines + 1] = "luna: " .. err.hint end
  if not wrongUse and traceback then
    local frames = ownFrames(traceback)
    if #frames > 1 or frames[1] and not text:find(frames[1]:match "^%s*(.-): in " or "", 1, true) then
      for _, line in ipairs(frames) do lines[#lines + 1] = line end
    end
  end
  host.write(2, require("luna.logger").redact(table.concat(lines, "\n")) .. "\n")
  return status
end

--- An error of a task that nobody waited for: one entry in the log.
function report.unhandled(err, owner)
  if type(err) == "table" and rawget(err, "versionEnded") then return end -- a version of a script was replaced, and this went with it
  local core = require("luna.scope").of(owner)
  local text = tostring(err)
  if errors.isException(err) and err.traceback then text = text .. "\n" .. table.concat(ownFrames(err.traceback), "\n") end
  local Logger = require "luna.logger"
  Logger.write(Logger.ERROR, core and core.name or "script", text)
end

return report
