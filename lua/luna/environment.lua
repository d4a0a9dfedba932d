--- The environment of one bot: its own globals over the read-only ones of the program, and its own `require`, whose modules of the bot's
--- folder are loaded into the same environment. So several bots share a process without meeting, and a reload starts anew.
local host = require "_luna.host"
local promise = require "_luna.promise"
local system = require "_luna.system"
local task = require "_luna.task"

local environment = {}

local function readOnlyGlobals()
  return setmetatable({}, {
    __index = _G,
    __newindex = function(_, name) error(('"%s" is a global of the program and cannot be set'):format(tostring(name)), 2) end,
    __pairs = function() return pairs(_G) end,
  })
end

local function readable(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end

-- Modules of the library and of the program stay what they are for everybody.
local function isShared(name)
  return name == "luna" or name:find("^luna%.") or name:find "^_luna%." or package.loaded[name] ~= nil and not name:find "^%."
end

-- Raises, at the line of the require, where no module of that name is to be found: in a line rather than in a list of twenty files.
local function mustBeSomewhere(name, folder)
  if package.preload[name] or #package.searchers > 5 then return end
  local root = name:match "^[^.]*"
  local found = package.searchpath
  if found(name, package.path) or found(name, package.cpath) or found(root, package.cpath) then return end
  local file = name:gsub("%.", "/")
  error(("module '%s' not found: there is no %s.lua or %s/init.lua in %s, and none is installed (package.path, package.cpath)"):format(name,
    file, file, folder == "." and "the script's folder" or folder), 3)
end

--- What `require "folder.*"` loads: the names of the modules in a folder (x.lua, x/init.lua), sorted, and those of its folders; nil where
--- it is no folder. A name with a dot in it is none: editors and people keep copies so.
function environment.modules(folder)
  local all = system.names(folder)
  if not all then return nil end
  local names, folders, seen = {}, {}, {}
  table.sort(all)
  for _, name in ipairs(all) do
    local stem = name:match "^([^.]+)%.lua$"
    local stat = not name:find(".", 1, true) and host.stat(folder .. "/" .. name)
    if stat and stat.type == "directory" then
      folders[#folders + 1] = name
      stem = host.stat(("%s/%s/init.lua"):format(folder, name)) and name
    end
    if stem and stem ~= "init" and not seen[stem] then
      seen[stem] = true
      names[#names + 1] = stem
    end
  end
  table.sort(names)
  return names, folders
end

--- A new environment for the script at `path` (nil: for code without a file). Returns it and what it has read, which may be given: `texts`
--- (path → text), `missing` (the set of places where a module was looked for and not found) and `folders` (a folder of which all modules
--- were wanted → their names, or false where it was not there); `added`, where somebody sets it, is called when a handler requires more.
function environment.new(path, files)
  local folder = path and (path:match "^(.*)/[^/]*$" or ".") or "."
  local env = setmetatable({}, { __index = readOnlyGlobals() })
  env._G = env
  local loaded, loading, names = {}, {}, {}
  files = files or {}
  files.texts, files.missing, files.folders = files.texts or {}, files.missing or {}, files.folders or {}

  local function take(where)
    local text = readable(where)
    local new = not files.texts[where] and (text or not files.missing[where])
    if text then
      files.texts[where], files.missing[where] = text, nil
    elseif not files.texts[where] then
      files.missing[where] = true
    end
    if new and files.added then files.added() end
    return text
  end

  local places = { "/?.lua", "/?/init.lua", "/lua_modules/share/lua/5.4/?.lua", "/lua_modules/share/lua/5.4/?/init.lua" }

  -- Every module of a folder: the values that they return, in the order of their names, and by name. One that returns nothing (a file that
  -- is still empty) is by its name alone.
  local function all(name)
    local inside = name:sub(1, -3)
    local where = ("%s/%s"):format(folder, (inside:gsub("%.", "/")))
    local found = environment.modules(where)
    local new = files.folders[where] == nil
    files.folders[where] = found or false
    if new and files.added then files.added() end
    if not found then error(("require \"%s\": there is no folder %s"):format(name, where), 3) end
    local values = {}
    for _, stem in ipairs(found) do
      local value = env.require(inside .. "." .. stem)
      values[stem] = value
      if value ~= true then values[#values + 1] = value end
    end
    loaded[name], names[name] = values, where
    return values, where
  end

  -- Waits until another task has loaded a module, or has failed to. Raises at the require where that task waits for this one.
  local function settle(name)
    local me = task.current().id
    local other = loading[name]
    while other and other.id ~= me do other = loading[other.waits] end
    if other then error(('the module "%s" requires itself'):format(name), 3) end
    local function waits(what)
      for _, one in pairs(loading) do
        if one.id == me then one.waits = what end
      end
    end
    waits(name)
    promise.await(loading[name].over)
    waits(nil)
  end

  -- Runs a module's top level, which may wait, and may be wanted by others meanwhile.
  local function run(name, chunk, where)
    local mine = { id = task.current().id, over = promise.new() }
    loading[name] = mine
    local _ <close> = setmetatable({}, { __close = function()
      loading[name] = nil
      promise.resolve(mine.over)
    end })
    return (chunk(name, where))
  end

  --- require of this bot.
  function env.require(name)
    if type(name) ~= "string" then error(("require wants the name of a module, got a %s"):format(type(name)), 2) end
    if loaded[name] ~= nil then return loaded[name], names[name] end
    if name:find "^[^*]+%.%*$" and not isShared(name) then
      local values, where = all(name)
      return values, where
    end
    if isShared(name) then
      if package.loaded[name] ~= nil then return require(name) end
      local results = table.pack(pcall(require, name))
      if results[1] then return table.unpack(results, 2, results.n) end
      local missing = type(results[2]) == "string" and results[2]:find(("module '%s' not found:"):format(name), 1, true)
      if missing then error(("module '%s' not found: luna has none of that name"):format(name), 2) end
      error(results[2], 0)
    end
    local file = name:gsub("%.", "/")
    if loading[name] then
      settle(name)
      if loaded[name] ~= nil then return loaded[name], names[name] end
    end
    for _, template in ipairs(places) do
      local where = folder .. template:gsub("%?", (file:gsub("%%", "%%%%")))
      local text = take(where)
      if text then
        local chunk, why = load(text:gsub("^#[^\n]*", "", 1), "@" .. where, "t", env)
        if not chunk then error(why, 0) end
        names[name] = where
        local value = run(name, chunk, where)
        if loaded[name] == nil then loaded[name] = value == nil and true or value end
        return loaded[name], where
      end
    end
    mustBeSomewhere(name, folder)
    return require(name)
  end

  env.package = setmetatable({ loaded = loaded }, { __index = package })
  env.load = function(chunk, name, mode, e) return load(chunk, name, mode, e == nil and env or e) end
  env.loadfile = function(where, mode, e)
    if type(where) == "string" then take(where) end
    return loadfile(where, mode, e == nil and env or e)
  end
  env.dofile = function(where)
    if type(where) == "string" then take(where) end
    local chunk, why = loadfile(where, "t", env)
    if not chunk then error(why, 0) end
    return chunk()
  end
  return env, files
end

return environment
