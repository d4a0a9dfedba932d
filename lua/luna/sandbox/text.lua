--- What the server does to a message's text: lengths in UTF-16 code units, entities checked and clamped, white space at the ends taken
--- off, and commands, mentions, hashtags, links and addresses found. Pure functions, called by actions.lua.
local rpc = require "luna.sandbox.rpc"

local text = {}

text.MAX_MESSAGE = 4096 -- UTF-16 code units
text.MAX_CAPTION = 1024
local MAX_ENTITIES = 100

--- The length in UTF-16 code units of valid UTF-8.
function text.length(s)
  local _, chars = s:gsub("[^\128-\191]", "")
  local _, pairs_ = s:gsub("[\240-\247]", "")
  return chars + pairs_
end

local function spacesBefore(s) return #s:match "^[%s]*" end

-- Takes `cut` code units off the front and keeps entities within `length`.
local function shift(entities, cut, length)
  local out = {}
  for _, e in ipairs(entities) do
    local from = math.max(e.offset - cut, 0)
    local to = math.min(e.offset + e.length - cut, length)
    if to > from then
      local copy = {}
      for k, v in pairs(e) do copy[k] = v end
      copy.offset, copy.length = from, to - from
      out[#out + 1] = copy
    end
  end
  return out
end

-- Each finder: pattern (with a position before and after), what may not stand before and after it, and what the entity is.
local finders = {
  { pattern = "()https?://[^%s<>\"]+()", before = "[%w_]", name = "messageEntityUrl", trim = "[.,;:!?)'%]]+$" },
  { pattern = "()[%w._%-]+@[%w%-]+%.[%w.%-]+()", before = "[%w._%-]", name = "messageEntityEmail", trim = "[.%-]+$" },
  { pattern = "()/[%w_]+()", before = "[%w_/<>]", after = "[/<>]", name = "messageEntityBotCommand", max = 65, at = true },
  { pattern = "()@%a[%w_]+()", before = "[%w_@.]", name = "messageEntityMention", min = 4, max = 33 },
  { pattern = "()#[%w_\128-\255]+()", before = "[%w_&]", name = "messageEntityHashtag", letter = true, max = 256 },
}

local function find(s, finder, taken, found)
  local at = 1
  while true do
    local from, to = s:match(finder.pattern, at)
    if not from then return end
    at = to
    local last = to - 1
    if finder.trim then
      local cut = s:sub(from, last):match(finder.trim)
      if cut then last = last - #cut end
    end
    if finder.at then -- "/start@some_bot"
      local addressed = s:match("^@[%w_]+()", to)
      if addressed then
        last = addressed - 1
        at = addressed
      end
    end
    local before, after = s:sub(from - 1, from - 1), s:sub(last + 1, last + 1)
    local n = last - from + 1
    local right = from == 1 or not before:find(finder.before)
    if finder.after and after:find(finder.after) then right = false end
    if finder.max and n > finder.max or finder.min and n < finder.min then right = false end
    if finder.letter and not s:sub(from, last):find "[%a_\128-\255]" then right = false end
    if right then
      local offset = text.length(s:sub(1, from - 1))
      local length = text.length(s:sub(from, last))
      for _, e in ipairs(taken) do
        if offset < e.offset + e.length and e.offset < offset + length then right = false end
      end
      if right then
        local e = { _ = finder.name, offset = offset, length = length }
        taken[#taken + 1] = e
        found[#found + 1] = e
      end
    end
  end
end

-- The given entities and those that are found beside them, in order.
local function complete(s, given)
  if not s:find "[/@#]" then return given end
  local taken, out = {}, {}
  for i, e in ipairs(given) do
    taken[i], out[i] = e, e
  end
  for _, finder in ipairs(finders) do find(s, finder, taken, out) end
  table.sort(out, function(a, b)
    if a.offset ~= b.offset then return a.offset < b.offset end
    return a.length > b.length
  end)
  return out
end

--- Checks a text and its entities as they came; returns the text to keep and its entities (nil where there are none). `mention(e)`
--- gives the user's id for an inputMessageEntityMentionName. Raises MESSAGE_TOO_LONG and the like; an empty text is the caller's.
function text.take(s, entities, limit, mention)
  if not utf8.len(s) then rpc.fail(400, "INPUT_FETCH_ERROR") end
  local given = {}
  for _, e in ipairs(entities or {}) do
    if e.offset < 0 or e.length < 0 then rpc.fail(400, "ENTITY_BOUNDS_INVALID") end
    if e._ == "inputMessageEntityMentionName" then
      local id = mention and mention(e)
      if id then given[#given + 1] = { _ = "messageEntityMentionName", offset = e.offset, length = e.length, user_id = id } end
    elseif #given < MAX_ENTITIES then
      given[#given + 1] = e
    end
  end
  local total = text.length(s)
  for _, e in ipairs(given) do
    if e.offset + e.length > total then rpc.fail(400, "ENTITY_BOUNDS_INVALID") end
  end
  local cut = spacesBefore(s)
  local kept = s:sub(cut + 1):gsub("%s+$", "")
  local length = #kept == #s and total or text.length(kept)
  if length > limit then
    rpc.fail(400, limit == text.MAX_CAPTION and "MEDIA_CAPTION_TOO_LONG" or "MESSAGE_TOO_LONG")
  end
  if #kept ~= #s then given = shift(given, cut, length) end
  given = complete(kept, given)
  return kept, #given > 0 and given or nil
end

return text
