--- Cancellation tokens, in Amp's manner: a source hands out a token; who holds the token may be told, who holds the source may cancel.
local core = require "_luna.promise"
local Class = require "luna.class"
local errors = require "luna.errors"

local cancellation = {}
local CancelledException = errors.classes.CancelledException

local Token = Class.new "CancellationToken"

--- Raises the CancelledException where cancellation was requested.
function Token:throwIfRequested()
  Class.checkSelf(self, Token, "token:throwIfRequested()")
  if self._err then error(self._err, 0) end
end

function Token:isRequested()
  Class.checkSelf(self, Token, "token:isRequested()")
  return self._err ~= nil
end

--- fn(err) is called once, at the cancellation, or at once where it was; it may wait. What it throws goes where the errors of luna.loop's
--- callbacks go. Returns an id for unsubscribe.
function Token:subscribe(fn)
  Class.checkSelf(self, Token, "token:subscribe(fn)")
  if type(fn) ~= "function" then error("token:subscribe wants a function, got a " .. type(fn), 2) end
  self._last = self._last + 1
  if self._err then
    core.callback(fn, self._err)
  else
    self._subscribers[self._last] = fn
  end
  return self._last
end

function Token:unsubscribe(id)
  Class.checkSelf(self, Token, "token:unsubscribe(id)")
  if id ~= nil then self._subscribers[id] = nil end
end

function Token:init()
  self._last, self._subscribers = 0, {}
end

local Source = Class.new "CancellationTokenSource"
cancellation.CancellationTokenSource = Source
cancellation.Token = Token

function Source:init() self._token = Token() end

function Source:getToken()
  Class.checkSelf(self, Source, "source:getToken()")
  return self._token
end

--- Cancels, once; the second time is nothing. All subscribers are told, in their order, before it returns.
function Source:cancel(reason)
  Class.checkSelf(self, Source, "source:cancel(reason)")
  local token = self._token
  if token._err then return end
  local err = errors.isException(reason) and reason or CancelledException(reason)
  token._err = err
  local order = {}
  for id in pairs(token._subscribers) do order[#order + 1] = id end
  table.sort(order)
  for _, id in ipairs(order) do
    local fn = token._subscribers[id]
    if fn then
      token._subscribers[id] = nil
      core.callback(fn, err)
    end
  end
end

function cancellation.isToken(x) return Class.is(x, Token) end

return cancellation
