-- Sockets with both ends in this process, over TCP and Unix: whole and in order, half-closed, cancelled, refused, with a peer that does not
-- read.
local luna = require "luna"
local core = require "_luna.promise"
local host = require "_luna.host"
local loop = require "_luna.loop"
local raw = require "_luna.socket"
local task = require "_luna.task"
local socket = luna.socket

local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"
local sockets = dofile(here .. "/../../../support/sockets.lua")
local bytes, errorOf, readAll = sockets.bytes, sockets.errorOf, sockets.readAll

local folder, removeFolder
local numbers = 0
-- A URI to listen at, of each kind.
local kinds = {
  tcp = function() return "tcp://127.0.0.1:0" end,
  unix = function()
    numbers = numbers + 1
    return ("unix://%s/%d.sock"):format(folder, numbers)
  end,
}

local function uriOf(server)
  local address = server.localAddress
  return (address:sub(1, 1) == "/" and "unix://" or "tcp://") .. address
end

-- Until fn is true: turns of the loop, not time.
local function turns(fn)
  for _ = 1, 10000 do
    if fn() then return end
    task.sleep(0)
  end
  error("it never was", 2)
end

describe("a socket", function()
  setup(function() folder, removeFolder = sockets.folder() end)
  teardown(function() removeFolder() end)

  local open
  before_each(function() open = {} end)
  after_each(function()
    for _, s in ipairs(open) do s:close() end
    open = nil
    turns(function() -- the other ends hear of it
      collectgarbage()
      return #raw.list() == 0
    end)
  end)
  local function kept(s)
    open[#open + 1] = s
    return s
  end

  -- A client and what the server has accepted of it.
  local function pair(kind, opts)
    local server = kept(socket.listen(kinds[kind or "tcp"]()))
    local accepted = server:accept { async = true }
    local a = kept(socket.connect(uriOf(server), opts))
    return a, kept(luna.await(accepted)), server
  end

  local function echoServer(kind)
    local server = kept(socket.listen(kinds[kind]()))
    local count = 0
    local done = task.spawn(function()
      for s in server do
        count = count + 1
        task.spawn(function()
          for piece in s do s:write(piece) end
          s:finish()
        end)
      end
      return count
    end)
    return server, done
  end

  for kind in pairs(kinds) do
    describe("over " .. kind, function()
      it("gets back what it has sent, until it has finished", function()
        local server, done = echoServer(kind)
        local s = kept(socket.connect(uriOf(server)))
        s:write "hello"
        assert.equal("hello", s:read())
        s:write "two words"
        assert.equal("two", s:read(3))
        assert.equal(" wor", s:read(4))
        assert.equal("ds", s:read(100))
        s:finish "and the rest"
        assert.equal("and the rest", readAll(s))
        assert.is_nil(s:read())
        server:close()
        assert.equal(1, luna.await(done))
      end)

      it("carries much, whole and in order, both ways at once", function()
        local a, b = pair(kind)
        local there, back = bytes(20 << 20), bytes(7 << 20)
        local all = luna.all {
          function()
            a:finish(there)
            return true
          end,
          function()
            for i = 1, #back, 70000 do b:write(back:sub(i, i + 69999)) end
            b:finish()
            return true
          end,
          function() return readAll(a) end, function() return readAll(b) end,
        }
        assert.is_true(all[4] == there)
        assert.is_true(all[3] == back)
      end)

      it("is one of a hundred that do not mix", function()
        local server, done = echoServer(kind)
        local clients = {}
        for i = 1, 100 do
          clients[i] = function()
            local s <close> = socket.connect(uriOf(server))
            for k = 1, 20 do
              local text = ("%d of %d"):format(k, i)
              s:write(text)
              local got = s:read()
              while #got < #text do got = got .. s:read() end
              assert(got == text, got)
            end
            return true
          end
        end
        luna.all(clients)
        server:close()
        assert.equal(100, luna.await(done))
      end)

      it("that has finished still reads, and may not write", function()
        local a, b = pair(kind)
        a:finish "question"
        assert.equal("question", b:read())
        assert.is_nil(b:read())
        assert.is_nil(b:read())
        b:write "answer"
        assert.equal("answer", a:read())
        local err = errorOf(a.write, a, "more")
        assert.is_true(luna.is(err, luna.SocketException))
        assert.equal("CLOSED", err.name)
        assert.matches("writing side is finished", tostring(err))
        b:close()
        assert.is_nil(a:read())
      end)

      it("waits in write for a peer that does not read, and holds no more than that", function()
        local a, b = pair(kind)
        local piece, written = ("x"):rep(1 << 20), 0
        local writer = task.spawn(function()
          for _ = 1, 64 do
            a:write(piece)
            written = written + #piece
          end
          a:finish()
        end)
        for _ = 1, 100 do task.sleep(0) end
        assert.is_true(written < 32 << 20, "written " .. written)
        local total = 0
        for got in b do
          total = total + #got
          assert.is_true(#got <= 512 << 10)
        end
        luna.await(writer)
        assert.equal(64 << 20, total)
      end)

      it("takes no more from the kernel than somebody reads", function()
        local a, b = pair(kind)
        local writing = a:finish(("y"):rep(32 << 20), { async = true })
        for _ = 1, 100 do
          assert.equal("y", b:read(1))
          task.sleep(0)
        end
        assert.equal("pending", luna.stateOf(writing))
        assert.equal((32 << 20) - 100, #readAll(b))
        luna.await(writing)
      end)

      it("sees the end when the peer closes, and its reader when itself does", function()
        local a, b = pair(kind)
        local reading = a:read { async = true }
        b:close()
        assert.is_nil(luna.await(reading))
        local c = pair(kind)
        reading = c:read { async = true }
        c:close()
        assert.is_nil(luna.await(reading))
        assert.is_nil(c:read())
        assert.is_true(c:isClosed())
        assert.equal("CLOSED", errorOf(c.write, c, "x").name)
        c:close()
      end)

      it("closed while others write, tells them", function()
        local a = pair(kind)
        local writers = {}
        for i = 1, 3 do writers[i] = a:write(("z"):rep(8 << 20), { async = true }) end
        task.sleep(0)
        a:close()
        for i = 1, 3 do
          local err = errorOf(luna.await, writers[i])
          assert.equal("CLOSED", err.name)
        end
      end)

      it("has addresses", function()
        local a, b, server = pair(kind)
        if kind == "tcp" then
          assert.matches("^127%.0%.0%.1:%d+$", server.localAddress)
          assert.equal(a.localAddress, b.remoteAddress)
        else
          assert.matches("^/.*%.sock$", server.localAddress)
        end
        assert.equal(server.localAddress, a.remoteAddress)
        assert.equal(server.localAddress, b.localAddress)
        assert.truthy(tostring(a):find(server.localAddress, 1, true))
        a:close()
        assert.is_nil(a.localAddress)
        assert.equal("socket (closed)", tostring(a))
        assert.is_nil(a.noSuchField)
      end)
    end)
  end

  it("over IPv6 has its address in brackets", function()
    local ok, server = pcall(socket.listen, "tcp://[::1]:0")
    if not ok then return pending "there is no IPv6 here" end
    kept(server)
    assert.matches("^%[::1%]:%d+$", server.localAddress)
    local accepted = server:accept { async = true }
    local a = kept(socket.connect("tcp://" .. server.localAddress))
    kept(luna.await(accepted)):finish "six"
    assert.equal("six", readAll(a))
  end)

  it("connects by name", function()
    local server = kept(socket.listen "tcp://localhost:0")
    local s = kept(socket.connect("tcp://localhost:" .. server.localAddress:match "%d+$"))
    assert.equal(server.localAddress, s.remoteAddress)
  end)

  it("that nobody listens for is refused", function()
    local server = socket.listen "tcp://127.0.0.1:0"
    local uri = uriOf(server)
    server:close()
    local err = errorOf(socket.connect, uri)
    assert.is_true(luna.is(err, luna.ConnectException))
    assert.is_true(luna.is(err, luna.SocketException))
    assert.equal("CONNECT", err.name)
    assert.equal(uri:sub(7), err.address)
    assert.equal(("cannot connect to %s: connection refused; is a server running there?"):format(err.address), tostring(err))
    assert.matches("socket_spec.lua", err.traceback)
    err = errorOf(socket.connect, ("unix://%s/nobody.sock"):format(folder))
    assert.equal("CONNECT", err.name)
    assert.matches("no such file or directory", tostring(err))
    assert.equal("DNS", errorOf(socket.connect, "tcp://no-such-host.invalid:1").name)
  end)

  it("that the peer resets says so, after what had come", function()
    local a, b = pair()
    a:write "last words"
    b:write(("unread"):rep(1000))
    assert.equal("last", b:read(4))
    a:close() -- with unread bytes: the kernel resets the connection
    assert.equal(" words", b:read())
    local err = errorOf(b.read, b)
    assert.is_true(luna.is(err, luna.SocketException))
    assert.equal("RESET", err.name)
    assert.matches("^reading from 127.0.0.1:%d+: connection reset by peer$", tostring(err))
    assert.equal("RESET", errorOf(b.write, b, "x").name)
    assert.is_true(b:isClosed())
  end)

  it("writes of several tasks come one after the other", function()
    local a, b = pair()
    local writers = {}
    for i = 1, 5 do writers[i] = a:write(tostring(i):rep(3 << 20), { async = true }) end
    local last = a:finish("end", { async = true })
    local got = readAll(b)
    assert.equal(5 * (3 << 20) + 3, #got)
    for i = 1, 5 do assert.is_true(got:sub((i - 1) * (3 << 20) + 1, i * (3 << 20)) == tostring(i):rep(3 << 20)) end
    assert.equal("end", got:sub(-3))
    luna.await(writers)
    luna.await(last)
  end)

  describe("cancelled", function()
    local function cancelled(fn, ...)
      local source = luna.CancellationTokenSource()
      local p = task.spawn(fn, source:getToken(), ...)
      task.sleep(0)
      assert.equal("pending", luna.stateOf(p))
      source:cancel "enough"
      local err = errorOf(luna.await, p)
      assert.is_true(luna.is(err, luna.CancelledException))
      assert.equal("enough", err.reason)
    end

    it("in read, loses nothing and may read on", function()
      local a, b = pair()
      cancelled(function(token) return a:read { cancellation = token } end)
      local reading = a:read { async = true }
      luna.cancel(reading)
      luna.cancel(task.spawn(a.read, a))
      b:write "later"
      assert.equal("later", a:read())
    end)

    it("in write, sends the rest before what comes after", function()
      local a, b = pair()
      local much = bytes(16 << 20)
      cancelled(function(token) a:write(much, { cancellation = token }) end)
      local last = a:finish("after", { async = true })
      assert.is_true(readAll(b) == much .. "after")
      luna.await(last)
    end)

    it("in accept, leaves the server as it was", function()
      local server = kept(socket.listen "tcp://127.0.0.1:0")
      cancelled(function(token) return server:accept { cancellation = token } end)
      local a = kept(socket.connect(uriOf(server)))
      kept(server:accept()):finish "in"
      assert.equal("in", readAll(a))
    end)

    it("in connect, leaves nothing behind", function()
      local server = kept(socket.listen "tcp://127.0.0.1:0")
      cancelled(function(token) return socket.connect(uriOf(server), { cancellation = token }) end)
      assert.equal(1, #raw.list())
    end)

    it("before it began, does not begin", function()
      local a, b = pair()
      local source = luna.CancellationTokenSource()
      source:cancel "before"
      assert.equal("before", errorOf(a.write, a, "never", { cancellation = source:getToken() }).reason)
      a:finish()
      assert.is_nil(b:read())
    end)

    it("with the task that waits for it", function()
      local a, b = pair()
      local source = luna.CancellationTokenSource()
      local outer = task.spawn(function() return a:read { cancellation = source:getToken() } end)
      luna.cancel(outer, "outer")
      assert.equal("outer", errorOf(luna.await, outer).reason)
      task.sleep(0)
      b:write "x"
      assert.equal("x", a:read())
    end)
  end)

  describe("has time limits", function()
    it("for reading, which lose nothing", function()
      local a, b = pair()
      local err = errorOf(a.read, a, { timeout = 0.001 })
      assert.is_true(luna.is(err, luna.TimeoutException))
      assert.equal("TIMEOUT", err.name)
      assert.matches("^reading from 127.0.0.1:%d+: timed out$", tostring(err))
      b:write "late"
      assert.equal("late", a:read { timeout = 5 })
      assert.is_true(luna.is(errorOf(a.read, a, 10, { timeout = 0 }), luna.TimeoutException))
    end)

    it("for writing and accepting", function()
      local a, _, server = pair()
      assert.is_true(luna.is(errorOf(a.write, a, ("x"):rep(32 << 20), { timeout = 0.001 }), luna.TimeoutException))
      assert.is_true(luna.is(errorOf(server.accept, server, { timeout = 0.001 }), luna.TimeoutException))
      local p = server:accept { timeout = 0.001, async = true }
      assert.is_true(luna.is(errorOf(luna.await, p), luna.TimeoutException))
    end)
  end)

  it("waits in accept until the server closes", function()
    local server = kept(socket.listen "tcp://127.0.0.1:0")
    local waiting = server:accept { async = true }
    task.sleep(0)
    server:close()
    assert.is_nil(luna.await(waiting))
    assert.is_nil(server:accept())
    assert.is_true(server:isClosed())
    for _ in server do error "nobody comes any more" end
    assert.equal("socket server (closed)", tostring(server))
  end)

  it("is accepted though nobody had asked yet, up to what a server keeps", function()
    local server = kept(socket.listen "tcp://127.0.0.1:0")
    local clients = {}
    for i = 1, 200 do clients[i] = function() return kept(socket.connect(uriOf(server))) end end
    clients = luna.all(clients)
    for i = 1, 200 do clients[i]:finish(("client %d"):format(i)) end
    local seen = {}
    for _ = 1, 200 do
      local s <close> = server:accept()
      seen[readAll(s)] = true
    end
    for i = 1, 200 do assert.is_true(seen[("client %d"):format(i)]) end
  end)

  it("file is there while a server listens, and one that was left behind is replaced", function()
    local uri = kinds.unix()
    local path = uri:sub(8)
    local server = kept(socket.listen(uri))
    assert.truthy(host.stat(path))
    local err = errorOf(socket.listen, uri)
    assert.equal("BUSY", err.name)
    server:close()
    assert.is_nil(host.stat(path))
    assert(os.execute(([[python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("%s")']]):format(path)))
    assert.truthy(host.stat(path))
    kept(socket.listen(uri))
    assert.truthy(kept(socket.connect(uri)))
    assert(host.writeFile(path .. ".txt", "mine"))
    assert.equal("PERMISSION", errorOf(socket.listen, uri .. ".txt").name)
    assert.equal("mine", host.readFile(path .. ".txt"))
  end)

  it("port that is taken is refused, and what to do is said", function()
    local server = kept(socket.listen "tcp://127.0.0.1:0")
    local err = errorOf(socket.listen, uriOf(server))
    assert.is_true(luna.is(err, luna.SocketException))
    assert.equal("BUSY", err.name)
    assert.matches("address already in use; another program listens there", tostring(err))
    assert.equal("INVAL", errorOf(socket.listen, "tcp://some.host:0").name)
  end)

  it("refuses wrong use at the caller's line", function()
    local a, _, server = pair()
    local function at(pattern, fn)
      local line = debug.getinfo(fn, "S").linedefined
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.matches(("^[^\n]*socket_spec.lua:%d: "):format(line), tostring(err))
      assert.matches(pattern, tostring(err))
    end
    at("wants a string, got a nil", function() a:write() end)
    at("wants a string, got a table", function() a:write {} end)
    at("wants a string or nothing, got a boolean", function() a:finish(true) end)
    at("wants a whole number of bytes above 0, got 0", function() a:read(0) end)
    at("wants a whole number of bytes above 0, got 1.5", function() a:read(1.5) end)
    at('unknown option "timeuot"; did you mean "timeout"', function() a:read { timeuot = 1 } end)
    at('the option "timeout" wants a number of seconds, got %-1', function() a:write("x", { timeout = -1 }) end)
    at('the option "cancellation" wants a token', function() server:accept { cancellation = 1 } end)
    at('unknown option "tiemout"', function() socket.connect("tcp://127.0.0.1:1", { tiemout = 1 }) end)
    at("the options are a table, not a number", function() socket.connect("tcp://127.0.0.1:1", 5) end)
    at('wants a URI like "tcp://127.0.0.1:8080"', function() socket.connect() end)
    at('has the scheme "tls": tcp:// and unix:// are known', function() socket.connect "tls://127.0.0.1:1" end)
    at("is no address with a port", function() socket.connect "tcp://127.0.0.1" end)
    at("is no address with a port", function() socket.connect "tcp://[::1:80" end)
    at("has a port above 65535", function() socket.listen "tcp://127.0.0.1:65536" end)
    at("has port 0", function() socket.connect "tcp://127.0.0.1:0" end)
    at("has no absolute path", function() socket.listen "unix://here.sock" end)
    at("is too long", function() socket.listen("unix:///" .. ("x"):rep(107)) end)
    local reading = a:read { async = true }
    task.sleep(0)
    at("another task reads from this socket already", function() a:read() end)
    local accepting = server:accept { async = true }
    task.sleep(0)
    at("another task waits in accept", function() server:accept() end)
    luna.cancel(reading)
    luna.cancel(accepting)
    at("cannot wait inside table.sort", function() table.sort({ 1, 2 }, function() return a:read() end) end)
    at("cannot wait inside string.gsub", function() string.gsub("x", "x", function() a:write "y" end) end)
    at("cannot wait inside string.gsub", function() string.gsub("x", "x", function() socket.connect "tcp://127.0.0.1:1" end) end)
    at("bad argument #1 to 'read'", function() a.read() end)
  end)

  it("works with promises as all else does", function()
    local a, b = pair()
    local p = b:read { async = true }
    assert.is_true(core.is(p))
    a:write "x"
    assert.equal("x", luna.await(p))
    local both = luna.all { function() return a:read() end, function() return b:write "y" end }
    assert.equal("y", both[1])
    assert.equal("later", luna.timeoutWithDefault(function() return a:read() end, 0.001, "later"))
  end)

  it("is read by generators and in pcall", function()
    local a, b = pair()
    local words = coroutine.wrap(function()
      for piece in b do
        for word in piece:gmatch "%a+" do coroutine.yield(word) end
      end
    end)
    task.spawn(function()
      a:write "one two "
      task.sleep(0)
      a:finish "three"
    end)
    local got = {}
    for word in words do got[#got + 1] = word end
    assert.same({ "one", "two", "three" }, got)
  end)

  it("is watched by luna.loop", function()
    local a, b = pair()
    local got
    luna.loop.onReadable(b, function(id, s)
      got = luna.loop.read(s)
      luna.loop.cancel(id)
      luna.loop.stop()
    end)
    a:write "seen"
    luna.loop.run()
    assert.equal("seen", got)
    a:close()
    assert.matches("closed stream", errorOf(luna.loop.onReadable, a, print))
  end)

  it("counts among the watchers of luna.loop", function()
    local function counts()
      local info = luna.loop.getInfo()
      return { info.on_readable.enabled, info.on_readable.disabled, info.on_writable.enabled, info.on_writable.disabled,
        info.enabled_watchers.referenced, info.enabled_watchers.unreferenced }
    end
    local before = counts()
    local function more()
      local now = counts()
      for i, n in ipairs(before) do now[i] = now[i] - n end
      return now
    end
    local a, b, server = pair()
    assert.same({ 0, 3, 0, 2, 0, 0 }, more())
    local reading = a:read { async = true }
    local writing = b:write(("x"):rep(32 << 20), { async = true })
    local accepting = server:accept { async = true }
    assert.same({ 2, 1, 1, 1, 3, 0 }, more())
    server:unreference()
    assert.same({ 2, 1, 1, 1, 2, 1 }, more())
    server:reference()
    assert.same({ 2, 1, 1, 1, 3, 0 }, more())
    luna.cancel(accepting)
    luna.await(reading)
    assert.same({ 0, 3, 1, 1, 1, 0 }, more())
    a:close()
    pcall(luna.await, writing)
    b:close()
    server:close()
    assert.same({ 0, 0, 0, 0, 0, 0 }, more())
    assert.is_table(loop.list())
  end)

  it("that is forgotten is closed", function()
    local b = select(2, pair())
    open = { open[1], b } -- without the other end
    collectgarbage()
    collectgarbage()
    assert.is_nil(b:read())
  end)

  it("costs nothing once it is closed", function()
    local server = echoServer "tcp"
    local function once()
      local s <close> = socket.connect(uriOf(server))
      s:write "x"
      assert(s:read() == "x")
    end
    local function held()
      task.sleep(0.001)
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    for _ = 1, 300 do once() end
    local before = held()
    for _ = 1, 1000 do once() end
    assert.is_true(held() - before < 100)
  end)

  -- The calls of read(2) of this process, those of a look at them among them; nil where the system does not say.
  local function kernelReads()
    local file <close> = io.open "/proc/self/io"
    return file and tonumber(file:read("a"):match "syscr: (%d+)")
  end

  it("takes one read of the kernel and one string for what comes at once", function()
    local s = kept(socket.connect(uriOf((echoServer "tcp"))))
    local piece = ("x"):rep(64)
    local function roundTrips(n)
      for _ = 1, n do
        s:write(piece)
        assert(s:read() == piece)
      end
    end
    roundTrips(10)
    if not kernelReads() then return pending "there is no /proc/self/io" end
    collectgarbage "stop"
    finally(function() collectgarbage "restart" end)
    local before, memory = kernelReads(), collectgarbage "count"
    roundTrips(1000)
    assert.is_true((collectgarbage "count" - memory) * 1024 < 2000 * 100)
    local taken = kernelReads() - before
    assert.is_true(taken >= 2000 and taken < 2100, taken)
  end)
end)
