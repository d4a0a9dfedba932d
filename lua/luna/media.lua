--- Media that was received (an update or a message with media, a messageMedia…) → InputMedia that sends it again. Pure.
local media = {}

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
  if type(x._) ~= "string" then return nil, "a table without `_` is no media" end
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
