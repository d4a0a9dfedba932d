-- The examples of the seed's page "Event Loop API" in Lua: each file of event-loop/ is a program, run as such.
local host = require "_luna.host"

local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"

local examples = {
  run = "first\nafter 10 ms\nnothing left\n",
  stop = "tick 1\ntick 2\ntick 3\nto the end of the tick\nstopped\n",
  now = "true\ntrue\n",
  defer = "line 1\nline 2\nline 3\n",
  readable = "hello\nworld\nend\n",
  pause_resume = "300000\tpaused on the way: true\n",
  cancel = "hello 1\nhello 2\nhello 3\n",
  writable = "something to send\none two three\n",
}

describe("seed: Event Loop API", function()
  for name, output in pairs(examples) do
    it(name, function()
      local program = io.popen(("%s run %s/event-loop/%s.lua 2>&1; echo status $?"):format(os.getenv "LUNA" or host.argv[0], here, name))
      local said = program:read "a"
      program:close()
      assert.equal(output .. "status 0\n", said)
    end)
  end
end)
