--- `luna doctor`: looks at what commonly stands in the way, and says what to do. Status 1 where something is wrong.
local host = require "_luna.host"
local tl = require "_luna.tl"

local M = {}

M.spec = { about = "Says what is wrong with the set-up, and what to do." }

function M.run()
  local bad = 0
  local function good(text) host.write(1, "ok    " .. text .. "\n") end
  local function note(text) host.write(1, "note  " .. text .. "\n") end
  local function wrong(text)
    bad = bad + 1
    host.write(1, "wrong " .. text .. "\n")
  end

  good(("luna %s, layer %d, %s, Lua sources %s"):format(host.version, tl.layer, _VERSION,
    host.root and "read from " .. host.root .. "/lua" or "inside the program"))

  local id, hash = host.env "LUNA_API_ID", host.env "LUNA_API_HASH"
  if not id and not hash then
    note "LUNA_API_ID and LUNA_API_HASH are not set: Telegram wants both (my.telegram.org); the sandbox needs neither"
  elseif not id or not hash then
    wrong(("%s is not set, though its partner is"):format(id and "LUNA_API_HASH" or "LUNA_API_ID"))
  elseif not math.tointeger(tonumber(id)) then
    wrong "LUNA_API_ID is not a number"
  else
    good "LUNA_API_ID and LUNA_API_HASH are set"
  end
  local token = host.env "LUNA_BOT_TOKEN"
  if token and not token:find "^%d+:[%w_-]+$" then
    wrong "LUNA_BOT_TOKEN is not of the form 123456:ABC...: take it from @BotFather"
  elseif token then
    good "LUNA_BOT_TOKEN is set"
  else
    note "LUNA_BOT_TOKEN is not set: a bot on Telegram needs one (or LUNA_BOT_TOKEN_<STEM>); the sandbox needs none"
  end

  local ok, path = pcall(require("luna.cli.run").defaultSession, "doctor")
  if not ok then
    wrong(tostring(path))
  else
    local folder = path:match "^(.*)/"
    local probe = folder .. "/.doctor." .. host.pid()
    local written, why = host.writeFile(probe, "", 384)
    if written then
      host.remove(probe)
      local stat = host.stat(folder)
      if stat.mode & 63 ~= 0 and stat.own then
        wrong(("the sessions' folder %s can be entered by others: chmod 700 %s"):format(folder, folder))
      else
        good("sessions go to " .. folder)
      end
    else
      wrong(("the sessions' folder %s cannot be written: %s"):format(folder, why))
    end
  end

  if os.time() < 1735689600 then wrong "the clock is years behind: the server's messages would be refused" end
  if pcall(require, "busted.runner") and pcall(require, "lfs") then
    good "busted is there: luna test works"
  else
    note "busted is not there: luna test needs it (host/setup --specs installs it)"
  end
  return bad > 0 and 1 or 0
end

return M
