--- `luna reload [NAME]`: has a running bot of the same user load its script anew, as saving it does; says why where it did not. Asks over
--- the bot's REPL.
local M = {}

M.spec = {
  usage = "[NAME]", arguments = { 0, 1 },
  about = "Has a running bot (NAME: that of its file) load its script anew, as saving the file does.",
  more = "Without a NAME: the one bot that runs. What takes a new start (\"needs a restart: …\") is said, too.\n"
    .. "Exit status: 0; 1 where the new version does not run, so that the old one goes on, or where the bot is not there; 2 wrong use.",
}

function M.run(args) return require("luna.cli.repl").run { args[1], eval = ":reload", attached = true } end

return M
