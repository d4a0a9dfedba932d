--- Which handlers of the bots under test have run, and which never: on… methods, routes, and inline buttons by the first word of their
--- data. `luna test --coverage` switches it on before the specs are loaded; the worlds tell it of their bots.
local coverage = { on = false }

local scripts = {} -- name → { [1…] = row, [label] = row }; a row is { label, where, count, kind = "on" | "route" | "button" }
local order = {}

local function row(name, kind, label, where)
  local script = scripts[name]
  if not script then
    script = {}
    scripts[name] = script
    order[#order + 1] = name
  end
  local key = kind .. " " .. label .. (kind == "route" and where or "")
  local r = script[key]
  if not r then
    r = { kind = kind, label = label, where = where, count = 0 }
    script[key] = r
    script[#script + 1] = r
  end
  return r
end

local function place(fn)
  local info = debug.getinfo(fn, "S")
  return info.source:match "^@(.*)$" or info.short_src, info.linedefined
end

-- A class's on… methods, its parents' too: name → { function, class }.
local function methods(class)
  local base = require("luna.handler").EventHandler
  local out, c = {}, class
  while c and c ~= base do
    for name, fn in pairs(c) do
      if type(name) == "string" and name:find "^on%u" and type(fn) == "function" and not out[name] then out[name] = fn end
    end
    c = rawget(c, "super")
  end
  return out
end

-- The name of the script that a version is of; nil for what a spec has made up.
local function scriptOf(version, path)
  if path then return path end
  local fn = type(version.handler) == "function" and version.handler or select(2, next(methods(version.class)))
  local source = fn and place(fn)
  return source and not source:find "_spec%.lua$" and source or nil
end

local function routeLabel(class, entry) return require("luna.routes").label(class, entry) end

-- All that a version has, so that what never runs has its row.
local function declare(name, version)
  local class = version.class
  if not class then
    local _, line = place(version.handler)
    row(name, "on", "the function for all updates", line)
    return
  end
  local list = {}
  for method, fn in pairs(methods(class)) do list[#list + 1] = { method, select(2, place(fn)) } end
  table.sort(list, function(a, b)
    if a[2] ~= b[2] then return a[2] < b[2] end
    return a[1] < b[1]
  end)
  for _, m in ipairs(list) do row(name, "on", ("%s:%s"):format(class.__name, m[1]), m[2]) end
  if not class._routes then return end
  for _, entry in ipairs((require("luna.routes").of(class))) do
    row(name, "route", routeLabel(class, entry), entry.where:match ":(%d+)$")
  end
end

local function counted(r, fn)
  return function(...)
    r.count = r.count + 1
    return fn(...)
  end
end

--- Watches what a bot's dispatch calls from now on. path: of its script, nil for a class or a function.
function coverage.attach(bot, dispatch, path)
  local name
  local function method(m)
    local r = name and dispatch.class and methods(dispatch.class)[m] and row(name, "on", ("%s:%s"):format(dispatch.class.__name, m))
    if r then r.count = r.count + 1 end
  end
  local install, guard, report = dispatch.install, dispatch.guard, dispatch.report
  function dispatch.install(self, version)
    name = scriptOf(version, path)
    if name then declare(name, version) end
    bot.script = name
    return install(self, version)
  end
  function dispatch.guard(self, m, ...)
    method(m)
    return guard(self, m, ...)
  end
  function dispatch.report(...)
    method "onError"
    return report(...)
  end
  --- what: the name of an update, or a route.
  function dispatch.observe(what, fn)
    local class = dispatch.class
    if not name then return fn end
    if type(what) == "table" then return counted(row(name, "route", routeLabel(class, what), what.where:match ":(%d+)$"), fn) end
    if not class then return counted(row(name, "on", "the function for all updates"), fn) end
    local m = "on" .. what:sub(1, 1):upper() .. what:sub(2)
    return counted(row(name, "on", ("%s:%s"):format(class.__name, class[m] and m or "onAny")), fn)
  end
end

-- "buy:12" → "buy"; bytes that are no word stand for themselves.
local function prefix(data) return data:match "^%w+" or ("%q"):format(data) end

--- Hears of the buttons in a world.
function coverage.follow(world)
  local heard = world.model.heard
  local function script(core)
    for _, bot in ipairs(world.bots) do
      if bot.id == (core.via or core.by) then return bot.script end
    end
  end
  world.model.heard = function(kind, e)
    heard(kind, e)
    local name = e.core and script(e.core)
    if not name then return end
    if kind == "press" then
      local r = row(name, "button", prefix(e.data))
      r.count = r.count + 1
    elseif kind == "send" or kind == "edit" then
      for _, line in ipairs(e.markup and e.markup._ == "replyInlineMarkup" and e.markup.rows or {}) do
        for _, b in ipairs(line.buttons) do
          if b.type.data then row(name, "button", prefix(b.type.data)) end
        end
      end
    end
  end
end

--- { [script] = { handlers = { { name, line, count }, … }, routes = …, buttons = … } }
function coverage.data()
  local out = {}
  local lists = { on = "handlers", route = "routes", button = "buttons" }
  for name, script in pairs(scripts) do
    local one = { handlers = {}, routes = {}, buttons = {} }
    for _, r in ipairs(script) do
      table.insert(one[lists[r.kind]], { name = r.label, line = r.where and math.tointeger(tonumber(r.where)), count = r.count })
    end
    out[name] = one
  end
  return out
end

local function lines(out, title, list, never)
  if #list == 0 then return end
  if title then out[#out + 1] = "  " .. title end
  for _, r in ipairs(list) do
    local text = r.line and ("%s (line %d)"):format(r.name, r.line) or r.name
    out[#out + 1] = r.count > 0 and ("  %6d  %s"):format(r.count, text) or ("       -  %s: never %s"):format(text, never)
  end
end

--- The report as text.
function coverage.text()
  local data, out = coverage.data(), {}
  table.sort(order)
  for _, name in ipairs(order) do
    local one, ran, all = data[name], 0, 0
    for _, kind in ipairs { "handlers", "routes" } do
      for _, r in ipairs(one[kind]) do
        all = all + 1
        if r.count > 0 then ran = ran + 1 end
      end
    end
    out[#out + 1] = ("%s: %d of %d handlers have run"):format(name, ran, all)
    lines(out, nil, one.handlers, "run")
    lines(out, nil, one.routes, "run")
    lines(out, "buttons, by the first word of their data:", one.buttons, "pressed")
  end
  if #out == 0 then return "no bot of a script has run" end
  return table.concat(out, "\n")
end

return coverage
