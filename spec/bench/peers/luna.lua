-- Our own peer of the benchmarks, see README.md beside it. Run as a bot: luna run luna.lua --dc N=HOST:PORT --dc-key KEY --session FILE.
-- LUNA_BENCH_UNTIL=cold|echo, LUNA_BENCH_N=500, LUNA_BENCH_ECHO=2000. LUNA_BENCH_ORDER=chat keeps the default, one chat's updates one after
-- the other; without it a chat's updates are handled beside each other, as the peers do.
local luna = require "luna"
local host = require "_luna.host" -- processor time, which no script needs otherwise

local Bench = luna.EventHandler:extend "Bench"
Bench.settings = { updates = { order = os.getenv "LUNA_BENCH_ORDER" or "none" } }
local DEEP = 100
local until_ = os.getenv "LUNA_BENCH_UNTIL" or ""
local N = tonumber(os.getenv "LUNA_BENCH_N" or "") or 500
local ECHO = tonumber(os.getenv "LUNA_BENCH_ECHO" or "") or 2000

local function show(name, value, unit)
  io.write(("%s %.4g %s\n"):format(name, value, unit))
  io.flush()
end

local function resident(field)
  for line in io.lines "/proc/self/status" do
    local kib = line:match("^" .. field .. ":%s+(%d+)")
    if kib then return tonumber(kib) / 1024 end
  end
end

function Bench:onStart()
  local me = self.users.getUsers{ id = { { _ = "inputUserSelf" } } }[1]
  print("ready " .. me.username)
  io.flush()
end

function Bench:measure(name, depth, call)
  local start = host.usage()
  if depth == 1 then
    for i = 1, N do call(i, { async = false }) end
  else
    local window = {}
    for i = 1, N do
      if i > depth then luna.await(window[i - depth]) end
      window[i] = call(i, { async = true })
    end
    for i = math.max(1, N - depth + 1), N do luna.await(window[i]) end
  end
  show(name, (host.usage() - start) / N * 1e6, "us")
end

function Bench:rest()
  if until_ ~= "echo" then self:figures() end
  self.echoing, self.answered, self.began = true, 0, host.usage()
  print "echo ready"
  io.flush()
end

function Bench:figures()
  self:sleep(1)
  show("idle_rss", resident "VmRSS", "MiB")
  local config = function(_, how) return self.help.getConfig({}, how) end
  local send = function(i, how) return self.messages.sendMessage({ peer = self.peer, message = "message " .. i }, how) end
  self:measure("config_seq", 1, config)
  self:measure("config_100", DEEP, config)
  self:measure("send_seq", 1, send)
  self:measure("send_100", DEEP, send)
end

function Bench:onUpdateNewMessage(update)
  local message = update.message
  if message.out then return end
  if self.echoing then
    self.messages.sendMessage{ peer = update, message = message.message }
    self.answered = self.answered + 1
    if self.answered == ECHO then
      show("echo", (host.usage() - self.began) / ECHO * 1e6, "us")
      show("peak_rss", resident "VmHWM", "MiB")
      print "done"
      os.exit(0)
    end
  elseif not self.peer then
    self.peer = message.peer_id
    show("cold_start", host.usage() * 1e3, "ms")
    if until_ == "cold" then
      print "done"
      os.exit(0)
    end
    luna.callFork(function() self:rest() end)
  end
end

return Bench
