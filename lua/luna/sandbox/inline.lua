--- Inline queries: what a person types after a bot's name, what the bot answers, and the message that is sent of it. Called by the methods
--- and by the test kit's people. Queries and answers live in the running process only.
local core_ = require "_luna.promise"
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local text = require "luna.sandbox.text"
local actions = require "luna.sandbox.actions"
local boxes = require "luna.sandbox.boxes"
local keyboards = require "luna.sandbox.keyboards"
local media = require "luna.sandbox.media"
local updates = require "luna.sandbox.updates"

local inline = {}

inline.TIMEOUT = 10 -- seconds that a bot has
local LIFE = 3600 -- seconds for which an answer can be chosen from
local KEPT_MAX = 1000 -- answers kept
local RESULTS_MAX, ID_MAX, OFFSET_MAX, QUERY_MAX = 50, 64, 64, 256
local PARAM_MAX = 64

-- ---- a query ----

local function peerType(model, bot, peer)
  local object, kind = model:object(peer)
  if peer == bot.id then return "inlineQueryPeerTypeSameBotPM" end
  if kind == "user" then return object.bot and "inlineQueryPeerTypeBotPM" or "inlineQueryPeerTypePM" end
  if kind == "chat" then return "inlineQueryPeerTypeChat" end
  return object.megagroup and "inlineQueryPeerTypeMegagroup" or "inlineQueryPeerTypeBroadcast"
end

-- What an answer may be given again for: the bot, what was asked, from where, and by whom where it is private.
local function keyOf(bot, ask, who)
  local geo = ask.geo and ("%.6f,%.6f"):format(ask.geo.lat, ask.geo.long) or ""
  return ("%d:%s:%s:%d:%s"):format(bot.id, ask.offset, geo, who, ask.query)
end

local function kept(model, bot, ask, uid)
  local cache = model.inline.cache
  local q = cache[keyOf(bot, ask, 0)] or cache[keyOf(bot, ask, uid)]
  return q and q.fresh > model:now() and q or nil
end

--- Asks a bot: suspends until it has answered. ask: query, offset, geo (a geoPoint). Returns the query as it is kept: { id, answer }.
function inline.ask(model, by, bot, peer, ask)
  if not bot.bot then rpc.fail(400, "BOT_INVALID") end
  if bot.noInline then rpc.fail(400, "BOT_INLINE_DISABLED") end
  ask.query, ask.offset = ask.query or "", ask.offset or ""
  local length = utf8.len(ask.query)
  if not length or #ask.offset > OFFSET_MAX then rpc.fail(400, "INPUT_FETCH_ERROR") end
  if length > QUERY_MAX then ask.query = ask.query:sub(1, utf8.offset(ask.query, QUERY_MAX + 1) - 1) end
  local known = kept(model, bot, ask, by.user.id)
  if known then return known end
  local promise = core_.new()
  core_.markHandled(promise)
  local q = { id = model:random(), bot = bot, user = by.user.id, ask = ask, promise = promise }
  model.inline.queries[q.id] = q
  if model.heard then model.heard("inline", { by = by.user.id, bot = bot.id, query = ask.query, offset = ask.offset }) end
  updates.push(model, bot.id, {
    {
      k = "inlineQuery", query = q.id, from = q.user, text = ask.query, offset = ask.offset, geo = ask.geo,
      type = peerType(model, bot, peer),
    },
  })
  local done = core_.awaitTimeout(promise, inline.TIMEOUT)
  if not done then
    model.inline.queries[q.id] = nil
    rpc.fail(400, "BOT_RESPONSE_TIMEOUT")
  end
  return q
end

-- ---- an answer ----

local types = {}
for name in ("article photo gif mpeg4_gif video audio voice document file location venue contact game sticker"):gmatch "%S+" do
  types[name] = true
end

-- What a chosen result sends, by its InputBotInlineMessage: fn(ctx, m, result) → the BotInlineMessage, and what actions.send takes.
local messageOf = {}

local function worded(ctx, m, limit)
  local words, entities = text.take(m.message, m.entities, limit, ctx.mention)
  return words, entities
end

function messageOf.inputBotInlineMessageText(ctx, m)
  local words, entities = worded(ctx, m, text.MAX_MESSAGE)
  if words == "" then rpc.fail(400, "MESSAGE_EMPTY") end
  return {
    _ = "botInlineMessageText", message = words, entities = entities, no_webpage = m.no_webpage, invert_media = m.invert_media,
  }, { text = words, entities = entities }
end

function messageOf.inputBotInlineMessageMediaWebPage(ctx, m)
  local words, entities = worded(ctx, m, text.MAX_MESSAGE)
  if words == "" then words = m.url end
  return {
    _ = "botInlineMessageMediaWebPage", message = words, entities = entities, url = m.url, force_large_media = m.force_large_media,
    force_small_media = m.force_small_media, invert_media = m.invert_media, manual = true,
  }, { text = words, entities = entities }
end

function messageOf.inputBotInlineMessageMediaAuto(ctx, m, result)
  if not result.media then rpc.fail(400, "SEND_MESSAGE_MEDIA_INVALID") end
  local words, entities = worded(ctx, m, text.MAX_CAPTION)
  return {
    _ = "botInlineMessageMediaAuto", message = words, entities = entities, invert_media = m.invert_media,
  }, { text = words, entities = entities, media = result.media }
end

function messageOf.inputBotInlineMessageMediaGeo(ctx, m)
  local made = media.take(ctx, { _ = "inputMediaGeoPoint", geo_point = m.geo_point })
  return { _ = "botInlineMessageMediaGeo", geo = made.geo }, { media = made }
end

function messageOf.inputBotInlineMessageMediaVenue(ctx, m)
  local made = media.take(ctx, {
    _ = "inputMediaVenue", geo_point = m.geo_point, title = m.title, address = m.address, provider = m.provider, venue_id = m.venue_id,
    venue_type = m.venue_type,
  })
  return {
    _ = "botInlineMessageMediaVenue", geo = made.geo, title = m.title, address = m.address, provider = m.provider,
    venue_id = m.venue_id, venue_type = m.venue_type,
  }, { media = made }
end

function messageOf.inputBotInlineMessageMediaContact(ctx, m)
  local made = media.take(ctx, {
    _ = "inputMediaContact", phone_number = m.phone_number, first_name = m.first_name, last_name = m.last_name, vcard = m.vcard,
  })
  return {
    _ = "botInlineMessageMediaContact", phone_number = m.phone_number, first_name = m.first_name, last_name = m.last_name,
    vcard = m.vcard,
  }, { media = made }
end

local function webDocument(d)
  if not d then return nil end
  if not d.url:find "^https?://[^%s/]" then rpc.fail(400, "WEBDOCUMENT_URL_INVALID") end
  if not d.mime_type:find "^[%w%-]+/[%w%-+.]+$" then rpc.fail(400, "WEBDOCUMENT_MIME_INVALID") end
  return { _ = "webDocumentNoProxy", url = d.url, size = d.size, mime_type = d.mime_type, attributes = d.attributes }
end

-- Kind → fn(ctx, r) → the result as it is shown, without send_message; and what media it has.
local resultOf = {}

function resultOf.inputBotInlineResult(ctx, r)
  if r.type == "article" and not (r.title or ""):find "%S" then rpc.fail(400, "ARTICLE_TITLE_EMPTY") end
  local content = webDocument(r.content)
  return {
    _ = "botInlineResult", id = r.id, type = r.type, title = r.title, description = r.description, url = r.url,
    thumb = webDocument(r.thumb), content = content,
  }, content and media.fromWeb(ctx, r.type, content)
end

function resultOf.inputBotInlineResultPhoto(ctx, r)
  local made = media.take(ctx, { _ = "inputMediaPhoto", id = r.photo })
  return { _ = "botInlineMediaResult", id = r.id, type = r.type, photo = made.photo }, made
end

function resultOf.inputBotInlineResultDocument(ctx, r)
  local made = media.take(ctx, { _ = "inputMediaDocument", id = r.document })
  return {
    _ = "botInlineMediaResult", id = r.id, type = r.type, document = made.document, title = r.title, description = r.description,
  }, made
end

local function result(ctx, r, seen)
  if r.id == "" or #r.id > ID_MAX then rpc.fail(400, "RESULT_ID_INVALID") end
  if seen[r.id] then rpc.fail(400, "RESULT_ID_DUPLICATE") end
  seen[r.id] = true
  local make = resultOf[r._]
  if not make or not types[r.type] then rpc.fail(400, "RESULT_TYPE_INVALID") end
  local shown, itsMedia = make(ctx, r)
  local send = messageOf[r.send_message._]
  if not send then rpc.fail(400, "SEND_MESSAGE_TYPE_INVALID") end
  local message, content = send(ctx, r.send_message, { media = itsMedia })
  content.markup = ctx.markup(r.send_message.reply_markup)
  if content.markup and content.markup._ ~= "replyInlineMarkup" then rpc.fail(400, "BUTTON_TYPE_INVALID") end
  return { id = r.id, shown = shown, message = message, content = content }
end

local function forget(model)
  local order = model.inline.order
  while #order > KEPT_MAX or order[1] and order[1].answer.date + LIFE < model:now() do
    local q = table.remove(order, 1)
    model.inline.queries[q.id] = nil
    if model.inline.cache[q.key] == q then model.inline.cache[q.key] = nil end
  end
end

--- A bot answers a query. ctx: model, user, dc, and mention and markup, which read what came on the wire; p: the parameters of
--- messages.setInlineBotResults.
function inline.answer(ctx, p)
  local model = ctx.model
  local q = model.inline.queries[p.query_id]
  if not q or q.bot ~= ctx.user or q.answer then rpc.fail(400, "QUERY_ID_INVALID") end
  if #p.results > RESULTS_MAX then rpc.fail(400, "RESULTS_TOO_MUCH") end
  if p.next_offset and #p.next_offset > OFFSET_MAX then rpc.fail(400, "NEXT_OFFSET_INVALID") end
  local pm = p.switch_pm
  if pm then
    if not pm.text:find "%S" then rpc.fail(400, "SWITCH_PM_TEXT_EMPTY") end
    if pm.start_param == "" then rpc.fail(400, "START_PARAM_EMPTY") end
    if #pm.start_param > PARAM_MAX or pm.start_param:find "[^%w_%-]" then rpc.fail(400, "START_PARAM_INVALID") end
  end
  local list, seen = {}, {}
  for i, r in ipairs(p.results) do list[i] = result(ctx, r, seen) end
  q.answer = {
    results = list, gallery = p.gallery, nextOffset = p.next_offset ~= "" and p.next_offset or nil, switchPm = pm,
    switchWebview = p.switch_webview, cache = p.cache_time, date = model:now(),
  }
  q.private = p.private
  q.fresh = model:now() + p.cache_time
  q.key = keyOf(q.bot, q.ask, p.private and q.user or 0)
  if p.cache_time > 0 then model.inline.cache[q.key] = q end
  table.insert(model.inline.order, q)
  forget(model)
  if model.heard then model.heard("inlineAnswer", { by = q.user, bot = q.bot.id, answer = q.answer }) end
  core_.resolve(q.promise)
end

--- An answered query as messages.botResults, for a session of that layer.
function inline.show(q, layer)
  local answer, list = q.answer, {}
  for i, r in ipairs(answer.results) do
    local message, shown = {}, {}
    for k, v in pairs(r.message) do message[k] = v end
    for k, v in pairs(r.shown) do shown[k] = v end
    message.reply_markup = r.content.markup and keyboards.show(r.content.markup, layer)
    shown.send_message = message
    list[i] = shown
  end
  return {
    _ = "messages.botResults", gallery = answer.gallery, query_id = q.id, next_offset = answer.nextOffset, switch_pm = answer.switchPm,
    switch_webview = answer.switchWebview, results = list, cache_time = answer.cache, users = {},
  }
end

-- ---- a choice ----

--- Sends what was chosen of an answer, and tells the bot. opts: silent, reply, random. Returns the entry, the message's id, its core.
function inline.send(model, by, peer, queryId, id, opts)
  if queryId == 0 then rpc.fail(400, "QUERY_ID_EMPTY") end
  if id == "" then rpc.fail(400, "RESULT_ID_EMPTY") end
  local q = model.inline.queries[queryId]
  if not q or not q.answer or q.private and q.user ~= by.user.id then rpc.fail(400, "INLINE_RESULT_EXPIRED") end
  local chosen
  for _, r in ipairs(q.answer.results) do
    if r.id == id then chosen = r end
  end
  if not chosen then rpc.fail(400, "RESULT_ID_INVALID") end
  local c = chosen.content
  local entry, at, core = actions.send(model, by, peer, {
    text = c.text, entities = c.entities, media = c.media, markup = c.markup, via = q.bot.id, raw = true, silent = opts.silent,
    reply = opts.reply, random = opts.random,
  })
  updates.push(model, q.bot.id, {
    { k = "inlineSend", from = by.user.id, text = q.ask.query, geo = q.ask.geo, id = id, gid = core.markup and core.gid },
  })
  return entry, at, core
end

--- The bot changes a message that was sent by way of it. id: an InputBotInlineMessageID; m: as for actions.edit.
function inline.edit(model, bot, id, m)
  local owner = id._ == "inputBotInlineMessageID64" and id.owner_id
  local core = owner and boxes.core(model, owner, id.id)
  if not core or core.via ~= bot.id or id.access_hash ~= model:hash(bot.id, core.gid) then rpc.fail(400, "MESSAGE_ID_INVALID") end
  m.actor = bot.id
  return actions.edit(model, { user = model:user(core.by) }, owner < ids.CHANNEL and owner or boxes.peerOf(core, owner), id.id, m)
end

return inline
