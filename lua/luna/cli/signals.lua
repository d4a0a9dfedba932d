--- SIGINT and SIGTERM: the first ends the program cleanly, a second SIGINT at once with status 130. Used by the commands that run on.
local host = require "_luna.host"
local task = require "_luna.task"

local signals = {}

--- Calls fn(name) at the first SIGINT or SIGTERM.
function signals.install(fn)
  local ending = false
  local function first(name)
    return function()
      if ending then
        if name == "SIGINT" then task.exit(130, true) end
        return
      end
      ending = true
      fn(name)
    end
  end
  host.onSignal("SIGINT", first "SIGINT")
  host.onSignal("SIGTERM", first "SIGTERM")
end

return signals
