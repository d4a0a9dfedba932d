--- `luna logout`: tells the server to forget a session, and takes it out of its file.
local host = require "_luna.host"
local promise = require "_luna.promise"
local task = require "_luna.task"
local errors = require "luna.errors"
local login = require "luna.cli.login"
local options = require "luna.cli.options"

local M = {}
local PATIENCE = 10

M.spec = {
  usage = "[NAME]", arguments = { 0, 1 },
  about = "Ends the saved session of NAME.lua, at the server and in its file.",
}
for _, o in ipairs(login.spec) do table.insert(M.spec, o) end

function M.run(args)
  local api, path = login.open(args)
  if not host.stat(path) then options.fail(("luna logout: there is no session %s"):format(path)) end
  local core = api._core
  local done = task.spawn(function()
    api:start()
    core:invoke("auth.logOut", {})
  end)
  if promise.awaitTimeout(done, PATIENCE) == false then
    promise.markHandled(done)
    error(errors.classes.ConnectionException(
      ("luna logout: no answer from the server within %d s: the session %s is as it was"):format(PATIENCE, path)), 0)
  end
  local me = core.me
  core.account:set("self", nil)
  core.account:deleteAuthKey(core.home)
  host.write(1, ("logged out @%s (%d)\n"):format(me.username or "?", me.id))
  return 0
end

return M
