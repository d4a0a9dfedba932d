local redaction = require "luna.redaction"
local host = require "_luna.host"

describe("luna.redaction", function()
  it("masks what it was told of, and what has the form of a secret", function()
    host.secret "canary-of-redaction"
    assert.equal("a *** b", redaction.text "a canary-of-redaction b")
    assert.equal("123456789:*** ", redaction.text "123456789:AAEabc-_ ")
    assert.equal("call +44***01", redaction.text "call +441234567801")
    assert.equal("socks5://***@host:1", redaction.text "socks5://user:word@host:1")
    assert.equal("\0***\0", redaction.text "\0canary-of-redaction\0")
    assert.equal("12:30, 2026-01-01", redaction.text "12:30, 2026-01-01")
  end)

  it("copies a value with its secrets masked, by their names too", function()
    host.secret "canary-of-redaction"
    host.secret "1234567890123"
    local given = {
      password = "short", nested = { access_hash = 5, list = { "canary-of-redaction", 2, true } }, ["canary-of-redaction"] = 1,
      number = 1234567890123, other = 1234567890124, nan = 0 / 0,
    }
    assert.equal("***", redaction.value { media = { _ = "messageMediaContact", phone_number = "441234567801" } }.media.phone_number)
    local copy = redaction.value(given)
    assert.same({ "***", "***", 2, true, 1 }, { copy.password, copy.nested.list[1], copy.nested.list[2], copy.nested.list[3], copy["***"] })
    assert.same({ "***", "***", 1234567890124, "string" }, { copy.nested.access_hash, copy.number, copy.other, type(copy.nan) })
    assert.equal("short", given.password) -- a copy
  end)

  it("comes to an end with whatever table", function()
    local cyclic = {}
    cyclic.self = cyclic
    assert.equal("<cycle>", redaction.value(cyclic).self)
    local wide = {}
    for i = 1, 300 do wide[i] = wide[i // 2] and { wide[i // 2], wide[i // 3] } or { i } end -- shared again and again
    for i = 1, 100 do wide[i].all = wide end
    assert.is_table(redaction.value(wide))
    local deep = {}
    for _ = 1, 1000 do deep = { deep } end
    assert.equal("{…}", redaction.value(deep)[1][1][1][1][1][1])
    local hostile = setmetatable({}, { __pairs = error, __index = error, __len = function() return 1e9 end })
    assert.same({}, redaction.value(hostile))
  end)
end)
