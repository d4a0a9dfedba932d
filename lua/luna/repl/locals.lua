--- `local`s at the prompt: each line is a chunk of its own, so a `local` at its top level is made an assignment to the session's table,
--- which outlives the line. Called by luna.repl.session with one line's (or block's) code.
local opens = { ["function"] = true, ["if"] = true, ["do"] = true, ["repeat"] = true }
local closes = { ["end"] = true, ["until"] = true }

-- Where the token at `at` ends, and what it is: "name", "text", "space" or "other".
local function token(code, at)
  local _, last = code:find("^%s+", at)
  if last then return last, "space" end
  local level = code:match("^%-%-%[(=*)%[", at)
  if level then
    _, last = code:find("]" .. level .. "]", at, true)
    return last or #code, "space"
  end
  _, last = code:find("^%-%-[^\n]*", at)
  if last then return last, "space" end
  level = code:match("^%[(=*)%[", at)
  if level then
    _, last = code:find("]" .. level .. "]", at, true)
    return last or #code, "text"
  end
  local quote = code:match("^[\"']", at)
  if quote then
    local i = at + 1
    while i <= #code do
      local c = code:sub(i, i)
      if c == "\\" then
        i = i + 1
      elseif c == quote then
        return i, "text"
      end
      i = i + 1
    end
    return #code, "text"
  end
  _, last = code:find("^[%a_][%w_]*", at)
  if last then return last, "name" end
  _, last = code:find("^%d[%w.]*", at)
  return last or at, "other"
end

-- After `local`: "function name" or names with attributes; gives what stands for it, and where the code goes on.
local function declaration(code, at)
  local rest = code:match("^%s+()function%s", at)
  if rest then return "", rest end
  local names, start = {}, at
  while true do
    local name, next = code:match("^%s*([%a_][%w_]*)%s*()", start)
    if not name then return nil end
    local attribute, after = code:match("^<%s*(%a+)%s*>%s*()", next)
    if attribute == "close" then return nil end
    names[#names + 1] = name
    next = after or next
    start = code:match("^,()", next)
    if not start then
      local set = code:match("^=()", next)
      if set and code:sub(set, set) ~= "=" then return table.concat(names, ", ") .. " =", set end
      return table.concat(names, ", ") .. " = nil ", next
    end
  end
end

return function(code)
  local out, at, depth, changed = {}, 1, 0, false
  while at <= #code do
    local last, kind = token(code, at)
    local text = code:sub(at, last)
    if kind == "name" then
      if opens[text] then depth = depth + 1 end
      if closes[text] then depth = depth - 1 end
      if text == "local" and depth == 0 then
        local instead, next = declaration(code, last + 1)
        if instead then
          -- Lines stay where they are, for tracebacks.
          local _, breaks = code:sub(last + 1, next - 1):gsub("\n", "")
          text, last, changed = instead .. ("\n"):rep(breaks), next - 1, true
        end
      end
    end
    out[#out + 1] = text
    at = last + 1
  end
  return changed and table.concat(out) or code
end
