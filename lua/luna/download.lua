--- downloadToDir: a file that Telegram has, into a folder. The name that a stranger gave it is cleaned by the host, never takes the place
--- of another file, and appears when the whole is there. Called by luna.info.
local files = require "_luna.files"
local errors = require "luna.errors"
local mime = require "luna.mime"

local download = {}

local PIECE = 524288
local SIZE_MAX = 4 << 30

-- The largest size of a photo that is a file of its own.
local function largest(sizes)
  local best, bytes
  for _, s in ipairs(sizes) do
    local size = s.size or s.sizes and math.max(table.unpack(s.sizes))
    if size and (not bytes or size > bytes) then best, bytes = s.type, size end
  end
  return best, bytes
end

local finders = {}

function finders.photo(p)
  local kind, size = largest(p.sizes or {})
  if not kind then return nil, "the photo has no file" end
  return {
    location = {
      _ = "inputPhotoFileLocation", id = p.id, access_hash = p.access_hash, file_reference = p.file_reference, thumb_size = kind,
    },
    size = size, dc = p.dc_id, name = ("photo_%d.jpg"):format(p.id),
  }
end

function finders.document(d)
  local name
  for _, a in ipairs(d.attributes or {}) do
    if a._ == "documentAttributeFilename" then name = a.file_name end
  end
  return {
    location = {
      _ = "inputDocumentFileLocation", id = d.id, access_hash = d.access_hash, file_reference = d.file_reference, thumb_size = "",
    },
    size = d.size, dc = d.dc_id, name = name or ("file_%d%s"):format(d.id, mime.extension(d.mime_type)),
  }
end

function finders.messageMediaPhoto(m) return download.find(m.photo or false) end
function finders.messageMediaDocument(m) return download.find(m.document or false) end
function finders.messageMediaWebPage(m)
  local page = m.webpage or {}
  return download.find(page.document or page.photo or false)
end
function finders.message(m) return download.find(m.media or false) end

--- What is to be fetched: { location, size, dc, name }, or nil and what is wrong. x: an update or a message with media, media, a photo or a
--- document.
function download.find(x)
  if x == false then return nil, "there is no media in it" end
  if type(x) ~= "table" then return nil, ("expected media, or a message or an update with media, got a %s"):format(type(x)) end
  if type(x._) == "string" and x._:find "^update" and type(x.message) == "table" then x = x.message end
  local find = finders[x._]
  if not find then return nil, x._ == nil and "a table without `_` is no file" or ("a %s is no file"):format(tostring(x._)) end
  return find(x)
end

-- One piece, from the DC that has it.
local function piece(core, file, offset)
  local dc = file.dc ~= core.home and file.dc or nil
  local ok, result = pcall(core.invoke, core, "upload.getFile", { location = file.location, offset = offset, limit = PIECE },
    dc and { dc = dc } or nil)
  if ok then return result end
  if errors.is(result, errors.classes.RPCErrorException) and result.name == "FILE_MIGRATE" and result.value ~= file.dc then
    file.dc = result.value
    return piece(core, file, offset)
  end
  error(result, 0)
end

--- Fetches what `find` gave into the folder; the path of the new file.
function download.toDir(core, file, dir)
  core:start()
  local out <close>, why = files.create(dir, file.name)
  if not out then errors.throw(errors.classes.Exception("downloadToDir: " .. why)) end
  local offset, most = 0, file.size or SIZE_MAX
  while offset < most do
    local result = piece(core, file, offset)
    if result._ ~= "upload.file" then errors.throw(errors.classes.Exception "downloadToDir: the file is kept elsewhere (a CDN)") end
    local bytes = result.bytes
    if offset + #bytes > most then bytes = bytes:sub(1, most - offset) end
    local written, wrong = out:write(bytes)
    if not written then errors.throw(errors.classes.Exception("downloadToDir: " .. wrong)) end
    offset = offset + #bytes
    if #result.bytes < PIECE then break end
  end
  if file.size and offset < file.size then
    errors.throw(errors.classes.Exception(("downloadToDir: the file ended after %d of %d bytes"):format(offset, file.size)))
  end
  local path, problem = out:commit()
  if not path then errors.throw(errors.classes.Exception("downloadToDir: " .. problem)) end
  return path
end

return download
