local options = require "luna.cli.options"

local spec = {
  usage = "FILE...", about = "Does things.", arguments = { 0, 2 },
  { "name", "NAME", "a name" }, { "all", nil, "all of it" }, { "dc", "ID", "a DC", many = true },
  { "kind", "KIND", "a kind", choices = { "a", "b" } },
}

local function fails(pattern, ...)
  local words = { ... }
  local ok, err = pcall(options.parse, spec, "do", words)
  assert.is_false(ok)
  assert.equal(2, err.status)
  assert.matches(pattern, tostring(err))
end

describe("luna.cli.options", function()
  it("takes values apart or joined, switches, and what is left", function()
    local args = options.parse(spec, "do", { "one", "--name", "x", "--all", "--dc=1", "--dc", "2", "two" })
    assert.same({ "one", "two", name = "x", all = true, dc = { "1", "2" } }, args)
  end)

  it("takes - and all after -- as arguments", function()
    assert.same({ "-", "--all" }, options.parse(spec, "do", { "-", "--", "--all" }))
  end)

  it("keeps what is after the first = sign", function()
    assert.equal("a=b", options.parse(spec, "do", { "--name=a=b" }).name)
  end)

  it("refuses wrong use with status 2 and a guess", function()
    fails("unknown option %-%-nmae; did you mean %-%-name%?", "--nmae", "x")
    fails("unknown option %-x", "-x")
    fails("%-%-name wants a value", "--name")
    fails("%-%-name wants a value", "--name=")
    fails("%-%-all takes no value", "--all=1")
    fails("%-%-name is given twice", "--name", "a", "--name", "b")
    fails("it is one of a, b", "--kind", "c")
    fails("\"three\" is one argument too many", "one", "two", "three")
  end)

  it("asks for nothing where help is wanted", function()
    assert.is_true(options.parse({ arguments = { 1 } }, "do", { "--help" }).help)
    assert.has_error(function() options.parse({ arguments = { 1 }, usage = "FILE..." }, "do", {}) end)
  end)

  it("lists every option in the help", function()
    local text = options.usage(spec, "do")
    assert.matches("^usage: luna do %[option%]%.%.%. FILE%.%.%.\n", text)
    for _, name in ipairs { "--name NAME", "--all ", "--dc ID", "--kind KIND", "--help" } do
      assert.truthy(text:find(name, 1, true), name)
    end
  end)
end)
