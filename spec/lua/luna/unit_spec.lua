-- What a unit of systemd protects and still has to show. That systemd takes the whole of it: spec/cli/service_spec.lua.
local unit = require "luna.unit"

describe("a unit", function()
  it("shows homes only where something of it lies in one, and lets nobody write there", function()
    local function home(program, file)
      return unit.make({ program = program, files = { file }, account = "luna", closed = {} }).text:match "\nProtectHome=([^\n]+)\n"
    end
    assert.equal("yes", home("/usr/local/bin/luna", "/srv/bots/echo.lua"))
    assert.equal("yes", home("/usr/local/bin/luna", "/srv/home/echo.lua"))
    assert.equal("read-only", home("/usr/local/bin/luna", "/home/ann/echo.lua"))
    assert.equal("read-only", home("/home/ann/luna/build/luna", "/srv/bots/echo.lua"))
  end)
end)
