--- What `luna test` shows: failures and pending tests as they come, a row of dots on a terminal. busted loads it by name (luna.cli.test
--- names it) and calls it with its options; the counts are kept for luna.cli.test.
local host = require "_luna.host"
local scripts = require "luna.frames"

local counts = { passed = 0, failed = 0, skipped = 0 }

local LOG_LINES = 30 -- of the log, shown with a failed test

-- Lines of the log since the test began: only a failure makes them worth reading.
local log, logged = {}, 0
local function keep(line)
  logged = logged + 1
  log[(logged - 1) % LOG_LINES + 1] = line:gsub("%s+$", "")
end
local function recent()
  local lines = {}
  for i = math.max(1, logged - LOG_LINES + 1), logged do lines[#lines + 1] = log[(i - 1) % LOG_LINES + 1] end
  return lines
end

local function put(text) host.write(1, text .. "\n") end

local function indent(text) return "    " .. tostring(text):gsub("%s+$", ""):gsub("\n", "\n    ") end

local function message(t)
  local text = t.message
  if text == nil then return "no message" end
  if type(text) == "string" then return text end
  if type(text) == "table" and not (getmetatable(text) or {}).__tostring then return require("pl.pretty").write(text) end
  return tostring(text)
end

local machinery = { "/busted/", "/luassert/", "luna[./]sandbox[./][%w_]+", "luna[./]cli[./]test_output", "[%[(]C[%])]", "busted:" }

-- Frames of the spec and of what it tests; those of busted and of the test kit say nothing.
local function frames(trace)
  local kept = {}
  for line in (trace or ""):gmatch "[^\n]+" do
    local ours = false
    for _, pattern in ipairs(machinery) do ours = ours or line:find(pattern) ~= nil end
    if line:find "^%s" and not ours then kept[#kept + 1] = line:gsub("^%s+", "  ") end
  end
  return table.concat(kept, "\n")
end

local M = { counts = counts, keepLog = keep }

--- Told when a test begins (true) and when it has ended (false).
function M.onTest() end

local function make(options)
  local busted = require "busted"
  local worlds = require "luna.sandbox.busted"
  local handler = require "busted.outputHandlers.base"()
  local terminal = host.isatty(1) and not options.verbose
  local column = 0

  local function dot(c)
    if not terminal then return end
    host.write(1, c)
    column = (column + 1) % 80
    if column == 0 then host.write(1, "\n") end
  end
  local function endDots()
    if column > 0 then host.write(1, "\n") end
    column = 0
  end

  local function place(t)
    local trace = t.element.trace or t.trace or {}
    return ("%s:%s"):format(trace.short_src or "?", trace.currentline or "?")
  end
  -- Whether the running test has failed, and what its worlds say then, beside that.
  local failed, more, said = false, nil, nil

  local function failure(t)
    counts.failed = counts.failed + 1
    endDots()
    put(("not ok - %s (%s)"):format(t.name, place(t)))
    local stack = frames(t.trace and t.trace.traceback)
    local shown = require("luna.suggest").explain(message(t))
    -- An error object has no position of its own: busted gives it one that is unknown, or the library's; the script's is wanted.
    local given, rest = shown:match "^(%S-:%-?%d+): (.*)$"
    if given == "?:-1" or given and scripts.isLibrary(given) then
      local at = scripts.position(t.trace and t.trace.traceback)
      shown = at and ("%s: %s"):format(at, rest) or rest
    end
    put(indent(shown))
    if stack ~= "" then put(indent(stack)) end
    if more then put(indent(more)) end
    if said and not (shown:find "conversation" or shown:find "snapshot") then put(indent(said)) end
    more, said = nil, nil
    if logged > 0 then put(indent("log:\n  " .. table.concat(recent(), "\n  "))) end
  end

  -- At a test's end: all that it gave to finally, the last first, and then its worlds. What they raise is the test's failure.
  local function ending(element)
    local set, list = element.env and element.env.finally, {}
    if not set then return end
    element.env.finally = function(fn) list[#list + 1] = fn end
    set(function()
      local why
      for i = #list, 1, -1 do
        local ok, err = pcall(list[i])
        if not ok then why = why or { err } end
      end
      local text
      text, said = worlds.ended(failed)
      if why then
        more = text
        error(why[1], 0)
      elseif text and failed then
        more = text
      elseif text then
        error(text, 0)
      end
    end)
  end

  busted.subscribe({ "test", "start" }, function(element)
    logged, failed, more, said = 0, false, nil, nil
    ending(element)
    M.onTest(true)
    return nil, true
  end)
  busted.subscribe({ "test", "end" }, function(_, _, status)
    M.onTest(false)
    if status == "success" then
      counts.passed = counts.passed + 1
      if options.verbose then put("ok - " .. handler.successes[#handler.successes].name) else dot "." end
    elseif status == "pending" then
      counts.skipped = counts.skipped + 1
      local t = handler.pendings[#handler.pendings]
      endDots()
      put(("ok - %s # SKIP %s"):format(t.name, t.message or "pending"))
    elseif status == "failure" then
      failure(handler.failures[#handler.failures])
    elseif status == "error" then
      failure(handler.errors[#handler.errors])
    end
    return nil, true
  end)
  local function outside(element)
    failed = true
    if element.descriptor ~= "it" then failure(handler.errors[#handler.errors]) end
    return nil, true
  end
  busted.subscribe({ "error" }, outside)
  busted.subscribe({ "failure" }, outside)
  busted.subscribe({ "suite", "end" }, function()
    endDots()
    return nil, true
  end)
  return handler
end

return setmetatable(M, { __call = function(_, options) return make(options) end })
