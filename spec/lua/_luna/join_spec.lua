-- Joins: one promise of many, as luna.all makes it of a sequence of promises.
local promise = require "_luna.promise"
local task = require "_luna.task"

local function raised(p)
  local ok, why = pcall(promise.await, p)
  assert.is_false(ok)
  return why
end

describe("join", function()
  it("resolves to the values under their keys once all are there, in whatever order", function()
    local list = { promise.new(), promise.success "b", promise.new() }
    local out, results, n = promise.join(list)
    assert.equal(3, n)
    promise.resolve(list[3], "c", "ignored")
    assert.equal("pending", promise.state(out))
    promise.resolve(list[1])
    assert.equal(results, promise.await(out))
    assert.same({ nil, "b", "c" }, results)
  end)

  it("fails with the first failure, and takes the others for looked at", function()
    local list = { promise.new(), promise.new(), promise.new() }
    local out = promise.join(list)
    promise.fail(list[2], "first")
    promise.fail(list[1], "second")
    assert.equal("first", raised(out))
    assert.is_true(promise.isHandled(list[1]))
    promise.resolve(list[3])
    assert.equal("failed", promise.state(out))
    assert.equal("done", raised(promise.join { promise.new(), promise.failure "done" }))
  end)

  it("leaves room for callbacks before and after it, and for a promise that stands there twice", function()
    local p, seen = promise.new(), {}
    promise.onResolve(p, function(_, v) seen[#seen + 1] = "before " .. v end)
    local a = promise.join { p, p }
    local q = promise.new()
    local b = promise.join { q, q, p }
    promise.onResolve(q, function(_, v) seen[#seen + 1] = "after " .. v end)
    local c = promise.join { q }
    promise.resolve(p, 1)
    promise.resolve(q, 2)
    assert.same({ 1, 1 }, promise.await(a))
    assert.same({ 2, 2, 1 }, promise.await(b))
    assert.same({ 2 }, promise.await(c))
    table.sort(seen)
    assert.same({ "after 2", "before 1" }, seen)
  end)

  it("counts holes", function()
    local p = promise.new()
    local out, results, n = promise.join { [1] = promise.success(1), [4] = p }
    assert.equal(4, n)
    promise.resolve(p, 4)
    promise.await(out)
    assert.equal(4, results[4])
    assert.is_nil(results[2])
  end)

  it("leaves other tables to others", function()
    local p = promise.new()
    for _, items in ipairs { {}, { 1 }, { p, print }, { a = p }, { [0] = p }, { [1.5] = p } } do
      assert.is_nil(promise.join(items))
    end
  end)

  it("goes through joins of joins without end", function()
    local first = promise.new()
    local p = first
    for _ = 1, 20000 do p = promise.join { p } end
    promise.resolve(first, "deep")
    local value = promise.await(p)
    for _ = 1, 20000 do value = value[1] end
    assert.equal("deep", value)
  end)

  it("takes keys of any size", function()
    local far = 1 << 40
    local list = { [1] = promise.new(), [far] = promise.new() }
    local out, results, n = promise.join(list)
    assert.equal(far, n)
    promise.resolve(list[far], "far")
    promise.resolve(list[1], "near")
    assert.equal(results, promise.await(out))
    assert.same({ [1] = "near", [far] = "far" }, results)
  end)

  it("lets what it holds go once it is over", function()
    local held = setmetatable({}, { __mode = "k" })
    do
      local list = {}
      for i = 1, 100 do
        list[i] = promise.new()
        held[list[i]] = true
      end
      local out = promise.join(list)
      task.spawn(promise.await, out)
      for i = 1, 100 do promise.resolve(list[i], {}) end
    end
    task.sleep(0)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(held))
  end)
end)
