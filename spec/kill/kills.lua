-- The driver of spec/kill/run: a sandbox and a person in this process, the bot (keeper.lua) in one of its own that is killed and started
-- again, and whose script is saved now and then.
local luna = require "luna"
local sandbox = require "luna.sandbox"
local Person = require "luna.chat.person"

local seconds, seed = tonumber(os.getenv "KILL_SECONDS"), tonumber(os.getenv "KILL_SEED")
local program = os.getenv "LUNA"
math.randomseed(seed)

local place = sandbox.serve { bots = { { "echo_bot", "7001:kill-spec" } } }
local bot = place.tokens[1]
local person = Person(place, { name = "echo", core = { me = { id = bot.id, username = bot.username } } })
local folder = os.tmpname()
os.remove(folder)
os.execute("mkdir -p " .. folder)
local script = io.open("spec/kill/keeper.lua"):read "a"
local saves = 0
local function save()
  saves = saves + 1
  local file = io.open(folder .. "/new", "w")
  file:write(script, ("-- save %d\n"):format(saves))
  file:close()
  os.rename(folder .. "/new", folder .. "/echo.lua")
end
save()

if seed % 2 == 1 then
  local conf = io.open(folder .. "/luna.conf.lua", "w")
  conf:write "return { pfs = true }\n"
  conf:close()
end

local answers, sent, kills = {}, 0, 0
function person.onMessage(m) answers[m.text] = (answers[m.text] or 0) + 1 end

local function start()
  local address = place.addresses[1]
  os.execute(("LUNA_BOT_TOKEN=%s LUNA_API_ID=1 LUNA_API_HASH=x '%s' run %s/echo.lua --dc %d=%s:%d --dc-key %s --session %s/s "
    .. "--log error 2>>%s/log & echo $! >%s/pid"):format(bot.token, program, folder, address.dc, address.host, address.port, place.keyPath,
    folder, folder, folder))
  return io.open(folder .. "/pid"):read "n"
end
local function stop(pid, signal)
  -- Gone, or a zombie where nobody reaps.
  os.execute(("kill -%s %d 2>/dev/null; while grep -q '^State:.[^ZX]' /proc/%d/status 2>/dev/null; do sleep 0.01; done")
    :format(signal, pid, pid))
end

local function lost()
  local n = 0
  for i = 1, sent do
    if not answers["m" .. i] then n = n + 1 end
  end
  return n
end

local now = os.time
local ends = now() + seconds
local pid = start()
local probes
repeat -- what was written before the first log-in is not the bot's business
  assert(person:send "probe")
  luna.sleep(0.1)
until answers.probe
probes = answers.probe
while now() < ends do
  for _ = 1, math.random(1, 50) do
    sent = sent + 1
    assert(person:send("m" .. sent))
    if math.random(10) == 1 then save() end
    luna.sleep(0.02 * math.random())
  end
  stop(pid, "KILL")
  kills = kills + 1
  for _ = 1, math.random(0, 3) do -- while nobody is there
    sent = sent + 1
    assert(person:send("m" .. sent))
  end
  pid = start()
end
for _ = 1, 300 do
  if lost() == 0 then break end
  luna.sleep(0.1)
end
luna.sleep(0.5) -- what comes twice comes now
stop(pid, "TERM")
pid = start()
assert(person:send "count?")
local kept = ("count %d, %d texts"):format(sent + probes, sent + probes)
for _ = 1, 50 do
  if answers[kept] then break end
  luna.sleep(0.1)
end
stop(pid, "TERM")

local twice = 0
for text, n in pairs(answers) do
  if n > 1 and text ~= "probe" then twice = twice + 1 end
end
local missing = lost()
local said = "nothing"
for text in pairs(answers) do said = text:match "^count .*" or said end
local good = missing == 0 and twice == 0 and said == kept
print(("%s - kills: %d kills, %d saves, %d messages, %d lost, %d answered twice, kept: %s%s (seed %d)"):format(good and "ok" or "not ok",
  kills, saves, sent, missing, twice, said, said == kept and "" or ", not " .. kept, seed))
local log = io.open(folder .. "/log")
if not good and log then print((log:read "a"):sub(-4000)) end
os.execute("rm -rf " .. folder)
os.exit(good and 0 or 1)
