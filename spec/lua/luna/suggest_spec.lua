local suggest = require "luna.suggest"
local luna = require "luna"
local tl = require "_luna.tl"

describe("luna.suggest", function()
  it("finds a name that is one slip away, in any case", function()
    local names = { "send", "sendMessage", "editMessage", "loop" }
    for wrong, right in pairs {
      sned = "send", lop = "loop", SENDMESSAGE = "sendMessage", sendMesage = "sendMessage", editMesasge = "editMessage",
    } do
      assert.equal(right, suggest.nearest(wrong, names), wrong)
    end
  end)

  it("guesses nothing where nothing is near", function()
    assert.is_nil(suggest.nearest("xyz", { "abc", "send" }))
    assert.is_nil(suggest.nearest("a", { "xyz" }))
    assert.is_nil(suggest.nearest("send", {}))
    assert.is_nil(suggest.nearest(nil, { "send" }))
    assert.equal("", suggest.hint("xyz", { "abc" }))
  end)

  it("takes keys, several tables, and the first of equals", function()
    assert.equal("order", suggest.nearest("oder", { catchUp = true, order = true }, { "other" }))
    assert.equal('; did you mean "bat"?', suggest.hint("bxt", { "but", "bit", "bat" }))
  end)

  it("guesses names of the schema by the same measure", function()
    assert.equal("messages.sendMessage", tl.suggest("messages.sendMesasge", "method"))
    assert.equal("inputPeerSelf", tl.suggest("inputPeerSlef", "constructor"))
    assert.is_nil(tl.suggest("xy", "type"))
  end)

  it("checks options", function()
    local known = { name = true, settings = true }
    assert.same({ name = 1 }, suggest.check({ name = 1 }, known, "run: unknown option"))
    assert.error_matches(function() suggest.check({ setings = 1 }, known, "run: unknown option") end,
      'run: unknown option "setings"; did you mean "settings"%?')
  end)

  it("is what luna says to a misspelt name; whether a name is there may be asked", function()
    assert.error_matches(function() return luna.slep end, 'luna has no "slep"; did you mean luna.sleep%?')
    assert.error_matches(function() return luna.Eventhandler end, "did you mean luna.EventHandler%?")
    assert.is_nil(luna.somethingElseAltogether)
  end)
end)
