--- Files that a script sends: its bytes or a file of the disk, up to the server in parts, and the InputMedia that names them. Called by
--- params.lua for media without `_`.
local core_ = require "_luna.promise"
local crypto = require "_luna.crypto"
local host = require "_luna.host"
local task = require "_luna.task"
local tl = require "_luna.tl"
local mime = require "luna.mime"
local suggest = require "luna.suggest"

local upload = {}

local PART = 524288
local BIG = 10 << 20 -- bytes from which on a file is a "big" one
local SIZE_MAX = 4000 * PART
local ABREAST = 4 -- parts under way at a time

local known = {}
for name in ("photo document path name mime attributes spoiler ttl_seconds force_file"):gmatch "%S+" do known[name] = true end

--- Whether it is a file to be sent: { photo = bytes }, { document = bytes, name =, mime = } or { path =, photo = true }.
function upload.isFile(x) return type(x) == "table" and x._ == nil and (x.photo ~= nil or x.document ~= nil or x.path ~= nil) end

-- Where bytes come from: { size, name, read(offset, n), close() }, or nil and what is wrong.
local function source(x)
  if x.path ~= nil then
    if type(x.path) ~= "string" then return nil, ("path is a text, not a %s"):format(type(x.path)) end
    local stat = host.stat(x.path) -- a pipe would hold the program until somebody writes into it
    local file, why
    if stat and stat.type ~= "file" then why = "it is no file" else file, why = io.open(x.path, "rb") end
    local size = file and file:seek "end"
    if not size then
      if file then file:close() end
      return nil, ("%s cannot be read: %s"):format(x.path, (why:gsub("^.*: ", "")))
    end
    return {
      size = size, name = x.path:match "[^/]*$", seed = x.path,
      read = function(at, n)
        file:seek("set", at)
        return file:read(n)
      end,
      close = function() file:close() end,
    }
  end
  local bytes = x.document or x.photo
  if type(bytes) ~= "string" then return nil, ("the bytes of a file are a string, not a %s"):format(type(bytes)) end
  return {
    size = #bytes, name = x.photo and "photo.jpg" or "file", seed = bytes, read = function(at, n) return bytes:sub(at + 1, at + n) end,
    close = function() end,
  }
end

-- Sends all parts; the InputFile.
local function send(core, from, name)
  local parts, big = (from.size + PART - 1) // PART, from.size > BIG
  -- The same for a handler that runs again after a crash, so that what it sends counts as the same.
  local id = core.randomId:next("upload.saveFilePart", { file_part = parts, bytes = crypto.sha256(from.seed) }, "file_id")
  local method = big and "upload.saveBigFilePart" or "upload.saveFilePart"
  local next_ = 0
  local function work()
    while next_ < parts do
      local part = next_
      next_ = part + 1
      local bytes = from.read(part * PART, PART)
      if not bytes then error(("%s has become shorter while it was read"):format(name), 0) end
      core:invoke(method, { file_id = id, file_part = part, file_total_parts = big and parts or nil, bytes = bytes })
    end
  end
  local workers = {}
  for i = 2, math.min(ABREAST, parts) do workers[i - 1] = task.spawn(work) end
  for _, worker in ipairs(workers) do core_.markHandled(worker) end
  local ok, err = pcall(work)
  if not ok then next_ = parts end
  for _, worker in ipairs(workers) do
    local fine, why = pcall(core_.await, worker)
    if ok and not fine then ok, err = false, why end
  end
  if not ok then error(err, 0) end
  if big then return { _ = "inputFileBig", id = id, parts = parts, name = name } end
  return { _ = "inputFile", id = id, parts = parts, name = name, md5_checksum = "" }
end

--- Uploads what isFile knows: the InputMedia, or nil and what is wrong. Waits; raises what the server refuses.
function upload.media(core, x)
  for key in pairs(x) do
    if not known[key] then return nil, ('media has no "%s"%s'):format(tostring(key), suggest.hint(tostring(key), known)) end
  end
  if x.path ~= nil and (type(x.photo) == "string" or type(x.document) == "string") then return nil, "give a path or bytes, not both" end
  local from, why = source(x)
  if not from then return nil, why end
  local name = x.name or from.name
  if type(name) ~= "string" then why = "name is a text, not a " .. type(name) end
  if x.attributes ~= nil then
    if type(x.attributes) ~= "table" then
      why = "attributes are a list of DocumentAttribute, not a " .. type(x.attributes)
    else
      local n, wrong = tl.list(x.attributes)
      if not n then why = "attributes: " .. wrong end
    end
  end
  if from.size == 0 then why = ("%s is empty"):format(name) end
  if from.size > SIZE_MAX then why = ("%s is too long: %d bytes, of %d at most"):format(name, from.size, SIZE_MAX) end
  if why then
    from.close()
    return nil, why
  end
  local ok, file = pcall(send, core, from, name)
  from.close()
  if not ok then error(file, 0) end
  if x.photo then return { _ = "inputMediaUploadedPhoto", file = file, spoiler = x.spoiler, ttl_seconds = x.ttl_seconds } end
  local attributes = { { _ = "documentAttributeFilename", file_name = name } }
  for _, a in ipairs(x.attributes or {}) do attributes[#attributes + 1] = a end
  return {
    _ = "inputMediaUploadedDocument", file = file, mime_type = x.mime or mime.ofName(name), attributes = attributes, spoiler = x.spoiler,
    ttl_seconds = x.ttl_seconds, force_file = x.force_file,
  }
end

return upload
