--- What a replay did otherwise than the record: calls that are gone, new or changed, and their order, by the handler that made them; as
--- a list and as text for a person. Called by luna.replay at the end of a run. Pure.
local inspect = require "luna.inspect"
local Tape = require "luna.replay.tape"

local differences = {}

local SHOWN = 300 -- bytes of a text

-- Recorded calls and those of now by the number of the update whose handler made them.
local function byHandler(client, now)
  local groups, order = {}, {}
  local function group(n)
    local g = groups[n]
    if not g then
      g = { from = n, recorded = {}, now = {} }
      groups[n] = g
      order[#order + 1] = n
    end
    return g
  end
  for _, call in ipairs(client.calls) do
    if not call.match and (not call.raised or call.raised == "cancelled") then table.insert(group(call.from).recorded, call) end
  end
  for _, call in ipairs(now) do
    if not call.match and not call.beyond then table.insert(group(call.from).now, call) end
    if call.match and call.match.from == call.from and call.from > 0 then
      local g = group(call.from)
      if g.last and call.match.n < g.last.match.n and not g.swapped then g.swapped = { g.last, call } end
      g.last = call
    end
  end
  table.sort(order)
  local list = {}
  for i, n in ipairs(order) do list[i] = groups[n] end
  return list
end

-- The first of a list that is of that method, taken out of it.
local function takeLike(list, name)
  for i, call in ipairs(list) do
    if call.name == name then return table.remove(list, i) end
  end
end

--- The differences of one client: { kind = "changed" | "new" | "gone" | "order", update = number, method, recorded, now, where, t }.
function differences.of(client, now)
  local out = {}
  for _, g in ipairs(byHandler(client, now)) do
    local found = {}
    for _, call in ipairs(g.now) do
      local recorded = takeLike(g.recorded, call.name)
      found[#found + 1] = { kind = recorded and "changed" or "new", update = g.from, method = call.name, where = call.where, t = call.t,
        recorded = recorded and Tape.value(recorded.p), now = call.shown }
    end
    for _, call in ipairs(g.recorded) do
      found[#found + 1] = { kind = "gone", update = g.from, method = call.name, t = call.t, recorded = Tape.value(call.p) }
    end
    for i, d in ipairs(found) do d.place = i end
    table.sort(found, function(a, b) return a.t < b.t or a.t == b.t and a.place < b.place end)
    if g.swapped then
      local before, after = g.swapped[1], g.swapped[2]
      found[#found + 1] = { kind = "order", update = g.from, method = after.name, t = after.t, recorded = after.shown, now = before.shown,
        text = ("recorded: %s, then %s; now the other way round"):format(after.name, before.name) }
    end
    table.move(found, 1, #found, #out + 1, out)
  end
  return out
end

-- ---- as text ----

local hidden = { random_id = true, access_hash = true, file_reference = true }

local function plain(x)
  if type(x) ~= "table" then return x end
  local copy = {}
  for k, v in next, x do
    if not hidden[k] then copy[k] = plain(v) end
  end
  return copy
end

local function show(x) return inspect(plain(x), { depth = 8, string = SHOWN, entries = 40 }) end

-- The parameters of `p` that are not the same in `other`, as "message = …, peer = …".
local function unlike(p, other)
  local names, parts = {}, {}
  for name, value in pairs(p) do
    if not hidden[name] and Tape.canonical { value } ~= Tape.canonical { other[name] } then names[#names + 1] = name end
  end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = ("%s = %s"):format(name, show(p[name])) end
  local same = false
  for name in pairs(p) do
    if not hidden[name] and other[name] ~= nil and Tape.canonical { p[name] } == Tape.canonical { other[name] } then same = true end
  end
  if same then parts[#parts + 1] = "…" end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

-- "update 3 (updateNewMessage, "/start")"
local function where(client, n)
  if n == 0 then return "outside of handlers" end
  local entry = client.updates[n]
  if not entry then return "update " .. n end
  local u = Tape.value(entry.u)
  local text = type(u.message) == "table" and u.message.message or u.data or u.query
  local said = type(text) == "string" and text ~= "" and ", " .. inspect(text, { string = 60 }) or ""
  return ("update %d (%s%s)"):format(n, tostring(u._), said)
end
differences.where = where

--- Lines for one difference.
function differences.text(client, d)
  local head = ("%.3f s, %s"):format(d.t, where(client, d.update))
  local at = d.where and (" (%s)"):format(d.where) or ""
  if d.kind == "changed" then
    return ("%s:\n  recorded: %s%s\n  now:      %s%s%s"):format(head, d.method, unlike(d.recorded, d.now), d.method,
      unlike(d.now, d.recorded), at)
  elseif d.kind == "new" then
    return ("%s:\n  recorded: nothing\n  now:      %s%s%s"):format(head, d.method, show(d.now), at)
  elseif d.kind == "gone" then
    return ("%s:\n  recorded: %s%s\n  now:      nothing"):format(head, d.method, show(d.recorded))
  end
  return ("%s:\n  %s"):format(head, d.text)
end

return differences
