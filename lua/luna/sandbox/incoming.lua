--- What methods that send or change messages have in common: from the parameters on the wire to the arguments of actions.lua, and from
--- entries to the caller's answer. Called by methods/*.
local rpc = require "luna.sandbox.rpc"
local actions = require "luna.sandbox.actions"
local keyboards = require "luna.sandbox.keyboards"
local peers = require "luna.sandbox.peers"
local scheduled = require "luna.sandbox.scheduled"
local updates = require "luna.sandbox.updates"

local incoming = {}

local MARKUP_MAX = 100 -- buttons
local MAX_DATA = 64

--- Who acts, for actions.lua.
function incoming.by(ctx) return { user = ctx.user, session = ctx.session } end

--- Updates for the caller, an updateMessageID first for each random id.
function incoming.reply(ctx, entries)
  return updates.container(ctx.model, ctx.user.id, entries, ctx.layer) or
    { _ = "updates", updates = {}, users = {}, chats = {}, date = ctx.model:now(), seq = 0 }
end

--- The keyboard to keep; nil where a person sends one.
function incoming.markup(ctx, m)
  if not m then return nil end
  if not ctx.user.bot then return nil end -- people's keyboards are ignored
  local kept = keyboards.keep(m, function(input)
    if input._ == "inputUserSelf" then return ctx.user.id end
    return input.user_id or 0
  end)
  if not kept then rpc.fail(400, "REPLY_MARKUP_INVALID") end
  local n = 0
  for _, row in ipairs(kept.rows or {}) do
    if #row.buttons == 0 then rpc.fail(400, "REPLY_MARKUP_INVALID") end
    for _, b in ipairs(row.buttons) do
      n = n + 1
      if not b.text:find "%S" then rpc.fail(400, "BUTTON_TEXT_INVALID") end
      if b.type.data and (#b.type.data == 0 or #b.type.data > MAX_DATA) then rpc.fail(400, "BUTTON_DATA_INVALID") end
      if b.type._ == "inlineButtonTypeUrl" and not b.type.url:find "^%a[%w+.-]*:" and not b.type.url:find "%." then
        rpc.fail(400, "BUTTON_URL_INVALID")
      end
    end
  end
  if n > MARKUP_MAX then rpc.fail(400, "REPLY_MARKUP_TOO_LONG") end
  return kept
end

--- For text.take: who an inputMessageEntityMentionName means.
function incoming.mention(ctx)
  return function(e)
    local ok, user = pcall(peers.user, ctx, e.user_id)
    return ok and user.id or nil
  end
end

--- Sends, at once or at the time `date`. Returns the entries of the caller's answer, and the id and the core of what was sent at once.
function incoming.send(ctx, peer, m, date)
  local by = incoming.by(ctx)
  local later = date and scheduled.add(ctx.model, by, peer, m, date)
  if later then return { { k = "messageId", id = later.id, random = m.random }, later } end
  local entry, id, core = actions.send(ctx.model, by, peer, m)
  return { { k = "messageId", id = id, random = m.random }, entry }, id, core
end

--- The common parts of sendMessage, sendMedia and their kin.
function incoming.common(ctx, p)
  if p.random_id == 0 then rpc.fail(400, "RANDOM_ID_EMPTY") end
  local m = {
    text = p.message, entities = p.entities, silent = p.silent, noforwards = p.noforwards, random = p.random_id,
    markup = incoming.markup(ctx, p.reply_markup), mention = incoming.mention(ctx),
  }
  local to = p.reply_to
  if to and to._ == "inputReplyToMessage" and to.reply_to_msg_id ~= 0 then
    m.top = to.top_msg_id
    m.reply, m.quote, m.quoteEntities, m.quoteOffset = to.reply_to_msg_id, to.quote_text, to.quote_entities, to.quote_offset
  end
  return m
end

return incoming
