--- What the interop specs share: child processes whose standard output is read line by line, and the programs in
--- build/interop. Loaded with dofile by the specs of this folder; not a spec itself.
local M = {}

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local root = here .. "../../"
local out = os.getenv("LUNA_INTEROP_DIR") or (root .. "build/interop")
local hosted, luna = pcall(require, "luna")

M.luna = os.getenv("LUNA") or (root .. "build/luna")
M.teled = out .. "/teled"
M.telethon = "PYTHONDONTWRITEBYTECODE=1 " .. out .. "/py/bin/python " .. here .. "telethon_peer.py"
M.kurigram = "PYTHONDONTWRITEBYTECODE=1 " .. out .. "/py/bin/python " .. here .. "kurigram_peer.py"
M.mtcute = "MTCUTE_MODULES=" .. out .. "/node node " .. here .. "mtcute_peer.mjs"
M.emmylua = out .. "/emmylua/bin/emmylua_check"
M.here = here

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

--- Where each peer's presence is seen.
local marks = {
  luna = M.luna, teled = M.teled, Telethon = out .. "/py/.stamp", Kurigram = out .. "/py/.stamp", mtcute = out .. "/node/.stamp",
  emmylua = M.emmylua,
}

--- What of the named is not there, as a text for pending(), or nil; where CI is set, its absence is an error.
function M.lacks(...)
  for _, name in ipairs { ... } do
    if not exists(marks[name]) then
      local text = name .. " is not there (spec/interop/setup brings it)"
      if os.getenv("CI") then error(text, 2) end
      return text
    end
  end
end

--- The frame of a spec's tests: test(name, { needed… }, fn) is a test that is pending where something needed is missing; what fn(scene)
--- keeps as scene.server and scene.bot ends with it. env: the spec's _ENV, where busted's words are; inside a describe.
function M.frame(env)
  local scene = {}
  env.after_each(function()
    local bot, server = scene.bot, scene.server
    scene.bot, scene.server = nil, nil
    if bot then bot:stop() end
    if server then server.child:stop() end
  end)
  return function(name, needs, fn)
    env.it(name, function()
      local missing = M.lacks("luna", table.unpack(needs))
      if missing then return env.pending(missing) end
      fn(scene)
    end)
  end
end

--- One word for the shell.
function M.quote(word)
  return "'" .. tostring(word):gsub("'", [['\'']]) .. "'"
end

-- In the host a blocking read would hold the loop: wait until the pipe can be read.
local function read_some(child)
  if not (hosted and luna.loop and luna.Deferred) then return child.pipe:read("L") end
  while true do
    local data = luna.loop.read(child.pipe, 65536)
    if data == nil or data ~= "" then return data end
    local readable = luna.Deferred()
    luna.loop.onReadable(child.pipe, function(id)
      luna.loop.cancel(id)
      readable:resolve()
    end)
    luna.await(readable:promise())
  end
end

local Child = {}
Child.__index = Child

--- The next line, or nil at the end. Every line is kept in child.lines.
function Child:line()
  while true do
    local line, rest = self.buffer:match("^([^\n]*)\n(.*)$")
    if line then
      self.buffer = rest
      self.lines[#self.lines + 1] = line
      return line
    end
    local data = read_some(self)
    if not data then return nil end
    self.buffer = self.buffer .. data
  end
end

--- All that it has said, for messages of failed tests.
function Child:said()
  local errors = not self.stderr and io.open(self.errors)
  local text = errors and errors:read("a") or self.stderr or ""
  if errors then errors:close() end
  return ("%s\n%s\n-- stderr\n%s"):format(self.command, table.concat(self.lines, "\n"), text)
end

--- Reads on until a line matches; gives its captures. The end of the output is an error.
function Child:expect(pattern)
  for line in function() return self:line() end do
    if line:find(pattern) then return line:match(pattern) end
  end
  error("no line like " .. pattern .. " from " .. self:said(), 2)
end

--- Sends a signal (TERM, KILL) to the program itself, not to its guard. False where it has ended already.
function Child:signal(name)
  local file = io.open(("/proc/%d/task/%d/children"):format(self.pid, self.pid))
  local children = file and file:read("a") or ""
  if file then file:close() end
  local lives = children:match("%d") ~= nil
  if lives then os.execute(("kill -%s %s 2>/dev/null"):format(name, children)) end
  return lives
end

--- Waits for its end; gives its exit status.
function Child:finish()
  if not self.pipe then return self.status end
  while self:line() do end
  local _, kind, code = self.pipe:close()
  self.pipe, self.status = nil, kind == "exit" and code or 128 + (code or 0)
  local errors = io.open(self.errors)
  if errors then
    self.stderr = errors:read("a")
    errors:close()
    os.remove(self.errors)
  end
  if self.session then M.remove_session(self.session) end
  return self.status
end

function Child:stop()
  if not self.pipe then return self.status end
  local lived = self:signal("TERM")
  local status = self:finish()
  if self.stays and not lived then error(("ended by itself, status %d: %s"):format(status, self:said()), 0) end
  return status
end

--- Starts a shell command (one program, with assignments before it if need be). It is ended after `seconds` at most.
function M.start(command, seconds)
  local errors = os.tmpname()
  local assignments, program = "", command
  while program:match("^[%w_]+=%S+ ") do
    local one, rest = program:match("^(%S+ )(.*)$")
    assignments, program = assignments .. one, rest
  end
  local pipe = assert(io.popen(("echo $$; %sexec timeout -k 5 %d %s 2>%s </dev/null"):format(
    assignments, seconds or 60, program, errors)))
  local child = setmetatable({ pipe = pipe, command = command, errors = errors, lines = {}, buffer = "" }, Child)
  child.pid = assert(tonumber(child:line()))
  child.lines = {}
  return child
end

--- Runs it to its end, for 30 s where nothing is said (a test has 60): the child, finished, with `status`.
function M.run(command, seconds)
  local child = M.start(command, seconds or 30)
  child:finish()
  return child
end

--- Runs it and insists on status 0 and, in this order, on lines that match.
function M.must(command, ...)
  local child = M.run(command)
  if child.status ~= 0 then error(("status %d from %s"):format(child.status, child:said()), 2) end
  local at = 1
  for _, pattern in ipairs { ... } do
    while child.lines[at] and not child.lines[at]:find(pattern) do at = at + 1 end
    if not child.lines[at] then error("no line like " .. pattern .. " from " .. child:said(), 2) end
    at = at + 1
  end
  return child
end

--- Starts a server (`luna sandbox` or `teled serve`) and reads what it prints until it is ready:
--- { host, port, dc, key, child, places = { [dc] = { host, port, dc, key } } }; host, port and dc are the first's.
function M.server(command)
  local child = M.start(command, 300)
  child.stays = true
  local server, listen = { child = child, places = {} }, nil
  for line in function() return child:line() end do
    local word, value = line:match("^(%S+)%s*(.*)$")
    if word == "listen" then listen = value end
    if word == "dc" and listen then
      local place = { dc = tonumber(value) }
      place.host, place.port = listen:match("^(.*):(%d+)$")
      server.places[place.dc] = place
      if not server.dc then server.host, server.port, server.dc = place.host, place.port, place.dc end
    end
    if word == "key" then server.key = value end
    if word == "ready" then break end
  end
  for _, place in pairs(server.places) do place.key = server.key end
  if not (server.port and server.dc and server.key) then error("no server: " .. child:said(), 2) end
  return server
end

--- A sandbox of ours with the bots NAME=TOKEN, and further options of the command as they are ("--dc 4").
function M.sandbox(...)
  local command = M.luna .. " sandbox"
  for _, word in ipairs { ... } do command = command .. (word:find "^%-%-" and " " or " --bot ") .. word end
  return M.server(command)
end

--- How many temporary keys a server has bound: ours (with "--log verbose") or teled (with -log).
function M.bound(server)
  local _, n = server.child:said():gsub("a temporary key is bound", "")
  return n
end

--- Removes what a session leaves.
function M.remove_session(path)
  for _, suffix in ipairs { "", "-wal", "-shm", "-lock" } do os.remove(path .. suffix) end
end

--- Our client as a bot on a server, logged in when this returns. opts: token, bot (a file of bots/; "echo"), session (one of its
--- own where none is given), pfs (with temporary keys), flags.
function M.bot(server, opts)
  local session = opts.session
  if not session then
    session = os.tmpname()
    os.remove(session)
  end
  local place = ("--dc %d=%s:%s --dc-key %s"):format(server.dc, server.host, server.port, server.key)
  local settings = ("LUNA_INTEROP_BOT=%s LUNA_BOT_TOKEN=%s LUNA_API_ID=1 LUNA_API_HASH=hash"):format(opts.bot or "echo", opts.token)
  if opts.pfs then settings = settings .. " LUNA_INTEROP_PFS=1" end
  local command = ("%s %s run %sready.lua %s --no-watch --session %s %s"):format(settings, M.luna, here, place, session, opts.flags or "")
  local child = M.start(command, 120)
  if not opts.session then child.session = session end
  child:expect("^ready")
  return child
end

--- The arguments by which a peer finds a server.
function M.at(server)
  return ("%s %s %s --dc %d"):format(server.host, server.port, server.key, server.dc)
end

local function teled(command, server, words)
  return ("%s %s -server %s:%s -key %s -dc %d %s"):format(M.teled, command, server.host, server.port, server.key, server.dc, words)
end

--- gotd's person on a server: `teled say` with its flags.
function M.say(server, flags) return teled("say", server, flags) end

--- ... and `teled drive`.
function M.drive(server, words) return teled("drive", server, words) end

return M
