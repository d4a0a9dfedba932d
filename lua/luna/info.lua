--- getInfo and getPwrChat: what an account can tell about a peer, from the server, in one table. Methods of API objects and handlers.
local ids = require "luna.ids"
local errors = require "luna.errors"
local forms = require "luna.peer_forms"
local helpers = require "luna.helpers"

local info = { methods = {} }

--- The user, chat or channel object of a marked id.
function info.object(core, marked)
  local kind, id = ids.split(marked)
  local found
  if kind == "user" then
    found = core:invoke("users.getUsers", { id = { marked } })[1]
  elseif kind == "chat" then
    local result = core:invoke("messages.getChats", { id = { id } })
    found = result.chats and result.chats[1]
  else
    local result = core:invoke("channels.getChannels", { id = { marked } })
    found = result.chats and result.chats[1]
  end
  if not found or found._ == "userEmpty" or found._ == "chatEmpty" then
    errors.throw(errors.classes.PeerException(("the server does not know the peer %d"):format(marked)))
  end
  return found
end

local function typeOf(object)
  if object._ == "user" then return object.bot and "bot" or "user" end
  if object._ == "channel" or object._ == "channelForbidden" then return object.megagroup and "supergroup" or "channel" end
  return "chat"
end

local function getInfo(core, x)
  core:start()
  local marked = forms.markedId(core.peers, x)
  local object = info.object(core, marked)
  local result = {
    bot_api_id = marked, type = typeOf(object), Peer = ids.toPeer(marked), InputPeer = forms.inputPeer(core.peers, marked),
  }
  if object._ == "user" then
    result.User, result.user_id, result.InputUser = object, object.id, forms.inputUser(core.peers, marked)
  else
    result.Chat = object
    if object._ == "channel" or object._ == "channelForbidden" then
      result.channel_id, result.InputChannel = object.id, forms.inputChannel(core.peers, marked)
    else
      result.chat_id = object.id
    end
  end
  return result
end

--- getInfo(peer): { bot_api_id, type, Peer, InputPeer, User | Chat, … }
function info.methods.getInfo(api, x, opts)
  if x == nil then error("getInfo wants a peer", 2) end
  return helpers.run(api, opts, getInfo, api._core, x)
end

local userFields = { "first_name", "last_name", "username", "phone", "verified", "restricted", "status", "bot_inline_placeholder" }
local chatFields = { "title", "username", "participants_count", "verified", "restricted", "admin_rights", "default_banned_rights", "date" }

--- getPwrChat(peer): what a person wants to know of it, flat: { id, bot_api_id, type, title | first_name, username, … }
function info.methods.getPwrChat(api, x, opts)
  if x == nil then error("getPwrChat wants a peer", 2) end
  return helpers.run(api, opts, function(core)
    local found = getInfo(core, x)
    local object = found.User or found.Chat
    local result = { id = found.bot_api_id, bot_api_id = found.bot_api_id, type = found.type }
    for _, field in ipairs(found.User and userFields or chatFields) do result[field] = object[field] end
    return result
  end, api._core)
end

--- downloadToDir(x, directory): the file in an update, a message or media, into a folder; gives its path. The name is made harmless.
function info.methods.downloadToDir(api, x, dir, opts)
  if type(dir) ~= "string" then error(("downloadToDir wants a folder's path, got a %s"):format(type(dir)), 2) end
  local download = require "luna.download"
  local file, why = download.find(x)
  if not file then error("downloadToDir: " .. why, 2) end
  return helpers.run(api, opts, download.toDir, api._core, file, dir)
end

return info
