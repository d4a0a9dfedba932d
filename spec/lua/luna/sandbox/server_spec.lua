-- Requests in their wrappings: layers, order, what the sandbox has not got.
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local connect = dofile(folder .. "/spec/support/wire.lua")

local promise = require "_luna.promise"
local tl = require "_luna.tl"

describe("sandbox requests", function()
  local world = require("luna.sandbox").world()
  local c = connect(world)
  c:login "9996620001"

  local function wrapped(query, ...)
    for i = select("#", ...), 1, -1 do
      local wrapper = select(i, ...)
      wrapper.query = query
      query = wrapper
    end
    local name = query._
    query._ = nil
    return c:call(name, query)
  end

  it("come in every wrapping, and twice", function()
    local function init()
      return { _ = "initConnection", api_id = 1, device_model = "d", system_version = "s", app_version = "a", system_lang_code = "en",
        lang_pack = "", lang_code = "en" }
    end
    local function nearest() return { _ = "help.getNearestDc" } end
    assert.equal("nearestDc", wrapped(nearest(), { _ = "invokeWithLayer", layer = 230 }, init())._)
    local twice = wrapped(nearest(), { _ = "invokeWithLayer", layer = 230 }, init(), { _ = "invokeWithLayer", layer = 230 }, init())
    assert.equal("nearestDc", twice._)
    assert.equal("nearestDc", wrapped(nearest(), { _ = "invokeWithoutUpdates" })._)
    assert.equal("nearestDc", wrapped(nearest(), { _ = "invokeWithReCaptcha", token = "t" })._)
    assert.equal("nearestDc", wrapped(nearest(), { _ = "invokeWithTakeout", takeout_id = 1 })._)
    local range = { _ = "messageRange", min_id = 0, max_id = 1 }
    assert.equal("nearestDc", wrapped(nearest(), { _ = "invokeWithMessagesRange", range = range })._)
    assert.equal("nearestDc", wrapped(nearest(), { _ = "invokeAfterMsg", msg_id = 1 })._)
    assert.equal("nearestDc", wrapped(nearest(), { _ = "invokeAfterMsgs", msg_ids = { 1, 2 } })._)
    assert.equal("400 CONNECTION_ID_INVALID", (select(2, wrapped(nearest(), { _ = "invokeWithBusinessConnection", connection_id = "x" }))))
  end)

  it("speak the layer that they say: none below the first, the newest above it", function()
    assert.equal("400 CONNECTION_LAYER_INVALID",
      (select(2, wrapped({ _ = "help.getNearestDc" }, { _ = "invokeWithLayer", layer = tl.firstLayer - 1 }))))
    assert.equal("nearestDc", wrapped({ _ = "help.getNearestDc" }, { _ = "invokeWithLayer", layer = 999 })._)
    local session = next(world.model.sessions[c.me.id])
    assert.equal(tl.layer, session:layer())
    wrapped({ _ = "help.getNearestDc" }, { _ = "invokeWithLayer", layer = 227 })
    assert.equal(227, session:layer())
    wrapped({ _ = "help.getNearestDc" }, { _ = "invokeWithLayer", layer = 230 })
  end)

  it("get no updates where they say so", function()
    wrapped({ _ = "updates.getState" }, { _ = "invokeWithoutUpdates" })
    assert.is_nil(world.model.sessions[c.me.id])
    c:must "updates.getState"
    assert.is_truthy(world.model.sessions[c.me.id])
  end)

  it("wait for an earlier one, and fail with it", function()
    local methods = require "luna.sandbox.methods"
    local old = methods["help.getInviteText"]
    local order, gate = {}, promise.new()
    methods["help.getInviteText"] = function()
      promise.await(gate)
      order[#order + 1] = "first"
      return { _ = "help.inviteText", message = "" }
    end
    local oldSecond = methods["help.getNearestDc"]
    methods["help.getNearestDc"] = function(...)
      order[#order + 1] = "second"
      return oldSecond(...)
    end
    finally(function() methods["help.getInviteText"], methods["help.getNearestDc"] = old, oldSecond end)
    local a = c.conn:callAsync("help.getInviteText", {})
    local b = c.conn:callAsync("help.getNearestDc", {}, { after = c.conn:lastRequest() })
    c:must "updates.getState"
    assert.same({}, order)
    promise.resolve(gate)
    promise.await { a, b }
    assert.same({ "first", "second" }, order)
    assert.equal("400 CHAT_ID_INVALID", (select(2, c:call("messages.getChats", { id = { 1 } }))))
    local done = next(world.model.sessions[c.me.id]).data.done
    local _, why = wrapped({ _ = "help.getNearestDc" }, { _ = "invokeAfterMsg", msg_id = done[#done] })
    assert.equal("400 MSG_WAIT_FAILED", why)
  end)

  it("for what is not there are refused, and the log names the method", function()
    local lines, old = {}, world.server.log
    world.server.log = function(_, text) lines[#lines + 1] = text end
    finally(function() world.server.log = old end)
    assert.equal("400 METHOD_NOT_IMPLEMENTED", (select(2, c:call("phone.getGroupCall", {
      call = { _ = "inputGroupCall", id = 1, access_hash = 1 }, limit = 1,
    }))))
    assert.equal("the sandbox has no phone.getGroupCall", lines[1])
  end)

  it("that make a handler fail are the sandbox's fault, said in the log", function()
    local methods = require "luna.sandbox.methods"
    local lines, old, oldLog = {}, methods["help.getInviteText"], world.server.log
    world.server.log = function(_, text) lines[#lines + 1] = text end
    finally(function()
      methods["help.getInviteText"], world.server.log = old, oldLog
      world.server.faulty = nil
    end)
    methods["help.getInviteText"] = function() error "oops" end
    assert.equal("500 INTERNAL", (select(2, c:call "help.getInviteText")))
    assert.matches("help.getInviteText failed in the sandbox: .*oops", lines[1])
    methods["help.getInviteText"] = function() return { _ = "help.inviteText" } end
    assert.equal("500 INTERNAL", (select(2, c:call "help.getInviteText")))
    assert.equal(2, world.server.faulty)
  end)

  it("of the wrong kind of account are refused", function()
    local bot = connect(world)
    bot:bot "7001:AAbbccdd"
    assert.equal("400 BOT_METHOD_INVALID", (select(2, bot:call("messages.getDialogs", {
      offset_date = 0, offset_id = 0, offset_peer = { _ = "inputPeerEmpty" }, limit = 1, hash = 0,
    }))))
    local commands = { scope = { _ = "botCommandScopeDefault" }, lang_code = "" }
    assert.equal("400 USER_BOT_REQUIRED", (select(2, c:call("bots.getBotCommands", commands))))
    bot:close()
  end)

  it("about commands of bots keep what they were given, by scope", function()
    local bot = connect(world)
    bot:bot "7001:AAbbccdd"
    local default = { _ = "botCommandScopeDefault" }
    local list = { { _ = "botCommand", command = "start", description = "begins" } }
    bot:must("bots.setBotCommands", { scope = default, lang_code = "", commands = list })
    assert.same(list, bot:must("bots.getBotCommands", { scope = default, lang_code = "" }))
    assert.same({}, bot:must("bots.getBotCommands", { scope = { _ = "botCommandScopeUsers" }, lang_code = "" }))
    local wrong = { scope = default, lang_code = "", commands = { { _ = "botCommand", command = "No way", description = "x" } } }
    assert.equal("400 BOT_COMMAND_INVALID", (select(2, bot:call("bots.setBotCommands", wrong))))
    local _, user = c:peer "bot7001_bot"
    local full = c:must("users.getFullUser", { id = { _ = "inputUser", user_id = user.id, access_hash = user.access_hash } })
    assert.same(list, full.full_user.bot_info.commands)
    bot:must("bots.resetBotCommands", { scope = default, lang_code = "" })
    assert.same({}, bot:must("bots.getBotCommands", { scope = default, lang_code = "" }))
    bot:close()
  end)
end)

-- Every handler is called with the emptiest parameters that the schema allows: it answers what the schema says, in every layer, or refuses.
describe("sandbox methods", function()
  local world = require("luna.sandbox").world()
  local methods = require "luna.sandbox.methods"
  local rpc = require "luna.sandbox.rpc"
  local plain = { int = 0, long = 0, double = 0, string = "", bytes = "", Bool = false }
  local object
  local function value(field, depth)
    if field.vector then return {} end
    if plain[field.type] ~= nil then return plain[field.type] end
    if field.type == "InputPeer" then return { _ = "inputPeerSelf" } end
    if field.type == "InputUser" then return { _ = "inputUserSelf" } end
    return object(tl.type(field.type)[1], depth + 1)
  end
  function object(name, depth)
    local o = { _ = name }
    if depth > 8 then return o end
    for _, field in ipairs(tl.constructor(name).params) do
      if not field.flag then o[field.name] = value(field, depth) end
    end
    return o
  end

  local names = {}
  for name in pairs(methods) do
    if name ~= "free" then names[#names + 1] = name end
  end
  table.sort(names)

  it("are all of the schema and answer by it", function()
    local person = world.model:addUser { first_name = "Person", phone = "9996620001" }
    local bot = world.model:addUser { first_name = "Bot", username = "a_bot", bot = true }
    local answered = 0
    for _, name in ipairs(names) do
      local described = assert(tl.method(name), name .. " is no method of the schema")
      for _, user in ipairs { person, bot } do
        if not (described.usersOnly and user.bot or described.botsOnly and not user.bot) then
          local p = { _ = name }
          for _, field in ipairs(described.params) do
            if not field.flag then p[field.name] = value(field, 0) end
          end
          local session = { authKeyId = 1, data = {}, dc = 2, layer = function() return 230 end }
          local ctx = {
            model = world.model, server = world.server, user = user, session = session, data = session.data, dc = 2, layer = 230,
            auth = { user = user.id, date = 0 },
          }
          local ok, result = pcall(methods[name], ctx, p)
          if ok then
            for layer = tl.firstLayer, tl.layer do
              local fits, why = pcall(tl.encodeResult, result, name, layer)
              assert(fits, ("%s in layer %d: %s"):format(name, layer, tostring(why)))
            end
            answered = answered + 1
          else
            assert(rpc.is(result), ("%s raised %s"):format(name, tostring(result)))
          end
        end
      end
    end
    assert.is_true(answered > 200)
    world.model.sessions = {} -- the sessions above were none
  end)
end)
