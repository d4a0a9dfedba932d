--- Routes of a handler class: Echo:on, Echo:command, Echo:use. They belong to the class, so they come and go with a version of the script.
--- Called by luna.handler when a script names one, and by luna.dispatch, once for each kind of update and version, for the function that
--- takes an update through middleware, message:ask, routes and the on… method. A bot without any of these never loads this file.
local Class = require "luna.class"
local filters = require "luna.filters"
local scope = require "luna.scope"
local suggest = require "luna.suggest"

local routes = {}

-- What an update is to a filter.
local kinds = {
  updateNewMessage = "new", updateNewChannelMessage = "new", updateEditMessage = "edit", updateEditChannelMessage = "edit",
  updateBotCallbackQuery = "callback", updateInlineBotCallbackQuery = "callback", updateBotInlineQuery = "inline",
}
routes.kinds = kinds

local ASKABLE = { new = true, callback = true } -- what may answer message:ask

local commandOptions = { description = true }

-- A class's own list, in the order of the script: { filters, fn } or { middleware = fn } or { plugin = class }.
local function own(class)
  local list = rawget(class, "_routes")
  if not list then
    list = {}
    class._routes = list
  end
  return list
end

local function check(class, name, level)
  local handler = require "luna.handler"
  if not handler.isHandler(class) then
    local what = type(class) == "table" and rawget(class, "_core") and "the bot's instance: routes belong to its class"
      or "called with a colon, on a class"
    error(('%s is %s: Echo:%s(…) at the top of the script'):format(name, what, name), level + 1)
  end
  if class == handler.EventHandler then
    error(("luna.EventHandler:%s: that would be for every bot; make a class with :extend \"Name\""):format(name), level + 1)
  end
  return ("%s:%s"):format(class.__name, name)
end

local function checkFunction(what, shape, fn, level)
  if type(fn) == "function" then return end
  error(("%s%s: fn is %s, not a function%s"):format(what, shape, fn == nil and "nil" or "a " .. type(fn),
    fn == nil and " (is it defined further down?)" or ""), level + 1)
end

-- A class that runs already (at the REPL) is looked up anew.
local function changed(class)
  for _, core in ipairs(scope.all()) do
    local dispatch = core.dispatch
    if dispatch and dispatch.class and Class.extends(dispatch.class, class) then dispatch:forget() end
  end
end

local function add(class, entry, level)
  local at = debug.getinfo(level + 1, "Sl")
  entry.where = at and ("%s:%d"):format(at.short_src, at.currentline)
  local list = own(class)
  list[#list + 1] = entry
  changed(class)
end

--- Echo:on(filter, fn)
function routes.on(class, filter, fn, level)
  local what = check(class, "on", level + 1)
  checkFunction(what, "(filter, fn)", fn, level + 1)
  local name = type(filter) == "string" and filter:match "^%^?/([%w_]+)%$?$"
  if name then error(('%s: %q is a command: say %s:command("%s", fn)'):format(what, filter, class.__name, name), level + 1) end
  add(class, { filters = filters.compile(filter, what, level + 1), fn = fn, filter = filter }, level + 1)
end

--- Echo:command(name | { names }, fn, { description = })
function routes.command(class, name, fn, options, level)
  local what = check(class, "command", level + 1)
  if type(name) ~= "string" and (type(name) ~= "table" or type(name[1]) ~= "string") then
    error(("%s(name, fn): the name is a text or a list of texts, not a %s"):format(what, type(name)), level + 1)
  end
  checkFunction(what, "(name, fn)", fn, level + 1)
  if options ~= nil then
    if type(options) ~= "table" then error(("%s: the options are a table, not a %s"):format(what, type(options)), level + 1) end
    suggest.check(options, commandOptions, what .. ": unknown option", level + 1)
    local text = options.description
    if type(text) ~= "string" or not text:find "%S" then
      error(("%s: the description is a text that says what the command does"):format(what), level + 1)
    end
  end
  add(class, {
    filters = filters.compile({ command = name }, what, level + 1), fn = fn,
    command = type(name) == "table" and name[1] or name, description = options and options.description,
  }, level + 1)
end

--- What a route is called, as a person reads it: 'Menu:command "start"', 'Menu:on{ callback = "^order" }'.
function routes.label(class, entry)
  if entry.command then return ('%s:command "%s"'):format(class.__name, entry.command) end
  local text = require "luna.inspect"(entry.filter, { depth = 3, string = 40, entries = 6 }):gsub("function: 0x%x+", "function")
  return ("%s:on%s%s"):format(class.__name, type(entry.filter) == "table" and "" or " ", text)
end

--- The label of the route, or "middleware", whose function that is; nil where it is none of the class.
function routes.labelOf(class, fn)
  for _, entry in ipairs(class and class._routes or {}) do
    if entry.fn == fn then return routes.label(class, entry) end
    if entry.middleware == fn then return "middleware" end
  end
end

--- The newest route takes the place of an older one of the same label: at the prompt of `luna repl`.
function routes.replace(class)
  local list = own(class)
  local new = list[#list]
  for i = 1, #list - 1 do
    if new.filters and list[i].filters and routes.label(class, list[i]) == routes.label(class, new) then
      list[i] = table.remove(list)
      return
    end
  end
end

--- Every function of the class's own routes and middleware.
function routes.functions(class)
  local list = {}
  for _, entry in ipairs(rawget(class, "_routes") or {}) do
    local filter = type(entry.filter) == "table" and entry.filter.where or entry.filter
    for _, fn in ipairs { entry.fn or entry.middleware or false, filter or false } do
      if type(fn) == "function" then list[#list + 1] = fn end
    end
  end
  return list
end

-- ---- plugins ----

local notMixed = { extend = true, init = true, super = true }
local ofTheBot = { settings = true, persist = true }

-- What a plugin has and the class has not becomes the class's. on… of two plugins, or one method in both, is for the script to decide.
local function mix(class, plugin, what, level)
  local base = require("luna.handler").EventHandler
  local c = plugin
  local wanted = {}
  while c and c ~= base do
    for name, value in pairs(c) do
      if type(name) == "string" and not name:find "^_" and not notMixed[name] and wanted[name] == nil then wanted[name] = value end
    end
    c = rawget(c, "super")
  end
  local mixed = rawget(class, "_mixed") or {}
  local theirs = plugin.__name
  for name, value in pairs(wanted) do
    if ofTheBot[name] then
      error(("%s(%s): %s.%s is the bot's to say: %s.%s = …"):format(what, theirs, theirs, name, class.__name, name), level + 1)
    end
    if mixed[name] and rawget(class, name) ~= value then
      error(("%s(%s): %s and %s both have %s: write %s.%s above, and call theirs there"):format(what, theirs, mixed[name], theirs, name,
        class.__name, name), level + 1)
    end
  end
  class._mixed = mixed
  for name, value in pairs(wanted) do
    if class[name] == nil or class[name] == base[name] then
      class[name], mixed[name] = value, theirs
    end
  end
end

--- Echo:use(function(self, update, next) … end | another handler class)
function routes.use(class, x, level)
  local what = check(class, "use", level + 1)
  if type(x) == "function" then
    add(class, { middleware = x }, level + 1)
    return
  end
  local handler = require "luna.handler"
  if not handler.isHandler(x) then
    error(("%s wants a function(self, update, next) or a handler class made by luna.EventHandler:extend \"Name\", not a %s"):format(what,
      type(x)), level + 1)
  end
  if Class.extends(class, x) or Class.extends(x, class) then
    error(("%s(%s): the one is made from the other"):format(what, x.__name), level + 1)
  end
  mix(class, x, what, level + 1)
  add(class, { plugin = x }, level + 1)
end

--- Every entry that a class has, in the order in which they are tried: its own, plugins where they are used, then those of what it extends.
--- Middleware of what it extends comes before its own.
function routes.of(class)
  local list, seen = {}, {}
  local function walk(c) -- gives its middleware
    local middleware = {}
    seen[c] = true
    for _, entry in ipairs(rawget(c, "_routes") or {}) do
      if entry.filters then
        list[#list + 1] = entry
      elseif entry.middleware then
        middleware[#middleware + 1] = entry
      elseif not seen[entry.plugin] then
        local theirs = walk(entry.plugin)
        table.move(theirs, 1, #theirs, #middleware + 1, middleware)
      end
    end
    local parent = rawget(c, "super")
    if not parent or seen[parent] then return middleware end
    local before = walk(parent)
    return table.move(middleware, 1, #middleware, #before + 1, before)
  end
  return list, walk(class)
end

--- The commands that have a description, as bots.setBotCommands wants them.
function routes.described(class)
  local out, seen = {}, {}
  for _, entry in ipairs((routes.of(class))) do
    local name = entry.command and entry.command:lower()
    if entry.description and not seen[name] then
      seen[name] = true
      out[#out + 1] = { _ = "botCommand", command = name, description = entry.description }
    end
  end
  return out
end

-- ---- an update's way ----

-- Around `inner`, each middleware in turn.
local function around(middleware, inner)
  local function step(i, instance, update)
    local entry = middleware[i]
    if not entry then return inner(instance, update) end
    local gone = false
    return entry.middleware(instance, update, function()
      if gone then error("next() has been called already: an update goes on once", 2) end
      gone = true
      return step(i + 1, instance, update)
    end)
  end
  return function(instance, update) return step(1, instance, update) end
end

--- The function(instance, update) for updates of that name, around `fn` (the on… method, the callback, or false): or `fn` itself where
--- there is nothing to go around it.
function routes.over(dispatch, name, fn)
  local class, kind = dispatch.class, kinds[name]
  local list, middleware = {}, {}
  if class then
    local all
    all, middleware = routes.of(class)
    for _, entry in ipairs(all) do
      for _, f in ipairs(entry.filters) do
        if f.kind == kind then
          list[#list + 1] = { f.test, dispatch.observe and dispatch.observe(entry, entry.fn) or entry.fn }
        end
      end
    end
  end
  local take = dispatch.asks and ASKABLE[kind] and require("luna.ask").take
  local inner = fn
  if #list > 0 or take then
    local n, ofMessage = #list, kind == "new" or kind == "edit"
    inner = function(instance, update)
      if take and take(dispatch, update) then return end
      local subject = update
      if ofMessage then subject = update.message end
      for i = 1, n do
        local route = list[i]
        local args = route[1](subject, instance)
        if args then return route[2](instance, subject, args, update) end
      end
      if fn then return fn(instance, update) end
    end
  end
  if #middleware == 0 then return inner end
  return around(middleware, inner or function() end)
end

return routes
