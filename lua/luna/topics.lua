--- Topics of forums: a message's topic is the id of the message that began it. The topic "General" counts as none. Pure. Called by
--- luna.message, luna.ask and luna.lanes.
local topics = {}

--- The topic that a message is in, or nil.
function topics.of(message)
  local to = message.reply_to
  if to and to.forum_topic then return to.reply_to_top_id or to.reply_to_msg_id end
  local action = message.action
  return action and action._ == "messageActionTopicCreate" and message.id or nil
end

--- The InputReplyTo of what is to be in a topic: an answer to the message `id`, or without one.
function topics.replyTo(topic, id)
  return { _ = "inputReplyToMessage", reply_to_msg_id = id or topic, top_msg_id = topic }
end

return topics
