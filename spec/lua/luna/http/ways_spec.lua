-- The ways that HTTP takes: proxies where the direct way failed, DNS over HTTPS, HTTP/2 (against nghttpd where it is installed), and what
-- happens to virtual time meanwhile.
local luna = require "luna"
local timer = require "_luna.timer"
local task = require "_luna.task"
local promise = require "_luna.promise"
local raw = require "_luna.http"

local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"

describe("HTTP's ways #http", function()
  local server, why
  if raw.available() then
    lazy_setup(function() server, why = dofile(here .. "/../../../support/http_server.lua")() end)
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
  local function errorOf(...)
    local ok, err = pcall(...)
    assert.is_false(ok)
    return err
  end
  local function by(proxy, more)
    local opts = { proxies = type(proxy) == "table" and proxy or { proxy } }
    for k, v in pairs(more or {}) do opts[k] = v end
    return luna.http.Client(opts)
  end
  local function at(scheme) return ("%s127.0.0.1:%d"):format(scheme, server.ports.proxy) end
  -- Names and ports that lead nowhere directly; the specs' proxies send everything to the server.
  local NAME, DEAD = "http://nowhere.invalid/hello", "http://192.0.2.1:1/hello"

  test("lead through proxies of each kind", function()
    assert.equal("hello", by(at "socks5h://"):fetch(NAME))
    assert.equal(1, server.count "proxy:socks5h:nowhere.invalid")
    assert.equal("hello", by(at "socks4a://"):fetch(NAME))
    assert.equal(1, server.count "proxy:socks4a:nowhere.invalid")
    assert.equal("hello", by(at "http://"):fetch(NAME))
    assert.equal(1, server.count "proxy:http:GET")
    local dead = { connectTimeout = 0.3 }
    assert.equal("hello", by(at "socks5://", dead):fetch(DEAD))
    assert.equal(1, server.count "proxy:socks5:192.0.2.1")
    assert.equal("hello", by(at "socks4://", dead):fetch(DEAD))
    assert.equal(1, server.count "proxy:socks4")
  end)

  test("show who they are", function()
    assert.equal("hello", by(at "socks5h://me:secret-word@"):fetch(NAME))
    assert.equal(1, server.count "proxy:socks5h:me:secret-word@nowhere.invalid")
    assert.equal("hello", by(at "http://me:secret-word@"):fetch(NAME))
    assert.equal(1, server.count "proxy:http:me:secret-word@GET")
    local err = errorOf(by(at "socks5h://me:wrong-word@").fetch, by(at "socks5h://me:wrong-word@"), NAME)
    assert.equal("DNS", err.name)
    assert.is_nil(tostring(err):find("wrong-word", 1, true))
    assert.equal(1, server.count "proxy:refused")
    -- What a proxy says for itself is not the server's answer.
    local stranger = by(at "http://me:wrong-word@")
    err = errorOf(stranger.get, stranger, NAME)
    assert.equal("DNS", err.name)
    assert.matches("by way of http://127%.0%.0%.1:%d+: the proxy failed %(it wants a user and a password%)", tostring(err))
  end)

  test("take names with letters of all alphabets", function()
    assert.equal("hello", by(at "socks5h://"):fetch "http://bücher.invalid/hello")
    assert.equal(1, server.count "proxy:socks5h:xn--bcher-kva.invalid")
  end)

  test("try the next proxy, and remember the first failure", function()
    assert.equal("hello", by({ "socks5h://127.0.0.1:1", at "socks5h://" }):fetch(NAME))
    local none = by { "socks5h://127.0.0.1:1", "http://me:secret-word@127.0.0.1:1" }
    local err = errorOf(none.fetch, none, NAME)
    assert.equal("DNS", err.name)
    assert.matches("; by way of socks5h://127%.0%.0%.1:1: .*; by way of http://127%.0%.0%.1:1: ", tostring(err))
  end)

  test("are direct where that works, and where the server itself says no", function()
    local client = by(at "socks5h://", { private = true })
    local function used()
      local n = 0
      for _, kind in ipairs { "socks5h:127.0.0.1", "socks5:127.0.0.1" } do n = n + server.count("proxy:" .. kind) end
      return n
    end
    assert.equal("hello", client:fetch(server.http .. "/hello"))
    assert.equal(404, client:get(server.http .. "/none").status)
    assert.equal("PROTOCOL", errorOf(client.get, client, server.http .. "/garbage").name)
    assert.equal("PRIVATE", errorOf(client.get, client, server.http .. "/hello", { private = false }).name)
    assert.equal(0, used())
    -- A GET that was dropped without a word is tried again; a POST may have been acted upon.
    assert.equal("CLOSED", errorOf(client.post, client, server.http .. "/drop", "x").name)
    assert.equal(0, used())
    assert.equal("CLOSED", errorOf(client.get, client, server.http .. "/drop").name)
    assert.equal(1, used())
  end)

  test("carry TLS through a proxy, verified to the end", function()
    if not server.tls then return pending "openssl is not installed" end
    local proxy = "http://127.0.0.1:" .. server.ports.tlsProxy
    local client = by(proxy, { ca = server.ca })
    assert.equal("hello", client:fetch "https://x.luna.test/hello")
    assert.is_true(server.count "proxy:http:CONNECT" >= 1)
    local err = errorOf(client.fetch, client, "https://nowhere.invalid/hello")
    assert.equal("DNS", err.name)
  end)

  test("leave a streamed body for the way that works", function()
    local made = 0
    local r = by({ "socks5h://127.0.0.1:1", at "socks5h://" }):post("http://nowhere.invalid/echo", function()
      made = made + 1
      return made == 1 and "once" or nil
    end)
    assert.equal("b25jZQ==", r:json().body)
  end)

  test("are those of the API object's settings", function()
    local api = luna.API(nil, { connection = { timeout = 3, proxies = { "tg://proxy?server=x&port=1&secret=00", at "socks5h://" } } })
    assert.equal("hello", api:fileGetContents(NAME))
    assert.equal(3, api:getHTTPClient().defaults.connectTimeout)
    assert.equal(api:getHTTPClient(), api:getHTTPClient())
    api:async(true)
    local p = api:getHTTPClient():get(NAME)
    assert.equal("pending", luna.stateOf(p))
    local r = luna.await(p)
    assert.equal("hello", luna.await(r:body()))
    assert.equal("hello", luna.await(api:fileGetContents(NAME)))
    assert.equal("hello", api:fileGetContents(NAME, { async = false }))
  end)

  test("do not heed the environment's proxies", function()
    local program = os.getenv "LUNA"
    if not program then return pending "run by spec/run only" end
    local path = server.folder .. "/env.lua"
    local file = io.open(path, "w")
    file:write(('io.write(require("luna").fileGetContents("%s/hello", { private = true }))'):format(server.http))
    file:close()
    local pipe = io.popen(("http_proxy=http://127.0.0.1:1 all_proxy=http://127.0.0.1:1 '%s' run %s 2>&1"):format(program, path))
    local text = pipe:read "a"
    pipe:close()
    assert.equal("hello", text)
  end)

  test("look names up by DNS over HTTPS", function()
    if not server.tls then return pending "openssl is not installed" end
    local client = luna.http.Client { doh = "https://127.0.0.1:" .. server.ports.https .. "/dns-query", ca = server.ca, private = true }
    assert.equal("hello", client:fetch("http://some.luna.test:" .. server.ports.http .. "/hello"))
    assert.is_true(server.count "doh" >= 1)
    -- The answer is looked at as well.
    assert.equal("PRIVATE",
      errorOf(client.fetch, client, "http://other.luna.test:" .. server.ports.http .. "/hello", { private = false }).name)
    assert.error_matches(function() luna.http.Client { doh = "http://127.0.0.1/dns-query" } end, "https")
  end)

  test("speak HTTP/2 where the server does", function()
    if not server.tls then return pending "openssl is not installed" end
    if os.execute "command -v nghttpd >/dev/null 2>&1" ~= true then return pending "nghttpd is not installed (package nghttp2-server)" end
    local page = io.open(server.folder .. "/page", "w")
    page:write(("page "):rep(1000))
    page:close()
    local pid
    local port
    for try = 1, 20 do
      port = 20000 + (server.ports.http + try * 37) % 20000
      local pipe = io.popen(("exec 2>&1; nghttpd --htdocs=%s %d %s/key.pem %s/cert.pem >%s/h2.log & echo $!"):format(server.folder, port,
        server.folder, server.folder, server.folder))
      pid = pipe:read "l"
      pipe:close()
      local up
      for _ = 1, 100 do
        up = os.execute("kill -0 " .. pid .. " 2>/dev/null")
        if not up then break end
        local ok, err = pcall(luna.fileGetContents, ("https://127.0.0.1:%d/page"):format(port), { private = true, ca = server.ca })
        if ok then break end
        up = err.name ~= "CONNECT"
        luna.sleep(0.02)
      end
      if up then break end
    end
    local client = luna.http.Client { private = true, ca = server.ca }
    local jobs = {}
    for i = 1, 10 do jobs[i] = client:get(("https://127.0.0.1:%d/page"):format(port), { async = true }) end
    for _, r in ipairs(luna.all(jobs)) do
      assert.equal("2", r.version)
      assert.equal(5000, #r:body())
      assert.is_true(r.info.reused)
    end
    assert.equal("1.1", client:with({ version = "1.1" }):get(server.https .. "/hello").version)
    os.execute("kill " .. pid)
  end)

  test("hold virtual time while they wait", function()
    local clock = timer.newVirtual()
    local fired = false
    promise.await(task.spawn(function()
      timer.useClock(clock)
      local alarm = task.spawn(function()
        task.sleep(3600)
        fired = true
      end)
      local p = luna.fileGetContents(server.http .. "/wait?name=virtual", { private = true, async = true })
      task.spawn(function() luna.fileGetContents(server.http .. "/open?name=virtual", { private = true }) end)
      assert.equal("at last", promise.await(p))
      assert.is_false(fired)
      promise.await(alarm)
    end))
    assert.is_true(fired)
  end)
end)
