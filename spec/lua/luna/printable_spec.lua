local printable = require "luna.printable"

describe("luna.printable", function()
  it("takes out what would steer a terminal, and nothing else", function()
    assert.equal("a[2J]0;t", printable.text "a\27[2J\0\27]0;t\7\127\r")
    assert.equal("2Jé\u{a0}–½", printable.text "\u{9b}2Jé\u{80}\u{a0}–½")
    assert.equal("one\n\ttwo", printable.text "one\n\ttwo")
    assert.equal("a<1b>[<c29b>", printable.text("a\27[\u{9b}", function(c)
      return "<" .. c:gsub(".", function(b) return ("%02x"):format(b:byte()) end) .. ">"
    end))
  end)

  it("makes one line of several", function()
    assert.equal("a b c  d", printable.line "a\nb\tc\r\u{9b}d")
  end)
end)
