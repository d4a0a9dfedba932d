--- Kinds of files by the ends of their names, and back. Called by download.lua and upload.lua.
local mime = {}

local extensions = {
  ["image/jpeg"] = ".jpg", ["image/png"] = ".png", ["image/gif"] = ".gif", ["image/webp"] = ".webp", ["video/mp4"] = ".mp4",
  ["video/webm"] = ".webm", ["audio/ogg"] = ".ogg", ["audio/mpeg"] = ".mp3", ["application/pdf"] = ".pdf", ["text/plain"] = ".txt",
  ["application/x-tgsticker"] = ".tgs", ["application/zip"] = ".zip", ["application/json"] = ".json", ["text/csv"] = ".csv",
}
local kinds = { [".jpeg"] = "image/jpeg", [".htm"] = "text/html", [".html"] = "text/html", [".lua"] = "text/plain", [".md"] = "text/plain" }
for kind, extension in pairs(extensions) do kinds[extension] = kind end

--- ".jpg" of "image/jpeg"; "" where it is unknown.
function mime.extension(kind) return extensions[kind] or "" end

--- "image/jpeg" of "cat.jpg".
function mime.ofName(name) return kinds[(name:match "%.[^.]*$" or ""):lower()] or "application/octet-stream" end

return mime
