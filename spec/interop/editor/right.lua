-- What a script may write: a checker has nothing to say about it.
local luna = require "luna"

---@class Right: luna.EventHandler
local Right = luna.EventHandler:extend "Right"
Right.settings = { floodTimeout = 3, updates = { order = "chat" } }
Right.persist = { "seen" }

function Right:init() self.count = 0 end

function Right:onStart(reason) self:logger("started " .. reason, luna.Logger.VERBOSE) end

function Right:onUpdateNewMessage(update)
  local message = update.message
  self.count = self.count + 1
  local promise = self.users.getUsers({ id = { "me" } }, { async = true })
  print(luna.await(promise)[1].first_name, self:getInfo("me").type)
  print(self.users.getUsers({ id = { "me" } }, { timeout = 5 })[1].first_name)
  self.messages.sendMessage{ multiple = true, { peer = 1, message = "a" }, { peer = "me", message = "b" } }
  self.messages.sendMedia{ peer = update, media = message, message = "", reply_to = message }
  message:reply{ message = "Ready?", reply_markup = { inline_keyboard = { { { text = "Roll", callback_data = "roll" } } } } }
  message:reply{ message = "Yes?", reply_markup = { keyboard = { { "Yes", { text = "Here I am", request_location = true } } } } }
  self.messages.forwardMessages{ from_peer = message, id = { message.id }, to_peer = "me" }
  self.messages.editMessage{ peer = update, id = message.id, message = "x", parse_mode = "HTML" }
  self.messages.setTyping{ peer = message.peer_id, action = { _ = "sendMessageTypingAction" } }
  self.messages.sendMedia{ peer = "@username", message = "", media = { _ = "inputMediaPhotoExternal", url = "https://example.org/1.jpg" } }
  print(luna.await(self:sleep(1, { async = true })) + 1, luna.await(self.users.getUsers{ id = { "me" } })[1].first_name)
  print(pcall(self.messages.sendMessage, { peer = update, message = "x" }), luna.all{ self:sleep(2, { async = true }), promise })
  local unlock <close> = luna.flock("x", luna.LOCK_EX)
  local ok, err = pcall(function() self:sleep(1) end)
  if not ok and luna.is(err, luna.RPCErrorException) then print(tostring(err), unlock) end
  local errors, values = luna.some{ promise, function() return 1 end }
  print(errors, values, luna.timeout(promise, 3), message:getChat().title)
  for _, id in ipairs(message.action and message.action.users or {}) do print(id + 1) end
end

function Right:onUpdateBotCallbackQuery(update)
  self.messages.setBotCallbackAnswer{ query_id = update.query_id, message = "hi" }
end

Right:use(function(self, update, next)
  self:logger(update._ .. self.count)
  next()
end)
Right:command({ "a", "b" }, function(self, message, args, update)
  local answer, value = message:ask("x?", { check = "^%d+$", retry = "y", timeout = 3, late = "z", cancel = { command = "cancel" } })
  answer:reply(args[1] .. args.raw .. args.command .. tostring(value) .. update._)
  self:sleep(self.count)
end, { description = "a or b" })
Right:on({ callback = "^x" }, function(_, query, args)
  query:answer()
  query:edit(args[1])
  print(query.data, query:ask("y").message)
end)
Right:on(function(message) return message.message == "x" end, function(_, message) message:reply "y" end)
Right:on({ "^a", { private = true, where = function(m) return m.date > 3 end } }, function(_, message) message:reply "y" end)
Right:on({ inline = true }, function(_, query) query:answer{ { title = "x", input_message_content = "y" } } end)

Right:command("quick", function(_, message, args)
  if args.raw:find "^%d" then return message:reply "no number" end
  local sent = message:send("…", { timeout = 5 }):getMessage()
  if sent then sent:edit(args.command) end
  local later = luna.await(message:reply("later", { async = true }))
  print(later:getMessage())
end)

local Cron = luna.ResumableSignalLoop:extend "cron"
function Cron:loop()
  while not self:waitSignal(self:pause(2)) do self.API.messages.sendMessage{ peer = "me", message = "x" } end
end

local api = luna.API("x.session", { botToken = "x", app = { id = 1, hash = "" } })
Cron(api):start()
luna.PeriodicLoop(api, function() print "tick" end, "ticker", 60):start()
luna.GenericLoop(api, function() return luna.GenericLoop.STOP end, "ticker"):start()
for value in luna.iterator.fromTable{ 1, 2 } do print(value) end
local emitter = luna.Emitter()
luna.callFork(function()
  luna.await(emitter:emit(1))
  emitter:complete()
end)
for value in emitter:iterate() do print(value) end
luna.loop.delay(5, function(id) luna.loop.cancel(id) end)
local deferred = luna.Deferred()
deferred:resolve(3)
luna.await(deferred:promise())
local answer = luna.getHTTPClient():get("https://example.org", { timeout = 10 })
print(answer.status, #answer:body(), luna.json.encode({ 1 }, { pretty = true }))
if answer.status == 404 then error(luna.Exception "not there") end

return Right
