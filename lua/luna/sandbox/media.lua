--- Files and media: parts that clients upload, the files made of them, and the MessageMedia that messages carry. Files are kept in the
--- model's state, whole; what waits to become one is bounded.
local rpc = require "luna.sandbox.rpc"

local media = {}

local PART_MAX = 524288
local PARTS_MAX = 64 * 1024 * 1024 -- bytes of all that is being uploaded
local FILE_MAX = 32 * 1024 * 1024
local REFERENCE = "sandbox"

--- Takes one part of a file that somebody uploads.
function media.part(ctx, id, index, bytes)
  local model = ctx.model
  if #bytes == 0 then rpc.fail(400, "FILE_PART_EMPTY") end
  if #bytes > PART_MAX or #bytes % 1024 ~= 0 and #bytes > PART_MAX then rpc.fail(400, "FILE_PART_TOO_BIG") end
  if index < 0 or index >= 8000 then rpc.fail(400, "FILE_PART_INVALID") end
  local mine = model.parts[ctx.user.id] or {}
  model.parts[ctx.user.id] = mine
  local parts = mine[id] or {}
  mine[id] = parts
  local before = parts[index] and #parts[index] or 0
  if model.partBytes + #bytes - before > PARTS_MAX then rpc.fail(420, "FLOOD_WAIT_60") end
  model.partBytes = model.partBytes + #bytes - before
  parts[index] = bytes
  return true
end

local function assemble(ctx, file)
  local mine = ctx.model.parts[ctx.user.id]
  local parts = mine and mine[file.id]
  if not parts then rpc.fail(400, "FILE_PART_0_MISSING") end
  if file.parts < 1 or file.parts > 8000 then rpc.fail(400, "FILE_PARTS_INVALID") end
  local list, size = {}, 0
  for i = 0, file.parts - 1 do
    local part = parts[i]
    if not part then rpc.fail(400, ("FILE_PART_%d_MISSING"):format(i)) end
    list[i + 1] = part
    size = size + #part
  end
  if size > FILE_MAX then rpc.fail(400, "FILE_PARTS_INVALID") end
  for _, part in pairs(parts) do ctx.model.partBytes = ctx.model.partBytes - #part end
  mine[file.id] = nil
  return table.concat(list)
end

local function first2(a, b) return a, b end

--- Width and height of a PNG, JPEG or GIF; nil for anything else.
function media.dimensions(bytes)
  if bytes:sub(1, 8) == "\137PNG\r\n\26\n" and #bytes >= 24 then return first2(string.unpack(">I4I4", bytes, 17)) end
  if bytes:find "^GIF8[79]a" and #bytes >= 10 then return first2(string.unpack("<I2I2", bytes, 7)) end
  if bytes:sub(1, 3) ~= "\255\216\255" then return nil end
  local at = 3
  while at + 9 <= #bytes and bytes:byte(at) == 0xff do
    local marker, length = string.unpack(">BI2", bytes, at + 1)
    if marker >= 0xc0 and marker <= 0xcf and marker ~= 0xc4 and marker ~= 0xc8 and marker ~= 0xcc then
      local h, w = string.unpack(">I2I2", bytes, at + 5)
      return w, h
    end
    at = at + 2 + length
  end
  return nil
end

local function keep(ctx, kind, bytes, more)
  local model = ctx.model
  local file = { id = model:random(), hash = model:random(), kind = kind, bytes = bytes, date = model:now(), dc = ctx.dc }
  for k, v in pairs(more) do file[k] = v end
  model.state.files[file.id] = file
  model:changed()
  return file
end

local function photo(file)
  return {
    _ = "photo", id = file.id, access_hash = file.hash, file_reference = REFERENCE, date = file.date, dc_id = file.dc,
    sizes = { { _ = "photoSize", type = "x", w = file.w, h = file.h, size = #file.bytes } },
  }
end

local function document(file)
  return {
    _ = "document", id = file.id, access_hash = file.hash, file_reference = REFERENCE, date = file.date, mime_type = file.mime,
    size = #file.bytes, dc_id = file.dc, attributes = file.attributes,
  }
end

local function known(ctx, input, kind)
  local file = ctx.model.state.files[input.id]
  if not file or file.hash ~= input.access_hash or file.kind ~= kind then rpc.fail(400, "MEDIA_EMPTY") end
  return file
end

local function hasAttribute(file, name, field)
  for _, a in ipairs(file.attributes) do
    if a._ == name and (not field or a[field]) then return true end
  end
  return nil
end

local function documentMedia(file, m)
  return {
    _ = "messageMediaDocument", document = document(file), spoiler = m.spoiler, ttl_seconds = m.ttl_seconds,
    video = hasAttribute(file, "documentAttributeVideo"), round = hasAttribute(file, "documentAttributeVideo", "round_message"),
    voice = hasAttribute(file, "documentAttributeAudio", "voice"),
  }
end

local make = {}

function make.inputMediaUploadedPhoto(ctx, m)
  local bytes = assemble(ctx, m.file)
  local w, h = media.dimensions(bytes)
  if not w or w == 0 or h == 0 then rpc.fail(400, "IMAGE_PROCESS_FAILED") end
  local file = keep(ctx, "photo", bytes, { w = w, h = h })
  return { _ = "messageMediaPhoto", photo = photo(file), spoiler = m.spoiler, ttl_seconds = m.ttl_seconds }
end

function make.inputMediaPhoto(ctx, m)
  return { _ = "messageMediaPhoto", photo = photo(known(ctx, m.id, "photo")), spoiler = m.spoiler, ttl_seconds = m.ttl_seconds }
end

function make.inputMediaUploadedDocument(ctx, m)
  local bytes = assemble(ctx, m.file)
  local attributes = { table.unpack(m.attributes) }
  local file = { attributes = attributes }
  if not hasAttribute(file, "documentAttributeFilename") and m.file.name ~= "" then
    attributes[#attributes + 1] = { _ = "documentAttributeFilename", file_name = m.file.name }
  end
  return documentMedia(keep(ctx, "document", bytes, { mime = m.mime_type, attributes = attributes }), m)
end

function make.inputMediaDocument(ctx, m) return documentMedia(known(ctx, m.id, "document"), m) end

function make.inputMediaContact(ctx, m)
  local digits = m.phone_number:gsub("%D", "")
  return {
    _ = "messageMediaContact", phone_number = m.phone_number, first_name = m.first_name, last_name = m.last_name, vcard = m.vcard,
    user_id = ctx.model.state.phones[digits] or 0,
  }
end

local function geo(point)
  if point._ ~= "inputGeoPoint" then rpc.fail(400, "MEDIA_INVALID") end
  return { _ = "geoPoint", long = point.long, lat = point.lat, access_hash = 0, accuracy_radius = point.accuracy_radius }
end

function make.inputMediaGeoPoint(_, m) return { _ = "messageMediaGeo", geo = geo(m.geo_point) } end

function make.inputMediaVenue(_, m)
  return {
    _ = "messageMediaVenue", geo = geo(m.geo_point), title = m.title, address = m.address, provider = m.provider, venue_id = m.venue_id,
    venue_type = m.venue_type,
  }
end

local faces = { ["🎲"] = 6, ["🎯"] = 6, ["🏀"] = 5, ["⚽"] = 5, ["🎳"] = 6, ["🎰"] = 64 }
function make.inputMediaDice(ctx, m)
  local n = faces[m.emoticon:gsub("\u{fe0f}", "")]
  if not n then rpc.fail(400, "EMOTICON_INVALID") end
  return { _ = "messageMediaDice", value = (ctx.model:random() & 0x7fffffff) % n + 1, emoticon = m.emoticon }
end

--- An InputMedia → the MessageMedia to keep.
function media.take(ctx, m)
  local fn = make[m._]
  if not fn then rpc.fail(400, m._ == "inputMediaEmpty" and "MEDIA_EMPTY" or "MEDIA_INVALID") end
  return fn(ctx, m)
end

--- The file behind an InputFileLocation. Raises LOCATION_INVALID.
function media.file(ctx, location)
  local file = location.id and ctx.model.state.files[location.id]
  local kind = location._ == "inputPhotoFileLocation" and "photo" or location._ == "inputDocumentFileLocation" and "document"
  if not file or file.kind ~= kind or file.hash ~= location.access_hash then rpc.fail(400, "LOCATION_INVALID") end
  return file
end

-- What a link of an inline result is, by the result's type.
local linked = {
  gif = { _ = "documentAttributeAnimated" }, mpeg4_gif = { _ = "documentAttributeAnimated" },
  sticker = { _ = "documentAttributeSticker", alt = "", stickerset = { _ = "inputStickerSetEmpty" } },
  audio = { _ = "documentAttributeAudio", duration = 0 }, voice = { _ = "documentAttributeAudio", voice = true, duration = 0 },
  video = { _ = "documentAttributeVideo", duration = 0.0, w = 1, h = 1 },
}

--- The media of a link in an inline result. The sandbox fetches nothing: the file is empty.
function media.fromWeb(ctx, kind, web)
  if kind == "photo" then return { _ = "messageMediaPhoto", photo = photo(keep(ctx, "photo", "", { w = 1, h = 1 })) } end
  local attributes = { table.unpack(web.attributes) }
  attributes[#attributes + 1] = linked[kind]
  attributes[#attributes + 1] = { _ = "documentAttributeFilename", file_name = web.url:match "([^/?#]+)[^/]*$" or "file" }
  return documentMedia(keep(ctx, "document", "", { mime = web.mime_type, attributes = attributes }), {})
end

--- For the test kit's people: a file that is there at once. m: { photo = bytes } or { document = bytes, name =, mime = }.
function media.make(ctx, m)
  if m.photo then
    local w, h = media.dimensions(m.photo)
    return { _ = "messageMediaPhoto", photo = photo(keep(ctx, "photo", m.photo, { w = w or 1, h = h or 1 })) }
  end
  local attributes = { { _ = "documentAttributeFilename", file_name = m.name or "file" } }
  local file = keep(ctx, "document", m.document or "", { mime = m.mime or "application/octet-stream", attributes = attributes })
  return documentMedia(file, {})
end

return media
