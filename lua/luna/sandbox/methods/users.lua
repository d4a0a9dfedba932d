--- users.*
local objects = require "luna.sandbox.objects"
local peers = require "luna.sandbox.peers"
local boxes = require "luna.sandbox.boxes"

local users = {}

users["users.getUsers"] = function(ctx, p)
  local list = {}
  for _, input in ipairs(p.id) do
    local ok, user = pcall(peers.user, ctx, input)
    if ok then
      list[#list + 1] = objects.user(ctx.model, ctx.user.id, user.id)
    elseif input.user_id then
      list[#list + 1] = { _ = "userEmpty", id = input.user_id }
    end
  end
  return list
end

local function commonChats(model, a, b)
  local n = 0
  for _, chat in pairs(model.state.chats) do
    if chat.members[a] and chat.members[b] then n = n + 1 end
  end
  return n
end

users["users.getFullUser"] = function(ctx, p)
  local model, me = ctx.model, ctx.user
  local user = peers.user(ctx, p.id)
  local pinned = boxes.dialog(model, me.id, user.id)
  local full = {
    _ = "userFull", id = user.id, about = user.about, settings = { _ = "peerSettings" }, notify_settings = objects.notifySettings(),
    common_chats_count = user ~= me and commonChats(model, user.id, me.id) or 0, blocked = me.blocked[user.id] and true or nil,
    bot_info = user.bot and objects.botInfo(model, user.id) or nil, can_pin_message = true,
    pinned_msg_id = pinned and pinned.pinnedMessage or nil,
  }
  return { _ = "users.userFull", full_user = full, chats = {}, users = { objects.user(model, me.id, user.id) } }
end

users["users.getRequirementsToContact"] = function(_, p)
  local list = {}
  for i = 1, #p.id do list[i] = { _ = "requirementToContactEmpty" } end
  return list
end

users["users.getSavedMusic"] = function() return { _ = "users.savedMusic", count = 0, documents = {} } end

return users
