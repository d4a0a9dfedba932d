--- payments.*: invoices are sent by messages.sendMedia, paid and given back here.
local rpc = require "luna.sandbox.rpc"
local incoming = require "luna.sandbox.incoming"
local objects = require "luna.sandbox.objects"
local payments = require "luna.sandbox.payments"
local peers = require "luna.sandbox.peers"

local methods = {}

local function find(ctx, invoice)
  if invoice._ ~= "inputInvoiceMessage" then rpc.fail(400, "INVOICE_INVALID") end
  local peer = peers.marked(ctx, invoice.peer)
  local core, m = payments.find(ctx.model, incoming.by(ctx), peer, invoice.msg_id)
  return core, m, peer, ctx.model:hash(ctx.user.id, core.gid)
end

methods["payments.getPaymentForm"] = function(ctx, p)
  local core, m, _, form = find(ctx, p.invoice)
  return {
    _ = "payments.paymentFormStars", form_id = form, bot_id = core.by, title = m.title, description = m.description,
    invoice = {
      _ = "invoice", currency = m.currency, prices = { { _ = "labeledPrice", label = m.invoice.label, amount = m.total_amount } },
    },
    users = (objects.fill(ctx.model, ctx.user.id, { [core.by] = true })),
  }
end

methods["payments.sendStarsForm"] = function(ctx, p)
  local _, _, peer, form = find(ctx, p.invoice)
  if p.form_id ~= form then rpc.fail(400, "FORM_EXPIRED") end
  local entry = payments.pay(ctx.model, incoming.by(ctx), peer, p.invoice.msg_id)
  if not entry then rpc.fail(400, "BOT_PRECHECKOUT_FAILED") end
  return { _ = "payments.paymentResult", updates = incoming.reply(ctx, { entry }) }
end

methods["payments.refundStarsCharge"] = function(ctx, p)
  if not ctx.user.bot then rpc.fail(400, "USER_BOT_REQUIRED") end
  return incoming.reply(ctx, { payments.refund(ctx.model, incoming.by(ctx), peers.user(ctx, p.user_id).id, p.charge_id) })
end

methods["messages.setBotPrecheckoutResults"] = function(ctx, p)
  if not ctx.user.bot then rpc.fail(400, "USER_BOT_REQUIRED") end
  payments.answer(ctx.model, ctx.user, p.query_id, not p.success and (p.error or "") or nil)
  return true
end

return methods
