--- "Did you mean": the nearest of some names. Called wherever a script or a person may have misspelt something; how near is near is the
--- host's business (`_luna.tl`.suggest), which guesses names of the schema by the same measure.
local tl = require "_luna.tl"

local suggest = {}

--- The nearest of the names (one or several lists, or tables whose keys are the names), or nil. What differs in case alone is nearest.
function suggest.nearest(name, ...)
  if type(name) ~= "string" then return nil end
  local list = {}
  for i = 1, select("#", ...) do
    local names = select(i, ...)
    if names[1] ~= nil then
      for _, candidate in ipairs(names) do list[#list + 1] = candidate end
    else
      for candidate in pairs(names) do
        if type(candidate) == "string" then list[#list + 1] = candidate end
      end
    end
  end
  table.sort(list) -- the same guess each time
  return tl.suggest(name, list)
end

--- "; did you mean \"x\"?" or "".
function suggest.hint(name, ...)
  local best = suggest.nearest(name, ...)
  return best and ('; did you mean "%s"?'):format(best) or ""
end

--- Raises at `level` where an options table has a key that is not among the known ones. what: "world:run: unknown option".
function suggest.check(options, known, what, level)
  for key in pairs(options) do
    if known[key] == nil then
      error(('%s "%s"%s'):format(what, tostring(key), suggest.hint(tostring(key), known)), (level or 1) + 1)
    end
  end
  return options
end

return suggest
