--- Media that was received (an update or a message with media, a messageMedia…) → InputMedia that sends it again; and what kind of media it
--- is. Pure.
local media = {}

-- Of a messageMedia…, by its constructor; a document is one of those below.
local byConstructor = {
  messageMediaPhoto = "photo", messageMediaGeo = "location", messageMediaGeoLive = "location", messageMediaVenue = "venue",
  messageMediaContact = "contact", messageMediaPoll = "poll", messageMediaDice = "dice", messageMediaGame = "game",
  messageMediaInvoice = "invoice", messageMediaStory = "story", messageMediaUnsupported = "media",
}
local byAttribute = {
  documentAttributeSticker = "sticker", documentAttributeVideo = "video", documentAttributeAnimated = "animation",
  documentAttributeAudio = "audio",
}

--- Every kind, and "document", which is any file.
media.kinds = { document = true, file = true, voice = true, round = true }
for _, kind in pairs(byConstructor) do media.kinds[kind] = true end
for _, kind in pairs(byAttribute) do media.kinds[kind] = true end

--- What a message's media is: "photo", "voice", …, "file" for a document that is nothing more; and then "document" for whatever is one.
--- nil for none, and for the preview of a link.
function media.kind(m)
  if type(m) ~= "table" then return nil end
  if m._ ~= "messageMediaDocument" then return byConstructor[m._] end
  local kind
  for _, a in ipairs(m.document and m.document.attributes or {}) do
    local name = byAttribute[a._]
    if name == "animation" then return name, "document" end -- a video, too
    if name == "audio" and a.voice then name = "voice" end
    if name == "video" and a.round_message then name = "round" end
    kind = kind or name
  end
  return kind or "file", "document"
end

local function photo(p)
  return { _ = "inputPhoto", id = p.id, access_hash = p.access_hash, file_reference = p.file_reference }
end
local function document(d)
  return { _ = "inputDocument", id = d.id, access_hash = d.access_hash, file_reference = d.file_reference }
end
local function isA(x, kind) return type(x) == "table" and x._ == kind end
local function geo(g) return { _ = "inputGeoPoint", lat = g.lat, long = g.long, accuracy_radius = g.accuracy_radius } end

local makers = {
  messageMediaPhoto = function(m)
    if not isA(m.photo, "photo") then return nil, "the photo has gone" end
    return { _ = "inputMediaPhoto", id = photo(m.photo), spoiler = m.spoiler, ttl_seconds = m.ttl_seconds }
  end,
  messageMediaDocument = function(m)
    if not isA(m.document, "document") then return nil, "the document has gone" end
    return { _ = "inputMediaDocument", id = document(m.document), spoiler = m.spoiler, ttl_seconds = m.ttl_seconds }
  end,
  messageMediaGeo = function(m)
    if not isA(m.geo, "geoPoint") then return nil, "the place is empty" end
    return { _ = "inputMediaGeoPoint", geo_point = geo(m.geo) }
  end,
  messageMediaVenue = function(m)
    if not isA(m.geo, "geoPoint") then return nil, "the place is empty" end
    return { _ = "inputMediaVenue", geo_point = geo(m.geo), title = m.title, address = m.address, provider = m.provider,
      venue_id = m.venue_id, venue_type = m.venue_type }
  end,
  messageMediaContact = function(m)
    return { _ = "inputMediaContact", phone_number = m.phone_number, first_name = m.first_name, last_name = m.last_name, vcard = m.vcard }
  end,
  messageMediaDice = function(m) return { _ = "inputMediaDice", emoticon = m.emoticon } end,
  photo = function(p) return { _ = "inputMediaPhoto", id = photo(p) } end,
  document = function(d) return { _ = "inputMediaDocument", id = document(d) } end,
}

--- The InputMedia, or nil and what is wrong.
function media.toInput(x)
  if type(x) ~= "table" then return nil, "expected media, a message or an update with media, got a " .. type(x) end
  if type(x._) ~= "string" then return nil, "a table without `_` is media where it has photo, document or path" end
  if x._:find "^inputMedia" then return x end
  if x._:find "^update" and type(x.message) == "table" then x = x.message end
  if x._ == "message" then
    if not x.media then return nil, "the message has no media" end
    x = x.media
  end
  local make = makers[x._]
  if not make then return nil, ("media of kind %s cannot be sent again"):format(x._) end
  return make(x)
end

return media
