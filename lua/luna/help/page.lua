--- A page of help: headings, lines, rows in columns, code. Made by the modules of luna.help, written out plain or, at a terminal, with
--- headings in bold and code dimmed.
local Class = require "luna.class"

local Page = Class.new "HelpPage"

local WIDTH = 110

function Page:init(title) self.lines = { { "title", title } } end

function Page:heading(text)
  self.lines[#self.lines + 1] = { "", "" }
  self.lines[#self.lines + 1] = { "title", text }
end

--- A paragraph, broken into lines.
function Page:text(text, indent)
  indent = indent or "  "
  local line = indent
  for word in text:gmatch "%S+" do
    if #line > #indent and (utf8.len(line) or #line) + 1 + (utf8.len(word) or #word) > WIDTH then
      self.lines[#self.lines + 1] = { "", line }
      line = indent
    end
    line = line .. (#line > #indent and " " or "") .. word
  end
  if #line > #indent then self.lines[#self.lines + 1] = { "", line } end
end

--- Rows of columns; the last one is broken into lines where it is long.
function Page:rows(rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for i = 1, #row - 1 do widths[i] = math.min(math.max(widths[i] or 0, utf8.len(row[i]) or #row[i]), 40) end
  end
  for _, row in ipairs(rows) do
    local line, indent = "  ", "  "
    for i = 1, #row - 1 do indent = indent .. (" "):rep(widths[i] + 2) end
    for i = 1, #row - 1 do line = line .. row[i] .. (" "):rep(math.max((widths[i] or 0) - (utf8.len(row[i]) or #row[i]), 0) + 2) end
    local start = #self.lines + 1
    if #line > #indent + 8 and row[#row] ~= "" then -- a long cell: the rest goes below it
      self.lines[start] = { "", (line:gsub(" +$", "")) }
      self:text(row[#row], indent)
      goto continue
    end
    self:text(row[#row], (" "):rep(utf8.len(line) or #line))
    if self.lines[start] then
      self.lines[start][2] = line .. self.lines[start][2]:gsub("^ +", "")
    else
      self.lines[start] = { "", (line:gsub(" +$", "")) }
    end
    ::continue::
  end
end

function Page:code(lines)
  for _, line in ipairs(lines) do self.lines[#self.lines + 1] = { "code", "  " .. line } end
end

local marks = { title = "\27[1m%s\27[0m", code = "\27[36m%s\27[0m" }

--- The page as text.
function Page:render(colour)
  local out = {}
  for i, line in ipairs(self.lines) do
    local mark = colour and line[2] ~= "" and marks[line[1]]
    out[i] = mark and mark:format(line[2]) or line[2]
  end
  return table.concat(out, "\n") .. "\n"
end

return Page
