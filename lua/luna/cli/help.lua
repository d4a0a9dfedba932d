--- `luna help WHAT`: what luna.help says about a word, at the terminal.
local host = require "_luna.host"
local options = require "luna.cli.options"

local M = {}

M.spec = {
  usage = "WHAT", arguments = { 1 },
  about = "Explains a method (messages.sendMessage, or sendMessage), a type (InputPeer), a constructor (message), an update\n"
    .. "(updateNewMessage, onUpdateNewMessage), an error (FLOOD_WAIT, FLOOD_WAIT_3), a function of the Lua API (sleep,\n"
    .. "message:reply, person:expect), a setting (floodTimeout), a parameter (parse_mode), a field (callback_data), a command\n"
    .. "(run), an option (--sandbox); a part of a name finds what has it.",
}

function M.run(args)
  local word = table.concat({ table.unpack(args) }, " ")
  local colour = host.isatty(1) and (host.env "NO_COLOR" or "") == ""
  local text, guess = require("luna.help").text(word, colour)
  if not text then
    options.fail(("luna help: nothing is called %q%s"):format(word, guess and ('; did you mean "%s"?'):format(guess) or ""))
  end
  host.write(1, text)
  return 0
end

return M
