-- The sandbox's data file.
local snapshot = require "luna.sandbox.snapshot"

describe("sandbox snapshot", function()
  local path = os.tmpname()
  after_each(function()
    os.remove(path)
    os.remove(path .. ".new")
  end)

  local state = { a = 1, b = -2 ^ 53 | 0, c = 1.5, d = "\0\255text", e = { true, false, { deep = {} } }, [5000000001] = "number" }

  it("comes back as it was", function()
    snapshot.save(path, state)
    local back = snapshot.load(path)
    assert.same(state, back)
    assert.equal("integer", math.type(back.a))
  end)

  it("is nothing where there is no file", function()
    os.remove(path)
    assert.is_nil(snapshot.load(path))
  end)

  it("says that it is damaged, and leaves it", function()
    local bytes = snapshot.encode(state)
    for _, wrong in ipairs { bytes:sub(1, -2), bytes:sub(1, 60) .. "x" .. bytes:sub(62), "", "something else" } do
      local file = assert(io.open(path, "wb"))
      file:write(wrong)
      file:close()
      assert.has_error(function() snapshot.load(path) end,
        ("the sandbox's data in %s is damaged and was left as it was: move it away to start anew"):format(path))
      file = assert(io.open(path, "rb"))
      assert.equal(wrong, file:read "a")
      file:close()
    end
  end)

  it("keeps the old file where the new one cannot be written", function()
    snapshot.save(path, state)
    assert.has_error(function() snapshot.save(path, { print }) end)
    assert.same(state, snapshot.load(path))
  end)
end)
