--- `luna doctor`: looks at what commonly stands in the way, and says for each what to do. Status 1 where something is wrong. What it looks
--- at is in luna.doctor.*; secrets are found to be there, and never shown.
local host = require "_luna.host"
local colour = require "luna.colour"
local printable = require "luna.printable"
local run = require "luna.cli.run"

local M = {}

M.spec = {
  usage = "[NAME]", arguments = { 0, 1 },
  about = "Says what is wrong with the set-up, and what to do: libraries, token and app id (whether they are there), settings file,\n"
    .. "session files, folders, limits, and the clock against the server's. NAME: a bot or its file, for\n"
    .. "LUNA_BOT_TOKEN_<NAME> and the settings file beside it.",
  { "offline", nil, "asks no server" },
  more = "Exit status: 0, or 1 where something is wrong; 2 wrong use.",
}
for _, o in ipairs(run.spec) do
  if o[1] == "dc" or o[1] == "dc-key" or o[1] == "config" or o[1] == "session" then table.insert(M.spec, o) end
end

local marks = { ok = "\27[32m", note = "\27[36m", wrong = "\27[1;31m" }

function M.run(args)
  run.commandLine { dc = args.dc, ["dc-key"] = args["dc-key"], session = args.session }
  local wrong, colours = 0, colour.on(1)
  local redact = require("luna.redaction").text
  local function say(kind, text, todo)
    if kind == "wrong" then wrong = wrong + 1 end
    local word = ("%-6s"):format(kind)
    if colours then word = marks[kind] .. word .. "\27[0m" end
    host.write(1, word .. printable.line(redact(text .. (todo and ": " .. todo or ""))) .. "\n")
  end
  local report = {
    ok = function(text) say("ok", text) end,
    note = function(text, todo) say("note", text, todo) end,
    wrong = function(text, todo) say("wrong", text, todo) end,
  }
  for _, part in ipairs { "program", "account", "files", "server" } do
    local ok, why = pcall(require("luna.doctor." .. part), report, args)
    if not ok then report.wrong(("looking at the %s failed: %s"):format(part, tostring(why))) end
  end
  host.write(1, wrong == 0 and "nothing is wrong\n" or ("%d thing%s wrong\n"):format(wrong, wrong == 1 and " is" or "s are"))
  return wrong > 0 and 1 or 0
end

return M
