--- A server of a few methods over the sandbox's wire, for specs of the client that must see every request: `answers` maps a method's name
--- to fn(server, params, session) → result | nil, code, text. Used by dofile.
local server = require "_luna.server"
local crypto = require "_luna.crypto"

local key -- one for all specs: making it takes a moment

return function(answers)
  key = key or crypto.generateRsa()
  local S = { seen = {}, count = {}, sent = {}, after = {}, dropped = 0, pts = 100, id = 0, sessions = {} }
  S.bot = { _ = "user", id = 7, self = true, bot = true, bot_info_version = 1, access_hash = 77, first_name = "Mini",
    username = "mini_bot" }
  S.alice = { _ = "user", id = 50, access_hash = 5050, first_name = "Alice", username = "alice" }

  local function container(list) return { _ = "updates", updates = list, users = { S.alice }, chats = {}, date = 1, seq = 0 } end

  --- A new message in the chat with Alice, as an update; `out` when the bot wrote it.
  function S:update(text, out)
    self.id, self.pts = self.id + 1, self.pts + 1
    local message = { _ = "message", id = self.id, out = out, peer_id = { _ = "peerUser", user_id = 50 }, date = 1, message = text,
      from_id = { _ = "peerUser", user_id = out and 7 or 50 } }
    return { _ = "updateNewMessage", message = message, pts = self.pts, pts_count = 1 }
  end

  --- Alice writes.
  function S:push(text) self.last:push(container { self:update(text) }) end

  local H = {
    ["auth.importBotAuthorization"] = function() return { _ = "auth.authorization", user = S.bot } end,
    ["updates.getState"] = function() return { _ = "updates.state", pts = S.pts, qts = 0, date = 1, seq = 0, unread_count = 0 } end,
    ["updates.getDifference"] = function(_, p) return { _ = "updates.differenceEmpty", date = p.date, seq = 0 } end,
    ["help.getNearestDc"] = function() return { _ = "nearestDc", country = "DE", this_dc = 2, nearest_dc = 2 } end,
    ["users.getUsers"] = function(_, p) return { p.id[1].user_id == 50 and S.alice or S.bot } end,
    ["messages.sendMessage"] = function(_, p)
      S.sent[#S.sent + 1] = p
      return container { S:update(p.message, true) }
    end,
  }
  for name, fn in pairs(answers or {}) do H[name] = fn end
  S.answers = H

  local function request(session, id, query)
    local after = 0
    while query.query do
      if query._ == "invokeAfterMsg" then after = after + 1 end
      query = query.query
    end
    if query.message then S.after[query.message] = after end
    local name = query._
    S.seen[#S.seen + 1], S.count[name], S.last = name, (S.count[name] or 0) + 1, session
    local answer = H[name]
    if not answer then return session:error(id, 400, "METHOD_INVALID") end
    local result, code, text = answer(S, query, session)
    if code then
      session:error(id, code, text)
    elseif result ~= nil then
      session:result(id, result, name)
    end
  end
  local function drop() S.dropped = S.dropped + 1 end
  local function nothing() end
  S.wire = server.new { key = key, on = { request = request, drop = drop, ack = nothing, up = nothing, down = nothing, gone = nothing,
    authKey = nothing } }
  return S
end
