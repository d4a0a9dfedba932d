--- A client core without a network, for specs of updates, dispatch, peers and params: real boxes, lanes, peers and a store in memory; the
--- server's answers come from a table of functions. Used by dofile, beside the spec that needs it.
local store = require "_luna.store"
local task = require "_luna.task"
local scope = require "luna.scope"
local params = require "luna.params"
local Core = require "luna.core"
local Dispatch = require "luna.dispatch"
local Peers = require "luna.peers"
local RandomId = require "luna.random_id"
local Updates = require "luna.updates"

return function(opts)
  opts = opts or {}
  local core = {
    name = "fake", state = "up", home = 2, async = false, accountName = opts.accountName or "bot1",
    namespaces = {}, methods = {}, loops = {},
    settings = {
      floodTimeout = 60, updates = { order = opts.order or "chat", pending = opts.pending or 1000, catchUp = opts.catchUp or false },
    },
    me = opts.me or { id = 1, bot = true }, logged = {}, calls = {}, answers = opts.answers or {}, acked = {},
    later = Core.later, runPending = Core.runPending, method = Core.method,
  }
  function core:log(level, text, ...)
    local about = ...
    self.logged[#self.logged + 1] = type(about) ~= "table" and select("#", ...) > 0 and text:format(...) or text
  end
  function core:invoke(name, p)
    self.calls[#self.calls + 1] = { name = name, params = params.prepare(self, self:method(name), p) }
    local answer = self.answers[name] or error("no answer to " .. name)
    return answer(p, #self.calls)
  end
  core.scope = scope.new(core)
  core.store = opts.store or store.open(nil)
  core.account = core.store:account(core.accountName)
  core.peers, core.randomId = Peers(core), RandomId(core)
  core.dispatch = Dispatch(core)
  core.updates = Updates(core)
  core.conn = { ack = function(_, ...) table.move({ ... }, 1, select("#", ...), #core.acked + 1, core.acked) end }
  core.answers["updates.getState"] = core.answers["updates.getState"] or function()
    return { _ = "updates.state", pts = 100, qts = 0, date = 1000, seq = 0, unread_count = 0 }
  end
  core.answers["updates.getDifference"] = core.answers["updates.getDifference"] or function(p)
    return { _ = "updates.differenceEmpty", date = p.date, seq = 0 }
  end
  --- Lets everything that is ready run, and the commit that would come within milliseconds be made.
  function core:settle()
    for _ = 1, 5 do task.sleep(0) end
    self.updates:flush()
    for _ = 1, 5 do task.sleep(0) end
  end
  return core
end
