--- What `luna doctor` says of folders and session files: who may enter them, whether each session is whole, and whether it is in use.
local host = require "_luna.host"
local store = require "_luna.store"
local system = require "_luna.system"
local place = require "luna.repl.place"

local SHOWN = 20

local function private(report, what, path)
  local stat = host.stat(path)
  if not stat then return true end
  if not stat.own then
    report.wrong(("%s %s is another user's"):format(what, path), "run luna as its owner, or give another place")
    return false
  end
  if stat.mode & 63 ~= 0 then
    local mode = stat.type == "directory" and 700 or 600
    report.wrong(("%s %s is open to others"):format(what, path), ("chmod %d %s"):format(mode, path))
    return false
  end
  return true
end

-- Opens it as a bot would, and closes it again.
local function session(report, path)
  if not private(report, "the session", path) then return end
  local opened, name, text = store.open(path, "normal")
  if opened then
    local accounts = {}
    for _, account in ipairs(opened:accounts()) do
      if opened:account(account):get "self" then accounts[#accounts + 1] = account end
    end
    opened:close()
    table.sort(accounts)
    if #accounts == 0 then return report.note(("the session %s: nobody is logged in"):format(path), "luna login, or remove it") end
    return report.ok(("the session %s: %s"):format(path, table.concat(accounts, ", ")))
  end
  local why = tostring(text or name):gsub("^session .-: ", "")
  if name == "BUSY" then return report.ok(("the session %s %s"):format(path, why)) end
  if name == "CORRUPT" then
    return report.wrong(("the session %s is damaged"):format(path), "restore a copy, or move it away and log in anew")
  end
  report.wrong(("the session %s %s"):format(path, why), "move it away, or give --session PATH")
end

local function sessions(report, folder)
  local names = system.names(folder) or {}
  table.sort(names)
  local n = 0
  for _, name in ipairs(names) do
    if name:find "%.session$" then
      n = n + 1
      if n <= SHOWN then session(report, folder .. "/" .. name) end
    end
  end
  if n > SHOWN then report.note(("%d more sessions were not looked at"):format(n - SHOWN)) end
end

return function(report, args)
  if args.session then
    if host.stat(args.session) then return session(report, args.session) end
    report.ok(("the session %s is not there yet"):format(args.session))
  else
    local ok, path = pcall(require("luna.cli.run").defaultSession, "doctor")
    if not ok then return report.wrong(tostring(path)) end
    local folder = path:match "^(.*)/"
    if private(report, "the sessions' folder", folder) then
      local probe = ("%s/.doctor.%d"):format(folder, host.pid())
      local written, why = host.writeFile(probe, "", 384)
      if written then
        host.remove(probe)
        report.ok("sessions go to " .. folder)
      else
        report.wrong(("the sessions' folder cannot be written: %s"):format(why), "mend its rights, or give --session PATH")
      end
    end
    sessions(report, folder)
  end
  for _, folder in ipairs(place.folders()) do private(report, "the folder of the REPL's sockets", folder) end
end
