-- A bot of bots/ as it is (LUNA_INTEROP_BOT, echo where it is not set; with temporary keys where LUNA_INTEROP_PFS is), with a word on
-- standard output once it is logged in, which the interop specs wait for.
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local Bot = dofile(("%s../../bots/%s.lua"):format(here, os.getenv("LUNA_INTEROP_BOT") or "echo"))

if os.getenv "LUNA_INTEROP_PFS" then Bot.settings = { pfs = true } end

function Bot:onStart()
  print("ready")
end

return Bot
