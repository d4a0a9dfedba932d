--- `luna service FILE...`: a systemd unit that runs these bots, with as few rights as they need, on standard output; what is to be done
--- with it on standard error. The unit's words are in luna.unit.
local host = require "_luna.host"
local options = require "luna.cli.options"
local unit = require "luna.unit"

local M = {}

M.spec = {
  usage = "FILE...", arguments = { 1 },
  about = "Writes a systemd unit that runs these bots to standard output, and what to do with it to standard error. Secrets come as\n"
    .. "files that root alone can read (LoadCredential).",
  { "user", nil, "a unit of the user's own manager (systemctl --user), without an account and folders of its own" },
  { "account", "NAME", "the account that it runs as (default luna)" },
  more = "luna tells the manager when all bots are logged in (Type=notify), reloads at systemctl reload, and gives a sign of life.",
}

-- Whether an account that owns nothing of it may read a file: the file itself, and every folder that leads there.
local function open(path)
  if host.stat(path).mode & 4 == 0 then return false end
  for at in path:gmatch "()/" do
    local info = at > 1 and host.stat(path:sub(1, at - 1))
    if info and info.mode & 1 == 0 then return false end
  end
  return true
end

function M.run(args)
  local files = {}
  for i, path in ipairs(args) do
    local real = host.realpath(path)
    if not real or host.stat(real).type ~= "file" then options.fail(("luna service: there is no script %s"):format(path)) end
    if real:find "[%c\"\\]" then options.fail(("luna service: %s: no unit can name such a file"):format(path)) end
    files[i] = real
  end
  local account = args.account or "luna"
  if not account:find "^[%l_][%w_-]*$" then options.fail(("luna service: --account %s: it is the name of an account"):format(account)) end
  local program = host.realpath "/proc/self/exe" or host.realpath(host.argv[0]) or host.argv[0]
  local closed = {}
  for _, path in ipairs(files) do
    if not open(path) then closed[#closed + 1] = path end
  end
  local made = unit.make { program = program, files = files, user = args.user, account = account, closed = closed }
  host.write(1, made.text)
  host.write(2, made.advice)
  return 0
end

return M
