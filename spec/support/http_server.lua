--- Starts spec/support/http_server.py with a certificate of an authority made for the occasion; nil and why where that is not possible.
--- Used by dofile from the specs of HTTP. stop() ends the server, so does the end of this process.
local luna = require "luna"

local function has(command) return os.execute("command -v " .. command .. " >/dev/null 2>&1") == true end

local function shell(command)
  local ok = os.execute("exec 2>/dev/null; " .. command)
  if not ok then error("failed: " .. command, 2) end
end

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

return function()
  if not has "python3" then return nil, "python3 is not installed" end
  local folder = os.tmpname()
  os.remove(folder)
  local function at(name) return quoted(folder .. "/" .. name) end
  shell("mkdir -m 700 " .. quoted(folder))
  local server = { folder = folder, tls = has "openssl" }
  if server.tls then
    local make = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
    shell(make .. ("-x509 -days 2 -subj '/CN=spec authority' -keyout %s -out %s"):format(at "ca.key", at "ca.pem"))
    shell(make .. ("-subj /CN=localhost -keyout %s -out %s"):format(at "key.pem", at "request.pem"))
    shell(("printf 'subjectAltName=DNS:localhost,DNS:*.luna.test,IP:127.0.0.1' > %s"):format(at "names"))
    shell(("openssl x509 -req -in %s -CA %s -CAkey %s -CAcreateserial -days 2 -extfile %s -out %s")
      :format(at "request.pem", at "ca.pem", at "ca.key", at "names", at "cert.pem"))
    shell(("cat %s %s > %s"):format(at "cert.pem", at "key.pem", at "server.pem"))
  end
  local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"
  -- It ends when this pipe is closed.
  local pipe = io.popen(("exec python3 -u %s %s"):format(quoted(here .. "/http_server.py"), quoted(folder)))
  local line = pipe:read "l"
  if not line then
    pipe:close()
    return nil, "the server did not start"
  end
  local ports = luna.json.decode(line)
  server.ports = ports
  server.ca = folder .. "/ca.pem"
  server.http = "http://127.0.0.1:" .. ports.http
  server.https = ports.https and "https://127.0.0.1:" .. ports.https
  --- What the server counted under a name.
  function server.count(name)
    return tonumber(luna.fileGetContents(server.http .. "/count", { query = { name = name }, private = true }))
  end
  function server.open(name) luna.fileGetContents(server.http .. "/open", { query = { name = name }, private = true }) end
  --- Calls fn until it gives the same twice; that.
  function server.settled(fn)
    local before
    for _ = 1, 500 do
      local now = fn()
      if now == before and now > 0 then return now end
      before = now
      luna.sleep(0.05)
    end
    error("it never settled", 2)
  end
  function server.stop()
    pipe:close()
    shell("rm -rf " .. quoted(folder))
  end
  return server
end
