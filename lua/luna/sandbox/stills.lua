--- Snapshots of conversations: texts that a spec compares with files beside it, spec/bots/snapshots/menu/NAME.txt for
--- spec/bots/menu_spec.lua. Called by world:snapshot; `luna test` says whether they are to be written, and asks which nobody uses any more.
local host = require "_luna.host"
local system = require "_luna.system"
local diff = require "luna.sandbox.diff"

local stills = { update = false, notes = {} }

local used = {} -- path → the text that it was compared with

local function isCI()
  local ci = host.env "CI"
  return ci ~= nil and ci ~= "" and ci ~= "false" and ci ~= "0"
end

-- The spec that runs: the nearest *_spec.lua among the callers.
local function spec()
  for level = 3, 60 do
    local info = debug.getinfo(level, "S")
    if not info then return nil end
    local path = info.source:match "^@(.*_spec%.lua)$"
    if path then return path end
  end
end

-- nil for a file that is tested by its name alone, whatever it is.
local function folderOf(path)
  local folder, stem = path:match "^(.-)([^/]+)_spec%.lua$"
  return folder and folder .. "snapshots/" .. stem
end

local function fileOf(path, name)
  local slug = name:gsub("[^%w\128-\255._-]+", "-"):gsub("^[-.]+", ""):gsub("-+$", "")
  if slug == "" then return nil end
  return folderOf(path) .. "/" .. slug .. ".txt"
end

local function note(...) stills.notes[#stills.notes + 1] = (...):format(select(2, ...)) end

--- The notes since the last call: lines for who runs the tests.
function stills.take()
  local notes = stills.notes
  stills.notes = {}
  return notes
end

local function write(file, text)
  host.mkdirs(file:match "^(.*)/", 493) -- rwxr-xr-x
  local ok, why = host.writeFile(file, text, 420) -- rw-r--r--
  if not ok then error(("the snapshot cannot be written: %s"):format(why), 0) end
end

--- Compares; writes where nothing is there yet, or where that is asked for. Raises what differs, at `level`.
function stills.check(name, text, level)
  if type(name) ~= "string" or name == "" then error(("a snapshot has a name, not a %s"):format(type(name)), level + 1) end
  if type(text) ~= "string" then error(("a snapshot is a text, not a %s"):format(type(text)), level + 1) end
  local path = spec()
  if not path then error("snapshots are kept beside a spec: call this from a file *_spec.lua", level + 1) end
  local file = fileOf(path, name)
  if not file then error(("%q is no name for a snapshot: letters or digits"):format(name), level + 1) end
  text = text:gsub("%s+$", "") .. "\n"
  local before = host.readFile(file)
  local again = used[file]
  used[file] = text
  if before == text then return end
  if stills.update or not before and not isCI() then
    if again and again ~= text then
      error(("two snapshots of this spec are called %q, and they differ"):format(name), level + 1)
    end
    write(file, text)
    note("snapshot %s: %s", before and "changed" or "written", file)
    return
  end
  if not before then
    error(("there is no snapshot %s, and CI writes none: run luna test %s and commit it\n%s"):format(file, path, text), level + 1)
  end
  error(("the conversation is not that of %s (- there, + now; luna test --update-snapshots %s takes it over)\n%s"):format(file, path,
    diff.text(before, text)), level + 1)
end

--- Files of snapshots that no test has asked for, among the folders of these specs, all of which have run from end to end; and those
--- whose spec is gone.
function stills.unused(specs)
  local list, parents, known = {}, {}, {}
  for _, path in ipairs(specs) do
    local folder = folderOf(path)
    if folder then
      known[folder] = true
      parents[folder:match "^(.*)/"] = true
    end
  end
  for parent in pairs(parents) do
    for _, stem in ipairs(system.names(parent) or {}) do
      local folder = parent .. "/" .. stem
      local gone = not host.stat((parent:gsub("snapshots$", "")) .. stem .. "_spec.lua")
      for _, name in ipairs((known[folder] or gone) and system.names(folder) or {}) do
        local file = folder .. "/" .. name
        if name:find "%.txt$" and not used[file] then list[#list + 1] = file end
      end
    end
  end
  table.sort(list)
  return list
end

--- Takes such files away.
function stills.remove(files)
  for _, file in ipairs(files) do host.remove(file) end
end

return stills
