local pattern = require "luna.pattern"

describe("luna.pattern", function()
  it("sees what is wrong wherever it stands", function()
    for p, why in pairs {
      ["hi["] = "missing ']'", ["[^]"] = "missing ']'", ["a[%]"] = "missing ']'", ["a("] = "unfinished capture",
      ["a)"] = "invalid pattern capture", ["a%"] = "ends with '%'", ["a%bx"] = "missing arguments to '%b'",
      ["a%fx"] = "missing '[' after '%f'", ["(a%1)"] = "invalid capture index %1",
      ["%0"] = "invalid capture index", ["(a)%2"] = "invalid capture index %2", ["((a)"] = "unfinished capture",
    } do assert.matches(why, tostring(pattern.mistake(p)), 1, true) end
  end)

  it("is never wronger than Lua is", function()
    math.randomseed(7)
    local pieces = { "a", "b", "%", "[", "]", "^", "(", ")", "-", "*", "%a", "%b()", "%f[a]", "%1", "[^%]]", ".", "$", "()", "%%" }
    local text = ("ab()[]^-*$%."):rep(3)
    for _ = 1, 20000 do
      local p = {}
      for i = 1, math.random(6) do p[i] = pieces[math.random(#pieces)] end
      p = table.concat(p)
      local mistake = pattern.mistake(p)
      local ok, why = true, nil
      for at = 1, #text do
        ok, why = pcall(string.find, text, p, at)
        if not ok then break end
      end
      if not mistake then assert.is_true(ok, ("%s: %s"):format(p, why)) end
    end
    local right = { "", "^a", "a$", "[]]", "[^]]", "[]a]", "[%]]", "%b()", "%f[%w]%w+", "(a)(b)%1", "()", "^/(%w+)%s*(.-)$", "[a-]", "%%" }
    for _, p in ipairs(right) do assert.is_nil(pattern.mistake(p), p) end
  end)
end)
