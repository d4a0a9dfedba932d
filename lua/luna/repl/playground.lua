--- The bot of `luna repl` where none runs: a sandbox in this process, a bot whose class `Bot` is typed in at the prompt, and two people,
--- alice and bob, who chat with it. Made by luna.cli.repl; onMessage(name, text) of what it returns is told what people get.
local task = require "_luna.task"
local timer = require "_luna.timer"
local errors = require "luna.errors"

local POLL, PATIENCE = 0.002, 1 -- seconds

-- A class whose methods count from the moment they are typed, updates that were looked up before included.
local function live(class, dispatch)
  -- Routes are the real class's; one that is typed again takes the place of the one before.
  local own = {}
  for _, name in ipairs { "on", "command", "use" } do
    own[name] = function(_, ...)
      local ok, why = pcall(class[name], class, ...)
      if not ok then error(errors.bare(tostring(why)), 2) end
      require("luna.routes").replace(class)
      dispatch:forget()
    end
  end
  return setmetatable(own, {
    __index = class,
    __newindex = function(_, name, value)
      class[name] = value
      if type(name) == "string" and name:find "^on" then
        local ok, why = pcall(require("luna.handler").check, class, 1)
        if not ok then
          class[name] = nil
          error(type(why) == "table" and why.message or why, 2)
        end
      end
      dispatch:forget()
    end,
    __pairs = function() return pairs(class) end,
    __tostring = function() return "class Bot" end,
  })
end

local function person(served, bot, name)
  local p = require "luna.chat.person"(served, bot, (name:gsub("^%l", string.upper)))
  local buttons = {}
  p.onMessage = function(m)
    local labels = {}
    if #m.buttons > 0 then buttons = m.buttons end
    for _, b in ipairs(m.buttons) do labels[#labels + 1] = "[" .. b.label .. "]" end
    if bot.onMessage then
      bot.onMessage(name, (m.edited and "(edited) " or "") .. m.text .. (#labels > 0 and "  " .. table.concat(labels, " ") or ""))
    end
  end
  return setmetatable({}, { __name = name, __index = {
    --- alice:send "text"
    send = function(_, text)
      if type(text) ~= "string" then error("send wants a text", 2) end
      local ok, why = p:send(text)
      if not ok then error("not sent: " .. tostring(why), 2) end
    end,
    --- alice:click "label": a button of the last message that had any; gives the bot's answer.
    click = function(_, label)
      for i, b in ipairs(buttons) do
        if b.label == label or i == label then
          local ok, answer = p:press(b)
          if not ok then error("the button: " .. tostring(answer), 2) end
          return answer
        end
      end
      error(("no button %q"):format(tostring(label)), 2)
    end,
  } }), p
end

return function()
  local luna = require "luna"
  require("luna.logger").configure { level = "warning" }
  local served = require("luna.sandbox").serve { listen = "127.0.0.1:0" }
  require("luna.settings").commandLine.sandbox = served
  local api = require("luna.api").new(nil, { stem = "repl", name = "repl", where = "luna repl" })
  local env = require("luna.environment").new(nil)
  local bot = { api = api, core = api._core, name = "repl", env = env, playground = true }
  task.setUnhandled(require("luna.helpers").unhandled)
  local Bot = luna.EventHandler:extend "Bot"
  require("luna.api").methods.run(api, Bot)
  bot.handler = Bot
  env.luna, env.Bot = luna, live(Bot, api._core.dispatch)
  local people = {}
  for _, name in ipairs { "alice", "bob" } do env[name], people[#people + 1] = person(served, bot, name) end
  --- Waits until what has been said is answered, or the bot takes its time.
  function bot.rest()
    local limit = timer.now() + PATIENCE
    repeat
      local due = false
      for _, p in ipairs(people) do due = due or p:awaits(bot) end
      if due then task.sleep(POLL) end
    until not due or timer.now() > limit
  end
  return bot
end
