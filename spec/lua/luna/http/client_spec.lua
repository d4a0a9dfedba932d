-- The HTTP client against Python's server on loopback: requests, answers, redirects, cookies, limits, errors, TLS.
local luna = require "luna"
local raw = require "_luna.http"

local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"

describe("HTTP #http", function()
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
  local function echo(response) return luna.json.decode(response:body()) end
  local function errorOf(...)
    local ok, err = pcall(...)
    assert.is_false(ok)
    return err
  end
  local function base64(text)
    local set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    local bits, out = 0, {}
    local have = 0
    for i = 1, #text do
      local v = set:find(text:sub(i, i), 1, true)
      if v then
        bits, have = (bits << 6 | (v - 1)) & 0xffffff, have + 6
        if have >= 8 then
          have = have - 8
          out[#out + 1] = string.char(bits >> have & 255)
        end
      end
    end
    return table.concat(out)
  end
  local function sent(response) return base64(echo(response).body) end

  test("gives status, headers and body", function()
    local r = client:get(url "/hello")
    assert.equal(200, r.status)
    assert.equal("OK", r.reason)
    assert.is_true(r.ok)
    assert.equal("1.1", r.version)
    assert.equal("5", r.headers["content-LENGTH"])
    assert.same({ "a", "b" }, r.headers:all "x-two")
    assert.is_nil(r.headers["x-three"])
    assert.equal("hello", r:body())
    assert.equal("hello", r:body())
    assert.equal(url "/hello", r.url)
    assert.same({}, r.redirects)
  end)

  test("speaks as amphp's client does", function()
    local request = luna.http.Request(url "/echo", "POST")
    request:setHeader("X-Own", "yes")
    request:setBody "text"
    local r = client:request(request)
    assert.equal(200, r:getStatus())
    assert.equal("application/json", r:getHeader "content-type" or "application/json")
    local seen = luna.json.decode(r:getBody():buffer())
    assert.equal("POST", seen.method)
    assert.equal("yes", seen.headers["x-own"])
    assert.equal("text", base64(seen.body))
  end)

  test("sends each method, its headers and its query", function()
    local seen = echo(client:get(url "/echo?a=1",
      { query = { b = "ü &", c = { 1, 2 } }, headers = { ["X-A"] = "1", ["X-B"] = { "2", "3" } } }))
    assert.equal("GET", seen.method)
    assert.equal("/echo?a=1&b=%C3%BC%20%26&c=1&c=2", seen.path)
    assert.equal("1", seen.headers["x-a"])
    assert.matches("^luna/", seen.headers["user-agent"])
    for _, method in ipairs { "put", "patch" } do
      seen = echo(client[method](client, url "/echo", "body of " .. method))
      assert.equal(method:upper(), seen.method)
      assert.equal("body of " .. method, base64(seen.body))
    end
    assert.equal("DELETE", echo(client:delete(url "/echo")).method)
    local head = client:head(url "/hello")
    assert.equal("5", head.headers["content-length"])
    assert.equal("", head:body())
    assert.equal("", sent(client:post(url "/echo")))
    assert.is_nil(echo(client:post(url "/echo")).headers["content-type"])
  end)

  test("encodes bodies by their kind", function()
    local seen = echo(client:post(url "/echo", { a = "1 2", b = { "x", "y" } }))
    assert.equal("application/x-www-form-urlencoded", seen.headers["content-type"])
    assert.equal("a=1%202&b=x&b=y", base64(seen.body))
    seen = echo(client:post(url "/echo", nil, { json = { a = { 1, 2 } } }))
    assert.equal("application/json", seen.headers["content-type"])
    assert.equal('{"a":[1,2]}', base64(seen.body))
    seen = echo(client:post(url "/echo", "\0\255", { headers = { ["content-type"] = "image/x" } }))
    assert.equal("image/x", seen.headers["content-type"])
    assert.equal("\0\255", base64(seen.body))
    local parts = { { name = "text", value = "t" }, { name = "doc", filename = 'q"\n.txt', type = "text/plain", value = "content" } }
    seen = echo(client:post(url "/echo", nil, { multipart = parts }))
    local boundary = seen.headers["content-type"]:match "boundary=(.+)$"
    assert.equal(("--%s\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nt\r\n--%s\r\nContent-Disposition: form-data; name=\"doc\"; "
      .. "filename=\"q%%22%%0A.txt\"\r\nContent-Type: text/plain\r\n\r\ncontent\r\n--%s--\r\n"):format(boundary, boundary, boundary),
      base64(seen.body))
  end)

  test("says at the script's line what cannot be sent", function()
    local many = {}
    for i = 1, 300 do many["X-" .. i] = "v" end
    for expected, call in pairs {
      ['"a" in query holds a function'] = function() client:get(url "/echo", { query = { a = print } }) end,
      ['"a" in query holds a table with names'] = function() client:get(url "/echo", { query = { a = { b = 1 } } }) end,
      ['"b" in form holds a table:'] = function() client:post(url "/echo", nil, { form = { b = { { 1 } } } }) end,
      ['"c" in body holds a function'] = function() client:post(url "/echo", { c = { 1, print } }) end,
      ['more than 250 headers'] = function() client:get(url "/echo", { headers = many }) end,
      ['the header "User-Agent" has the end of a line'] = function() client:get(url "/echo", { userAgent = "a\r\nb" }) end,
      ['" is not a URL'] = function() client:get(url("/" .. ("a"):rep(9000000))) end,
    } do
      local err = errorOf(call)
      assert.matches("^[^ ]*client_spec%.lua:%d+: ", err)
      assert.truthy(err:find(expected, 1, true), expected .. " / " .. err)
      assert.is_true(#err < 700)
    end
  end)

  test("sends files of a multipart body with their length", function()
    local path = server.folder .. "/upload.bin"
    local file = io.open(path, "wb")
    file:write(("abc"):rep(100000))
    file:close()
    local seen = echo(client:post(url "/echo", nil, { multipart = { file = { path = path } } }))
    local body = base64(seen.body)
    assert.equal(tostring(#body), seen.headers["content-length"])
    assert.truthy(body:find('filename="upload.bin"', 1, true))
    assert.truthy(body:find("\r\n\r\n" .. ("abc"):rep(100000) .. "\r\n--", 1, true))
  end)

  test("names the script's line where nobody can wait, and logs what nobody takes in one line", function()
    local r = client:get(url "/hello")
    local calls = {
      function() luna.http.get(url "/hello", { private = true }) end, function() client:post(url "/echo", "x") end,
      function() luna.fileGetContents(url "/hello", { private = true }) end, function() r:body() end, function() r:read(1) end,
      function() r:pieces()() end, function() r:getBody():buffer() end,
    }
    for i, call in ipairs(calls) do
      assert.matches("^[^ ]*client_spec%.lua:%d+: cannot wait inside table%.sort$", errorOf(table.sort, { 1, 2 }, call), "call " .. i)
    end
    local lines = {}
    luna.Logger.configure { target = function(text) lines[#lines + 1] = text end }
    client:get("http://127.0.0.1:1/", { async = true })
    for _ = 1, 200 do
      luna.sleep(0.01)
      collectgarbage()
      if lines[1] then break end
    end
    luna.Logger.configure {}
    assert.equal(1, #lines)
    assert.matches("^nobody took this error: GET http://127%.0%.0%.1:1/: nothing answers there [^\n]*$", lines[1])
  end)

  test("raises for what no header may hold", function()
    for _, headers in ipairs { { ["X\r\nY"] = "a" }, { X = "a\r\nY: b" }, { X = {} , [1] = "y" }, { X = true } } do
      local err = errorOf(function() client:get(url "/hello", { headers = headers }) end)
      assert.matches("client_spec.lua:%d+: .*header", err)
    end
    local request = luna.http.Request(url "/hello")
    for _, change in ipairs {
      function() request:setHeader("X", "a\nb") end, function() request:addHeader("X", true) end,
      function() request.headers["X"] = { "a", 1, false } end, function() request.headers:set("X\r\n", "a") end,
    } do
      assert.matches("^[^ ]*client_spec.lua:%d+: [^\n]*header[^\n]*$", errorOf(change))
    end
    assert.is_false(request:hasHeader "X")
  end)

  test("keeps connections", function()
    local first = echo(client:get(url "/echo")).port
    assert.equal(first, echo(client:get(url "/echo")).port)
    assert.equal(first, echo(luna.http.Client({ private = true }):get(url "/echo")).port)
  end)

  test("follows redirects, and says where it came by", function()
    local r = client:get(url "/chain?n=3")
    assert.equal("hello", r:body())
    assert.equal(url "/hello", r.url)
    assert.equal(3, #r.redirects)
    assert.same({ url = url "/chain?n=3", status = 302 }, r.redirects[1])
  end)

  test("stops at the limit of redirects", function()
    local err = errorOf(client.get, client, url "/chain?n=4", { redirects = 3 })
    assert.equal("REDIRECT", err.name)
    assert.matches("more than 3 redirects", tostring(err))
    local r = client:get(url "/chain?n=4", { redirects = 0 })
    assert.equal(302, r.status)
    assert.equal("/chain?n=3", r.headers.location)
  end)

  test("sends the body again or leaves it out, by the kind of redirect", function()
    local function seen(status, method, body)
      return echo(client:request(url "/redirect", { method = method, query = { to = "/echo", status = status }, body = body }))
    end
    assert.equal("GET", seen(302, "POST", "x").method)
    assert.is_nil(seen(302, "POST", "x").headers["content-type"])
    assert.equal("GET", seen(303, "PUT", "x").method)
    assert.equal("PUT", seen(302, "PUT", "x").method)
    for _, status in ipairs { 307, 308 } do
      local again = seen(status, "POST", "x")
      assert.equal("POST", again.method)
      assert.equal("x", base64(again.body))
    end
    local n = 0
    local err = errorOf(client.post, client, url "/redirect?to=/echo&status=307", function()
      n = n + 1
      return n < 3 and "piece" or nil
    end)
    assert.matches("cannot be sent again", tostring(err))
  end)

  test("is not led to another scheme, nor from https to http", function()
    for _, to in ipairs { "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:70/_x", "javascript:1", "http:// x/" } do
      local err = errorOf(client.get, client, url "/redirect", { query = { to = to } })
      assert.equal("REDIRECT", err.name)
      assert.is_nil(tostring(err):find "\n")
    end
    if not server.tls then return end
    local secure = client:with { ca = server.ca }
    local err = errorOf(secure.get, secure, server.https .. "/redirect", { query = { to = url "/hello" } })
    assert.matches("from https to http", tostring(err))
    assert.equal("hello", secure:get(server.https .. "/redirect", { query = { to = url "/hello" }, insecureRedirects = true }):body())
  end)

  test("keeps what proves who it is to itself", function()
    local to = { query = { to = "http://localhost:" .. server.ports.http .. "/echo" } }
    to.headers = { Authorization = "secret", Cookie = "a=b", ["X-Own"] = "kept" }
    local seen = echo(client:get(url "/redirect", to))
    assert.is_nil(seen.headers.authorization)
    assert.is_nil(seen.headers.cookie)
    assert.equal("kept", seen.headers["x-own"])
    to.query.to = "/echo"
    assert.equal("secret", echo(client:get(url "/redirect", to)).headers.authorization)
    to.headers, to.auth = nil, { user = "me", password = "word" }
    assert.equal("Basic bWU6d29yZA==", echo(client:get(url "/redirect", to)).headers.authorization)
    to.query.to = "http://localhost:" .. server.ports.http .. "/echo"
    assert.is_nil(echo(client:get(url "/redirect", to)).headers.authorization)
  end)

  test("reaches no private address unless it is told to", function()
    local other = luna.http.Client()
    for _, address in ipairs { server.http, "http://localhost:" .. server.ports.http, "http://2130706433:" .. server.ports.http,
      "http://[::ffff:127.0.0.1]:" .. server.ports.http, "http://127.1:" .. server.ports.http,
      "http://10.1.2.3/", "http://169.254.169.254/" } do
      local err = errorOf(other.get, other, address .. "/hello")
      assert.equal("PRIVATE", err.name, address)
    end
    -- A connection that another client has open does not help.
    assert.equal("hello", client:get("http://localhost:" .. server.ports.http .. "/hello"):body())
    assert.equal("PRIVATE", errorOf(other.get, other, "http://localhost:" .. server.ports.http .. "/hello").name)
  end)

  test("takes no more than it is told to", function()
    assert.equal("TOOBIG", errorOf(client.fetch, client, url "/big?n=1000", { maxSize = 999 }).name)
    assert.equal(1000, #client:fetch(url "/big?n=1000", { maxSize = 1000 }))
    assert.equal("TOOBIG", errorOf(client.fetch, client, url "/endless", { maxSize = 1 << 20 }).name)
    -- What counts is what comes out of the compression.
    assert.equal("TOOBIG", errorOf(client.fetch, client, url "/gzip?n=50000000", { maxSize = 1 << 20 }).name)
    local r <close> = client:get(url "/endless", { maxSize = 1 << 20 })
    local total = 0
    local err = errorOf(function()
      for piece in r:pieces() do total = total + #piece end
    end)
    assert.equal("TOOBIG", err.name)
    assert.matches("more than 1048576 bytes; maxSize says how many", tostring(err), 1, true)
    assert.is_true(total <= 1 << 20)
    assert.equal("TOOBIG", errorOf(client.get, client, url "/header?n=200000").name)
  end)

  test("uncompresses", function()
    assert.equal(("z"):rep(1000), client:get(url "/gzip?n=1000"):body())
    assert.matches("gzip", echo(client:get(url "/echo")).headers["accept-encoding"])
    local plain = client:get(url "/gzip?n=1000", { compressed = false })
    assert.equal("\31\139", plain:body():sub(1, 2))
    assert.is_nil(echo(client:get(url "/echo", { compressed = false })).headers["accept-encoding"])
  end)

  test("has time limits", function()
    local err = errorOf(client.get, client, url "/wait?name=never1", { timeout = 0.1 })
    assert.is_true(luna.is(err, luna.TimeoutException))
    assert.equal("TIMEOUT", err.name)
    -- Over redirects and the body as well.
    err = errorOf(client.get, client, url "/redirect", { query = { to = "/wait?name=never2" }, timeout = 0.2 })
    assert.is_true(luna.is(err, luna.TimeoutException))
    local r = client:get(url "/half?name=never3", { timeout = 0.2 })
    err = errorOf(r.body, r)
    assert.is_true(luna.is(err, luna.TimeoutException))
    for i = 1, 3 do server.open("never" .. i) end
  end)

  test("ends where nothing comes or goes for too long", function()
    local function silent(...)
      local err = errorOf(...)
      assert.is_true(luna.is(err, luna.TimeoutException))
      assert.matches("not a byte for 0.2 s", tostring(err), 1, true)
    end
    local soon = client:with { inactivityTimeout = 0.2 }
    silent(soon.get, soon, url "/wait?name=silent1")
    local r = soon:get(url "/half?name=silent2")
    silent(r.body, r)
    silent(soon.post, soon, url "/take?name=silent3", ("x"):rep(64 << 20))
    -- Where it is the script that is waited for, there is time.
    local patient, given = client:with { inactivityTimeout = 1 }, nil
    r = patient:get(url "/big?n=8000000")
    assert.truthy(r:read(10))
    assert.equal("x", sent(patient:post(url "/echo", function()
      if given then return nil end
      luna.sleep(1.3)
      given = true
      return "x"
    end)))
    assert.equal(8000000 - 10, #r:body())
    for i = 1, 3 do server.open("silent" .. i) end
  end)

  test("says in one line what went wrong", function()
    local cases = {
      ["/cut"] = "CLOSED", ["/drop"] = "CLOSED", ["/garbage"] = "PROTOCOL",
    }
    for path, name in pairs(cases) do
      local err = errorOf(client.fetch, client, url(path))
      assert.equal(name, err.name)
      assert.is_true(luna.is(err, luna.HTTPException))
      assert.matches("^GET http://127.0.0.1:%d+" .. path .. ": ", tostring(err))
      assert.is_nil(tostring(err):find "\n")
    end
    local err = errorOf(client.get, client, "http://user:pass-word@nowhere.invalid/a?token=secret")
    assert.equal("DNS", err.name)
    assert.is_nil(tostring(err):find "secret")
    assert.is_nil(tostring(err):find "pass%-word")
    assert.equal("CONNECT", errorOf(client.get, client, "http://127.0.0.1:1/").name)
  end)

  test("fileGetContents gives the body, or raises", function()
    assert.equal("hello", luna.fileGetContents(url "/hello", { private = true }))
    assert.equal("hello", luna.fileGetContents(url "/chain?n=2", { private = true }))
    local err = errorOf(luna.fileGetContents, url "/status?n=503", { private = true })
    assert.equal("STATUS", err.name)
    assert.equal(503, err.status)
    assert.equal(404, client:get(url "/nothing").status)
  end)

  test("complains at the line of the call", function()
    local function line(fn) assert.matches("^[^\n]*client_spec.lua:%d+: [^\n]*$", errorOf(fn)) end
    line(function() luna.fileGetContents "file:///etc/passwd" end)
    line(function() luna.fileGetContents "example.org" end)
    line(function() luna.fileGetContents(5) end)
    line(function() luna.fileGetContents("http://a b/") end)
    line(function() client:get(url "/hello", { timout = 1 }) end)
    line(function() client:get(url "/hello", { timeout = "soon" }) end)
    line(function() client:get(url "/hello", { verify = false }) end)
    line(function() client:post(url "/hello", "a", { json = {} }) end)
    line(function() client:post(url "/hello", print and true) end)
    line(function() client:get(url "/hello", 5) end)
    line(function() client:request(url "/hello", { method = "GET /x" }) end)
    line(function() luna.http.Client { timout = 1 } end)
    line(function() luna.http.Client { body = "x" } end)
    line(function() luna.getHTTPClient { redirects = -1 } end)
    assert.error_matches(function() client:get(url "/hello", { timout = 1 }) end, 'did you mean "timeout"')
    assert.error_matches(function() client:get(url "/hello", { verify = false }) end, "always verified")
  end)

  test("keeps cookies where it is asked to", function()
    local mine = luna.http.Client { private = true, cookies = true }
    mine:get(url "/cookie?v=sweet"):body()
    assert.equal("taste=sweet", mine:get(url "/cookie"):body())
    assert.equal("taste=sweet", mine:with({ timeout = 5 }):get(url "/cookie"):body())
    assert.equal("", client:get(url "/cookie"):body())
    assert.equal("sweet", mine.cookies:get("taste", "127.0.0.1"))
    assert.is_true(mine.cookies:all()[1].httpOnly)
    mine.cookies:save(server.folder .. "/cookies")
    mine.cookies:clear()
    assert.equal("", mine:get(url "/cookie"):body())
    mine.cookies:set { name = "own", value = "v", domain = "127.0.0.1", expires = 4000000000 }
    assert.equal("own=v", mine:get(url "/cookie"):body())
    local other = luna.http.Client { private = true, cookies = true }
    mine.cookies:save(server.folder .. "/cookies")
    other.cookies:load(server.folder .. "/cookies")
    assert.equal("own=v", other:get(url "/cookie"):body())
    assert.equal("own=v", client:get(url "/cookie", { cookies = other.cookies }):body())
    local seen = echo(other:get(url "/echo", { headers = { Cookie = { "a=1", "b=2" } } })) -- one header for all
    assert.equal("own=v; a=1; b=2", seen.headers.cookie)
  end)

  test("verifies certificates", function()
    if not server.tls then return pending "openssl is not installed" end
    local err = errorOf(client.get, client, server.https .. "/hello")
    assert.equal("CERTIFICATE", err.name)
    local secure = client:with { ca = server.ca }
    assert.equal("hello", secure:get(server.https .. "/hello"):body())
    assert.equal("hello", secure:get("https://localhost:" .. server.ports.https .. "/hello"):body())
    -- The name counts, not only the authority.
    err = errorOf(secure.get, secure, "https://127.0.0.2:" .. server.ports.https .. "/hello")
    assert.is_true(err.name == "CERTIFICATE" or err.name == "CONNECT")
    err = errorOf(secure.get, secure, server.https .. "/hello", { pin = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" })
    assert.equal("CERTIFICATE", err.name)
    for option, value in pairs { ca = "/nonexistent.pem", cert = "/nonexistent.pem", pin = "sha256" } do
      err = errorOf(function() secure:get(server.https .. "/hello", { [option] = value }) end)
      assert.matches('client_spec.lua:%d+: the option "' .. option .. '" is "' .. value, err)
    end
    local noKey = server.folder .. "/names"
    assert.equal("FILE", errorOf(secure.get, secure, server.https .. "/hello", { ca = noKey }).name)
    assert.equal("FILE", errorOf(secure.get, secure, server.https .. "/hello", { cert = noKey }).name)
    assert.matches("TLS", tostring(errorOf(client.get, client, "https://127.0.0.1:" .. server.ports.http .. "/hello").name))
  end)

  test("gives promises where it is asked to", function()
    local p = client:get(url "/half?name=later", { async = true })
    assert.equal("pending", luna.stateOf(p))
    local r = luna.await(p)
    local body = r:body { async = true }
    assert.equal("pending", luna.stateOf(body))
    server.open "later"
    assert.equal("firstafter", luna.await(body))
    assert.equal("hello", luna.await(luna.fileGetContents(url "/hello", { private = true, async = true })))
    local failing = client:get(url "/drop", { async = true })
    assert.equal("CLOSED", errorOf(luna.await, failing).name)
  end)

  test("runs many at once", function()
    local jobs = {}
    for i = 1, 40 do jobs[i] = client:post(url "/echo", "n" .. i, { async = true }) end
    for i, r in ipairs(luna.all(jobs)) do assert.equal("n" .. i, sent(r)) end
  end)

  test("is cancelled by a token", function()
    local source = luna.CancellationTokenSource()
    local p = client:get(url "/wait?name=cancel1", { async = true, cancellation = source:getToken() })
    local r = client:get(url "/half?name=cancel2", { cancellation = source:getToken() })
    local body = r:body { async = true }
    source:cancel "enough"
    local err = errorOf(luna.await, p)
    assert.is_true(luna.is(err, luna.CancelledException))
    assert.equal("enough", err.reason)
    assert.is_true(luna.is(errorOf(client.get, client, url "/hello", { cancellation = source:getToken() }), luna.CancelledException))
    assert.equal("enough", errorOf(luna.await, body).reason)
    assert.equal("enough", errorOf(r.read, r).reason)
    server.open "cancel1"
    server.open "cancel2"
  end)

  test("is under its token to the end of the body, and no longer", function()
    local source = luna.CancellationTokenSource()
    local read = client:get(url "/hello", { cancellation = source:getToken() })
    assert.equal("hello", read:body())
    local half = client:get(url "/chain?n=2", { cancellation = source:getToken() }) -- over redirects
    local forgotten = setmetatable({ client:get(url "/endless", { cancellation = source:getToken() }) }, { __mode = "v" })
    collectgarbage()
    collectgarbage()
    assert.is_nil(forgotten[1])
    source:cancel "enough"
    assert.equal("enough", errorOf(half.body, half).reason)
    assert.equal("hello", read:body())
  end)

  test("takes a time limit for its body", function()
    local r = client:get(url "/half?name=late")
    assert.matches('unknown option "tiemout"; did you mean "timeout"?', tostring(errorOf(r.body, r, { tiemout = 1 })), 1, true)
    assert.equal("first", r:read { timeout = 20 })
    assert.is_true(luna.is(errorOf(r.body, r, { timeout = 0.05 }), luna.TimeoutException))
    server.open "late"
  end)

  test("ends with the task that waits for it", function()
    local p = client:get(url "/wait?name=unwound", { async = true })
    luna.cancel(p, "gone")
    local err = errorOf(luna.await, p)
    assert.is_true(luna.is(err, luna.CancelledException))
    assert.is_true(luna.is(errorOf(luna.timeout, client:get(url "/wait?name=unwound", { async = true }), 0.05), luna.TimeoutException))
    server.open "unwound"
  end)
end)
