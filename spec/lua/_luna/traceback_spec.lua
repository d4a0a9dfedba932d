-- debug.getinfo as the host has it: bind/traceback.c.
describe("debug.getinfo", function()
  local stripped = load(string.dump(function(n)
    local info = debug.getinfo(n, "SL")
    return info
  end, true), "=?", "b")

  it("gives no active lines of a function that has no lines, and the program lives", function()
    assert.is_nil(debug.getinfo(stripped, "SL").activelines)
    assert.equal("=?", debug.getinfo(stripped, "SL").source)
    assert.is_nil(stripped(1).activelines)
    local co = coroutine.create(stripped)
    assert.is_nil(debug.getinfo(co, stripped, "L").activelines)
  end)

  it("gives those of others, at the level that was asked for", function()
    local here = debug.getinfo(1, "lL")
    assert.is_true(here.activelines[here.currentline])
    assert.is_true(stripped(2).activelines[here.currentline])
    assert.is_nil(debug.getinfo(1000, "L"))
    assert.has_error(function() debug.getinfo(1, "?") end)
  end)
end)
