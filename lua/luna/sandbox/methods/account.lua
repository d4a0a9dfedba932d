--- account.*: what clients ask on the way in, and the profile.
local rpc = require "luna.sandbox.rpc"
local crypto = require "_luna.crypto"
local objects = require "luna.sandbox.objects"
local updates = require "luna.sandbox.updates"

local account = {}

local ONLINE = 300 -- seconds that "online" lasts

account["account.getPassword"] = function()
  return {
    _ = "account.password", new_algo = { _ = "passwordKdfAlgoUnknown" }, new_secure_algo = { _ = "securePasswordKdfAlgoUnknown" },
    secure_random = crypto.random(256),
  }
end

account["account.updateStatus"] = function(ctx, p)
  ctx.user.online = p.offline and ctx.model:now() or ctx.model:now() + ONLINE
  return true
end

account["account.updateProfile"] = function(ctx, p)
  local u = ctx.user
  if p.first_name then
    if not p.first_name:find "%S" then rpc.fail(400, "FIRSTNAME_INVALID") end
    u.first_name = p.first_name
  end
  if p.last_name then u.last_name = p.last_name ~= "" and p.last_name or nil end
  if p.about then u.about = p.about ~= "" and p.about or nil end
  ctx.model:changed()
  updates.push(ctx.model, u.id, { { k = "name", user = u.id } }, ctx.session)
  return objects.user(ctx.model, u.id, u.id)
end

local function free(ctx, name)
  if not ctx.model.cleanUsername(name) or #name < 5 then rpc.fail(400, "USERNAME_INVALID") end
  return ctx.model:byUsername(name) == nil
end

account["account.checkUsername"] = function(ctx, p) return free(ctx, p.username) end

account["account.updateUsername"] = function(ctx, p)
  local name = p.username ~= "" and p.username or nil
  if name == ctx.user.username then rpc.fail(400, "USERNAME_NOT_MODIFIED") end
  if name and not free(ctx, name) and ctx.model:byUsername(name) ~= ctx.user.id then rpc.fail(400, "USERNAME_OCCUPIED") end
  ctx.model:setUsername(ctx.user.id, name)
  updates.push(ctx.model, ctx.user.id, { { k = "name", user = ctx.user.id } }, ctx.session)
  return objects.user(ctx.model, ctx.user.id, ctx.user.id)
end

account["account.getAuthorizations"] = function(ctx)
  local list = {}
  for _, auth in pairs(ctx.model.state.auths) do
    if auth.user == ctx.user.id then
      local one = objects.authorization(ctx.model, auth, auth == ctx.auth)
      table.insert(list, auth == ctx.auth and 1 or #list + 1, one)
    end
  end
  return { _ = "account.authorizations", authorization_ttl_days = 180, authorizations = list }
end

account["account.resetAuthorization"] = function(ctx, p)
  for key, auth in pairs(ctx.model.state.auths) do
    if auth.user == ctx.user.id and auth.hash == p.hash and auth ~= ctx.auth then
      ctx.model.state.auths[key] = nil
      for session in pairs(ctx.model.sessions[ctx.user.id] or {}) do
        if not ctx.server:authOf(session) then ctx.server:detach(session) end
      end
      ctx.model:changed()
      return true
    end
  end
  return rpc.fail(400, "HASH_INVALID")
end

local function yes() return true end
for _, name in ipairs {
  "registerDevice", "unregisterDevice", "updateNotifySettings", "resetNotifySettings", "updateDeviceLocked", "setAccountTTL",
  "setContentSettings", "updateEmojiStatus", "updateColor",
} do
  account["account." .. name] = yes
end

account["account.getNotifySettings"] = function() return objects.notifySettings() end
account["account.getPrivacy"] = function()
  return { _ = "account.privacyRules", rules = { { _ = "privacyValueAllowAll" } }, chats = {}, users = {} }
end
account["account.getGlobalPrivacySettings"] = function() return { _ = "globalPrivacySettings" } end
account["account.setGlobalPrivacySettings"] = function(_, p) return p.settings end
account["account.getContentSettings"] = function() return { _ = "account.contentSettings" } end
account["account.getAccountTTL"] = function() return { _ = "accountDaysTTL", days = 365 } end
account["account.getThemes"] = function() return { _ = "account.themes", hash = 0, themes = {} } end
account["account.getChatThemes"] = account["account.getThemes"]
account["account.getWallPapers"] = function() return { _ = "account.wallPapers", hash = 0, wallpapers = {} } end
account["account.getSavedRingtones"] = function() return { _ = "account.savedRingtones", hash = 0, ringtones = {} } end
account["account.getWebAuthorizations"] = function() return { _ = "account.webAuthorizations", authorizations = {}, users = {} } end
account["account.getConnectedBots"] = function() return { _ = "account.connectedBots", connected_bots = {}, users = {} } end
account["account.getReactionsNotifySettings"] = function()
  return { _ = "reactionsNotifySettings", sound = { _ = "notificationSoundDefault" }, show_previews = true }
end
local function noStatuses() return { _ = "account.emojiStatuses", hash = 0, statuses = {} } end
account["account.getDefaultEmojiStatuses"] = noStatuses
account["account.getChannelDefaultEmojiStatuses"] = noStatuses
local function noEmoji() return { _ = "emojiList", hash = 0, document_id = {} } end
account["account.getDefaultProfilePhotoEmojis"] = noEmoji
account["account.getDefaultGroupPhotoEmojis"] = noEmoji
account["account.getDefaultBackgroundEmojis"] = noEmoji
account["account.getChannelRestrictedStatusEmojis"] = noEmoji
account["account.getNotifyExceptions"] = function(ctx)
  return { _ = "updates", updates = {}, users = {}, chats = {}, date = ctx.model:now(), seq = 0 }
end

return account
