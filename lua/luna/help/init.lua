--- What `luna help WHAT` and `:help NAME` of the REPL say: finds what a word means (in schema, Lua API, settings, commands) and
--- makes its page; else searches, and guesses. `help.find(word)` gives pages; `help.text(word, colour)` all of it as text.
local tl = require "_luna.tl"
local suggest = require "luna.suggest"
local api = require "luna.help.api"
local schema = require "luna.help.schema"
local Page = require "luna.help.page"

local help = {}

local function commandPage(name)
  for _, c in ipairs(require "luna.cli.commands") do
    if c[1] == name then
      local ok, command = pcall(require, "luna.cli." .. name)
      if not ok then return nil end
      local page = Page(("luna %s: %s"):format(name, c[2]))
      for line in require("luna.cli.options").usage(command.spec, name):gmatch "[^\n]*" do page.lines[#page.lines + 1] = { "", line } end
      return page
    end
  end
end

-- What a word is exactly: a list of { key, about, page = function }.
local function exact(word)
  local found = {}
  local function add(key, about, page) found[#found + 1] = { key = key, about = about, page = page } end
  local update = word:match "^on(Update%w+)$"
  if update then word = "u" .. update:sub(2) end
  local bare = word:gsub("^luna[.:]", ""):gsub("^api[.:]", ""):gsub("^self[.:]", ""):gsub("^params%.", ""):gsub("^tl%.", "")

  local subject = api.subject(word:lower())
  if subject then add(word:lower() .. ":", "its methods", function() return subject end) end
  local m = tl.method(bare)
  if m and not m.old then add(bare, "a method", function() return schema.method(m) end) end
  local c = tl.constructor(bare)
  if c and not c.old then add(bare, "a constructor of " .. c.type, function() return schema.constructor(c) end) end
  local members = tl.type(bare)
  if members then add(bare, "a type", function() return schema.type(bare, members) end) end
  if tl.namespaces()[bare] then add("api." .. bare, "a namespace of the schema", function() return schema.namespace(bare) end) end

  local wanted = word:gsub("^api:", "luna."):gsub("^self:", "luna.") -- a helper's method is its function's page
  local ofClass = word:match "^%u%w*:(%w+)$" -- of a class of the script: Echo:on
  if ofClass then wanted = "Bot:" .. ofClass end
  for _, entry in ipairs(api.entries()) do
    local key = api.key(entry)
    local short = entry.name:gsub("^luna%.", "")
    if key == word or key == wanted or entry.name == word or short == word or short:lower() == word and entry.kind == "class" then
      local _, about = api.summary(entry)
      add(key, about, function() return api.page(entry) end)
    end
  end
  -- One name asked for with its owner is that one alone.
  for _, f in ipairs(found) do
    if (f.key == word or ofClass) and word:find "[.:]" then return { f } end
  end

  for _, f in ipairs(api.fields(word)) do
    add(("%s of %s"):format(word, f.class), f.note, function() return api.field(f) end)
    found[#found].field = true
  end
  if word == "settings" or word == "luna.conf.lua" then return { { key = "settings", about = "all settings", page = api.allSettings } } end
  local section = api.allSettings(word .. ".")
  if section then add(("settings %s.*"):format(word), "settings", function() return section end) end
  if api.settings()[word] then add("setting " .. word, api.settings()[word].note, function() return api.setting(word) end) end
  local error = word:find "^[%u%d_%%]+$" and #word > 3 and schema.error(word) or word == "Timeout" and schema.error(word)
  if error then add(word, "an error", function() return error end) end
  local command = commandPage((word:gsub("^luna ", "")))
  if command then add("luna " .. word:gsub("^luna ", ""), command.lines[1][2]:match ": (.*)$", function() return command end) end
  return found
end

-- The commands that have an option.
local function optionPage(name)
  local rows = {}
  for _, c in ipairs(require "luna.cli.commands") do
    local ok, command = pcall(require, "luna.cli." .. c[1])
    for _, o in ipairs(ok and command.spec or {}) do
      if o[1] == name then rows[#rows + 1] = { "luna " .. c[1], "--" .. o[1] .. (o[2] and " " .. o[2] or ""), o[3] } end
    end
  end
  if #rows == 0 then return nil end
  local page = Page(("--%s: an option of"):format(name))
  page:rows(rows)
  return page
end

-- A command of the REPL's prompt.
local function replPage(word)
  local text = require("luna.repl.commands").describe(word)
  if not text then return nil end
  local page = Page(text:match "^[^\n]*")
  page:text(text:match "\n(.*)")
  page:text "A command at the prompt of luna repl, where :help lists all."
  return page
end

-- What is not found by its whole name: a method by its last name, a parameter, an option, the error in a line of a log.
local function almost(word)
  if word:find "^%-%-" then return optionPage(word:sub(3)) end
  if word:find "^:%a" then return replPage(word) end
  for name in word:gmatch "%f[%w_][%u%d]+_[%u%d_]+%f[^%w_]" do
    local page = name ~= word and schema.error(name)
    if page then return page end
  end
  return schema.parameter(word)
end

-- Whatever has the word in its name, or in what is said of it: groups of rows.
local function search(word)
  local lower, groups = word:lower(), {}
  local function group(title)
    local rows = {}
    groups[#groups + 1] = { title = title, rows = rows }
    return rows
  end
  local rows = group "the Lua API"
  for _, entry in ipairs(api.entries()) do
    local call, about = api.summary(entry)
    if api.key(entry):lower():find(lower, 1, true) then rows[#rows + 1] = { call, about } end
  end
  local names = #rows
  for _, entry in ipairs(api.entries()) do
    local call, about = api.summary(entry)
    if names == 0 and entry.about:lower():find(lower, 1, true) then rows[#rows + 1] = { call, about } end
  end
  rows = group "settings"
  for name, s in pairs(api.settings()) do
    if name:lower():find(lower, 1, true) or s.note:lower():find(lower, 1, true) then rows[#rows + 1] = { name, s.note } end
  end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  rows = group "methods"
  for _, name in ipairs(tl.methods()) do
    if name:find(".", 1, true) and name:lower():find(lower, 1, true) then
      local m = tl.method(name)
      if not m.old then rows[#rows + 1] = { name, m.usersOnly and "users only" or m.botsOnly and "bots only" or "" } end
    end
  end
  rows = group "constructors and updates"
  for _, name in ipairs(tl.constructors()) do
    local c = name:lower():find(lower, 1, true) and tl.constructor(name)
    if c and not c.old then rows[#rows + 1] = { name, c.type } end
  end
  rows = group "errors"
  local list = {}
  for name in pairs(tl.errors()) do
    if name:find(word:upper(), 1, true) then list[#list + 1] = name end
  end
  table.sort(list)
  for _, name in ipairs(list) do rows[#rows + 1] = { (name:gsub("%%d", "X")), ("error %d"):format(tl.errors()[name].code) } end
  return groups
end

local LIMIT = 15

-- A page of what a search has found, or nil.
local function foundPage(title, word, before)
  local page = Page(title)
  local any = before ~= nil
  if before then page:rows(before) end
  for _, g in ipairs(search(word)) do
    if #g.rows > 0 then
      any = true
      page:heading(g.title)
      page:rows(table.move(g.rows, 1, math.min(#g.rows, LIMIT), 1, {}))
      if #g.rows > LIMIT then page:text(("and %d more"):format(#g.rows - LIMIT)) end
    end
  end
  page:text ""
  page:heading "luna help NAME shows one of them."
  return any and page or nil
end

-- A method without its namespace, in any case.
local function byLastName(word)
  local lower, list = "." .. word:lower(), {}
  for _, name in ipairs(tl.methods()) do
    if name:lower():sub(-#lower) == lower or name:lower() == word:lower() then list[#list + 1] = name end
  end
  return list
end

--- The nearest name of all that there are, or nil.
function help.guess(word)
  local names = {}
  for _, entry in ipairs(api.entries()) do
    names[#names + 1] = api.key(entry)
    names[#names + 1] = (entry.name:gsub("^luna%.", ""))
  end
  for name in pairs(api.settings()) do names[#names + 1] = name end
  for _, c in ipairs(require "luna.cli.commands") do names[#names + 1] = c[1] end
  api.eachField(function(name) names[#names + 1] = name end)
  for _, list in ipairs { tl.methods(), tl.constructors() } do
    for _, name in ipairs(list) do
      names[#names + 1] = name
      local last = name:match "%.([%w_]+)$"
      if last then names[#names + 1] = last end
    end
  end
  for name in pairs(tl.errors()) do names[#names + 1] = (name:gsub("_?%%d", "")) end
  local t = tl.suggest(word, "type")
  if t then names[#names + 1] = t end
  return suggest.nearest(word, names)
end

--- Pages for a word: a list, empty where nothing is called so or has it in its name.
function help.find(word)
  local found = exact(word)
  if #found == 0 then
    local list = byLastName((word:gsub("^api[:.]", ""):gsub("^self[:.]", "")))
    if #list > 0 then
      -- The one that is meant most likely, and the others by name.
      table.sort(list, function(a, b)
        local x, y = a:find "^messages%." ~= nil, b:find "^messages%." ~= nil
        if x ~= y then return x end
        return a < b
      end)
      local page = schema.method(tl.method(list[1]))
      if list[2] then
        page:heading "also of this name"
        page:text(table.concat(list, ", ", 2))
      end
      return { page }
    end
    local page = almost(word)
    if page then return { page } end
  end
  if #found >= 1 and #found <= 3 then
    local pages, fields = {}, true
    for i, f in ipairs(found) do
      pages[i] = f.page()
      fields = fields and f.field
    end
    -- A field's name is a word like others: what else has it in its name is told as well.
    if fields then pages[#pages + 1] = foundPage(('"%s" in other names'):format(word), word) end
    return pages
  end
  local rows
  for i, f in ipairs(found) do
    if f.key == "luna " .. word or f.key == word .. ":" then -- a command, or what a handler is given, comes before its namesakes
      local page, others = f.page(), {}
      for j, other in ipairs(found) do others[#others + 1] = j ~= i and other.key or nil end
      page:heading "also of this name"
      page:text(table.concat(others, ", "))
      local constructor = i == 1 and tl.constructor(word)
      return { page, constructor and schema.constructor(constructor) or nil }
    end
  end
  for _, f in ipairs(found) do
    rows = rows or {}
    rows[#rows + 1] = { f.key, f.about }
  end
  local page = #word >= 2 and foundPage(('"%s": what there is'):format(word), word, rows)
  return page and { page } or {}
end

--- The text for a word; nil and the nearest name (or nil) where there is none.
function help.text(word, colour)
  local pages = help.find(word)
  if #pages == 0 then return nil, help.guess(word) end
  local parts = {}
  for i, page in ipairs(pages) do parts[i] = page:render(colour) end
  return table.concat(parts, "\n")
end

return help
