-- Updates while the disk or the server fails: nothing is acknowledged that is not safe, nothing is lost, and nobody is asked in a spin.
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local fake = dofile(folder .. "/spec/support/fake_core.lua")
local luna = require "luna"
local timer = require "_luna.timer"
local errors = require "luna.errors"

local function message(id, chat)
  return { _ = "message", id = id, peer_id = { _ = "peerUser", user_id = chat or 50 }, date = 1, message = "m" .. id }
end
local function new(id, pts, chat) return { _ = "updateNewMessage", message = message(id, chat), pts = pts, pts_count = 1 } end
local function updates(list) return { _ = "updates", updates = list, users = {}, chats = {}, date = 1000, seq = 0 } end
local function state(pts) return { _ = "updates.state", pts = pts, qts = 0, date = 1, seq = 0, unread_count = 0 } end
local function rpc(code, text) error(errors.classes.RPCErrorException(text, code, "updates.getDifference"), 0) end

local cores = {}
local function make(opts)
  cores[#cores + 1] = fake(opts)
  return cores[#cores]
end

local function start(opts)
  local core = make(opts)
  core.seen = {}
  core.dispatch:setCallback(opts and opts.callback or function(update)
    core.seen[#core.seen + 1] = update.message and update.message.id or update._
  end)
  core.updates:prepare()
  core.updates:activate()
  luna.sleep(0.05)
  local acks = 0
  function core:push(u)
    acks = acks + 1
    self.updates:receive(self.conn, u, acks, nil)
    luna.sleep(0.1) -- the commit's group and its patience are over
  end
  return core
end

-- The account with commits that can be made to fail: `refuse`, the call itself; `give`, what is told later instead of success.
local function breakable(core)
  local real, broken = core.account, { commits = 0 }
  core.account = setmetatable({
    commit = function(_, what, durable)
      broken.commits = broken.commits + 1
      if broken.refuse then error("session: " .. broken.refuse, 0) end
      return real:commit(what, durable and function(errname) durable(broken.give or errname) end)
    end,
  }, { __index = function(_, name) return function(_, ...) return real[name](real, ...) end end })
  return broken
end

local function count(core, name, from)
  local n = 0
  for i = from or 1, #core.calls do n = n + (core.calls[i].name == name and 1 or 0) end
  return n
end

describe("updates", function()
  local clock
  before_each(function()
    clock = timer.newVirtual()
    timer.useClock(clock)
  end)
  after_each(function()
    for _, core in ipairs(cores) do core.updates:stop() end
    cores = {}
    timer.useClock(nil)
    clock:free() -- or it would go on for ever, beside the specs that come
  end)

  it("are not acknowledged where the commit went wrong", function()
    local core = start()
    local broken = breakable(core)
    broken.give = "CORRUPT"
    core:push(updates { new(1, 101) })
    assert.same({ 1 }, core.seen)
    luna.sleep(5)
    assert.same({}, core.acked)
  end)

  it("leave nothing in the store where their handlers end soon, and are kept and acknowledged where they go on", function()
    local soon, never = luna.Deferred(), luna.Deferred()
    local core = start { callback = function(update) luna.await((update.message.id == 1 and soon or never):promise()) end }
    local kept = breakable(core)
    local rows, commit = {}, core.account.commit
    core.account.commit = function(account, what, durable)
      for _, row in ipairs(what.add or {}) do rows[#rows + 1] = row.pts end
      return commit(account, what, durable)
    end
    local before = kept.commits
    core.updates:receive(core.conn, updates { new(1, 101, 60) }, 1, nil)
    core.updates:receive(core.conn, updates { new(2, 102, 61) }, 2, nil)
    luna.sleep(0.03)
    assert.equal(before, kept.commits) -- it waits for them
    assert.same({}, core.acked)
    soon:resolve()
    luna.sleep(0.1)
    assert.same({ 102 }, rows)
    assert.same({ 1, 2 }, core.acked)
    assert.equal(102, core.account:state().pts)
    never:resolve()
    luna.sleep(0.1)
    assert.equal(0, #core.account:inbox())
  end)

  it("of what the bot sends are in no hurry to be kept, unless others come or something persists", function()
    local function sent(core, id)
      core.updates:fromResult({ _ = "updateShortSentMessage", out = true, id = id, pts = 100 + id, pts_count = 1, date = 3 },
        { peer = { _ = "inputPeerUser", user_id = 50, access_hash = 0 }, message = "mine" })
    end
    local core = start()
    local kept = breakable(core)
    for i = 1, 10 do
      sent(core, i)
      luna.sleep(0.015)
    end
    assert.equal(10, #core.seen)
    assert.equal(0, kept.commits)
    luna.sleep(0.1)
    assert.equal(1, kept.commits)
    assert.equal(110, core.account:state().pts)
    sent(core, 11)
    core.updates:receive(core.conn, updates { new(12, 112) }, 7, nil)
    sent(core, 13)
    luna.sleep(0.015)
    assert.same({ 7 }, core.acked)
    assert.equal(2, kept.commits)
    assert.equal(113, core.account:state().pts)
    luna.sleep(1)
    assert.equal(2, kept.commits) -- nothing was left to be done
    core.updates.journal.persist = function() end
    sent(core, 14)
    luna.sleep(0.015)
    assert.equal(3, kept.commits)
    core.updates.journal.persist = nil
    sent(core, 15)
    core.updates:flush() -- as at the end
    assert.equal(115, core.account:state().pts)
  end)

  it("that nobody handles are counted and left out, but shown to who listens to all", function()
    local core = start()
    core.dispatch:setHandler({}, {})
    local status = { _ = "updateUserStatus", user_id = 5, status = { _ = "userStatusRecently" } }
    core:push(updates { status })
    core:push(updates { status })
    assert.equal(2, core.updates.journal.count)
    assert.same({ 1, 2 }, core.acked)
    local shown = 0
    core.dispatch.handle = function() shown = shown + 1 end -- as the REPL's :watch and a record do
    core:push(updates { status })
    assert.equal(1, shown)
  end)

  it("that nobody handled come to who does since, in the middle of a container too", function()
    local core, seen = start(), {}
    core.dispatch:setHandler({}, {})
    local status = { _ = "updateUserStatus", user_id = 5, status = { _ = "userStatusRecently" } }
    core:push(updates { status })
    core.dispatch:setHandler({}, {
      onUpdateUserTyping = function()
        core.dispatch:setHandler({}, { onUpdateUserStatus = function(_, u) seen[#seen + 1] = u.user_id end })
      end,
    })
    core:push(updates { status, { _ = "updateUserTyping", user_id = 5, action = { _ = "sendMessageTypingAction" } }, status })
    assert.same({ 5 }, seen)
  end)

  it("are committed before the patience is over where many handlers run", function()
    local never = luna.Deferred()
    local core = start { callback = function() luna.await(never:promise()) end }
    for i = 1, 256 do core.updates:receive(core.conn, updates { new(i, 100 + i, i) }, i, nil) end
    luna.sleep(0.02)
    assert.equal(256, #core.acked)
    assert.equal(256, #core.account:inbox())
    never:resolve()
    luna.sleep(0.1)
  end)

  it("wait for a store that refuses them, with their acks and what is done", function()
    local hold = luna.Deferred()
    local core = start { callback = function(update) if update.message.id == 2 then luna.await(hold:promise()) end end }
    core:push(updates { new(2, 101, 60) })
    assert.equal(1, #core.account:inbox())
    local broken = breakable(core)
    broken.refuse = "the queue is full"
    core:push(updates { new(3, 102), new(4, 103) })
    hold:resolve()
    luna.sleep(10)
    assert.same({ 1 }, core.acked)
    assert.is_true(broken.commits < 30, "tried " .. broken.commits .. " times")
    assert.equal(1, #core.account:inbox())
    broken.refuse = nil
    luna.sleep(10)
    assert.same({ 1, 2 }, core.acked)
    assert.equal(103, core.account:state().pts)
    assert.equal(0, #core.account:inbox()) -- what was done meanwhile was not forgotten
  end)

  it("that were being handled when the store refused them are in the inbox afterwards", function()
    local core = start { callback = function() luna.sleep(1000) end }
    local broken = breakable(core)
    broken.refuse = "the queue is full"
    core:push(updates { new(1, 101) })
    luna.sleep(3)
    broken.refuse = nil
    luna.sleep(3)
    assert.equal(1, #core.account:inbox())
    assert.same({ 1 }, core.acked)
    core.updates:stop()
  end)

  it("that come after the log-in, but before all is ready for their handler, are kept for it and not acknowledged", function()
    local core = make { catchUp = true }
    local seen = {}
    core.dispatch:setCallback(function(update) seen[#seen + 1] = update._ end)
    core.updates:prepare()
    local query = { _ = "updateBotCallbackQuery", query_id = 5, user_id = 50, peer = { _ = "peerUser", user_id = 50 }, msg_id = 3,
      chat_instance = 1, data = "x" }
    core.updates:receive(core.conn, updates { query }, 9, nil)
    luna.sleep(0.05)
    assert.same({}, core.acked) -- it has no pts: no difference would bring it again
    assert.same({}, seen)
    core.updates:activate()
    luna.sleep(0.05)
    assert.same({ "updateBotCallbackQuery" }, seen)
    assert.same({ 9 }, core.acked)
  end)

  it("are fetched again and again, ever more slowly, while the difference fails", function()
    local failing, times = true, {}
    local core = start { answers = { ["updates.getDifference"] = function()
      times[#times + 1] = timer.now()
      if failing then rpc(500, "PERSISTENT_TIMESTAMP_OUTDATED") end
      return { _ = "updates.difference", new_messages = { message(1) }, new_encrypted_messages = {}, other_updates = {}, users = {},
        chats = {}, state = state(101) }
    end } }
    core.updates:newSession() -- no gap says that something is missing
    luna.sleep(100)
    assert.is_true(#times >= 4 and #times <= 20, #times .. " tries in 100 s")
    for i = 2, #times do assert.is_true(times[i] - times[i - 1] >= 0.999) end
    assert.same({}, core.seen)
    failing = false
    luna.sleep(61)
    assert.same({ 1 }, core.seen)
    local n = #times
    luna.sleep(300)
    assert.equal(n, #times)
  end)

  it("that a session lost while a difference was on its way are asked for once more", function()
    local asked = 0
    local core = start { answers = { ["updates.getDifference"] = function()
      asked = asked + 1
      local empty = { _ = "updates.differenceEmpty", date = 1, seq = 0 }
      if asked == 1 then
        luna.sleep(1) -- it was answered before the session was lost, and arrives after it
        return empty
      end
      return asked > 2 and empty or { _ = "updates.difference", new_messages = { message(1) }, new_encrypted_messages = {},
        other_updates = {}, users = {}, chats = {}, state = state(101) }
    end } }
    core.updates:newSession()
    luna.sleep(0.5)
    core.updates:newSession()
    luna.sleep(5)
    assert.same({ 1 }, core.seen)
  end)

  it("flow on past a difference that fails", function()
    local core = start { answers = { ["updates.getDifference"] = function() rpc(500, "PERSISTENT_TIMESTAMP_OUTDATED") end } }
    core.updates:newSession()
    core:push(updates { new(1, 101) })
    luna.sleep(3)
    core:push(updates { new(2, 102) })
    luna.sleep(3)
    assert.same({ 1, 2 }, core.seen)
    core:push(updates { new(4, 104) }) -- a gap asks no faster
    local before = #core.calls
    luna.sleep(60)
    assert.is_true(count(core, "updates.getDifference", before) <= 8)
    core.updates:stop()
    before = #core.calls
    luna.sleep(200)
    assert.equal(before, #core.calls)
  end)

  it("of a channel that must wait are kept until it may go on, and hold up nobody else", function()
    local function channelMessage(id)
      return { _ = "message", id = id, peer_id = { _ = "peerChannel", channel_id = 5 }, date = 1, message = "c" .. id }
    end
    local function channelNew(id, pts) return { _ = "updateNewChannelMessage", message = channelMessage(id), pts = pts, pts_count = 1 } end
    local asked = {}
    local core = start { answers = { ["updates.getChannelDifference"] = function(p)
      asked[#asked + 1] = timer.now()
      if #asked == 1 then rpc(420, "FLOOD_WAIT_547") end
      assert.equal(11, p.pts)
      return { _ = "updates.channelDifference", final = true, pts = 13, new_messages = { channelMessage(2), channelMessage(3) },
        other_updates = {}, users = {}, chats = {} }
    end } }
    core:push(updates { channelNew(1, 11) })
    core:push(updates { channelNew(3, 13) }) -- 12 is missing
    luna.sleep(2)
    assert.equal(1, #asked)
    core:push(updates { channelNew(4, 14) })
    core:push(updates { new(100, 101) })
    assert.same({ 1, 100 }, core.seen)
    luna.sleep(546)
    assert.equal(1, #asked)
    luna.sleep(5)
    assert.equal(2, #asked)
    assert.same({ 1, 100, 2, 3, 4 }, core.seen)
    assert.equal(4, #core.acked)
  end)

  it("of a channel that is refused for good are handed over, over the hole", function()
    local function channelNew(id, pts)
      local m = { _ = "message", id = id, peer_id = { _ = "peerChannel", channel_id = 5 }, date = 1, message = "c" .. id }
      return { _ = "updateNewChannelMessage", message = m, pts = pts, pts_count = 1 }
    end
    local gaps = {}
    local core = start { answers = { ["updates.getChannelDifference"] = function() rpc(400, "SOMETHING_INVALID") end } }
    core:push(updates { channelNew(1, 11) })
    core:push(updates { channelNew(3, 13) })
    core:push(updates { channelNew(4, 14) })
    luna.sleep(5)
    assert.same({ 1, 3, 4 }, core.seen)
    assert.equal(3, #core.acked)
    assert.same({}, gaps)
  end)

  it("of a channel that had too many come with the gap: what is newest, and where it goes on", function()
    local Handler = luna.EventHandler:extend "Handler"
    local gaps = {}
    function Handler.onUpdateNewChannelMessage() end
    function Handler.onGap(_, info) gaps[#gaps + 1] = info end
    local core = make { answers = { ["updates.getChannelDifference"] = function()
      return { _ = "updates.channelDifferenceTooLong", final = true,
        dialog = { _ = "dialog", peer = { _ = "peerChannel", channel_id = 5 }, top_message = 90, read_inbox_max_id = 0,
          read_outbox_max_id = 0, unread_count = 0, unread_mentions_count = 0, unread_reactions_count = 0, pts = 5011,
          notify_settings = { _ = "peerNotifySettings" } },
        messages = { message(90), message(89) }, chats = {}, users = {} }
    end } }
    core.dispatch:setHandler(setmetatable({}, { __index = Handler }), Handler)
    core.updates:prepare()
    core.updates:activate()
    core.account:setChannelPts(-1000000000005, 11)
    core.updates:receive(core.conn, updates { { _ = "updateChannelTooLong", channel_id = 5, pts = 5011 } }, 1, nil)
    luna.sleep(0.05)
    assert.equal(1, #gaps)
    assert.equal(11, gaps[1].from)
    assert.equal(5011, gaps[1].to)
    assert.equal(5, gaps[1].channel_id)
    assert.equal(-1000000000005, gaps[1].bot_api_id)
    assert.equal(90, gaps[1].messages[1].id)
    assert.equal(5011, core.account:channelPts(-1000000000005))
  end)
end)
