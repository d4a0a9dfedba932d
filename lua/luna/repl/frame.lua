--- A frame of a suspended task: its locals and upvalues, read and set by name. Made by luna.repl.breaks for a held task and by
--- luna.repl.looking for one that waits. Asks the thread each time; nothing is copied, so it may be used only while the task stands still.
local show = require "luna.repl.show"

local Frame = require("luna.class").new "Frame"

--- thread, level: as for debug.getinfo. names: those of its locals where the frame was stopped by a hook, whose place Lua remembers one
--- instruction too early.
function Frame:init(thread, level, names)
  self.thread, self.level, self.names = thread, level, names
  local info = debug.getinfo(thread, level, "Slnfu")
  self.info, self.func = info, info.func
  self.source, self.line = info.source, info.currentline
end

-- The locals that are in scope: fn(name, index), until it returns true.
local function each(self, fn)
  local i = 1
  while true do
    local name = debug.getlocal(self.thread, self.level, i)
    if self.names then name = self.names[i] end
    if not name or i > 250 then return end
    if name:sub(1, 1) ~= "(" and fn(name, i) then return end
    i = i + 1
  end
end

local function indexOf(self, wanted)
  local found
  each(self, function(name, i)
    if name == wanted then found = i end -- the innermost of that name
  end)
  return found
end

local function upvalueOf(self, wanted)
  for i = 1, 255 do
    local name = debug.getupvalue(self.func, i)
    if not name then return nil end
    if name == wanted and name ~= "_ENV" then return i end
  end
end

--- Whether the name is a local or an upvalue here, and its value.
function Frame:get(name)
  local i = indexOf(self, name)
  if i then return true, select(2, debug.getlocal(self.thread, self.level, i)) end
  i = upvalueOf(self, name)
  if i then return true, select(2, debug.getupvalue(self.func, i)) end
  return false
end

--- Sets a local or an upvalue; false where there is none of that name.
function Frame:set(name, value)
  local i = indexOf(self, name)
  if i then
    debug.setlocal(self.thread, self.level, i, value)
    return true
  end
  i = upvalueOf(self, name)
  if not i then return false end
  debug.setupvalue(self.func, i, value)
  return true
end

--- The names of locals and of upvalues, as two lists.
function Frame:lists()
  local own, seen, outer = {}, {}, {}
  each(self, function(name)
    if not seen[name] then own[#own + 1] = name end
    seen[name] = true
  end)
  for i = 1, 255 do
    local name = debug.getupvalue(self.func, i)
    if not name then break end
    if name ~= "_ENV" and name ~= "" and not seen[name] then outer[#outer + 1] = name end
  end
  return own, outer
end

local function line(self, name, note)
  local _, value = self:get(name)
  return ("  %s = %s%s"):format(name, show.brief(value), note)
end

--- Locals and upvalues with their values, one a line.
function Frame:describe()
  local own, outer = self:lists()
  local lines = {}
  for _, name in ipairs(own) do lines[#lines + 1] = line(self, name, "") end
  for i = 1, 50 do
    local name, value = debug.getlocal(self.thread, self.level, -i)
    if not name then break end
    lines[#lines + 1] = ("  ...[%d] = %s"):format(i, show.brief(value))
  end
  for _, name in ipairs(outer) do lines[#lines + 1] = line(self, name, "  -- upvalue") end
  return lines
end

--- "function onUpdateNewMessage" or the like.
function Frame:what()
  local info = self.info
  if info.what == "main" then return "the top level" end
  local name = info.name or self.given
  return name and ("function %s"):format(name) or ("function of line %d"):format(info.linedefined)
end

--- A table in which these names come first, then those of `base`. alive(): whether the task still stands there; where it does not, only
--- `base` counts.
function Frame:environment(base, alive)
  return setmetatable({}, {
    __index = function(_, name)
      if alive() then
        local found, value = self:get(name)
        if found then return value end
      end
      return base[name]
    end,
    __newindex = function(_, name, value)
      if not (alive() and self:set(name, value)) then base[name] = value end
    end,
  })
end

return Frame
