-- The last argument of helpers: { async =, timeout =, cancellation = }.
local luna = require "luna"

local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

describe("a helper's arguments", function()
  local world = require("luna.sandbox").world()
  local api = world:run(function() end, { name = "argued" }).api

  it("are refused at the script's line", function()
    for _, case in ipairs {
      { function() luna.logger("x", "loud") end, '"loud" is no log level' },
      { function() api:logger("x", 9) end, '"9" is no log level' },
      { function() luna.Logger.log("x", 3, {}) end, "the room of the log is a text, not a table" },
      { function() api:sleep(0 / 0) end, "sleep wants a number of seconds, got nan" },
      { function() luna.fileGetContents("http://127.0.0.1/", 5) end, "the options are a table, not a number" },
      { function() api:fileGetContents("http://127.0.0.1/", "x") end, "the options are a table, not a string" },
      { function() luna.getHTTPClient():fetch("http://127.0.0.1/", true) end, "the options are a table, not a boolean" },
    } do
      local err = raised(case[1])
      local at = debug.getinfo(case[1], "S").linedefined
      assert.matches(("helpers_spec.lua:%d: %s"):format(at, case[2]), tostring(err), 1, true)
    end
  end)
end)

describe("the options of a helper", function()
  local world = require("luna.sandbox").world()
  local api = world:run(function() end, { name = "helped" }).api
  local never = luna.Deferred():promise()
  local path
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  -- Each waits for long, and notes in `ended` how it was left where there is something to leave.
  local ended
  local function slow()
    local ok, err = pcall(luna.sleep, 3600)
    ended = ok or err
    if not ok then error(err, 0) end
  end
  local ways = {
    sleep = function(opts) return api:sleep(3600, opts) end,
    all = function(opts) return api:all({ never, luna.Success(1) }, opts) end,
    some = function(opts) return api:some({ x = never }, opts) end,
    any = function(opts) return api:any({ never }, opts) end,
    first = function(opts) return api:first({ never }, opts) end,
    timeout = function(opts) return api:timeout(never, 3600, opts) end,
    timeoutWithDefault = function(opts) return api:timeoutWithDefault(never, 3600, "late", opts) end,
    flock = function(opts)
      local unlock <close> = luna.flock(path, luna.LOCK_EX) -- luacheck: ignore
      return api:flock(path, luna.LOCK_SH, 10, opts)
    end,
  }
  for name, way in pairs(ways) do
    it("limits the time of " .. name, function()
      local before = world:clock():now()
      local err = raised(way, { timeout = 2 })
      assert.is_true(luna.is(err, luna.TimeoutException), tostring(err))
      assert.is_near(2, world:clock():now() - before, 0.01)
    end)

    it("cancels " .. name, function()
      local source, before = luna.CancellationTokenSource(), world:clock():now()
      luna.callFork(function()
        luna.sleep(3)
        source:cancel "enough"
      end)
      local err = raised(way, { cancellation = source:getToken() })
      assert.equal("enough", err.reason)
      assert.is_near(3, world:clock():now() - before, 0.01)
      assert.equal("enough", raised(way, { cancellation = source:getToken() }).reason) -- cancelled from the start
    end)
  end

  it("does so for promises too", function()
    local source = luna.CancellationTokenSource()
    local late = api:sleep(3600, { async = true, timeout = 2 })
    local cancelled = api:all({ never }, { async = true, cancellation = source:getToken() })
    source:cancel "enough"
    assert.is_true(luna.is(raised(luna.await, late), luna.TimeoutException))
    assert.equal("enough", raised(luna.await, cancelled).reason)
  end)

  it("leaves what comes in time as it is", function()
    assert.equal(1, api:sleep(1, { timeout = 2 }))
    assert.same({ 1, 2 }, { table.unpack(api:all({ luna.Success(1), luna.Success(2) }, { timeout = 2 })) })
    local token = luna.CancellationTokenSource():getToken()
    local errs, values = api:any({ luna.Failure "x", luna.Success(2) }, { timeout = 2, cancellation = token })
    assert.same({ "x" }, errs)
    assert.equal(2, values[2])
    assert.equal("of its own", raised(api.first, api, { function() error("of its own", 0) end }, { timeout = 2 }).reasons[1])
  end)

  it("ends the work behind a helper, and leaves the promises that a combinator was given", function()
    ended = nil
    local given = luna.callFork(slow)
    raised(api.first, api, { given }, { timeout = 1 })
    luna.sleep(0)
    assert.is_nil(ended)
    luna.sleep(3600)
    assert.is_true(ended)
    raised(api.first, api, { slow }, { timeout = 1 }) -- nobody else holds it
    luna.sleep(0)
    assert.is_true(luna.is(ended, luna.CancelledException))
  end)

  it("refuses what only calls have, at the caller's line", function()
    for _, opts in ipairs { { queue = "x" }, { noResponse = true }, { dc = 2 } } do
      assert.matches("helpers_spec.lua:%d+: the option \".*\" is for methods of the API", raised(function()
        local _ = api:sleep(1, opts)
      end))
    end
    assert.matches("helpers_spec.lua:%d+: unknown option \"timeuot\".*timeout", raised(function()
      local _ = api:all({ never }, { timeuot = 1 })
    end))
  end)
end)
