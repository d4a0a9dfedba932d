--- The watch over what a script was loaded from: its files, the places where a module was looked for, folders of plugins, and every folder
--- and symbolic link on the way to them. Looks at contents, so that a save without a change, a chmod or an editor's own files do nothing.
--- Where the system does not tell of changes, it looks every two seconds. Made by luna.reload; owns the host's watch and the timers.
local host = require "_luna.host"
local system = require "_luna.system"
local task = require "_luna.task"
local timer = require "_luna.timer"
local Class = require "luna.class"
local environment = require "luna.environment"
local Logger = require "luna.logger"

local Watch = Class.new "Watch"

local GONE = 0.5 -- seconds that a file may be missing before it counts as removed
local EVERY = 2 -- seconds between two looks where the system does not tell
local FRESH = 3 -- seconds in which a file may change again without another time of change
local LINKS, PLACES = 16, 4096

--- opts: path (the script's), log(level, text), changed(paths): called when something differs from what was read, over(): whether all has
--- ended.
function Watch:init(opts)
  self.path, self.log, self.changed, self.over = opts.path, opts.log, opts.changed, opts.over
end

local function join(folder, name)
  if folder == "." then return name end
  return folder == "/" and "/" .. name or folder .. "/" .. name
end

local function folderOf(place) return place:match "^(.+)/[^/]*$" or place:sub(1, 1) == "/" and "/" or "." end

-- Every place whose change may change what a load gives, sorted; and those of them where the files themselves are.
local function places(files)
  local list, known, own = {}, {}, {}
  local function add(place)
    if known[place] then return end
    known[place] = true
    list[#list + 1] = place
  end
  -- Each step on the way to a path, and on the way to where a step's link leads; ends where nothing is yet. Gives the last place.
  local function walk(path, links)
    local folder, place = path:sub(1, 1) == "/" and "/" or ".", nil
    for step in path:gmatch "[^/]+" do
      if step ~= "." then
        place = join(folder, step)
        if step ~= ".." and not known[place] then
          add(place)
          local target = links < LINKS and host.readlink(place)
          if target then walk(target:sub(1, 1) == "/" and target or join(folder, target), links + 1) end
        end
        if not host.stat(place) then return place end
        folder = place
      end
    end
    return place
  end
  local function file(path) own[walk(path, 0)] = true end
  for path in pairs(files.texts) do file(path) end
  for path in pairs(files.missing) do file(path) end
  for path, modules in pairs(files.folders) do
    file(path)
    if modules then
      local any = join(path, "*")
      add(any)
      own[any] = true
      local _, folders = environment.modules(path)
      for _, name in ipairs(folders or {}) do file(("%s/%s/init.lua"):format(path, name)) end
    end
  end
  table.sort(list)
  return list, own
end

-- The modules of a folder as a text; one that is not there has none, but is another.
local function listed(modules) return modules and "/" .. table.concat(modules, "/") or "" end

-- What differs from what the last load read, as a list of paths, and whether a file is gone that was there. A script that is not there is
-- just being replaced.
local function differs(self)
  local files, list, gone = self.files, {}, false
  if files.texts[self.path] and not host.readFile(self.path) then return list, false end
  for path, text in pairs(files.texts) do
    local now = host.readFile(path)
    if now ~= text then list[#list + 1] = path end
    gone = gone or not now
  end
  for path in pairs(files.missing) do
    local stat = host.stat(path)
    if stat and stat.type ~= "directory" then list[#list + 1] = path end
  end
  for path, modules in pairs(files.folders) do
    if listed(environment.modules(path)) ~= listed(modules) then list[#list + 1] = path end
  end
  table.sort(list)
  return list, gone
end

local function look(self, sure)
  task.owner(0)
  if self.closed then return end
  if self.over() then return self:close() end
  local list, gone = differs(self)
  if gone and not sure then
    self.grace = self.grace or timer.unref(timer.after(GONE, function()
      self.grace = nil
      look(self, true)
    end))
  elseif #list > 0 then
    self.changed(list)
  end
end

-- ---- where nobody tells ----

-- What the files look like from outside, and whether one is so fresh that this may not tell.
local function outside(self)
  local parts, fresh = {}, false
  local now = timer.wall()
  local function add(path)
    local stat = host.stat(path)
    parts[#parts + 1] = stat and ("%s %.9f %d %d"):format(path, stat.mtime, stat.size, stat.ino) or path
    fresh = fresh or stat ~= nil and math.abs(now - stat.mtime) < FRESH
  end
  for path in pairs(self.files.texts) do add(path) end
  for path in pairs(self.files.missing) do add(path) end
  for path in pairs(self.files.folders) do
    parts[#parts + 1] = path .. " " .. listed(environment.modules(path))
  end
  table.sort(parts)
  return table.concat(parts, "\n"), fresh
end

local function poll(self)
  task.owner(0)
  if self.closed then return end
  local now, fresh = outside(self)
  if now ~= self.outside then
    self.outside = now
    self:rewatch(true)
  elseif fresh then
    look(self)
  end
end

-- A place with files of ours that the system does not tell of, and why; nil where there is none.
local function untold(own, left)
  for _, place in ipairs(left) do
    if own[place] then return place, "cannot be watched (the system's limit, or rights)" end
  end
  local asked = {}
  for place in pairs(own) do
    local folder = folderOf(place)
    if asked[folder] == nil then asked[folder] = system.remote(folder) or false end
    if asked[folder] then return place, "is on " .. asked[folder] end
  end
end

local function pollWhere(self, own, left)
  local place, why = untold(own, left)
  if not place then
    if self.timer then timer.cancel(self.timer) end
    self.timer = nil
    return
  end
  self.outside = outside(self)
  if self.timer then return end
  self.timer = timer.unref(timer.every(EVERY, poll, self))
  self.log(Logger.NOTICE, ("%s %s: changes are looked for every %d s"):format(place, why, EVERY))
end

-- ---- the watch ----

--- Watches what is there now. anew: also where the places are the same, since a folder may have been replaced by another.
function Watch:rewatch(anew)
  if self.closed then return end
  local list, own = places(self.files)
  local key = table.concat(list, "\0")
  if key == self.key and not anew then return task.defer(look, self) end
  self.key = key
  local rest = #list > PLACES and table.move(list, PLACES + 1, #list, 1, {}) or {}
  for i = #list, PLACES + 1, -1 do list[i] = nil end
  local before = self.handle
  local left
  self.handle, left = host.watchFiles(list, function()
    task.owner(0)
    self:rewatch(true)
  end)
  if before then before:close() end
  pollWhere(self, own, table.move(rest, 1, #rest, #left + 1, left))
  task.defer(look, self) -- what was changed before the watch began, or while the files were read
end

--- From now on it is about these files, as luna.environment lists them; a handler may require more of them later.
function Watch:follow(files)
  if self.files then self.files.added = nil end
  self.files = files
  local due
  files.added = function()
    if due or self.closed then return end
    due = true
    task.defer(function()
      due = nil
      task.owner(0)
      if self.files == files then self:rewatch() end
    end)
  end
  self:rewatch()
end

function Watch:close()
  self.closed = true
  if self.handle then self.handle:close() end
  if self.timer then timer.cancel(self.timer) end
  if self.grace then timer.cancel(self.grace) end
  if self.files then self.files.added = nil end
end

return Watch
