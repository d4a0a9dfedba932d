--- getUpdates: polling for scripts written in the old way. Updates are kept in a list until an offset above them confirms them.
local core_ = require "_luna.promise"
local task = require "_luna.task"

local MAX = 10000

local function queueOf(core)
  local queue = core.polled
  if queue then return queue end
  queue = { list = {}, last = 0 }
  core.polled = queue
  core.dispatch:setCallback(function(update)
    queue.last = queue.last + 1
    queue.list[#queue.list + 1] = { update_id = queue.last, update = update }
    if #queue.list > MAX then table.remove(queue.list, 1) end -- nobody confirms: the oldest goes
    if queue.arrived then
      core_.resolve(queue.arrived)
      queue.arrived = nil
    end
  end)
  core:start()
  core.updates:activate()
  return queue
end

local function take(queue, offset, limit)
  local out = {}
  if offset < 0 then offset = queue.last + 1 + offset end
  while queue.list[1] and queue.list[1].update_id < offset do table.remove(queue.list, 1) end
  for i = 1, math.min(limit, #queue.list) do out[i] = queue.list[i] end
  return out
end

return function(core, p)
  local queue = queueOf(core)
  local limit, timeout = p.limit or 100, p.timeout or 0
  local out = take(queue, p.offset or 0, limit)
  if #out == 0 and timeout > 0 then
    queue.arrived = queue.arrived or core_.new()
    core_.awaitTimeout(queue.arrived, timeout)
    task.sleep(0) -- what came together is taken together
    out = take(queue, p.offset or 0, limit)
  end
  return out
end
