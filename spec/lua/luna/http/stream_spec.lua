-- Bodies of HTTP that come and go in pieces: backpressure both ways, progress, what happens when one side gives up.
local luna = require "luna"
local raw = require "_luna.http"

local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"
local MANY = 64 << 20 -- more than the kernel's buffers and ours together hold

describe("HTTP streams #http", function()
  local server, why, client
  if raw.available() then
    lazy_setup(function()
      server, why = dofile(here .. "/../../../support/http_server.lua")()
      if server then client = luna.http.Client { private = true } end
    end)
    lazy_teardown(function()
      if server then server.stop() end
    end)
  else
    why = "HTTP is not built in"
  end

  local function test(name, fn)
    it(name, function()
      if not server then return pending(why) end
      fn()
    end)
  end
  local function url(path) return server.http .. path end
  local function errorOf(...)
    local ok, err = pcall(...)
    assert.is_false(ok)
    return err
  end

  test("give what has come before the rest is there", function()
    local r = client:get(url "/half?name=half")
    assert.equal("first", r:read())
    server.open "half"
    assert.equal("af", r:read(2))
    assert.equal("ter", r:read())
    assert.is_nil(r:read())
    assert.is_nil(r:read())
  end)

  test("of unknown length end where they end", function()
    assert.equal(("piece"):rep(100), client:get(url "/chunked?n=100"):body())
  end)

  test("make the server wait for who does not read", function()
    local r = client:get(url "/big", { query = { n = MANY, name = "slow" } })
    assert.truthy(r:read())
    local sent = server.settled(function() return server.count "slow" end)
    assert.is_true(sent < MANY / 2, "the server has sent " .. sent)
    local total, before = 0, nil
    for piece in r:pieces() do
      total = total + #piece
      before = piece
    end
    assert.equal("\255", before:sub(-1))
    assert.is_true(total > MANY - (1 << 20) and total < MANY)
    assert.equal(MANY, server.count "slow")
  end)

  test("are not made faster than they are sent", function()
    local made = 0
    local piece = ("x"):rep(65536)
    local p = client:post(url "/take", function()
      if made == MANY then return nil end
      made = made + #piece
      return piece
    end, { query = { name = "take" }, async = true })
    local held = server.settled(function() return made end)
    assert.is_true(held < MANY / 2, "made " .. held)
    server.open "take"
    assert.equal(tostring(MANY), luna.await(p):body())
    assert.equal(MANY, made)
  end)

  test("come from functions that wait, files, iterators and other answers", function()
    local function took(body, opts)
      opts = opts or {}
      opts.query = { name = "open" }
      return client:post(url "/take", body, opts):body()
    end
    server.open "open"
    local n = 0
    assert.equal("15", took(function()
      luna.sleep(0.001)
      n = n + 1
      return n <= 3 and "piece" or nil
    end))
    local path = server.folder .. "/file"
    local file = io.open(path, "w+b")
    file:write(("0123456789"):rep(20000))
    file:seek("set", 5)
    assert.equal("199995", took(file))
    file:close()
    assert.equal("500", took(client:get(url "/chunked?n=100")))
    assert.equal("4", took(function() n = n + 1 return n == 5 and "four" or nil end, { contentLength = 4 }))
    local ok, iterator = pcall(require, "luna.iterator")
    if ok then assert.equal("3", took(iterator.fromTable { "a", "b", "c" })) end
  end)

  test("fail the request with their own error", function()
    local err = errorOf(client.post, client, url "/echo", function() error(luna.Exception "no more ink") end)
    assert.equal("no more ink", tostring(err))
    err = errorOf(client.post, client, url "/echo", function() return 5 end)
    assert.matches("a piece of the body is a number", tostring(err))
  end)

  test("are saved to files", function()
    local path = server.folder .. "/saved"
    assert.equal(300000, client:get(url "/big?n=300000"):save(path))
    local file = io.open(path, "rb")
    local text = file:read "a"
    file:close()
    assert.equal(300000, #text)
    assert.equal("\0\1\2", text:sub(1, 3))
    local cut = client:get(url "/cut")
    assert.equal("CLOSED", errorOf(cut.save, cut, path .. "2").name)
    assert.is_nil(io.open(path .. "2"))
    assert.is_nil(io.open(path .. "2.part"))
  end)

  test("tell their progress, to the last byte", function()
    local calls = {}
    local got = client:get(url "/big?n=3000000", { progress = function(...) calls[#calls + 1] = { ... } end })
    assert.equal(3000000, #got:body())
    luna.sleep(0)
    assert.same({ 3000000, 3000000, 0 }, { table.unpack(calls[#calls], 1, 3) })
    local up = {}
    client:post(url "/echo", ("x"):rep(100000), { progress = function(...) up[#up + 1] = { ... } end }):body()
    luna.sleep(0)
    assert.equal(100000, up[#up][3])
  end)

  test("end with the error of what is told their progress", function()
    local told = 0
    local function failing()
      told = told + 1
      error(luna.Exception "seen enough")
    end
    local r = client:get(url "/big", { query = { n = MANY }, progress = failing })
    assert.equal("seen enough", tostring(errorOf(r.save, r, "/dev/null")))
    assert.equal("seen enough", tostring(errorOf(client.fetch, client, url "/hello", { progress = failing })))
    assert.equal("seen enough", tostring(errorOf(function() return client:post(url "/echo", "x", { progress = failing }):body() end)))
    assert.equal(3, told)
  end)

  test("are as long as was said, or fail", function()
    local function ten() return (("x"):rep(10)) end
    local function pieces(n)
      return function()
        n = n - 1
        return n >= 0 and ten() or nil
      end
    end
    assert.equal("shorter than the 100 bytes", tostring(errorOf(client.post, client, url "/echo", pieces(5), { contentLength = 100 }))
      :match "shorter than the %d+ bytes")
    local r = errorOf(function() return client:post(url "/echo", pieces(50), { contentLength = 100 }):body() end)
    assert.equal("longer than the 100 bytes", tostring(r):match "longer than the %d+ bytes")
    assert.matches("streamed", errorOf(client.post, client, url "/echo", "x", { contentLength = 1 }))
    local five = { headers = { ["content-length"] = 5 } }
    assert.matches('"5", but the body has 2 bytes', errorOf(client.post, client, url "/echo", "xy", five))
    assert.matches('"5", but the body has no bytes', errorOf(client.get, client, url "/echo", five))
    local seen = client:post(url "/echo", pieces(2), { headers = { ["Content-Length"] = 20 } }):json()
    assert.same({ "20", nil }, { seen.headers["content-length"], seen.headers["transfer-encoding"] })
    assert.equal("2", client:post(url "/echo", "xy", { headers = { ["Content-Length"] = 2 } }):json().headers["content-length"])
  end)

  test("of what cannot be read are not sent as if they were empty", function()
    local folder = io.open(server.folder)
    assert.matches("the body cannot be read: Is a directory", tostring(errorOf(client.post, client, url "/echo", folder)))
    folder:close()
    assert.matches("the body is a closed file", errorOf(client.post, client, url "/echo", folder))
    local parts = { { name = "f", path = server.folder } }
    assert.matches("part 1 of the multipart body cannot be read: .* is a folder",
      errorOf(client.post, client, url "/echo", nil, { multipart = parts }))
  end)

  test("are saved into what is no plain file without replacing it", function()
    local host = require "_luna.host"
    local fifo = server.folder .. "/fifo"
    assert(os.execute("mkfifo '" .. fifo .. "'"))
    local reader = io.popen("cat '" .. fifo .. "'")
    assert.equal(5, client:get(url "/hello"):save(fifo))
    assert.equal("hello", reader:read "a")
    reader:close()
    assert.equal("other", host.stat(fifo).type)
    local r = client:get(url "/hello")
    assert.equal(server.folder .. ": Is a directory", tostring(errorOf(r.save, r, server.folder)))
  end)

  test("can be left in the middle, and then say so", function()
    local r = client:get(url "/big", { query = { n = MANY } })
    assert.truthy(r:read())
    r:close()
    r:close()
    assert.equal("CLOSED", errorOf(r.read, r).name)
    do
      local scoped <close> = client:get(url "/endless")
      assert.truthy(scoped:read())
      r = scoped
    end
    assert.equal("CLOSED", errorOf(r.body, r).name)
    for _ = 1, 20 do client:get(url "/endless") end
    collectgarbage()
    collectgarbage()
    assert.equal("hello", client:get(url "/hello"):body())
  end)

  test("that nobody reads keep no other request from its server, of HTTP/1.0 either", function()
    local mine = client:with { ca = server.tls and server.ca or nil }
    for _, base in ipairs { server.http, "http://127.0.0.1:" .. server.ports.old, server.https } do
      local unread = {}
      for i = 1, 5 do unread[i] = mine:get(base .. "/big", { query = { n = MANY }, async = true }) end
      assert.equal("hello", luna.timeout(mine:get(base .. "/hello", { async = true }), 20):body())
      for _, r in ipairs(luna.all(unread)) do r:close() end
    end
  end)

  test("are read by one at a time", function()
    local r = client:get(url "/half?name=two")
    for _, n in ipairs { 0, -1, 1.5, "1" } do
      assert.matches("stream_spec.lua:%d+: response:read%(n%) wants", errorOf(function() r:read(n) end))
      assert.matches("stream_spec.lua:%d+: response:pieces%(n%) wants", errorOf(function() r:pieces(n) end))
    end
    assert.equal("first", r:read())
    local one = r:read { async = true }
    assert.matches("another task waits", tostring(errorOf(r.read, r)))
    server.open "two"
    assert.equal("after", luna.await(one))
  end)

  test("decode JSON", function()
    local r = client:post(url "/echo", "x")
    assert.equal("POST", r:json().method)
    assert.is_true(luna.is(errorOf(function() client:get(url "/hello"):json() end), luna.JSONException))
  end)
end)
