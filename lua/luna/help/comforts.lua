--- What a method takes beside, or instead of, what the schema says: peers in any form, Bot API keyboards, parse_mode, what is filled in.
--- The same rules as luna.params, in words and as LuaCATS types. Called by luna.help and luna.stubs.
local comforts = {}

local peer = 'an update, a message, an id, "@username", a t.me link, "me", or a TL object'
local byType = {
  InputPeer = { type = "luna.PeerLike", words = peer },
  InputUser = { type = "luna.PeerLike", words = "the user: " .. peer },
  InputChannel = { type = "luna.PeerLike", words = "the channel or supergroup: " .. peer },
  InputDialogPeer = { type = "luna.PeerLike|tl.InputDialogPeer", words = peer },
  ["Vector<InputPeer>"] = { type = "luna.PeerLike[]", words = "a list; each " .. peer },
  ["Vector<InputUser>"] = { type = "luna.PeerLike[]", words = "a list of users; each " .. peer },
  ["Vector<InputChannel>"] = { type = "luna.PeerLike[]", words = "a list of channels; each " .. peer },
  ["Vector<InputDialogPeer>"] = { type = "(luna.PeerLike|tl.InputDialogPeer)[]", words = "a list; each " .. peer },
  ["Vector<InputMessage>"] = { type = "(integer|tl.InputMessage)[]", words = "a list of messages' ids" },
  ["Vector<InputSingleMedia>"] = { type = "(tl.InputSingleMedia|luna.AlbumItem)[]",
    words = "a list; each { media =, message = }; random_id is filled in" },
  ReplyMarkup = { type = "luna.Keyboard|tl.ReplyMarkup",
    words = "a keyboard of the Bot API: inline_keyboard, keyboard, remove_keyboard, force_reply" },
  ["Vector<InputBotInlineResult>"] = { type = "(luna.InlineResult|tl.InputBotInlineResult)[]",
    words = "results of the Bot API, each at least { title =, input_message_content = }; type and id are filled in" },
  InlineBotSwitchPM = { type = "{ text: string, start_param: string }|tl.InlineBotSwitchPM",
    words = "a line above the results: { text =, start_param = }" },
  InputMedia = { type = "luna.MediaLike",
    words = "a file: { photo = bytes }, { document = bytes, name = } or { path = }; media, or an update or a message with media" },
}

local function fullType(p)
  local t = p.type
  if p.vector then t = "Vector<" .. t .. ">" end
  return t
end

local function fields(m)
  local has = {}
  for _, p in ipairs(m.params) do has[p.name] = fullType(p) end
  return has
end

--- For a parameter of a method (both as `_luna.tl` describes them): { type = LuaCATS, words =, filled = true } or nil.
function comforts.of(m, p)
  local t = fullType(p)
  if p.name == "random_id" and (t == "long" or t == "Vector<long>") then
    return { type = t == "long" and "integer" or "integer[]", words = "filled in", filled = true }
  end
  if not p.flag and p.name == "hash" and t == "long" then
    return { type = "integer", words = "0, the whole list, where it is not given", filled = true }
  end
  if not p.flag and p.name == "cache_time" and t == "int" then
    return { type = "integer", words = "seconds; 0 where it is not given", filled = true }
  end
  if p.name == "reply_to" and t == "InputReplyTo" and not fields(m).reply_to_msg_id then
    return { type = "integer|tl.message|tl.InputReplyTo", words = "a message or its id" }
  end
  return byType[t]
end

--- What it takes beside the schema's parameters: a list of { name, type, note }.
function comforts.extra(m)
  local has, list = fields(m), {}
  if has.entities and has.message then
    local note = "how the text is marked up: HTML or Markdown"
    list[#list + 1] = { name = "parse_mode", shown = "string", type = "luna.ParseMode", note = note }
  end
  if has.reply_to and not has.reply_to_msg_id then
    list[#list + 1] = { name = "reply_to_msg_id", shown = "int", type = "integer", note = "the message that is answered" }
  end
  return list
end

return comforts
