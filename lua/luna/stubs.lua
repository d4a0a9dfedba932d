--- Stubs for editors and checkers (LuaCATS): the Lua API, hand-written in luna/_meta, and the schema, generated. `luna stubs` and
--- `luna new` write them to a folder, which a .luarc.json names. Owns the file `version` there, which says whether they are still ours.
local host = require "_luna.host"
local tl = require "_luna.tl"
local errors = require "luna.errors"
local source = require "luna.help.source"
local docs = require "luna.help.api"

local stubs = {}

--- Where they are in a project.
stubs.folder = ".luna/stubs"

-- What a method is with an options table as the last argument: a promise, or what it gives without.
local function overloads(entry, lines)
  local parts, results = { "self: luna.Helpers" }, {}
  for _, p in ipairs(entry.params) do
    parts[#parts + 1] = ("%s: %s%s"):format(p.name, docs.split(p.type), p.optional and "?" or "")
  end
  for i, r in ipairs(entry.returns) do results[i] = docs.split(r) end
  local head = ("---@overload fun(%s, options: "):format(table.concat(parts, ", "))
  lines[#lines + 1] = head .. ("luna.AsyncOptions): luna.Promise<%s>"):format(results[1] or "any")
  lines[#lines + 1] = head .. ("luna.CallOptions)%s"):format(#results > 0 and ": " .. table.concat(results, ", ") or "")
end

--- The helpers as methods, made of those of `luna`.
local function helperMethods()
  local lines = {
    "---@meta", "", "---The helpers, as methods of API objects and handlers.", "---@class luna.Helpers", "local Helpers = {}", "",
  }
  for _, entry in ipairs(source.entries "helpers") do
    for _, line in ipairs(entry.lines) do
      if entry.name == "call" and line:find "^%-%-%-@return" then line = "---@return luna.Promise" end
      lines[#lines + 1] = line
    end
    if not docs.plain[entry.name] then overloads(entry, lines) end
    lines[#lines + 1] = ("function Helpers:%s(%s) end"):format(entry.name, entry.arguments)
    lines[#lines + 1] = ""
  end
  return table.concat(lines, "\n")
end

--- What the file `version` says of stubs that are this program's.
function stubs.version() return ("luna %s, layer %d\n"):format(host.version, tl.layer) end

--- Every file: path below the folder → text.
function stubs.files()
  local files = { ["luna/helper_methods.lua"] = helperMethods(), version = stubs.version() }
  for _, name in ipairs(source.names) do files[source.paths[name]] = source.text(name) end
  for name, text in pairs(require("luna.stubs.schema").files()) do files["luna/schema/" .. name .. ".lua"] = text end
  return files
end

--- Writes them all into a folder; returns how many. Raises where it cannot.
function stubs.write(folder)
  local count = 0
  local function put(path, text)
    local full = folder .. "/" .. path
    local made, why = host.mkdirs(full:match "^(.*)/", 493) -- rwxr-xr-x
    if made then made, why = host.writeFile(full, text, 420) end -- rw-r--r--
    if not made then errors.throw(errors.classes.Exception(("the stubs cannot be written: %s"):format(tostring(why)))) end
  end
  local version
  for path, text in pairs(stubs.files()) do
    if path == "version" then version = text else put(path, text) end
    count = count + 1
  end
  if folder == stubs.folder then host.writeFile(folder:match "^(.*)/" .. "/.gitignore", "*\n", 420) end -- generated: nothing to keep
  put("version", version) -- last: it says that the others are there
  return count
end

--- Writes them where they are missing or another version's; whether it did.
function stubs.refresh(folder)
  if host.readFile(folder .. "/version") == stubs.version() then return false end
  stubs.write(folder)
  return true
end

return stubs
