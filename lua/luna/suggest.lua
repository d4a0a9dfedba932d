--- "Did you mean": the nearest of some names. Called wherever a script or a person may have misspelt something; how near is near is the
--- host's business (`_luna.tl`.suggest), which guesses names of the schema by the same measure.
local tl = require "_luna.tl"

local suggest = {}

--- The nearest of the names (one or several lists, or tables whose keys are the names), or nil. What differs in case alone is nearest.
function suggest.nearest(name, ...)
  if type(name) ~= "string" then return nil end
  local list = {}
  for i = 1, select("#", ...) do
    local names = select(i, ...)
    if names[1] ~= nil then
      for _, candidate in ipairs(names) do list[#list + 1] = candidate end
    else
      for candidate in pairs(names) do
        if type(candidate) == "string" then list[#list + 1] = candidate end
      end
    end
  end
  table.sort(list) -- the same guess each time
  return tl.suggest(name, list)
end

--- "; did you mean \"x\"?" or "".
function suggest.hint(name, ...)
  local best = suggest.nearest(name, ...)
  return best and ('; did you mean "%s"?'):format(best) or ""
end

--- Raises at `level` where an options table has a key that is not among the known ones. what: "world:run: unknown option".
function suggest.check(options, known, what, level)
  for key in pairs(options) do
    if known[key] == nil then
      error(('%s "%s"%s'):format(what, tostring(key), suggest.hint(tostring(key), known)), (level or 1) + 1)
    end
  end
  return options
end

-- Where the name of a method, a field or a global may have come from.
local sources = {
  method = function()
    local list = {
      require("luna.helpers").methods, require("luna.api").methods, require("luna.info").methods, require("luna.message").methods,
      require("luna.message").query, require("luna.message").inlineQuery, require("luna.handler").EventHandler, { "extend" },
    }
    local World, Person = package.loaded["luna.sandbox.world"], package.loaded["luna.sandbox.person"]
    if World then table.move({ World, World.bot, Person, { "advance" } }, 1, 4, #list + 1, list) end
    return list
  end,
  field = function() return { require("luna.namespace").names(), require("luna.helpers").methods } end,
  global = function() return { _G } end,
}

-- What the Bot API calls it → where it is here.
local fields = {
  text = 'the text of a message is its field "message"', caption = 'the text of a message is its field "message"',
  message_id = 'the number of a message is its field "id"', from = "who wrote a message is message.from_id, or message:getSender()",
  chat = "the chat of a message is message.peer_id, or message:getChat()", api = "of a handler it is self.API",
}

-- A name that is right, of something else than it was looked for in.
local function elsewhere(kind, name)
  if kind == "field" then return fields[name] end
  if kind ~= "method" then return nil end
  local message = require "luna.message"
  if message.methods[name] then return "messages have it, and the function of a route is function(self, message)" end
  if message.query[name] then return "it is of a button's press: messages have reply, send and ask" end
end

--- Lua's own message about a name that is nil ("attempt to call a nil value (method 'sleeep')"), with a guess behind it where one is near;
--- any other text as it is. Where errors are shown to a person.
function suggest.explain(text)
  local kind, name = text:match "attempt to %l+ a nil value %((%l+) '([%w_]+)'%)"
  local source = sources[kind]
  if not source or text:find("; did you mean", 1, true) then return text end
  local told = elsewhere(kind, name)
  if told and text:find(told, 1, true) then return text end
  if told then return (text:gsub("a nil value %(%l+ '[%w_]+'%)", function(part) return part .. "; " .. told end, 1)) end
  local lists = source()
  for _, names in ipairs(lists) do
    if names[name] ~= nil then return text end -- the name is right, what it was looked for in is not
  end
  local best = suggest.nearest(name, table.unpack(lists))
  if not best then return text end
  return (text:gsub("a nil value %(%l+ '[%w_]+'%)", function(part) return ('%s; did you mean "%s"?'):format(part, best) end, 1))
end

return suggest
