-- debug.traceback and debug.getinfo as the host has them: bind/traceback.c.
describe("debug.traceback", function()
  local function lines(text)
    local list = {}
    for line in text:gmatch "[^\n]+" do list[#list + 1] = (line:gsub("^\t", ""):gsub("[^%s<]*traceback_spec.lua:%d+", "HERE")) end
    return list
  end

  it("names functions as Lua does", function()
    local text
    local function inner() text = debug.traceback("why", 1) end
    local object = { method = function() string.gsub("x", "x", function() inner() end) end }
    function object.last() return object.method() end
    local co = coroutine.create(function()
      object.last()
      coroutine.yield()
    end)
    assert.is_true(coroutine.resume(co))
    assert.same({
      "why", "stack traceback:", "HERE: in upvalue 'inner'", "HERE: in function <HERE>", "[C]: in function 'string.gsub'",
      "HERE: in function <HERE>", "(...tail calls...)", "HERE: in function <HERE>",
    }, lines(text))
    assert.same({ "stack traceback:", "[C]: in function 'coroutine.yield'", "HERE: in function <HERE>" }, lines(debug.traceback(co)))
    assert.same({ "stack traceback:", "HERE: in function <HERE>" }, lines(debug.traceback(co, nil, 1)))
    assert.same({ "stack traceback:" }, lines(debug.traceback(co, nil, 50)))
    local t = {}
    assert.equal(t, debug.traceback(t))
    assert.matches("^5\nstack traceback:\n", debug.traceback(5))
  end)

  it("names what a module gives by its shortest name", function()
    local await = require("_luna.promise").await -- luna.await, and more
    local co = coroutine.create(function() await(require("_luna.promise").new()) end)
    require("_luna.task").spawn(coroutine.resume, co)
    assert.equal("[C]: in function 'luna.await'", lines(debug.traceback(co))[2])
  end)

  it("shows the ends of a deep stack", function()
    local function deep(n)
      if n == 0 then return debug.traceback() end
      return (deep(n - 1))
    end
    local text = deep(1000)
    local _, levels = text:gsub("\n\t[^\n]-: in ", "")
    assert.is_true(levels > 10 and levels <= 10 + 11) -- without the library's
    local skipped = math.tointeger(text:match "\n\t%.%.%.\t%(skipping (%d+) levels%)\n")
    assert.is_true(skipped > 980 and skipped < 1100)
    local ok, err = xpcall(function()
      local function forever() return 1 + forever() end
      return forever()
    end, debug.traceback)
    assert.is_false(ok)
    assert.matches("stack overflow.*skipping %d%d%d%d%d+ levels", err)
  end)
end)

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
