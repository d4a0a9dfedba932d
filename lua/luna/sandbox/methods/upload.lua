--- upload.*: parts in, pieces out.
local media = require "luna.sandbox.media"
local rpc = require "luna.sandbox.rpc"

local upload = {}

local MEGABYTE = 1048576

upload["upload.saveFilePart"] = function(ctx, p) return media.part(ctx, p.file_id, p.file_part, p.bytes) end

upload["upload.saveBigFilePart"] = function(ctx, p)
  if p.file_total_parts == 0 or p.file_part >= p.file_total_parts and p.file_total_parts > 0 then rpc.fail(400, "FILE_PARTS_INVALID") end
  return media.part(ctx, p.file_id, p.file_part, p.bytes)
end

local types = {
  ["\255\216\255"] = "storage.fileJpeg", ["\137PN"] = "storage.filePng", GIF = "storage.fileGif", ["%PD"] = "storage.filePdf",
}

upload["upload.getFile"] = function(ctx, p)
  local file = media.file(ctx, p.location)
  local unit = p.precise and 1024 or 4096
  if p.offset < 0 or p.offset % unit ~= 0 then rpc.fail(400, "OFFSET_INVALID") end
  if p.limit < 1 or p.limit > MEGABYTE or p.limit % unit ~= 0 then rpc.fail(400, "LIMIT_INVALID") end
  if not p.precise and MEGABYTE % p.limit ~= 0 then rpc.fail(400, "LIMIT_INVALID") end
  if p.offset // MEGABYTE ~= (p.offset + p.limit - 1) // MEGABYTE then rpc.fail(400, "LIMIT_INVALID") end
  if file.dc ~= ctx.dc then rpc.fail(303, ("FILE_MIGRATE_%d"):format(file.dc)) end
  return {
    _ = "upload.file", type = { _ = types[file.bytes:sub(1, 3)] or "storage.filePartial" }, mtime = file.date,
    bytes = file.bytes:sub(p.offset + 1, p.offset + p.limit),
  }
end

return upload
