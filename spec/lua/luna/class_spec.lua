local Class = require "luna.class"

describe("luna.class", function()
  it("passes every argument to init", function()
    local Point = Class.new "Point"
    function Point:init(x, y) self.x, self.y = x, y end
    local p = Point(1, 2)
    assert.equal(1, p.x)
    assert.equal(2, p.y)
  end)

  it("inherits methods and metamethods", function()
    local Base = Class.new "Base"
    Base.__concat = function(a, b) return "joined" end
    function Base:hello() return "hello from " .. self.name end
    local Child = Base:extend "Child"
    local c = Child()
    c.name = "c"
    assert.equal("hello from c", c:hello())
    assert.equal("joined", c .. "x")
  end)

  it("says the class's name, or what __tostring of the nearest class says", function()
    local Base = Class.new "Base"
    local Child = Base:extend "Child"
    local Grandchild = Child:extend "Grandchild"
    assert.equal("Grandchild", tostring(Grandchild()))
    Base.__tostring = function() return "base's word" end -- set after the children were made
    assert.equal("base's word", tostring(Grandchild()))
    Child.__tostring = function() return "child's word" end
    assert.equal("child's word", tostring(Grandchild()))
    assert.equal("base's word", tostring(Base()))
  end)

  it("knows its instances", function()
    local Base, Other = Class.new "Base", Class.new "Other"
    local Child = Base:extend "Child"
    assert.is_true(Class.is(Child(), Base))
    assert.is_true(Class.is(Child(), Child))
    assert.is_false(Class.is(Base(), Child))
    assert.is_false(Class.is(Child(), Other))
    assert.is_false(Class.is({}, Base))
    assert.is_true(Class.isClass(Child))
    assert.is_false(Class.isClass(Child()))
    assert.is_true(Class.extends(Child, Base))
    assert.is_false(Class.extends(Base, Child))
  end)

  it("refuses extend on an instance and a name that is none", function()
    local Base = Class.new "Base"
    local b = Base()
    assert.error_matches(function() Base.extend(b, "X") end, "with a colon")
    assert.error_matches(function() Base:extend(5) end, "is a string, not a number")
  end)
end)
