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
    assert.error_matches(function() return luna.json.encod end, 'luna.json has no "encod"; did you mean luna.json.encode%?')
    assert.error_matches(function() return luna.iterator.fromTabel end, "did you mean luna.iterator.fromTable%?")
    assert.is_nil(luna.json.somethingElse)
  end)

  it("explains Lua's own words about a name that is nil", function()
    local said = "bot.lua:3: attempt to call a nil value (method 'sleeep')"
    assert.equal(said .. '; did you mean "sleep"?', suggest.explain(said))
    assert.matches('"messages"%?$', suggest.explain "x:1: attempt to index a nil value (field 'mesages')")
    assert.matches('"reply"%?$', suggest.explain "x:1: attempt to call a nil value (method 'replay')")
    assert.matches('"print"%?$', suggest.explain "x:1: attempt to call a nil value (global 'pritn')")
    assert.equal("x:1: attempt to concatenate a nil value (field 'text'); the text of a message is its field \"message\"",
      suggest.explain "x:1: attempt to concatenate a nil value (field 'text')")
    assert.matches("; of a handler it is self.API$", suggest.explain "x:1: attempt to index a nil value (field 'api')")
    assert.matches("; messages have it, and the function of a route is function%(self, message%)$",
      suggest.explain "x:1: attempt to call a nil value (method 'reply')")
    local told = suggest.explain "x:1: attempt to call a nil value (method 'reply')"
    assert.equal(told, suggest.explain(told))
    assert.matches("; it is of a button's press: messages have", suggest.explain "x:1: attempt to call a nil value (method 'answer')")
    for _, other in ipairs {
      "x:1: attempt to index a nil value (field 'messages')", "x:1: attempt to call a nil value (method 'quiteDifferent')",
      "x:1: attempt to call a nil value (local 'sleeep')", "anything else",
    } do
      assert.equal(other, suggest.explain(other))
    end
  end)

  it("guesses in the test kit", function()
    local world = require("luna.sandbox").world()
    local alice = world:user "Alice"
    local function fails(what, fn) assert.error_matches(fn, what) end
    fails('world:run: unknown option "setings"; did you mean "settings"%?', function() world:run(function() end, { setings = {} }) end)
    fails('did you mean "username"%?', function() world:user("Bob", { user_name = "bob" }) end)
    fails('did you mean "members"%?', function() world:group("G", { member = { alice } }) end)
    fails('did you mean "megagroup"%?', function() world:channel("C", { megagrup = true }) end)
    fails('there is no fault "dorp"; did you mean "drop"%?', function() world:fault{ dorp = 1 } end)
    fails('a message has no "mesage"; did you mean "message"%?', function() alice:send(alice, { mesage = "x" }) end)
    assert.matches('did you mean "expect"%?', suggest.explain "x:1: attempt to call a nil value (method 'exepct')")
  end)

  it("guesses files", function()
    local near = require("luna.cli.options").nearFile
    assert.equal("; did you mean bots/echo.lua?", near "bots/ehco.lua")
    assert.equal("", near "bots/nothingOfTheKind.lua")
    assert.equal("", near "noFolder/echo.lua")
  end)
end)
