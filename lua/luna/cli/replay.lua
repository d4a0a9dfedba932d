--- `luna replay RECORD FILE...`: runs scripts against a record of `luna run --record` and says what they did otherwise. Loads luna.replay.
local host = require "_luna.host"
local helpers = require "luna.helpers"
local options = require "luna.cli.options"
local promise = require "_luna.promise"
local task = require "_luna.task"

local M = {}

M.spec = {
  usage = "RECORD FILE...", arguments = { 2 },
  about = "Runs scripts offline against what luna run --record FILE has written: each update comes at its time, on a\n"
    .. "clock that jumps, and each call gets the answer that it got then. Says what differs.",
  { "strict", nil, "ends at the first call that is not in the record" },
  { "online", nil, "lets the script use HTTP, which a record does not hold" },
  { "spec", "FILE", "writes a spec that replays this record, and replays nothing now" },
  { "log", "LEVEL", "of the script's run: fatal_error, error, warning (default), notice, verbose or ultra_verbose" },
  more = "A call that the record does not have gets the answer of one like it, a made-up one, or the error 400 NOT_RECORDED,\n"
    .. "and is listed. Exit status: 0 the same calls, no handler failed; 1 otherwise; 2 wrong use, unreadable record or script.",
}

local function quoted(text) return ("%q"):format(text) end

local function writeSpec(args)
  local path = args.spec
  if not path:find "_spec%.lua$" then options.fail(("luna replay: --spec %s: the name of a spec ends in _spec.lua"):format(path)) end
  if host.stat(path) then options.fail(("luna replay: there is a file %s"):format(path)) end
  require "luna.replay.tape"(args[1]) -- raises where it is none
  local scripts = {}
  for i = 2, #args do scripts[#scripts + 1] = quoted(args[i]) end
  local list = #scripts == 1 and scripts[1] or "{ " .. table.concat(scripts, ", ") .. " }"
  local name = require("luna.runner").stem(args[2])
  local text = ([[
-- What was recorded, replayed: fails where the calls differ or a handler raises.
describe(%s, function()
  it("does what it did in the record", function()
    require("luna.sandbox").replay(%s, %s)
  end)
end)
]]):format(quoted(name), quoted(args[1]), list)
  local ok, why = host.writeFile(path, text, 420) -- 0644
  if not ok then options.fail(("luna replay: %s"):format(why)) end
  host.write(1, ("%s\n"):format(path))
  return 0
end

function M.run(args)
  require("luna.cli.run").commandLine { log = args.log or "warning" }
  if args.spec then return writeSpec(args) end
  for i = 2, #args do
    if not host.stat(args[i]) then options.fail(("luna replay: there is no script %s"):format(args[i])) end
  end
  task.setUnhandled(function(...) require("luna.helpers").unhandled(...) end)
  helpers.lineSource = function(p) promise.resolve(p, nil) end -- a record has no standard input: it has ended
  local result = require("luna.replay").play(args[1], table.move(args, 2, #args, 1, {}), { strict = args.strict, online = args.online })
  host.write(1, result.text .. "\n")
  return result.same and 0 or 1
end

return M
