--- Polls: made of an inputMediaPoll, voted on, closed. The model's state keeps them by their id: { id, by, gid (of the message it was first
--- sent in), question, answers, votes in their order, … }. Called by the methods and by the test kit's people.
local ids = require "luna.ids"
local rpc = require "luna.sandbox.rpc"
local actions = require "luna.sandbox.actions"
local boxes = require "luna.sandbox.boxes"
local updates = require "luna.sandbox.updates"
local view = require "luna.sandbox.poll_view"

local polls = {}

local CHANNEL = ids.CHANNEL
local QUESTION_MAX, ANSWER_MAX, ANSWERS_MAX, OPTION_MAX = 300, 100, 12, 100

local function checkText(t, max, name)
  local n = utf8.len(t.text)
  if not n or n > max or not t.text:find "%S" then rpc.fail(400, name) end
  return { text = t.text, entities = #t.entities > 0 and table.move(t.entities, 1, #t.entities, 1, {}) or nil }
end

local function answersOf(p)
  if #p.answers < 2 or #p.answers > ANSWERS_MAX then rpc.fail(400, "POLL_ANSWERS_INVALID") end
  local out, options = {}, {}
  for i, a in ipairs(p.answers) do
    local answer = checkText(a.text, ANSWER_MAX, "POLL_ANSWER_INVALID")
    answer.option = a.option or tostring(i - 1)
    if #answer.option == 0 or #answer.option > OPTION_MAX then rpc.fail(400, "POLL_OPTION_INVALID") end
    if options[answer.option] then rpc.fail(400, "POLL_OPTION_DUPLICATE") end
    options[answer.option] = true
    out[i] = answer
  end
  return out
end

local function markCorrect(answers, p, correct)
  if not correct or #correct == 0 then rpc.fail(400, "QUIZ_CORRECT_ANSWERS_EMPTY") end
  if p.multiple_choice then rpc.fail(400, "QUIZ_MULTIPLE_INVALID") end
  if #correct > 1 then rpc.fail(400, "QUIZ_CORRECT_ANSWERS_TOO_MUCH") end
  local answer = answers[correct[1] + 1]
  if not answer then rpc.fail(400, "QUIZ_CORRECT_ANSWER_INVALID") end
  answer.correct = true
end

--- Makes a poll of an inputMediaPoll; returns the media that a core keeps.
function polls.make(model, user, m)
  local p = m.poll
  local now = model:now()
  local poll = {
    id = model:random(), by = user.id, question = checkText(p.question, QUESTION_MAX, "POLL_QUESTION_INVALID"), answers = answersOf(p),
    public = p.public_voters, multiple = p.multiple_choice, quiz = p.quiz, fixed = p.revoting_disabled, shuffle = p.shuffle_answers,
    hidden = p.hide_results_until_close, closed = p.closed, votes = {}, period = p.close_period,
    closeDate = p.close_period and now + p.close_period or p.close_date,
  }
  if poll.quiz then
    markCorrect(poll.answers, p, m.correct_answers)
    if m.solution and m.solution ~= "" then poll.solution = { text = m.solution, entities = m.solution_entities } end
  end
  if poll.closeDate and poll.closeDate <= now then rpc.fail(400, "MEDIA_INVALID") end
  model.state.polls[poll.id] = poll
  polls.watch(model, poll)
  return { _ = "messageMediaPoll", id = poll.id, public = poll.public }
end

--- The poll of a core, or nil.
function polls.of(model, core)
  local m = core and core.media
  return m and m._ == "messageMediaPoll" and model.state.polls[m.id] or nil
end

-- Tells how a poll stands: whoever has one of these messages, and the bot that made it. Returns the asker's entry.
local function tell(model, by, poll, core)
  local mine
  local first = model.state.cores[poll.gid]
  local told = {}
  local function push(uid, c, channel)
    if told[uid] then return end
    told[uid] = true
    local entry = { k = "poll", poll = poll.id, gid = c and c.gid, chan = channel }
    if by and uid == by.user.id then mine = entry end
    updates.push(model, uid, { entry }, by and by.session)
  end
  for _, c in ipairs { core or first, first } do
    for holder in pairs(c.ids) do
      local channel = holder < CHANNEL and holder or nil
      for _, uid in ipairs(channel and model.memberIds(model:object(channel)) or { holder }) do
        if not model:user(uid).bot or uid == poll.by then push(uid, c, channel) end
      end
    end
  end
  if model:user(poll.by).bot then push(poll.by) end
  return mine or { k = "poll", poll = poll.id }
end

--- Votes for options, in place of an earlier vote; for none: takes it back. Returns the asker's entry, and the core.
function polls.vote(model, by, peer, id, options)
  local me = by.user
  local core = actions.find(model, by, peer, id)
  local poll = polls.of(model, core)
  if not poll then rpc.fail(400, "MESSAGE_ID_INVALID") end
  if poll.closed then rpc.fail(400, "MESSAGE_POLL_CLOSED") end
  local positions, chosen = {}, {}
  for i, option in ipairs(options) do
    for at, a in ipairs(poll.answers) do
      if a.option == option then positions[i] = at - 1 end
    end
    if not positions[i] or chosen[option] then rpc.fail(400, "OPTION_INVALID") end
    chosen[option] = true
  end
  if #options > 1 and not poll.multiple then rpc.fail(400, "OPTIONS_TOO_MUCH") end
  local before, at = view.voteOf(poll, me.id)
  if before then
    if poll.quiz or poll.fixed then rpc.fail(400, "REVOTE_NOT_ALLOWED") end
    table.remove(poll.votes, at)
  end
  if #options > 0 then
    poll.votes[#poll.votes + 1] = { by = me.id, date = model:now(), options = table.move(options, 1, #options, 1, {}) }
  end
  model:changed()
  if model.heard then
    local labels = {}
    for i, position in ipairs(positions) do labels[i] = poll.answers[position + 1].text end
    model.heard("vote", { by = me.id, core = core, labels = labels })
  end
  if poll.public and model:user(poll.by).bot and (before or #options > 0) then
    updates.push(model, poll.by, { boxes.logQts(model, poll.by, {
      k = "pollVote", poll = poll.id, user = me.id, options = table.move(options, 1, #options, 1, {}), positions = positions,
    }) })
  end
  return tell(model, by, poll, core), core
end

--- Closes a poll for good. by: nil where its time is over.
function polls.close(model, by, poll)
  if poll.closed then rpc.fail(400, "MESSAGE_POLL_CLOSED") end
  poll.closed = true
  model:changed()
  return tell(model, by, poll)
end

--- What messages.editMessage does with an inputMediaPoll: nothing of a poll can be changed, but it can be closed.
function polls.edit(model, by, peer, id, m)
  local poll = polls.of(model, actions.editable(model, by, peer, id, {}))
  if not poll or not m.poll.closed then rpc.fail(400, "MEDIA_INVALID") end
  return polls.close(model, by, poll)
end

--- Closes a poll when its time has come.
function polls.watch(model, poll)
  if not poll.closeDate or poll.closed then return end
  model:at(poll.closeDate, function()
    if not poll.closed and model.state.cores[poll.gid] then polls.close(model, nil, poll) end
  end)
end

--- After a start with a saved state.
function polls.resume(model)
  for _, poll in pairs(model.state.polls) do polls.watch(model, poll) end
end

return polls
