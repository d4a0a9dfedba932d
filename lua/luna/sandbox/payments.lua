--- Payments in Stars: invoices of bots, what a person pays, the bot's word before it is taken, refunds. Currencies that want a provider are
--- not here, and nobody runs out of Stars. Called by the methods and by the test kit's people.
local core_ = require "_luna.promise"
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local actions = require "luna.sandbox.actions"
local updates = require "luna.sandbox.updates"

local payments = {}

payments.TIMEOUT = 10 -- seconds that a bot has to say whether it goes on
local PAYLOAD_MAX = 128

--- Makes the media that a core keeps of an inputMediaInvoice. What the bot alone may see of it is in `invoice`: see objects.media.
function payments.make(_, user, m)
  local invoice, total = m.invoice, 0
  if not user.bot then rpc.fail(400, "USER_BOT_REQUIRED") end
  if invoice.currency ~= "XTR" then rpc.fail(400, "PAYMENT_PROVIDER_INVALID") end
  for _, price in ipairs(invoice.prices) do total = total + price.amount end
  if #invoice.prices ~= 1 or total <= 0 then rpc.fail(400, "CURRENCY_TOTAL_AMOUNT_INVALID") end
  if #m.payload == 0 or #m.payload > PAYLOAD_MAX then rpc.fail(400, "INVOICE_PAYLOAD_INVALID") end
  return {
    _ = "messageMediaInvoice", title = m.title, description = m.description, currency = invoice.currency, total_amount = total,
    start_param = m.start_param or "", invoice = { payload = m.payload, label = invoice.prices[1].label },
  }
end

--- The button of an invoice that has been sent without one.
function payments.keyboard(media)
  return { _ = "replyInlineMarkup", rows = { { _ = "keyboardInlineButtonRow", buttons = {
    { _ = "keyboardInlineButton", text = ("Pay %d %s"):format(media.total_amount, media.currency), type = { _ = "inlineButtonTypeBuy" } },
  } } } }
end

--- The core of an invoice in the chat with its bot, and its media.
function payments.find(model, by, peer, id)
  local core = actions.find(model, by, peer, id)
  local m = core.media
  if not m or m._ ~= "messageMediaInvoice" or core.by ~= peer then rpc.fail(400, "MESSAGE_ID_INVALID") end
  if m.invoice.paid then rpc.fail(400, "INVOICE_ALREADY_PAID") end
  return core, m
end

--- Pays; suspends until the bot has said whether it goes on. Returns the payer's entry and the core of the receipt; or nil and the bot's
--- words where it refuses.
function payments.pay(model, by, peer, id)
  local _, m = payments.find(model, by, peer, id)
  local promise, query = core_.new(), model:random()
  core_.markHandled(promise)
  model.checkouts[query] = { bot = peer, promise = promise }
  updates.push(model, peer, { {
    k = "checkout", query = query, from = by.user.id, payload = m.invoice.payload, currency = m.currency, amount = m.total_amount,
  } })
  local done, refusal = core_.awaitTimeout(promise, payments.TIMEOUT)
  model.checkouts[query] = nil
  if not done then rpc.fail(400, "BOT_PRECHECKOUT_TIMEOUT") end
  if refusal then return nil, refusal end
  payments.find(model, by, peer, id) -- nobody has paid meanwhile
  m.invoice.paid = true
  local charge = ("charge%016x"):format(model:random())
  model.state.charges[charge] = { bot = peer, user = by.user.id, currency = m.currency, amount = m.total_amount }
  local entry, _, core = actions.send(model, by, peer, { reply = id, action = {
    _ = "messageActionPaymentSentMe", currency = m.currency, total_amount = m.total_amount, payload = m.invoice.payload,
    charge = { _ = "paymentCharge", id = charge, provider_charge_id = charge },
  } })
  return entry, core
end

--- A bot says whether a payment goes on. refusal: its words where it does not.
function payments.answer(model, bot, query, refusal)
  local q = model.checkouts[query]
  if not q or q.bot ~= bot.id then rpc.fail(400, "QUERY_ID_INVALID") end
  if refusal == "" then rpc.fail(400, "ERROR_TEXT_EMPTY") end
  model.checkouts[query] = nil
  core_.resolve(q.promise, refusal)
end

--- A bot gives Stars back. Returns its entry.
function payments.refund(model, by, uid, id)
  local charge = model.state.charges[id]
  if not charge or charge.bot ~= by.user.id or charge.user ~= uid then rpc.fail(400, "CHARGE_NOT_FOUND") end
  if charge.refunded then rpc.fail(400, "CHARGE_ALREADY_REFUNDED") end
  charge.refunded = true
  return (actions.send(model, by, uid, { action = {
    _ = "messageActionPaymentRefunded", peer = ids.toPeer(by.user.id), currency = charge.currency, total_amount = charge.amount,
    charge = { _ = "paymentCharge", id = id, provider_charge_id = id },
  } }))
end

return payments
