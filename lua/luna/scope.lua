--- Whose task is this? A task's owner is an integer that what it spawns inherits: the upper half says which client (and environment),
--- the lower half which update's handler, or which version of a script (its top level, its onStart and the loops they start: the numbers
--- from MARK on). So messages know their API object, a sleeping handler its lane, and a reload what to end, without a table a task.
local task = require "_luna.task"

local scope = {}

local owner = task.owner
local SHIFT, LOW = 32, 0xffffffff
local MARK = 0x80000000
local versions = 0
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
  for _, fn in ipairs(scope.frees) do fn(id) end
  if cores[id] == default then default = nil end
  cores[id] = nil
end

function scope.enter(id, serial) owner(id << SHIFT | serial & LOW) end

--- Functions fn(mark, error), called when what a version has started is to end.
scope.ends = {}

--- Functions fn(id), called when a client has ended.
scope.frees = {}

--- The highest serial that a handler may have.
scope.LAST_SERIAL = MARK - 1

--- A mark for a version of a script: the lower half of the owner of what it starts outside of handlers.
function scope.newMark()
  versions = versions % (MARK - 1) + 1
  return MARK | versions
end

--- The mark that the running task has, or nil: a handler's task, or the program's own.
function scope.mark()
  local low = owner() & LOW
  if low >= MARK then return low end
end

--- From here on the running task is the version's. Returns the owner it had, for task.owner.
function scope.enterMark(id, mark)
  local before = owner()
  owner((id or before >> SHIFT) << SHIFT | mark)
  return before
end

--- The mark of an owner, as the host reports it, or nil.
function scope.markOf(o)
  local low = o & LOW
  if low >= MARK then return low end
end

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
