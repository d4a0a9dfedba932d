--- What the sandbox knows: accounts, chats, channels, messages and each account's box. `state` is plain data without shared tables, so
--- that it can be written to a file; everything else in a model belongs to the running process. Methods (methods/*) and the test
--- kit's people change it through actions.lua.
local crypto = require "_luna.crypto"
local timer = require "_luna.timer"
local Class = require "luna.class"
local ids = require "luna.ids"

local Model = Class.new "Model"

local MAX_USER = 0xffffffffff

--- A state without anybody. seed: a string that makes hashes and random ids the same in every run; nil: by chance.
local function fresh(seed)
  return {
    version = 1, secret = seed or crypto.random(32), serial = 0,
    nextUser = 5000000001, nextChat = 4000001, nextChannel = 2000000001, nextCore = 1,
    users = {}, usernames = {}, phones = {}, tokens = {}, chats = {}, channels = {},
    cores = {}, boxes = {}, auths = {}, keys = {}, files = {}, bound = {}, polls = {}, scheduled = {}, charges = {},
  }
end

--- opts: state (as once saved), seed, dcs (list of ids, the first is where an account lives that says nothing else), log = fn(level, text).
function Model:init(opts)
  self.state = opts.state or fresh(opts.seed)
  local s = self.state
  s.polls, s.scheduled, s.charges = s.polls or {}, s.scheduled or {}, s.charges or {} -- a file of an earlier version has none
  self.dcs = opts.dcs or { 2 }
  self.log = opts.log or function() end
  self.sessions = {} -- user id → set of sessions that get its updates
  self.watchers = {} -- user id → fn(entry): the test kit's people
  self.queries, self.checkouts, self.codes, self.exports, self.parts, self.waiting = {}, {}, {}, {}, {}, {}
  self.inline = { queries = {}, cache = {}, order = {} } -- see inline.lua
  self.partBytes = 0
  self.hashes = {}
end

--- Unix time, whole seconds, of the running task's clock.
function Model:now() return math.floor(timer.wall()) end

--- Calls fn() when that time (unix, seconds) has come.
function Model:at(date, fn)
  timer.unref(timer.after(math.max(0, date - timer.wall()), function()
    if not self.server.closed then fn() end
  end))
end

--- Something in `state` has changed.
function Model:changed()
  if self.onChange then self.onChange() end
end

--- A number nobody can guess, or the next of the seed's: 64 bits, never 0.
function Model:random()
  local s = self.state
  s.serial = s.serial + 1
  local n = string.unpack("<i8", crypto.sha256(s.secret .. string.pack("<i8", s.serial)))
  return n ~= 0 and n or 1
end

--- The access hash by which `viewer` may name a user, chat or channel (marked id).
function Model:hash(viewer, marked)
  local mine = self.hashes[viewer]
  if not mine then
    mine = {}
    self.hashes[viewer] = mine
  end
  local h = mine[marked]
  if not h then
    h = string.unpack("<i8", crypto.sha256(self.state.secret .. string.pack("<i8i8", viewer, marked)))
    if h == 0 then h = 1 end
    mine[marked] = h
  end
  return h
end

-- ---- accounts ----

--- The normal form of a username, or nil where it cannot be one. Kinder than Telegram about length.
function Model.cleanUsername(name)
  name = name:gsub("^@", "")
  if name:find "^%a[%w_]*$" and #name <= 32 then return name end
  return nil
end

--- Adds an account: { first_name, last_name, username, phone, bot, id, dc, token, about, seesAll }; seesAll: a bot without privacy mode,
--- which gets everything that is said in its groups. Raises where the username, phone or id is taken.
function Model:addUser(u)
  local s = self.state
  local id = u.id
  if not id then
    repeat
      id = s.nextUser
      s.nextUser = id + 1
    until not s.users[id]
  end
  if id < 1 or id > MAX_USER then error(("%s is no id of a user"):format(id), 2) end
  if s.users[id] then error(("there is a user %d already"):format(id), 2) end
  if u.username then
    local name = Model.cleanUsername(u.username)
    if not name then error(('"%s" is no username'):format(u.username), 2) end
    if s.usernames[name:lower()] then error(("the username %s is taken"):format(name), 2) end
    s.usernames[name:lower()] = id
    u.username = name
  end
  if u.phone then
    if s.phones[u.phone] then error(("the phone %s is taken"):format(u.phone), 2) end
    s.phones[u.phone] = id
  end
  u.id = id
  u.dc = u.dc or self.dcs[1]
  u.contacts, u.blocked = u.contacts or {}, u.blocked or {}
  if u.bot then
    u.commands = u.commands or {}
    if u.token then s.tokens[u.token] = id end
  end
  s.users[id] = u
  self:changed()
  return u
end

--- The account of a bot token: { user }, or nil. An unknown token of the right form makes a bot of that id.
function Model:bot(token, dc)
  local s = self.state
  local known = s.tokens[token]
  if known then return s.users[known] end
  local digits, secret = token:match "^(%d+):([%w_%-]+)$"
  local id = digits and #digits <= 13 and math.tointeger(tonumber(digits))
  if not id or #secret < 8 or id < 1 or id > MAX_USER then return nil end
  local user = s.users[id]
  if user then
    if not user.bot then return nil end
    s.tokens[token] = id
    self:changed()
    return user
  end
  local name = ("bot%d_bot"):format(id)
  return self:addUser { id = id, bot = true, first_name = name, username = name, token = token, dc = dc, seesAll = true }
end

function Model:setUsername(marked, name)
  local s = self.state
  local object = self:object(marked)
  if object.username then s.usernames[object.username:lower()] = nil end
  object.username = name
  if name then s.usernames[name:lower()] = marked end
  self:changed()
end

--- The marked id behind a username, or nil.
function Model:byUsername(name) return self.state.usernames[name:gsub("^@", ""):lower()] end

function Model:user(id) return self.state.users[id] end
function Model:chat(id) return self.state.chats[id] end
function Model:channel(id) return self.state.channels[id] end

--- The account, chat or channel of a marked id, and its kind.
function Model:object(marked)
  local kind, id = ids.split(marked)
  if kind == "user" then return self.state.users[id], kind end
  if kind == "chat" then return self.state.chats[id], kind end
  if kind == "channel" then return self.state.channels[id], kind end
  return nil
end

--- What to call it in a log or a test's message.
function Model:name(marked)
  local o, kind = self:object(marked)
  if not o then return tostring(marked) end
  if kind ~= "user" then return o.title end
  return o.bot and o.username or o.first_name
end

-- ---- members of chats and channels ----

--- Ids of the members, in the order in which they came.
function Model.memberIds(o)
  local list = {}
  for id, m in pairs(o.members) do list[#list + 1] = { id, m.order } end
  table.sort(list, function(a, b) return a[2] < b[2] end)
  for i, pair in ipairs(list) do list[i] = pair[1] end
  return list
end

function Model:addMember(o, uid, inviter, role)
  o.serial = (o.serial or 0) + 1
  o.members[uid] = { order = o.serial, inviter = inviter, date = self:now(), role = role }
  o.count = (o.count or 0) + 1
  o.version = (o.version or 0) + 1
end

function Model:removeMember(o, uid)
  if not o.members[uid] then return false end
  o.members[uid] = nil
  o.count = o.count - 1
  o.version = o.version + 1
  return true
end

return Model
