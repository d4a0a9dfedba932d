--- messages.*InlineBot*: inline queries, their answers, and what is sent by way of a bot.
local rpc = require "luna.sandbox.rpc"
local incoming = require "luna.sandbox.incoming"
local inline = require "luna.sandbox.inline"
local media = require "luna.sandbox.media"
local peers = require "luna.sandbox.peers"

local methods = {}

methods["messages.getInlineBotResults"] = function(ctx, p)
  local bot = peers.user(ctx, p.bot)
  local peer = p.peer._ == "inputPeerEmpty" and bot.id or peers.marked(ctx, p.peer)
  local geo = p.geo_point
  if geo and geo._ == "inputGeoPoint" then
    geo = { _ = "geoPoint", lat = geo.lat, long = geo.long, access_hash = 0, accuracy_radius = geo.accuracy_radius }
  else
    geo = nil
  end
  local q = inline.ask(ctx.model, incoming.by(ctx), bot, peer, { query = p.query, offset = p.offset, geo = geo })
  return inline.show(q, ctx.layer)
end

methods["messages.setInlineBotResults"] = function(ctx, p)
  inline.answer({
    model = ctx.model, user = ctx.user, dc = ctx.dc, mention = incoming.mention(ctx),
    markup = function(m) return incoming.markup(ctx, m) end,
  }, p)
  return true
end

methods["messages.sendInlineBotResult"] = function(ctx, p)
  local peer = peers.marked(ctx, p.peer)
  if p.schedule_date then rpc.fail(400, "SCHEDULE_DATE_INVALID") end -- not in this sandbox
  local m = incoming.common(ctx, p)
  local entry, id = inline.send(ctx.model, incoming.by(ctx), peer, p.query_id, p.id, m)
  return incoming.reply(ctx, { { k = "messageId", id = id, random = p.random_id }, entry })
end

methods["messages.editInlineBotMessage"] = function(ctx, p)
  if not ctx.user.bot then rpc.fail(400, "USER_BOT_REQUIRED") end
  local m = {
    text = p.message, entities = p.entities, markup = incoming.markup(ctx, p.reply_markup), mention = incoming.mention(ctx),
    media = p.media and media.take(ctx, p.media),
  }
  inline.edit(ctx.model, ctx.user, p.id, m)
  return true
end

return methods
