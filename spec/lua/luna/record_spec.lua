-- What `luna run --record` writes: lines in order, without secrets, to a file that never stands in a bot's way.
local luna = require "luna"
local host = require "_luna.host"
local json = require "luna.json"
local Logger = require "luna.logger"
local Mask = require "luna.record.mask"
local Recorder = require "luna.record"

local function lines(path)
  local list = {}
  for text in io.lines(path) do list[#list + 1] = json.decode(text) end
  return list
end

local function ofKind(list, kind)
  local out = {}
  for _, line in ipairs(list) do
    if line.k == kind then out[#out + 1] = line end
  end
  return out
end

local function echo(update)
  if update._ == "updateNewMessage" and not update.message.out then update.message:reply("echo: " .. update.message.message) end
end

describe("a record", function()
  local world = require("luna.sandbox").world()
  local path, recorder
  before_each(function()
    path = os.tmpname()
    os.remove(path)
  end)
  after_each(function()
    if recorder then recorder:close() end
    recorder = nil
    os.remove(path)
    os.remove(path .. ".1")
  end)

  local function begin(opts)
    opts = opts or {}
    opts.path = path
    recorder = Recorder.start(opts)
    return recorder
  end

  it("holds what came, what was called by whose handler, and what was answered, in order", function()
    begin()
    local bot = world:run(echo, { name = "echo" })
    local alice = world:user "Alice"
    alice:send(bot, "hello")
    alice:expect(bot)
    world:clock():advance(1)
    bot:stop()
    recorder:close()
    local list = lines(path)
    local kinds = {}
    for i, line in ipairs(list) do kinds[i] = line.k or line.luna end
    assert.same({ "record", "bot", "up", "update", "call", "answer", "update", "update", "stop" }, kinds)
    local update, call, answer = list[4], list[5], list[6]
    assert.equal("hello", update.u.message.message)
    assert.same({ update.n, "messages.sendMessage", "echo: hello" }, { call.from, call.m, call.p.message })
    assert.same({ call.n, "updates" }, { answer.n, answer.r._ })
    assert.same({ call.n, 1 }, { list[7].own, list[7].i })
    assert.equal(384, host.stat(path).mode)
  end)

  it("holds no token, no key, no access hash and no phone number", function()
    begin()
    local bot = world:run(echo, { name = "echo" })
    local alice = world:user("Alice", { phone = "+9996620077" })
    local token = bot.api._core.settings.botToken
    local hash = bot.api._core.peers
    alice:send(bot, "my token is " .. token .. ", and 123456:AbCdEfGhIjKlMn; call +49 or +4917612345678, see https://me:pass@x.y/")
    alice:expect(bot)
    local contact = { _ = "inputMediaContact", phone_number = "441234567801", first_name = "Carol", last_name = "", vcard = "" }
    alice:send(bot, { media = contact })
    world:clock():advance(1)
    bot:takeErrors()
    hash = hash:get(alice.id).hash
    bot:stop()
    recorder:close()
    local text = host.readFile(path)
    for _, secret in ipairs { token, "AbCdEfGhIjKlMn", "4917612345678", "me:pass", "9996620077", "441234567801", tostring(hash) } do
      assert.is_nil(text:find(secret, 1, true))
    end
    for _, line in ipairs(ofKind(lines(path), "call")) do assert.is_nil(line.m:find "^auth") end
    local kept = lines(path)[4].u.message.message
    assert.matches("123456:***; call +49 or +49***78, see https://***@x.y/", kept, 1, true)
    assert.matches("^my token is ", kept)
  end)

  it("takes the letters out of texts where it is asked to, and keeps commands and lengths", function()
    begin { maskTexts = true }
    local bot = world:run(echo, { name = "echo" })
    local alice = world:user "Alice"
    alice:send(bot, "/remind tea at 5: Käse 🙂")
    alice:expect(bot)
    bot:stop()
    recorder:close()
    local list = lines(path)
    assert.is_true(list[1].masked)
    assert.equal("/remind xxx xx 0: xxxx xx", list[4].u.message.message)
    assert.equal("xxxx: /xxxxxx xxx xx 0: xxxx xx", ofKind(list, "call")[1].p.message)
    assert.equal(7, list[4].u.message.entities[1].length)
  end)

  it("has the refusals, and the calls that their sender got wrong", function()
    begin()
    local bot = world:run(function(update)
      if update._ ~= "updateNewMessage" or update.message.out then return end
      local api = luna.scopeApi
      pcall(api.messages.editMessage, { peer = update, id = 999, message = "x" })
      pcall(api.messages.sendMessage, { peer = update, message = 5 })
    end, { name = "wrong" })
    rawset(luna, "scopeApi", bot.api)
    local alice = world:user "Alice"
    alice:send(bot, "go")
    world:clock():advance(1)
    rawset(luna, "scopeApi", nil)
    recorder:close()
    local list = lines(path)
    assert.same({ 400, "MESSAGE_ID_INVALID" }, { ofKind(list, "refused")[1].e[1], ofKind(list, "refused")[1].e[2] })
    assert.matches("messages.sendMessage", ofKind(list, "raised")[1].why)
  end)

  it("leaves long bytes out", function()
    local mask = Mask {}
    local text = mask:encode { a = ("x"):rep(40000), b = "short" }
    local value = json.decode(text)
    assert.same({ "luna.cut", 40000, "short" }, { value.a._, value.a.n, value.b })
    assert.is_true(#text < 200)
    assert.is_nil((mask:encode { f = print }))
  end)

  it("begins each object with its kind, and keeps what JSON would not", function()
    local value = { a = 1, _ = "thing", list = { { _ = "x", b = "\255" } }, empty = {}, n = -5, f = 1.5, t = true }
    local text = (Mask {}):encode(value)
    assert.matches('^{"_":"thing",', text)
    assert.matches('"list":[{"_":"x",', text, 1, true)
    assert.same(value, require("luna.replay.tape").value(json.decode(text)))
  end)

  it("sees a secret by its form wherever it stands", function()
    local mask = Mask {}
    for _, text in ipairs { "1234567:a", "x 1234567:-", "+123456789", "a+12345678901", "://u:p@h", "://x/a@b" } do
      local made = json.decode(mask:encode { text }) [1]
      assert.equal(require("luna.redaction").text(text), made)
    end
    for _, text in ipairs { "12345:a", "123456: a", "+12345678", "1+1", "://", "a@b", ":" } do
      assert.equal(text, json.decode(mask:encode { text })[1])
    end
    assert.same({ phone = "***", password = "***", deep = { { bot_auth_token = "***" } } },
      json.decode(mask:encode { phone = "4912345", password = "x", deep = { { bot_auth_token = "y" } } }))
  end)

  it("gives an access hash the same fake each time, and another in another record", function()
    local one, two = Mask {}, Mask {}
    local value = { peer = { _ = "inputPeerUser", user_id = 5, access_hash = -77 } }
    assert.equal(one:encode(value), one:encode(value))
    assert.are_not.equal(one:encode(value), two:encode(value))
    assert.is_nil(one:encode(value):find("-77", 1, true))
  end)

  it("takes the place of an earlier record, which is kept, and of nothing else", function()
    begin()
    recorder:close()
    local first = host.readFile(path)
    begin()
    recorder:close()
    assert.equal(first, host.readFile(path .. ".1"))
    assert(host.writeFile(path, "dear diary"))
    local ok, err = pcall(begin)
    assert.is_false(ok)
    assert.matches("which is no record", tostring(err))
    assert.equal(2, err.status)
    assert.equal("dear diary", host.readFile(path))
    recorder = nil
  end)

  it("begins anew at its limit, with all that a replay of the rest wants", function()
    begin { limit = 6000 }
    local bot = world:run(echo, { name = "echo" })
    local alice = world:user "Alice"
    for i = 1, 12 do
      alice:send(bot, "m" .. i)
      alice:expect(bot)
      world:clock():advance(1)
    end
    bot:stop()
    recorder:close()
    local list = lines(path)
    assert.is_true(list[1].continued)
    assert.same({ "bot", "up" }, { list[2].k, list[3].k })
    assert.is_true(host.stat(path).size < 12000)
    assert.is_true(host.stat(path .. ".1").size < 12000)
  end)

  it("ends with one line of the log when the disk is full, and the bot goes on", function()
    local said, before = {}, Logger.write
    Logger.write = function(level, room, text) said[#said + 1] = { level, room, text } end
    begin()
    local bot = world:run(echo, { name = "echo" })
    local alice = world:user "Alice"
    alice:send(bot, "one")
    alice:expect(bot)
    world:clock():advance(1)
    recorder.file.file = { write = function() return nil, "No space left on device" end, close = function() end }
    for _, text in ipairs { "two", "three" } do
      alice:send(bot, text)
      assert.equal("echo: " .. text, alice:expect(bot).message)
      world:clock():advance(1)
    end
    Logger.write = before
    local ours = {}
    for _, line in ipairs(said) do
      if line[2] == "record" then ours[#ours + 1] = line[3] end
    end
    assert.same({ ("the record %s ends here, the bots go on: No space left on device"):format(path) }, ours)
    assert.equal(1, #ofKind(lines(path), "call"))
  end)

  it("is not there at all in a run without one", function()
    local bot = world:run(echo, { name = "plain" })
    local core = bot.api._core
    assert.equal(require("luna.dispatch").handle, core.dispatch.handle)
    assert.is_nil(rawget(core.dcs, "connectHome"))
    assert.equal("userdata", type(core.conn))
  end)

  it("goes on while somebody watches at the prompt, and afterwards", function()
    begin()
    local bot = world:run(echo, { name = "echo" })
    local alice = world:user "Alice"
    local seen = {}
    local finish = require("luna.repl.taps").add(bot.api._core, {
      update = function(update) seen[#seen + 1] = update._ end, calling = function(method) seen[#seen + 1] = method end,
    })
    alice:send(bot, "one")
    world:clock():advance(1)
    finish()
    alice:send(bot, "two")
    world:clock():advance(1)
    recorder:close()
    assert.same({ "updateNewMessage", "messages.sendMessage" }, { seen[1], seen[2] })
    local list = lines(path)
    assert.same({ 2, 6 }, { #ofKind(list, "call"), #ofKind(list, "update") })
  end)

  it("leaves out what a person at the prompt, a test or the library itself calls", function()
    begin()
    local bot = world:run(echo, { name = "echo" })
    bot.api.users.getUsers { id = { "me" } }
    bot.api._core.updates:newSession() -- asks for the difference
    world:clock():advance(1)
    recorder:close()
    assert.same({}, ofKind(lines(path), "call"))
  end)
end)
