--- luna.http: an HTTP client on the host's loop. `luna.http.get(url)` uses the default client; `luna.http.Client{…}` makes one with
--- defaults of its own; an API object's comes from `api:getHTTPClient()` and knows the proxies of its settings. A client owns its cookies;
--- connections are kept by the host and shared by all clients.
local raw = require "_luna.http"
local task = require "_luna.task"
local core = require "_luna.promise"
local Class = require "luna.class"
local cancellation = require "luna.cancellation"
local helpers = require "luna.helpers"
local options = require "luna.http.options"
local exchange = require "luna.http.exchange"
local Cookies = require "luna.http.cookies"
local Request = require "luna.http.request"

local ok, why = raw.available()
if not ok then error("luna.http: " .. why, 0) end

local http = { Request = Request, urlEncode = options.urlEncode }

local Client = Class.new "HTTPClient"
http.Client = Client

--- luna.http.Client(defaults?): options that every request of this client begins with.
function Client:init(defaults, level)
  level = (level or 1) + 2
  self.defaults = options.check(defaults or {}, level)
  self.cookies = options.cookies(self.defaults.cookies, Cookies, level)
end

local weak = { __mode = "v" }

-- Ends the plan's exchange when its token says so, until plan.release is called: by us, or by the answer that comes of it, whose body is
-- under the token as well. The token does not keep an answer that was forgotten.
local function follow(plan)
  local token, held = plan.cancellation, setmetatable({ plan }, weak)
  local id = token:subscribe(function(err)
    local own = held[1]
    if not own then return end
    own.cancelled = err
    if own.current then own.current:close() end
  end)
  function plan.release() token:unsubscribe(id) end
end

-- What is the answer's from here on is left to it.
local function over(plan, failed)
  if failed or plan.whole then plan.release() end
end

local function pass(plan, good, ...)
  over(plan, not good)
  if good then return ... end
  error((...), 0)
end

-- Runs the exchange by the mode: at once in this task, or in one of its own for a promise.
local function run(self, plan, opts, level)
  local async = opts and opts.async
  if async == nil then async = self.api ~= nil and self.api._core.async end
  if not async then helpers.waitable(level + 1) end
  if plan.cancellation then
    follow(plan)
    if plan.cancelled then
      if async then return core.failure(plan.cancelled) end
      error(plan.cancelled, 0)
    end
    if not async then return pass(plan, pcall(exchange.run, plan)) end
    local p = task.spawn(exchange.run, plan)
    core.onResolve(p, function(err) over(plan, err ~= nil) end)
    return p
  end
  if async then return task.spawn(exchange.run, plan) end
  return exchange.run(plan)
end

local function start(self, url, opts, level)
  local plan = options.plan(self, url, opts, level + 1)
  if plan.cancellation and not cancellation.isToken(plan.cancellation) then
    error("the option \"cancellation\" wants a token of a CancellationTokenSource", level + 1)
  end
  return (run(self, plan, opts, level + 1))
end

--- client:request(url | Request | { url =, method =, … }, options?): the answer, as soon as its headers are there.
function Client:request(url, opts) return (start(self, url, opts, 2)) end

local function merged(opts, method, body)
  local all = {}
  for k, v in pairs(opts or {}) do all[k] = v end
  all.method = method
  if body ~= nil then all.body = body end
  return all
end

for _, method in ipairs { "get", "head", "delete", "options" } do
  local name = method:upper()
  --- client:get(url, options?)
  Client[method] = function(self, url, opts)
    if opts ~= nil and type(opts) ~= "table" then error(("the options are a table, not a %s"):format(type(opts)), 2) end
    return (start(self, url, merged(opts, name), 2))
  end
end

for _, method in ipairs { "post", "put", "patch" } do
  local name = method:upper()
  --- client:post(url, body?, options?): the body is a string, a table (sent as a form), a function, a file, or what `body` may be.
  Client[method] = function(self, url, body, opts)
    if opts ~= nil and type(opts) ~= "table" then error(("the options are a table, not a %s"):format(type(opts)), 2) end
    return (start(self, url, merged(opts, name, body), 2))
  end
end

--- client:getBody(url, options?): the body of a good answer; raises an HTTPException for a status of 400 and above.
function Client:fetch(url, opts, level)
  level = (level or 1) + 1
  if opts ~= nil and type(opts) ~= "table" then error(("the options are a table, not a %s"):format(type(opts)), level) end
  local plan = options.plan(self, url, merged(opts, opts and opts.method or "GET"), level)
  plan.whole = true
  return (run(self, plan, opts, level))
end

--- client:with(defaults): a client with these options over its own; the cookies are shared unless `cookies` is among them.
function Client:with(more)
  options.check(more, 2)
  local all = {}
  for k, v in pairs(self.defaults) do all[k] = v end
  for k, v in pairs(more) do all[k] = v end
  local client = Client(all)
  if more.cookies == nil then client.cookies = self.cookies end
  client.api = self.api
  return client
end

function Client:__tostring() return "HTTP client" end

--- luna.http.is(x): whether x is a client.
function http.is(x) return Class.is(x, Client) end

local default
local function client()
  default = default or Client()
  return default
end

for _, name in ipairs { "request", "get", "head", "delete", "options", "post", "put", "patch" } do
  --- luna.http.get(url, options?) and the others: of the default client.
  http[name] = function(...)
    if (...) == http then error(("luna.http.%s is called with a dot: luna.http.%s(url)"):format(name, name), 2) end
    local method = client()[name]
    return method(client(), ...)
  end
end

--- The client of an API object, made once; nil: the default one. With defaults of its own it is a new one each time.
function http.clientOf(api, defaults, level)
  local base
  if not api then
    base = client()
  else
    local owner = api._core
    base = owner.httpClient
    if not base then
      local connection = owner.settings.connection or {}
      base = Client { proxies = connection.proxies and options.usableProxies(connection.proxies), connectTimeout = connection.timeout }
      base.api = owner.api or api
      owner.httpClient = base
    end
  end
  if defaults == nil then return base end
  options.check(defaults, (level or 1) + 1)
  return base:with(defaults)
end

return http
