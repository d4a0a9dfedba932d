--- "Did you mean …": the nearest of a list of names. For settings, options and handler names; the schema's own names are searched in C.
local suggest = {}

--- Edits between a and b (insert, delete, replace, swap of neighbours), or more than `limit`.
function suggest.distance(a, b, limit)
  a, b = a:lower(), b:lower()
  if math.abs(#a - #b) > limit then return limit + 1 end
  local before, last = nil, {}
  for j = 0, #b do last[j] = j end
  for i = 1, #a do
    local row = { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost)
      if before and i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        best = math.min(best, before[j - 2] + 1)
      end
      row[j] = best
    end
    before, last = last, row
  end
  return last[#b]
end

--- The nearest of `names` (a list, or a table whose keys are the names), or nil.
function suggest.nearest(name, names)
  local limit = math.max(1, math.min(4, #name // 3))
  local best, bestDistance = nil, limit + 1
  local function look(candidate)
    if type(candidate) ~= "string" then return end
    local d = suggest.distance(name, candidate, limit)
    if d < bestDistance or (d == bestDistance and best and candidate < best) then best, bestDistance = candidate, d end
  end
  if names[1] ~= nil then
    for _, candidate in ipairs(names) do look(candidate) end
  else
    for candidate in pairs(names) do look(candidate) end
  end
  return bestDistance <= limit and best or nil
end

--- "; did you mean \"x\"?" or "".
function suggest.hint(name, names)
  local best = suggest.nearest(name, names)
  return best and ('; did you mean "%s"?'):format(best) or ""
end

return suggest
