--- Whose task is this? A task's owner is an integer that what it spawns inherits: the upper half says which client (and environment),
--- the lower half which update's handler. So messages know their API object, and a sleeping handler its lane, without a table a task.
local task = require "_luna.task"

local scope = {}

local owner = task.owner
local SHIFT, LOW = 32, 0xffffffff
local cores, last = {}, 0
local default

--- A new number for a client core; the owner of its tasks is number << 32.
function scope.new(core)
  last = last + 1
  cores[last] = core
  default = core
  return last
end

function scope.free(id)
  if cores[id] == default then default = nil end
  cores[id] = nil
end

function scope.enter(id, serial) owner(id << SHIFT | serial & LOW) end

--- The client core of the running task: its own, else the newest one made.
function scope.core()
  return cores[owner() >> SHIFT] or default
end

--- The core and the serial of the update whose handler (or whose child) runs, or nil.
function scope.current()
  local o = owner()
  return cores[o >> SHIFT], o & LOW
end

--- All that have not been freed, as a list.
function scope.all()
  local list = {}
  for _, core in pairs(cores) do list[#list + 1] = core end
  return list
end

--- The core behind an owner, as the host reports it.
function scope.of(o) return cores[o >> SHIFT], o & LOW end

return scope
