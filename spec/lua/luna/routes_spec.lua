local luna = require "luna"

-- "file:line: text" of what the function raises, with the line relative to this file's.
local function raised(fn)
  local ok, err = pcall(fn)
  assert.is_false(ok)
  local line, text = tostring(err):match "routes_spec%.lua:(%d+): (.*)$"
  assert.truthy(line, "not at a line of the script: " .. tostring(err))
  return text, math.tointeger(tonumber(line))
end

local function class(name) return luna.EventHandler:extend(name or "Bot") end

describe("routes", function()
  local world, bot, alice
  local function run(Bot, opts)
    world = require("luna.sandbox").world()
    bot = world:run(Bot, opts)
    alice = world:user("Alice", { username = "alice" })
  end

  local function says(text, wanted)
    alice:send(bot, text)
    if wanted then return assert.equal(wanted, alice:expect(bot).message) end
    alice:expectNothing(bot)
  end

  describe("commands", function()
    it("are found by name, with their words and the raw rest", function()
      local Bot = class()
      Bot:command("add", function(_, message, args)
        message:reply(("%s %d [%s] [%s]"):format(args.command, #args, table.concat(args, "|"), args.raw))
      end)
      run(Bot)
      says("/add", "add 0 [] []")
      says("/add  two   eggs", "add 2 [two|eggs] [two   eggs]")
      says("/add\nmilk", "add 1 [milk] [milk]")
      says("/ADD x", "add 1 [x] [x]")
      says(("/add@%s x"):format(bot.username:upper()), "add 1 [x] [x]")
      says "/add@other_bot x"
      says "/added x"
      says "/add!"
      says "please /add x"
    end)

    it("have several names, and run the first that was written", function()
      local Bot = class()
      Bot:command({ "start", "Help" }, function(_, message, args) message:reply("first " .. args.command) end)
      Bot:command("help", function(_, message) message:reply "second" end)
      Bot:on({ command = true }, function(_, message, args) message:reply("no command " .. args.command) end)
      run(Bot)
      says("/start", "first start")
      says("/help", "first help")
      says("/nonsense", "no command nonsense")
    end)

    it("tell Telegram what they do, where the bot asks for it", function()
      local Bot = class()
      Bot:command({ "Start", "begin" }, function() end, { description = "begins" })
      Bot:command("secret", function() end)
      Bot:command("start", function() end, { description = "not this" })
      function Bot:onStart() self:setCommands() end
      run(Bot)
      world:clock():advance(1)
      local list = bot.api.bots.getBotCommands { scope = { _ = "botCommandScopeDefault" }, lang_code = "" }
      assert.equal(1, #list)
      assert.same({ "start", "begins" }, { list[1].command, list[1].description })
    end)
  end)

  describe("filters", function()
    it("are a pattern, whose captures are the arguments", function()
      local Bot = class()
      Bot:on("^(%d+) ?%+ ?(%d+)$", function(self, message, args)
        assert.equal(Bot, getmetatable(self).class)
        message:reply(tostring(args[1] + args[2]))
      end)
      Bot:on("^hi", function(_, message, args, update) message:reply(args[1] .. " " .. update._) end)
      run(Bot)
      says("2 + 40", "42")
      says("hi there", "hi updateNewMessage")
      says "oh hi"
    end)

    it("are a function, whose table or value is the arguments", function()
      local Bot = class()
      Bot:on(function(message, self)
        assert.equal(Bot, getmetatable(self).class)
        return tonumber(message.message)
      end, function(_, message, args) message:reply("number " .. args[1]) end)
      Bot:on(function(message) return message.message == "t" and { "a", "b" } end, function(_, message, args)
        message:reply(table.concat(args))
      end)
      run(Bot)
      says("0x10", "number 16")
      says("t", "ab")
      says "x"
    end)

    it("are fields, of which each has to fit", function()
      local Bot = class()
      local place
      Bot:on({ exact = { "Tea (hot)", "Coffee" } }, function(_, message) message:reply "exact" end)
      Bot:on({ text = { "^one", "^two" }, private = true }, function(_, message, args) message:reply(args[1]) end)
      Bot:on({ command = "kick", group = true }, function(_, message, args) message:reply("kick " .. args.raw) end)
      Bot:on({ command = "kick" }, function(_, message) message:reply "in a group only" end)
      Bot:on({ media = "photo", text = "^(%a*)" }, function(_, message, args) message:reply("photo " .. args[1]) end)
      Bot:on({ media = "document" }, function(_, message) message:reply "a file" end)
      Bot:on({ reply = true }, function(_, message) message:reply "a reply" end)
      Bot:on({ edited = true, text = "." }, function(_, message) message:reply("edited " .. message.message) end)
      Bot:on({ text = "^who", where = function(m) return m.date > 0 end }, function(_, message, args) message:reply(args[1]) end)
      run(Bot)
      place = world:group("Garden", { members = { alice, bot } })
      says("Tea (hot)", "exact")
      says "Tea"
      says("two", "two")
      says("who", "who")
      says("/kick x", "in a group only")
      alice:send(place, "/kick x")
      assert.equal("kick x", alice:expect(place).message)
      alice:send(place, "two")
      alice:expectNothing(place)
      says({ photo = "jpeg", message = "cat" }, "photo cat")
      says({ document = "bytes", name = "x.bin" }, "a file")
      says({ message = "so", reply_to = alice:send(bot, "quiet") }, "a reply")
      local sent = alice:send(bot, "quiet")
      alice:expectNothing(bot)
      alice:edit(sent, "loud")
      assert.equal("edited loud", alice:expect(bot).message)
    end)

    it("look at who writes and where, and at what the bot writes itself only where they say so", function()
      local Bot, own = class(), {}
      local ids = {}
      Bot:on({ out = true }, function(_, message) own[#own + 1] = message.message end)
      Bot:on(function(m) return m.from_id and m.from_id.user_id == ids.bob or m.peer_id.user_id == ids.bob end,
        function(_, message) message:reply "hello Bob" end)
      Bot:on(".", function(_, message) message:reply("re: " .. message.message) end)
      run(Bot)
      local bob = world:user "Bob"
      ids.bob = bob.id
      says("a", "re: a")
      bob:send(bot, "b")
      assert.equal("hello Bob", bob:expect(bot).message)
      alice:expectNothing(bot)
      assert.same({ "re: a", "hello Bob" }, own)

      local filters = require "luna.filters"
      local function fits(filter, subject) return filters.compile(filter, "x", 1)[1].test(subject) ~= nil end
      local message = { _ = "message", message = "", peer_id = { channel_id = 7 }, from_id = { user_id = 5 } }
      assert.is_true(fits({ from = 5 }, message))
      assert.is_true(fits({ from = { 4, 5 }, chat = -1000000000007, group = true, channel = false }, message))
      assert.is_false(fits({ from = 4 }, message))
      assert.is_false(fits({ chat = 7 }, message))
      message.post = true
      assert.is_true(fits({ channel = true, group = false }, message))
    end)

    it("know what service messages tell", function()
      local Bot = class()
      Bot:on({ action = { "chatAddUser", "chatCreate" } }, function(_, message)
        message:send("joined: " .. #message.action.users)
      end)
      Bot:on(".", function(_, message) message:reply "text" end)
      run(Bot)
      local place = world:group("Garden", { members = { alice, bot } })
      assert.matches("^joined: [12]$", alice:expect(place).message)
      alice:add(place, world:user "Bob")
      assert.equal("joined: 1", alice:expect(place).message)
    end)

    it("take the presses of buttons, which answer, edit and send", function()
      local Bot = class()
      Bot:command("start", function(_, message)
        message:reply { message = "Ready?", reply_markup = { inline_keyboard = { {
          { text = "Tea", callback_data = "buy:tea" }, { text = "No", callback_data = "no" }, { text = "Alert", callback_data = "alert" },
          { text = "Quiet", callback_data = "quiet" },
        } } } }
      end)
      Bot:on({ callback = "^buy:(%a+)$" }, function(self, query, args)
        assert.equal("Ready?", query:getMessage().message)
        assert.equal("Alice", query:getSender().first_name)
        assert.equal("Alice", query:getChat().first_name)
        assert.equal(self.API._core.me.username, bot.username)
        query:edit("One " .. args[1])
        query:answer("You have bought " .. args[1])
      end)
      Bot:on({ callback = "^no", from = 1 }, function() error "not for Alice" end)
      Bot:on({ callback = "^no", private = true }, function(_, query)
        query:send "Then not."
        query:answer()
      end)
      Bot:on({ callback = true }, function(_, query) query:answer { message = "Mind!", alert = true } end)
      run(Bot)
      alice:start(bot)
      local menu = alice:expect(bot)
      assert.equal("Mind!", alice:click(menu, "Alert").message)
      assert.is_true(alice:click(menu, "Quiet").alert)
      alice:click(menu, "No")
      assert.equal("Then not.", alice:expect(bot).message)
      assert.equal("You have bought tea", alice:click(menu, "Tea").message)
      assert.equal("One tea", alice:message(menu).message)
    end)

    it("take inline queries", function()
      local Bot = class()
      Bot:on({ inline = "^buy (.*)$" }, function(_, query, args)
        query:answer { { title = "Buy " .. args[1], input_message_content = args[1] } }
      end)
      Bot:on({ inline = true }, function(_, query) query:answer {} end)
      run(Bot)
      local found = alice:inline(bot, "buy tea")
      assert.same({ "Buy tea" }, { found[1].title, found[2] })
      assert.equal(0, #alice:inline(bot, "x"))
    end)

    it("of which one of a list has to fit", function()
      local Bot = class()
      Bot:on({ "^hi", { command = "hello" }, { callback = "^hey" } }, function(_, x)
        if x.answer then x:answer "pressed" else x:reply{ message = "said", reply_markup = { inline_keyboard = { {
          { text = "Hey", callback_data = "hey" } } } } } end
      end)
      run(Bot)
      says("hi", "said")
      says("/hello", nil or "said")
      assert.equal("pressed", alice:click(alice:history(bot)[1], "Hey").message)
    end)
  end)

  describe("order", function()
    it("is middleware, routes, the update's method, onAny", function()
      local Bot, log = class(), {}
      Bot:use(function(self, update, next)
        log[#log + 1] = "in " .. (update.message and update.message.message or update._)
        assert.equal(Bot, getmetatable(self).class)
        next()
        log[#log + 1] = "out"
      end)
      Bot:use(function(_, update, next)
        if not (update.message and update.message.message == "dropped") then next() end
      end)
      Bot:on("^route", function() log[#log + 1] = "route" end)
      function Bot.onUpdateNewMessage(_, update) log[#log + 1] = "method " .. update.message.message end
      function Bot.onAny(_, update) log[#log + 1] = "any " .. update._ end
      run(Bot)
      alice:send(bot, "route")
      alice:send(bot, "other")
      alice:send(bot, "dropped")
      world:clock():advance(1)
      assert.same({ "in route", "route", "out", "in other", "method other", "out", "in dropped", "out" }, log)
      for i = #log, 1, -1 do log[i] = nil end
      alice:block(bot)
      world:clock():advance(1)
      assert.same({ "in updateBotStopped", "any updateBotStopped", "out" }, log)
    end)

    it("lets middleware catch an error, and not go on twice", function()
      local Bot = class()
      Bot:use(function(_, update, next)
        local ok, err = pcall(next)
        if not ok then update.message:reply("caught" .. tostring(err):match "[^:]*$") end
        if update.message and update.message.message == "twice" then next() end
      end)
      Bot:on("^fail", function() error "broken" end)
      Bot:on("^twice", function() end)
      run(Bot)
      says("fail", "caught broken")
      says "twice"
      assert.matches("routes_spec.lua:%d+: next%(%) has been called already", bot:takeErrors()[1].text)
    end)

    it("has a class's routes before those of what it extends, whose middleware comes first", function()
      local Base, log = class "Base", {}
      Base:use(function(_, _, next) log[#log + 1] = "base" return next() end)
      Base:on(".", function(_, message) message:reply "base" end)
      Base:on("^x", function(_, message) message:reply "never" end)
      local Bot = Base:extend "Derived"
      Bot:use(function(_, _, next) log[#log + 1] = "own" return next() end)
      Bot:on("^a", function(_, message) message:reply "own" end)
      run(Bot)
      says("a", "own")
      says("x", "base")
      assert.same({ "base", "own" }, { log[1], log[2] })
      local other = world:run(Base)
      alice:send(other, "a")
      assert.equal("base", alice:expect(other).message)
    end)
  end)

  describe("plugins", function()
    it("are handler classes, whose routes, middleware and methods become the bot's", function()
      local Admin, log = class "Admin", {}
      Admin:use(function(_, _, next) log[#log + 1] = "admin" return next() end)
      Admin:command("ban", function(self, message, args) message:reply(self:ban(args[1])) end)
      function Admin:ban(who) return ("%s banned by %s"):format(who, self:title()) end
      function Admin.title() return "nobody" end
      function Admin:onStart() self.state.started = true end
      local Bot = class()
      Bot:command("ban", function(_, message) message:reply "mine" end)
      Bot:use(Admin)
      Bot:use(function(_, _, next) log[#log + 1] = "own" return next() end)
      Bot:command("ban", function(_, message) message:reply "never" end)
      function Bot.title() return "the bot" end
      run(Bot)
      says("/ban Bob", "mine")
      assert.same({ "admin", "own" }, { log[1], log[2] })
      assert.is_true(bot.handler.state.started)

      local alone = world:run(Admin)
      alice:send(alone, "/ban Bob")
      assert.equal("Bob banned by nobody", alice:expect(alone).message)
      local Other = class "Other"
      Other:use(Admin)
      function Other.title() return "the other" end
      local other = world:run(Other)
      alice:send(other, "/ban Bob")
      assert.equal("Bob banned by the other", alice:expect(other).message)
    end)

    it("may not both have a method that the class has not", function()
      local A, B, Bot = class "A", class "B", class()
      function A.onStart() end
      function B.onStart() end
      Bot:use(A)
      assert.equal("Bot:use(B): A and B both have onStart: write Bot.onStart above, and call theirs there",
        (raised(function() Bot:use(B) end)))
      local Own = class "Own"
      function Own.onStart() end
      Own:use(A)
      Own:use(B)
      B.persist = { "x" }
      assert.equal("Own:use(B): B.persist is the bot's to say: Own.persist = …", (raised(function() Own:use(B) end)))
    end)
  end)

  it("fail at their line, which the log names, and stop nothing", function()
    local Bot = class()
    Bot:on("^bad", function() error "broken" end)
    Bot:on("^good", function(_, message) message:reply "fine" end)
    run(Bot)
    says "bad"
    local errors = bot:takeErrors()
    assert.matches("routes_spec.lua:%d+: broken", errors[1].text)
    assert.equal("bad", errors[1].update.message.message)
    says("good", "fine")
  end)

  it("cost an update nothing that they are not about", function()
    local Bot = class()
    Bot:on("^hi", function() end)
    function Bot.onUpdateUserTyping() end
    run(Bot)
    local dispatch = bot.api._core.dispatch
    assert.equal(Bot.onUpdateUserTyping, dispatch:lookup "updateUserTyping")
    assert.is_false(dispatch:lookup "updateUserStatus")
    assert.is_function(dispatch:lookup "updateNewMessage")
  end)

  it("may be added to a class whose bot runs", function()
    local Bot = class()
    run(Bot)
    says "late"
    Bot:on("^late", function(_, message) message:reply "now" end)
    says("late", "now")
  end)

  it("say at the script's line what is wrong with them", function()
    local Bot = class "Shop"
    local function f() end
    local function wrong(fn, wanted)
      local text, line = raised(fn)
      assert.equal(wanted, text)
      assert.equal(debug.getinfo(fn, "S").linedefined, line)
    end
    wrong(function() Bot:on("^hi") end, "Shop:on(filter, fn): fn is nil, not a function (is it defined further down?)")
    wrong(function() Bot:on("^hi", "greet") end, "Shop:on(filter, fn): fn is a string, not a function")
    wrong(function() Bot:on("/start", f) end, 'Shop:on: "/start" is a command: say Shop:command("start", fn)')
    wrong(function() Bot:on("(", f) end, 'Shop:on: "(" is no Lua pattern: unfinished capture')
    wrong(function() Bot:on("^hi [a-z", f) end, "Shop:on: \"^hi [a-z\" is no Lua pattern: malformed pattern (missing ']')")
    wrong(function() Bot:on({ text = "[" }, f) end, 'Shop:on: "[" is no Lua pattern: malformed pattern (missing \']\')')
    wrong(function() Bot:on({ privat = true }, f) end, 'Shop:on: a filter has no field "privat"; did you mean "private"?')
    wrong(function() Bot:on({ media = "phto" }, f) end, 'Shop:on: there is no kind of media "phto"; did you mean "photo"?')
    wrong(function() Bot:on({ action = "chatAddUsr" }, f) end, 'Shop:on: there is no action "chatAddUsr"; did you mean "chatAddUser"?')
    wrong(function() Bot:on({ from = "@alice" }, f) end,
      'Shop:on: the field from wants an id as of the Bot API, or a list of them, got "@alice"')
    wrong(function() Bot:on({ private = 1 }, f) end, "Shop:on: the field private wants true or false, got a number")
    wrong(function() Bot:on({ callback = "^x", text = "y" }, f) end,
      'Shop:on: the press of a button has no "text"; beside callback there may be from, chat, private, group, where')
    wrong(function() Bot:on({ inline = "^x", private = true }, f) end,
      'Shop:on: an inline query has no "private"; beside inline there may be from, where')
    wrong(function() Bot:on({}, f) end, 'Shop:on: the filter is empty: { private = true }, { text = "^hi" }, …')
    wrong(function() Bot:on({ "^hi", private = true }, f) end,
      "Shop:on: a filter is a list of filters or a table of fields, not both: private")
    wrong(function() Bot:on({ "^a", [3] = "^c" }, f) end, "Shop:on: the list has a hole: there is nothing at 2, but something at 3")
    wrong(function() Bot:on({ text = { "^a", x = "^c" } }, f) end,
      'Shop:on: the field text: a list has the keys 1, 2, 3, … alone, this one has "x" too')
    wrong(function() Bot:command({ "a", [3] = "c" }, f) end,
      "Shop:command: the field command: the list has a hole: there is nothing at 2, but something at 3")
    wrong(function() Bot:on(42, f) end,
      "Shop:on: a filter is a Lua pattern, a function, a table of fields or a list of these, not a number")
    wrong(function() Bot.on("^hi", f) end, "on is called with a colon, on a class: Echo:on(…) at the top of the script")
    wrong(function() luna.EventHandler:on("^hi", f) end,
      'luna.EventHandler:on: that would be for every bot; make a class with :extend "Name"')
    wrong(function() Bot:command("/start", f) end, 'Shop:command: the name of a command goes without its slash: "start"')
    wrong(function() Bot:command("two words", f) end,
      'Shop:command: "two words" is no name of a command: up to 32 letters, digits and _')
    wrong(function() Bot:command(f) end, "Shop:command(name, fn): the name is a text or a list of texts, not a function")
    wrong(function() Bot:command("x", f, { descripton = "x" }) end,
      'Shop:command: unknown option "descripton"; did you mean "description"?')
    wrong(function() Bot:use { commands = {} } end,
      'Shop:use wants a function(self, update, next) or a handler class made by luna.EventHandler:extend "Name", not a table')
    wrong(function() Bot:use(Bot) end, "Shop:use(Shop): the one is made from the other")
    run(Bot)
    wrong(function() bot.handler:on("^hi", f) end,
      "on is the bot's instance: routes belong to its class: Echo:on(…) at the top of the script")
  end)
end)
