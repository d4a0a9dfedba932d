local cli = dofile((debug.getinfo(1, "S").source:match "^@(.*/)" or "") .. "support.lua")
local json = require "luna.json"

describe("the log on standard error", function()
  local folder
  before_each(function() folder = cli.folder() end)
  after_each(cli.clean)

  local function failing()
    return cli.script(folder, "failing.lua", [[
local luna = require "luna"
local Bot = luna.EventHandler:extend "Bot"
local function ask(self) self.users.getUsers{ id = { "@nobody_of_that_name" } } end
function Bot:onUpdateNewMessage(update)
  if update.message.out then return end
  ask(self)
end
return Bot
]])
  end

  it("says at which line of the script a call was refused, and shows the script's frames alone", function()
    local r = cli.run { "run", failing(), "--sandbox", input = "x\n" }
    local place = folder .. "/failing.lua"
    assert.matches(": the handler of updateNewMessage failed: [^\n]*/failing%.lua:3: contacts%.resolveUsername: USERNAME_NOT_OCC", r.err)
    local after = r.err:match "USERNAME_NOT_OCCUPIED[^\n]*\n(.*)$"
    assert.equal(("    %s:3: in upvalue 'ask'\n    %s:6: in function <%s:4>\n"):format(place, place, place), after)
  end)

  it("is JSON with --log-json, and by a setting", function()
    local function check(r)
      local events = {}
      for line in r.err:gmatch "[^\n]+" do events[#events + 1] = json.decode(line) end
      assert.equal(2, #events, r.err)
      assert.same({ "error", "failing", "USERNAME_NOT_OCCUPIED" }, { events[2].level, events[2].bot, events[2].fields.rpc })
      assert.matches("/failing%.lua:3: in upvalue 'ask'\n", events[2].traceback)
    end
    check(cli.run { "run", failing(), "--sandbox", "--log-json", input = "x\n" })
    local config = cli.script(folder, "a.conf.lua", 'return { logger = { json = true, level = "notice" } }')
    local r = cli.run { "run", failing(), "--sandbox", "--config", config, input = "x\n" }
    check(r)
    -- Who types it has the last word.
    r = cli.run { "run", failing(), "--sandbox", "--config", config, "--log", "fatal_error", input = "x\n" }
    assert.equal("", r.err)
  end)

  it("leaves time and level to the journal, where that reads it", function()
    local script = failing()
    -- A socket pair as standard error, which JOURNAL_STREAM names by device and inode.
    local program = cli.script(folder, "journal.py", [[
import os, socket, subprocess, sys
a, b = socket.socketpair()
st = os.fstat(b.fileno())
env = dict(os.environ, JOURNAL_STREAM="%d:%d" % (st.st_dev, st.st_ino + int(sys.argv[1])))
p = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL if len(sys.argv) < 2 else None, stdout=subprocess.DEVNULL, stderr=b, env=env)
b.close()
print(a.makefile(encoding="utf-8").read(), end="")
]])
    local function journal(shift)
      local command = "printf 'x\\n' | XDG_STATE_HOME='%s' python3 '%s' %d '%s' run '%s' --sandbox --no-repl"
      local pipe = io.popen(command:format(folder, program, shift, cli.program, script))
      local text = pipe:read "a"
      pipe:close()
      return text
    end
    local text = journal(0)
    assert.matches("^<5>failing: logged in as [^\n]*\n<3>failing: the handler of [^\n]*\n<3>    [^\n]*:3: in [^\n]*\n", text)
    for line in text:gmatch "[^\n]+" do assert.matches("^<%d>", line) end
    assert.matches("^%d%d:%d%d:%d%d NOTICE failing: ", journal(1)) -- another file: the variable is inherited from elsewhere
  end)
end)
