--- Cancellation tokens, in Amp's manner: a source hands out a token; who holds the token may be told, who holds the source may cancel.
local Class = require "luna.class"
local errors = require "luna.errors"

local cancellation = {}
local CancelledException = errors.classes.CancelledException

local Token = Class.new "CancellationToken"

--- Raises the CancelledException where cancellation was requested.
function Token:throwIfRequested()
  if self._err then error(self._err, 0) end
end

function Token:isRequested() return self._err ~= nil end

--- fn(err) is called once, at the cancellation, or at once where it was. Returns an id for unsubscribe.
function Token:subscribe(fn)
  if type(fn) ~= "function" then error("token:subscribe wants a function, got a " .. type(fn), 2) end
  self._last = self._last + 1
  if self._err then
    fn(self._err)
  else
    self._subscribers[self._last] = fn
    self._order[#self._order + 1] = self._last
  end
  return self._last
end

function Token:unsubscribe(id) self._subscribers[id] = nil end

function Token:init()
  self._last, self._subscribers, self._order = 0, {}, {}
end

local Source = Class.new "CancellationTokenSource"
cancellation.CancellationTokenSource = Source
cancellation.Token = Token

function Source:init() self._token = Token() end

function Source:getToken() return self._token end

--- Cancels, once; the second time is nothing. A subscriber that fails does not keep the others from being told; its error is raised after.
function Source:cancel(reason)
  local token = self._token
  if token._err then return end
  local err = errors.isException(reason) and reason or CancelledException(reason)
  token._err = err
  local failed
  for _, id in ipairs(token._order) do
    local fn = token._subscribers[id]
    if fn then
      token._subscribers[id] = nil
      local ok, why = pcall(fn, err)
      if not ok and failed == nil then failed = why end
    end
  end
  token._order = {}
  if failed ~= nil then error(failed, 0) end
end

function cancellation.isToken(x) return Class.is(x, Token) end

return cancellation
