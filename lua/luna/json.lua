--- luna.json: JSON. An empty table is a list (json.object{} is not); json.null stands for null; bytes that are no text become
--- { "_": "bytes", "bytes": base64 }, as in MadelineProto. Decoding is strict and says where the text is wrong.
local raw = require "_luna.json"
local errors = require "luna.errors"
local suggest = require "luna.suggest"

local json = { null = raw.null }

local encodeOptions = { pretty = true, indent = true, maxDepth = true, strict = true }
local decodeOptions = { maxDepth = true, dropNull = true }

local function checked(opts, known, level)
  if opts == nil then return {} end
  if type(opts) ~= "table" then error(("the options are a table, not a %s"):format(type(opts)), level + 1) end
  for name in pairs(opts) do
    if not known[name] then error(('unknown option "%s"%s'):format(tostring(name), suggest.hint(tostring(name), known)), level + 1) end
  end
  return opts
end

--- encode(value, { pretty = true, indent = 2, maxDepth = 128, strict = false }): text, the names of objects in order. Raises for what JSON
--- cannot hold: functions, nan, lists with holes, tables with names and numbers, tables within themselves; strict: bytes as well.
function json.encode(value, opts)
  opts = checked(opts, encodeOptions, 2)
  local indent = opts.indent or (opts.pretty and 2) or -1
  local ok, text = pcall(raw.encode, value, indent, opts.maxDepth, opts.strict)
  if not ok then error("json: " .. errors.bare(tostring(text)), 2) end
  return text
end

--- decode(text, { maxDepth = 128, dropNull = false }): the value. dropNull: fields and items that are null are left out. Raises a
--- JSONException with position (a byte), line and column.
function json.decode(text, opts)
  opts = checked(opts, decodeOptions, 2)
  if type(text) ~= "string" then error(("json.decode wants a string, got a %s"):format(type(text)), 2) end
  local ok, value, position, line, column = raw.decode(text, opts.maxDepth, opts.dropNull)
  if ok then return value end
  errors.throw(errors.classes.JSONException(("json: line %d, column %d: %s"):format(line, column, value),
    { reason = value, position = position, line = line, column = column }))
end

--- json.array{…}, json.object{…}: the table, to be encoded as a list or as an object where it is empty.
local function marked(name, t, meta)
  if t ~= nil and type(t) ~= "table" then error(("json.%s wants a table, got a %s"):format(name, type(t)), 3) end
  return (setmetatable(t or {}, meta))
end
function json.array(t) return (marked("array", t, raw.arrays)) end
function json.object(t) return (marked("object", t, raw.objects)) end

return json
