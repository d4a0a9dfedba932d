local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local fake = dofile(folder .. "/spec/support/fake_core.lua")
local tl = require "_luna.tl"
local luna = require "luna"
local Core = require "luna.core"
local namespace = require "luna.namespace"

-- A core whose connection answers by a function: fn(name, params, n) → result | nil, code, text.
local function connected(answer)
  local core = fake()
  core.call, core.queued, core.invoke = Core.callWith, Core.queued, Core.invoke
  core.sent = {}
  core.unauthorized = function() end
  core.conn = {
    ack = function() end,
    call = function(_, name, p)
      tl.encodeMethod(name, p) -- raises as the connection does
      core.sent[#core.sent + 1] = { name = name, params = p }
      luna.sleep(0)
      return answer(name, p, #core.sent)
    end,
  }
  core.dcs = { migrate = function(_, dc)
    core.migrated = dc
    return core.conn
  end }
  return core, setmetatable({}, { __index = function(_, name) return namespace.get(core, name) end })
end

local empty = { _ = "updates", updates = {}, users = {}, chats = {}, date = 0, seq = 0 }

describe("a method of a namespace", function()
  it("sends and gives the result", function()
    local core, api = connected(function() return { _ = "nearestDc", country = "DE", this_dc = 1, nearest_dc = 1 } end)
    assert.equal("DE", api.help.getNearestDc {}.country)
    assert.equal("DE", api.help.getNearestDc().country)
    assert.equal("help.getNearestDc", core.sent[1].name)
    assert.equal(api.help, api.help)
    assert.equal(api.help.getNearestDc, api.help.getNearestDc)
  end)

  it("complains at the caller's line, before anything is sent", function()
    local core, api = connected(function() return empty end)
    local function fails(fn, pattern)
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.matches("namespace_spec.lua:%d+: ", err)
      assert.matches(pattern, err)
    end
    fails(function() api.messages.sendMessage { peer = 5 } end, 'messages.sendMessage: missing parameter "message"')
    fails(function() api.messages.sendMessage { peer = 5, mesage = "x" } end, 'did you mean "message"')
    fails(function() api.messages.sendMessage { peer = 5, message = 7 } end, 'parameter "message"')
    fails(function() api.messages.sendMesage {} end, 'unknown method "messages.sendMesage"; did you mean "messages.sendMessage"')
    fails(function() api.messages:sendMessage {} end, "with a dot: api.messages.sendMessage")
    fails(function() api.messages.sendMessage "x" end, "wants a table of parameters")
    fails(function() api.messages.sendMessage({ peer = 5, message = "x" }, { asinc = true }) end,
      'unknown option "asinc"; did you mean "async"')
    fails(function() api.messages.sendMessage({ peer = 5, mesage = "x" }, { async = true }) end, 'did you mean "message"')
    fails(function() api.messages.sendMessage({ peer = 5, mesage = "x" }, { timeout = 1 }) end, 'did you mean "message"')
    fails(function() api.messages.x = 5 end, "cannot be set")
    for option, bad in pairs { async = "yes", timeout = "3", cancellation = 3, queue = {}, noResponse = 1, dc = "2" } do
      fails(function() api.help.getConfig({}, { [option] = bad }) end, ('the option "%s" wants'):format(option))
    end
    for _, seconds in ipairs { -1, 0 / 0, math.huge } do
      fails(function() api.help.getConfig({}, { timeout = seconds }) end, 'the option "timeout" wants a number of seconds')
    end
    assert.equal(0, #core.sent)
    fails(function() string.gsub("x", "x", function() api.help.getConfig {} end) end, "cannot wait inside string.gsub")
  end)

  it("sends nothing where it cannot wait for the answer, whatever the options", function()
    local core, api = connected(function() return empty end)
    core.conn.callAsync = core.conn.call
    local token = luna.CancellationTokenSource():getToken()
    for _, opts in ipairs { {}, { cancellation = token }, { queue = "q" }, { timeout = 5 } } do
      local ok, err = pcall(string.gsub, "x", "x", function() api.messages.sendMessage({ peer = "me", message = "x" }, opts) end)
      assert.is_false(ok)
      assert.matches("namespace_spec.lua:%d+: cannot wait inside string.gsub", err)
    end
    local ok, err = pcall(string.gsub, "x", "x", function()
      api.messages.sendMessage { multiple = true, { peer = "me", message = "x" } }
    end)
    assert.is_false(ok)
    assert.matches("namespace_spec.lua:%d+: cannot wait inside string.gsub", err)
    luna.sleep(0)
    assert.equal(0, #core.sent)
  end)

  it("is given no promises", function()
    local core, api = connected(function() return empty end)
    local late = luna.Success "me"
    for name, call in pairs {
      peer = function(opts) api.messages.sendMessage({ peer = late, message = "x" }, opts) end,
      message = function(opts) api.messages.sendMessage({ peer = "me", message = late }, opts) end,
      reply_to_msg_id = function(opts) api.messages.sendMessage({ peer = "me", message = "x", reply_to_msg_id = late.id }, opts) end,
      reply_markup = function(opts)
        api.messages.sendMessage({ peer = "me", message = "x", reply_markup = { inline_keyboard = { { late } } } }, opts)
      end,
      id = function(opts) api.users.getUsers({ id = { late } }, opts) end,
    } do
      for _, opts in ipairs { {}, { async = true } } do
        local ok, err = pcall(call, opts)
        assert.is_false(ok)
        assert.matches('namespace_spec.lua:%d+: %a+.%a+: parameter "' .. name .. '": promise not awaited$', err)
      end
    end
    assert.equal(0, #core.sent)
  end)

  it("says where an option stands", function()
    local _, api = connected(function() return empty end)
    local ok, err = pcall(api.messages.sendMessage, { peer = "me", message = "x", async = true })
    assert.is_false(ok)
    assert.matches('it has no parameter "async"; it is an option, which stands in a second table: ({…}, { async = … })', err, 1, true)
  end)

  it("gives a promise for async, by the call or by the mode", function()
    local core, api = connected(function() return { _ = "nearestDc", country = "DE", this_dc = 1, nearest_dc = 1 } end)
    local p = api.help.getNearestDc({}, { async = true })
    assert.equal("pending", luna.stateOf(p))
    assert.equal("DE", luna.await(p.country))
    core.async = true
    assert.equal("DE", luna.await(api.help.getNearestDc {}).country)
    assert.equal("DE", api.help.getNearestDc({}, { async = false }).country)
  end)

  it("raises what the server says as an object", function()
    local _, api = connected(function() return nil, 400, "CHAT_ADMIN_REQUIRED" end)
    local ok, err = pcall(api.help.getConfig)
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.RPCErrorException))
    assert.equal("help.getConfig: CHAT_ADMIN_REQUIRED (400): only an admin may do this", tostring(err))
    assert.matches("namespace_spec", err.traceback)
  end)

  it("several at once, with what failed", function()
    local core, api = connected(function(_, p) if p.message == "bad" then return nil, 400, "BAD" end return empty end)
    local results = api.messages.sendMessage { multiple = true, { peer = "me", message = "a" }, { peer = "me", message = "b" } }
    assert.equal(2, #results)
    assert.equal(2, #core.sent)
    local ok, err = pcall(api.messages.sendMessage, { multiple = true, { peer = "me", message = "bad" }, { peer = "me", message = "b" } })
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.MultiReasonException))
    assert.equal("BAD", err.reasons[1].rpc)
    assert.equal("updates", err.values[2]._)
  end)

  it("several at once, of which one is wrong: none is sent", function()
    local core, api = connected(function() return empty end)
    core.conn.call = function(_, name, p) -- leaves with its turn, unless it is cancelled before
      tl.encodeMethod(name, p)
      luna.sleep(0)
      core.sent[#core.sent + 1] = p
      return empty
    end
    for _, wrong in ipairs { { peer = "me", mesage = "b" }, { peer = "me" }, { peer = "me", message = 7 } } do
      for _, opts in ipairs { {}, { async = true } } do
        local ok, err = pcall(function()
          local r = api.messages.sendMessage({ multiple = true, { peer = "me", message = "a" }, wrong }, opts)
          return r
        end)
        assert.is_false(ok)
        assert.matches('namespace_spec.lua:%d+: messages.sendMessage: item 2 of multiple: .*"message"', err)
      end
    end
    local ok, err = pcall(function() api.messages.sendMessage { multiple = true, { peer = "me", message = "a" }, 5 } end)
    assert.is_false(ok)
    assert.matches("namespace_spec.lua:%d+: messages.sendMessage: item 2 of multiple is a number", err)
    luna.sleep(0)
    luna.sleep(0)
    assert.equal(0, #core.sent)
  end)

  it("is cancelled by a token", function()
    local source = luna.CancellationTokenSource()
    local _, api = connected(function()
      luna.sleep(100)
      return empty
    end)
    local p = api.help.getConfig({}, { async = true, cancellation = source:getToken() })
    source:cancel "enough"
    local ok, err = pcall(luna.await, p)
    assert.is_false(ok)
    assert.equal("enough", err.reason)
  end)

  it("several at once are all cancelled", function()
    local source, ended = luna.CancellationTokenSource(), {}
    local _, api = connected(function(_, p)
      local ok, err = pcall(luna.sleep, 100)
      ended[#ended + 1] = p.message .. (ok and " went on" or " " .. err.reason)
      return empty
    end)
    local p = api.messages.sendMessage({ multiple = true, { peer = "me", message = "a" }, { peer = "me", message = "b" } },
      { async = true, cancellation = source:getToken() })
    luna.sleep(0.001)
    source:cancel "enough"
    local ok, err = pcall(luna.await, p)
    assert.is_false(ok)
    assert.equal("enough", err.reason)
    luna.sleep(0)
    assert.same({ "a enough", "b enough" }, ended)
  end)
end)

describe("luna.middleware", function()
  local timer = require "_luna.timer"
  local function virtual(fn)
    timer.useClock(timer.newVirtual())
    local ok, err = pcall(fn)
    timer.useClock(nil)
    if not ok then error(err, 0) end
  end

  it("sleeps a flood wait and tries again", function()
    virtual(function()
      local core, api = connected(function(_, _, n)
        if n == 1 then return nil, 420, "FLOOD_WAIT_7" end
        return { _ = "nearestDc", country = "DE", this_dc = 1, nearest_dc = 1 }
      end)
      local before = timer.now()
      assert.equal("DE", api.help.getNearestDc().country)
      assert.is_true(timer.now() - before >= 7)
      assert.equal(2, #core.sent)
    end)
  end)

  it("does not sleep beyond the time that the call has", function()
    virtual(function()
      local core, api = connected(function() return nil, 420, "FLOOD_WAIT_50" end)
      local before = timer.now()
      local ok, err = pcall(api.help.getConfig, {}, { timeout = 3 })
      assert.is_false(ok)
      assert.is_true(luna.is(err, luna.TimeoutException))
      assert.is_true(timer.now() - before >= 3 and timer.now() - before < 4)
      assert.equal(1, #core.sent)
    end)
  end)

  it("does not sleep one that is too long", function()
    local _, api = connected(function() return nil, 420, "FLOOD_WAIT_61" end)
    local ok, err = pcall(api.help.getConfig)
    assert.is_false(ok)
    assert.equal(61, err.value)
  end)

  it("follows a migration, three times at most", function()
    local core, api = connected(function(_, _, n) return nil, 303, "USER_MIGRATE_" .. n end)
    local ok, err = pcall(api.help.getConfig)
    assert.is_false(ok)
    assert.equal("USER_MIGRATE", err.name)
    assert.equal(3, core.migrated)
    assert.equal(4, #core.sent)
  end)

  it("tries the server's own errors again, with growing waits, five times", function()
    virtual(function()
      local core, api = connected(function() return nil, 500, "INTERNAL" end)
      local ok, err = pcall(api.help.getConfig)
      assert.is_false(ok)
      assert.equal(500, err.code)
      assert.equal(6, #core.sent)
    end)
  end)

  it("takes a double for a success", function()
    local _, api = connected(function() return nil, 500, "RANDOM_ID_DUPLICATE" end)
    local before = api.messages.sendMessage { peer = "me", message = "x" }
    assert.equal("luna.alreadySent", before._)
    assert.is_nil(before:getMessage())
  end)

  it("sends the same random_id when it tries again", function()
    virtual(function()
      local core, api = connected(function(_, _, n)
        if n == 1 then return nil, 500, "INTERNAL" end
        return empty
      end)
      api.messages.sendMessage { peer = "me", message = "x" }
      assert.equal(core.sent[1].params.random_id, core.sent[2].params.random_id)
    end)
  end)

  it("names local failures", function()
    local _, api = connected(function() return nil, 0, "TIMEOUT", "" end)
    local ok, err = pcall(api.help.getConfig)
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.TimeoutException))
    _, api = connected(function() return nil, 0, "CLOSED", "gone" end)
    ok, err = pcall(api.help.getConfig)
    assert.is_false(ok)
    assert.is_true(luna.is(err, luna.ConnectionException))
    assert.equal("CLOSED", err.name)
  end)
end)
