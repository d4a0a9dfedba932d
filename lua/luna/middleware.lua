--- What happens to a call that the server refused: flood waits up to `floodTimeout` are slept, migrations followed, the server's own
--- errors retried; the rest becomes an exception. Called by core:invoke with the parameters as they were sent.
local task = require "_luna.task"
local timer = require "_luna.timer"
local errors = require "luna.errors"
local Logger = require "luna.logger"

local middleware = {}

local classes = errors.classes
local MAX_HOPS, MAX_RETRIES = 3, 5

-- Names of local failures, in words.
local locally = {
  TIMEOUT = function(method, detail) return classes.TimeoutException(("%s: no answer in time%s"):format(method, detail)) end,
  CANCELLED = function() return classes.CancelledException() end,
}

--- The exception for (code, text, detail) of a call.
function middleware.toError(code, text, detail, method)
  if code ~= 0 then return classes.RPCErrorException(text, code, method) end
  detail = detail and detail ~= "" and ": " .. detail or ""
  local make = locally[text]
  if make then return make(method or "the call", detail) end
  return classes.ConnectionException(("%s: %s%s"):format(method or "the call", text or "failed", detail), { name = text, method = method })
end

local function raise(code, text, detail, method)
  errors.throw(middleware.toError(code, text, detail, method))
end

-- Sleeps, but never beyond the call's own time limit: a wait that is longer than what is left of it ends the call there.
local function patience(state, method, seconds)
  local left = state.deadline and state.deadline - timer.now()
  if left and left < seconds then
    task.sleep(math.max(left, 0))
    raise(0, "TIMEOUT", nil, method.name)
  end
  task.sleep(seconds)
end

-- What to do with one refusal: "again" (after the wait that this may do), "done" with a result, or it raises.
local function handle(core, method, state, code, text, detail)
  local name, value = errors.split(text or "")
  if code == 420 or name == "FLOOD_WAIT" or name == "FLOOD_PREMIUM_WAIT" or name == "SLOWMODE_WAIT" then
    if not value or value > core.settings.floodTimeout then raise(code, text, detail, method.name) end
    core:log(Logger.NOTICE, "%s: the server asks to wait %d s", method.name, value)
    core.floodWaits = (core.floodWaits or 0) + 1
    core.floodUntil = math.max(core.floodUntil or 0, timer.wall() + value)
    patience(state, method, value)
    return "again"
  end
  if code == 303 then
    local dc = text:match "^[%u_]+_MIGRATE_(%d+)$"
    dc = math.tointeger(tonumber(dc))
    if not dc or state.hops >= MAX_HOPS then raise(code, text, detail, method.name) end
    state.hops = state.hops + 1
    state.conn = core.dcs:migrate(dc, text, state.conn)
    return "again"
  end
  if (code == 400 or code == 500) and name == "RANDOM_ID_DUPLICATE" then
    return "done", setmetatable({ _ = "luna.alreadySent" }, require("luna.message").sentMeta)
  end
  if code == 500 or code == -500 or code == -503 or text == "CONNECTION_NOT_INITED" or text == "MSG_WAIT_FAILED" then
    if state.retries >= MAX_RETRIES then raise(code, text, detail, method.name) end
    state.retries = state.retries + 1
    local first = text:find "^PERSISTENT_TIMESTAMP" and 1 or 0.2 -- the server's own copies are behind: that takes longer
    patience(state, method, math.min(first * 2 ^ (state.retries - 1), 5))
    return "again"
  end
  if code == 401 then core:unauthorized(text) end
  if code == 406 and text == "AUTH_KEY_DUPLICATED" then
    core:fatal(classes.SessionException("the server has ended this session, since another process uses the same one: end that process, "
      .. "or log in anew with a session of its own", { name = text, rpc = text, status = 1 }))
  end
  raise(code, text, detail, method.name)
end

--- Takes a refused call to its end: returns the result, or raises.
function middleware.refused(core, conn, method, q, opts, code, text, detail)
  local deadline = opts and opts.timeout and timer.now() + opts.timeout
  local state = { hops = 0, retries = 0, conn = conn, deadline = deadline }
  while true do
    local what, result = handle(core, method, state, code, text, detail)
    if what == "done" then return result end
    if deadline and timer.now() >= deadline then raise(0, "TIMEOUT", nil, method.name) end
    result, code, text, detail = state.conn:call(method.name, q, opts)
    if code == nil then return result end
  end
end

return middleware
