--- `luna test [PATH...]`: busted inside the host. Its runner is called in a host task, so every test may wait; specs run against worlds of
--- the sandbox. Shows what fails and what is pending, and ends with "N passed, N failed, N skipped".
local host = require "_luna.host"
local errors = require "luna.errors"
local options = require "luna.cli.options"
local report = require "luna.cli.report"
local signals = require "luna.cli.signals"
local coverage = require "luna.sandbox.coverage"
local stills = require "luna.sandbox.stills"
local task = require "_luna.task"

local M = {}

M.spec = {
  usage = "[PATH...]",
  about = "Runs specs (files named *_spec.lua) with busted, inside the host: tests may wait, time can be virtual, and\n"
    .. "require(\"luna.sandbox\").world() is at hand. Without PATH: the folder spec, without spec/interop.",
  arguments = { 0 },
  { "filter", "PATTERN", "only tests whose name matches the Lua pattern" },
  { "tags", "NAMES", "only tests with one of these #tags" },
  { "shuffle", nil, "files and tests in another order" },
  { "seed", "NUMBER", "the order of an earlier run" },
  { "list", nil, "name the tests, run none" },
  { "timeout", "SECONDS", "of real time that one test may take (default 60)" },
  { "verbose", nil, "name each test as it ends" },
  { "log", "LEVEL", "show the log as it is written (else: with a failed test only)" },
  { "update-snapshots", nil, "take over what differs from the files of world:snapshot" },
  { "coverage", nil, "how often each handler, route and button of the bots has run, and which never" },
  { "coverage-json", "FILE", "the same as JSON" },
  { "counts", "FILE", "write \"passed failed skipped\" to a file instead of the last line" },
}

local marker = {}

-- The spec files under a path, sorted.
local function collect(lfs, path, list, top)
  local mode = lfs.attributes(path, "mode")
  if not mode then
    local text = ("luna test: there is no file or folder %s%s"):format(path, options.nearFile(path))
    options.fail(text, "luna test [PATH...]: files *_spec.lua, or folders")
  end
  if mode ~= "directory" then
    list[#list + 1] = path
    return list
  end
  local entries = {}
  for entry in lfs.dir(path) do
    if not entry:find "^%." and not (top and entry == "interop") and entry ~= "node_modules" then entries[#entries + 1] = entry end
  end
  table.sort(entries)
  for _, entry in ipairs(entries) do
    local full = path .. "/" .. entry
    if lfs.attributes(full, "mode") == "directory" then
      collect(lfs, full, list)
    elseif entry:find "_spec%.lua$" then
      list[#list + 1] = full
    end
  end
  return list
end

-- A test that waits for what never comes is failed at its wait, and the next one runs. Seconds are counted by a timer of this task's clock,
-- which is no world's; it keeps nothing alive.
local function limit(seconds)
  local main, timer = task.current(), require "_luna.timer"
  local left
  require("luna.cli.test_output").onTest = function(running) left = running and seconds or nil end
  local function look()
    if left then
      left = left - 1
      if left <= 0 then
        left = nil
        main:cancel(errors.classes.TimeoutException(("the test has taken more than %g s"):format(seconds)))
      end
    end
    timer.unref(timer.after(1, look))
  end
  timer.unref(timer.after(1, look))
end

-- busted takes what is loaded back after each file. What the library keeps once for the process (hooks, the log) has to be there before,
-- or a file's own copy would be left in place of it.
local function preload()
  for _, name in ipairs { "luna", "luna.api", "luna.handler", "luna.core", "luna.info", "luna.message", "luna.runner", "luna.sandbox",
    "luna.sandbox.busted" } do
    local ok, why = pcall(require, name)
    if not ok and not tostring(why):find("module '" .. name .. "' not found", 1, true) then error(why, 0) end
  end
  pcall(require, "luna.http") -- where it is built in
end

local function writeFile(path, text)
  local done, problem = host.writeFile(path, text, 420) -- rw-r--r--
  if not done then options.fail(("luna test: %s"):format(problem)) end
end

-- Says what world:snapshot has written, and which files no test asks for any more, where all tests of these specs have run.
local function snapshots(args, files, counts)
  for _, line in ipairs(stills.take()) do host.write(1, line .. "\n") end
  if args.filter or args.tags or counts.failed > 0 then return end
  local unused = stills.unused(files)
  for _, file in ipairs(unused) do
    host.write(1, stills.update and ("snapshot removed: %s\n"):format(file)
      or ("snapshot without a test: %s (--update-snapshots removes it)\n"):format(file))
  end
  if stills.update then stills.remove(unused) end
end

function M.run(args)
  for _, name in ipairs { "busted.runner", "lfs" } do
    if not pcall(require, name) then
      options.fail(("luna test: the Lua module %s is not installed"):format(name), "host/setup --specs installs it (busted and its parts)")
    end
  end
  local lfs = require "lfs"
  local paths = { table.unpack(args) }
  if #paths == 0 then paths[1] = "spec" end
  local files = {}
  for _, path in ipairs(paths) do collect(lfs, (path:gsub("(.)/+$", "%1")), files, #args == 0 or path:find "^%.?/?spec/?$" ~= nil) end
  if #files == 0 then options.fail("luna test: no spec (*_spec.lua) there") end

  preload()
  task.setUnhandled(function(...) require("luna.helpers").unhandled(...) end)
  task.setBudget(120) -- a test may run other programs, which holds the loop; an endless one still ends
  task.onExit(require("luna.cli.run").stopAll)
  signals.install(function() task.exit(1) end)

  if args.log then
    require("luna.cli.run").commandLine { log = args.log }
  else
    require("luna.logger").setWriter(require("luna.cli.test_output").keepLog)
  end

  coverage.on = (args.coverage or args["coverage-json"]) ~= nil
  stills.update = args["update-snapshots"] == true
  local seconds = tonumber(args.timeout or 60)
  if not seconds or seconds <= 0 then options.fail(("luna test: --timeout %s: a number of seconds"):format(args.timeout)) end
  limit(seconds)
  if args.seed and not math.tointeger(tonumber(args.seed)) then
    options.fail(("luna test: --seed %s: a whole number"):format(args.seed))
  end

  local words = {}
  local function flag(name, value) words[#words + 1] = value and ("--%s=%s"):format(name, value) or "--" .. name end
  flag("output", "luna.cli.test_output")
  if args.filter then flag("filter", args.filter) end
  if args.tags then flag("tags", args.tags) end
  if args.shuffle then flag "shuffle" end
  if args.seed then flag("seed", args.seed) end
  if args.list then flag "list" end
  if args.verbose then flag "verbose" end
  words[#words + 1] = "--"
  for _, file in ipairs(files) do words[#words + 1] = file end

  local counts = require "luna.cli.test_output".counts
  local exit, oldArg = os.exit, rawget(_G, "arg")
  rawset(_G, "arg", words)
  os.exit = function() error(marker, 0) end -- luacheck: ignore
  -- The chunk is named like busted's own program: it takes part of its behaviour from that.
  local start = load("require 'busted.runner'({ standalone = false })", "@busted", "t", _G)
  local ok, why = xpcall(start, function(err) return err == marker and err or report.trace(err) end)
  os.exit = exit -- luacheck: ignore
  rawset(_G, "arg", oldArg)
  if not ok and why ~= marker then return report.print(why) end
  if args.list then return 0 end
  snapshots(args, files, counts)
  if args.coverage then host.write(1, coverage.text() .. "\n") end
  if args["coverage-json"] then
    writeFile(args["coverage-json"], require("luna.json").encode(coverage.data(), { pretty = true }) .. "\n")
  end

  if args.counts then
    writeFile(args.counts, ("%d %d %d\n"):format(counts.passed, counts.failed, counts.skipped))
  else
    host.write(1, ("%d passed, %d failed, %d skipped\n"):format(counts.passed, counts.failed, counts.skipped))
  end
  return counts.failed > 0 and 1 or 0
end

return M
