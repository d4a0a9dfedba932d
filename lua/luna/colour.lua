--- Whether what goes to an output may have colours: a terminal, no NO_COLOR, no --no-color. Asked by whoever writes to a person.
local host = require "_luna.host"

local colour = {}
local off = false

--- No colours from now on: --no-color.
function colour.disable() off = true end

--- Whether the output (1 or 2) takes colours.
function colour.on(fd)
  local no = host.env "NO_COLOR"
  return not off and (no == nil or no == "") and host.env "TERM" ~= "dumb" and host.isatty(fd)
end

return colour
