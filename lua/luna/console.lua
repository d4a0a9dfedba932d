--- Standard input and output for scripts: readLine and echo. One reader of standard input for all who wait, first come, first served; it
--- holds the program only while somebody waits. A chat at the terminal owns the input and sets `helpers.lineSource` instead.
local core = require "_luna.promise"
local host = require "_luna.host"

local console = {}

local waiting, first, last = {}, 1, 0
local reading, ended = false, false

-- Who waits longest and still does.
local function take()
  while first <= last do
    local p = waiting[first]
    waiting[first] = nil
    first = first + 1
    if core.state(p) == "pending" then return p end
  end
end

local function pauseIfAlone()
  while first <= last and core.state(waiting[first]) ~= "pending" do
    waiting[first] = nil
    first = first + 1
  end
  if reading and first > last then host.pauseLines(true) end -- where a chat owns the input, it is not ours to pause
end

local function arrived(line)
  if line == nil then
    ended = true
    for p in take do core.resolve(p, nil) end
    return
  end
  local p = take()
  pauseIfAlone() -- before who got it goes on and, perhaps, asks for the next
  if p then core.resolve(p, line) end
end

--- A promise of the next line of standard input, without its end; of nil after the last. source: who owns the input, or nil.
function console.readLine(prompt, source)
  if prompt ~= nil then host.write(1, tostring(prompt)) end
  if source then
    local p = core.new()
    source(p)
    return p
  end
  if ended then return core.success(nil) end
  local p
  p = core.new(function(err)
    core.fail(p, err)
    pauseIfAlone()
  end)
  last = last + 1
  waiting[last] = p
  if not reading then
    reading = true
    host.readLines(arrived)
  else
    host.pauseLines(false)
  end
  return p
end

--- Waits for a line. Who is cancelled meanwhile takes none.
function console.await(p)
  local ok, line = pcall(core.await, p)
  if ok then return line end
  if core.state(p) == "pending" then
    core.markHandled(p)
    core.fail(p, line)
    pauseIfAlone()
  end
  error(line, 0)
end

--- Writes a text as it is.
function console.echo(text) host.write(1, tostring(text)) end

return console
