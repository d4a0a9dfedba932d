-- Payments in Stars: invoices, the bot's word, receipts, refunds; and what is refused.
local luna = require "luna"
local folder = debug.getinfo(1, "S").source:match "^@(.*)/spec/lua/" or "."
local connect = dofile(folder .. "/spec/support/wire.lua")

-- An inputMediaInvoice. more: what is otherwise in the invoice.
local function invoice(amount, payload, more)
  local made = { _ = "invoice", currency = "XTR", prices = { { _ = "labeledPrice", label = "Tea", amount = amount } } }
  for k, v in pairs(more or {}) do made[k] = v end
  return {
    _ = "inputMediaInvoice", title = "Tea", description = "A cup of tea", payload = payload, invoice = made,
    provider_data = { _ = "dataJSON", data = "{}" },
  }
end

describe("payments in a world", function()
  local world = require("luna.sandbox").world()
  local Shop = luna.EventHandler:extend "Shop"
  local stock, log = 1, {}
  Shop:command("buy", function(_, message) message:send { media = invoice(5, "order 7") } end)
  function Shop:onUpdateBotPrecheckoutQuery(query)
    log[#log + 1] = ("%s %d %s"):format(query.payload, query.total_amount, query.currency)
    if stock < 0 then return end -- says nothing
    local ok = stock > 0
    self.messages.setBotPrecheckoutResults { query_id = query.query_id, success = ok or nil, error = not ok and "Sold out." or nil }
  end
  Shop:on({ action = "paymentSentMe" }, function(self, message)
    local action = message.action
    stock = stock - 1
    message:send("Thanks for " .. action.payload)
    if stock == 4 then self.payments.refundStarsCharge { user_id = message, charge_id = action.charge.id } end
  end)
  local bot, alice = world:run(Shop), world:user "Alice"
  local function ordered()
    alice:send(bot, "/buy")
    return alice:expect(bot, { media = "invoice" })
  end

  it("are made once the bot has agreed, and both have a receipt", function()
    local bill = ordered()
    assert.same({ "Tea", 5, "XTR" }, { bill.media.title, bill.media.total_amount, bill.media.currency })
    assert.is_nil(bill.media.invoice) -- the payload is the bot's
    assert.equal("Pay 5 XTR", bill.reply_markup.rows[1].buttons[1].text)
    local receipt = alice:pay(bill)
    assert.same({ "messageActionPaymentSent", 5 }, { receipt.action._, receipt.action.total_amount })
    assert.is_nil(receipt.action.payload)
    assert.equal("Thanks for order 7", alice:expect(bot).message)
    assert.same({ "order 7 5 XTR" }, log)
    assert.matches("2  shop_bot: %[invoice, Tea, 5 XTR%]\n +%[Pay 5 XTR%]\n +3  Alice pays 5 XTR", world:transcript())
    assert.error_matches(function() alice:pay(bill) end, "INVOICE_ALREADY_PAID")
  end)

  it("are refused in the bot's words, and can be tried again", function()
    local bill = ordered()
    local receipt, why = alice:pay(bill)
    assert.is_nil(receipt)
    assert.equal("Sold out.", why)
    stock = 1
    assert.truthy(alice:pay(bill))
    alice:expect(bot, "Thanks")
  end)

  it("fail where the bot says nothing", function()
    stock = -1
    local bill = ordered()
    local _, why = pcall(function() alice:pay(bill) end)
    assert.matches("payments_spec.lua:%d+: Alice: the sandbox refuses it: BOT_PRECHECKOUT_TIMEOUT %(the bot has not called", why)
    assert.error_matches(function() alice:pay(alice:send(bot, "hello")) end, "MESSAGE_ID_INVALID")
  end)

  it("are given back", function()
    stock = 5
    alice:pay(ordered())
    alice:expect(bot, "Thanks")
    assert.equal(5, alice:expect(bot, { action = "paymentRefunded" }).action.total_amount)
  end)
end)

describe("payments on the wire", function()
  local world = require("luna.sandbox").world()
  local alice, bot = connect(world), connect(world)
  alice:login "9996620001"
  bot:bot "7001:AAbbccdd"
  local toBot = alice:peer "bot7001_bot"
  alice:send(toBot, "/start")
  bot:expect "updateNewMessage"
  local toAlice = { _ = "inputPeerUser", user_id = alice.me.id, access_hash = 0 }
  local random = 100
  local function send(media, c)
    random = random + 1
    return (c or bot):call("messages.sendMedia", { peer = c and toBot or toAlice, media = media, message = "", random_id = random })
  end

  it("are refused as Telegram does", function()
    local function refused(...) return (select(2, send(...))) end
    assert.equal("400 PAYMENT_PROVIDER_INVALID", refused(invoice(5, "x", { currency = "EUR" })))
    assert.equal("400 CURRENCY_TOTAL_AMOUNT_INVALID", refused(invoice(0, "x")))
    assert.equal("400 INVOICE_PAYLOAD_INVALID", refused(invoice(5, "")))
    assert.equal("400 USER_BOT_REQUIRED", refused(invoice(5, "x"), alice))
    local none = { query_id = 5, success = true }
    assert.equal("400 QUERY_ID_INVALID", select(2, bot:call("messages.setBotPrecheckoutResults", none)))
    local unknown = { user_id = { _ = "inputUser", user_id = alice.me.id, access_hash = 0 }, charge_id = "x" }
    assert.equal("400 CHARGE_NOT_FOUND", select(2, bot:call("payments.refundStarsCharge", unknown)))
  end)

  it("go by a form", function()
    send(invoice(7, "order"))
    local bill = { _ = "inputInvoiceMessage", peer = toBot, msg_id = alice:expect("updateNewMessage").message.id }
    local form = alice:must("payments.getPaymentForm", { invoice = bill })
    assert.same({ "payments.paymentFormStars", bot.me.id, 7 }, { form._, form.bot_id, form.invoice.prices[1].amount })
    assert.equal("400 FORM_EXPIRED", select(2, alice:call("payments.sendStarsForm", { form_id = 1, invoice = bill })))
    local task = require "_luna.task"
    local paid = task.spawn(function() return alice:must("payments.sendStarsForm", { form_id = form.form_id, invoice = bill }) end)
    local query = bot:expect "updateBotPrecheckoutQuery"
    assert.equal("400 ERROR_TEXT_EMPTY", select(2, bot:call("messages.setBotPrecheckoutResults", { query_id = query.query_id })))
    bot:must("messages.setBotPrecheckoutResults", { query_id = query.query_id, success = true })
    local result = luna.await(paid)
    assert.equal("messageActionPaymentSent", result.updates.updates[1].message.action._)
    local action = bot:expect("updateNewMessage").message.action
    assert.same({ "messageActionPaymentSentMe", "order" }, { action._, action.payload })
  end)
end)
