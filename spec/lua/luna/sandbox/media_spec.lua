-- Files: up in parts, in messages, down in pieces.
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local connect = dofile(folder .. "/spec/support/wire.lua")

local media = require "luna.sandbox.media"

local PNG = "\137PNG\r\n\26\n" .. string.pack(">I4c4I4I4", 13, "IHDR", 640, 480) .. ("x"):rep(3000)

describe("sandbox files", function()
  local world = require("luna.sandbox").world()
  local alice, bot = connect(world), connect(world)
  alice:login "9996620001"
  bot:bot "7001:AAbbccdd"
  local toBot = alice:peer "bot7001_bot"
  local random = 100
  local function refused(c, name, params) return (select(2, c:call(name, params))) end
  local function upload(id, bytes, size)
    local n = 0
    for at = 1, #bytes, size do
      assert.is_true(alice:must("upload.saveFilePart", { file_id = id, file_part = n, bytes = bytes:sub(at, at + size - 1) }))
      n = n + 1
    end
    return { _ = "inputFile", id = id, parts = n, name = "a.bin", md5_checksum = "" }
  end
  local function send(m)
    random = random + 1
    return alice:call("messages.sendMedia", { peer = toBot, media = m, message = "caption", random_id = random })
  end

  it("arrive whole, and read as they were sent", function()
    local bytes = {}
    for i = 1, 10000 do bytes[i] = string.char(i * 7 % 256) end
    bytes = table.concat(bytes)
    local file = upload(1, bytes, 1024)
    assert(send { _ = "inputMediaUploadedDocument", file = file, mime_type = "application/x", attributes = {} })
    local message = bot:expect("updateNewMessage").message
    local document = message.media.document
    assert.same({ "caption", #bytes, "application/x", "a.bin" },
      { message.message, document.size, document.mime_type, document.attributes[1].file_name })
    local location = { _ = "inputDocumentFileLocation", id = document.id, access_hash = document.access_hash,
      file_reference = document.file_reference, thumb_size = "" }
    local got, at = {}, 0
    repeat
      local piece = bot:must("upload.getFile", { location = location, offset = at, limit = 4096 }).bytes
      got[#got + 1] = piece
      at = at + 4096
    until #piece < 4096
    assert.equal(bytes, table.concat(got))
    assert.equal("", bot:must("upload.getFile", { location = location, offset = 4096 * 100, limit = 4096 }).bytes)
    assert.equal("400 OFFSET_INVALID", refused(bot, "upload.getFile", { location = location, offset = 1, limit = 4096 }))
    assert.equal("400 LIMIT_INVALID", refused(bot, "upload.getFile", { location = location, offset = 0, limit = 1000 }))
    assert.equal("400 LIMIT_INVALID", refused(bot, "upload.getFile", { location = location, offset = 0, limit = 3 * 4096 }))
    assert.equal(1024, #bot:must("upload.getFile", { location = location, offset = 1024, limit = 1024, precise = true }).bytes)
    location.access_hash = 1
    assert.equal("400 LOCATION_INVALID", refused(bot, "upload.getFile", { location = location, offset = 0, limit = 4096 }))
  end)

  it("are pictures where they look like one", function()
    assert(send { _ = "inputMediaUploadedPhoto", file = upload(2, PNG, 4096) })
    local photo = bot:expect("updateNewMessage").message.media.photo
    assert.same({ 640, 480, #PNG }, { photo.sizes[1].w, photo.sizes[1].h, photo.sizes[1].size })
    assert.equal("400 IMAGE_PROCESS_FAILED", select(2, send { _ = "inputMediaUploadedPhoto", file = upload(3, "no picture", 1024) }))
    assert(send { _ = "inputMediaPhoto", id = { _ = "inputPhoto", id = photo.id, access_hash = photo.access_hash, file_reference = "" } })
    assert.equal(photo.id, bot:expect("updateNewMessage").message.media.photo.id)
  end)

  it("are refused where parts lack or are too big", function()
    local file = upload(4, ("x"):rep(2048), 1024)
    local document = { _ = "inputMediaUploadedDocument", file = file, mime_type = "x", attributes = {} }
    file.parts = 3
    assert.equal("400 FILE_PART_2_MISSING", select(2, send(document)))
    file.id = 5
    assert.equal("400 FILE_PART_0_MISSING", select(2, send(document)))
    assert.equal("400 FILE_PART_TOO_BIG", refused(alice, "upload.saveFilePart", { file_id = 6, file_part = 0, bytes = ("x"):rep(524289) }))
    assert.equal("400 FILE_PART_EMPTY", refused(alice, "upload.saveFilePart", { file_id = 6, file_part = 0, bytes = "" }))
    assert.equal("400 FILE_PART_INVALID", refused(alice, "upload.saveFilePart", { file_id = 6, file_part = 8000, bytes = "x" }))
    assert.equal("400 MEDIA_EMPTY", select(2, send { _ = "inputMediaEmpty" }))
  end)

  it("that never become one do not fill the memory", function()
    world.model.partBytes = 64 * 1024 * 1024 - 10
    finally(function() world.model.partBytes = 0 end)
    assert.equal("420 FLOOD_WAIT_60", refused(alice, "upload.saveFilePart", { file_id = 7, file_part = 0, bytes = ("x"):rep(1024) }))
  end)

  it("other media need none", function()
    assert(send { _ = "inputMediaGeoPoint", geo_point = { _ = "inputGeoPoint", lat = 52.5, long = 13.4 } })
    assert.near(52.5, bot:expect("updateNewMessage").message.media.geo.lat, 1e-9)
    assert(send { _ = "inputMediaContact", phone_number = "+9996620001", first_name = "A", last_name = "", vcard = "" })
    assert.equal(alice.me.id, bot:expect("updateNewMessage").message.media.user_id)
    assert(send { _ = "inputMediaDice", emoticon = "🎲" })
    local value = bot:expect("updateNewMessage").message.media.value
    assert.is_true(value >= 1 and value <= 6)
    assert.equal("400 EMOTICON_INVALID", select(2, send { _ = "inputMediaDice", emoticon = "x" }))
  end)
end)

describe("sandbox pictures", function()
  it("tell their size", function()
    assert.same({ 640, 480 }, { select(1, media.dimensions(PNG)), select(2, media.dimensions(PNG)) })
    local gif = "GIF89a" .. string.pack("<I2I2", 3, 5)
    assert.same({ 3, 5 }, { select(1, media.dimensions(gif)), select(2, media.dimensions(gif)) })
    local jpeg = "\255\216\255\224\0\6xxxx" .. "\255\192\0\17\8" .. string.pack(">I2I2", 48, 64) .. "x"
    assert.same({ 64, 48 }, { select(1, media.dimensions(jpeg)), select(2, media.dimensions(jpeg)) })
    assert.is_nil(media.dimensions "plain")
    assert.is_nil(media.dimensions "")
    for n = 0, #jpeg do media.dimensions(jpeg:sub(1, n)) end -- cut anywhere: no error
  end)
end)
