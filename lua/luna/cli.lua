--- The command line of `luna`: which command, its exit status, and how an error looks. Required by the host as its main task; an integer
--- that it returns is the exit status. Each command is a module luna.cli.<name> with `spec` (see luna.cli.options) and `run(args)`.
local host = require "_luna.host"
local task = require "_luna.task"
local options = require "luna.cli.options"
local report = require "luna.cli.report"

local commands = require "luna.cli.commands"

local function overview()
  local lines = {
    "luna: a host for Telegram bots written in Lua", "", "usage: luna COMMAND [option]... [argument]...", "", "commands:",
  }
  for _, c in ipairs(commands) do lines[#lines + 1] = ("  %-9s %s"):format(c[1], c[2]) end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "luna COMMAND --help says more; luna --version, the version."
  return table.concat(lines, "\n") .. "\n"
end

local function names()
  local list = {}
  for i, c in ipairs(commands) do list[i] = c[1] end
  return list
end

local function main(argv)
  local name = argv[1]
  if name == nil then
    host.write(2, overview())
    return 2
  end
  if name == "--help" or name == "-h" or (name == "help" and argv[2] == nil) then
    host.write(1, overview())
    return 0
  end
  if name == "--version" or name == "-V" then
    host.write(1, ("luna %s (layer %d, %s)\n"):format(host.version, require("_luna.tl").layer, _VERSION))
    return 0
  end
  local known = false
  for _, c in ipairs(commands) do known = known or c[1] == name end
  if not known then
    if name:find "^%-" then options.fail(("unknown option %s"):format(name), "options come after the command; luna --help") end
    options.fail(("unknown command %q%s"):format(name, require("luna.suggest").hint(name, names())), "luna --help lists the commands")
  end
  local command = require("luna.cli." .. name)
  local args = options.parse(command.spec, name, table.move(argv, 2, #argv, 1, {}))
  if args.help then
    host.write(1, options.usage(command.spec, name))
    return 0
  end
  return command.run(args)
end

local ok, result = xpcall(main, report.trace, table.move(host.argv, 1, #host.argv, 1, {}))
if not ok then result = report.print(result) end
-- nil: go on until nothing is left to wait for (a plain script's timers, for one).
if result ~= nil then task.exit(result) end
return 0
