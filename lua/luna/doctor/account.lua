--- What `luna doctor` says of settings file, app id and token: whether they are there and have the right form. Their values are not shown.
local host = require "_luna.host"
local errors = require "luna.errors"
local settings = require "luna.settings"

local function settingsFile(report, args)
  local path = args.config or (args[1] and args[1]:match "^(.*/)" or "") .. "luna.conf.lua"
  local stat = host.stat(path)
  if not stat then
    if not args.config then return end
    return report.wrong(("the settings file %s cannot be read"):format(path), "--config names a file of Lua that returns a table")
  end
  local ok, why = pcall(settings.loadFile, path)
  if not ok then return report.wrong(("the settings file: %s"):format(errors.bare(tostring(why)))) end
  local holds = settings.file.botToken or settings.file.app
  if holds and stat.mode & 63 ~= 0 then
    return report.wrong(("the settings file %s holds secrets and others may read it"):format(path), "chmod 600 " .. path)
  end
  report.ok("the settings file " .. path)
end

local function app(report, found)
  local id, hash = found.app and found.app.id, found.app and found.app.hash
  if not id and not hash then
    return report.note("no app id: LUNA_API_ID and LUNA_API_HASH are not set",
      "Telegram wants both (my.telegram.org); the sandbox needs neither")
  end
  if not id or not hash then
    return report.wrong(("%s is not set, though its partner is"):format(id and "LUNA_API_HASH" or "LUNA_API_ID"))
  end
  if not hash:find "^%x+$" or #hash ~= 32 then
    return report.note("the app hash is there, but has not the form of one (32 hexadecimal digits)", "copy it anew from my.telegram.org")
  end
  report.ok "app id and hash are there"
end

local function token(report, found, name)
  local variable = name and "LUNA_BOT_TOKEN_" .. name:upper():gsub("[^%w]", "_") or "LUNA_BOT_TOKEN"
  if not found.botToken then
    return report.note(("no bot token: %s is not set"):format(variable),
      "a bot on Telegram needs one, by @BotFather, or a session that luna login made; the sandbox needs none")
  end
  if not found.botToken:find "^%d+:[%w_-]+$" or #found.botToken < 20 then
    return report.wrong("the bot token is not digits, a colon and letters", "take it from @BotFather")
  end
  report.ok "a bot token is there"
end

return function(report, args)
  settingsFile(report, args)
  local name = args[1] and require("luna.runner").stem(args[1])
  local ok, found = pcall(settings.resolve, { stem = name })
  if not ok then return report.wrong(errors.bare(tostring(found))) end
  if found.botToken then host.secret(found.botToken) end
  if found.app and found.app.hash then host.secret(found.app.hash) end
  app(report, found)
  token(report, found, name)
end
