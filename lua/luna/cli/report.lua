--- Errors that end a command: one line first, with file and line of the script where there is one, then what to do, then the traceback.
--- Called by luna.cli and luna.cli.run.
local host = require "_luna.host"
local errors = require "luna.errors"
local frames = require "luna.frames"

local report = {}

--- For xpcall: keeps the traceback of where the error was raised.
function report.trace(err)
  if type(err) == "table" and err.traced then return err end
  if errors.isException(err) then return { err = errors.annotate(err, debug.traceback(nil, 2)), traced = err.traceback } end
  return { err = err, traced = debug.traceback(nil, 2) }
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
  local text = errors.text(err)
  local wrongUse = errors.isException(err) and (status == 2 or err.compile or err.hint)
  -- What the library raises on purpose, outside of any script, says all in its text.
  if errors.isException(err) and #frames.own(traceback) == 0 then traceback = nil end
  if not wrongUse then
    text, traceback = frames.tidy(text, traceback)
  elseif traceback and errors.is(err, errors.classes.SettingsException) then
    text = frames.tidy(text, traceback) -- a script's luna.API{…}, whose line it is
  end
  -- A command says its own name: "luna new: there is a file …".
  local lines = { text:find "^luna %l+: " and text or "luna: " .. text }
  if errors.isException(err) and err.hint then lines[#lines + 1] = "luna: " .. err.hint end
  if not wrongUse and traceback then lines[#lines + 1] = "  " .. traceback:gsub("\n", "\n  ") end
  host.write(2, require("luna.logger").redact(table.concat(lines, "\n")) .. "\n")
  return status
end

return report
