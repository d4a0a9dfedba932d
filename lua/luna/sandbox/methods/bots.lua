--- bots.*: commands and descriptions.
local rpc = require "luna.sandbox.rpc"
local peers = require "luna.sandbox.peers"

local bots = {}

local COMMANDS_MAX = 100

local function onlyBots(ctx)
  if not ctx.user.bot then rpc.fail(400, "USER_BOT_REQUIRED") end
end

-- Where a list of commands applies, as a key: the default scope without language is "".
local function key(ctx, p)
  onlyBots(ctx)
  local scope = p.scope
  local parts = {}
  if scope._ ~= "botCommandScopeDefault" then parts[1] = scope._:gsub("^botCommandScope", "") end
  if scope.peer then parts[#parts + 1] = tostring(peers.marked(ctx, scope.peer)) end
  if scope.user_id then parts[#parts + 1] = tostring(peers.user(ctx, scope.user_id).id) end
  if p.lang_code ~= "" then parts[#parts + 1] = p.lang_code end
  return table.concat(parts, ":")
end

bots["bots.setBotCommands"] = function(ctx, p)
  if #p.commands > COMMANDS_MAX then rpc.fail(400, "BOT_COMMANDS_TOO_MUCH") end
  local list = {}
  for i, c in ipairs(p.commands) do
    if not c.command:find "^[%l%d_]+$" or #c.command > 32 then rpc.fail(400, "BOT_COMMAND_INVALID") end
    if not c.description:find "%S" or #c.description > 1024 then rpc.fail(400, "BOT_COMMAND_DESCRIPTION_INVALID") end
    list[i] = { _ = "botCommand", command = c.command, description = c.description }
  end
  ctx.user.commands[key(ctx, p)] = #list > 0 and list or nil
  ctx.user.infoVersion = (ctx.user.infoVersion or 1) + 1
  ctx.model:changed()
  return true
end

bots["bots.resetBotCommands"] = function(ctx, p)
  ctx.user.commands[key(ctx, p)] = nil
  ctx.user.infoVersion = (ctx.user.infoVersion or 1) + 1
  ctx.model:changed()
  return true
end

bots["bots.getBotCommands"] = function(ctx, p) return ctx.user.commands[key(ctx, p)] or {} end

local function which(ctx, p)
  local bot = p.bot and peers.user(ctx, p.bot) or ctx.user
  if not bot.bot or bot ~= ctx.user then rpc.fail(400, "BOT_INVALID") end
  return bot
end

bots["bots.setBotInfo"] = function(ctx, p)
  local bot = which(ctx, p)
  if p.name and p.lang_code == "" then bot.first_name = p.name end
  bot.about = p.about or bot.about
  bot.description = p.description or bot.description
  bot.infoVersion = (bot.infoVersion or 1) + 1
  ctx.model:changed()
  return true
end

bots["bots.getBotInfo"] = function(ctx, p)
  local bot = which(ctx, p)
  return { _ = "bots.botInfo", name = bot.first_name or "", about = bot.about or "", description = bot.description or "" }
end

bots["bots.setBotMenuButton"] = function(ctx, p)
  onlyBots(ctx)
  ctx.user.menuButton = p.button
  ctx.model:changed()
  return true
end

bots["bots.getBotMenuButton"] = function(ctx) return ctx.user.menuButton or { _ = "botMenuButtonDefault" } end

return bots
