--- The environment of one bot: its own globals over the read-only ones of the program, and its own `require`, whose modules of the bot's
--- folder are loaded into the same environment. So several bots share a process without meeting, and a reload starts anew.
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

--- A new environment for the script at `path` (nil: for code without a file). Returns it and the list that its loaded files go to, which
--- may be given: paths, and `texts` (path → what was read) and `missing` (where a module was looked for and not found); its `added`, where
--- somebody sets it, is called when a handler requires one more.
function environment.new(path, files)
  local folder = path and (path:match "^(.*)/[^/]*$" or ".") or "."
  local env = setmetatable({}, { __index = readOnlyGlobals() })
  env._G = env
  local loaded, loading, names = {}, {}, {}
  files = files or {}
  files.texts, files.missing = files.texts or {}, files.missing or {}

  local function take(where)
    local text = readable(where)
    if not text then
      files.missing[#files.missing + 1] = where
      return nil
    end
    local new = not files.texts[where]
    if new then files[#files + 1] = where end
    files.texts[where] = text
    if new and files.added then files.added() end
    return text
  end

  local places = { folder .. "/?.lua", folder .. "/?/init.lua", folder .. "/lua_modules/share/lua/5.4/?.lua",
    folder .. "/lua_modules/share/lua/5.4/?/init.lua" }

  --- require of this bot.
  function env.require(name)
    if type(name) ~= "string" then error(("require wants the name of a module, got a %s"):format(type(name)), 2) end
    if loaded[name] ~= nil then return loaded[name], names[name] end
    if isShared(name) then
      if package.loaded[name] ~= nil then return require(name) end
      local results = table.pack(pcall(require, name))
      if results[1] then return table.unpack(results, 2, results.n) end
      local missing = type(results[2]) == "string" and results[2]:find(("module '%s' not found:"):format(name), 1, true)
      if missing then error(("module '%s' not found: luna has none of that name"):format(name), 2) end
      error(results[2], 0)
    end
    local file = name:gsub("%.", "/")
    for _, template in ipairs(places) do
      local where = template:gsub("%?", (file:gsub("%%", "%%%%")))
      local text = take(where)
      if text then
        if loading[name] then error(('the module "%s" requires itself'):format(name), 2) end
        loading[name] = true
        local chunk, why = load(text:gsub("^#[^\n]*", "", 1), "@" .. where, "t", env)
        if not chunk then
          loading[name] = nil
          error(why, 0)
        end
        names[name] = where
        local value = chunk(name, where)
        loading[name] = nil
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
