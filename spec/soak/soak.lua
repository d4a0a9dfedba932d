-- The driver of spec/soak/run: a sandbox and its people in this process, the bot in one of its own.
local luna = require "luna"
local sandbox = require "luna.sandbox"
local Faults = require "luna.sandbox.faults"
local Person = require "luna.sandbox.person"
local timer = require "_luna.timer"

local seconds, seed, program = tonumber(os.getenv "SOAK_SECONDS"), tonumber(os.getenv "SOAK_SEED"), os.getenv "LUNA"
local pfs = seed % 2 == 1
math.randomseed(seed)

local place = sandbox.serve { bots = { { "soak_bot", "7002:soak-spec" } } }
local model, bot = place.model, place.tokens[1]
local faults = Faults(place.server)
model.faults = faults
local function nothing() return "" end
local world = { model = model, server = place.server, bots = {}, enter = nothing, failures = nothing }
local folder = os.tmpname()
os.remove(folder)
os.execute("mkdir -p " .. folder)

-- `world` is what a Person of the test kit needs of one.
local people, expected, answered, wrong = {}, 0, 0, {}
local open = {} -- text → how often it was answered

local function newcomer()
  local n = #people + 1
  local user = model:addUser { first_name = "P" .. n, phone = ("999662%04d"):format(n % 9000) .. n }
  local person = Person(world, user)
  model.watchers[user.id] = function(entry)
    local core = entry.gid and model.state.cores[entry.gid]
    if entry.k ~= "new" or not core or core.from ~= bot.id then return end
    local text = core.text or core.message or ""
    if text:find "^told " then
      person.told = text
    elseif open[text] == nil then
      wrong[#wrong + 1] = text
    else
      open[text] = open[text] + 1
      answered = answered + 1
    end
  end
  people[n] = person
  return person
end
for _ = 1, 20 do newcomer() end

local function start()
  local address = place.addresses[1]
  os.execute(([[SOAK_PFS=%s LUNA_BOT_TOKEN=%s LUNA_API_ID=1 LUNA_API_HASH=x '%s' run spec/soak/bot.lua --dc %d=%s:%d --dc-key %s \
    --session %s/s --log error 2>>%s/log & echo $! >%s/pid]]):format(pfs, bot.token, program, address.dc, address.host, address.port,
    place.keyPath, folder, folder, folder))
  return io.open(folder .. "/pid"):read "n"
end

local function waitFor(limit, what)
  local ends = timer.now() + limit
  while not what() and timer.now() < ends do luna.sleep(0.05) end
  return what()
end

local asker = newcomer()
local function ask()
  asker.told = nil
  for _ = 1, 30 do -- what is said before its first log-in it never hears
    asker:send(bot.id, "tell")
    if waitFor(2, function() return asker.told end) then break end
  end
  if not asker.told then return nil end
  local rss, fds, tasks, lua = asker.told:match "^told (%d+) (%d+) (%d+) (%d+)$"
  return { rss = tonumber(rss), fds = tonumber(fds), tasks = tonumber(tasks), lua = tonumber(lua) }
end

local failed = false
local function check(name, good, text)
  failed = failed or not good
  print(("%s - soak: %s (%s)"):format(good and "ok" or "not ok", name, text))
end

local kinds = {
  function() faults:set { cut = true } end,
  function() faults:set { forget = true } end,
  function() faults:set { gap = math.random(1, 5) } end,
  function() faults:set { flood = { 1, method = "messages.sendMessage", times = math.random(1, 3) } } end,
  function() faults:set { rpc = { 500, "INTERNAL", method = "messages.sendMessage" } } end,
  function() faults:set { duplicate = 0.2, reorder = 0.2 } end,
  function() faults:set { duplicate = 0, reorder = 0 } end,
  function() faults:set { dropTemporaryKeys = true } end,
}
local sent = 0
local PATIENT = 2000 -- so many wait for an answer before nobody asks more: a server keeps no endless list of what a bot missed
local function traffic(till)
  local nextFault = timer.now() + 1
  while timer.now() < till do
    if math.random() < 0.02 and #people < 5000 then newcomer() end
    local person = people[math.random(#people)]
    if person ~= asker and expected - answered < PATIENT then
      sent = sent + 1
      local text = ("m%d%s"):format(sent, math.random() < 0.05 and " slow" or "")
      open[text] = 0
      expected = expected + 1
      person:send(bot.id, text)
    end
    if timer.now() >= nextFault then
      nextFault = timer.now() + math.random() * 3
      kinds[math.random(#kinds)]()
    end
    luna.sleep(math.random() < 0.3 and 0 or 0.004 * math.random())
  end
end

local function settle()
  faults:set { off = true }
  return waitFor(90, function() return answered >= expected end)
end

local pid = start()
local function main()
  check("it starts", ask() ~= nil, "pid " .. tostring(pid))
  local began = timer.now()
  traffic(began + seconds * 0.5)
  settle()
  luna.sleep(2)
  local warm = ask()
  traffic(began + seconds)
  local all = settle()
  luna.sleep(2)
  local final = ask()

  local lost, twice = 0, 0
  for _, n in pairs(open) do
    if n == 0 then lost = lost + 1 elseif n > 1 then twice = twice + 1 end
  end
  check("each message is answered once", all and lost == 0 and twice == 0 and #wrong == 0,
    ("%d messages from %d people, %d lost, %d twice, %d unknown, seed %d"):format(sent, #people, lost, twice, #wrong, seed))
  check("it tells of itself", warm and final, "twice")
  for _ = 1, 5 do -- a socket that is just being given up counts too, for a moment
    if not (warm and final) or final.fds <= warm.fds + 1 and final.tasks <= warm.tasks + 1 then break end
    luna.sleep(2)
    final = ask() or final
  end
  if warm and final then
    local grown, more = (final.rss - warm.rss) / 2 ^ 20, (final.lua - warm.lua) / 2 ^ 20
    -- In a minute's run caches are still being filled; over ten minutes and more nothing may grow.
    local most = seconds >= 1200 and 0.5 or 3
    check("memory stays", grown <= most, ("%.1f MiB, %+.1f since it was warm; Lua %+.2f"):format(final.rss / 2 ^ 20, grown, more))
    -- One more: it may have been without its connection when it was warm. A leak would grow with every cut.
    check("descriptors stay", final.fds <= warm.fds + 1, ("%d, %d"):format(warm.fds, final.fds))
    check("tasks end", final.tasks <= warm.tasks + 1, ("%d, %d"):format(warm.tasks, final.tasks))
  end
end

local ok, why = xpcall(main, debug.traceback)
if not ok then check("the driver itself", false, why) end
os.execute(("kill -TERM %d; for i in $(seq 100); do kill -0 %d 2>/dev/null || break; sleep 0.05; done"):format(pid, pid))
check("it ends when told", os.execute(("! kill -0 %d 2>/dev/null"):format(pid)) == true, "SIGTERM")
local log = io.open(folder .. "/log")
local errors = log and log:read "a" or ""
check("nothing was logged as an error", not errors:find "%S", #errors .. " bytes")
if errors:find "%S" then print("# " .. errors:sub(-3000):gsub("\n", "\n# ")) end
os.execute("rm -rf " .. folder)
os.exit(failed and 1 or 0)
