--- `up` at the prompt: the file-level locals of the script that runs, found as upvalues of its handlers. Made by luna.repl.session.
local script = {}

local function ownFunctions(bot)
  local dispatch, list = bot.core.dispatch, {}
  if type(bot.handler) == "function" then list[1] = bot.handler end
  for _, fn in next, dispatch.class or {} do
    if type(fn) == "function" then list[#list + 1] = fn end
  end
  if dispatch.class and dispatch.class._routes then
    for _, fn in ipairs(require("luna.routes").functions(dispatch.class)) do list[#list + 1] = fn end
  end
  return list
end

-- Calls fn(name, function, number) for each upvalue of the handlers and of the functions that they use, until it returns true.
local function each(bot, fn)
  local seen, over = {}, false
  local function look(f, depth)
    if seen[f] or over or depth == 0 then return end
    seen[f] = true
    for i = 1, 255 do
      local name, value = debug.getupvalue(f, i)
      if name == nil then break end
      if fn(name, f, i) then
        over = true
        return
      end
      if type(value) == "function" and debug.getinfo(value, "S").what == "Lua" then look(value, depth - 1) end
    end
  end
  for _, f in ipairs(ownFunctions(bot)) do look(f, 4) end
end

-- Where a file-level local of the script is: a function that holds it, and the number of the upvalue.
local function find(bot, wanted)
  local found, at
  each(bot, function(name, f, i)
    if name == wanted then
      found, at = f, i
      return true
    end
  end)
  if not found then error(('the script has no file-level local "%s" that its handlers use'):format(tostring(wanted)), 3) end
  return found, at
end

--- The names that `up` has, for completion.
function script.names(bot)
  local list = {}
  each(bot, function(name)
    if name ~= "_ENV" then list[#list + 1] = name end
  end)
  return list
end

--- The table that reads and sets them.
function script.upvalues(bot)
  return setmetatable({}, {
    __name = "the script's file-level locals",
    __index = function(_, name)
      local f, i = find(bot, name)
      return select(2, debug.getupvalue(f, i))
    end,
    __newindex = function(_, name, value)
      local f, i = find(bot, name)
      debug.setupvalue(f, i, value)
    end,
  })
end

return script
