--- Where the sockets of the REPL are: a folder of the user's own under the runtime folder, else under the state folder. Used by both ends.
local host = require "_luna.host"
local system = require "_luna.system"

local place = {}

--- The folders where a bot's socket may be, the best first: a bot that a service manager started may lack the runtime folder that the
--- person's shell has.
function place.folders()
  local list = {}
  local run = host.env "XDG_RUNTIME_DIR"
  if run and run:sub(1, 1) == "/" and host.stat(run) then list[1] = run .. "/luna" end
  local base, home = host.env "XDG_STATE_HOME", host.env "HOME"
  if (not base or base == "") and home and home ~= "" then base = home .. "/.local/state" end
  if base and base:sub(1, 1) == "/" then list[#list + 1] = base .. "/luna/repl" end
  local service = host.stat "/var/lib/luna/repl" -- of a bot that the unit of `luna service` runs
  if service and service.own and base ~= "/var/lib" then list[#list + 1] = "/var/lib/luna/repl" end
  return list
end

--- The folder for a bot's own socket, made with mode 0700 where it is not there yet; or nil and why.
function place.folder()
  local folder = place.folders()[1]
  if not folder then return nil, "neither HOME nor XDG_STATE_HOME is set" end
  local ok, why = host.mkdirs(folder)
  if not ok then return nil, why end
  return folder
end

--- The socket of a bot of that name.
function place.socket(folder, name) return ("%s/%s.sock"):format(folder, (name:gsub("[^%w_.@=-]", "_"))) end

--- The names of the sockets in a folder, in no order: those of bots that have been killed too.
function place.names(folder)
  local names = {}
  for _, file in ipairs(system.names(folder, true) or {}) do names[#names + 1] = file:match "^(.+)%.sock$" end
  return names
end

return place
