--- What of a traceback says something to who wrote the script: its own frames, each once, without the library's and C's. Called by
--- luna.dispatch, luna.cli.report and whoever shows an error to a person. Pure.
local host = require "_luna.host"

local frames = {}

local sources = host.root and host.root .. "/lua/luna/" -- where the library is read from disk

--- Whether a frame ("file:12") is the library's own: a module of the program, or its source read from disk.
function frames.isLibrary(where)
  return where:find "^luna[%w_.]*:" ~= nil and not where:find "%.lua:" or sources ~= nil and where:find(sources, 1, true) == 1
end

local function where(line) return line:match "^%s+(.-): in " end

--- The script's frames as a list of "file:12: in function …", each once, innermost first.
function frames.own(traceback)
  local kept, seen = {}, {}
  for line in (traceback or ""):gmatch "[^\n]+" do
    local at = where(line)
    if at and at ~= "[C]" and not at:find "^%?" and not frames.isLibrary(at) then
      local text = line:gsub("^%s+", "")
      if not seen[text] then
        seen[text] = true
        kept[#kept + 1] = text
      end
    end
  end
  return kept
end

--- "file:12" of the innermost frame that is the script's, or nil.
function frames.position(traceback)
  for _, line in ipairs(frames.own(traceback)) do
    local at = line:match "^(.-:%d+): in "
    if at then return at end
  end
end

--- Whether a message says where it was raised.
function frames.hasPosition(text) return text:find "^[^%s:]+:%d+: " ~= nil end

--- Whether a further stretch of a traceback says nothing that is not in it: frames it has, but none of the script's that is new.
function frames.isKnown(before, stretch)
  if not stretch:find(": in ", 1, true) then return false end
  for _, line in ipairs(frames.own(stretch)) do
    if not before:find(line, 1, true) then return false end
  end
  return true
end

--- An error's text and traceback as a person reads them: the text with the script's place before it, and the script's frames below, one a
--- line. What the library itself did wrong keeps all its frames.
function frames.tidy(text, traceback)
  text = require("luna.suggest").explain(text)
  local limit = text == "not enough memory" and host.memoryLimit() or 0
  if limit > 0 then text = ("not enough memory: all scripts together may hold %d bytes (memoryLimit)"):format(limit) end
  if not traceback or traceback == "" then return text, nil end
  local first = text:match "^[^\n]*"
  local ours = frames.hasPosition(first) and frames.isLibrary(first:match "^%S+")
  if ours then return text, traceback end
  local own = frames.own(traceback)
  if #own == 0 then return text, traceback end
  if not frames.hasPosition(first) then
    local at = frames.position(traceback)
    if at then text = at .. ": " .. text end
  end
  if #own == 1 and text:find(own[1]:match "^(.-): in ", 1, true) == 1 then return text, nil end
  return text, table.concat(own, "\n")
end

return frames
