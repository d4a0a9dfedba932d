--- `luna stubs [DIR]`: what editors and checkers want to know of the API and of the schema, as LuaCATS annotations.
local host = require "_luna.host"
local stubs = require "luna.stubs"

local M = {}

M.spec = {
  usage = "[DIR]", arguments = { 0, 1 },
  about = "Writes stubs (LuaCATS annotations) of the Lua API and of every method, type and update of the schema, for editors\n"
    .. "(lua-language-server, EmmyLua) and checkers. Without DIR: " .. stubs.folder .. ", which the .luarc.json of luna new names.",
}

function M.run(args)
  local folder = args[1] or stubs.folder
  local count = stubs.write(folder)
  host.write(2, ("%d files in %s\n"):format(count, folder))
  return 0
end

return M
