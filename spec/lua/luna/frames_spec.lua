local frames = require "luna.frames"
local errors = require "luna.errors"
local luna = require "luna"

local library = "luna.core:12: in function 'luna.core.callWith'"
local trace = "stack traceback:\n\t[C]: in function 'error'\n\t" .. library .. "\n\tbots/x.lua:3: in upvalue 'inner'\n"
  .. "\t(...tail calls...)\n\tbots/x.lua:9: in function <bots/x.lua:7>\n\t[C]: in function 'xpcall'\n\t[C]: in ?"

describe("luna.frames", function()
  it("keeps the script's frames, each once", function()
    local own = { "bots/x.lua:3: in upvalue 'inner'", "bots/x.lua:9: in function <bots/x.lua:7>" }
    assert.same(own, frames.own(trace))
    assert.same(own, frames.own(trace .. "\nawaited in:\n" .. trace))
    assert.same({ "luna.lua:1: in main chunk" }, frames.own "\tluna.lua:1: in main chunk") -- a script of that name
    assert.same({}, frames.own(nil))
  end)

  it("puts the script's place before a text that has none", function()
    local text, rest = frames.tidy("users.getUsers: USER_ID_INVALID (400)", trace)
    assert.equal("bots/x.lua:3: users.getUsers: USER_ID_INVALID (400)", text)
    assert.equal("bots/x.lua:3: in upvalue 'inner'\nbots/x.lua:9: in function <bots/x.lua:7>", rest)
    text, rest = frames.tidy("bots/x.lua:3: boo", "stack traceback:\n\tbots/x.lua:3: in function <bots/x.lua:1>")
    assert.same({ "bots/x.lua:3: boo" }, { text, rest }) -- the frame says nothing new
  end)

  it("keeps all frames of what is the library's own fault, or nobody's", function()
    assert.same({ "luna.core:12: attempt to index nil", trace }, { frames.tidy("luna.core:12: attempt to index nil", trace) })
    local none = "stack traceback:\n\t[C]: in ?"
    assert.same({ "x", none }, { frames.tidy("x", none) })
  end)

  it("a traceback grows by what is new alone", function()
    local err = luna.Exception "x"
    errors.annotate(err, trace)
    errors.annotate(err, (trace:gsub("luna.core:12", "luna.namespace:5"))) -- the same place of the script, passed on
    assert.equal(trace, err.traceback)
    errors.annotate(err, "stack traceback:\n\tbots/x.lua:20: in function <bots/x.lua:18>")
    assert.matches("\nawaited in:\nstack traceback:\n\tbots/x.lua:20", err.traceback)
  end)
end)
