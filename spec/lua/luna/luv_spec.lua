-- luv beside luna, on one loop (Debian: lua-luv). Pending where it is not installed.
local luna = require "luna"
local host = require "_luna.host"
local loop = luna.loop

if not package.searchpath("luv", package.cpath) then
  describe("luv", function()
    it("is not installed", function()
      local ok, why = pcall(require, "luv")
      assert.is_false(ok)
      assert.matches("Debian: lua%-luv", tostring(why))
      pending "lua-luv is not installed"
    end)
  end)
  return
end

local uv = require "luv"

describe("luv", function()
  it("has timers that take turns with luna's", function()
    local log = {}
    local t = uv.new_timer()
    t:start(4, 4, function()
      log[#log + 1] = "u"
      if #log >= 7 then t:close() end
    end)
    local left = 4
    loop.every(4, function(id)
      log[#log + 1] = "l"
      left = left - 1
      if left == 0 then loop.cancel(id) end
    end)
    loop.run() -- also waits for luv's
    assert.is_true(t:is_closing())
    local text = table.concat(log)
    assert.equal(4, select(2, text:gsub("l", "")))
    assert.is_truthy(text:find "ul" and text:find "lu")
  end)

  it("has callbacks that may wait", function()
    local done
    local t = uv.new_timer()
    t:start(0, 0, function()
      t:close()
      luna.sleep(0.002)
      done = true
    end)
    uv.run()
    assert.is_true(done)
  end)

  it("has callbacks whose errors end nothing else", function()
    local task = require "_luna.task"
    local seen
    task.setUnhandled(function(err) seen = err end)
    local t = uv.new_timer()
    t:start(0, 0, function()
      t:close()
      error("in a callback", 0)
    end)
    uv.run()
    luna.sleep(0.001)
    task.setUnhandled(require("luna.helpers").unhandled)
    assert.equal("in a callback", seen)
  end)

  it("does its requests", function()
    local kind
    uv.fs_stat("/", function(err, stat)
      assert.is_nil(err)
      kind = stat.type
    end)
    uv.run()
    assert.equal("directory", kind)
    assert.equal("directory", uv.fs_stat("/").type)
  end)

  it("speaks TCP with itself while luna's timers run", function()
    local server, heard = uv.new_tcp(), {}
    server:bind("127.0.0.1", 0)
    server:listen(4, function()
      local peer = uv.new_tcp()
      server:accept(peer)
      peer:read_start(function(_, bytes)
        if not bytes then return peer:close() end
        heard[#heard + 1] = bytes
        peer:write(bytes:upper())
      end)
    end)
    local client = uv.new_tcp()
    client:connect("127.0.0.1", server:getsockname().port, function()
      client:read_start(function(_, bytes)
        heard[#heard + 1] = bytes
        client:close()
        server:close()
      end)
      luna.sleep(0.001)
      client:write "hello"
    end)
    loop.run()
    assert.same({ "hello", "HELLO" }, heard)
  end)

  it("leaves the loop to the host", function()
    for _, name in ipairs { "walk", "loop_close" } do
      local ok, why = pcall(uv[name], print)
      assert.is_false(ok)
      assert.matches("not possible here", why)
    end
    assert.is_false(uv.loop_alive())
    local t = uv.new_timer()
    t:start(60000, 0, print)
    assert.is_true(uv.loop_alive())
    loop.defer(uv.stop)
    uv.run()
    t:unref()
    assert.is_false(uv.loop_alive())
    t:close()
    uv.run "nowait"
  end)

  it("keeps a program alive, and what it leaves open is closed at the end", function()
    local path = os.tmpname()
    local file = io.open(path, "w")
    file:write [[
      local uv = require "luv"
      local timer, stays, closing = uv.new_timer(), uv.new_timer(), uv.new_timer()
      stays:start(60000, 0, print)
      stays:unref()
      timer:start(10, 0, function()
        print "ran"
        timer:stop()
        closing:close()
      end)
    ]]
    file:close()
    local program = io.popen(("%s run %s 2>&1; echo status $?"):format(host.argv[0], path))
    local out = program:read "a"
    program:close()
    os.remove(path)
    assert.equal("ran\nstatus 0\n", out)
  end)
end)
