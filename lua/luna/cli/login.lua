--- `luna login`: makes a session from a bot token, so that later runs need none. Phone and QR code are not there yet.
local host = require "_luna.host"
local task = require "_luna.task"
local helpers = require "luna.helpers"
local options = require "luna.cli.options"
local run = require "luna.cli.run"
local settings = require "luna.settings"
local signals = require "luna.cli.signals"

local M = {}

M.spec = {
  usage = "[NAME]", arguments = { 0, 1 },
  about = "Logs a bot in and saves its session. NAME is the stem of the script that will use it (NAME.lua); the token comes\n"
    .. "from --token, LUNA_BOT_TOKEN, or is asked for. People's accounts (phone, QR code) are not there yet.",
}
-- The options of `luna run` that say where to and what with.
for _, o in ipairs(run.spec) do
  if o[1] ~= "sandbox" and o[1] ~= "no-watch" and o[1] ~= "config" then table.insert(M.spec, o) end
end

--- The API object that the options describe, and its session's path. Shared with logout.
function M.open(args)
  local stem = args[1] and require("luna.runner").stem(args[1]) or "luna"
  run.commandLine(args)
  signals.install(function() task.exit(1) end)
  task.onExit(run.stopAll)
  local path = args.session or run.defaultSession(stem)
  local api = require("luna.api").new(path, { stem = stem, name = stem, where = "luna login" })
  return api, path
end

function M.run(args)
  if not settings.resolve { stem = args[1] }.botToken and not args.token then
    local token = helpers.functions.readLine(host.isatty(0) and "bot token: " or nil)
    if not token or not token:find "%S" then options.fail("luna login: no token", "set LUNA_BOT_TOKEN, give --token, or type it in") end
    args.token = token:match "^%s*(.-)%s*$"
  end
  local api, path = M.open(args)
  api:start()
  local me = api._core.me
  host.write(1, ("logged in as @%s (%d)\n"):format(me.username or "?", me.id))
  host.write(2, ("session: %s\n"):format(path))
  return 0
end

return M
