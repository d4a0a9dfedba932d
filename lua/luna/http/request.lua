--- luna.http.Request(url, method?): a request put together step by step, for client:request(request). Names as in amphp's http-client.
local Class = require "luna.class"
local Headers = require "luna.http.headers"

local Request = Class.new "HTTPRequest"

function Request:init(url, method, body)
  if type(url) ~= "string" then error(("a URL is a string, not a %s"):format(type(url)), 3) end
  self.url, self.method, self.body, self.headers, self.more = url, method or "GET", body, Headers(), {}
end

function Request:getUri() return self.url end
function Request:getMethod() return self.method end
function Request:setMethod(method) self.method = method end
function Request:getHeader(name) return self.headers:get(name) end
function Request:hasHeader(name) return self.headers:get(name) ~= nil end
function Request:setHeader(name, value) self.headers:set(name, value, 2) end
function Request:addHeader(name, value) self.headers:add(name, value, 2) end
function Request:removeHeader(name) self.headers:remove(name) end
function Request:getBody() return self.body end
function Request:setBody(body) self.body = body end
function Request:setTransferTimeout(seconds) self.more.timeout = seconds end
function Request:setInactivityTimeout(seconds) self.more.inactivityTimeout = seconds end
function Request:setTcpConnectTimeout(seconds) self.more.connectTimeout = seconds end
function Request:setBodySizeLimit(bytes) self.more.maxSize = bytes end

--- As options, under those given with the call.
function Request:options(opts)
  local all = { method = self.method, body = self.body }
  for k, v in pairs(self.more) do all[k] = v end
  for k, v in pairs(opts or {}) do all[k] = v end
  local headers = self.headers:copy()
  if opts and opts.headers then headers:merge(opts.headers) end
  all.headers = headers
  return all
end

function Request:__tostring() return self.method .. " " .. self.url end

return Request
