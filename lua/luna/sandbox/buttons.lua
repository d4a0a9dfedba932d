--- Inline buttons: a press waits for the bot's answer. Called by the methods and by the test kit's people. Queries live in the running
--- process only: who asks is gone with it.
local core_ = require "_luna.promise"
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local actions = require "luna.sandbox.actions"
local keyboards = require "luna.sandbox.keyboards"
local updates = require "luna.sandbox.updates"

local buttons = {}

buttons.TIMEOUT = 10 -- seconds that a bot has

--- Presses the button with that data under a message that `by` sees: suspends until the bot has answered. Returns { message, alert, url,
--- cache }.
function buttons.press(model, by, peer, id, data)
  local core = actions.find(model, by, peer, id)
  local button = data and keyboards.byData(core.markup, data)
  if not button then rpc.fail(400, "DATA_INVALID") end
  local bot = model:user(core.via or core.by)
  if not bot or not bot.bot then rpc.fail(400, "MESSAGE_ID_INVALID") end
  if model.heard then model.heard("press", { by = by.user.id, core = core, data = data }) end
  local kept = core.answers and core.answers[data]
  if kept and kept.untilDate > model:now() then return kept.answer end
  local promise = core_.new()
  core_.markHandled(promise)
  local query = model:random()
  model.queries[query] = { bot = bot.id, user = by.user.id, promise = promise, core = core, data = data }
  local scope = peer < ids.CHANNEL and peer or core.gid
  local kind = core.via and core.by ~= core.via and "inlineCallback" or "callback"
  updates.push(model, bot.id, {
    { k = kind, gid = core.gid, query = query, from = by.user.id, data = data, instance = model:hash(bot.id, core.chat or scope) },
  })
  local done, answer = core_.awaitTimeout(promise, buttons.TIMEOUT)
  model.queries[query] = nil
  if not done then rpc.fail(400, "BOT_RESPONSE_TIMEOUT") end
  return answer
end

--- A bot answers a query. Raises QUERY_ID_INVALID where nobody waits for it.
function buttons.answer(model, bot, query, answer)
  local q = model.queries[query]
  if not q or q.bot ~= bot.id then rpc.fail(400, "QUERY_ID_INVALID") end
  model.queries[query] = nil
  if (answer.cache or 0) > 0 then
    q.core.answers = q.core.answers or {}
    q.core.answers[q.data] = { answer = answer, untilDate = model:now() + answer.cache }
  end
  if model.heard then model.heard("answer", { by = q.user, bot = bot.id, core = q.core, answer = answer }) end
  core_.resolve(q.promise, answer)
end

return buttons
