--- The commands of the REPL, which begin with a colon. Called by luna.repl.session; each gives the text that the client prints. They are
--- lists of { name, arguments, what it does, function(session, rest) }: of tasks in looking, of break points in debugging, the rest here.
local suggest = require "luna.suggest"
local show = require "luna.repl.show"
local looking = require "luna.repl.looking"

local M = {}

local MORE = 5 -- cuts that one :more shows

-- FILTER: a name or a part of one, without regard to case, or an expression of `update` ("update.message.out").
local function filterOf(session, text)
  if text == "" then return function() return true end end
  if text:find "^[%w_]+$" then
    local part = text:lower():gsub("^on", "")
    return function(update) return update._:lower():find(part, 1, true) ~= nil end
  end
  local env = setmetatable({}, { __index = session.env })
  local fn, why = load("return " .. text, "=filter", "t", env)
  if not fn then error(why, 0) end
  return function(update)
    env.update = update
    local ok, wanted = pcall(fn)
    return ok and wanted
  end
end

local function watch(session, text)
  if session.unwatch then session.unwatch() end
  if text == "off" then return "" end
  local wanted = filterOf(session, text)
  local over = require("luna.repl.taps").add(session.bot.core, {
    update = function(update)
      if wanted(update) then session:print(show(update)) end
    end,
  })
  session.unwatch = function()
    session.unwatch = nil
    over()
  end
  return "watching; :watch off ends it"
end

local function clock()
  local now = require("_luna.timer").wall()
  return ("%s.%03d"):format(os.date("%H:%M:%S", now // 1 | 0), (now % 1 * 1000) // 1 | 0)
end

local function trace(session, word)
  if word ~= "on" and word ~= "off" and word ~= "" then error(":trace on or :trace off", 0) end
  if session.untrace then session.untrace() end
  if word == "off" then return "" end
  local function say(text, ...) session:print(("%s %s"):format(clock(), text:format(...))) end
  local over = require("luna.repl.taps").add(session.bot.core, {
    update = function(update) say("<- %s", tostring(update._)) end,
    handled = function(update, s) say("   %s handled in %.1f ms", tostring(update._), s * 1000) end,
    calling = function(method) say("-> %s", tostring(method)) end,
    called = function(method, s, why) say("   %s %s after %.1f ms", tostring(method), why or "answered", s * 1000) end,
  })
  session.untrace = function()
    session.untrace = nil
    over()
  end
  return "tracing; :trace off ends it"
end

local function more(session)
  local cuts = session.cuts
  if #cuts == 0 then error("nothing more was cut", 0) end
  local parts, left, new = {}, {}, {}
  for i, cut in ipairs(cuts) do
    if i <= MORE then
      local text, inner = show.more(cut)
      parts[#parts + 1] = text
      table.move(inner, 1, #inner, #new + 1, new)
    else
      left[#left + 1] = cut
    end
  end
  session.cuts = table.move(new, 1, #new, #left + 1, left)
  if #session.cuts > 0 then parts[#parts + 1] = "-- :more goes on" end
  return table.concat(parts, "\n")
end

local function reload(session)
  local bot = session.bot
  local fn = bot.reload
  if not fn then error("this is a plain script, which returned no handler: it has to be ended and started again", 0) end
  local ok, why = fn(bot)
  if ok == false then error(tostring(why), 0) end
  return why and "reloaded\n" .. why or "reloaded"
end

local byName, ordered = {}, {}

local playground = [[
A bot of your own, line by line, and two people who chat with it:
  Bot:on(".", function(self, message) message:reply("hello " .. message.message) end)
  alice:send "hi"          bob:send "hi"          alice:click "a button"
Its class is Bot; a route or a method counts from the moment that it is typed. What people get is printed.]]

--- What a command is, in two lines; nil where there is none of that name (with or without its colon). For luna help, too.
function M.describe(name)
  local command = byName[name:gsub("^:", "")]
  return command and (":%s %s"):format(command[1], command[2]):gsub(" $", "") .. "\n  " .. command[3]
end

local function help(session, word)
  if word ~= "" then
    local told = M.describe(word)
    if told then return told end
    local text, guess = require("luna.help").text(word)
    if not text then error(("nothing is called %q%s"):format(word, guess and ('; did you mean "%s"?'):format(guess) or ""), 0) end
    return text
  end
  local lines = {}
  for _, c in ipairs(ordered) do
    local usage = ":" .. c[1] .. (c[2] ~= "" and " " .. c[2] or "")
    if #usage > 18 then
      lines[#lines + 1] = "  " .. usage
      usage = ""
    end
    lines[#lines + 1] = ("  %-18s %s"):format(usage, c[3])
  end
  lines[#lines + 1] = "A line is Lua in the bot: api, handler, bot, up.name (the script's file-level locals), _ (the last value). Calls are"
  lines[#lines + 1] = "awaited. Tab completes, Ctrl-C ends a line, Ctrl-D leaves."
  if session.bot.playground then lines[#lines + 1] = playground end
  return table.concat(lines, "\n")
end

local function quit() return "", true end

local function add(list)
  for _, command in ipairs(list) do
    ordered[#ordered + 1] = command
    byName[command[1]] = command
  end
end

add { { "help", "[NAME]", "this text; what a command, method, type, update, error or function is", help } }
add(looking.commands)
add {
  { "watch", "[FILTER]", "prints updates as they come: all, by a part of the name, by an expression of `update`; :watch off", watch },
  { "trace", "on|off", "prints updates and calls as they go, with times", trace },
}
-- Loaded when it is first wanted: it tells the host of itself.
for _, entry in ipairs {
  { "break", "FUNCTION|FILE:LINE [if CONDITION]", "holds a task that comes there, others go on; alone: a list; :break off [N]" },
  { "step", "[TASK]", "the held task goes on to its next line, into functions too" },
  { "next", "[TASK]", "to the next line of its function" },
  { "out", "[TASK]", "to the end of its function" },
  { "continue", "[TASK|all]", "it goes on" },
  { "where", "[TASK]", "its stack and the lines around; of several held tasks, this is the one from now on" },
  { "frame", "N", "looks at another frame of its stack" },
  { "locals", "", "locals and upvalues there; at the prompt they are read and set by name" },
} do
  local name = entry[1]
  entry[4] = function(session, rest) return require("luna.repl.debugging")[name](session, rest) end
  add { entry }
end
add {
  { "more", "", "what was cut in the last value", more },
  { "reload", "", "loads the script anew", reload },
  { "quit", "", "leaves (Ctrl-D does too); the bot goes on", quit },
}

--- Runs one line; gives its text, and true where the client is to leave. Raises what was wrong.
function M.run(session, text)
  local name, rest = text:match "^:%s*(%S*)%s*(.-)%s*$"
  local command = name and byName[name]
  if not command then
    local names = M.names()
    error(("no command :%s%s; :help lists them"):format(name or "", suggest.hint(name or "", names)), 0)
  end
  return command[4](session, rest)
end

--- Their names without the colon, in order.
function M.names()
  local list = {}
  for i, c in ipairs(ordered) do list[i] = c[1] end
  return list
end

return M
