-- What needs no server: decode and encode of a message, spawn, await and suspension of coroutines. Run: luna run spec/bench/alone.lua
local task, promise, tl, host = require "_luna.task", require "_luna.promise", require "_luna.tl", require "_luna.host"

local function measure(name, n, fn)
  fn(n // 10)
  local start = host.usage()
  fn(n)
  print(("%-44s %8.0f ns"):format(name, (host.usage() - start) / n * 1e9))
end

local message = {
  _ = "message", out = true, silent = true, mentioned = true, media_unread = true, post = true, id = 5, date = 1700000000,
  from_id = { _ = "peerUser", user_id = 77 }, peer_id = { _ = "peerUser", user_id = 78 }, message = "hello world",
  reply_to = { _ = "messageReplyHeader", reply_to_msg_id = 3 }, entities = { { _ = "messageEntityBold", offset = 0, length = 5 } },
  views = 3, forwards = 4, edit_date = 5, post_author = "x", grouped_id = 7, ttl_period = 9, via_bot_id = 5,
}
local bytes = tl.encode(message, "Message")
local call = { peer = { _ = "inputPeerUser", user_id = 5, access_hash = -7 }, message = "hello", random_id = 42 }

measure("decode a message (20 keys, 5 tables inside)", 200000, function(n)
  for _ = 1, n do tl.decode(bytes, "Message") end
end)
measure("encode it", 200000, function(n)
  for _ = 1, n do tl.encode(message, "Message") end
end)
measure("encode messages.sendMessage", 200000, function(n)
  for _ = 1, n do tl.encodeMethod("messages.sendMessage", call) end
end)
measure("spawn and finish a coroutine", 500000, function(n)
  local nothing = function() end
  for _ = 1, n do task.spawn(nothing) end
end)
measure("await a resolved promise", 500000, function(n)
  local p = promise.success(1)
  for _ = 1, n do promise.await(p) end
end)
measure("suspend and resume through the loop (sleep 0)", 200000, function(n)
  for _ = 1, n do task.sleep(0) end
end)
measure("two coroutines hand over by promises", 200000, function(n)
  local a, b = promise.new(), promise.new()
  task.spawn(function()
    for _ = 1, n do
      promise.await(a)
      a = promise.new()
      local answer = b
      b = promise.new()
      promise.resolve(answer)
    end
  end)
  for _ = 1, n do
    local answer = b
    promise.resolve(a)
    promise.await(answer)
  end
end)
