--- `luna new NAME`: a bot and its spec, ready to run. Beside folders named bots and spec it writes into them, else into the current folder.
local host = require "_luna.host"
local errors = require "luna.errors"
local options = require "luna.cli.options"
local stubs = require "luna.stubs"

local M = {}

M.spec = {
  usage = "NAME", arguments = { 1, 1 },
  about = "Writes a bot and its spec: bots/NAME.lua and spec/bots/NAME_spec.lua where there is a folder bots, else NAME.lua\n"
    .. "and spec/NAME_spec.lua. Never overwrites a file. For editors: .luarc.json where there is none, and " .. stubs.folder .. ".",
}

local bot = [[
-- @NAME@: rolls a die at the press of a button, has one guess, and counts characters.
local luna = require "luna"

---@class @CLASS@: luna.EventHandler
local @CLASS@ = luna.EventHandler:extend "@CLASS@"

@CLASS@:command("start", function(self, message)
  message:send{
    message = "Tell me something, /guess, or press the button.",
    reply_markup = { inline_keyboard = { { { text = "Roll", callback_data = "roll" } } } },
  }
end, { description = "what this bot does" })

-- The press of a button whose callback_data fits the pattern.
@CLASS@:on({ callback = "^roll$" }, function(self, query)
  query:answer("You rolled " .. math.random(6))
end)

-- A question waits for the answer of this person, while other chats go on.
@CLASS@:command("guess", function(self, message)
  local rolled = math.random(6)
  local answer = message:ask("I have rolled. Which number is it?", {
    check = "^[1-6]$", retry = "A number from 1 to 6, please, or /cancel.", cancel = { command = "cancel" }, timeout = 600,
  })
  answer:reply(answer.message == tostring(rolled) and "Yes!" or "No, it is " .. rolled)
end, { description = "guess what I have rolled" })

-- Any other text: a filter is a Lua pattern, a function or a table (luna help Filter). The first route that fits has the message.
@CLASS@:on(".", function(self, message)
  message:reply(("%d characters"):format(utf8.len(message.message) or #message.message))
end)

-- Telegram shows the commands that have a description.
function @CLASS@:onStart() self:setCommands() end

return @CLASS@
]]

local spec = [[
describe("@NAME@", function()
  local world = require("luna.sandbox").world()
  local bot = world:run("@PATH@")
  local alice = world:user("Alice")

  it("counts characters", function()
    alice:send(bot, "hello")
    assert.equal("5 characters", alice:expect(bot).message)
  end)

  it("rolls a die", function()
    alice:start(bot)
    local answer = alice:click(alice:expect(bot), "Roll")
    assert.matches("^You rolled [1-6]$", answer.message)
  end)

  it("asks for a guess until it is one", function()
    alice:send(bot, "/guess")
    alice:expect(bot, "Which number")
    alice:send(bot, "seven")
    alice:expect(bot, "from 1 to 6")
    alice:send(bot, "3")
    assert.matches("^[YN]", alice:expect(bot).message)
  end)
end)
]]

local luarc = [[
{
  "runtime.version": "Lua 5.4",
  "workspace.library": ["@STUBS@"],
  "diagnostics.disable": ["need-check-nil", "unnecessary-if"]
}
]]

local function folder(path) return (host.stat(path) or {}).type == "directory" end

function M.run(args)
  local name = args[1]:gsub("%.lua$", "")
  if not name:find "^%a[%w_]*$" then
    local better = name:gsub("%W+", "_"):match "^_*(%a[%w_]-)_*$"
    options.fail(("luna new: %q is no name for a bot: letters, digits and _, a letter first%s"):format(name,
      better and (", as %s"):format(better) or ""))
  end
  local inBots = folder "bots"
  local path = inBots and ("bots/%s.lua"):format(name) or name .. ".lua"
  local specPath = inBots and ("spec/bots/%s_spec.lua"):format(name) or ("spec/%s_spec.lua"):format(name)
  for _, file in ipairs { path, specPath } do
    if host.stat(file) then options.fail(("luna new: there is a file %s already"):format(file)) end
  end
  local class = name:sub(1, 1):upper() .. name:sub(2):gsub("_(%w)", string.upper)
  local fill = { NAME = name, CLASS = class, PATH = path, STUBS = stubs.folder }
  local function write(file, text)
    local where = file:match "^(.*)/"
    if where then host.mkdirs(where, 493) end
    local ok, why = host.writeFile(file, text:gsub("@(%u+)@", fill), 420) -- rw-r--r--
    if not ok then errors.throw(errors.classes.Exception(("luna new: %s"):format(why))) end
    host.write(1, file .. "\n")
  end
  write(path, bot)
  write(specPath, spec)
  if not host.stat ".luarc.json" then host.writeFile(".luarc.json", (luarc:gsub("@(%u+)@", fill)), 420) end
  pcall(stubs.refresh, stubs.folder) -- a folder that is read-only is no reason to have no bot
  local program = host.argv[0]
  -- bots/run finds the bots of its own folder alone.
  local try = inBots and host.stat "bots/run" and "bots/run " .. name or ("%s run %s --sandbox"):format(program, path)
  host.write(2, ("try it: %s\ntest it: %s test %s\n"):format(try, program, specPath))
  return 0
end

return M
