--- Results of an inline query as the Bot API writes them → TL: InputBotInlineResult. Called by params.lua, which gives the parser of
--- parse_mode, the keyboard's and the media's maker.
local tl = require "_luna.tl"
local suggest = require "luna.suggest"

local inline = {}

local function set(words)
  local out = {}
  for word in words:gmatch "%S+" do out[word] = true end
  return out
end

local known = set("type id title description url thumbnail_url thumbnail_width thumbnail_height input_message_content reply_markup caption "
  .. "parse_mode caption_entities photo document photo_url gif_url mpeg4_url video_url audio_url voice_url document_url mime_type "
  .. "photo_width photo_height latitude longitude address foursquare_id foursquare_type phone_number first_name last_name vcard "
  .. "photo_file_id gif_file_id mpeg4_file_id video_file_id audio_file_id voice_file_id document_file_id sticker_file_id hide_url")
local contents = set("message_text parse_mode entities link_preview_options disable_web_page_preview latitude longitude title address "
  .. "foursquare_id foursquare_type phone_number first_name last_name vcard")

-- Bot API type → the field with the link, what it is where mime_type does not say.
local linked = {
  photo = { "photo_url", "image/jpeg" }, gif = { "gif_url", "image/gif" }, mpeg4_gif = { "mpeg4_url", "video/mp4", as = "gif" },
  video = { "video_url", "video/mp4" }, audio = { "audio_url", "audio/mpeg" }, voice = { "voice_url", "audio/ogg" },
  document = { "document_url", "application/octet-stream", as = "file" },
}

local function misspelt(x, names, what)
  for key in pairs(x) do
    if not names[key] then return ('%s has no "%s"%s'):format(what, tostring(key), suggest.hint(tostring(key), names)) end
  end
end

local function web(url, mime, attributes)
  return { _ = "inputWebDocument", url = url, size = 0, mime_type = mime, attributes = attributes or {} }
end

-- A text of the script's → text and entities; tools.parse(text, mode) raises where the mode is unknown.
local function words(tools, text, mode, entities)
  if mode then
    local found
    text, found = tools.parse(text, mode)
    entities = entities or #found > 0 and found or nil
  end
  return text, entities
end

local function point(x) return { _ = "inputGeoPoint", lat = x.latitude + 0.0, long = x.longitude + 0.0 } end

-- What is sent where it is chosen.
local function message(tools, x, markup)
  local c = x.input_message_content
  if type(c) == "string" then c = { message_text = c } end
  if c == nil then
    if x.type == "article" then return nil, 'an article needs "input_message_content": a text, or { message_text =, parse_mode = }' end
    if x.latitude or x.phone_number then
      c = x
    else
      local text, entities = words(tools, x.caption or "", x.parse_mode, x.caption_entities)
      return { _ = "inputBotInlineMessageMediaAuto", message = text, entities = entities, reply_markup = markup }
    end
  end
  if type(c) ~= "table" then return nil, "input_message_content is a text or a table, not a " .. type(c) end
  if c._ then return c end
  local wrong = c ~= x and misspelt(c, contents, "input_message_content")
  if wrong then return nil, wrong end
  if c.message_text then
    if type(c.message_text) ~= "string" then return nil, "message_text is a text, not a " .. type(c.message_text) end
    local text, entities = words(tools, c.message_text, c.parse_mode, c.entities)
    local preview = c.link_preview_options
    return {
      _ = "inputBotInlineMessageText", message = text, entities = entities, reply_markup = markup,
      no_webpage = (c.disable_web_page_preview or preview and preview.is_disabled) and true or nil,
    }
  end
  if c.latitude and c.longitude then
    if not c.address then return { _ = "inputBotInlineMessageMediaGeo", geo_point = point(c), reply_markup = markup } end
    return {
      _ = "inputBotInlineMessageMediaVenue", geo_point = point(c), title = c.title or x.title or "", address = c.address,
      provider = c.foursquare_id and "foursquare" or "", venue_id = c.foursquare_id or "", venue_type = c.foursquare_type or "",
      reply_markup = markup,
    }
  end
  if c.phone_number then
    return {
      _ = "inputBotInlineMessageMediaContact", phone_number = c.phone_number, first_name = c.first_name or "",
      last_name = c.last_name or "", vcard = c.vcard or "", reply_markup = markup,
    }
  end
  return nil, "input_message_content needs message_text, latitude and longitude, or phone_number"
end

-- One result; i: its place, which is its id where it has none.
local function one(tools, x, i)
  if type(x) ~= "table" then return nil, ("is a %s, not a table"):format(type(x)) end
  if x._ then return x end
  local wrong = misspelt(x, known, "it")
  if wrong then return nil, wrong end
  for key in pairs(x) do
    if key:find "_file_id$" then return nil, ('%s is of the Bot API alone: give photo or document, a message with it'):format(key) end
  end
  local copy = {}
  for k, v in pairs(x) do copy[k] = v end
  x = copy
  x.type = x.type or x.photo and "photo" or x.document and "document" or "article"
  local id = x.id == nil and i or x.id
  if type(id) ~= "string" and math.type(id) ~= "integer" then return nil, "id is a text or a whole number" end
  local markup
  if x.reply_markup then
    markup, wrong = tools.markup(x.reply_markup)
    if not markup then return nil, wrong end
  end
  local send
  send, wrong = message(tools, x, markup)
  if not send then return nil, wrong end
  local link = linked[x.type]
  local r = { id = tostring(id), type = link and link.as or x.type, send_message = send }
  if x.photo or x.document then
    local made
    made, wrong = tools.media(x.photo or x.document)
    if not made then return nil, wrong end
    if made._ == "inputMediaPhoto" then
      r._, r.photo = "inputBotInlineResultPhoto", made.id
    elseif made._ == "inputMediaDocument" then
      r._, r.document, r.title, r.description = "inputBotInlineResultDocument", made.id, x.title or "", x.description
    else
      return nil, "photo and document want a photo or a document that Telegram has"
    end
    return r
  end
  r._, r.title, r.description, r.url = "inputBotInlineResult", x.title, x.description, x.url
  if x.type == "article" and type(x.title) ~= "string" then return nil, 'an article needs a "title"' end
  if link then
    local url = x[link[1]]
    if type(url) ~= "string" then return nil, ('a result of type %s needs "%s"'):format(x.type, link[1]) end
    local attributes
    if x.photo_width and x.photo_height then
      attributes = { { _ = "documentAttributeImageSize", w = x.photo_width, h = x.photo_height } }
    end
    r.content = web(url, x.mime_type or link[2], attributes)
    r.thumb = x.type == "photo" and r.content or nil
  elseif x.type == "location" or x.type == "venue" then
    r.type = x.type == "location" and "geo" or "venue"
  end
  if x.thumbnail_url then r.thumb = web(x.thumbnail_url, "image/jpeg") end
  return r
end

--- The list of InputBotInlineResult, or nil and what is wrong. tools: parse(text, mode) → text, entities; markup(x) and media(x) → TL, or
--- nil and why.
function inline.toTL(list, tools)
  if type(list) ~= "table" then return nil, "expected a list of results, got a " .. type(list) end
  if next(list) ~= nil and #list == 0 then return nil, "expected a list of results, got a single one" end
  local n, wrong = tl.list(list)
  if not n then return nil, wrong end
  local out = {}
  for i = 1, n do
    local made, why = one(tools, list[i], i)
    if not made then return nil, ("result %d: %s"):format(i, why) end
    out[i] = made
  end
  return out
end

return inline
