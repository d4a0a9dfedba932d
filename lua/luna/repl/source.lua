--- The text of a script's lines, read from its file when somebody wants to see it. Used by luna.repl.breaks and luna.repl.debugging.
local host = require "_luna.host"
local frames = require "luna.frames"

local source = {}

--- The name of a source as a person writes it: "bots/echo.lua".
function source.name(chunk) return (chunk:gsub("^[@=]", "")) end

--- Whether it is the program's own code, which nobody steps through.
function source.isLibrary(chunk)
  local first = chunk:sub(1, 1)
  if first ~= "@" and first ~= "=" then return false end
  local name = chunk:sub(2)
  return name == "?" or name == "[C]" or frames.isLibrary(name .. ":")
end

--- All lines of a source, or nil where they are not known. texts: path → text, of the version that the code is of: its file may have
--- changed since.
function source.lines(chunk, texts)
  local path = chunk:sub(1, 1) == "@" and chunk:sub(2)
  local text = path and (texts and texts[path] or host.readFile(path))
  if not text then return nil end
  local list = {}
  for line in (text .. "\n"):gmatch "(.-)\r?\n" do list[#list + 1] = line end
  return list
end

--- The lines around one, which is marked; nil where they are not known.
function source.around(chunk, line, range, texts)
  local all = source.lines(chunk, texts)
  if not all or not all[line] then return nil end
  local out = {}
  for n = math.max(1, line - range), math.min(#all, line + range) do
    if n < #all or all[n] ~= "" then out[#out + 1] = ("%s %4d  %s"):format(n == line and ">" or " ", n, all[n]) end
  end
  return table.concat(out, "\n")
end

--- The first line from this one on that has code, as far as one can tell without compiling; nil where the file is shorter. The line
--- itself where the file cannot be read.
function source.withCode(chunk, line, texts)
  local all = source.lines(chunk, texts)
  if not all then return line end
  for n = line, #all do
    local text = all[n]
    if text:find "%S" and not text:find "^%s*%-%-[^%[]" and not text:find "^%s*%-%-$" then return n end
  end
end

return source
