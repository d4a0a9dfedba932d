local help = require "luna.help"
local examples = require "luna.help.examples"
local comforts = require "luna.help.comforts"
local errors = require "luna.errors"
local luna = require "luna"
local tl = require "_luna.tl"

local function says(word, ...)
  local text = help.text(word)
  assert.truthy(text, word)
  for _, part in ipairs { ... } do assert.truthy(text:find(part, 1, true), ("%s: %s\n%s"):format(word, part, text)) end
  return text
end

describe("luna.help", function()
  it("explains a method: parameters, comforts, who may call it, errors, an example", function()
    local text = says("messages.sendMessage", "api.messages.sendMessage{ ... }: Updates\n  For bots and for users.", "parse_mode",
      "reply_to_msg_id", '"@username", a t.me', "a keyboard of the Bot API", "random_id", "filled in",
      "400  MESSAGE_EMPTY                the text is empty", "example\n  self.messages.sendMessage{")
    assert.matches("\n  peer +InputPeer +a peer %(1%)\n  message +string\n\nmay be left out\n", text)
    says("messages.getHistory", "For users only, not for bots.")
    says("messages.setBotCallbackAnswer", "For bots only.", "cache_time", "seconds; 0 where it is not given")
    says("sendMessage", "api.messages.sendMessage{", "also of this name\n  ephemeral.sendMessage")
  end)

  it("explains types, constructors, updates, namespaces", function()
    says("InputPeer", "inputPeerSelf", "methods that take it")
    says("Updates", "methods that give it")
    says("onUpdateNewMessage", "updateNewMessage: of the type Update", "function Bot:onUpdateNewMessage(update)")
    says("messages", "messages.sendMessage")
  end)

  it("explains errors, with a number or without, and what to do", function()
    for _, word in ipairs { "FLOOD_WAIT", "FLOOD_WAIT_X", "FLOOD_WAIT_3" } do
      says(word, "FLOOD_WAIT_X: error 420", "Wait X seconds.", "floodTimeout", "err.value")
    end
    says("FILE_PART_3_MISSING", "FILE_PART_X_MISSING: error 400")
    says("MESSAGE_NOT_MODIFIED", "The new text is the old one.", "messages.editMessage")
    says("ABOUT_TOO_LONG", "error 400", "account.updateProfile")
  end)

  it("explains the Lua API and the test kit", function()
    for _, word in ipairs { "sleep", "luna.sleep", "self:sleep", "api:sleep" } do says(word, "luna.sleep(seconds)", "example") end
    says("message:reply", "message:reply(x, options?)")
    says("person:expect", "person:expect(peer, seconds?, filter?)", "An error shows the conversation")
    says("expect", "person:expect(")
    says("click", "person:click(")
    says("world", "luna.sandbox.world(options?)", "world:run(what, options?)")
    says("luna.socket.connect", "luna.socket.connect(uri, options?)", "A socket, once it is connected", "timeout = 2")
    says("luna.Socket:read", "Socket:read(n?, options?)", "nil at the end")
    says("SocketServer", "for socket in server do", "accept")
    local page = says("EventHandler", "onStart", "self:release()")
    assert.equal(1, select(2, page:gsub("self:release%(%)", "")))
    for _, word in ipairs { "Bot:command", "Echo:command" } do says(word, "Bot:command(name, fn, options?)", "args.raw") end
    says("Filter", "callback_data", "private")
    says("query:answer", "query:answer(x?, options?)")
    says("message", "message: its methods", "message:ask(question, options?)", "also of this name", "message: of the type Message")
    says("query", "query: its methods", "query:answer(")
    says("self", "self:setCommands(")
    says("loop.delay", "luna.loop.delay(ms, fn, data?)")
  end)

  it("explains fields, parameters, options", function()
    says("onStart", "of luna.EventHandler", "function Bot:onStart(reason)")
    says("callback_data", "onUpdateBotCallbackQuery", "luna help InlineButton")
    says("parse_mode", "HTML or Markdown", 'parse_mode = "HTML"', "messages.editMessage")
    says("limit", "limit: a parameter (int)", "messages.getHistory")
    says("--sandbox", "luna run", "against the embedded sandbox")
    says("drop", "of luna.Fault")
  end)

  it("finds the error in a line of a log", function()
    says("bot.lua:3: messages.sendMessage: PEER_ID_INVALID (400): the account cannot write to this peer", "PEER_ID_INVALID: error 400")
    says("FLOOD_WAIT_7 (420)", "FLOOD_WAIT_X: error 420")
  end)

  it("explains settings and commands", function()
    says("floodTimeout", "floodTimeout: a setting (number)", "luna.conf.lua")
    says("updates.order", '"chat"|"none"|"all"', "updates = { order = … }")
    says("settings", "floodTimeout", "logger.level")
    says("run", "luna run: runs bots and scripts", "--sandbox")
    says("luna new", "usage: luna new")
    says(":break", ":break FUNCTION|FILE:LINE [if CONDITION]\n  holds a task", "luna repl")
    assert.is_nil((help.text ":nosuch"))
  end)

  it("searches where nothing is called so", function()
    says("sendM", "messages.sendMessage", "messages.sendMedia", "luna help NAME")
    says("flood", "floodTimeout", "FLOOD_WAIT_X")
  end)

  it("guesses, over all names", function()
    for wrong, right in pairs {
      ["mesages.sendMessage"] = "messages.sendMessage", sendMesage = "sendMessage", flodTimeout = "floodTimeout",
      FLOD_WAIT = "FLOOD_WAIT", onEror = "onError", calback_data = "callback_data",
      ["person:expct"] = "person:expect", sandbx = "sandbox", InputPer = "InputPeer", updateNewMesage = "updateNewMessage",
    } do
      local text, guess = help.text(wrong)
      assert.is_nil(text, wrong)
      assert.equal(right, guess)
    end
    assert.same({ nil, nil }, { help.text "zzzzzzzzzzzzz" })
  end)

  it("has words for errors in what a log says", function()
    assert.equal("FLOOD_WAIT_3 (420): wait 3 seconds", tostring(luna.RPCErrorException("FLOOD_WAIT_3", 420)))
    for name, words in pairs(require "luna.help.errors") do
      assert.equal(2, #words, name)
      assert.is_string(help.text(name), name)
    end
  end)

  it("names of the API exist: each function has its page", function()
    for _, entry in ipairs(require("luna.help.api").entries()) do
      local key = require("luna.help.api").key(entry)
      says(key, key)
    end
  end)

  it("uses marks at a terminal alone", function()
    assert.is_nil((help.text "sleep"):find "\27")
    assert.truthy((help.text("sleep", true)):find "\27%[1m")
  end)
end)

-- Examples run: whatever the sandbox says to them, no parameter of them is wrong.
describe("luna.help's examples", function()
  local world = require("luna.sandbox").world()
  local api

  setup(function()
    api = world:run(function() end, { settings = { floodTimeout = 0 } }).api
    local alice = world:user("Alice", { username = "username" })
    world:channel("Channel", { username = "channel", members = { alice } })
  end)

  local function attempt(name)
    local m = tl.method(name)
    local lines = examples.of(m, function(p) return (comforts.of(m, p) or {}).filled end)
    local text = table.concat(lines, "\n"):gsub("%l+%.jpg\"", "README.md\"") -- a file that is there
    local update = { _ = "updateNewMessage", data = "x", query_id = 1, query = "x", pts = 1, pts_count = 1,
      message = { _ = "message", id = 1, message = "x", date = 1, peer_id = { _ = "peerUser", user_id = api._core.me.id } } }
    if name:find "^channels%." then update = { _ = "updateChannel", channel_id = 1, message = { id = 1 } } end
    local Bot = setmetatable({}, { __newindex = function(_, _, fn) fn(api, update) end })
    local quiet = setmetatable({ print = function() end }, { __index = _G })
    local chunk = assert(load("local self, update, Bot = ...\n" .. text, "=" .. name, "t", quiet))
    local ok, err = pcall(chunk, api, update, Bot)
    if not ok and not errors.isException(err) then error(("%s\n%s"):format(err, text), 0) end
    if not ok and luna.is(err, luna.PeerException) and not tostring(err):find("channel or supergroup", 1, true) then
      error(("%s\n%s"):format(tostring(err), text), 0)
    end
  end

  it("take parameters as they have to be: those that are written", function()
    for _, name in ipairs(examples.names()) do attempt(name) end
  end)

  it("take parameters as they have to be: those that are made", function()
    for _, name in ipairs(tl.methods()) do
      if name:find(".", 1, true) and not tl.method(name).old and not name:find "^auth%." then attempt(name) end
    end
  end)
end)
