-- Sockets with Python's asyncio at the other end, and what happens to virtual time and to a script's new version meanwhile.
local luna = require "luna"
local host = require "_luna.host"
local promise = require "_luna.promise"
local raw = require "_luna.socket"
local task = require "_luna.task"
local timer = require "_luna.timer"
local socket = luna.socket

local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"
local sockets = dofile(here .. "/../../../support/sockets.lua")
local errorOf, readAll = sockets.errorOf, sockets.readAll
local hasPython = os.execute "command -v python3 >/dev/null 2>&1" == true

describe("a socket to another program #python", function()
  local folder, removeFolder
  setup(function() folder, removeFolder = sockets.folder() end)
  teardown(function() removeFolder() end)

  local function test(name, fn)
    it(name, function()
      if not hasPython then return pending "python3 is not installed" end
      fn()
    end)
  end

  -- The peer, which ends when this is closed; the first line that it prints. Its standard input is a FIFO of ours.
  local function peer(...)
    local words = table.concat({ ... }, " ")
    local fifo = folder .. "/in" .. tostring(timer.now()):gsub("%D", "")
    assert(os.execute(("mkfifo '%s'"):format(fifo)))
    local out = io.popen(("exec python3 -u '%s/../../../support/socket_peer.py' %s < '%s'"):format(here, words, fifo))
    local into = io.open(fifo, "w")
    os.remove(fifo)
    finally(function()
      into:close()
      out:close()
    end)
    return out
  end

  for _, kind in ipairs { "tcp", "unix" } do
    test("over " .. kind .. " carries much, whole and in order", function()
      local out = peer("echo", kind == "tcp" and "127.0.0.1" or folder .. "/echo.sock")
      local s <close> = socket.connect(kind .. "://" .. out:read "l")
      local sent = sockets.bytes(3 << 20)
      local writing = s:finish(sent, { async = true })
      assert.is_true(readAll(s) == sent .. #sent)
      luna.await(writing)
    end)
  end

  test("serves it", function()
    local server <close> = socket.listen "tcp://127.0.0.1:0"
    local done = task.spawn(function()
      local s <close> = server:accept()
      for piece in s do s:write(piece) end
      s:finish()
    end)
    local out = peer("client", server.localAddress, 1000)
    luna.await(done)
    assert.equal("1000 line 999", out:read "l")
  end)

  test("that accepts nobody: the time is up", function()
    local out = peer "crowd"
    local uri = "tcp://" .. out:read "l"
    local err = errorOf(socket.connect, uri, { timeout = 0.05 })
    assert.is_true(luna.is(err, luna.TimeoutException))
    assert.equal("TIMEOUT", err.name)
    assert.truthy(tostring(err):find("cannot connect to " .. uri:sub(7), 1, true))
    local source = luna.CancellationTokenSource()
    local connecting = socket.connect(uri, { async = true, cancellation = source:getToken() })
    task.sleep(0)
    source:cancel()
    assert.is_true(luna.is(errorOf(luna.await, connecting), luna.CancelledException))
    assert.same({}, raw.list())
  end)

  test("holds virtual time while one waits for it", function()
    local out = peer("source", 8 << 20)
    local uri = "tcp://" .. out:read "l"
    local fired = false
    promise.await(task.spawn(function()
      timer.useClock(timer.newVirtual())
      local alarm = task.spawn(function()
        task.sleep(3600)
        fired = true
      end)
      local s <close> = socket.connect(uri)
      assert.equal(8 << 20, #readAll(s))
      assert.is_false(fired)
      promise.await(alarm)
    end))
    assert.is_true(fired)
  end)
end)

describe("virtual time", function()
  -- fn in a task of its own, with a clock that jumps.
  local function virtual(fn)
    return promise.await(task.spawn(function()
      timer.useClock(timer.newVirtual())
      return fn()
    end))
  end

  for _, uri in ipairs { "tcp://127.0.0.1:0", "unix:///tmp/luna-spec-" .. host.pid() .. ".sock" } do
    it("does not overtake what is on its way through the kernel: " .. uri:match "^%a+", function()
      virtual(function()
        local log = {}
        local server <close> = socket.listen(uri)
        local serving = task.spawn(function()
          for s in server do
            task.spawn(function()
              for piece in s do
                log[#log + 1] = ("got %d at %g"):format(#piece, timer.now())
                task.sleep(10) -- the server's work
                s:write(piece)
              end
              s:close()
            end)
          end
        end)
        local start = timer.now()
        task.spawn(function()
          for i = 1, 100 do
            task.sleep(1)
            log[i] = log[i] or ("second %d"):format(i)
          end
        end)
        local address = server.localAddress
        local s <close> = socket.connect((address:sub(1, 1) == "/" and "unix://" or "tcp://") .. address)
        for _ = 1, 3 do
          s:write "x"
          assert.equal("x", s:read())
        end
        assert.equal(30, timer.now() - start) -- the sleeps of the server alone, to the second
        s:finish()
        assert.is_nil(s:read())
        assert.equal(30, timer.now() - start)
        assert.matches("^got 1 at", log[1])
        server:close()
        promise.await(serving)
      end)
    end)
  end

  it("goes on while a server and its connections are silent", function()
    virtual(function()
      local server <close> = socket.listen "tcp://127.0.0.1:0"
      task.spawn(function()
        for s in server do task.spawn(s.read, s) end
      end)
      local s <close> = socket.connect("tcp://" .. server.localAddress)
      local reading = s:read { async = true }
      local start = timer.now()
      task.sleep(3600)
      assert.equal(3600, timer.now() - start)
      luna.cancel(reading)
    end)
  end)

  it("goes on while a peer does not read", function()
    virtual(function()
      local server <close> = socket.listen "tcp://127.0.0.1:0"
      local s <close> = socket.connect("tcp://" .. server.localAddress)
      local there <close> = server:accept()
      local writing = s:write(("x"):rep(32 << 20), { async = true })
      assert.equal("x", there:read(1))
      local start = timer.now()
      task.sleep(60)
      assert.equal(60, timer.now() - start)
      task.spawn(s.finish, s)
      assert.equal((32 << 20) - 1, #readAll(there))
      luna.await(writing)
      assert.equal(60, timer.now() - start)
    end)
  end)
end)

describe("a new version of a script", function()
  local folder, removeFolder
  setup(function()
    folder, removeFolder = sockets.folder()
  end)
  teardown(function()
    removeFolder()
    rawset(_G, "socketLog", nil)
  end)

  it("finds the sockets of the version before closed, its own tasks ended", function()
    rawset(_G, "socketLog", {})
    local log = rawget(_G, "socketLog")
    local function script(version, port)
      local path = folder .. "/bot.lua"
      assert(host.writeFile(path, ([[
        local luna = require "luna"
        local Bot = luna.EventHandler:extend "Bot"
        function Bot:onStart()
          local server = luna.socket.listen("tcp://127.0.0.1:%d")
          socketLog.address = server.localAddress
          luna.callFork(function()
            local ok, err = pcall(function() for s in server do
              luna.callFork(function()
                local ok, err = pcall(function() s:write "%s" return s:read() end)
                socketLog[#socketLog + 1] = "%s: " .. tostring(ok) .. " " .. tostring(err)
              end)
            end end)
            socketLog[#socketLog + 1] = "%s accepts: " .. tostring(ok) .. " " .. tostring(err)
          end)
        end
        return Bot
      ]]):format(port, version, version, version)))
      return path
    end
    local world = luna.sandbox.world()
    local bot = world:run(script("one", 0))
    local address = log.address
    local client <close> = socket.connect("tcp://" .. address)
    assert.equal("one", client:read())
    script("two", address:match "%d+$")
    bot:reload()
    assert.is_nil(client:read()) -- the end: the old version's socket has gone
    table.sort(log)
    local cancelled = "the operation was cancelled: a new version of the script has come"
    assert.same({ "one accepts: false " .. cancelled, "one: false " .. cancelled }, { log[1], log[2] })
    assert.is_nil(log[3])
    assert.equal(address, log.address) -- the same port was free again
    local again <close> = socket.connect("tcp://" .. address)
    assert.equal("two", again:read())
    bot:stop()
    assert.is_nil(again:read())
    assert.equal("CONNECT", errorOf(socket.connect, "tcp://" .. address).name)
  end)
end)
