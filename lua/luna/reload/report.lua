--- What a reload has to say: why a new version does not run, with the place in its source, and what in self.state is code of the version
--- that is gone. Called by luna.reload.
local errors = require "luna.errors"

local report = {}

local EXCERPT = 2 -- lines before and after the one at fault
local MAX_LOOKED, MAX_TOLD = 10000, 5

--- For xpcall: an error with its traceback.
function report.trace(err)
  if errors.isException(err) then return { err = errors.annotate(err, debug.traceback(nil, 2)), traceback = err.traceback } end
  return { err = err, traceback = debug.traceback(nil, 2) }
end

-- The file and the line of an error, of those that were loaded. Lua shortens long names to "...end".
local function position(files, text)
  for name, line in text:gmatch "([^%s:][^\n:]*):(%d+):" do
    local tail = name:match "^%.%.%.(.+)$"
    for path in pairs(files.texts) do
      if path == name or tail and path:sub(-#tail) == tail then return path, math.tointeger(tonumber(line)) end
    end
  end
end

local function excerpt(text, line)
  local out, n = {}, 0
  for content, after in (text .. "\n"):gmatch "(.-)\r?\n()" do
    n = n + 1
    if content == "" and after > #text + 1 and n ~= line then break end -- after the last line's end
    if n >= line - EXCERPT and n <= line + EXCERPT then
      out[#out + 1] = ("%s %4d | %s"):format(n == line and ">" or " ", n, #content > 200 and content:sub(1, 200) .. "…" or content)
    end
  end
  return table.concat(out, "\n")
end

--- Why a new version does not run, as text: with the file, the line and what is there. files: what it was loaded from.
function report.text(traced, files)
  local err = traced.err
  local text = errors.text(err)
  local path, line = position(files, text)
  if not path and traced.traceback then
    path, line = position(files, traced.traceback)
    if path then text = ("%s:%d: %s"):format(path, line, text) end
  end
  if path then text = text .. "\n" .. excerpt(files.texts[path], line) end
  return text
end

--- Functions in the state are code of the version that is gone: say(text) for each, as far as one can see.
function report.state(state, name, say)
  local seen, looked, told = { [state] = true }, 0, 0
  local function tell(path, what)
    told = told + 1
    if told <= MAX_TOLD then
      say(("%s%s is %s of the version before and stays as it was: keep data alone in self.state"):format(name, path, what))
    end
  end
  local queue, first, last = { { state, "" } }, 1, 1
  while first <= last and looked < MAX_LOOKED do
    local t, path = queue[first][1], queue[first][2]
    queue[first] = nil
    first = first + 1
    if getmetatable(t) ~= nil then tell(path, "a table with a metatable") end
    for k, v in next, t do
      looked = looked + 1
      if looked > MAX_LOOKED then break end
      local kind = type(v)
      local at = ("%s.%s"):format(path, tostring(k))
      if kind == "function" or kind == "thread" then
        tell(at, "a " .. (kind == "thread" and "coroutine" or kind))
      elseif kind == "table" and not seen[v] then
        seen[v] = true
        last = last + 1
        queue[last] = { v, at }
      end
    end
  end
end

return report
