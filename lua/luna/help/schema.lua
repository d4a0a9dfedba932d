--- Pages about the schema: methods, constructors and updates, types, namespaces, errors. Called by luna.help.
local tl = require "_luna.tl"
local comforts = require "luna.help.comforts"
local Page = require "luna.help.page"
local errors = require "luna.errors"

local M = {}

local function typeText(t) return t.vector and ("Vector<%s>"):format(t.type) or t.type end

local peerTypes = { InputPeer = true, InputUser = true, InputChannel = true, InputDialogPeer = true }
local PEER = 'A peer (1) may be an update, a message, an id as in the Bot API (-100… for channels), "@username", a t.me link, "me", or any '
  .. "user, chat or peer of the schema."

-- NAME_%d, NAME_3 → the key of the list of errors.
local function keyOf(name)
  local list = tl.errors()
  if list[name] then return name end
  for _, key in ipairs {
    name .. "_%d", (name:gsub("_X_", "_%%d_"):gsub("_X$", "_%%d")), (name:gsub("_%d+_", "_%%d_", 1)), (name:gsub("_?%d+$", "_%%d")),
  } do
    if list[key] then return key end
  end
end

-- The key of our own words for it: without the number.
local function wordsOf(key)
  return require("luna.help.errors")[(key:gsub("_%%d", "", 1))]
end

local function shown(key) return (key:gsub("%%d", "X")) end

local function meaning(words) return (words[1]:gsub("%%s", "X")) end

-- The errors of each method: method → list of keys, those with words first.
local byMethod
local function errorsOf(name)
  if not byMethod then
    byMethod = {}
    for key, e in pairs(tl.errors()) do
      for method in e.methods:gmatch "%S+" do
        byMethod[method] = byMethod[method] or {}
        table.insert(byMethod[method], key)
      end
    end
  end
  local list = byMethod[name] or {}
  table.sort(list, function(a, b)
    local x, y = wordsOf(a) ~= nil, wordsOf(b) ~= nil
    if x ~= y then return x end
    return a < b
  end)
  return list
end

function M.method(m)
  local page = Page(("api.%s{ ... }: %s"):format(m.name, typeText(m.result)))
  page:text(m.usersOnly and "For users only, not for bots." or m.botsOnly and "For bots only." or "For bots and for users.")
  local wanted, free, peers = {}, {}, false
  for _, p in ipairs(m.params) do
    local comfort = comforts.of(m, p)
    local words = comfort and comfort.words or ""
    if peerTypes[p.type] then
      words = p.vector and "each a peer (1)" or "a peer (1)"
      peers = true
    end
    local into = (p.flag or comfort and comfort.filled) and free or wanted
    into[#into + 1] = { p.name, typeText(p), words }
  end
  if #wanted > 0 then
    page:heading "parameters"
    page:rows(wanted)
  end
  for _, c in ipairs(comforts.extra(m)) do free[#free + 1] = { c.name, c.shown, c.note } end
  if #free > 0 then
    page:heading "may be left out"
    page:rows(free)
  end
  if peers then
    page:text ""
    page:heading "peers"
    page:text(PEER)
  end
  page:heading "example"
  page:code(require("luna.help.examples").of(m, function(p) return (comforts.of(m, p) or {}).filled end))
  local list = errorsOf(m.name)
  page:heading "errors"
  if #list > 0 then
    local rows, rest = {}, {}
    for _, key in ipairs(list) do
      local words = wordsOf(key)
      if words and #rows < 16 then
        rows[#rows + 1] = { tostring(tl.errors()[key].code), shown(key), meaning(words) }
      else
        rest[#rest + 1] = shown(key)
      end
    end
    page:rows(rows)
    if #rest > 0 then page:text((#rows > 0 and "and " or "") .. table.concat(rest, ", ")) end
  end
  page:text "Any method may give FLOOD_WAIT_X: too many calls. luna help NAME says what to do about one."
  return page
end

local function fields(page, params)
  local rows = {}
  for _, p in ipairs(params) do rows[#rows + 1] = { p.name, typeText(p), p.flag and "may be left out" or "" } end
  if #rows > 0 then page:rows(rows) end
end

local function some(page, heading, list)
  if #list == 0 then return end
  page:heading(heading)
  local text = table.concat(list, ", ", 1, math.min(#list, 24))
  page:text(#list > 24 and ("%s and %d more"):format(text, #list - 24) or text)
end

--- A page about a parameter: what it may hold and whose it is; nil where no method has it.
function M.parameter(name)
  local list, words, kind = {}, nil, nil
  for _, method in ipairs(tl.methods()) do
    local m = method:find(".", 1, true) and tl.method(method)
    for _, p in ipairs(m and not m.old and m.params or {}) do
      if p.name == name then
        local comfort = comforts.of(m, p)
        words, kind = words or comfort and comfort.words, kind or typeText(p)
        list[#list + 1] = method
      end
    end
    for _, c in ipairs(m and not m.old and comforts.extra(m) or {}) do
      if c.name == name then
        words, kind = c.note, c.shown
        list[#list + 1] = method
      end
    end
  end
  if #list == 0 then return nil end
  table.sort(list, function(a, b) -- the common ones first
    local x, y = a:find "^messages%." ~= nil, b:find "^messages%." ~= nil
    if x ~= y then return x end
    return a < b
  end)
  local page = Page(("%s: a parameter (%s)"):format(name, kind))
  if words then page:text(words) end
  local example = require("luna.help.examples").of(tl.method "messages.sendMessage", function() end)
  if list[1]:find "^messages%." and table.concat(example):find(name .. " =", 1, true) then
    page:heading "example"
    page:code(example)
  end
  some(page, "methods that have it", list)
  return page
end

-- The methods that take a type, and those that give it.
local function users(typeName)
  local takes, gives = {}, {}
  for _, name in ipairs(tl.methods()) do
    local m = name:find(".", 1, true) and tl.method(name)
    if m and not m.old then
      if m.result.type == typeName then gives[#gives + 1] = name end
      for _, p in ipairs(m.params) do
        if p.type == typeName then
          takes[#takes + 1] = name
          break
        end
      end
    end
  end
  return takes, gives
end

function M.constructor(c)
  local page = Page(("%s: of the type %s"):format(c.name, c.type))
  fields(page, c.params)
  if c.type == "Update" then
    page:heading "handler"
    local values = {}
    for _, p in ipairs(c.params) do
      if #values < 3 and not p.name:find "^p?q?ts" then
        values[#values + 1] = "update." .. p.name .. (p.type == "Message" and ".message" or "")
      end
    end
    page:code {
      ("function Bot:on%s(update)"):format(c.name:sub(1, 1):upper() .. c.name:sub(2)),
      ("  print(%s)"):format(#values > 0 and table.concat(values, ", ") or "update._"), "end",
    }
  end
  return page
end

function M.type(name, members)
  local page = Page(("%s: %s"):format(name, #members > 1 and "one of" or "always"))
  local rows = {}
  for _, member in ipairs(members) do
    local parts, c = {}, tl.constructor(member)
    for j, p in ipairs(c.params) do parts[j] = p.name .. (p.flag and "?" or "") end
    if not c.old then rows[#rows + 1] = { member, table.concat(parts, ", ") } end
  end
  page:rows(rows)
  if peerTypes[name] then
    page:heading "as a parameter of a method"
    page:text(PEER)
  end
  local takes, gives = users(name)
  some(page, "methods that take it", takes)
  some(page, "methods that give it", gives)
  return page
end

function M.namespace(name)
  local page = Page(("api.%s: its methods"):format(name))
  local rows = {}
  for _, method in ipairs(tl.methods()) do
    if method:sub(1, #name + 1) == name .. "." then
      local m = tl.method(method)
      local parts = {}
      for _, p in ipairs(m.params) do
        if not p.flag then parts[#parts + 1] = p.name end
      end
      local who = m.usersOnly and "users only: " or m.botsOnly and "bots only: " or ""
      if not m.old then rows[#rows + 1] = { method, who .. table.concat(parts, ", ") } end
    end
  end
  page:rows(rows)
  return page
end

--- A page about an error, or nil. word: FLOOD_WAIT, FLOOD_WAIT_X, FLOOD_WAIT_3.
function M.error(word)
  local key = keyOf(word)
  local e = key and tl.errors()[key]
  local words = require("luna.help.errors")[key and key:gsub("_%%d", "", 1) or errors.split(word)]
  if not e and not words then return nil end
  local page = Page(e and ("%s: error %d"):format(shown(key), e.code) or ("%s: an error of the server"):format(word))
  if words then
    page:text(meaning(words):gsub("^%l", string.upper) .. ".")
    if words[2] ~= "" then page:text(words[2]) end
  else
    page:text("The name is all that is known of it.")
  end
  page:heading "example"
  page:code {
    "local ok, err = pcall(function() return self.messages.sendMessage{ peer = update, message = \"hello\" } end)",
    ("if not ok and luna.is(err, luna.RPCErrorException) and err.name == \"%s\" then print(%s) end"):format(
      (key or word):gsub("_%%d", "", 1), key and key:find "%%d" and "err.value" or "err"),
  }
  local list = {}
  for method in (e and e.methods or ""):gmatch "%S+" do list[#list + 1] = method end
  some(page, "methods that give it", list)
  return page
end

return M
