local host = require "_luna.host"
local system = require "_luna.system"
local task = require "_luna.task"
local runner = require "luna.runner"
local Watch = require "luna.reload.watch"

describe("the watch over a script", function()
  local folder, watch, env
  local looks, changes, logged

  local function sh(command, ...) assert(os.execute(("cd '%s' && { %s; }"):format(folder, command:format(...)))) end

  -- In place, as `echo >file` does it.
  local function write(name, text)
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end

  local function load(path)
    local record = {}
    pcall(runner.load, path, nil, record)
    env = record.env
    return record.files
  end

  -- What luna.reload does with a watch, with the script's top level as all there is of it.
  local function follow(name)
    local path = folder .. "/" .. name
    looks, changes, logged = 0, 0, {}
    watch = Watch {
      path = path,
      log = function(_, text) logged[#logged + 1] = text end,
      over = function()
        looks = looks + 1
        return false
      end,
      changed = function()
        changes = changes + 1
        watch:follow(load(path))
      end,
    }
    watch:follow(load(path))
  end

  local function settled(what, fn)
    for _ = 1, 500 do
      if fn() then return end
      task.sleep(0.01)
    end
    error(("%s: %d looks, %d changes"):format(what, looks, changes), 3)
  end

  -- It has looked after what fn does, and found so many changes by then.
  local function sees(n, fn)
    local before, had = looks, changes
    if type(fn) == "string" then sh(fn) else fn() end
    settled("no look", function() return looks > before and changes >= had + n end)
    assert.equal(had + n, changes)
  end

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(host.mkdirs(folder))
    write("bot.lua", "words = require 'words'")
    write("words.lua", "return 1")
  end)
  after_each(function()
    if watch then watch:close() end
    watch = nil
    sh "rm -rf \"$PWD\""
  end)

  describe("sees a file", function()
    before_each(function()
      follow "bot.lua"
      settled("the first look", function() return looks > 0 end)
    end)

    it("that is written in place, once for a burst", function()
      sees(1, function() for i = 1, 20 do write("words.lua", "return " .. i) end end)
      assert.equal(20, env.words)
    end)

    it("that is written anew and renamed, as sed -i and most editors do it", function()
      sees(1, "sed -i s/1/2/ words.lua")
      assert.equal(2, env.words)
      sees(1, "echo 'return 3' >.words.tmp; mv .words.tmp words.lua")
      assert.equal(3, env.words)
    end)

    it("that vim saves, and not its probe, its swap file and its backup", function()
      sees(1, "touch .words.lua.swp; : >4913; rm 4913; mv words.lua words.lua~; echo 'return 2' >words.lua; chmod 644 words.lua;"
        .. "rm words.lua~")
      assert.equal(2, env.words)
    end)

    it("that emacs saves, and not its lock", function()
      sees(1, "ln -s me@host.1:1 .#words.lua; echo x >'#words.lua#'; cp words.lua words.lua~; echo 'return 2' >words.lua;"
        .. "rm .#words.lua '#words.lua#'")
      assert.equal(2, env.words)
    end)

    it("with other contents alone: not a chmod, a touch or the same once more", function()
      sees(0, "chmod 600 words.lua")
      sees(0, "touch words.lua bot.lua")
      sees(0, function() write("words.lua", "return 1") end)
      sees(0, "cp words.lua new; mv new words.lua")
      sees(1, function() write("words.lua", "return 2") end)
    end)

    it("that is removed, but not one that is gone for a moment", function()
      sees(0, "mv words.lua gone")
      sees(0, "mv gone words.lua")
      sees(0, "mv words.lua gone")
      sees(1, "echo 'return 2' >words.lua")
      assert.equal(2, env.words)
      sees(1, "rm words.lua")
      assert.is_nil(env.words)
      sees(1, "echo 'return 3' >words.lua")
      assert.equal(3, env.words)
    end)

    it("not while the script itself is away", function()
      sees(0, "mv bot.lua gone; echo 'return 2' >words.lua")
      sees(1, "mv gone bot.lua")
      assert.equal(2, env.words)
    end)
  end)

  it("sees a file that a require did not find, and the folder in which it looked", function()
    write("bot.lua", "ok, words = pcall(require, 'deep.er.words')")
    follow "bot.lua"
    sees(0, "mkdir deep")
    sees(0, "mkdir deep/er; echo x >deep/er/other.lua")
    sees(1, "echo 'return 5' >deep/er/words.lua")
    assert.equal(5, env.words)
  end)

  it("sees what a handler requires later, found or not, and keeps no list of its tries", function()
    follow "bot.lua"
    write("late.lua", "return 1")
    assert.equal(1, env.require "late")
    for _ = 1, 100 do pcall(env.require, "nowhere") end
    local n = 0
    for _ in pairs(watch.files.missing) do n = n + 1 end
    assert.is_true(n <= 8, n .. " places")
    local before = looks
    settled("the places are watched", function() return looks > before end)
    sees(1, "echo 'return 2' >late.lua")
    pcall(env.require, "nowhere")
    before = looks
    settled("the places are watched", function() return looks > before end)
    sees(1, "echo 'return 2' >nowhere.lua")
  end)

  it("sees a folder that is replaced, and then what is in the new one", function()
    sh "mkdir lib lib.new; echo 'return 1' >lib/words.lua; echo 'return 2' >lib.new/words.lua"
    write("bot.lua", "words = require 'lib.words'")
    follow "bot.lua"
    sees(1, "mv lib lib.old; mv lib.new lib")
    assert.equal(2, env.words)
    sees(1, "echo 'return 3' >lib/words.lua")
    assert.equal(3, env.words)
    sees(1, "rm -r lib; mkdir lib; echo 'return 4' >lib/words.lua")
    assert.equal(4, env.words)
    sees(1, "echo 'return 5' >lib/words.lua")
    assert.equal(5, env.words)
  end)

  it("sees a link that is switched to another release, above the folder of the script", function()
    sh "mkdir -p releases/1/bots releases/2/bots; ln -s releases/1 current"
    for i = 1, 2 do
      write(("releases/%d/bots/bot.lua"):format(i), "words = require 'words'")
      write(("releases/%d/bots/words.lua"):format(i), "return " .. i)
    end
    follow "current/bots/bot.lua"
    assert.equal(1, env.words)
    sees(1, "ln -s releases/2 new; mv -T new current")
    assert.equal(2, env.words)
    sees(1, "echo 'return 3' >releases/2/bots/words.lua")
    assert.equal(3, env.words)
    sh "echo 'return 4' >releases/1/bots/words.lua"
    sees(1, "ln -s releases/1 new; mv -T new current")
    assert.equal(4, env.words)
  end)

  it("sees what a link to a file leads to, and the link, and ends where links lead in a circle", function()
    sh "mkdir a b; echo 'return 1' >a/words.lua; echo 'return 2' >b/words.lua; ln -sf a/words.lua words.lua; ln -s two one; ln -s one two"
    write("bot.lua", "words = require 'words'; pcall(require, 'one.words')")
    follow "bot.lua"
    sees(1, "echo 'return 5' >a/words.lua")
    assert.equal(5, env.words)
    sees(1, "ln -sfn b/words.lua words.lua")
    assert.equal(2, env.words)
  end)

  describe("over a folder of plugins", function()
    local function names()
      local list = {}
      for name in pairs(env.plugins) do
        if type(name) == "string" then list[#list + 1] = name end
      end
      table.sort(list)
      return table.concat(list, " ")
    end

    before_each(function()
      sh "mkdir plugins; echo 'return 1' >plugins/one.lua; echo 'return 2' >plugins/two.lua"
      write("bot.lua", "plugins = require 'plugins.*'")
      follow "bot.lua"
      settled("the first look", function() return looks > 0 end)
    end)

    it("sees one that is added, changed, removed, renamed", function()
      assert.equal("one two", names())
      sees(1, "echo 'return 3' >plugins/three.lua")
      assert.equal("one three two", names())
      sees(1, "echo 'return 5' >plugins/three.lua")
      assert.same({ 1, 5, 2 }, { table.unpack(env.plugins) })
      sees(1, "rm plugins/one.lua")
      assert.equal("three two", names())
      sees(1, "mv plugins/two.lua plugins/zwei.lua")
      assert.equal("three zwei", names())
      sees(0, "mkdir plugins/four")
      sees(1, "echo 'return 4' >plugins/four/init.lua")
      assert.equal("four three zwei", names())
      sees(1, "rm -r plugins/four")
      assert.equal("three zwei", names())
    end)

    it("sees nothing in what editors and people leave there", function()
      sees(0, "cd plugins; touch .one.lua.swp 4913 one.lua~ '#one.lua#' one.bak.lua README.md; ln -s me@host.1:1 .#one.lua")
    end)

    it("sees the folder go, come and be replaced", function()
      sees(1, "rm -r plugins")
      assert.is_nil(env.plugins)
      sees(1, "mkdir plugins; echo 'return 7' >plugins/seven.lua")
      assert.equal("seven", names())
      sees(1, "mkdir new; echo 'return 8' >new/eight.lua; mv plugins old; mv new plugins")
      assert.equal("eight", names())
      sees(1, "echo 'return 9' >plugins/nine.lua")
      assert.equal("eight nine", names())
    end)
  end)

  describe("where the system does not tell", function()
    local watchFiles, remote = host.watchFiles, system.remote
    local world = require("luna.sandbox").world()
    after_each(function() host.watchFiles, system.remote = watchFiles, remote end)

    it("looks by itself, and says so once", function()
      host.watchFiles = function(paths) return { close = function() end }, paths end
      write("bot.lua", "words = require 'words'; plugins = pcall(require, 'plugins.*')")
      follow "bot.lua"
      world:clock():advance(5)
      assert.equal(0, changes)
      write("words.lua", "return 22")
      world:clock():advance(2.1)
      assert.equal(1, changes)
      assert.equal(22, env.words)
      sh "mkdir plugins; echo 'return 1' >plugins/one.lua"
      world:clock():advance(2.1)
      assert.equal(2, changes)
      sh "rm words.lua"
      world:clock():advance(3)
      assert.equal(3, changes)
      assert.equal(1, #logged)
      assert.matches("cannot be watched .*: changes are looked for every 2 s$", logged[1])
    end)

    it("as on another machine's disk, looks too", function()
      system.remote = function() return "NFS" end
      follow "bot.lua"
      assert.matches("^.*/%w+%.lua is on NFS: changes are looked for every 2 s$", logged[1])
      system.remote = remote
      watch:rewatch(true)
      assert.is_nil(watch.timer)
    end)
  end)
end)
