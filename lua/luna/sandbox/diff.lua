--- Two texts line by line: what has gone (-), what has come (+), and what stands around it. Pure; called by stills.lua.
local diff = {}

local CONTEXT = 3
local LINES_MAX = 2000 -- beyond, only the ends that are the same are left out

local function split(text)
  local list = {}
  for line in (text:gsub("\n$", "") .. "\n"):gmatch "(.-)\n" do list[#list + 1] = line end
  return list
end

-- The longest common subsequence of a[from..aTo] and b[from..bTo], as steps: { " ", "-" or "+", line }.
local function steps(a, b, from, aTo, bTo, out)
  local long = {}
  for i = aTo + 1, from, -1 do
    long[i] = {}
    for j = bTo + 1, from, -1 do
      if i > aTo or j > bTo then
        long[i][j] = 0
      elseif a[i] == b[j] then
        long[i][j] = long[i + 1][j + 1] + 1
      else
        long[i][j] = math.max(long[i + 1][j], long[i][j + 1])
      end
    end
  end
  local i, j = from, from
  while i <= aTo or j <= bTo do
    if i <= aTo and j <= bTo and a[i] == b[j] then
      out[#out + 1] = { " ", a[i] }
      i, j = i + 1, j + 1
    elseif i <= aTo and (j > bTo or long[i + 1][j] >= long[i][j + 1]) then
      out[#out + 1] = { "-", a[i] }
      i = i + 1
    else
      out[#out + 1] = { "+", b[j] }
      j = j + 1
    end
  end
end

--- The differences as text; nil where there are none.
function diff.text(before, now)
  if before == now then return nil end
  local a, b = split(before), split(now)
  local from, aTo, bTo = 1, #a, #b
  local out = {}
  while from <= aTo and from <= bTo and a[from] == b[from] do
    out[#out + 1] = { " ", a[from] }
    from = from + 1
  end
  local tail = {}
  while aTo >= from and bTo >= from and a[aTo] == b[bTo] do
    table.insert(tail, 1, { " ", a[aTo] })
    aTo, bTo = aTo - 1, bTo - 1
  end
  if aTo - from < LINES_MAX and bTo - from < LINES_MAX then
    steps(a, b, from, aTo, bTo, out)
  else
    for i = from, aTo do out[#out + 1] = { "-", a[i] } end
    for i = from, bTo do out[#out + 1] = { "+", b[i] } end
  end
  table.move(tail, 1, #tail, #out + 1, out)
  local shown = {}
  for i, step in ipairs(out) do
    if step[1] ~= " " then
      for k = math.max(1, i - CONTEXT), math.min(#out, i + CONTEXT) do shown[k] = true end
    end
  end
  local lines, gap = {}, false
  for i, step in ipairs(out) do
    if shown[i] then
      if gap then lines[#lines + 1] = "  …" end
      lines[#lines + 1] = step[1] .. " " .. step[2]
    end
    gap = not shown[i]
  end
  return #lines > 0 and table.concat(lines, "\n") or "  (they differ in the newline at the end)"
end

return diff
