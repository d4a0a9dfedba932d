--- contacts.*: finding people, the address book, blocking.
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local boxes = require "luna.sandbox.boxes"
local objects = require "luna.sandbox.objects"
local peers = require "luna.sandbox.peers"
local updates = require "luna.sandbox.updates"

local contacts = {}

local function resolved(ctx, marked)
  local users, chats = objects.fill(ctx.model, ctx.user.id, { [marked] = true })
  return { _ = "contacts.resolvedPeer", peer = ids.toPeer(marked), chats = chats, users = users }
end

contacts["contacts.resolveUsername"] = function(ctx, p)
  if not ctx.model.cleanUsername(p.username) then rpc.fail(400, "USERNAME_INVALID") end
  local marked = ctx.model:byUsername(p.username)
  if not marked then rpc.fail(400, "USERNAME_NOT_OCCUPIED") end
  return resolved(ctx, marked)
end

contacts["contacts.resolvePhone"] = function(ctx, p)
  local id = ctx.model.state.phones[(p.phone:gsub("%D", ""))]
  if not id then rpc.fail(400, "PHONE_NOT_OCCUPIED") end
  return resolved(ctx, id)
end

local function known(ctx, filter)
  local list, seen = {}, {}
  for id in pairs(ctx.user.contacts) do
    if not filter or filter(ctx.model:user(id)) then
      list[#list + 1] = id
      seen[id] = true
    end
  end
  table.sort(list)
  return list, seen
end

contacts["contacts.getContacts"] = function(ctx)
  local list, seen = known(ctx)
  for i, id in ipairs(list) do
    list[i] = { _ = "contact", user_id = id, mutual = ctx.model:user(id).contacts[ctx.user.id] ~= nil }
  end
  return { _ = "contacts.contacts", contacts = list, saved_count = 0, users = (objects.fill(ctx.model, ctx.user.id, seen)) }
end

contacts["contacts.getContactIDs"] = function(ctx) return (known(ctx)) end

contacts["contacts.getStatuses"] = function(ctx)
  local list = known(ctx)
  for i, id in ipairs(list) do
    list[i] = { _ = "contactStatus", user_id = id, status = objects.user(ctx.model, ctx.user.id, id).status or { _ = "userStatusEmpty" } }
  end
  return list
end

local function name(text) return text ~= "" and text or nil end

contacts["contacts.importContacts"] = function(ctx, p)
  local imported, seen, retry = {}, {}, {}
  for _, c in ipairs(p.contacts) do
    local id = ctx.model.state.phones[(c.phone:gsub("%D", ""))]
    if id and id ~= ctx.user.id then
      ctx.user.contacts[id] = { first_name = c.first_name, last_name = name(c.last_name) }
      imported[#imported + 1] = { _ = "importedContact", user_id = id, client_id = c.client_id }
      seen[id] = true
    end
  end
  ctx.model:changed()
  return {
    _ = "contacts.importedContacts", imported = imported, popular_invites = {}, retry_contacts = retry,
    users = (objects.fill(ctx.model, ctx.user.id, seen)),
  }
end

local function changed(ctx, list)
  local seen = {}
  for _, id in ipairs(list) do seen[id] = true end
  ctx.model:changed()
  local result = { _ = "updates", updates = {}, chats = {}, date = ctx.model:now(), seq = 0 }
  for i, id in ipairs(list) do
    result.updates[i] = { _ = "updatePeerSettings", peer = ids.toPeer(id), settings = { _ = "peerSettings" } }
  end
  result.users = objects.fill(ctx.model, ctx.user.id, seen)
  return result
end

contacts["contacts.addContact"] = function(ctx, p)
  local user = peers.user(ctx, p.id)
  if user == ctx.user then rpc.fail(400, "CONTACT_ID_INVALID") end
  if not p.first_name:find "%S" then rpc.fail(400, "CONTACT_NAME_EMPTY") end
  ctx.user.contacts[user.id] = { first_name = p.first_name, last_name = name(p.last_name) }
  return changed(ctx, { user.id })
end

contacts["contacts.deleteContacts"] = function(ctx, p)
  local list = {}
  for i, input in ipairs(p.id) do
    list[i] = peers.user(ctx, input).id
    ctx.user.contacts[list[i]] = nil
  end
  return changed(ctx, list)
end

-- A bot hears that somebody has stopped it, or goes on.
local function block(ctx, p, on)
  local id = peers.marked(ctx, p.id)
  local user = ctx.model:user(id)
  if not user or id == ctx.user.id then rpc.fail(400, "CONTACT_ID_INVALID") end
  if (ctx.user.blocked[id] ~= nil) == on then return true end
  ctx.user.blocked[id] = on and ctx.model:now() or nil
  ctx.model:changed()
  if user.bot then
    updates.push(ctx.model, id, {
      boxes.logQts(ctx.model, id, { k = "stopped", from = ctx.user.id, date = ctx.model:now(), stopped = on }),
    })
  end
  return true
end

contacts["contacts.block"] = function(ctx, p) return block(ctx, p, true) end
contacts["contacts.unblock"] = function(ctx, p) return block(ctx, p, false) end

contacts["contacts.getBlocked"] = function(ctx)
  local list, seen = {}, {}
  for id, date in pairs(ctx.user.blocked) do
    list[#list + 1] = { _ = "peerBlocked", peer_id = ids.toPeer(id), date = date }
    seen[id] = true
  end
  return { _ = "contacts.blocked", blocked = list, chats = {}, users = (objects.fill(ctx.model, ctx.user.id, seen)) }
end

contacts["contacts.search"] = function(ctx, p)
  local q = p.q:gsub("^@", ""):lower()
  if #q < 1 then rpc.fail(400, "QUERY_TOO_SHORT") end
  local mine, others, seen = {}, {}, {}
  local function add(list, marked)
    if not seen[marked] and #list < math.max(1, math.min(p.limit, 50)) then
      list[#list + 1] = ids.toPeer(marked)
      seen[marked] = true
    end
  end
  for id in pairs(boxes.of(ctx.model, ctx.user.id).dialogs) do
    if ctx.model:name(id):lower():find(q, 1, true) then add(mine, id) end
  end
  for username, marked in pairs(ctx.model.state.usernames) do
    if username:find(q, 1, true) == 1 then add(others, marked) end
  end
  local users, chats = objects.fill(ctx.model, ctx.user.id, seen)
  return { _ = "contacts.found", my_results = mine, results = others, chats = chats, users = users }
end

contacts["contacts.getTopPeers"] = function() return { _ = "contacts.topPeersDisabled" } end
contacts["contacts.getBirthdays"] = function() return { _ = "contacts.contactBirthdays", contacts = {}, users = {} } end
contacts["contacts.getSaved"] = function() return {} end
contacts["contacts.getSponsoredPeers"] = function() return { _ = "contacts.sponsoredPeersEmpty" } end

return contacts
