--- Faults that a test asks for: on the wire by `_luna.server`, in the methods and the updates here. One object per world; the same faults
--- come the same way for the same seed.
local timer = require "_luna.timer"
local Class = require "luna.class"
local suggest = require "luna.suggest"
local rpc = require "luna.sandbox.rpc"

local Faults = Class.new "Faults"

local onWire = { drop = true, delay = true, corrupt = true, seed = true }
local others = {
  cut = true, forget = true, salt = true, transportError = true, restart = true, flood = true, migrate = true, rpc = true, gap = true,
  off = true, duplicate = true, reorder = true, dropTemporaryKeys = true,
}
local HELD = 0.5 -- seconds after which an update that was to be overtaken goes anyway

function Faults:init(server)
  self.server = server
  self.rules, self.gap, self.wire = {}, 0, {}
  self.duplicate, self.reorder, self.held, self.chances = 0, 0, {}, 1
end

-- The next of a row of numbers in [0, 1) that is the same for the same seed.
local function chance(self)
  self.chances = self.chances * 6364136223846793005 + 1442695040888963407
  return (self.chances >> 11) / 2.0 ^ 53
end

local loginMethods = { ["auth.importBotAuthorization"] = true, ["auth.sendCode"] = true, ["auth.signIn"] = true }

--- Takes what a test says. All chances begin anew with the seed (with 1 after off).
---   drop, corrupt = chance for each piece of the wire; delay = seconds at most; seed
---   duplicate, reorder = chance for each push: it comes twice, or after the next one
---   cut = true: every connection breaks; forget = true: sessions are forgotten; restart = true: both; transportError = 404 | 429 | 444
---   dropTemporaryKeys = true: the server knows none of them any more (-404 follows)
---   salt = true: every salt that clients hold is wrong from now on
---   flood = seconds | { seconds, method = "messages.sendMessage", times = 1 }: the next calls are refused with FLOOD_WAIT_n
---   migrate = dc: the next bot that logs in lives in that DC, and is sent there
---   rpc = { code, text, method =, times = }: the next calls are refused with that
---   gap = n: the next n updates of every account are not sent (they are there for getDifference)
---   off = true: no more faults
function Faults:set(f)
  for key in pairs(f) do
    if not (onWire[key] or others[key]) then
      error(('world:fault: there is no fault "%s"%s'):format(tostring(key), suggest.hint(tostring(key), onWire, others)), 3)
    end
  end
  local wire = self.server.wire
  if f.off then
    self.rules, self.gap, self.wire = {}, 0, {}
    self.duplicate, self.reorder, self.chances = 0, 0, 1
    wire:faults {}
  end
  if f.seed then self.chances = f.seed end
  self.duplicate, self.reorder = f.duplicate or self.duplicate, f.reorder or self.reorder
  local wired = false
  for key in pairs(onWire) do
    if f[key] ~= nil then
      self.wire[key] = f[key]
      wired = wired or key ~= "seed"
    end
  end
  if wired then wire:faults(self.wire) end
  if f.flood then
    local rule = type(f.flood) == "table" and f.flood or { f.flood }
    self:add(420, ("FLOOD_WAIT_%d"):format(rule[1]), rule.method, rule.times)
  end
  if f.migrate then
    self:add(303, ("USER_MIGRATE_%d"):format(f.migrate), "auth.importBotAuthorization")
    self.rules[#self.rules].dc = f.migrate
  end
  if f.rpc then self:add(f.rpc[1], f.rpc[2], f.rpc.method, f.rpc.times) end
  if f.gap then self.gap = f.gap == true and 1 or f.gap end
  if f.forget or f.restart then wire:forget() end
  if f.salt then wire:newSalts() end
  if f.dropTemporaryKeys then wire:dropTemporaryKeys() end
  if f.transportError then wire:transportError(f.transportError) end
  if f.cut or f.restart then wire:cut() end
end

--- From here on reset() brings back the faults as they are now.
function Faults:mark()
  local rules, on = {}, {}
  for i, rule in ipairs(self.rules) do
    rules[i] = {}
    for k, v in pairs(rule) do rules[i][k] = v end
  end
  for k, v in pairs(self.wire) do on[k] = v end
  self.before = { rules = rules, wire = on, gap = self.gap, duplicate = self.duplicate, reorder = self.reorder }
end

--- Takes back the faults that were made since mark().
function Faults:reset()
  local before = self.before or { rules = {}, wire = {}, gap = 0, duplicate = 0, reorder = 0 }
  for k, v in pairs(before) do self[k] = v end
  self.server.wire:faults(self.wire)
  self:mark()
end

function Faults:add(code, text, method, times)
  self.rules[#self.rules + 1] = { code = code, text = text, method = method, times = times or 1 }
end

--- Called before every method; raises what a rule says.
function Faults:beforeMethod(ctx, name, query)
  for i, rule in ipairs(self.rules) do
    local fits = rule.method == name
    if not rule.method then fits = ctx.user ~= nil and not loginMethods[name] and not name:find "^help%." and not name:find "^updates%." end
    if fits then
      rule.times = rule.times - 1
      if rule.times <= 0 then table.remove(self.rules, i) end
      local user = rule.dc and ctx.model:bot(query.bot_auth_token, rule.dc)
      if user then user.dc = rule.dc end -- it lives there from now on
      rpc.fail(rule.code, rule.text)
    end
  end
end

--- Whether these entries are not to be pushed.
function Faults:loses(_, entries)
  if self.gap <= 0 then return false end
  for _, e in ipairs(entries) do
    if not e.pts then return false end
  end
  self.gap = self.gap - 1
  return true
end

--- Sends a container to a session, or twice, or later. send(session, container).
function Faults:deliver(session, container, send)
  local held = self.held[session]
  self.held[session] = nil
  if not held and self.reorder > 0 and chance(self) < self.reorder then
    self.held[session] = container
    timer.unref(timer.after(HELD, function()
      if self.held[session] ~= container then return end
      self.held[session] = nil
      send(session, container)
    end))
    return
  end
  send(session, container)
  if self.duplicate > 0 and chance(self) < self.duplicate then send(session, container) end
  if held then send(session, held) end
end

return Faults
