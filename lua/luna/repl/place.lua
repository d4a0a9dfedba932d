--- Where the sockets of the REPL are: a folder of the user's own under the runtime folder, else under the state folder. Used by both ends.
local host = require "_luna.host"

local place = {}

--- The folder, or nil and why. make: with mode 0700 where it is not there yet.
function place.folder(make)
  local folder
  local run = host.env "XDG_RUNTIME_DIR"
  if run and run:sub(1, 1) == "/" and host.stat(run) then
    folder = run .. "/luna"
  else
    local base = host.env "XDG_STATE_HOME"
    if not base or base:sub(1, 1) ~= "/" then
      local home = host.env "HOME"
      if not home or home:sub(1, 1) ~= "/" then return nil, "neither HOME nor XDG_STATE_HOME is set" end
      base = home .. "/.local/state"
    end
    folder = base .. "/luna/repl"
  end
  if make then
    local ok, why = host.mkdirs(folder)
    if not ok then return nil, why end
  end
  return folder
end

--- The socket of a bot of that name.
function place.socket(folder, name) return ("%s/%s.sock"):format(folder, (name:gsub("[^%w_.@=-]", "_"))) end

return place
