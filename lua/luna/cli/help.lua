--- `luna help WHAT`: a method, type, constructor or update of the schema, or a function of the Lua API, at the terminal.
local host = require "_luna.host"
local tl = require "_luna.tl"
local options = require "luna.cli.options"
local suggest = require "luna.suggest"

local M = {}

M.spec = {
  usage = "WHAT", arguments = { 1, 1 },
  about = "Shows a method (messages.sendMessage), a type (InputPeer), a constructor (message), an update (updateNewMessage or\n"
    .. "onUpdateNewMessage), an error (FLOOD_WAIT_X), or a function of the Lua API (sleep).",
}

-- The Lua API: name → how it is called, what it does.
local functions = {
  sleep = { "sleep(seconds)", "Suspends the coroutine; other handlers run. Returns the seconds slept." },
  readLine = { "readLine(prompt?)", "The next line of standard input, or of the chat; nil at its end." },
  echo = { "echo(text)", "Writes to standard output, without a line end." },
  logger = { "logger(message, level?)", "Writes to the log, at the level NOTICE where none is given." },
  call = { "call(fn | promise | value, ...)", "luna.call waits for what the function returns; api:call gives its promise." },
  callFork = { "callFork(promise | fn)", "Runs it beside the caller; an error surfaces out of api:loop." },
  callForkDefer = { "callForkDefer(promise | fn)", "The same, begun in the next turn of the loop." },
  await = { "luna.await(promise | { promises })", "Suspends until it is resolved; returns its values or raises its error." },
  all = { "all{ ... }", "Waits for all; the first failure fails it." },
  some = { "some{ ... }", "errors, values; fails only when all fail." },
  any = { "any{ ... }", "errors, values; never fails." },
  first = { "first{ ... }", "The first success; fails when all fail." },
  timeout = { "timeout(promise | fn, seconds)", "Its value, or a TimeoutException after that time." },
  timeoutWithDefault = { "timeoutWithDefault(promise | fn, seconds, value)", "Its value, or that one after that time." },
  API = { "luna.API(session?, settings?)", "An API object: its namespaces hold every method of the schema." },
  EventHandler = { "luna.EventHandler:extend \"Name\"", "The class that a bot extends: methods onUpdateNewMessage, onAny, onStart, ..." },
  getInfo = { "api:getInfo(peer)", "What the server knows of a peer, in one table." },
  getPwrChat = { "api:getPwrChat(peer)", "The same, flat." },
  setCallback = { "api:setCallback(fn)", "One function for all updates." },
  setEventHandler = { "api:setEventHandler(class)", "A handler class gets the updates." },
  loop = { "api:loop(fn | promise | nil)", "Takes updates until it is stopped, or until that is done." },
}

local function typeText(t) return t.vector and ("Vector<%s>"):format(t.type) or t.type end

local function fields(params)
  local lines, width = {}, 0
  for _, p in ipairs(params) do width = math.max(width, #p.name) end
  for _, p in ipairs(params) do
    local note = p.flag and "  (may be left out)" or p.name == "random_id" and "  (filled in)" or ""
    lines[#lines + 1] = ("  %-" .. width .. "s  %s%s"):format(p.name, typeText(p), note)
  end
  return lines
end

local function show(...)
  local lines = {}
  for _, part in ipairs { ... } do
    if type(part) == "table" then table.move(part, 1, #part, #lines + 1, lines) else lines[#lines + 1] = part end
  end
  host.write(1, table.concat(lines, "\n") .. "\n")
  return 0
end

local function constructor(c)
  local handler = c.type == "Update" and ("handler: function Bot:on%s(update)"):format(c.name:sub(1, 1):upper() .. c.name:sub(2)) or {}
  return show(("%s: of the type %s"):format(c.name, c.type), fields(c.params), handler)
end

local function method(m)
  local who = m.usersOnly and { "for users only, not for bots" } or m.botsOnly and { "for bots only" } or {}
  return show(("api.%s{ ... }: %s"):format(m.name, typeText(m.result)), fields(m.params), who)
end

local function listOf(names)
  local list = {}
  for i, name in ipairs(names) do list[i] = "  " .. name end
  return list
end

function M.run(args)
  local word = args[1]:gsub("^luna[.:]", ""):gsub("^api[.:]", ""):gsub("^self[.:]", ""):gsub("^on(Update%w+)$", function(u)
    return "u" .. u:sub(2)
  end)
  local m = tl.method(word)
  if m then return method(m) end
  local c = tl.constructor(word)
  if c then return constructor(c) end
  local members = tl.type(word)
  if members then return show(("%s: one of"):format(word), listOf(members)) end
  if functions[word] then return show(functions[word][1], "  " .. functions[word][2]) end
  if tl.namespaces()[word] then
    local list = {}
    for _, name in ipairs(tl.methods()) do
      if name:sub(1, #word + 1) == word .. "." then list[#list + 1] = name end
    end
    return show(("api.%s: its methods"):format(word), listOf(list))
  end
  local e = tl.errors()[word] or tl.errors()[(word:gsub("%d+", "X"))] or tl.errors()[(word:gsub("_?%d+$", "_%%d"))]
    or tl.errors()[(word:gsub("_X$", "_%%d"))]
  if e then return show(("%s: error %d"):format(word, e.code), e.methods ~= "" and { "  of: " .. e.methods } or {}) end
  local lower, list = "." .. word:lower(), {} -- a method without its namespace
  for _, name in ipairs(tl.methods()) do
    if name:lower():sub(-#lower) == lower then list[#list + 1] = name end
  end
  if #list == 1 then return method(tl.method(list[1])) end
  if #list > 1 then return show(("%s: methods of that name"):format(word), listOf(list)) end
  local best
  for _, candidate in ipairs { tl.suggest(word, "method") or false, tl.suggest(word, "constructor") or false,
    tl.suggest(word, "type") or false, suggest.nearest(word, functions) or false } do
    if candidate and (not best or suggest.distance(word, candidate, 99) < suggest.distance(word, best, 99)) then best = candidate end
  end
  options.fail(("luna help: nothing is called %q%s"):format(word, best and ('; did you mean "%s"?'):format(best) or ""))
end

return M
