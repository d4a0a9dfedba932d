--- What ties a world to the busted block it is made in: after each test it is checked, its
--- transcript begins anew with each, and it ends with the block (or with the test, where
--- it is made inside one). Without busted nothing happens.
local busted = {}

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

function busted.follow(world)
  local env = environment()
  if not env then return end
  if type(env.finally) == "function" then -- inside a test
    env.finally(function()
      world:close()
      world:check()
    end)
    return
  end
  env.before_each(function() world.record:mark() end)
  env.after_each(function() world:check() end)
  env.teardown(function() world:close() end)
end

return busted
