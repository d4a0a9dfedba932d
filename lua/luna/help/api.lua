--- Pages about the Lua API, made of its descriptions in luna/_meta: functions, classes, settings. Called by luna.help.
local source = require "luna.help.source"
local Page = require "luna.help.page"

local M = {}

-- How the owner of a function is written in front of it.
local owners = {
  luna = "luna", ["luna.API"] = "api", ["luna.EventHandler"] = "self", ["luna.MessageMethods"] = "message",
  ["luna.CallbackMethods"] = "query", ["luna.InlineMethods"] = "update", ["luna.SentMethods"] = "sent", ["luna.World"] = "world",
  ["luna.Person"] = "person", ["luna.TestBot"] = "bot", ["luna.Clock"] = "clock", ["luna.Promise"] = "promise",
  ["luna.Deferred"] = "deferred", ["luna.CancellationTokenSource"] = "source", ["luna.CancellationToken"] = "token",
  ["luna.LoopMethods"] = "loop", ["luna.PauseMethods"] = "loop", ["luna.SignalMethods"] = "loop", ["luna.Iterator"] = "iterator",
  ["luna.Emitter"] = "emitter", ["luna.HTTPClient"] = "client", ["luna.HTTPResponse"] = "response", ["luna.HTTPHeaders"] = "headers",
  ["luna.HTTPBody"] = "body", ["luna.HTTPRequest"] = "request", ["luna.HTTPCookies"] = "cookies", ["luna.Class"] = "class",
}

-- Functions that a script calls on its class, rather than on the instance.
local ofClass = { on = true, command = true, use = true }

local function ownerOf(entry)
  if entry.owner == "luna.EventHandler" and ofClass[entry.name] then return "Bot" end
  return entry.owner and (owners[entry.owner] or entry.owner)
end

local subjects = { message = "luna.MessageMethods", query = "luna.CallbackMethods", self = "luna.EventHandler" }

--- What handlers and specs call by that name, though its class has another: a page of its methods, or nil.
function M.subject(name)
  local class, page, rows = subjects[name], nil, {}
  if not class then return nil end
  for _, entry in ipairs(M.entries()) do
    if entry.name == class and not page then
      page = Page(("%s: its methods"):format(name))
      page:text(entry.about)
    elseif entry.kind == "function" and entry.owner == class and not ofClass[entry.name] then
      rows[#rows + 1] = { M.summary(entry) }
    end
  end
  page:rows(rows)
  return page
end

--- Helpers that take no options table as methods, or are another thing there.
M.plain = {
  call = true, logger = true, callFork = true, callForkDefer = true, rethrow = true, getHTTPClient = true, fileGetContents = true,
}

--- How an entry is called: "luna.sleep", "person:send", "luna.Settings".
function M.key(entry)
  if entry.kind ~= "function" then return entry.name end
  local owner = ownerOf(entry)
  return owner and owner .. (entry.method and ":" or ".") .. entry.name or entry.name
end

--- Every entry of the API, in order.
function M.entries()
  if M.list then return M.list end
  local list, classes = {}, {}
  for _, name in ipairs(source.names) do
    if name ~= "spec" then
      for _, entry in ipairs(source.entries(name)) do
        -- A class that is told of in two files is described in one.
        local again = entry.kind == "class" and classes[entry.name] and entry.about == "" and #entry.fields == 0
        if entry.kind ~= "alias" and not again then list[#list + 1] = entry end
        if entry.kind == "class" then classes[entry.name] = true end
      end
    end
  end
  M.list = list
  return list
end

local function signature(entry)
  local parts = {}
  for i, p in ipairs(entry.params) do parts[i] = p.name .. (p.optional and "?" or "") end
  return ("%s(%s)"):format(M.key(entry), table.concat(parts, ", "))
end

--- One line about it.
function M.summary(entry)
  local first = entry.about:match "^(.-)%. " or entry.about:match "^(.-)[%.:]$" or entry.about
  return entry.kind == "function" and signature(entry) or entry.name, first
end

local function split(text)
  local kind, note = text:match "^(.-) # (.*)$"
  if kind then return kind, note end
  -- A type has no blanks outside of its brackets; what follows is the note.
  local depth = 0
  for at = 1, #text do
    local c = text:sub(at, at)
    if c:find "[<({%[]" then
      depth = depth + 1
    elseif c:find "[>)}%]]" then
      depth = depth - 1
    elseif c == " " and depth <= 0 and not text:sub(1, at - 1):find "[:,|]$" then
      return text:sub(1, at - 1), text:sub(at + 1)
    end
  end
  return text, ""
end
M.split = split

local words = {
  { "luna%.PeerLike", "peer" }, { "luna%.TestPeer", "peer" }, { "luna%.TestContent", "text or table" }, { "luna%.MediaLike", "media" },
  { "luna%.Work", "promise or function" }, { "luna%.(%u)", "%1" }, { "tl%.", "" },
}

-- A type as a person reads it.
local function readable(kind)
  for _, pair in ipairs(words) do kind = kind:gsub(pair[1], pair[2]) end
  return kind
end

local function fieldRows(page, fields)
  local rows = {}
  for _, f in ipairs(fields) do
    local kind, note = split(f.type)
    rows[#rows + 1] = { f.name, readable(kind), note }
  end
  if #rows > 0 then page:rows(rows) end
end

-- Fields of classes and of options tables, but for the settings, which have pages of their own, for what
-- is a class itself, and for parameters.
local parameters = {
  luna = true, ["luna.MessageOptions"] = true, ["luna.InlineResult"] = true, ["luna.InlineContent"] = true,
  ["luna.AlbumItem"] = true, ["luna.File"] = true,
}
local function hasFields(entry)
  return entry.kind == "class" and not entry.name:find "^luna%.Settings" and not parameters[entry.name]
end

--- Calls each(name) for every such field.
function M.eachField(each)
  for _, entry in ipairs(M.entries()) do
    for _, f in ipairs(hasFields(entry) and entry.fields or {}) do each(f.name) end
  end
end

--- Those of a name: a list of { name, class, type, note, entry }.
function M.fields(name)
  local list = {}
  for _, entry in ipairs(M.entries()) do
    for _, f in ipairs(hasFields(entry) and entry.fields or {}) do
      if f.name == name then
        local kind, note = split(f.type)
        list[#list + 1] = { name = name, class = entry.name, type = kind, note = note, entry = entry }
      end
    end
  end
  return list
end

--- The page of one of them.
function M.field(f)
  local page = Page(("%s: of %s (%s)"):format(f.name, f.class, readable(f.type)))
  if f.note ~= "" then page:text(f.note) end
  if f.entry.about ~= "" then page:text(("%s: %s"):format(f.class, f.entry.about)) end
  page:text(("luna help %s shows all of it."):format((f.class:gsub("^luna%.", ""))))
  if f.type:find "^fun%(self" then
    page:heading "example"
    local arguments = f.type:match "^fun%((.-)%)":gsub("^self: self,? ?", ""):gsub(": [^,]+", "")
    page:code { ("function Bot:%s(%s)"):format(f.name, arguments), "end" }
  elseif f.entry.example then
    page:heading "example"
    page:code(f.entry.example)
  end
  return page
end

-- Helpers are methods of API objects and handlers as well.
local function isHelper(entry) return entry.file == "helpers" end

function M.page(entry)
  local page = Page(entry.kind == "function" and signature(entry) or entry.name)
  if isHelper(entry) then
    local promise = M.plain[entry.name] and "" or "; there a last { async = true } gives a promise"
    page:text(("also self:%s, api:%s%s"):format(entry.name, entry.name, promise))
  end
  if entry.about ~= "" then page:text(entry.about) end
  if entry.kind == "function" then
    local rows = {}
    for _, p in ipairs(entry.params) do
      local kind, note = split(p.type)
      local free = p.optional and "may be left out" or ""
      rows[#rows + 1] = { p.name, readable(kind), free .. (p.optional and note ~= "" and "; " or "") .. note }
    end
    if #rows > 0 then
      page:heading "parameters"
      page:rows(rows)
    end
    if #entry.returns > 0 then
      page:heading "gives"
      for _, r in ipairs(entry.returns) do
        local kind, note = split(r)
        page:rows { { readable(kind), note } }
      end
    end
  else
    if #entry.fields > 0 then
      page:heading(entry.name:find "^luna%.Settings" and "keys" or "fields")
      fieldRows(page, entry.fields)
    end
    local rows = {}
    for _, other in ipairs(M.entries()) do
      if other.kind == "function" and (other.owner == entry.name) then
        local call, about = M.summary(other)
        rows[#rows + 1] = { call, about }
      end
    end
    if #rows > 0 then
      page:heading "functions"
      page:rows(rows)
    end
  end
  if entry.example then
    page:heading "example"
    page:code(entry.example)
  end
  return page
end

-- Settings: "floodTimeout", "updates.order" → { name, type, note, class }.
local sections = { ["luna.Settings"] = "" }
for _, name in ipairs { "App", "Connection", "Updates", "Logger", "Device" } do
  sections["luna.Settings." .. name] = name:lower() .. "."
end

--- Every settings key: name → { type, note }.
function M.settings()
  local keys = {}
  for _, entry in ipairs(M.entries()) do
    local before = entry.kind == "class" and sections[entry.name]
    for _, f in ipairs(before and entry.fields or {}) do
      local kind, note = split(f.type)
      if not kind:find "^luna%.Settings" then keys[before .. f.name] = { type = readable(kind), note = note } end
    end
  end
  return keys
end

function M.setting(name)
  local found = M.settings()[name]
  if not found then return nil end
  local page = Page(("%s: a setting (%s)"):format(name, found.type))
  page:text(found.note)
  page:heading "where"
  local outer, inner = name:match "^(%w+)%.(%w+)$"
  local text = outer and ("%s = { %s = … }"):format(outer, inner) or name .. " = …"
  page:code { ("luna.conf.lua beside the bot:  return { %s }"):format(text), ("in the bot:  Bot.settings = { %s }"):format(text) }
  page:text "The command line comes first, then the environment, luna.conf.lua, the class. luna help settings lists all."
  return page
end

--- All settings on one page; those of a section ("updates.") alone, nil where there is none.
function M.allSettings(section)
  local page = Page(section and ("settings %s*"):format(section) or "settings: of luna.conf.lua, of a class's `settings`, of luna.API")
  local rows = {}
  for name, s in pairs(M.settings()) do
    if not section or name:sub(1, #section) == section then rows[#rows + 1] = { name, s.note ~= "" and s.note or s.type } end
  end
  if #rows == 0 then return nil end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  page:rows(rows)
  page:heading "example"
  page:code {
    "-- luna.conf.lua beside the bot", 'return { floodTimeout = 60, updates = { order = "chat" }, logger = { level = "verbose" } }',
  }
  return page
end

return M
