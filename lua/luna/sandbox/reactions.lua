--- Reactions to messages. A core keeps them as `reactions`, a list of { by, date, list } in the order of their making, where a reaction is
--- its emoji. Called by the methods and by the test kit's people.
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local actions = require "luna.sandbox.actions"
local boxes = require "luna.sandbox.boxes"
local updates = require "luna.sandbox.updates"

local reactions = {}

local CHANNEL = ids.CHANNEL
local MINE_MAX = 1 -- of one account on one message; premium ones, which may set more, are not here
local UNIQUE_MAX = 11 -- different ones on a message

local known = {}
for emoji in ([[👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭
  🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡]]):gmatch "%S+" do
  known[emoji] = true
end

--- The emoji as it is kept; raises REACTION_INVALID for what is none of Telegram's.
function reactions.take(emoji)
  local plain = emoji:gsub("\u{fe0f}", "")
  if not known[plain] then rpc.fail(400, "REACTION_INVALID") end
  return plain
end

local function same(a, b)
  for i = 1, math.max(#a, #b) do
    if a[i] ~= b[i] then return false end
  end
  return true
end

local function copy(list) return table.move(list, 1, #list, 1, {}) end

-- Tells bots of what a person has done: each by name where one sees who has reacted, else how many there are.
local function tellBots(model, by, core, before, after)
  local other = core.pair and (core.pair[1] == by.user.id and core.pair[2] or core.pair[1])
  local place = core.chat and model:object(core.chat)
  for _, uid in ipairs(place and model.memberIds(place) or { other }) do
    local channel = core.chat and core.chat < CHANNEL and core.chat or nil
    if model:user(uid).bot and (not place or actions.isAdmin(place, uid)) and core.ids[channel or uid] then
      updates.push(model, uid, { boxes.logQts(model, uid, {
        k = core.post and "reactionCounts" or "reaction", gid = core.gid, chan = channel, actor = by.user.id, date = model:now(),
        before = copy(before), after = copy(after),
      }) })
    end
  end
end

--- Sets the account's reactions to a message, a list of emoji; an empty one takes them away. Returns the asker's entry, and the core.
function reactions.set(model, by, peer, id, list)
  local me = by.user
  local core, owner = actions.find(model, by, peer, id)
  if core.action then rpc.fail(400, "MESSAGE_ID_INVALID") end
  local place = core.chat and model:object(core.chat)
  if place and not place.members[me.id] then rpc.fail(403, "CHAT_WRITE_FORBIDDEN") end
  if #list > MINE_MAX then rpc.fail(400, "REACTIONS_TOO_MANY") end
  local after = {}
  for i, emoji in ipairs(list) do after[i] = reactions.take(emoji) end
  local all, before, different, n = {}, {}, {}, 0
  for _, r in ipairs(core.reactions or {}) do
    if r.by == me.id then
      before = r.list
    else
      all[#all + 1] = r
      for _, emoji in ipairs(r.list) do
        n = n + (different[emoji] and 0 or 1)
        different[emoji] = true
      end
    end
  end
  if same(before, after) then rpc.fail(400, "MESSAGE_NOT_MODIFIED") end
  if after[1] and not different[after[1]] and n >= UNIQUE_MAX then rpc.fail(400, "REACTIONS_TOO_MANY") end
  if #after > 0 then all[#all + 1] = { by = me.id, date = model:now(), list = after } end
  core.reactions = #all > 0 and all or nil
  model:changed()
  if model.heard then model.heard("react", { by = me.id, core = core, list = copy(after) }) end
  local mine = { k = "reactions", gid = core.gid, chan = owner < CHANNEL and owner or nil, actor = me.id, list = copy(after) }
  for holder in pairs(core.ids) do
    for _, uid in ipairs(holder < CHANNEL and model.memberIds(place) or { holder }) do
      if not model:user(uid).bot then updates.push(model, uid, { mine }, by.session) end
    end
  end
  if not me.bot then tellBots(model, by, core, before, after) end
  return mine, core
end

--- Who has reacted with what, newest first: { by, date, emoji }. emoji: that one alone.
function reactions.list(core, emoji)
  local out = {}
  for i = #(core.reactions or {}), 1, -1 do
    local r = core.reactions[i]
    for _, e in ipairs(r.list) do
      if not emoji or e == emoji then out[#out + 1] = { by = r.by, date = r.date, emoji = e } end
    end
  end
  return out
end

return reactions
