-- The test kit: what a spec pays for a world, a bot and 100 messages exchanged, in processor time. Ends with status 1 where the messages,
-- or all of it, take more than 100 ms. Run: luna run spec/bench/kit.lua
local host = require "_luna.host"
require("luna.logger").configure { level = "warning" }

local LIMIT = 100 -- ms

local function ms(fn, ...)
  local began = host.usage()
  local result = fn(...)
  return (host.usage() - began) * 1000, result
end

local function echo(update)
  if update._ == "updateNewMessage" and not update.message.out then update.message:reply(update.message.message) end
end

-- n messages of a person, one at a time, each answered.
local function talk(alice, bot, n)
  for i = 1, n do
    alice:send(bot, "m" .. i)
    assert(alice:expect(bot).message == "m" .. i)
  end
end
-- All at once.
local function flood(alice, bot, n)
  for i = 1, n do alice:send(bot, "m" .. i) end
  for i = 1, n do assert(alice:expect(bot).message == "m" .. i) end
end

local over = false
local function row(name, list, limit)
  table.sort(list)
  local median = list[#list // 2 + 1]
  over = over or limit ~= nil and median > limit
  print(("%-44s %8.1f ms (%.1f-%.1f)%s"):format(name, median, list[1], list[#list], limit and (" (≤ %d)"):format(limit) or ""))
end

local rows = { world = {}, bot = {}, talk = {}, flood = {}, all = {} }
for i = 1, 7 do
  local sandbox = require "luna.sandbox"
  local world, bot, alice
  rows.world[i], world = ms(sandbox.world)
  rows.bot[i], bot = ms(world.run, world, echo)
  alice = world:user "Alice"
  rows.talk[i] = ms(talk, alice, bot, 50)
  rows.flood[i] = ms(flood, alice, bot, 50)
  rows.all[i] = rows.world[i] + rows.bot[i] + rows.talk[i]
  world:close()
end
row("a world", rows.world)
row("a bot, logged in", rows.bot)
row("100 messages exchanged, one at a time", rows.talk, LIMIT)
row("100 messages exchanged, all at once", rows.flood, LIMIT)
row("a spec: world, bot and 100 messages", rows.all, LIMIT)
os.exit(not over)
