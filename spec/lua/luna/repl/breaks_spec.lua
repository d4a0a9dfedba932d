-- Break points in a bot that people chat with: one chat is held, the others are served.
describe("a break point in a running bot", function()
  local world = require("luna.sandbox").world()
  local luna = require "luna"
  local Bot = luna.EventHandler:extend "Bot"
  function Bot:onUpdateNewMessage(update)
    local message = update.message
    if message.out then return end
    local text = "got " .. message.message
    message:reply(text)
  end
  local bot = world:run(Bot)
  local alice, bob = world:user "Alice", world:user "Bob"

  local function session()
    local heard, printed = {}, {}
    local s = require "luna.repl.session"({ core = bot.api._core, api = bot.api, name = "bot", handler = Bot }, function(m)
      table.insert(m.op == "print" and printed or heard, m)
    end)
    local function ask(op, line)
      s:handle { op = op, [op == "eval" and "code" or "line"] = line }
      while not heard[1] do luna.sleep(0.001) end
      return table.remove(heard, 1).text
    end
    return s, ask, printed
  end

  it("holds one chat's handler while another chat is served, for however long", function()
    local s, ask, printed = session()
    local line = debug.getinfo(Bot.onUpdateNewMessage, "S").linedefined
    ask("command", (":break breaks_spec.lua:%d if message.message == 'hold'"):format(line + 4))
    alice:send(bot, "hold")
    bob:send(bot, "pass")
    bob:expect(bot, 5, "got pass")
    alice:expectNothing(bot, 120)
    assert.equal(1, #printed)
    assert.matches(("breaks_spec.lua:%d"):format(line + 4), printed[1].text)
    assert.equal('"got hold"', ask("eval", "text"))
    ask("eval", "text = 'changed'")
    bob:send(bot, "pass again")
    bob:expect(bot, 5, "got pass again")
    ask("command", ":continue")
    assert.equal("changed", alice:expect(bot, 5).message)
    s:close()
    alice:send(bot, "hold")
    alice:expect(bot, 5, "got hold")
  end)

  it("leaves nothing of a client behind that has gone, whatever its lines and steps were", function()
    local function size()
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    local s, ask = session()
    local gone = setmetatable({ s }, { __mode = "v" })
    ask("command", ":break onUpdateNewMessage if update.message.message == 'hold'")
    alice:send(bot, "hold")
    alice:expectNothing(bot, 1)
    ask("command", ":out")
    alice:expect(bot, 5, "got hold")
    for _ = 1, 100 do ask("eval", "1") end
    local before = size()
    for _ = 1, 4000 do ask("eval", "1") end
    assert.is_true(size() - before < 20, ("%.0f KiB for 4000 lines"):format(size() - before))
    s:close()
    s, ask = nil, nil -- luacheck: ignore
    size()
    assert.is_nil(gone[1])
  end)

  it("may stand in a route, which is named by its filter, and sees the script's locals", function()
    local count = 41
    Bot:on("^route", function(_, message)
      count = count + 1
      message:reply(("%d"):format(count))
    end)
    local line = debug.getinfo(1, "l").currentline - 3
    local s, ask, printed = session()
    assert.equal("41", ask("eval", "up.count"))
    ask("command", (":break breaks_spec.lua:%d"):format(line))
    alice:send(bot, "route")
    alice:expectNothing(bot, 1)
    assert.matches(('is held at .*breaks_spec.lua:%d in Bot:on "^route" '):format(line):gsub("%^", "%%^"), printed[1].text)
    ask("eval", "count = 6")
    ask("command", ":continue")
    assert.equal("7", alice:expect(bot, 5).message)
    s:close()
  end)

  it("is named in the log where the chat's next message waits for it", function()
    local core, logged = bot.api._core, {}
    local s, ask = session()
    ask("command", ":break onUpdateNewMessage if update.message.message == 'hold'")
    core.log = function(_, level, text, ...) logged[#logged + 1] = level .. " " .. text:format(...) end
    alice:send(bot, "hold")
    alice:send(bot, "next")
    alice:expectNothing(bot, 60)
    core.log = nil
    assert.equal(1, #logged)
    assert.matches("1 updates wait: the REPL holds it at a break point\n.*breaks_spec.lua:%d+", logged[1])
    s:close()
    alice:expect(bot, 5, "got hold")
    alice:expect(bot, 5, "got next")
  end)

  it("ends with the client, and what it held goes on", function()
    local s, ask, printed = session()
    ask("command", ":break onUpdateNewMessage if not update.message.out")
    alice:send(bot, "first")
    alice:expectNothing(bot, 1)
    assert.equal(1, #printed)
    s:close()
    alice:expect(bot, 5, "got first")
  end)
end)

-- A point is of the version that runs: a reload takes it along.
describe("a break point over a reload", function()
  local host = require "_luna.host"
  local luna = require "luna"
  local world = require("luna.sandbox").world()
  local folder, bot, alice, s, ask, printed

  local function script(version, above, more)
    assert(host.writeFile(folder .. "/shop.lua", ([[
local luna = require "luna"
local Shop = luna.EventHandler:extend "Shop"
%s
function Shop:onUpdateNewMessage(update)
  local message = update.message
  if message.out then return end
  local text = "%s " .. message.message
  message:reply(text)
end
%s
return Shop
]]):format(above or "", version, more or "")))
  end

  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(host.mkdirs(folder))
  end)
  teardown(function() os.execute("rm -rf '" .. folder .. "'") end)
  before_each(function()
    script "one"
    bot = world:run(folder .. "/shop.lua")
    alice = world:user "Alice"
    local heard = {}
    printed = {}
    local about = { core = bot.api._core, api = bot.api, name = "shop", path = folder .. "/shop.lua", handler = bot.handler }
    s = require "luna.repl.session"(about, function(m)
      table.insert(m.op == "print" and printed or heard, m.text or m)
    end)
    function ask(line)
      local op = line:find "^:" and "command" or "eval"
      s:handle { op = op, [op == "eval" and "code" or "line"] = line }
      while not heard[1] do luna.sleep(0.001) end
      return table.remove(heard, 1)
    end
  end)
  after_each(function() s:close() end)

  local function all() return table.concat(printed, "\n") end

  it("by name is where the function is now, and holds the new one", function()
    ask ":break onUpdateNewMessage if not update.message.out"
    script("two", "-- one more line\n-- and one more")
    bot:reload()
    assert.matches("^break %d+ %(onUpdateNewMessage%) is at [^\n]*shop.lua:6 now$", all())
    alice:send(bot, "a")
    alice:expectNothing(bot, 1)
    assert.matches("is held at [^\n]*shop.lua:6 in function onUpdateNewMessage", all())
    for _ = 1, 3 do
      ask ":next"
      alice:expectNothing(bot, 1)
    end
    assert.equal('"two a"', ask "text")
    ask "text = 'mine'"
    ask ":continue"
    assert.equal("mine", alice:expect(bot, 5).message)
  end)

  it("by line stays there, goes on to the next with code, or is gone", function()
    ask ":break shop.lua:7"
    ask ":break shop.lua:10"
    ask ":break shop.lua:11"
    script("two", nil, "\n\n")
    bot:reload()
    assert.matches("^break %d+ %(shop.lua:11%) is at shop.lua:13 now$", all())
    printed[1] = nil
    assert(host.writeFile(folder .. "/shop.lua", "local luna = require 'luna'\nreturn luna.EventHandler:extend 'Shop'\n"))
    bot:reload()
    assert.matches("break %d+ %(shop.lua:7%) is gone: the new version has no such line", all())
    assert.equal("no break points", ask ":break")
  end)

  it("by name is gone with its function, and a version that fails changes nothing", function()
    script("one", "function Shop:ring() end")
    bot:reload()
    ask ":break ring"
    assert(host.writeFile(folder .. "/shop.lua", "x = = 1"))
    assert.is_false(pcall(bot.reload, bot))
    assert.same({}, printed)
    script "two"
    bot:reload()
    assert.matches("^break %d+ %(ring%) is gone: the new version has no such function$", all())
    assert.equal("no break points", ask ":break")
  end)

  it("leaves held what it holds: that ends in the old version, shown as it was, and meets no more points", function()
    ask ":break shop.lua:7"
    alice:send(bot, "a")
    alice:expectNothing(bot, 1)
    script("two", "-- one\n-- two\n-- three")
    bot:reload()
    assert.matches("task %d+ is held in the version before, where it ends", all())
    assert.matches("\n> *7 +local text = \"one \"", ask ":where")
    ask ":break off"
    ask ":break shop.lua:8" -- that line of the old version is still to come
    ask ":continue"
    assert.equal("one a", alice:expect(bot, 5).message)
    alice:send(bot, "b")
    alice:expectNothing(bot, 1)
    assert.matches("> *8 +if message.out then", ask ":where")
    ask ":break off"
    ask ":continue"
    assert.equal("two b", alice:expect(bot, 5).message)
  end)

  it("lets go what the old version had started by itself", function()
    script("one", nil, [[
function Shop:onStart()
  while true do
    luna.sleep(1)
    self.state.n = (self.state.n or 0) + 1
  end
end]])
    bot:reload()
    ask ":break shop.lua:13"
    world:clock():advance(5)
    assert.is_nil(bot.handler.state.n)
    script "two"
    bot:reload()
    assert.matches("task %d+ was let go: it was started by the version before, and has ended with it", all())
    world:clock():advance(5)
    assert.is_nil(bot.handler.state.n)
    assert.equal("no task is held; :break FUNCTION or :break FILE:LINE holds one", ask ":where")
  end)
end)
