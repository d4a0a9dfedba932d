local luna = require "luna"
local json = luna.json

describe("luna.json", function()
  local function failure(text, opts)
    local ok, err = pcall(json.decode, text, opts)
    assert.is_false(ok, text)
    assert.is_true(luna.is(err, luna.JSONException))
    return err
  end

  it("decodes what JSON has", function()
    assert.same({ a = { 1, 2.5, -3, 1e3, true, false, "x" }, ["b c"] = { d = { e = "f" } } },
      json.decode ' {"a" : [1, 2.5, -3, 1e3, true, false, "x"],\r\n\t"b c":{"d":{"e":"f"}}} ')
    assert.equal(7, json.decode "7")
    assert.equal("", json.decode '""')
    assert.is_false(json.decode "false")
    assert.equal(json.null, json.decode "null")
    assert.equal("null", tostring(json.null))
  end)

  it("keeps whole numbers whole", function()
    assert.equal("integer", math.type(json.decode "9223372036854775807"))
    assert.equal(math.mininteger, json.decode "-9223372036854775808")
    assert.equal("[-9223372036854775808,9223372036854775807,0,-10]", json.encode { math.mininteger, math.maxinteger, 0, -10 })
    assert.equal("float", math.type(json.decode "9223372036854775808"))
    assert.equal("float", math.type(json.decode "1.0"))
    assert.equal("1.0", json.encode(1.0))
    assert.equal("0.1", json.encode(0.1))
    assert.equal("9007199254740993", json.encode(9007199254740993))
    for _, v in ipairs { 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, 123456789.125 } do
      assert.equal(v, json.decode(json.encode(v)))
    end
  end)

  it("decodes escapes", function()
    assert.equal('"\\/\b\f\n\r\t', json.decode [["\"\\\/\b\f\n\r\t"]])
    assert.equal("é€😀\0", json.decode [["\u00e9\u20AC\ud83d\ude00\u0000"]])
  end)

  it("says where a text is wrong", function()
    local err = failure '{"a": 1,\n "b": [1, 2,]}'
    assert.equal(2, err.line)
    assert.equal(13, err.column)
    assert.equal(22, err.position)
    assert.equal("json: line 2, column 13: a value is expected", tostring(err))
  end)

  it("takes nothing but JSON", function()
    for _, text in ipairs {
      "", " ", "{", "[", "]", "[1", "[1,", "[1 2]",
      "{1:2}", '{"a"}', '{"a":}', '{"a":1,}', "{'a':1}", "01", "-", "1.", ".5", "1e", "+1", "0x10",
      "tru", "nul",
      "True", "NaN", "Infinity", '"', '"\\', '"\\x"', '"\\u12"', '"\\ud800"', '"\\udc00"', '"\\ud800\\u0041"', '"a\nb"', "\"\255\"",
      "\"\237\160\128\"", "\"\192\128\"", "[1]]",
      "1 2", "// x\n1", "[1]\0", "1e999", "\239\187\191" .. "1",
    } do
      failure(text)
    end
  end)

  it("goes only so deep", function()
    assert.truthy(json.decode(("["):rep(128) .. ("]"):rep(128)))
    assert.matches("nested too deeply", tostring(failure(("["):rep(200000))))
    assert.matches("nested too deeply", tostring(failure("[[[1]]]", { maxDepth = 2 })))
    assert.truthy(json.decode("[[1]]", { maxDepth = 2 }))
    local loop = {}
    loop[1] = loop
    assert.has_error(function() json.encode(loop) end)
  end)

  it("drops null where it is asked to", function()
    assert.same({ 1, 2 }, json.decode("[1, null, 2]", { dropNull = true }))
    assert.same({ b = 1 }, json.decode('{"a": null, "b": 1}', { dropNull = true }))
    assert.equal(json.null, json.decode('{"a": null}').a)
  end)

  it("encodes in one line or in many, names in order", function()
    local value = { b = { 1, { x = true } }, a = "é\"\1", ["_"] = json.null, c = {} }
    assert.equal([[{"_":null,"a":"é\"\u0001","b":[1,{"x":true}],"c":[]}]], json.encode(value))
    assert.equal([[
{
    "_": null,
    "a": "é\"\u0001",
    "b": [
        1,
        {
            "x": true
        }
    ],
    "c": []
}]], json.encode(value, { indent = 4 }))
    assert.equal("{\n  \"a\": 1\n}", json.encode({ a = 1 }, { pretty = true }))
  end)

  it("knows empty lists from empty objects", function()
    assert.equal("[]", json.encode {})
    assert.equal("{}", json.encode(json.object {}))
    assert.equal('{"a":{},"b":[]}', json.encode(json.decode '{"a":{},"b":[]}'))
    local list = json.decode "[]"
    list[1] = "x"
    assert.equal('["x"]', json.encode(list))
    local object = json.decode "{}"
    object.a = 1
    assert.equal('{"a":1}', json.encode(object))
  end)

  it("encodes bytes as MadelineProto does, or refuses", function()
    assert.equal('{"f":{"_":"bytes","bytes":"//4="}}', json.encode { f = "\255\254" })
    assert.has_error(function() json.encode({ f = "\255\254" }, { strict = true }) end)
  end)

  it("counts the nil holes of combinators", function()
    local results = luna.all { function() return 1 end, function() end, function() return 3 end, function() end }
    assert.equal("[1,null,3,null]", json.encode(results))
  end)

  it("refuses what JSON cannot hold, at the caller's line", function()
    for _, value in ipairs { { print }, { io.stdout }, { 0 / 0 }, { math.huge }, { [1] = 1, [3] = 3 }, { 1, a = 2 },
      { [1.5] = 1 }, { [true] = 1 },
      { ["\255"] = 1 }, { luna.Success(1) } } do
      local ok, err = pcall(function() json.encode(value) end)
      assert.is_false(ok)
      assert.matches("^[^\n]*json_spec.lua:%d+: json: [^\n]+$", err)
    end
    for _, fn in ipairs { function() json.encode({}, { prety = true }) end, function() json.decode(5) end } do
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.matches("json_spec.lua:%d+: ", err)
    end
  end)
end)
