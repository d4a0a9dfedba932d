--- Options of HTTP requests: which there are, what they may hold, and a request's plan made of the client's defaults and its own.
--- Everything wrong is raised here, at the line of the script's call, before anything is sent.
local raw = require "_luna.http"
local host = require "_luna.host"
local Class = require "luna.class"
local errors = require "luna.errors"
local suggest = require "luna.suggest"
local Headers = require "luna.http.headers"
local body = require "luna.http.body"
local Request = require "luna.http.request"

local options = {}

local SHOWN_MAX = 500 -- of a URL in an error
local HEADERS_MAX = 250 -- lines that the host takes, with some of ours

local function typed(...)
  local wanted = { ... }
  return function(v)
    for _, t in ipairs(wanted) do
      if type(v) == t then return true end
    end
    return false, "a " .. table.concat(wanted, " or a ")
  end
end
local function positive(v) return type(v) == "number" and v > 0, "a number of seconds above 0" end
local function size(v) return type(v) == "number" and v >= 0, "a number of bytes" end
local function count(v) return math.type(v) == "integer" and v >= 0, "a whole number" end
local function any() return true end
local function strings(v)
  if type(v) ~= "table" then return false, "a list of proxy URLs" end
  for _, url in ipairs(v) do
    if type(url) ~= "string" or not options.isProxy(url) then return false, "a list of URLs like socks5h://user:password@host:1080" end
  end
  return true
end
local function doh(v) return type(v) == "string" and v:lower():find "^https://" ~= nil, "an https URL" end
local versions = { ["1.1"] = true, ["2"] = true, ["2-prior"] = true }

-- A file that is named has to be there: libcurl would blame the server.
local function file(v)
  if type(v) ~= "string" then return false, "a file's name" end
  local f, why = io.open(v, "rb")
  if not f then return false, "a file that can be read: " .. why end
  f:close()
  return true
end
local function pin(v) return type(v) == "string" and v:find "^sha256//[%w+/]+=*" ~= nil, 'a public key\'s hash, "sha256//BASE64"' end

-- For a request and, where the second is true, for a client's defaults.
local rules = {
  method = { typed "string" }, body = { any }, form = { typed "table" }, json = { any }, multipart = { typed "table" },
  contentLength = { count }, query = { typed "table" }, progress = { typed "function" },
  async = { typed "boolean" }, cancellation = { any },
  headers = { typed "table", true }, cookies = { typed("boolean", "table", "userdata"), true },
  timeout = { positive, true }, connectTimeout = { positive, true }, inactivityTimeout = { positive, true },
  maxSize = { size, true }, redirects = { count, true }, insecureRedirects = { typed "boolean", true },
  private = { typed "boolean", true }, compressed = { typed "boolean", true },
  version = { function(v) return versions[v] == true, 'one of "1.1", "2", "2-prior"' end, true },
  ca = { file, true }, cert = { file, true }, key = { file, true }, pin = { pin, true },
  auth = { typed "table", true }, bearer = { typed "string", true }, userAgent = { typed "string", true },
  proxies = { strings, true }, doh = { doh, true },
}

local advice = {
  verify = 'certificates are always verified; { ca = "file.pem" } adds an authority of your own',
  verifyPeer = 'certificates are always verified; { ca = "file.pem" } adds an authority of your own',
  proxy = "there is proxies = { url, … }: they are used where the direct way failed",
}

--- Raises at `level` for an unknown option or a wrong value; gives the table back.
function options.check(opts, level, request)
  if type(opts) ~= "table" then error(("the options are a table, not a %s"):format(type(opts)), level + 1) end
  for name, value in pairs(opts) do
    local rule = rules[name]
    if not rule then
      local hint = advice[name] and ": " .. advice[name] or suggest.hint(tostring(name), rules)
      error(('unknown option "%s"%s'):format(tostring(name), hint), level + 1)
    end
    if not rule[2] and not request then
      error(('the option "%s" belongs to a request, not to a client'):format(name), level + 1)
    end
    local ok, expected = rule[1](value)
    if not ok then
      local got = type(value) == "string" and name ~= "bearer" and ('"%s"'):format(value) or "a " .. type(value)
      if type(value) == "number" then got = tostring(value) end
      error(('the option "%s" is %s, expected %s'):format(name, got, expected), level + 1)
    end
  end
  return opts
end

local proxySchemes = { http = true, https = true, socks4 = true, socks4a = true, socks5 = true, socks5h = true }

function options.isProxy(url)
  local scheme, rest = url:match "^(%a[%w]*)://(.+)$"
  return scheme ~= nil and proxySchemes[scheme:lower()] == true and not rest:find "[%c%s]"
end

--- Those of a list that HTTP can go through (MTProto's own proxies are among an API object's as well).
function options.usableProxies(list)
  local usable = {}
  for _, url in ipairs(list) do
    if options.isProxy(url) then
      usable[#usable + 1] = url
      local password = url:match "^%a[%w]*://[^/@]*:([^/@]*)@"
      if password and #password >= 8 then host.secret(password) end
    end
  end
  return usable[1] and usable or nil
end

function options.cookies(x, Cookies, level)
  if x == nil or x == false then return nil end
  if x == true then return Cookies() end
  if Class.is(x, Cookies) then return x end
  error('the option "cookies" is true or the cookies of another client', level + 1)
end

function options.urlEncode(text)
  return (tostring(text):gsub("[^%w%-_.~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local plain = { string = true, number = true, boolean = true }

--- A table as "a=1&b=2", by the order of names; a list gives its name several times. what: which option it is. Raises at `level`.
function options.formEncode(t, what, level)
  local names, parts = {}, {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, name in ipairs(names) do
    local value = t[name]
    local list = type(value) == "table" and value or { value }
    local n = 0
    for _, v in pairs(list) do
      n = n + 1
      if not plain[type(v)] or list[n] == nil then
        error(('"%s" in %s holds a %s: it may be a string, a number, true or false, or a list of these'):format(tostring(name), what,
          list[n] == nil and "table with names" or type(v)), level + 1)
      end
    end
    for _, v in ipairs(list) do parts[#parts + 1] = options.urlEncode(name) .. "=" .. options.urlEncode(v) end
  end
  return table.concat(parts, "&")
end

--- A URL as it may be shown: without user, password and query.
function options.shown(url)
  url = url:gsub("^(%a[%w+.-]*://)[^/?#]*@", "%1"):gsub("[?#].*$", "")
  return #url <= SHOWN_MAX and url or url:sub(1, SHOWN_MAX) .. "…"
end

--- Checks a URL; gives its scheme, host and port, or nil and what is wrong.
function options.parse(url)
  if url:find "[%c%s]" then return nil, "the URL has a space or a control character in it" end
  local scheme = url:match "^(%a[%w+.-]*):"
  if not scheme then return nil, ('the URL "%s" does not begin with http:// or https://'):format(options.shown(url)) end
  scheme = scheme:lower()
  if scheme ~= "http" and scheme ~= "https" then
    return nil, ('the URL "%s" has the scheme "%s", only http and https are allowed'):format(options.shown(url), scheme)
  end
  local found, name, port = raw.parse(url)
  if not found or name == "" then return nil, ('"%s" is not a URL'):format(options.shown(url)) end
  return found, name, port
end

local function pick(plan, opts, defaults, name, default)
  local v = opts[name]
  if v == nil then v = defaults[name] end
  if v == nil then v = default end
  plan[name] = v
end

--- The plan of a request: everything that luna.http.exchange needs.
function options.plan(client, url, opts, level)
  if Class.is(url, Request) then
    opts = url:options(opts)
    url = url.url
  elseif type(url) == "table" and opts == nil then
    opts = {}
    for k, v in pairs(url) do
      if k ~= "url" then opts[k] = v end
    end
    url = url.url
  end
  if type(url) ~= "string" then error(("a URL is a string, not a %s"):format(type(url)), level + 1) end
  opts = options.check(opts or {}, level + 1, true)
  local scheme, why = options.parse(url)
  if not scheme then error(why, level + 1) end
  local defaults = client.defaults
  local plan = { client = client, api = client.api, url = url, progress = opts.progress, cancellation = opts.cancellation }
  plan.method = (opts.method or "GET"):upper()
  if not plan.method:find "^[%u]+$" then error(('"%s" is no method of HTTP'):format(opts.method:gsub("%c", "?")), level + 1) end
  if opts.contentLength and (type(opts.body) == "string" or opts.body == nil) then
    error('the option "contentLength" is for a body that is streamed', level + 1)
  end
  if opts.query then
    local text, at = options.formEncode(opts.query, "query", level + 1), url:find("#", 1, true)
    local base, fragment = url:sub(1, (at or 0) - 1), at and url:sub(at) or ""
    if text ~= "" then plan.url = base .. (base:find("?", 1, true) and "&" or "?") .. text .. fragment end
  end
  for _, name in ipairs { "timeout", "ca", "cert", "key", "pin", "auth", "bearer", "proxies", "doh", "version", "maxSize" } do
    pick(plan, opts, defaults, name)
  end
  if plan.key and not plan.cert then error('the option "key" is of no use without "cert"', level + 1) end
  pick(plan, opts, defaults, "connectTimeout", 10)
  pick(plan, opts, defaults, "inactivityTimeout", 30)
  pick(plan, opts, defaults, "redirects", 10)
  pick(plan, opts, defaults, "insecureRedirects", false)
  pick(plan, opts, defaults, "private", false)
  pick(plan, opts, defaults, "compressed", true)
  plan.cookies = client.cookies
  if opts.cookies ~= nil then plan.cookies = options.cookies(opts.cookies, require "luna.http.cookies", level + 1) end
  plan.headers = Headers()
  for _, from in ipairs { defaults.headers or {}, opts.headers or {} } do
    local ok, wrong = pcall(Headers.merge, plan.headers, from)
    if not ok then error(errors.bare(tostring(wrong)), level + 1) end
  end
  if #plan.headers:lines() > HEADERS_MAX then error(("more than %d headers"):format(HEADERS_MAX), level + 1) end
  if plan.auth and (type(plan.auth.user) ~= "string" or type(plan.auth.password) ~= "string") then
    error('the option "auth" is a table like { user = "…", password = "…" }', level + 1)
  end
  if plan.bearer then
    if plan.bearer:find "[%c%s]" then error("a bearer token has no spaces", level + 1) end
    plan.headers:set("Authorization", "Bearer " .. plan.bearer)
  end
  if not plan.headers:get "User-Agent" then
    plan.headers:set("User-Agent", opts.userAgent or defaults.userAgent or "luna/" .. host.version, level + 1)
  end
  body.plan(plan, opts, level + 1, options.formEncode)
  return plan
end

return options
