-- Markup that a stranger made up: the parsers' time is in proportion to its length, and what they give is what Telegram takes.
local entities = require "luna.entities"
local task = require "_luna.task"

local N = 40000

-- What makes a parser look ahead in vain, or nest.
local texts = {
  html = {
    ("<b>"):rep(N) .. "x" .. ("</b>"):rep(N), ("<b>"):rep(N), ("</b>"):rep(N), ("<"):rep(N), "<" .. ("a"):rep(N), "<a " .. ("b"):rep(N),
    "<a " .. ("b=\""):rep(N) .. ">x</a>", "<a href='" .. ("x"):rep(N) .. ">", ("&"):rep(N), ("&#x"):rep(N), "a" .. (" "):rep(N) .. "a",
    (" "):rep(N), ("<a href=\"http://x\">"):rep(N), ("<pre><code>"):rep(N),
  },
  markdown = {
    ("*"):rep(N), ("*a "):rep(N), ("["):rep(N), ("[a]("):rep(N), ("[a](x"):rep(N), "[" .. ("a"):rep(N) .. "](", ("`"):rep(N), ("_a"):rep(N),
    (" _a"):rep(N), ("\\"):rep(N), ("__*"):rep(N), ("*_"):rep(N) .. "x" .. ("_*"):rep(N), ("```"):rep(N), ("||~"):rep(N), (" \\_"):rep(N),
  },
}

describe("markup", function()
  for mode, list in pairs(texts) do
    for i, text in ipairs(list) do
      it(("%s %d is parsed in time: %s…"):format(mode, i, text:sub(1, 12)), function()
        task.sleep(0)
        local began = os.clock()
        local plain, found = entities[mode](text)
        assert.is_true(os.clock() - began < 3, ("%.1f s"):format(os.clock() - began))
        local units = entities.units(plain)
        assert.is_true(#plain <= #text)
        for _, e in ipairs(found) do
          assert.is_true(e.offset >= 0 and e.length > 0 and e.offset + e.length <= units)
        end
      end)
    end
  end

  it("counts a name of four bytes as the two units that Telegram sees, and refuses halves", function()
    local plain, found = entities.html "\u{1F600}<b>\u{1F600}x</b>&#xD83D;&#55357;"
    assert.equal("\u{1F600}\u{1F600}x&#xD83D;&#55357;", plain)
    assert.equal(2, found[1].offset)
    assert.equal(3, found[1].length)
    for i = 2, #found do assert.is_true(found[i].offset >= found[i - 1].offset) end
  end)

  it("of a user's name does not leave it once it is escaped", function()
    local name = '<a href="http://evil">&amp;\u{1F600}</a><b>'
    local plain, found = entities.html("<i>" .. entities.escape(name) .. "</i>")
    assert.equal(name, plain)
    assert.equal(1, #found)
    assert.equal("messageEntityItalic", found[1]._)
  end)
end)
