local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""
local cli = dofile(here .. "support.lua")

-- The bot says by itself when it is to reload and to end.
local script = [[
  local luna = require "luna"
  local Bot = luna.EventHandler:extend "Bot"
  function Bot:onStart(reason)
    luna.sleep(0.2) -- for signs of life
    os.execute(("kill -%s %d"):format(reason == "start" and "HUP" or "TERM", io.open("/proc/self/stat"):read "n"))
  end
  return Bot
]]

describe("the service manager", function()
  local folder
  before_each(function() folder = cli.folder() end)
  after_each(cli.clean)

  -- What it is told, while the program runs.
  local function told(name, opts)
    local listener = assert(io.popen(("python3 '%s../support/notify_socket.py' '%s'"):format(here, name)))
    assert.equal("ready", listener:read "l")
    opts.env.NOTIFY_SOCKET = name
    local r = cli.run(opts)
    local lines = {}
    for line in listener:lines() do lines[#lines + 1] = line end
    listener:close()
    return lines, r
  end

  local function find(lines, pattern, from)
    for i = from or 1, #lines do
      if lines[i]:find(pattern) then return i end
    end
    error(("no %q in:\n%s"):format(pattern, table.concat(lines, "\n")), 2)
  end

  it("is told of the log-in, of a reload and of the end, and hears from the loop meanwhile", function()
    local path = cli.script(folder, "watched.lua", script)
    for _, name in ipairs { folder .. "/notify.sock", "@luna-spec-" .. folder:match "[^/]+$" } do
      local lines, r = told(name, { "run", path, "--sandbox", "--no-repl", hold = true, env = { WATCHDOG_USEC = "100000" } })
      assert.equal(0, r.status, r.err)
      assert.matches("^READY=1|STATUS=watched: connected|MAINPID=%d+$", (lines[1]:gsub("@watched_bot", "watched"):gsub(", %d[^|]*", "")))
      local reloading = find(lines, "^RELOADING=1|MONOTONIC_USEC=%d+$")
      local again = find(lines, "^READY=1|STATUS=", reloading)
      assert.equal(#lines, find(lines, "^STOPPING=1$", again))
      local signs = 0
      for _, line in ipairs(lines) do signs = signs + (line == "WATCHDOG=1" and 1 or 0) end
      assert.is_true(signs >= 4, table.concat(lines, "\n")) -- 0.4 s, one each 50 ms
    end
  end)

  it("takes a plain script for ready at its end, or once its API object is", function()
    local path = cli.script(folder, "plain.lua", 'print "up"')
    local lines = told(folder .. "/a.sock", { "run", path, env = {} })
    assert.matches("^READY=1|STATUS=", lines[1])
    assert.equal("STOPPING=1", lines[2])
    path = cli.script(folder, "looping.lua", [[
      local luna = require "luna"
      local api = luna.API()
      api:setCallback(function() end)
      api:loop(function() luna.sleep(0.2) end)
    ]])
    local r
    lines, r = told(folder .. "/b.sock", { "run", path, "--sandbox", env = {} })
    assert.equal(0, r.status, r.err)
    assert.matches("^READY=1|", lines[1])
  end)

  it("is not minded where it does not listen", function()
    local path = cli.script(folder, "plain.lua", 'print "up"')
    local r = cli.run { "run", path, env = { NOTIFY_SOCKET = folder .. "/nobody.sock" } }
    assert.same({ 0, "up\n" }, { r.status, r.out })
    assert.matches("the service manager cannot be told: No such file", r.err)
    r = cli.run { "run", path, env = { NOTIFY_SOCKET = "vsock:1:2" } }
    assert.same({ 0, "up\n" }, { r.status, r.out })
  end)
end)
