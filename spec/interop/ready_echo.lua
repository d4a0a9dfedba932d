-- bots/echo.lua as it is, with a word on standard output once it is logged in, which the interop specs wait for.
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local Echo = dofile(here .. "../../bots/echo.lua")

function Echo:onStart()
  print("ready")
end

return Echo
