--- From whatever a script names a peer by (update, message, id, @username, link, "me", TL object) to the InputPeer, InputUser or
--- InputChannel that a method wants. May wait (contacts.resolveUsername). Called by params.lua and getInfo.
local promise = require "_luna.promise"
local ids = require "luna.ids"
local Peers = require "luna.peers"
local errors = require "luna.errors"

local forms = {}
local PeerException = errors.classes.PeerException

local function fail(text, ...) errors.throw(PeerException(select("#", ...) > 0 and text:format(...) or text)) end

local self_ = { _ = "inputPeerSelf" }

-- tables whose `_` says at once what they are
local direct = {
  inputPeerSelf = true, inputPeerUser = true, inputPeerChat = true, inputPeerChannel = true, inputPeerUserFromMessage = true,
  inputPeerChannelFromMessage = true, inputPeerEmpty = true,
}
local converted = {
  inputUserSelf = "inputPeerSelf", inputUser = "inputPeerUser", inputUserFromMessage = "inputPeerUserFromMessage",
  inputChannel = "inputPeerChannel", inputChannelFromMessage = "inputPeerChannelFromMessage", inputUserEmpty = "inputPeerEmpty",
  inputChannelEmpty = "inputPeerEmpty",
}

local function retype(x, name)
  local copy = {}
  for k, v in pairs(x) do copy[k] = v end
  copy._ = name
  return copy
end

-- The digits of a text; more of them than an id has name nobody.
local function numberIn(text) return #text <= 18 and math.tointeger(tonumber(text)) or fail("%s is no id", text:sub(1, 40)) end

local function byId(peers, marked)
  local entry = peers:get(marked)
  if entry then
    if entry.min and peers.core.me and not peers.core.me.bot then
      fail("the peer %d is known by a mention only, without an access hash: name it by @username, or by the message it wrote", marked)
    end
    return Peers.input(entry)
  end
  if marked == peers:me() then return self_ end
  local kind = ids.split(marked)
  if not kind then fail("%d is no id of a user, group or channel in Bot API form (channels are -100…)", marked) end
  -- A bot may use what it has met with hash 0; a group needs no hash.
  if kind == "chat" or (peers.core.me and peers.core.me.bot) then return Peers.input { id = marked, type = kind, hash = 0 } end
  fail("the account has not met the peer %d: name it by @username first, or take it from an update", marked)
end

local function byUsername(peers, name)
  local entry = peers:byUsername(name)
  if entry then return Peers.input(entry) end
  local found = peers.core:invoke("contacts.resolveUsername", { username = name })
  local marked = ids.ofPeer(found.peer)
  entry = peers:get(marked)
  if not entry then fail("the server does not tell how to reach @%s", name) end
  return Peers.input(entry)
end

local function byInvite(peers, hash)
  local found = peers.core:invoke("messages.checkChatInvite", { hash = hash })
  if not found.chat then fail("the account has not joined the chat behind this invite link") end
  peers:addChat(found.chat)
  return byId(peers, ids.ofObject(found.chat))
end

local function byText(peers, text)
  if text == "me" or text == "self" then return self_ end
  local number = text:match "^%s*(%-?%d+)%s*$"
  if number then return byId(peers, numberIn(number)) end
  local name = text:match "^@([%w_]+)$"
  if name then return byUsername(peers, name) end
  local rest = text:match "^https?://(.*)$" or text
  local path = rest:match "^[Tt]%.me/(.*)$" or rest:match "^[Tt]elegram%.me/(.*)$" or rest:match "^[Tt]elegram%.dog/(.*)$"
  if path then
    local hash = path:match "^%+([%w_-]+)" or path:match "^joinchat/([%w_-]+)"
    if hash then return byInvite(peers, hash) end
    local private = path:match "^c/(%d+)"
    if private then return byId(peers, ids.channel(numberIn(private))) end
    name = path:match "^s/([%w_]+)" or path:match "^@?([%w_]+)"
    if name then return byUsername(peers, name) end
  end
  local user = text:match "^tg://user%?id=(%d+)"
  if user then return byId(peers, numberIn(user)) end
  name = text:match "^tg://resolve%?domain=([%w_]+)"
  if name then return byUsername(peers, name) end
  if text:match "^[%a][%w_]+$" then return byUsername(peers, text) end
  fail('"%s" names no peer: give an id, "@username", a t.me link, "me", an update or a message', text)
end

local byTable

-- A field of a table that a script made itself may hold anything.
local function idOf(x, field)
  local id = math.type(x[field]) and math.tointeger(x[field])
  if not id then fail('a %s without an "%s" names no peer', tostring(x._), field) end
  return id
end

local objects = { userEmpty = true, chat = true, chatEmpty = true, chatForbidden = true, channel = true, channelForbidden = true }

-- What is learned from an object is kept for long: it has to be one.
local learned = { id = "integer", access_hash = "integer", username = "string", phone = "string", title = "string", first_name = "string",
  last_name = "string", usernames = "table" }
local function checkObject(x)
  idOf(x, "id")
  for _, u in ipairs(type(x.usernames) == "table" and x.usernames or {}) do
    if type(u) ~= "table" then fail("a %s with a %s among its usernames names no peer", x._, type(u)) end
  end
  for field, wanted in pairs(learned) do
    local value = x[field]
    if value ~= nil and (wanted == "integer" and math.type(value) or type(value)) ~= wanted then
      fail('a %s whose "%s" is a %s names no peer', x._, field, type(value))
    end
  end
end

-- An update names its chat by its message, its peer, or its ids, in this order.
local function byUpdate(peers, update, depth)
  local message = update.message
  if type(message) == "table" then return byTable(peers, message, depth) end
  if type(update.peer) == "table" then
    local peer = update.peer
    return byTable(peers, peer._ == "dialogPeer" and peer.peer or peer, depth)
  end
  if update.channel_id then return byId(peers, ids.channel(idOf(update, "channel_id"))) end
  if update.chat_id then return byId(peers, -idOf(update, "chat_id")) end
  if update.user_id then return byId(peers, idOf(update, "user_id")) end
  local list = update.participants
  if type(list) == "table" and list.chat_id then return byId(peers, -idOf(list, "chat_id")) end
  fail("the update %s names no peer", update._)
end

-- depth: a table may lead back to itself.
function byTable(peers, x, depth)
  depth = (depth or 0) + 1
  if depth > 8 then fail "a table that is nested that deep names no peer" end
  if type(x) ~= "table" then fail("a %s names no peer", type(x)) end
  local kind = x._
  if kind ~= nil and type(kind) ~= "string" then fail("a table whose `_` is a %s names no peer", type(kind)) end
  if kind == nil then
    if math.type(x.bot_api_id) == "integer" then return byId(peers, x.bot_api_id) end
    if math.type(x.id) == "integer" then return byId(peers, x.id) end
    fail("a table without `_` names no peer")
  end
  if direct[kind] then return x end
  if converted[kind] then return retype(x, converted[kind]) end
  if kind == "peerUser" then return byId(peers, idOf(x, "user_id")) end
  if kind == "peerChat" then return byId(peers, -idOf(x, "chat_id")) end
  if kind == "peerChannel" then return byId(peers, ids.channel(idOf(x, "channel_id"))) end
  if kind == "message" or kind == "messageService" or kind == "messageEmpty" then
    if not x.peer_id then fail("the message names no chat") end
    return byTable(peers, x.peer_id, depth)
  end
  if kind == "user" then
    if x.self then return self_ end
    checkObject(x)
    peers:addUser(x)
    return byId(peers, x.id)
  end
  if objects[kind] then
    checkObject(x)
    peers:addChat(x)
    return byId(peers, ids.ofObject(x))
  end
  if kind == "userFull" then return byId(peers, idOf(x, "id")) end
  if kind == "users.userFull" then return byTable(peers, x.full_user, depth) end
  if kind == "chatFull" then return byId(peers, -idOf(x, "id")) end
  if kind == "channelFull" then return byId(peers, ids.channel(idOf(x, "id"))) end
  if kind == "contacts.resolvedPeer" then return byTable(peers, x.peer, depth) end
  if kind == "dialog" or kind == "dialogPeer" or kind == "inputDialogPeer" then return byTable(peers, x.peer, depth) end
  if kind:find "^update" then return byUpdate(peers, x, depth) end
  fail("a table of kind %s names no peer", tostring(kind))
end

--- Anything → InputPeer.
function forms.inputPeer(peers, x)
  local kind = type(x)
  if kind == "table" then return byTable(peers, x) end
  if kind == "number" then
    local id = math.tointeger(x)
    if not id then fail("%s is no id", tostring(x)) end
    return byId(peers, id)
  end
  if kind == "string" then return byText(peers, x) end
  if promise.is(x) then fail "promise not awaited" end
  fail('a %s names no peer: give an id, "@username", a t.me link, "me", an update or a message', kind)
end

local toUser = {
  inputPeerSelf = "inputUserSelf", inputPeerUser = "inputUser", inputPeerUserFromMessage = "inputUserFromMessage",
  inputPeerEmpty = "inputUserEmpty",
}
local toChannel = {
  inputPeerChannel = "inputChannel", inputPeerChannelFromMessage = "inputChannelFromMessage", inputPeerEmpty = "inputChannelEmpty",
}

-- In a private chat the other side; elsewhere who wrote or pressed.
local function userBehind(x)
  if type(x) ~= "table" then return x end
  local message = type(x.message) == "table" and x.message or x
  if message.from_id then return message.from_id end
  if type(x._) == "string" and x._:find "^update" and x.user_id then return x.user_id end
  return x
end

--- Anything → InputUser.
function forms.inputUser(peers, x)
  if type(x) == "table" and x._ and toUser[x._] == nil and (x._ == "inputUser" or x._ == "inputUserSelf") then return x end
  local input = forms.inputPeer(peers, userBehind(x))
  local name = toUser[input._]
  if not name then fail("a user is wanted, not a group or channel") end
  return retype(input, name)
end

--- Anything → InputChannel.
function forms.inputChannel(peers, x)
  if type(x) == "table" and x._ == "inputChannel" then return x end
  local input = forms.inputPeer(peers, x)
  local name = toChannel[input._]
  if not name then fail("a channel or supergroup is wanted, not a %s", input._ == "inputPeerChat" and "basic group" or "user") end
  return retype(input, name)
end

--- Anything → the marked id that it names.
function forms.markedId(peers, x)
  local input = forms.inputPeer(peers, x)
  if input._ == "inputPeerSelf" then return peers:me() end
  return ids.ofPeer(input)
end

return forms
