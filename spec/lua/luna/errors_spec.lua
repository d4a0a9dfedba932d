local errors = require "luna.errors"
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
