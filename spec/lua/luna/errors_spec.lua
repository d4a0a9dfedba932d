local luna = require "luna"
local errors = require "luna.errors"
local here = debug.getinfo(1, "S").source:match "^@(.*)"
local classes = errors.classes

describe("luna.errors", function()
  it("makes exceptions of a text and of fields", function()
    local err = classes.Exception("went wrong", { where = "here" })
    assert.equal("went wrong", err.message)
    assert.equal("here", err.where)
    assert.equal("went wrong", tostring(err))
    assert.equal("a: went wrong!", "a: " .. err .. "!")
  end)

  it("is one line as a string", function()
    assert.equal("one two", tostring(classes.Exception "one\n  two"))
  end)

  it("can be extended by scripts", function()
    local Mine = classes.Exception:extend "Mine"
    local err = Mine "x"
    assert.is_true(errors.is(err, Mine))
    assert.is_true(errors.is(err, classes.Exception))
    assert.is_false(errors.is(err, classes.TimeoutException))
    assert.is_false(errors.is("x", Mine))
    assert.error_matches(function() errors.is(err, "Mine") end, "not a class")
  end)

  it("splits the server's errors into name and value", function()
    local cases = {
      { "FLOOD_WAIT_3", "FLOOD_WAIT", 3 }, { "USER_MIGRATE_5", "USER_MIGRATE", 5 }, { "MESSAGE_EMPTY", "MESSAGE_EMPTY", nil },
      { "FILE_PART_7_MISSING", "FILE_PART_MISSING", 7 }, { "2FA_CONFIRM_WAIT_60", "2FA_CONFIRM_WAIT", 60 }, { "Internal", "Internal", nil },
    }
    for _, case in ipairs(cases) do
      local name, value = errors.split(case[1])
      assert.equal(case[2], name)
      assert.equal(case[3], value)
    end
  end)

  it("words an RPC error with its method, code and meaning", function()
    local err = classes.RPCErrorException("FLOOD_WAIT_3", 420, "messages.sendMessage")
    assert.equal("FLOOD_WAIT", err.name)
    assert.equal(3, err.value)
    assert.equal("FLOOD_WAIT_3", err.rpc)
    assert.equal(420, err.code)
    assert.equal("messages.sendMessage: FLOOD_WAIT_3 (420): wait 3 seconds", tostring(err))
  end)

  it("is one line, in time, whatever the server's text is", function()
    local before = os.clock()
    local text = tostring(classes.RPCErrorException("A\r\n  B" .. (" "):rep(200000) .. "C\n", 400))
    assert.is_true(os.clock() - before < 1)
    assert.is_nil(text:find "[\r\n]")
    assert.matches("^A B", text)
  end)

  it("keeps the way that an error came", function()
    local err = classes.Exception "x"
    errors.annotate(err, "first")
    errors.annotate(err, "second")
    errors.annotate(err, "second")
    assert.equal("first\nawaited in:\nsecond", err.traceback)
    assert.equal("text", errors.annotate("text", "first"))
  end)

  it("keeps the way for who catches it, too", function()
    local function throw()
      luna.sleep(0)
      error(luna.Exception "deep") -- throw
    end
    local function through() return (luna.all { throw, luna.Success(1) }) end -- through
    local start = luna.Deferred()
    local way = {}
    for name, wait in pairs {
      task = function() return (luna.call(throw)) end, -- task
      two = function() return (luna.call(through)) end, -- two
      failed = function() return (luna.await(luna.Failure(luna.Exception "at once"))) end, -- failed
      deferred = function() return (luna.await(start:promise())) end, -- deferred
      yielded = function() return (coroutine.yield(luna.Failure(luna.Exception "x"))) end, -- yielded
      late = function() return (luna.timeout(function() luna.sleep(1) end, 0.001)) end, -- late
    } do
      if name == "deferred" then luna.loop.defer(function() start:fail(luna.Exception "later") end) end
      local ok, err = pcall(wait)
      assert.is_false(ok)
      way[name] = err.traceback
    end
    local lines, n = {}, 0
    for line in io.lines(here) do
      n = n + 1
      local name = line:match " %-%- (%l+)$"
      if name then lines[name] = "errors_spec.lua:" .. n .. ": in" end
    end
    for name, through_ in pairs {
      task = { "throw", "task" }, two = { "throw", "through", "two" }, failed = { "failed" }, deferred = { "deferred" },
      yielded = { "yielded" }, late = { "late" },
    } do
      local from = 1
      for _, place in ipairs(through_) do
        from = way[name]:find(lines[place], from, true)
        assert.is_truthy(from, name .. " does not come by " .. place .. ":\n" .. way[name])
      end
    end
  end)

  it("comes with one way, however often it is raised", function()
    local err = luna.Exception "x"
    local p = luna.Failure(err)
    for _ = 1, 3 do assert.is_false(pcall(luna.await, p)) end
    local _, times = err.traceback:gsub("errors_spec.lua:", "")
    local once = luna.Exception "y"
    for _ = 1, 1 do assert.is_false(pcall(luna.await, luna.Failure(once))) end
    local _, time = once.traceback:gsub("errors_spec.lua:", "")
    assert.equal(time, times)
  end)

  it("may be anything, and says what it is", function()
    assert.equal('{ code = 5, text = "x" }', errors.text { code = 5, text = "x" })
    assert.equal("mine", errors.text(setmetatable({}, { __tostring = function() return "mine" end })))
    assert.same({ "x", "5", "false", "nil", "deep" },
      { errors.text "x", errors.text(5), errors.text(false), errors.text(nil), errors.text(classes.Exception "deep") })
    local log = {}
    luna.Logger.configure { target = function(text) log[#log + 1] = text end }
    luna.Failure { code = 42 }
    luna.callFork(function() error { code = 43 } end)
    luna.sleep(0.001) -- it is told once nothing is left to do
    luna.Logger.configure { target = "stderr" }
    local all = table.concat(log, "\n")
    assert.matches("{ code = 42 }", all, 1, true)
    assert.matches("{ code = 43 }", all, 1, true)
  end)

  it("is not made of what is no error", function()
    for _, case in ipairs { { classes.RPCErrorException }, { classes.RPCErrorException, 5 }, { classes.MultiReasonException, "x" } } do
      local ok, err = pcall(function()
        local made = case[1](case[2])
        return made
      end)
      assert.is_false(ok)
      assert.matches("errors_spec.lua:%d+: luna.%a+ wants", err)
    end
  end)

  it("tells how many failed and shows one", function()
    local err = classes.MultiReasonException({ [2] = classes.Exception "bad" }, { "good" })
    assert.equal("1 failed; item 2: bad", tostring(err))
    assert.equal("good", err.values[1])
  end)
end)
