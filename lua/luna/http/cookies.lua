--- The cookies of a client: kept by libcurl by the rules of RFC 6265, in memory; `save` and `load` for a file (Netscape's format, 0600).
local raw = require "_luna.http"
local host = require "_luna.host"
local Class = require "luna.class"
local errors = require "luna.errors"

local Cookies = Class.new "HTTPCookies"

function Cookies:init() self.jar = raw.jar() end

--- all(): a list of { name, value, domain, path, secure, httpOnly, expires (nil: with the session), subdomains }
function Cookies:all()
  local list = {}
  for line in self.jar:list():gmatch "[^\n]+" do
    local httpOnly = line:find "^#HttpOnly_" ~= nil
    local domain, sub, path, secure, expires, name, value =
      line:gsub("^#HttpOnly_", ""):match "^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t?(.*)$"
    if domain then
      expires = math.tointeger(tonumber(expires))
      list[#list + 1] = {
        name = name, value = value, domain = domain:gsub("^%.", ""), path = path, secure = secure == "TRUE", httpOnly = httpOnly,
        subdomains = sub == "TRUE", expires = expires ~= 0 and expires or nil,
      }
    end
  end
  return list
end

--- get(name, domain?): the value of a cookie, or nil.
function Cookies:get(name, domain)
  for _, cookie in ipairs(self:all()) do
    if cookie.name == name and (domain == nil or cookie.domain == domain) then return cookie.value end
  end
end

local function field(t, name, default)
  local value = t[name]
  if value == nil then value = default end
  if type(value) ~= "string" or value:find "[%c]" then
    error(('the "%s" of a cookie is a string without control characters'):format(name), 3)
  end
  return value
end

--- set{ name, value, domain, path = "/", secure, httpOnly, expires, subdomains }
function Cookies:set(t)
  if type(t) ~= "table" then error("cookies:set wants a table { name, value, domain }", 2) end
  local line = table.concat({
    (t.httpOnly and "#HttpOnly_" or "") .. (t.subdomains and "." or "") .. field(t, "domain"), t.subdomains and "TRUE" or "FALSE",
    field(t, "path", "/"), t.secure and "TRUE" or "FALSE", ("%d"):format(t.expires or 0), field(t, "name"), field(t, "value"),
  }, "\t")
  if not self.jar:set(line) then error("not a cookie", 2) end
end

function Cookies:clear() self.jar:set "ALL" end

function Cookies:save(path)
  local ok, why = host.writeFile(path, "# Netscape HTTP Cookie File\n" .. self.jar:list(), 384)
  if not ok then error(errors.classes.Exception(why), 2) end
end

function Cookies:load(path)
  local text, why = host.readFile(path)
  if not text then error(errors.classes.Exception(why), 2) end
  for line in text:gmatch "[^\r\n]+" do
    if line:find "\t" then self.jar:set(line) end
  end
end

return Cookies
