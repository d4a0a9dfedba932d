--- A record as luna.record wrote it, read and checked: for each client what came to it and what it called, in order, with the answers. A
--- record comes from outside: whatever does not fit is said with its line. Called by luna.replay; holds no file open.
local raw = require "_luna.json"
local Class = require "luna.class"
local errors = require "luna.errors"
local expand = require "luna.updates.expand"
local Mask = require "luna.record.mask"

local Tape = Class.new "Tape"

local VERSION = 1
local MAX_CUT = 1 << 26 -- bytes that a note of left-out bytes may stand for
local MAX_DEPTH = 110

local function fail(text, ...)
  error(errors.classes.Exception(text:format(...), { status = 2 }), 0)
end

local digits = {}
for i = 0, 63 do digits[("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):byte(i + 1)] = i end

local function fromBase64(text)
  return (text:gsub("%s", ""):gsub("[^=][^=]?[^=]?[^=]?=*", function(four)
    local n, value = 0, 0
    for i = 1, math.min(4, #four) do
      local digit = digits[four:byte(i)]
      if digit then n, value = n + 1, value << 6 | digit end
    end
    if n < 2 then return "" end
    return (string.pack(">I4", value << (6 * (4 - n)) & 0xffffff):sub(2, n))
  end))
end

--- What a record holds of a value, as the value: bytes as strings, and zeros for those that were left out.
function Tape.value(x, depth)
  depth = depth or 0
  if x == raw.null then return nil end
  if type(x) ~= "table" then return x end
  if depth > MAX_DEPTH then error("tables nested too deeply", 0) end
  if x._ == "bytes" and type(x.bytes) == "string" then return fromBase64(x.bytes) end
  if x._ == "luna.cut" then
    local n = math.type(x.n) == "integer" and x.n or 0
    return ("\0"):rep(math.max(0, math.min(n, MAX_CUT)))
  end
  local copy = {}
  for k, v in next, x do copy[k] = Tape.value(v, depth + 1) end
  return copy
end

-- What tells an update from another, in whatever way it came: its place in its sequence, else all of it.
function Tape.key(update)
  local message = type(update.message) == "table" and update.message or nil
  if type(update.pts_count) == "number" and update.pts_count > 0 then
    local channel = update.channel_id or message and type(message.peer_id) == "table" and message.peer_id.channel_id or 0
    return ("%s:%s:%s"):format(update._, channel, update.pts)
  end
  return Tape.canonical(update)
end

local volatile = { access_hash = true, random_id = true, file_reference = true }

local function normal(x, depth)
  if type(x) == "number" then return math.tointeger(x) or x end
  if type(x) == "string" then return #x > 4096 and Mask.cut(x) or x end
  if type(x) ~= "table" then return x end
  if depth > MAX_DEPTH then error("tables nested too deeply", 0) end
  local copy = {}
  for k, v in next, x do
    if not volatile[k] then copy[k] = normal(v, depth + 1) end
  end
  return copy
end

--- A value as a text that is the same for the same value: without what differs from run to run.
function Tape.canonical(x)
  local ok, text = pcall(function() return raw.encode(normal(x, 0)) end)
  return ok and text or "?" .. tostring(text)
end

-- ---- reading ----

local kinds = {}
local fields = {
  bot = { name = "string" }, up = { me = "table" }, name = { name = "string", id = "integer" }, state = { fields = "table" },
  update = { n = "integer" }, call = { n = "integer", from = "integer", m = "string", p = "table" }, answer = { n = "integer" },
  refused = { n = "integer", e = "table" }, raised = { n = "integer" }, reload = {}, error = { from = "integer", text = "string" },
  stop = {},
}

function kinds.bot(self, line, client)
  if client.name == nil then
    client.name, client.order, client.floodTimeout = line.name, line.order, line.floodTimeout
    self.clients[#self.clients + 1] = client
  end
end
function kinds.up(_, line, client)
  if client.me then return end
  local me = Tape.value(line.me)
  if math.type(me.id) ~= "integer" then error("the bot has no id", 0) end
  client.me, client.upAt = me, line.t
end
function kinds.name(_, line, client) client.names[line.name] = line.id end
function kinds.state(_, line, client)
  for name, text in pairs(Tape.value(line.fields)) do
    if type(text) == "string" then client.state[name] = text end
  end
end

function kinds.update(self, line, client)
  local u = line.u
  if line.own then
    local call = client.byNumber[line.own]
    local list = call and call.answer and type(call.answer.r) == "table" and call.answer.r.updates
    u = type(list) == "table" and list[line.i]
  end
  u = Tape.value(u)
  if type(u) ~= "table" or type(u._) ~= "string" then error("an update without its kind", 0) end
  local entry = { n = line.n, t = line.t, u = u, client = client, kind = "update" }
  client.updates[line.n] = entry
  client.updateCount = client.updateCount + 1
  self.events[#self.events + 1] = entry
end

function kinds.call(_, line, client)
  local call = { n = line.n, t = line.t, from = line.from, name = line.m, p = line.p, text = Tape.canonical(Tape.value(line.p)) }
  client.byNumber[line.n] = call
  client.calls[#client.calls + 1] = call
end

local function closing(_, line, client)
  local call = client.byNumber[line.n]
  if not call then return end -- it began in an earlier part
  if line.k == "answer" then
    call.answer = { t = line.t, r = line.r }
  elseif line.k == "refused" then
    call.answer = { t = line.t, e = line.e }
  else
    call.raised = line.why or true
  end
end
kinds.answer, kinds.refused, kinds.raised = closing, closing, closing

function kinds.error(_, line, client) client.errors[#client.errors + 1] = { from = line.from, text = line.text } end
function kinds.reload(self, line, client)
  self.events[#self.events + 1] = { kind = "reload", t = line.t, client = client }
end
function kinds.stop(self, line, client)
  client.stopAt = line.t
  self.events[#self.events + 1] = { kind = "stop", t = line.t, client = client, why = line.why }
end

local function clientOf(self, number)
  local client = self.byNumber[number]
  if not client then
    client = { number = number, names = {}, state = {}, updates = {}, updateCount = 0, calls = {}, byNumber = {}, errors = {} }
    self.byNumber[number] = client
  end
  return client
end

local function take(self, line)
  local wanted = fields[line.k]
  if not wanted then return end -- of a newer program
  if math.type(line.b) ~= "integer" or type(line.t) ~= "number" then error("a line without client or time", 0) end
  for name, kind in pairs(wanted) do
    local value = line[name]
    if kind == "table" then value = Tape.value(value) end -- what looks like bytes is none
    if type(value) ~= kind and math.type(value) ~= kind then error(('"%s" without its "%s"'):format(line.k, name), 0) end
  end
  self.last = math.max(self.last, line.t)
  kinds[line.k](self, line, clientOf(self, line.b))
end

-- Updates that ride in an answer come with it in the replay too, and not by themselves.
local function findOwn(client)
  client.keys = {} -- key → number of the update
  for n, entry in pairs(client.updates) do
    entry.key = Tape.key(Tape.value(entry.u))
    client.keys[entry.key] = n
  end
  for _, call in ipairs(client.calls) do
    local answer = call.answer
    local ok, full = pcall(function()
      local r = answer and answer.r and Tape.value(answer.r)
      return type(r) == "table" and r._ and expand.container(r, client.me and client.me.id, Tape.value(call.p))
    end)
    for _, update in ipairs(ok and full and full.updates or {}) do
      local n = client.keys[Tape.key(update)]
      if n then client.updates[n].own = true end
    end
  end
end

--- Reads the record. Raises an exception (status 2) where the file cannot be read or is none.
function Tape:init(path)
  self.path, self.clients, self.byNumber, self.events, self.last = path, {}, {}, {}, 0
  local file, why = io.open(path, "rb")
  if file then -- a folder can be opened, and not read
    local _
    _, why = file:read(0)
    if why then file:close() end
  end
  if why then fail("the record %s cannot be read: %s", path, (tostring(why):gsub("^.*: ", ""))) end
  local n, torn = 0, nil
  for text in file:lines() do
    n = n + 1
    if torn then
      file:close()
      fail("%s, line %d: %s", path, n - 1, torn)
    end
    local ok, line, what = raw.decode(text)
    if not ok or type(line) ~= "table" then
      torn = ("it is no JSON (%s)"):format(tostring(line))
      what = torn
    elseif n == 1 then
      if line.luna ~= "record" then what = "it is no record of luna run --record" end
      if line.version ~= VERSION then
        what = what or ("a record of version %s, this program reads %d"):format(tostring(line.version), VERSION)
      end
      self.wall, self.seed, self.layer = line.wall, line.seed, line.layer
      self.zone = line.zone
      self.masked, self.continued = line.masked == true, line.continued == true
      if not what and (type(self.wall) ~= "number" or math.type(self.seed) ~= "integer") then what = "it has no time or seed" end
    else
      local fine, err = pcall(take, self, line)
      if not fine then torn = tostring(err) end
    end
    if n == 1 and what then
      file:close()
      fail("%s: %s", path, torn and "it is no record of luna run --record" or what)
    end
  end
  file:close()
  if n == 0 then fail("%s: it is empty", path) end
  self.torn = torn ~= nil -- the last line: the program was killed while it wrote
  for _, client in ipairs(self.clients) do findOwn(client) end
end

--- The client of that name, or the only one; raises where it is not to be told.
function Tape:client(name, alone)
  local found
  for _, client in ipairs(self.clients) do
    if client.name == name then found = client end
  end
  if not found and alone and #self.clients == 1 then found = self.clients[1] end
  if not found then
    local names = {}
    for i, client in ipairs(self.clients) do names[i] = client.name end
    fail("%s: there is no bot %s in it; there %s", self.path, name,
      #names == 0 and "is none" or #names == 1 and "is " .. names[1] or "are " .. table.concat(names, ", "))
  end
  if not found.me then fail("%s: the bot %s had not logged in when the record ended", self.path, found.name) end
  return found
end

return Tape
