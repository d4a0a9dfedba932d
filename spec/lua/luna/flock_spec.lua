local luna = require "luna"
local raw = require "_luna.files"
local task = require "_luna.task"
local timer = require "_luna.timer"

describe("luna.flock", function()
  local path
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function isFree(mode)
    local lock = raw.lock(path, mode == luna.LOCK_EX)
    if lock then lock:unlock() end
    return lock and true or false
  end

  it("makes the file and locks it until it is called", function()
    os.remove(path)
    local unlock = luna.flock(path, luna.LOCK_EX)
    assert.truthy(io.open(path)):close()
    assert.is_false(isFree(luna.LOCK_SH))
    unlock()
    assert.is_true(isFree(luna.LOCK_EX))
    local other = luna.flock(path, luna.LOCK_EX)
    unlock() -- twice is harmless: the other lock stays
    assert.is_false(isFree(luna.LOCK_SH))
    other()
  end)

  it("is shared, or not", function()
    local one, two = luna.flock(path, luna.LOCK_SH), luna.flock(path, luna.LOCK_SH)
    assert.is_false(isFree(luna.LOCK_EX))
    one()
    assert.is_false(isFree(luna.LOCK_EX))
    two()
    assert.is_true(isFree(luna.LOCK_EX))
  end)

  it("waits for who holds it, and is waited for", function()
    local unlock = luna.flock(path, luna.LOCK_EX)
    local order = {}
    local p = luna.API(nil):flock(path, luna.LOCK_SH, 0.001, { async = true })
    luna.callFork(function()
      luna.sleep(0.005)
      order[#order + 1] = "released"
      unlock()
    end)
    local second = luna.await(p)
    order[#order + 1] = "locked"
    assert.same({ "released", "locked" }, order)
    second()
  end)

  it("asks again as often as it is told", function()
    local unlock = luna.flock(path, luna.LOCK_EX)
    local asked = 0
    local lock = raw.lock
    raw.lock = function(...)
      asked = asked + 1
      return lock(...)
    end
    local ok = pcall(luna.timeout, function() return luna.flock(path, luna.LOCK_SH, 0.03) end, 0.1)
    raw.lock = lock
    assert.is_false(ok)
    assert.is_true(asked >= 2 and asked <= 5, "asked " .. asked)
    unlock()
  end)

  it("held in the same program lets virtual time pass, and held by another makes it stand still", function()
    local clock, asked, lock = timer.newVirtual(), 0, raw.lock
    local function virtually(fn)
      return luna.await(task.spawn(function()
        timer.useClock(clock)
        return fn()
      end))
    end
    raw.lock = function(...)
      asked = asked + 1
      return lock(...)
    end
    local unlock = luna.flock(path, luna.LOCK_EX)
    local waited = virtually(function()
      luna.callFork(function()
        luna.sleep(60)
        unlock()
      end)
      local before = clock:now()
      luna.flock(path, luna.LOCK_EX, 1)()
      return clock:now() - before
    end)
    assert.is_true(waited >= 60 and waited < 62, "waited " .. waited)

    asked = 0
    local other = io.popen(("exec flock '%s' sh -c 'echo held; exec sleep 0.1'"):format(path))
    assert.equal("held", other:read "l")
    waited = virtually(function()
      local before = clock:now()
      local hour = task.spawn(task.sleep, 3600)
      luna.flock(path, luna.LOCK_EX, 0.01)()
      assert.equal("pending", luna.stateOf(hour))
      luna.cancel(hour)
      local stood = clock:now() - before
      luna.sleep(1) -- it goes on afterwards
      return stood
    end)
    raw.lock = lock
    other:close()
    clock:free()
    assert.is_true(waited < 1, "waited " .. waited)
    assert.is_true(asked < 100, "asked " .. asked .. " times")
  end)

  it("ends with its block, and when nobody has it any more", function()
    do
      local held <close> = luna.flock(path, luna.LOCK_EX)
      assert.is_false(isFree(luna.LOCK_SH))
      assert.matches("held", tostring(held))
    end
    assert.is_true(isFree(luna.LOCK_EX))
    luna.flock(path, luna.LOCK_EX)
    collectgarbage()
    collectgarbage()
    assert.is_true(isFree(luna.LOCK_EX))
  end)

  it("holds against other processes, and is free when its holder dies", function()
    local program = os.getenv "LUNA"
    if not program then return pending "run by spec/run only" end
    local script = path .. ".lua"
    local file = io.open(script, "w")
    file:write(([[
      local luna = require "luna"
      local unlock = luna.flock(%q, luna.LOCK_EX)
      print(require("_luna.host").pid())
      io.stdout:flush()
      luna.sleep(60)
    ]]):format(path))
    file:close()
    local pipe = io.popen(("exec '%s' run '%s'"):format(program, script))
    local pid = pipe:read "l"
    assert.matches("^%d+$", pid)
    assert.is_false(isFree(luna.LOCK_SH))
    local p = luna.callFork(function() return luna.flock(path, luna.LOCK_EX, 0.01) end)
    assert.equal("pending", luna.stateOf(p))
    os.execute("kill -9 " .. pid)
    luna.await(p)()
    pipe:close()
    os.remove(script)
  end)

  it("says why a file cannot be made", function() -- not even by root, in /sys
    local ok, err = pcall(luna.flock, "/sys/luna.lock", luna.LOCK_EX)
    assert.is_false(ok)
    assert.match("^flock: /sys/luna%.lock: [PR]e[ra][md]", tostring(err)) -- Permission denied, Read-only file system
  end)

  it("complains at the caller's line", function()
    for _, fn in ipairs {
      function() luna.flock(5, luna.LOCK_EX) end,
      function() luna.flock(path) end,
      function() luna.flock(path, 3) end,
      function() luna.flock(path, luna.LOCK_EX, 0) end,
      function() luna.flock(path, luna.LOCK_EX, "often") end,
      function() luna.API(nil):flock(path, "exclusive") end,
    } do
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.matches("flock_spec.lua:%d+: flock", err)
    end
    local ok, err = pcall(luna.flock, "/nowhere/at/all", luna.LOCK_EX)
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.Exception))
    assert.matches("^flock: /nowhere/at/all: ", tostring(err))
  end)
end)
