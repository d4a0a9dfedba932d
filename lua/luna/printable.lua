--- Text from outside on its way to a person's terminal: without the control characters that would steer it, those of C0 and (as UTF-8) of
--- C1, of which U+009B begins a sequence as ESC [ does. Called by whoever shows texts of people, servers and files.
local printable = {}

local gsub, find = string.gsub, string.find

--- The text without them; line ends and tabs stay. mark(c): what stands for one instead.
function printable.text(text, mark)
  text = gsub(text, "[%z\1-\8\11-\31\127]", mark or "")
  if find(text, "\xc2", 1, true) then text = gsub(text, "\xc2[\x80-\x9f]", mark or "") end
  return text
end

--- As one line: each is a space, line ends and tabs too.
function printable.line(text) return (gsub(printable.text(text, " "), "[\t\n]", " ")) end

return printable
