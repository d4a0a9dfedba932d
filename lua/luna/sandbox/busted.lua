--- What ties a world to the busted block it is made in: its transcript begins anew with each test, after each it is asked what went wrong
--- (by luna.cli.test_output, so that it belongs to the test), and it ends with the block, or with the test where it is made inside one.
--- Without busted nothing happens.
local busted = { worlds = {} } -- those of the blocks that are running, in the order of their making

-- busted gives its words to spec functions by their _ENV alone; so the nearest caller that knows them is asked.
local function environment()
  for level = 3, 20 do
    local info = debug.getinfo(level, "f")
    if not info then return nil end
    for i = 1, 255 do
      local name, value = debug.getupvalue(info.func, i)
      if not name then break end
      if name == "_ENV" and type(value) == "table" and type(value.after_each) == "function" then return value end
    end
  end
  return nil
end

local function leave(world)
  world:close()
  for i, entry in ipairs(busted.worlds) do
    if entry.world == world then table.remove(busted.worlds, i) end
  end
end

function busted.follow(world)
  local env = environment()
  if not env then return end
  local inside = type(env.finally) == "function"
  table.insert(busted.worlds, { world = world, once = inside })
  if inside then return end
  env.before_each(function()
    world.record:mark()
    world.faults:mark()
  end)
  env.teardown(function() leave(world) end)
end

--- A test has ended: what its worlds have to say against it, and what was said and done in them; each nil where there is nothing. failed:
--- whether it has failed for other reasons.
function busted.ended(failed)
  local complaints, said = {}, {}
  for i = #busted.worlds, 1, -1 do
    local entry = busted.worlds[i]
    if entry.once then leave(entry.world) end
    complaints[#complaints + 1] = entry.world:complaint()
    said[#said + 1] = entry.world:lately()
    if not entry.once and (failed or complaints[1]) then entry.world:forget() end
  end
  return #complaints > 0 and table.concat(complaints, "\n") or nil, #said > 0 and table.concat(said, "\n") or nil
end

return busted
