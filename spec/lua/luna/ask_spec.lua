local luna = require "luna"

describe("message:ask", function()
  local world, bot, alice, log

  before_each(function() log = {} end)

  -- A bot whose /go runs `fn(message, self)`; whatever else comes is logged as "route TEXT".
  local function run(fn, opts, more)
    world = require("luna.sandbox").world()
    local Bot = luna.EventHandler:extend "Bot"
    Bot:command("go", function(self, message) fn(message, self) end)
    if more then more(Bot) end
    Bot:on(".", function(_, message) log[#log + 1] = "route " .. message.message end)
    bot = world:run(Bot, opts)
    alice = world:user("Alice", { username = "alice" })
  end

  local function settle(seconds) world:clock():advance(seconds or 1) end
  local function asks() return bot.api._core.dispatch.asks end

  -- The bot says `wanted`.
  local function hears(wanted, from)
    local message = (from or alice):expect(bot)
    assert.equal(wanted, message.message)
    return message
  end

  it("waits for the next message of that person in that chat, which nobody else gets", function()
    run(function(message)
      local name = message:ask "Your name?"
      local age = name:ask { message = "Your <b>age</b>?", parse_mode = "HTML" }
      age:send(("%s is %s"):format(name.message, age.message))
    end)
    local bob = world:user "Bob"
    local place = world:group("Garden", { members = { alice, bot } })
    alice:send(bot, "/go")
    hears "Your name?"
    bob:send(bot, "Bob")
    alice:send(place, "elsewhere")
    alice:send(bot, "Alice")
    hears "Your age?"
    alice:send(bot, "7")
    hears "Alice is 7"
    alice:send(bot, "over")
    settle()
    table.sort(log)
    assert.same({ "route Bob", "route elsewhere", "route over" }, log)
    assert.equal(0, asks().count)
    assert.same({}, asks().chats)
  end)

  it("takes what was written ahead in its order, and leaves the rest to the routes", function()
    for _, order in ipairs { "chat", "all" } do
      log = {}
      run(function(message)
        local first = message:ask "First?"
        local second = message:ask "Second?"
        message:send(first.message .. second.message)
        log[#log + 1] = "done"
      end, { settings = { updates = { order = order } } })
      for _, text in ipairs { "/go", "a", "b", "c" } do alice:send(bot, text) end
      hears "First?"
      hears "Second?"
      hears "ab"
      settle()
      assert.same({ "done", "route c" }, log)
      world:close()
    end
  end)

  it("works where updates have no order", function()
    run(function(message) message:send("So " .. message:ask("What?").message) end, { settings = { updates = { order = "none" } } })
    alice:send(bot, "/go")
    hears "What?"
    alice:send(bot, "that")
    hears "So that"
  end)

  it("gives the chat back to the handler with the answer", function()
    run(function(message)
      message:ask "Well?"
      local gate = luna.Deferred()
      luna.callFork(function()
        require("_luna.task").sleep(10)
        gate:resolve()
      end)
      luna.await(gate:promise()) -- holds the lane, as sleep does not
      log[#log + 1] = "done"
    end)
    for _, text in ipairs { "/go", "a", "b" } do alice:send(bot, text) end
    settle(5)
    assert.same({}, log)
    settle(10)
    assert.same({ "done", "route b" }, log)
  end)

  it("does not take it back after self:release()", function()
    run(function(message, self)
      self:release()
      message:ask "Well?"
      require("_luna.task").sleep(10)
      log[#log + 1] = "done"
    end)
    for _, text in ipairs { "/go", "a", "b" } do alice:send(bot, text) end
    settle(5)
    hears "Well?"
    alice:send(bot, "c")
    settle(20)
    assert.equal("done", log[#log])
    assert.equal(3, #log)
  end)

  describe("check", function()
    it("is a filter, whose captures come with the answer; the retry text asks again", function()
      run(function(message)
        local _, args = message:ask("Age?", { check = "^(%d+) ?y?", retry = "A number, please." })
        message:send("In ten years: " .. args[1] + 10)
      end)
      for _, text in ipairs { "/go", "seven", "7 y" } do alice:send(bot, text) end
      hears "Age?"
      hears "A number, please."
      hears "In ten years: 17"
      settle()
      assert.same({}, log)
    end)

    it("is a table of fields; without a retry text the question comes again", function()
      run(function(message)
        local photo = message:ask("A photo?", { check = { media = "photo" } })
        photo:send "Nice."
      end)
      alice:send(bot, "/go")
      hears "A photo?"
      alice:send(bot, "no")
      hears "A photo?"
      alice:send(bot, { photo = "jpeg" })
      hears "Nice."
    end)

    it("is a function, whose value comes with the answer; the retry may be one too, or a table", function()
      run(function(message, self)
        local _, n = message:ask("A number?", {
          check = function(m, handler)
            assert.equal(self, handler)
            luna.sleep(1)
            return math.tointeger(m.message)
          end,
          retry = function(m) return { message = ("<i>%s</i> is none."):format(m.message), parse_mode = "HTML" } end,
        })
        message:send(("%d"):format(n * 2))
      end)
      alice:send(bot, "/go")
      hears "A number?"
      alice:send(bot, "x")
      hears "x is none."
      alice:send(bot, "21")
      hears "42"
    end)

    it("that fails fails the question, at its own line", function()
      run(function(message)
        message:ask("A number?", { check = function() error "broken" end })
      end)
      alice:send(bot, "/go")
      hears "A number?"
      alice:send(bot, "1")
      settle()
      local errors = bot:takeErrors()
      assert.equal(1, #errors)
      assert.matches("^spec/lua/luna/ask_spec.lua:%d+: broken", tostring(errors[1].error))
      assert.equal("/go", errors[1].update.message.message)
      assert.equal(0, asks().count)
    end)
  end)

  it("has choices: a keyboard, and nothing else is an answer", function()
    run(function(message)
      local answer = message:ask("Tea or coffee?", { choices = { "Tea", "Coffee" }, retry = "One of these two." })
      message:send(answer.message .. ", then")
    end)
    alice:send(bot, "/go")
    local question = hears "Tea or coffee?"
    alice:send(bot, "Cocoa")
    hears "One of these two."
    alice:click(question, "Coffee")
    hears "Coffee, then"
  end)

  it("takes the press of a button of the question for an answer", function()
    run(function(message)
      local markup = { inline_keyboard = { { { text = "Small", callback_data = "s" }, { text = "Large", callback_data = "l" } } } }
      local size = message:ask({ message = "Size?", reply_markup = markup }, { except = { command = "go" }, cancel = "^never" })
      assert.equal("updateBotCallbackQuery", size._)
      size:answer("Noted: " .. size.data)
      local sure = size:ask "Sure?"
      sure:send("Done: " .. sure.message)
    end)
    alice:send(bot, "/go")
    local old = hears "Size?"
    alice:send(bot, "/go")
    local new = hears "Size?"
    assert.has_error(function() alice:click(old, "Large") end)
    assert.equal("Noted: l", alice:click(new, "Large").message)
    hears "Sure?"
    alice:send(bot, "yes")
    hears "Done: yes"
  end)

  it("can be for presses alone", function()
    run(function(message)
      local markup = { inline_keyboard = { { { text = "Go", callback_data = "go:7" } } } }
      local query, args = message:ask({ message = "Press!", reply_markup = markup }, { check = { callback = "^go:(%d)$" } })
      query:answer(args[1])
    end)
    alice:send(bot, "/go")
    hears "Press!"
    alice:send(bot, "no")
    local again = hears "Press!"
    assert.equal("7", alice:click(again, "Go").message)
  end)

  it("takes a command first, whether it has a route or not: with a check, as what fits or does not", function()
    run(function(message)
      local answer = message:ask "Name?"
      local other = message:ask("Other?", { check = "^%l+$", retry = "Small letters." })
      log[#log + 1] = answer.message .. " " .. other.message
    end, nil, function(Bot) Bot:command("help", function(_, message) message:send "Just a name." end) end)
    alice:send(bot, "/go")
    hears "Name?"
    alice:send(bot, "/help")
    hears "Other?"
    alice:send(bot, "/help me")
    hears "Small letters."
    alice:send(bot, "/go")
    hears "Small letters."
    alice:send(bot, "over")
    settle()
    assert.same({ "/help over" }, log)
    alice:send(bot, "/help")
    hears "Just a name."
  end)

  it("lets through what is no answer, and can be left by the person", function()
    run(function(message)
      local ok, err = pcall(function() message:ask("Name?", { except = { command = "help" }, cancel = "^/cancel" }) end)
      log[#log + 1] = ok and "answered" or tostring(err)
      if not ok then error(err, 0) end
    end)
    for _, text in ipairs { "/go", "/help me", "/cancel" } do alice:send(bot, text) end
    settle()
    assert.same({ "route /help me", "the operation was cancelled: the person has cancelled" }, log)
    assert.same({}, bot.errors)
  end)

  it("has a limit of time", function()
    run(function(message)
      message:send("In time: " .. message:ask("Quick?", { timeout = 60 }).message)
      local ok, err = pcall(message.ask, message, "Quick!", { timeout = 60 })
      log[#log + 1] = ok
      log[#log + 1] = luna.is(err, luna.TimeoutException) and tostring(err)
      message:ask("And now?", { timeout = 1, late = "Too late." }) -- nobody catches it: the handler ends, and has not failed
      log[#log + 1] = "never"
    end)
    alice:send(bot, "/go")
    hears "Quick?"
    settle(58)
    alice:send(bot, "yes")
    hears "In time: yes"
    hears "Quick!"
    settle(59)
    assert.same({}, log)
    settle(3)
    assert.same({ false, "nobody has answered within 60 s" }, log)
    assert.same({}, bot.errors)
    assert.is_true(bot.api:isIdle())
    hears "And now?"
    hears "Too late."
    alice:send(bot, "late")
    settle()
    assert.equal("route late", log[3])
  end)

  it("ends by a token", function()
    local source = luna.CancellationTokenSource()
    run(function(message)
      local ok, err = pcall(message.ask, message, "Well?", { cancellation = source:getToken() })
      log[#log + 1] = ok
      log[#log + 1] = luna.is(err, luna.CancelledException) and err.reason
    end)
    alice:send(bot, "/go")
    settle()
    source:cancel "closing time"
    settle()
    assert.same({ false, "closing time" }, log)
    assert.equal(0, asks().count)
  end)

  it("takes the place of an open question to the same person in the same chat", function()
    local n = 0
    run(function(message)
      n = n + 1
      local mine = n
      local answer = message:ask("Question " .. mine, { except = { command = "go" }, cancel = "^never" })
      log[#log + 1] = ("%d: %s"):format(mine, answer.message)
    end)
    for _, text in ipairs { "/go", "/go", "x", "y" } do alice:send(bot, text) end
    settle()
    assert.same({ "2: x", "route y" }, log)
    assert.same({}, bot.errors)
    assert.is_true(bot.api:isIdle())
  end)

  it("asks each of a group for himself, by an answer that wants one", function()
    run(function(message)
      local answer = message:ask "Your dish?"
      message:send(("%s: %s"):format(message:getSender().first_name, answer.message))
    end, { privacy = true })
    local bob = world:user "Bob"
    local place = world:group("Dinner", { members = { alice, bob, bot } })
    local begun = alice:send(place, "/go")
    local question = alice:expect(place)
    assert.equal("replyKeyboardForceReply", question.reply_markup._)
    assert.is_true(question.reply_markup.selective)
    assert.equal(begun.id, question.reply_to.reply_to_msg_id)
    bob:send(place, "/go")
    local other = bob:expect(place, 5, "dish")
    bob:expect(place, 5, "dish")
    bob:send(place, { message = "Soup", reply_to = bob:history(place)[1] })
    alice:send(place, { message = "Rice", reply_to = question })
    alice:expect(place, 5, "Bob: Soup")
    alice:expect(place, 5, "Alice: Rice")
    assert.truthy(other)
  end)

  it("works for a bot that is a function", function()
    world = require("luna.sandbox").world()
    bot = world:run(function(update)
      local message = update.message
      if message and not message.out then message:send("You say " .. message:ask("What do I say?").message) end
    end)
    alice = world:user "Alice"
    alice:send(bot, "hi")
    hears "What do I say?"
    alice:send(bot, "ho")
    hears "You say ho"
  end)

  it("goes through middleware first", function()
    world = require("luna.sandbox").world()
    local Bot = luna.EventHandler:extend "Bot"
    Bot:use(function(_, update, next)
      local message = update.message
      if message and message.message == "blocked" then return end
      next()
      if message and not message.out then log[#log + 1] = "after " .. message.message end
    end)
    Bot:command("go", function(_, message)
      local answer = message:ask "Well?"
      log[#log + 1] = "got " .. answer.message
    end)
    bot, alice = world:run(Bot), world:user "Alice"
    for _, text in ipairs { "/go", "blocked", "fine" } do alice:send(bot, text) end
    settle()
    table.sort(log)
    assert.same({ "after /go", "after fine", "got fine" }, log)
  end)

  it("counts as nothing to do, but for what is open", function()
    run(function(message) message:ask "Well?" end)
    alice:send(bot, "/go")
    hears "Well?"
    settle()
    assert.is_true(bot.api:isIdle())
    local before = world:clock():now()
    bot:stop()
    assert.near(before, world:clock():now(), 0.5) -- no grace for who waits for a person
    assert.same({}, bot.errors)
  end)

  describe("over a restart", function()
    -- Runs `fn` over a session of its own; then the same account again.
    local session
    before_each(function()
      session = os.tmpname()
      os.remove(session)
    end)
    after_each(function() os.execute(("rm -f '%s'*"):format(session)) end)

    local function restart(handler)
      local settings = { sandbox = world.server.wire, botToken = bot.api._core.settings.botToken, app = { id = 1, hash = "x" }, homeDc = 2 }
      bot:stop()
      local api = require("luna.api").new(session, { own = settings, stem = "bot", name = "bot", where = "spec" })
      require("luna.api").methods.run(api, handler)
      return api
    end

    it("an answer is done when the handler that asked is, not before", function()
      local gate = luna.Deferred()
      run(function(message)
        message:ask("Well?", { check = "^yes", retry = "Say yes." })
        luna.await(gate:promise())
      end, { session = session })
      for _, text in ipairs { "/go", "no", "yes", "more" } do alice:send(bot, text) end
      settle()
      local function inbox() return #bot.api._core.account:inbox() end
      assert.equal(3, inbox()) -- /go, yes, and more, which waits
      gate:resolve()
      settle()
      assert.equal(0, inbox())
      assert.same({ "route more" }, log)
    end)

    it("the conversation goes on where it was, and nothing is said twice", function()
      local asked = 0
      local function handler(update)
        local message = update.message
        if not message or message.out then return end
        log[#log + 1] = ("%s%s"):format(message.message, update.redelivered and " again" or "")
        local name = message:ask "Your name?"
        local age = message:ask "Your age?"
        asked = asked + 1
        message:send(("%s is %s"):format(name.message, age.message))
      end
      world = require("luna.sandbox").world()
      bot, alice = world:run(handler, { session = session }), world:user "Alice"
      alice:send(bot, "hi")
      hears "Your name?"
      alice:send(bot, "Alice")
      hears "Your age?"
      settle()
      local api = restart(handler)
      settle()
      alice:send(bot, "7")
      hears "Alice is 7"
      alice:expectNothing(bot)
      assert.same({ "hi", "hi again" }, log)
      assert.equal(1, asked)
      api:stop()
    end)
  end)

  it("fails at the script's line where the question cannot be sent", function()
    run(function(message)
      local _, why = pcall(function() message:ask { message = "x", parse_mod = "HTML" } end)
      log[#log + 1] = tostring(why)
      local ok, err = pcall(function() message:ask "" end)
      log[#log + 1] = not ok and luna.is(err, luna.RPCErrorException) and err.name
    end)
    alice:send(bot, "/go")
    settle()
    assert.matches('^spec/lua/luna/ask_spec.lua:%d+: messages.sendMessage: it has no parameter "parse_mod"', log[1])
    assert.equal("MESSAGE_EMPTY", log[2])
    assert.equal(0, asks().count)
  end)

  it("says at the script's line what is wrong with it", function()
    local wanted = {
      [[unknown option "retri"; did you mean "retry"?]],
      [[the option timeout wants a number of seconds, got a string]],
      [[the option cancellation wants a token of a CancellationTokenSource, got a boolean]],
      [[check belongs into a table of its own: message:ask({ … }, { check = … })]],
      [[check: "(" is no Lua pattern: unfinished capture]],
      [[choices make the keyboard and the check: check goes without them]],
      [[late is said when the timeout is over: give one]],
      [[the option choices wants a list of texts, or a list of rows of texts, got a number]],
      [[the option choices: the list has a hole: there is nothing at 2, but something at 3]],
      [[message:ask: a text or a table of parameters is wanted, not nil (the text of a message is its field "message")]],
    }
    local texts, here = {}, debug.getinfo(1, "l").currentline
    run(function(message)
      local function try(...) texts[#texts + 1] = select(2, pcall(function(...) message:ask(...) end, ...)) end
      try("x", { retri = "y" })
      try("x", { timeout = "1" })
      try("x", { cancellation = true })
      try { message = "x", check = "y" }
      try("x", { check = "(" })
      try("x", { check = "y", choices = { "z" } })
      try("x", { late = "y" })
      try("x", { choices = { 1 } })
      try("x", { choices = { "a", [3] = "c" } })
      try()
    end)
    alice:send(bot, "/go")
    settle()
    for i, text in ipairs(wanted) do
      local what = i == #wanted and "" or "message:ask: "
      assert.equal(("spec/lua/luna/ask_spec.lua:%d: %s%s"):format(here + 2, what, text), tostring(texts[i]))
    end
    alice:expectNothing(bot)
  end)
end)
