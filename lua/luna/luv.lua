--- What `require "luv"` does otherwise than luv alone, since the loop is the host's: it runs already, and it has handles that are not
--- luv's. Called once by the host with luv's module, which it changes.
local loop = require("luna").loop -- the one that scripts have: a test kit may forget loaded modules between two files
local task = require "_luna.task"

return function(luv)
  local alive = require("_luna.loop").luvAlive

  --- run(mode): the loop runs already; this waits, for "default" until nothing of the script's is left (as luna.loop.run does), else for
  --- one turn. Whether luv has something left.
  function luv.run(mode)
    if mode == nil or mode == "default" then
      loop.run()
    elseif mode == "once" or mode == "nowait" then
      task.sleep(0)
    else
      error(("bad argument #1 to 'run' (invalid option '%s')"):format(tostring(mode)), 2)
    end
    return alive()
  end

  --- stop(): ends the innermost run.
  function luv.stop() loop.stop() end

  function luv.loop_alive() return alive() end

  function luv.walk() error("uv.walk is not possible here: the loop has handles that are not luv's", 2) end

  function luv.loop_close() error("uv.loop_close is not possible here: the loop is the host's", 2) end
end
