local environment = require "luna.environment"
local runner = require "luna.runner"
local errors = require "luna.errors"
local luna = require "luna"

local folder = os.tmpname()
os.remove(folder)

local function write(name, text)
  local file = assert(io.open(folder .. "/" .. name, "w"))
  file:write(text)
  file:close()
  return folder .. "/" .. name
end

describe("a bot's environment", function()
  setup(function() require("_luna.host").mkdirs(folder) end)
  teardown(function() os.execute("rm -rf '" .. folder .. "'") end)

  it("has globals of its own over read-only ones", function()
    local one, two = environment.new(), environment.new()
    load("x = 1; assert(print)", "one", "t", one)()
    assert.equal(1, one.x)
    assert.is_nil(two.x)
    assert.is_nil(rawget(_G, "x"))
    assert.equal(one, load("return _G", "one", "t", one)())
    load("print = 5", "one", "t", one)()
    assert.is_function(print)
  end)

  it("has modules of its own", function()
    write("counter.lua", "n = (n or 0) + 1; return { n = n }")
    local path = write("bot.lua", "local a, b = require 'counter', require 'counter'; assert(a == b); out = a.n")
    for _ = 1, 2 do
      local _, env, files = runner.load(path)
      assert.equal(1, env.out)
      assert.same({ folder .. "/counter.lua" }, { files[1] })
    end
  end)

  it("shares luna with everybody", function()
    local path = write("bot.lua", "out = require 'luna'")
    local _, env = runner.load(path)
    assert.equal(luna, env.out)
  end)

  it("names a module that requires itself, and one that is nowhere", function()
    write("loop.lua", "return require 'loop'")
    assert.error_matches(function() runner.load(write("bot.lua", "require 'loop'")) end, 'the module "loop" requires itself')
    assert.error_matches(function() runner.load(write("bot.lua", "require 'nowhere_at_all'")) end, "nowhere_at_all")
    local ok, err = pcall(runner.load, write("bot.lua", "\nrequire 'nowhere.at_all'"))
    assert.is_false(ok)
    assert.matches("/bot%.lua:2: module 'nowhere%.at_all' not found: there is no nowhere/at_all%.lua or [^\n]*$", err)
    ok, err = pcall(runner.load, write("bot.lua", "\nrequire 'luna.nowhere'"))
    assert.is_false(ok)
    assert.matches("/bot%.lua:2: module 'luna%.nowhere' not found: luna has none[^\n]*$", err)
  end)

  it("a module's top level may wait", function()
    write("slow.lua", "require('luna').sleep(0.001) return 7")
    local _, env = runner.load(write("bot.lua", "out = require 'slow'"))
    assert.equal(7, env.out)
  end)
end)

describe("luna.runner", function()
  setup(function() require("_luna.host").mkdirs(folder) end)
  teardown(function() os.execute("rm -rf '" .. folder .. "'") end)

  it("gives what a file returns", function()
    assert.is_nil((runner.load(write("plain.lua", "local x = 1"))))
    assert.is_function((runner.load(write("fn.lua", "return function() end"))))
    local class = runner.load(write("class.lua", "return require('luna').EventHandler:extend 'E'"))
    assert.is_true(luna.Class.extends(class, luna.EventHandler))
    local list = runner.load(write("list.lua", "return { function() end, require('luna').EventHandler:extend 'E' }"))
    assert.equal(2, #list)
    assert.is_nil((runner.load(write("bang.lua", "#!/usr/bin/env luna\nlocal x = 1"))))
  end)

  local function fails(path, status, pattern)
    local ok, err = pcall(runner.load, path)
    assert.is_false(ok)
    assert.is_true(errors.is(err, errors.classes.Exception))
    assert.equal(status, err.status)
    assert.matches(pattern, tostring(err))
  end

  it("says what is wrong, with the status for the shell", function()
    fails(folder .. "/missing.lua", 2, "missing.lua cannot be read")
    fails(folder, 2, "cannot be read")
    fails(write("syntax.lua", "local = 1"), 1, "syntax.lua:1:")
    fails(write("number.lua", "return 5"), 1, "number.lua returned a number")
    fails(write("table.lua", "return { a = 1 }"), 1, "returned a table")
    fails(write("item.lua", "return { function() end, 5 }"), 1, "item 2 that it returned a number")
    fails(write("typo.lua", "local E = require('luna').EventHandler:extend 'E' function E:onUpdateNewMesage() end return E"), 1,
      'did you mean "onUpdateNewMessage"')
  end)

  it("passes the top level's own error on", function()
    local ok, err = pcall(runner.load, write("raise.lua", "error 'mine'"))
    assert.is_false(ok)
    assert.matches("raise.lua:1: mine$", err)
  end)

  it("knows stems", function()
    assert.equal("echo", runner.stem "bots/echo.lua")
    assert.equal("a.b", runner.stem "a.b.lua")
    assert.equal("stdin", runner.stem "-")
  end)
end)
