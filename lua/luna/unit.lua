--- The text of a systemd unit for a set of bots, and the commands that put it into place. Called by luna.cli.service. Pure.
local unit = {}

local stem = function(path) return (path:match "([^/]+)$"):gsub("%.lua$", "") end

-- A word of ExecStart: quoted where it has to be, % doubled.
local function word(text)
  text = text:gsub("%%", "%%%%"):gsub("%$", "$$")
  return text:find "[%s;'\"\\]" and '"' .. text .. '"' or text
end

local function variable(name) return name:upper():gsub("[^%w]", "_") end

-- For a manager that may do everything: an account of its own, a file system that is read-only but for its own folder.
local system = [[
User=@ACCOUNT@
Group=@ACCOUNT@
StateDirectory=luna
StateDirectoryMode=0700
Environment=XDG_STATE_HOME=%S
UMask=0077
@CREDENTIALS@
# What it cannot do: write anywhere but into its own folder, see other processes' or users' things, gain rights.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=@HOME@
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
RemoveIPC=yes
RestrictNamespaces=yes
]]

-- What a user's own manager may do as well.
local both = [[
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
LimitNOFILE=8192
LimitCORE=0
]]

local head = [[
[Unit]
Description=@WHAT@
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
NotifyAccess=main
ExecStart=@COMMAND@
# One that does not load fails the reload, and the version before goes on.
@RELOAD@
Restart=on-failure
RestartSec=5
# 2: wrong use, a missing token, a script that cannot be read: another start would not help.
RestartPreventExitStatus=2
TimeoutStartSec=60
TimeoutStopSec=20
WatchdogSec=60
]]

--- opts: program, files (absolute paths), user (a unit of the user's own manager), account, closed (those of the files that others than
--- their owner may not read). Gives { name, text, advice }.
function unit.make(opts)
  local stems, command = {}, { word(opts.program), "run" }
  for i, path in ipairs(opts.files) do
    stems[i] = stem(path)
    command[#command + 1] = word(path)
  end
  local reload, seen = {}, {} -- of files of one name, the later ones' bots have a number behind it, as luna run gives it
  for i, s in ipairs(stems) do
    local n = 1
    local bot = s
    while seen[bot] do
      n = n + 1
      bot = s .. n
    end
    seen[bot] = true
    reload[i] = ("ExecReload=%s reload %s"):format(word(opts.program), word(bot))
  end
  local name = "luna-" .. stems[1]:gsub("[^%w_.-]", "_")
  local secrets = {} -- variable → file
  for i, s in ipairs(stems) do
    local own = #stems > 1 and "LUNA_BOT_TOKEN_" .. variable(s) or "LUNA_BOT_TOKEN"
    secrets[i] = { own, s:gsub("[^%w_.-]", "_") .. ".token", "the token of " .. s }
  end
  secrets[#secrets + 1] = { "LUNA_API_ID", "api_id", "the app id" }
  secrets[#secrets + 1] = { "LUNA_API_HASH", "api_hash", "the app hash" }
  local home = "yes" -- a script in somebody's home has to be seen
  for _, path in ipairs { opts.program, table.unpack(opts.files) } do
    local top = path:match "^/(%a+)/"
    if top == "home" or top == "root" then home = "read-only" end
  end
  local temporary -- what PrivateTmp hides
  for _, path in ipairs(opts.files) do
    if path:find "^/tmp/" or path:find "^/var/tmp/" then temporary = path end
  end
  local credentials, advice = {}, {}
  local function say(text) advice[#advice + 1] = text end
  for _, s in ipairs(secrets) do credentials[#credentials + 1] = ("LoadCredential=%s:/etc/luna/%s"):format(s[1], s[2]) end
  local fill = {
    WHAT = (#stems == 1 and "Telegram bot " or "Telegram bots ") .. table.concat(stems, ", "):gsub("%%", "%%%%"),
    COMMAND = table.concat(command, " "), RELOAD = table.concat(reload, "\n"),
    ACCOUNT = opts.account, HOME = home, CREDENTIALS = table.concat(credentials, "\n"),
  }
  local text
  if opts.user then
    local file = ("%%h/.config/luna/%s.env"):format(stems[1]:gsub("[^%w_.-]", "_"))
    text = head .. "EnvironmentFile=" .. file .. "\nUMask=0077\nNoNewPrivileges=yes\n" .. both .. "\n[Install]\nWantedBy=default.target\n"
    file = file:gsub("^%%h", "~")
    say(("1. luna service --user … > ~/.config/systemd/user/%s.service"):format(name))
    say(("2. the secrets into %s (chmod 600), a line each:"):format(file))
    for _, s in ipairs(secrets) do say(("     %s=…"):format(s[1])) end
    say(("3. systemctl --user daemon-reload && systemctl --user enable --now %s"):format(name))
    say "4. loginctl enable-linger, so that it runs while nobody is logged in"
    say(("then: luna status; systemctl --user reload %s after an edit; journalctl --user -u %s"):format(name, name))
  else
    text = head .. system .. both .. "\n[Install]\nWantedBy=multi-user.target\n"
    say(("as root: 1. luna service … > /etc/systemd/system/%s.service"):format(name))
    say(("2. useradd --system --home-dir /var/lib/luna --shell /usr/sbin/nologin %s"):format(opts.account))
    say "3. mkdir -m 700 -p /etc/luna, and one file for each secret in it (chmod 600):"
    for _, s in ipairs(secrets) do say(("     /etc/luna/%s: %s"):format(s[2], s[3])) end
    say(("4. systemctl daemon-reload && systemctl enable --now %s"):format(name))
    say(("then: runuser -u %s -- luna status; systemctl reload %s after an edit; journalctl -u %s"):format(opts.account, name, name))
    for _, path in ipairs(opts.closed or {}) do
      say(("%s is for its owner alone, as it is now: chmod o+rX it and what leads there, or chown it to %s"):format(path, opts.account))
    end
    if temporary then say(("the service does not see what is in /tmp or /var/tmp (PrivateTmp): move %s, to /srv say"):format(temporary)) end
    if home ~= "yes" then
      say(("the script (or luna) is in somebody's home, which %s has to be able to read: /srv is a better place"):format(opts.account))
    end
  end
  return { name = name, text = (text:gsub("@(%u+)@", fill)), advice = table.concat(advice, "\n") .. "\n" }
end

return unit
