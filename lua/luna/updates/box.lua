--- One numbered sequence of updates (common pts, a channel's pts, qts): applies them in order, drops what was applied, and keeps what
--- comes too early until the gap is filled or 0.7 s have passed. https://core.telegram.org/api/updates#update-handling
local timer = require "_luna.timer"
local Class = require "luna.class"

local Box = Class.new "Box"

local PATIENCE = 0.7
local MAX_FETCHES = 3
local MAX_PENDING = 1000

--- apply(update, unit): one update in its turn. drop(unit): of one that was applied before. onGap(box): the difference is needed. What a
--- unit is, the box does not ask.
function Box:init(name, pts, apply, drop, onGap)
  self.name, self.pts = name, pts
  self.apply, self.drop, self.onGap = apply, drop, onGap
  self.pending, self.n = {}, 0
  self.fetching = false
  self.fetches = 0 -- differences since something was applied
end

local function gapOver(self)
  self.timer = nil
  if self.n > 0 and not self.fetching then self.onGap(self) end
end

local function insert(self, pts, count, update, unit)
  local list, n = self.pending, self.n
  if n >= MAX_PENDING then -- the difference brings it again
    self.drop(unit)
    if not self.fetching then self.onGap(self) end
    return
  end
  local i = n
  while i >= 1 and list[i].pts > pts do
    list[i + 1] = list[i]
    i = i - 1
  end
  list[i + 1] = { pts = pts, count = count, update = update, unit = unit }
  self.n = n + 1
end

--- What waits, tried again: after a gap closed or a difference came. loose: over holes too.
function Box:drain(loose)
  while self.n > 0 and not self.fetching do
    local first = self.pending[1]
    if self.pts and first.pts - first.count > self.pts then
      if not loose then break end
      self.pts = first.pts - first.count
    end
    table.remove(self.pending, 1)
    self.n = self.n - 1
    if self.pts and first.pts - first.count < self.pts then
      self.drop(first.unit)
    else
      self.pts = first.pts
      self.apply(first.update, first.unit)
    end
  end
  if self.n == 0 and self.timer then
    timer.cancel(self.timer)
    self.timer = nil
  elseif self.n > 0 and not self.timer and not self.fetching then
    self.timer = timer.after(PATIENCE, gapOver, self)
  end
end

--- One update with its pts after and its count.
function Box:offer(pts, count, update, unit)
  local own = self.pts
  if self.fetching then return insert(self, pts, count, update, unit) end
  if own == nil or (pts - count == own and self.n == 0) then
    self.pts = pts
    return self.apply(update, unit)
  end
  if pts - count < own then return self.drop(unit) end
  insert(self, pts, count, update, unit)
  self:drain()
end

--- A difference begins: everything waits.
function Box:beginFetch()
  self.fetching = true
  if self.timer then timer.cancel(self.timer) end
  self.timer = nil
end

--- A difference has ended; pts is where it led to. nil: it failed, which says nothing about what is missing.
function Box:endFetch(pts)
  self.fetching = false
  if not pts then return self:drain() end
  if pts ~= self.pts then self.pts, self.fetches = pts, 0 end
  local first = self.pending[1]
  if first and self.pts and first.pts - first.count > self.pts then
    self.fetches = self.fetches + 1
    if self.fetches >= MAX_FETCHES then -- the server says again and again that nothing is missing: believe it
      self.fetches = 0
      return self:drain(true)
    end
  end
  self:drain()
end

function Box:close()
  if self.timer then timer.cancel(self.timer) end
  if self.retry then timer.cancel(self.retry) end -- of a difference that failed
  self.timer, self.retry, self.n, self.pending = nil, nil, 0, {}
end

return Box
