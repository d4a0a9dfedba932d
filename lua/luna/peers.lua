--- What an account knows about users, chats and channels: ids with access hashes, in a bounded memory cache over the session store.
--- Filled from every result and update; asked by params.lua for each peer that a script names. One object per API object (core.peers).
local Class = require "luna.class"
local ids = require "luna.ids"

local Peers = Class.new "Peers"

local GENERATION = 4000 -- entries per generation; the older half goes when the younger is full

function Peers:init(core)
  self.core = core
  self.young, self.old, self.count = {}, {}, 0
  self.forums = {} -- marked ids of supergroups that have topics
  self.names = {} -- lower-case username → marked id
  self.seen = setmetatable({}, { __mode = "v" }) -- id → the object last learned from
  self.dirty = nil -- entries to hand to the store at the next turn
end

local function keep(self, marked, entry)
  if self.young[marked] == nil then
    self.count = self.count + 1
    if self.count > GENERATION then
      self:flush()
      self.old, self.young, self.count, self.names = self.young, {}, 1, {}
    end
  end
  self.young[marked] = entry
  if entry.username then self.names[entry.username:lower()] = marked end
  return entry
end

--- The entry { id, type, hash, username, phone, name, min } of a marked id, or nil.
function Peers:get(marked)
  local entry = self.young[marked]
  if entry then return entry end
  entry = self.old[marked]
  if not entry and self.core.account then entry = self.core.account:peer(marked) end
  if entry then return keep(self, marked, entry) end
  return nil
end

function Peers:byUsername(name)
  name = name:lower()
  local marked = self.names[name]
  if marked then return self:get(marked) end
  if not self.core.account then return nil end
  local entry = self.core.account:peerByUsername(name)
  if entry then return keep(self, entry.id, entry) end
  return nil
end

--- Whether a Peer is a supergroup that has topics, as far as is known: the updates of a chat bring the chat along.
function Peers:isForum(peer) return peer.channel_id ~= nil and self.forums[ids.CHANNEL - peer.channel_id] == true end

function Peers:flush()
  local dirty = self.dirty
  if not dirty then return end
  self.dirty = nil
  if self.core.account then self.core.account:putPeers(dirty) end
end

local function put(self, marked, kind, hash, username, phone, name, min)
  local known = self:get(marked)
  if known then
    if min and not known.min then return end -- a full one is better than what a min object says
    if known.hash == hash and known.username == username and known.name == name and known.min == min then return end
  end
  local entry = { id = marked, type = kind, hash = hash, username = username, phone = phone, name = name, min = min }
  keep(self, marked, entry)
  local dirty = self.dirty
  if not dirty then
    dirty = {}
    self.dirty = dirty
    self.core:later(self.flush, self)
  end
  dirty[#dirty + 1] = entry
end

local function usernameOf(object)
  if object.username then return object.username end
  for _, u in ipairs(object.usernames or {}) do
    if u.active then return u.username end
  end
  return nil
end

function Peers:addUser(user)
  if user._ ~= "user" then return end
  local id = user.id
  self.seen[id] = user
  local entry = self.young[id]
  if entry and entry.hash == user.access_hash and entry.username == user.username and entry.first == user.first_name then return end
  if not user.access_hash and not user.min then return end
  local name = user.first_name
  if user.last_name then name = (name or "") .. " " .. user.last_name end
  put(self, id, "user", user.access_hash or 0, usernameOf(user), user.phone, name, user.min)
  entry = self.young[id]
  if entry then entry.first = user.first_name end
end

function Peers:addChat(chat)
  local kind = chat._
  if kind == "chat" or kind == "chatForbidden" then
    put(self, -chat.id, "chat", 0, nil, nil, chat.title, nil)
  elseif kind == "channel" or kind == "channelForbidden" then
    local marked = ids.CHANNEL - chat.id
    if chat.forum or self.forums[marked] then self.forums[marked] = chat.forum end
    if chat.access_hash then
      put(self, marked, "channel", chat.access_hash, usernameOf(chat), nil, chat.title, chat.min)
    end
  end
end

--- Learns from the `users` and `chats` of a result or an update container.
function Peers:harvest(result)
  local users, chats, seen = result.users, result.chats, self.seen
  if users then
    for i = 1, #users do
      local user = users[i]
      if seen[user.id] ~= user then self:addUser(user) end -- containers of updates share the tables of users they have in common
    end
  end
  if chats and chats[1] then
    for i = 1, #chats do self:addChat(chats[i]) end
  end
end

--- The marked id of oneself, where logged in.
function Peers:me() return self.core.me and self.core.me.id end

--- An entry as InputPeer, InputUser or InputChannel; made once for each entry, so it must not be changed.
function Peers.input(entry)
  local made = entry.input
  if made then return made end
  local kind, id = ids.split(entry.id)
  if kind == "user" then
    made = { _ = "inputPeerUser", user_id = id, access_hash = entry.hash or 0 }
  elseif kind == "chat" then
    made = { _ = "inputPeerChat", chat_id = id }
  else
    made = { _ = "inputPeerChannel", channel_id = id, access_hash = entry.hash or 0 }
  end
  entry.input = made
  return made
end

return Peers
