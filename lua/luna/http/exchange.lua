--- One request from its plan to its answer: the direct way, then the proxies where that failed; redirects, each looked at; streamed bodies.
--- Called by luna.http's clients. Owns the host's exchange until the answer's body has it.
local raw = require "_luna.http"
local host = require "_luna.host"
local task = require "_luna.task"
local errors = require "luna.errors"
local options = require "luna.http.options"
local Headers = require "luna.http.headers"
local Response = require "luna.http.response"

local exchange = {}

local redirectStatus = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }
local WHOLE_MAX = 64 << 20
local DRAIN_MAX = 65536

local meanings = {
  DNS = "the name could not be resolved", CONNECT = "nothing answers there", TIMEOUT = "timed out",
  TLS = "the secure connection failed",
  CERTIFICATE = "the server's certificate does not verify", TOOBIG = "the answer is larger than allowed",
  CLOSED = "the connection was closed", PROXY = "the proxy failed", PROTOCOL = "the server broke the protocol",
  FILE = "a file of the options ca, cert or key is of no use", URL = "libcurl takes it for no URL",
  PRIVATE = "an address of this machine or of a private network; { private = true } allows it",
}

local function said(name, text)
  local meaning = meanings[name] or "failed"
  return text and text ~= "" and name ~= "PRIVATE" and ("%s (%s)"):format(meaning, text) or meaning
end

-- more: what came of other ways.
local function failure(plan, url, name, text, more)
  if name == "CLOSED" and plan.cancelled then return plan.cancelled end
  if name == "BODY" and plan.bodyError ~= nil then return plan.bodyError end
  local message = host.redact(("%s %s: %s%s"):format(plan.method, options.shown(url), said(name, text), more or ""))
  local class = name == "TIMEOUT" and errors.classes.TimeoutException or errors.classes.HTTPException
  return class(message, { name = name, url = options.shown(url) })
end
exchange.failure = failure

-- Feeds a streamed body when it is asked for, so that a way that fails before leaves it untouched.
local function feed(plan, r)
  local length, sent = plan.length, 0
  local function wrong(what)
    local text = ("the body is %s than the %d bytes that were announced"):format(what, length)
    error(errors.classes.HTTPException(text, { name = "BODY", url = options.shown(plan.url) }), 0)
  end
  task.spawn(function()
    r:wait "want"
    if not r:wants() then return end
    plan.taken = true
    local ok, err = pcall(function()
      local nextPiece = plan.source()
      while true do
        local piece = nextPiece()
        if piece == nil then break end
        sent = sent + #piece
        if length and sent > length then wrong "longer" end
        if not r:write(piece) then return end
        r:wait "room"
      end
      if length and sent < length then wrong "shorter" end
    end)
    if not ok then plan.bodyError = err end
    r:finish(ok)
  end)
end

-- Tells the script how far it is, a few times a second and at the end. What it raises ends the request.
local function tell(plan, r)
  local over = false
  local function once()
    if over or r:status() == "closed" then return end
    over = r:status() ~= "running"
    local ok, err = pcall(plan.progress, r:progress())
    if ok then return end
    over, plan.cancelled = true, err
    r:close()
  end
  -- For who closes the exchange in the turn in which it ended.
  plan.tellLast = once
  task.spawn(function()
    repeat
      r:wait "progress"
      once()
    until r:status() ~= "running"
  end)
end

-- Sends it one way; gives the host's exchange and the head, or nil, name, text, unsent.
local function try(plan, step, proxy)
  if plan.cancelled then error(plan.cancelled, 0) end
  local left
  if plan.deadline then
    left = plan.deadline - raw.now()
    if left <= 0 then return nil, "TIMEOUT", "", true end
  end
  local secure = step.trusted
  local headers, cookies = step.headers, step.headers:all "Cookie"
  if cookies[1] then -- one header, with those of the jar
    headers = headers:copy()
    headers:remove "Cookie"
  end
  local r, name, text = raw.start {
    url = step.url, method = step.method, headers = headers:lines(), cookie = cookies[1] and table.concat(cookies, "; ") or nil,
    body = step.body, stream = step.source ~= nil,
    size = step.length, proxy = proxy, doh = plan.doh, ca = plan.ca, cert = secure and plan.cert or nil, key = secure and plan.key or nil,
    pin = secure and plan.pin or nil, user = secure and plan.auth and plan.auth.user or nil,
    password = secure and plan.auth and plan.auth.password or nil, version = plan.version, connect = plan.connectTimeout, timeout = left,
    idle = plan.inactivityTimeout, private = step.private, compressed = plan.compressed, progress = plan.progress ~= nil,
    jar = plan.cookies and plan.cookies.jar,
  }
  if not r then return nil, name, text, true end
  plan.current = r
  local kept = false
  local guard <close> = setmetatable({}, { __close = function() -- luacheck: ignore guard
    if kept then return end
    r:close()
    plan.current = nil
  end })
  if plan.maxSize then r:limit(plan.maxSize) end
  if step.source then feed(plan, r) end
  if plan.progress then tell(plan, r) end
  r:wait "head"
  local status, unsent
  status, name, text, unsent = r:status()
  if status == "closed" then error(plan.cancelled or errors.classes.CancelledException(), 0) end
  local head = r:head()
  if not head then
    if status ~= "failed" then name, text, unsent = "PROTOCOL", "no answer", false end
    return nil, name, text, unsent
  end
  kept = true
  return r, head
end

-- Asking for it twice is as good as once.
local mayRepeat = { GET = true, HEAD = true, OPTIONS = true, PUT = true, DELETE = true }
local waysWords = { DNS = true, CONNECT = true, TIMEOUT = true, TLS = true, CLOSED = true, PROXY = true, PROTOCOL = true }

-- Whether a failure says that this way does not lead there, so that a proxy may.
local function isOfTheWay(step, name, unsent)
  if unsent then return waysWords[name] == true end
  return mayRepeat[step.method] and (name == "CLOSED" or name == "TLS")
end

-- As try. An answer of a proxy for itself is none.
local function tryProxy(plan, step, proxy)
  local r, head, text, unsent = try(plan, step, proxy)
  if not r or not head:find "^HTTP/%S+ 407" then return r, head, text, unsent end
  r:close()
  return nil, "PROXY", "it wants a user and a password", true
end

local function attempt(plan, step)
  local r, name, text, unsent = try(plan, step)
  if r then return r, name end
  local first, why, more = name, text, ""
  for _, proxy in ipairs(plan.proxies or {}) do
    if not isOfTheWay(step, name, unsent) or (plan.taken and plan.once) then break end
    if plan.deadline and plan.deadline - raw.now() <= 0 then break end
    r, name, text, unsent = tryProxy(plan, step, proxy)
    if r then return r, name end
    more = ("%s; by way of %s: %s"):format(more, options.shown(proxy), said(name, text))
  end
  if first == "TIMEOUT" and name ~= "TIMEOUT" then first, why, more = name, text, "" end
  error(failure(plan, step.url, first, why, more), 0)
end

local function isSameOrigin(a, b)
  local s1, h1, p1 = raw.parse(a)
  local s2, h2, p2 = raw.parse(b)
  return s1 == s2 and p1 == p2 and h1:lower() == h2:lower()
end

-- The next step where the answer sends elsewhere; nil where it is the answer.
local function redirected(plan, step, response)
  local location = response.headers:get "Location"
  if not redirectStatus[response.status] or not location or plan.redirects == 0 then return nil end
  local function refuse(text)
    response:close()
    local message = ("%s %s: %s"):format(plan.method, options.shown(plan.url), text)
    errors.throw(errors.classes.HTTPException(message, { name = "REDIRECT", url = options.shown(step.url), status = response.status }))
  end
  if step.count >= plan.redirects then refuse(("more than %d redirects"):format(plan.redirects)) end
  local url = raw.resolve(step.url, location)
  if not url then refuse "redirected to what is no URL" end
  local scheme, wrong = options.parse(url)
  if not scheme then refuse("redirected: " .. wrong) end
  local before, old = raw.parse(step.url)
  if before == "https" and scheme == "http" and not plan.insecureRedirects then
    refuse(("redirected from https to %s; { insecureRedirects = true } allows it"):format(options.shown(url)))
  end
  local nextStep = {
    url = url, method = step.method, headers = step.headers, body = step.body, source = step.source, length = step.length,
    count = step.count + 1, trusted = step.trusted, private = step.private,
  }
  local status = response.status
  if (status == 303 and step.method ~= "HEAD") or ((status == 301 or status == 302) and step.method == "POST") then
    nextStep.method, nextStep.body, nextStep.source, nextStep.length = "GET", nil, nil, nil
    nextStep.headers = nextStep.headers:copy()
    for _, header in ipairs { "Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding" } do
      nextStep.headers:remove(header)
    end
  elseif step.source and plan.taken and plan.once then
    refuse "redirected, but the body has been read and cannot be sent again"
  end
  if not isSameOrigin(step.url, url) then
    -- What proves who we are is for the one it was given for.
    nextStep.trusted = false
    nextStep.headers = nextStep.headers:copy()
    for _, header in ipairs { "Authorization", "Cookie", "Proxy-Authorization" } do nextStep.headers:remove(header) end
    nextStep.headers:remove "Host"
  end
  -- A server of the internet does not lead to our own network, whatever was allowed for it.
  if not raw.isPrivate(old) and not raw.isPrivate(response.address) then nextStep.private = false end
  local length = tonumber(response.headers:get "Content-Length")
  if not length or length <= DRAIN_MAX then response:drain(DRAIN_MAX) end
  response:close()
  return nextStep
end

--- Runs a plan; gives a Response, or (plan.whole) the body of a good one.
function exchange.run(plan)
  if plan.timeout then plan.deadline = raw.now() + plan.timeout end
  local step = {
    url = plan.url, method = plan.method, headers = plan.headers, body = plan.body, source = plan.source, length = plan.length, count = 0,
    trusted = true, private = plan.private,
  }
  local previous = {}
  while true do
    local r, head = attempt(plan, step)
    local version, status, reason, headers = Headers.parse(head)
    local response = Response(plan, r, {
      status = status, reason = reason, version = version, headers = headers, url = step.url, method = step.method, redirects = previous,
      address = r:info().address,
    })
    local nextStep = redirected(plan, step, response)
    if not nextStep then
      if not plan.whole then
        response._release = plan.release
        return response
      end
      if status >= 400 then
        response:close()
        local text = ("%s %s: %d %s"):format(step.method, options.shown(step.url), status, reason)
        errors.throw(errors.classes.HTTPException(text,
          { name = "STATUS", status = status, url = options.shown(step.url), headers = headers }))
      end
      local guard <close> = response -- luacheck: ignore guard
      return response:readAll(plan.maxSize or WHOLE_MAX)
    end
    previous[#previous + 1] = { url = step.url, status = status }
    step = nextStep
  end
end

return exchange
