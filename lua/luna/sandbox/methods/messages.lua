--- messages.*: sending, editing, deleting, forwarding, typing, and buttons. What comes on the wire is turned into the arguments of actions.
local rpc = require "luna.sandbox.rpc"
local actions = require "luna.sandbox.actions"
local boxes = require "luna.sandbox.boxes"
local buttons = require "luna.sandbox.buttons"
local incoming = require "luna.sandbox.incoming"
local media = require "luna.sandbox.media"
local payments = require "luna.sandbox.payments"
local peers = require "luna.sandbox.peers"
local polls = require "luna.sandbox.polls"
local scheduled = require "luna.sandbox.scheduled"
local ids = require "luna.ids"

local messages = {}

local by, common, markup, mention, reply = incoming.by, incoming.common, incoming.markup, incoming.mention, incoming.reply

messages["messages.sendMessage"] = function(ctx, p)
  local peer = peers.marked(ctx, p.peer)
  if p.rich_message then rpc.fail(400, "RICH_MESSAGE_INVALID") end
  local m = common(ctx, p)
  local entries, id, core = incoming.send(ctx, peer, m, p.schedule_date)
  if core and not ctx.user.bot and peer > 0 and not core.markup then
    return {
      _ = "updateShortSentMessage", out = true, id = id, pts = entries[2].pts, pts_count = 1, date = core.date, entities = core.entities,
    }
  end
  return reply(ctx, entries)
end

-- Media that are more than what they show.
local makers = { inputMediaPoll = polls.make, inputMediaInvoice = payments.make }

messages["messages.sendMedia"] = function(ctx, p)
  local peer = peers.marked(ctx, p.peer)
  local m = common(ctx, p)
  local make = makers[p.media._]
  m.media = make and make(ctx.model, ctx.user, p.media) or media.take(ctx, p.media)
  if p.media._ == "inputMediaInvoice" then m.markup = m.markup or payments.keyboard(m.media) end
  return reply(ctx, (incoming.send(ctx, peer, m, p.schedule_date)))
end

messages["messages.sendMultiMedia"] = function(ctx, p)
  local peer = peers.marked(ctx, p.peer)
  if #p.multi_media == 0 then rpc.fail(400, "MEDIA_EMPTY") end
  if #p.multi_media > 10 then rpc.fail(400, "MULTI_MEDIA_TOO_LONG") end
  local taken, entries = {}, {}
  for i, single in ipairs(p.multi_media) do taken[i] = media.take(ctx, single.media) end
  local grouped = ctx.model:random()
  for i, single in ipairs(p.multi_media) do
    local m = common(ctx, {
      message = single.message, entities = single.entities, random_id = single.random_id, silent = p.silent, noforwards = p.noforwards,
      reply_to = p.reply_to,
    })
    m.media, m.grouped = taken[i], #taken > 1 and grouped or nil
    for _, entry in ipairs((incoming.send(ctx, peer, m, p.schedule_date))) do entries[#entries + 1] = entry end
  end
  return reply(ctx, entries)
end

messages["messages.uploadMedia"] = function(ctx, p)
  peers.marked(ctx, p.peer)
  return media.take(ctx, p.media)
end

messages["messages.forwardMessages"] = function(ctx, p)
  local from, to = peers.marked(ctx, p.from_peer), peers.marked(ctx, p.to_peer)
  if #p.id == 0 then rpc.fail(400, "MESSAGE_IDS_EMPTY") end
  if #p.id ~= #p.random_id then rpc.fail(400, "RANDOM_ID_INVALID") end
  if #p.id > 100 then rpc.fail(400, "MESSAGE_IDS_EMPTY") end
  local entries, made = actions.forward(ctx.model, by(ctx), from, p.id, to, {
    randoms = p.random_id, silent = p.silent, noforwards = p.noforwards, dropAuthor = p.drop_author, dropCaptions = p.drop_media_captions,
    top = p.top_msg_id,
    send = function(_, _, peer, m)
      local sent = incoming.send(ctx, peer, m, p.schedule_date)
      return sent[2], sent[1].id
    end,
  })
  local list = {}
  for i, entry in ipairs(entries) do
    list[#list + 1] = { k = "messageId", id = made[i], random = p.random_id[i] }
    list[#list + 1] = entry
  end
  return reply(ctx, list)
end

messages["messages.editMessage"] = function(ctx, p)
  local peer = peers.marked(ctx, p.peer)
  local m = { text = p.message, entities = p.entities, markup = markup(ctx, p.reply_markup), mention = mention(ctx) }
  local closed
  if p.media and p.media._ == "inputMediaPoll" then
    closed = polls.edit(ctx.model, by(ctx), peer, p.id, p.media)
    m.shown = true
  elseif p.media then
    m.media = media.take(ctx, p.media)
  end
  if p.schedule_date then return reply(ctx, { scheduled.edit(ctx.model, by(ctx), peer, p.id, m, p.schedule_date) }) end
  if not p.message and not p.media and not p.reply_markup and not ctx.user.bot then rpc.fail(400, "MESSAGE_EMPTY") end
  return reply(ctx, { actions.edit(ctx.model, by(ctx), peer, p.id, m), closed })
end

messages["messages.deleteMessages"] = function(ctx, p)
  if #p.id > 100 then rpc.fail(400, "MESSAGE_IDS_TOO_LONG") end
  local entry = actions.delete(ctx.model, by(ctx), p.id, p.revoke)
  return { _ = "messages.affectedMessages", pts = boxes.of(ctx.model, ctx.user.id).pts, pts_count = entry and entry.count or 0 }
end

messages["messages.deleteHistory"] = function(ctx, p)
  local peer = peers.marked(ctx, p.peer)
  if peer < ids.CHANNEL then rpc.fail(400, "PEER_ID_INVALID") end
  local dialog = boxes.dialog(ctx.model, ctx.user.id, peer)
  local list = {}
  for _, id in ipairs(dialog and dialog.ids or {}) do
    if p.max_id == 0 or id <= p.max_id then list[#list + 1] = id end
  end
  local entry = actions.delete(ctx.model, by(ctx), list, p.revoke)
  if dialog and #dialog.ids == 0 and not p.just_clear then boxes.of(ctx.model, ctx.user.id).dialogs[peer] = nil end
  return {
    _ = "messages.affectedHistory", pts = boxes.of(ctx.model, ctx.user.id).pts, pts_count = entry and entry.count or 0, offset = 0,
  }
end

messages["messages.setTyping"] = function(ctx, p)
  actions.typing(ctx.model, by(ctx), peers.marked(ctx, p.peer), p.action)
  return true
end

messages["messages.startBot"] = function(ctx, p)
  local bot = peers.user(ctx, p.bot)
  if not bot.bot then rpc.fail(400, "BOT_INVALID") end
  if #p.start_param > 64 then rpc.fail(400, "START_PARAM_TOO_LONG") end
  if p.start_param:find "[^%w_%-]" then rpc.fail(400, "START_PARAM_INVALID") end
  local peer = p.peer._ == "inputPeerEmpty" and bot.id or peers.marked(ctx, p.peer)
  local text = "/start"
  if peer < 0 then text = text .. "@" .. (bot.username or "") end
  if p.start_param ~= "" then text = text .. " " .. p.start_param end
  local entry, id = actions.send(ctx.model, by(ctx), peer, { text = text, random = p.random_id })
  return reply(ctx, { { k = "messageId", id = id, random = p.random_id }, entry })
end

messages["messages.getBotCallbackAnswer"] = function(ctx, p)
  local answer = buttons.press(ctx.model, by(ctx), peers.marked(ctx, p.peer), p.msg_id, p.data)
  return {
    _ = "messages.botCallbackAnswer", alert = answer.alert, has_url = answer.url and true or nil, native_ui = true,
    message = answer.message,
    url = answer.url, cache_time = answer.cache or 0,
  }
end

messages["messages.setBotCallbackAnswer"] = function(ctx, p)
  buttons.answer(ctx.model, ctx.user, p.query_id, { message = p.message, alert = p.alert, url = p.url, cache = p.cache_time })
  return true
end

messages["messages.updatePinnedMessage"] = function(ctx, p)
  local peer = peers.marked(ctx, p.peer)
  return reply(ctx, actions.pin(ctx.model, by(ctx), peer, p.id, not p.unpin, { silent = p.silent, oneSide = p.pm_oneside }))
end

return messages
