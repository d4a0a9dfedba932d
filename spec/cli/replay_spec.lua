-- luna run --record and luna replay as a person uses them: files, exit statuses, and what is said.
local cli = dofile((debug.getinfo(1, "S").source:match "^@(.*/)" or "") .. "support.lua")
local host = require "_luna.host"

local BOT = [[
local luna = require "luna"
local Bot = luna.EventHandler:extend "Bot"
Bot.persist = { "n" }
function Bot:onUpdateNewMessage(update)
  if update.message.out then return end
  self.state.n = (self.state.n or 0) + 1
  if update.message.message == "bad" then error "it was bad" end
  self.messages.sendMessage{ peer = update, message = "you said " .. update.message.message .. " " .. self.state.n }
end
return Bot
]]

describe("luna replay", function()
  local folder, record, script
  setup(function()
    folder = cli.folder()
    record, script = folder .. "/live.rec", cli.script(folder, "talker.lua", BOT)
    local run = cli.run { "run", "--sandbox", "--no-repl", "--record", record, script, input = "hello\nagain\n" }
    assert.equal("talker: you said hello 1\ntalker: you said again 2\n", run.out)
    assert.equal(0, run.status)
  end)
  teardown(cli.clean)

  it("ends with 0 where the script does what it did", function()
    local run = cli.run { "replay", record, script }
    assert.same({ 0, "" }, { run.status, run.err })
    assert.matches("^%d+ updates, 2 calls over %d+%.%d s: no difference, no error\n$", run.out)
  end)

  it("ends with 1 and the difference where it does not", function()
    local other = cli.script(folder, "other.lua", (BOT:gsub("you said", "You said")))
    local run = cli.run { "replay", record, other }
    assert.equal(1, run.status)
    assert.matches('recorded: messages.sendMessage{ message = "you said hello 1", … }\n  now:      messages.sendMessage{ message = '
      .. '"You said hello 1", … }', run.out, 1, true)
    assert.matches("2 differences, no error\n$", run.out)
    run = cli.run { "replay", "--strict", record, other }
    assert.equal(1, run.status)
    assert.matches("1 difference, no error\n$", run.out)
  end)

  it("makes a test of a bug", function()
    local bug = folder .. "/bug.rec"
    local live = cli.run { "run", "--sandbox", "--no-repl", "--record", bug, script, input = "bad\n" }
    assert.equal(1, live.status)
    local run = cli.run { "replay", bug, script }
    assert.equal(1, run.status)
    assert.matches("talker.lua:%d+: it was bad %(as in the record%)", run.out)
    local spec = folder .. "/bug_spec.lua"
    assert.equal(0, cli.run({ "replay", "--spec", spec, record, script }).status)
    local test = cli.run { "test", spec }
    assert.same({ 0, "1 passed, 0 failed, 0 skipped\n" }, { test.status, test.out })
    local again = cli.run { "replay", "--spec", spec, record, script }
    assert.equal(2, again.status)
    assert.matches("there is a file", again.err)
    cli.script(folder, "bug_spec.lua", (host.readFile(spec):gsub("live.rec", "bug.rec")))
    test = cli.run { "test", spec }
    assert.equal(1, test.status)
    assert.matches("the replay differs:.*it was bad", test.out)
  end)

  it("begins with the state that was kept from an earlier run", function()
    local session = folder .. "/s.session"
    local first = cli.run { "run", "--sandbox", "--no-repl", "--session", session, script, input = "one\n" }
    assert.equal("talker: you said one 1\n", first.out)
    local kept = folder .. "/kept.rec"
    local second = cli.run { "run", "--sandbox", "--no-repl", "--session", session, "--record", kept, script, input = "two\n" }
    assert.equal("talker: you said two 2\n", second.out)
    local run = cli.run { "replay", kept, script }
    assert.same({ 0, "" }, { run.status, run.err })
  end)

  it("has no standard input: it has ended", function()
    local waiting = cli.script(folder, "waiting.lua", [[
local luna = require "luna"
luna.sleep(0.01)
print(luna.readLine(), os.time() > 1e9)
]])
    local run = cli.run { "replay", record, waiting, hold = true, seconds = 10 }
    assert.equal(0, run.status)
    assert.matches("^nil\ttrue\n", run.out)
  end)

  it("keeps the record to its owner, and secrets out of it", function()
    assert.equal(384, host.stat(record).mode)
    local text = host.readFile(record)
    assert.is_nil(text:find("auth.", 1, true))
    local masked = folder .. "/masked.rec"
    cli.run { "run", "--sandbox", "--no-repl", "--record", masked, "--record-mask-text", script, input = "hello\n" }
    text = host.readFile(masked)
    assert.is_nil(text:find("hello", 1, true))
    assert.matches('"message":"xxxxx"', text, 1, true)
    assert.equal(0, cli.run({ "replay", masked, script }).status)
  end)

  it("refuses what cannot be", function()
    local function refused(pattern, ...)
      local run = cli.run { ... }
      assert.matches(pattern, run.err)
      assert.equal(2, run.status)
    end
    local other = cli.script(folder, "notes.txt", "dear diary\n")
    refused("RECORD FILE is missing", "replay", record)
    refused("nothing.rec cannot be read", "replay", folder .. "/nothing.rec", script)
    refused("notes.txt: it is no record", "replay", other, script)
    refused("there is no script", "replay", record, folder .. "/none.lua")
    refused("ends in _spec.lua", "replay", "--spec", folder .. "/x.lua", record, script)
    refused("notes.txt cannot be written: there is a file of that name, which is no record", "run", "--sandbox", "--record", other, script)
    refused("cannot be written", "run", "--sandbox", "--record", folder .. "/no/such/folder", script)
    refused("it is a number of MiB", "run", "--sandbox", "--record", folder .. "/x.rec", "--record-limit", "much", script)
    refused("belong to %-%-record FILE", "run", "--sandbox", "--record-mask-text", script)
    assert.equal("dear diary\n", host.readFile(other))
  end)
end)
