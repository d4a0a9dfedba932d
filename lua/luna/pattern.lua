--- Whether a text is a Lua pattern: Lua itself finds out only where a match comes so far. Called where a script hands one over.
local pattern = {}

-- Where the set that begins at `at` ends; nil where it does not.
local function setEnd(p, at)
  at = at + (p:sub(at + 1, at + 1) == "^" and 2 or 1)
  repeat
    if at > #p then return nil end
    at = at + (p:sub(at, at) == "%" and 2 or 1)
  until p:sub(at, at) == "]"
  return at
end

--- What is wrong with it, in Lua's words; nil where nothing is.
function pattern.mistake(p)
  local at, captures, open = 1, 0, {}
  while at <= #p do
    local c, d = p:sub(at, at), p:sub(at + 1, at + 1)
    if c == "%" and d == "b" then
      if at + 3 > #p then return "malformed pattern (missing arguments to '%b')" end
      at = at + 3
    elseif c == "%" and d == "f" then
      if p:sub(at + 2, at + 2) ~= "[" then return "missing '[' after '%f' in pattern" end
      at = at + 1 -- the set is looked at next
    elseif c == "%" then
      if d == "" then return "malformed pattern (ends with '%')" end
      local n = d:find "%d" and tonumber(d)
      if n and (n == 0 or n > captures or open[n]) then return ("invalid capture index %%%d"):format(n) end
      at = at + 1
    elseif c == "[" then
      at = setEnd(p, at)
      if not at then return "malformed pattern (missing ']')" end
    elseif c == "(" then
      captures = captures + 1
      if captures > 32 then return "too many captures" end
      if d == ")" then at = at + 1 else open[captures] = true end
    elseif c == ")" then
      local last = captures
      while last > 0 and not open[last] do last = last - 1 end
      if last == 0 then return "invalid pattern capture" end
      open[last] = nil
    end
    at = at + 1
  end
  return next(open) and "unfinished capture" or nil
end

return pattern
