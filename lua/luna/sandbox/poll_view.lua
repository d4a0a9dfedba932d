--- Polls as one viewer sees them: the model's poll → Poll, PollResults, messageMediaPoll. A core has only the poll's id in its media, so
--- that what was forwarded is the same poll. Read only; called by objects.lua, updates.lua and polls.lua.
local ids = require "luna.ids"

local view = {}

local RECENT = 3 -- voters that a poll with names shows

--- The vote of an account: { by, date, options }, or nil.
function view.voteOf(poll, uid)
  for i, vote in ipairs(poll.votes) do
    if vote.by == uid then return vote, i end
  end
end

local function text(t) return { _ = "textWithEntities", text = t.text, entities = t.entities or {} } end

function view.poll(poll, viewer)
  local answers = {}
  for i, a in ipairs(poll.answers) do answers[i] = { _ = "pollAnswer", text = text(a), option = a.option } end
  return {
    _ = "poll", id = poll.id, hash = poll.id, closed = poll.closed, public_voters = poll.public, multiple_choice = poll.multiple,
    quiz = poll.quiz, revoting_disabled = poll.fixed, shuffle_answers = poll.shuffle, hide_results_until_close = poll.hidden,
    creator = poll.by == viewer or nil, question = text(poll.question), answers = answers, close_period = poll.period,
    close_date = poll.closeDate,
  }
end

--- How many have chosen what: for who has voted, for who made it, and for all once it is closed; for others only how many have voted.
function view.results(poll, viewer, seen)
  local mine, own = view.voteOf(poll, viewer), poll.by == viewer
  local out = { _ = "pollResults", total_voters = #poll.votes }
  if poll.public then
    local recent = {}
    for i = #poll.votes, math.max(1, #poll.votes - RECENT + 1), -1 do
      recent[#recent + 1] = ids.toPeer(poll.votes[i].by)
      seen[poll.votes[i].by] = true
    end
    out.recent_voters = #recent > 0 and recent or nil
  end
  if not (poll.closed or own or mine and not poll.hidden) then return out end
  local chosen, counts = {}, {}
  for _, option in ipairs(mine and mine.options or {}) do chosen[option] = true end
  for _, vote in ipairs(poll.votes) do
    for _, option in ipairs(vote.options) do counts[option] = (counts[option] or 0) + 1 end
  end
  out.results = {}
  for i, a in ipairs(poll.answers) do
    out.results[i] = {
      _ = "pollAnswerVoters", option = a.option, voters = counts[a.option] or 0, chosen = chosen[a.option],
      correct = poll.quiz and a.correct or nil, recent_voters = {},
    }
  end
  if poll.solution then out.solution, out.solution_entities = poll.solution.text, poll.solution.entities or {} end
  return out
end

--- The media of a message that has a poll.
function view.media(poll, viewer, seen)
  return { _ = "messageMediaPoll", poll = view.poll(poll, viewer), results = view.results(poll, viewer, seen) }
end

--- In words, as it is now.
function view.words(poll)
  local answers = {}
  for i, a in ipairs(poll.answers) do answers[i] = a.text end
  return ("[%s%s, %s: %s]"):format(poll.closed and "closed " or "", poll.quiz and "quiz" or "poll", poll.question.text,
    table.concat(answers, " | "))
end

return view
