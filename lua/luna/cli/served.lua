--- A sandbox that listens, for the commands which have one (`luna sandbox`, `luna run --sandbox`): what it refuses ends the command with
--- one line.
local errors = require "luna.errors"
local options = require "luna.cli.options"

-- What is refused of what the command line says, by its words; the rest (a port in use, damaged data) is no wrong use.
local wrongUse = { "listen address", "on loopback addresses alone", "is not of the form", "is no private RSA key", "cannot be read" }

--- served(command, opts): opts as of luna.sandbox's serve.
return function(command, opts)
  local ok, place = pcall(require("luna.sandbox").serve, opts)
  if ok then return place end
  local why = ("%s: %s"):format(command, (tostring(place):gsub("[^%s:]+%.lua:%d+: ", "")))
  for _, wrong in ipairs(wrongUse) do
    if why:find(wrong, 1, true) then options.fail(why) end
  end
  errors.throw(errors.classes.Exception(why))
end
