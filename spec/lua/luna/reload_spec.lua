local host = require "_luna.host"
local task = require "_luna.task"
local luna = require "luna"
local Logger = require "luna.logger"

local folder
local log -- what the scripts say, under a name that they find among the program's globals

local function write(name, text)
  local path = folder .. "/" .. name
  assert(host.writeFile(path, text))
  return path
end

-- A bot that answers with its version; body: more of the script, at its top level.
local function script(version, body)
  return write("bot.lua", ([[
    local luna = require "luna"
    local Bot = luna.EventHandler:extend "Bot"
    local VERSION = %q
    %s
    Bot.onUpdateNewMessage = Bot.onUpdateNewMessage or function(self, update)
      local message = update.message
      if message.out then return end
      self.state.n = (self.state.n or 0) + 1
      message:reply(VERSION .. ":" .. message.message .. ":" .. self.state.n)
    end
    return Bot
  ]]):format(version, body or ""))
end

describe("a reload", function()
  local world, bot, alice
  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(host.mkdirs(folder))
  end)
  teardown(function()
    os.execute("rm -rf '" .. folder .. "'")
    rawset(_G, "reloadLog", nil)
  end)
  before_each(function()
    rawset(_G, "reloadLog", {})
    log = rawget(_G, "reloadLog")
  end)

  local function begin()
    world = require("luna.sandbox").world()
    alice = world:user "Alice"
  end

  local function run(...)
    begin()
    bot = world:run(script(...))
  end

  it("takes the new code and keeps the state", function()
    run "one"
    alice:send(bot, "a")
    assert.equal("one:a:1", alice:expect(bot, 5).message)
    script "two"
    bot:reload()
    alice:send(bot, "b")
    assert.equal("two:b:2", alice:expect(bot, 5).message)
  end)

  it("calls onStart before the new version gets an update, and hands over in order what came meanwhile", function()
    local body = [[
      function Bot:onStart(reason) reloadLog[#reloadLog + 1] = VERSION .. " start " .. reason end
      function Bot:onUpdateNewMessage(update)
        local message = update.message
        if message.out then return end
        reloadLog[#reloadLog + 1] = VERSION .. " " .. message.message
        if message.message == "last" then message:reply "done" end
      end
    ]]
    run("one", body)
    script("two", body)
    bot:reload()
    for _, text in ipairs { "a", "b", "last" } do alice:send(bot, text) end
    alice:expect(bot)
    assert.same({ "one start start", "two start reload", "two a", "two b", "two last" }, log)
    bot:reload()
    bot:reload() -- the start of the version between is left out
    alice:send(bot, "last")
    alice:expect(bot)
    assert.same({ "two start reload", "two last" }, { log[#log - 1], log[#log] })
  end)

  it("loads the modules of the folder anew, and leaves the library's", function()
    write("words.lua", "return 'old'")
    run("one", "VERSION = require 'words' .. (luna == require 'luna' and '' or '!')")
    write("words.lua", "return 'new'")
    bot:reload()
    alice:send(bot, "a")
    assert.equal("new:a:1", alice:expect(bot, 5).message)
  end)

  it("lets a handler that waits end on the old code, in its turn", function()
    local body = [[
      function Bot:onUpdateNewMessage(update)
        local message = update.message
        if message.out then return end
        if message.message == "slow" then luna.await(reloadLog.gate:promise()) end
        message:reply(VERSION .. ":" .. message.message)
      end
      function Bot:onStop(reason) reloadLog[#reloadLog + 1] = VERSION .. " stop " .. reason end
      function Bot:onStart(reason) reloadLog[#reloadLog + 1] = VERSION .. " start " .. reason end
    ]]
    log.gate = luna.Deferred()
    run("one", body)
    alice:send(bot, "slow")
    alice:send(bot, "queued")
    world:clock():advance(0.1)
    script("two", body)
    bot:reload()
    world:clock():advance(1)
    assert.same({ "one start start", "two start reload" }, { table.unpack(log) })
    log.gate:resolve()
    assert.equal("one:slow", alice:expect(bot, 5).message)
    assert.equal("two:queued", alice:expect(bot, 5).message)
    world:clock():advance(0.1)
    assert.same({ "one start start", "two start reload", "one stop reload" }, { table.unpack(log) })
  end)

  it("swaps the routes, and ends the questions of the old version at their wait", function()
    local body = [[
      Bot:command("go", function(_, message)
        local ok, err = pcall(message.ask, message, "Well?")
        reloadLog[#reloadLog + 1] = ("%s %s %s"):format(VERSION, ok, tostring(err))
        if not ok then error(err, 0) end
      end)
      Bot:on("^say", function(_, message) message:reply(VERSION) end)
      Bot:use(function(_, _, next) next() end)
      function Bot:onStop(reason) reloadLog[#reloadLog + 1] = VERSION .. " stop " .. reason end
    ]]
    run("one", body)
    alice:send(bot, "say")
    assert.equal("one", alice:expect(bot).message)
    alice:send(bot, "/go")
    assert.equal("Well?", alice:expect(bot).message)
    script("two", body)
    bot:reload()
    world:clock():advance(1)
    assert.same({ "one false the operation was cancelled: a new version of the script has come", "one stop reload" }, { table.unpack(log) })
    alice:send(bot, "say")
    assert.equal("two", alice:expect(bot).message)
    assert.same({}, bot.errors)
  end)

  it("ends what the top level, init and onStart have started, by an exception at its wait", function()
    local body = [[
      local function forever(name)
        local ok, err = pcall(function() while true do luna.sleep(1) reloadLog[name] = (reloadLog[name] or 0) + 1 end end)
        reloadLog[#reloadLog + 1] = name .. " " .. tostring(luna.is(err, luna.CancelledException))
        error(err, 0)
      end
      luna.callFork(function() forever(VERSION .. " top") end)
      luna.loop.every(1000, function() reloadLog[VERSION .. " watcher"] = (reloadLog[VERSION .. " watcher"] or 0) + 1 end)
      function Bot:init(api)
        local Loop = luna.GenericLoop
        self.ticks = Loop(api, function() reloadLog[VERSION .. " loop"] = (reloadLog[VERSION .. " loop"] or 0) + 1 return 1 end, "ticks")
        self.ticks:start()
      end
      function Bot:onStart() forever(VERSION .. " start") end
    ]]
    run("one", body)
    world:clock():advance(10.5)
    script("two", body)
    bot:reload()
    world:clock():advance(0.1)
    local first = { table.unpack(log) }
    table.sort(first)
    assert.same({ "one start true", "one top true" }, first)
    local before = {}
    for _, name in ipairs { "top", "start", "watcher", "loop" } do
      before[name] = log["one " .. name]
      assert.is_true(before[name] >= 9, name)
    end
    world:clock():advance(10)
    for _, name in ipairs { "top", "start", "watcher", "loop" } do
      assert.equal(before[name], log["one " .. name], name)
      assert.is_true((log["two " .. name] or 0) >= 9, "two " .. name)
    end
    assert.equal(2, #log)
  end)

  it("ends a task that catches the exception and goes on", function()
    run("one", [[
      luna.callFork(function()
        for _ = 1, 3 do pcall(luna.sleep, 100) end
        reloadLog.errors = luna.is(select(2, pcall(luna.sleep, 100)), luna.CancelledException)
      end)
    ]])
    script "two"
    bot:reload()
    world:clock():advance(10)
    assert.is_true(log.errors)
  end)

  describe("with other settings", function()
    -- Answers; "slow" waits for the gate first.
    local function body(settings)
      return ([[
        Bot.settings = %s
        function Bot:onUpdateNewMessage(update)
          local message = update.message
          if message.out then return end
          if message.message == "slow" then luna.await(reloadLog.gate:promise()) end
          reloadLog[#reloadLog + 1] = message.message
        end
      ]]):format(settings)
    end
    before_each(function() log.gate = luna.Deferred() end)

    it("takes another order once what waits in the old one is done", function()
      run("one", body "{ updates = { order = 'chat' } }")
      for _, text in ipairs { "slow", "second" } do alice:send(bot, text) end
      world:clock():advance(0.1)
      script("two", body "{ updates = { order = 'none' } }")
      bot:reload()
      alice:send(bot, "third")
      world:clock():advance(1)
      assert.same({}, { table.unpack(log) })
      log.gate:resolve()
      world:clock():advance(1)
      assert.same({ "slow", "second", "third" }, { table.unpack(log) })
      log.gate = luna.Deferred()
      for _, text in ipairs { "slow", "fast" } do alice:send(bot, text) end
      world:clock():advance(1)
      assert.same({ "slow", "second", "third", "fast" }, { table.unpack(log) })
      log.gate:resolve()
    end)

    it("lets more run at once where more may", function()
      run("one", body "{ updates = { pending = 1 } }")
      alice:send(bot, "slow")
      world:user "Bob":send(bot, "quick")
      world:clock():advance(1)
      assert.same({}, { table.unpack(log) })
      script("two", body "{ updates = { pending = 2 } }")
      bot:reload()
      world:clock():advance(1)
      assert.same({ "quick" }, { table.unpack(log) })
      log.gate:resolve()
    end)
  end)

  describe("that fails", function()
    local lines
    before_each(function()
      lines = {}
      Logger.setWriter(function(text) lines[#lines + 1] = text end)
    end)
    after_each(function() Logger.setWriter(require("luna.cli.test_output").keepLog) end)

    local function refused(what)
      local ok, why = pcall(bot.reload, bot)
      assert.is_false(ok)
      assert.matches(what, why)
      alice:send(bot, "still")
      assert.matches("^oneA?:still", alice:expect(bot, 5).message)
      return why
    end

    it("leaves the old version running and shows the place", function()
      run "one"
      write("bot.lua", "local luna = require 'luna'\nlocal x = = 1\nreturn luna\n")
      local why = refused "bot.lua:2: "
      assert.matches("\n     1 | local luna = require 'luna'\n>    2 | local x = = 1\n     3 | return luna", why, 1, true)
      assert.matches("bot.lua was not reloaded, the version before goes on", table.concat(lines), 1, true)
      script "two"
      bot:reload()
      alice:send(bot, "a")
      assert.matches("^two:a", alice:expect(bot, 5).message)
    end)

    it("ends what a top level had started before it failed", function()
      run "one"
      script("two", [[
        luna.callFork(function() while true do luna.sleep(1) reloadLog.n = (reloadLog.n or 0) + 1 end end)
        luna.loop.every(1000, function() reloadLog.n = 1 end)
        error 'mine'
      ]])
      refused "mine\n"
      world:clock():advance(5)
      assert.is_nil(log.n)
    end)

    it("leaves the error handler of luna.loop to the version that runs", function()
      local body = "luna.loop.setErrorHandler(function(err) reloadLog[#reloadLog + 1] = VERSION .. ' ' .. tostring(err):match '%a+$' end)"
      local watcher = "luna.loop.every(1000, function() error 'tick' end)"
      run("one", body .. watcher)
      script("two", body .. " error 'mine'")
      refused "mine\n"
      world:clock():advance(1.5)
      assert.equal("one tick", log[1])
      script("three", watcher)
      bot:reload()
      local before = #log
      world:clock():advance(5)
      assert.equal(before, #log)
      script("four", body .. watcher)
      bot:reload()
      world:clock():advance(1.5)
      assert.equal("four tick", log[#log])
    end)

    it("is told of an error in a module, at the module's line", function()
      run "one"
      write("broken.lua", "local a\n\nlocal b = a.b\n")
      script("two", "require 'broken'")
      assert.matches(">    3 | local b = a.b", refused "broken.lua:3", 1, true)
    end)

    it("is told of an error in one of a folder's plugins, and keeps all of the old ones", function()
      assert(host.mkdirs(folder .. "/plugins"))
      write("plugins/a.lua", "return function() return 'A' end")
      local body = "for _, plugin in ipairs(require 'plugins.*') do VERSION = VERSION .. plugin() end"
      run("one", body)
      write("plugins/b.lua", "return function() return 'B' end")
      write("plugins/c.lua", "return {}\nx = = 1")
      assert.matches("> *2 | x = = 1", refused "plugins/c.lua:2: ")
      write("plugins/c.lua", "return function() return 'C' end")
      bot:reload()
      alice:send(bot, "a")
      assert.matches("^oneABC:a:", alice:expect(bot, 5).message)
    end)

    it("is told of handlers that are not what they were", function()
      run "one"
      write("bot.lua", "return 5")
      refused "returned a number"
      write("bot.lua", "")
      refused "returned no handler now, and 1 before"
      write("bot.lua", "return { print, print }")
      refused "returned 2 handlers now, and 1 before: here the number cannot change"
      script("two", "function Bot:onUpdateNewMesage() end")
      refused "no such update"
    end)

    it("is told where init raises", function()
      run "one"
      script("two", "function Bot:init() error 'not so' end")
      refused "not so"
    end)
  end)

  it("says what in the state is code of the old version", function()
    local lines = {}
    run("one", "function Bot:init() self.state.greet, self.state.deep = function() end, { list = setmetatable({}, {}) } end")
    script "two"
    Logger.setWriter(function(text) lines[#lines + 1] = text end)
    bot:reload()
    Logger.setWriter(require("luna.cli.test_output").keepLog)
    local text = table.concat(lines)
    assert.matches("state.greet is a function", text, 1, true)
    assert.matches("state.deep.list is a table with a metatable", text, 1, true)
  end)

  it("says where a load waits for long", function()
    local lines = {}
    run "one"
    script("two", "luna.sleep(30)")
    Logger.setWriter(function(text) lines[#lines + 1] = text end)
    local load = bot.reloader:now()
    world:clock():advance(9)
    assert.equal(0, #lines)
    world:clock():advance(2)
    assert.matches("WARNING .*/bot.lua has been loading for 10 s and waits at [^%s]*/bot.lua:4; until it has, the version before goes on",
      table.concat(lines))
    assert.is_true((luna.await(load)))
    Logger.setWriter(require("luna.cli.test_output").keepLog)
  end)

  it("is made once for a save, though the load waits and the file is touched meanwhile", function()
    run("one", "reloadLog.loads = (reloadLog.loads or 0) + 1")
    local reloader = bot.reloader
    reloader:watch()
    local look -- what the watch would do
    local changed = reloader.watcher.changed
    function look() changed { reloader.path } end
    script("two", "reloadLog.loads = reloadLog.loads + 1 luna.sleep(1)")
    look()
    look()
    look()
    world:clock():advance(2)
    assert.equal(2, log.loads)
    script("three", "reloadLog.loads = reloadLog.loads + 1 luna.sleep(1)")
    look()
    world:clock():advance(0.5)
    assert.equal(3, log.loads)
    script("four", "reloadLog.loads = reloadLog.loads + 1")
    look()
    world:clock():advance(2)
    assert.equal(4, log.loads)
    assert.equal(2, reloader.count)
    reloader:close()
  end)

  it("ends a load that waits when a newer one comes", function()
    run "one"
    script("two", "luna.sleep(3600)")
    local first = bot.reloader:now()
    script "three"
    local second = bot.reloader:now()
    assert.is_true((luna.await(second)))
    assert.is_true((luna.await(first)))
    assert.equal(1, bot.reloader.count)
    alice:send(bot, "a")
    assert.equal("three:a:1", alice:expect(bot, 5).message)
  end)

  it("keeps persisted fields over a restart", function()
    local body = "Bot.persist = { 'n' } function Bot:init() self.state.m = (self.state.m or 0) + 1 end"
    for _, session in ipairs { folder .. "/persist.session", false } do
      begin()
      bot = world:run(script("one", body), { session = session or nil, name = "keeper" })
      alice:send(bot, "a")
      alice:send(bot, "b")
      assert.equal("one:a:1", alice:expect(bot, 5).message)
      assert.equal("one:b:2", alice:expect(bot, 5).message)
      script("two", body)
      local before = bot.handler
      bot:restart()
      assert.not_equal(before, bot.handler)
      assert.same({ 2, 1 }, { bot.handler.state.n, bot.handler.state.m })
      alice:send(bot, "c")
      assert.equal("two:c:3", alice:expect(bot, 5).message)
      script("three", body)
      bot:reload()
      bot:stop()
      alice:send(bot, "while it is away")
      bot:restart()
      assert.equal("three:while it is away:4", alice:expect(bot, 5).message)
    end
  end)

  it("leaves nothing of a version that has gone in memory", function()
    run("one", [[
      Bot.persist = { "n" }
      local Cron = luna.ResumableSignalLoop:extend "cron"
      function Cron:loop() while true do self:waitSignal(self:pause(1)) end end
      Bot:command("start", function(self, m) m:reply "started" end, { description = "begins" })
      function Bot:onStart()
        Cron(self.API):start()
        luna.PeriodicLoop(self.API, function() end, "each second", 1):start()
        luna.loop.every(100, function() end)
        self.server = luna.socket.listen "tcp://127.0.0.1:0"
        luna.callFork(function() for _ in self.server do end end)
        luna.callFork(function() while true do luna.sleep(0.5) end end)
      end
    ]])
    local function size()
      collectgarbage()
      collectgarbage()
      local slots = 0
      for _ in pairs(debug.getregistry()) do slots = slots + 1 end
      return collectgarbage "count", slots, #task.all()
    end
    local function reload(times)
      for _ = 1, times do
        bot:reload()
        world:clock():advance(3) -- until what the version before had started is given up
      end
      return size()
    end
    local before, slots, tasks = reload(40)
    local after, slotsAfter, tasksAfter = reload(200)
    assert.same({ slots, tasks }, { slotsAfter, tasksAfter })
    assert.is_true(after - before < 60, ("%.1f KiB for 200 versions"):format(after - before))
  end)

  it("loses no update, hands none over twice and keeps their order, over a thousand reloads under traffic", function()
    local body = [[
      function Bot:onUpdateNewMessage(update)
        local message = update.message
        if message.out then return end
        local from, n = message.from_id and message.from_id.user_id or message.peer_id.user_id, tonumber(message.message)
        local log = reloadLog[from] or {}
        reloadLog[from] = log
        if n %% 3 == 0 then self.users.getUsers{ id = { "me" } } end
        log[#log + 1] = n
        reloadLog.versions[VERSION] = true
      end
    ]]
    log.versions = {}
    run("0", body:gsub("%%%%", "%%"))
    local people = { alice, world:user "Bob", world:user "Carol" }
    local old = setmetatable({}, { __mode = "k" })
    local RELOADS, EACH = 1000, 4
    local sent = 0
    for r = 1, RELOADS do
      script(tostring(r), body:gsub("%%%%", "%%"))
      for _ = 1, EACH / 2 do
        sent = sent + 1
        for _, person in ipairs(people) do person:send(bot, tostring(sent)) end
      end
      local p = bot.reloader:now()
      for _ = 1, EACH / 2 do
        sent = sent + 1
        for _, person in ipairs(people) do person:send(bot, tostring(sent)) end
      end
      assert.is_true((luna.await(p)))
      old[bot.api._core.dispatch.current] = true
      if r % 10 == 0 then world:clock():advance(0.05) end
    end
    world:clock():advance(30)
    local versions = 0
    for _ in pairs(log.versions) do versions = versions + 1 end
    assert.is_true(versions > RELOADS / 20, versions .. " versions had an update")
    for _, person in ipairs(people) do
      local got = log[person.id]
      assert.equal(sent, #got)
      for i = 1, sent do assert.equal(i, got[i]) end
    end
    collectgarbage()
    collectgarbage()
    local left = 0
    for _ in pairs(old) do left = left + 1 end
    assert.is_true(left <= 10, left .. " old versions are still held")
  end)
end)

describe("files that are watched", function()
  local function settled(fn)
    for _ = 1, 300 do
      if fn() then return true end
      task.sleep(0.01)
    end
    return false
  end

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(host.mkdirs(folder))
  end)
  after_each(function() os.execute("rm -rf '" .. folder .. "'") end)

  it("are told of once for a burst, however they are written", function()
    local path, n = write("a.lua", "1"), 0
    local watch, left = host.watchFiles({ path, folder .. "/later.lua", folder .. "/none/x.lua" }, function() n = n + 1 end)
    assert.same({ folder .. "/none/x.lua" }, left)
    for i = 1, 5 do -- in place
      local file = assert(io.open(path, "w"))
      file:write(i)
      file:close()
    end
    assert.is_true(settled(function() return n > 0 end))
    assert.equal(1, n)
    write("a.lua", "replaced") -- by a rename
    assert.is_true(settled(function() return n == 2 end))
    write("later.lua", "made")
    assert.is_true(settled(function() return n == 3 end))
    write("other.lua", "nobody's")
    write("a.lua", "again")
    assert.is_true(settled(function() return n == 4 end))
    watch:close()
    watch:close()
    write("a.lua", "unseen")
    local mark = host.watchFiles({ path }, function() n = n + 100 end)
    write("a.lua", "seen")
    assert.is_true(settled(function() return n >= 100 end))
    assert.equal(104, n)
    mark:close()
  end)
end)

describe("persisted values", function()
  local persist = require "luna.persist"

  it("come back as they were", function()
    local values = {
      1, -0.5, 1 / 3, math.mininteger, math.maxinteger, math.huge, "", "a\0;b}", true, false, {}, { 1, 2, { x = { y = "z" } } },
      { [10] = "a", [2.5] = "b", [true] = "c" },
    }
    for _, value in ipairs(values) do
      local back = persist.decode(persist.encode(value))
      assert.same(value, back)
      assert.equal(math.type(value), math.type(back))
    end
  end)

  it("are named by a list without holes", function()
    local Bot = require("luna").EventHandler:extend "Bot"
    for list, why in pairs { [{ "a", [3] = "c" }] = "has a hole", [{ "a", x = "c" }] = 'has "x" too', [{ 5 }] = "item 1 is no name" } do
      Bot.persist = list
      local ok, err = pcall(require("luna.handler").check, Bot)
      assert.is_false(ok)
      assert.matches("^Bot%.persist: .*" .. why, tostring(err))
    end
  end)

  it("are refused where they cannot be kept, and where they are damaged", function()
    local loop = {}
    loop.loop = loop
    assert.error_matches(function() persist.encode(loop) end, "holds itself")
    assert.error_matches(function() persist.encode { print } end, "a function")
    local text = persist.encode { "abc", 5, 2.5, { true } }
    for i = 0, #text - 1 do assert.is_false(pcall(persist.decode, text:sub(1, i)), i) end
    assert.is_false(pcall(persist.decode, text .. "t"))
    assert.is_false(pcall(persist.decode, ("{"):rep(100000)))
  end)
end)
