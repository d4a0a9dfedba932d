--- Which account of a session file is meant where no token says it.
local login = require "luna.login"
local store = require "_luna.store"

describe("login.accountName", function()
  it("takes the first that is logged in, not one whose token was refused", function()
    local s = store.open(nil)
    assert.equal("account", login.accountName({}, s))
    s:account "bot9"
    assert.equal("bot9", login.accountName({}, s))
    s:account("bot123456"):set("self", "x")
    assert.equal("bot123456", login.accountName({}, s))
    assert.equal("bot9", login.accountName({ botToken = "9:abcdefgh" }, s))
    s:close()
  end)
end)
