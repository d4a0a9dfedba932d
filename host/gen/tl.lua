-- Reads the TL text of host/schema and writes tl_tables.c (descriptors that one walker reads), tl_ids.h (ids by name) and
-- tl_texts.c (error names, keys). Arguments: the schema's folder, the output folder. See tl/schema.h for the shapes.
local schema, out = arg[1], arg[2]

local function slurp(name)
  local f = assert(io.open(schema .. "/" .. name, "rb"))
  local s = f:read("a")
  f:close()
  return s
end

local api, compat = slurp("api.tl"), slurp("compat.tl")
local layer = tonumber(api:match("LAYER%s+(%d+)"))
local first_layer = tonumber(compat:match("FIRST LAYER%s+(%d+)"))

-- { name, id, method, fields = { { name, type, flag, bit } }, result, from, to }
local defs, by_name = {}, {}

local function parse_line(line, method, from, to)
  local name, id, body, result = line:match("^([%w_.]+)#(%x+) (.-)= ([%w_.<>]+);$")
  assert(name, "unreadable: " .. line)
  local d = { name = name, id = tonumber(id, 16), method = method, result = result, from = from, to = to, fields = {} }
  for token in body:gmatch("%S+") do
    local field, type = token:match("^([%w_]+):(.+)$")
    if field then
      local flag, bit, rest = type:match("^([%w_]+)%.(%d+)%?(.+)$")
      d.fields[#d.fields + 1] = { name = field, type = rest or type, flag = flag, bit = tonumber(bit) }
    else
      assert(token == "{X:Type}", "unreadable: " .. line)
    end
  end
  defs[#defs + 1] = d
  by_name[name] = by_name[name] or {}
  table.insert(by_name[name], d)
  return d
end

local function parse(text, from, to)
  local method, section = false, nil
  for line in text:gmatch("[^\n]+") do
    local kind, n = line:match("^%-%-%-(%l+) ?(%d*)%-%-%-$")
    if kind == "functions" then
      method = true
    elseif kind then
      method, section = false, { kind = kind, layer = tonumber(n) }
    elseif section and section.kind == "since" then
      local name, id = line:match("^([%w_.]+)#(%x+)$")
      for _, d in ipairs(by_name[name]) do
        if d.id == tonumber(id, 16) then
          d.from = section.layer
        end
      end
    elseif not line:match("^//") then
      parse_line(line, method, from, section and section.layer or to)
    end
  end
end

parse(api, 0, 255)
parse(slurp("mtproto.tl"), 0, 255)
parse(compat, 0, nil)

local ids = {}
do
  local kept = {}
  for _, d in ipairs(defs) do
    local same = ids[d.id]
    if same then
      assert(same.name == d.name, "two names for one id: " .. d.name)
    else
      ids[d.id] = d
      kept[#kept + 1] = d
    end
  end
  defs = kept
end

-- Constructors first, then methods, each by name, newest variant of a name first.
table.sort(defs, function(a, b)
  if a.method ~= b.method then
    return not a.method
  end
  if a.name ~= b.name then
    return a.name < b.name
  end
  return a.to > b.to
end)

-- Names: one list of unique strings, sorted, so that a name is a number.
local names, name_set = {}, {}
local function note(s)
  if not name_set[s] then
    name_set[s] = true
    names[#names + 1] = s
  end
end
local types, type_set = {}, {}
local function note_type(s)
  if not type_set[s] then
    type_set[s] = true
    types[#types + 1] = s
    note(s)
  end
end

local builtin = {
  ["#"] = "FLAGS", int = "INT", long = "LONG", double = "DOUBLE", string = "STRING", bytes = "BYTES", int128 = "INT128",
  int256 = "INT256", Bool = "BOOL", ["true"] = "TRUE", ["!X"] = "METHOD", X = "ANY", Object = "ANY",
}

-- type text → kind, type or constructor name, vectors ("" | "V" boxed | "v" bare)
local function shape(text)
  local vectors = ""
  while true do
    local kind, inner = text:match("^([Vv]ector)<(.+)>$")
    if not kind then
      break
    end
    vectors = vectors .. (kind == "Vector" and "V" or "v")
    text = inner
  end
  assert(#vectors <= 1, "vectors of vectors: " .. text)
  if builtin[text] then
    return builtin[text], nil, vectors
  end
  if text:match("([^.]+)$"):match("^%l") then
    return "BARE", text, vectors
  end
  return "OBJECT", text, vectors
end

for _, d in ipairs(defs) do
  note(d.name)
  for _, f in ipairs(d.fields) do
    note(f.name)
    local kind, name = shape(f.type)
    if kind == "OBJECT" then
      note_type(name)
    end
  end
  if not d.method then
    note_type(d.result)
  else
    local kind, name = shape(d.result)
    if kind == "OBJECT" then
      note_type(name)
    end
  end
end
note("_")
table.sort(names)
table.sort(types)
local name_index, type_index, def_index = {}, {}, {}
for i, s in ipairs(names) do
  name_index[s] = i - 1
end
for i, s in ipairs(types) do
  type_index[s] = i - 1
end
for i, d in ipairs(defs) do
  d.index = i - 1
  if not def_index[d.name] then
    def_index[d.name] = i - 1
  end
end
assert(#names < 65535 and #defs < 65535)

local f = assert(io.open(out .. "/tl_tables.c", "w"))
local function put(...)
  f:write(string.format(...), "\n")
end
put('#include "tl/schema.h"\n')

-- The pool of names and their offsets.
put("const char ln_tl_pool[] =")
local offset, offsets = 0, {}
for _, s in ipairs(names) do
  put('  "%s\\0"', s)
  offsets[#offsets + 1] = offset
  offset = offset + #s + 1
end
put("  ;\nconst uint32_t ln_tl_name_offsets[] = {%s};", table.concat(offsets, ","))
put("const size_t ln_tl_n_names = %d;", #names)
put("const uint16_t ln_tl_name_underscore = %d;\n", name_index._)

local function field_text(text, name, flag_field, bit)
  local kind, of, vectors = shape(text)
  local ref = 0
  if kind == "OBJECT" then
    ref = type_index[of]
  elseif kind == "BARE" then
    ref = assert(def_index[of], "no constructor " .. of)
  end
  return ("{%d,%d,LN_TL_%s,%d,%d,%d}"):format(name, ref, kind, vectors == "" and 0 or vectors == "V" and 1 or 2, flag_field, bit)
end

local fixed = { INT = 4, LONG = 8, DOUBLE = 8, INT128 = 16, INT256 = 32, FLAGS = 4 }

put("const struct ln_tl_field ln_tl_fields[] = {")
local n_fields = 0
for _, d in ipairs(defs) do
  d.first = n_fields
  d.required, d.min_size = 0, 0
  local flags = {}
  for i, field in ipairs(d.fields) do
    local kind, _, vectors = shape(field.type)
    if kind == "FLAGS" then
      flags[field.name] = i
    elseif not field.flag then
      d.required = d.required + 1
    end
    if not field.flag then
      d.min_size = d.min_size + (vectors == "V" and 8 or vectors == "v" and 4 or fixed[kind] or 4)
    end
    put("  %s,", field_text(field.type, name_index[field.name], field.flag and assert(flags[field.flag], d.name) or 0, field.bit or 0))
  end
  n_fields = n_fields + #d.fields
end
put("};")
put("const struct ln_tl_field ln_tl_results[] = {")
local n_results = 0
for _, d in ipairs(defs) do
  if d.method then
    d.result_index = n_results
    n_results = n_results + 1
    put("  %s,", field_text(d.result, name_index[d.name], 0, 0))
  end
end
put("};\n")

local errors = slurp("errors.tsv")
local only = {}
for kind, method in errors:gmatch("(%l+)\t([%w_.]+)\n") do
  only[method] = kind == "user" and 1 or kind == "bot" and 2 or nil
end

put("const struct ln_tl_def ln_tl_defs[] = {")
local n_constructors = 0
for _, d in ipairs(defs) do
  if not d.method then
    n_constructors = n_constructors + 1
  end
  put("  {0x%08x,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d},", d.id, d.first, name_index[d.name],
    d.method and d.result_index or type_index[d.result], #d.fields, d.required, d.from, d.to, d.method and 1 or 0,
    only[d.name] or 0, math.min(d.min_size, 65535))
end
put("};")
put("const size_t ln_tl_n_defs = %d;", #defs)
put("const size_t ln_tl_n_constructors = %d;\n", n_constructors)

-- Types: name and the constructors, in one list.
local members = {}
for _, d in ipairs(defs) do
  if not d.method then
    members[d.result] = members[d.result] or {}
    table.insert(members[d.result], d.index)
  end
end
local flat = {}
put("const struct ln_tl_type ln_tl_types[] = {")
for _, t in ipairs(types) do
  local list = members[t] or {}
  put("  {%d,%d,%d},", name_index[t], #flat, #list)
  for _, i in ipairs(list) do
    flat[#flat + 1] = i
  end
end
put("};")
put("const size_t ln_tl_n_types = %d;", #types)
put("const uint16_t ln_tl_members[] = {%s};\n", table.concat(flat, ","))

-- Ids: open addressing, the slot holds def + 1.
local slots = 8192
local hash = {}
for _, d in ipairs(defs) do
  local i = ((d.id * 0x9E3779B1) & 0xffffffff) >> 19
  while hash[i] do
    i = (i + 1) % slots
  end
  hash[i] = d.index + 1
end
local cells = {}
for i = 0, slots - 1 do
  cells[#cells + 1] = hash[i] or 0
end
put("const uint16_t ln_tl_hash[%d] = {%s};", slots, table.concat(cells, ","))
f:close()

f = assert(io.open(out .. "/tl_ids.h", "w"))
put("/* Generated from host/schema: ids by name. */\n#ifndef LN_TL_IDS_H\n#define LN_TL_IDS_H\n")
put("#define LN_TL_LAYER %d\n#define LN_TL_FIRST_LAYER %d", layer, first_layer)
local done = {}
for _, d in ipairs(defs) do
  local name = d.name:gsub("%.", "_")
  if not done[name] then
    done[name] = true
    put("#define LN_ID_%s UINT32_C(0x%08x)", name, d.id)
  end
end
-- These have no definition that fits the grammar, and a fixed id: https://core.telegram.org/mtproto/service_messages
put("#define LN_ID_msg_container UINT32_C(0x73f1f8dc)")
put("#define LN_ID_msg_copy UINT32_C(0xe06046b2)")
put("#define LN_ID_gzip_packed UINT32_C(0x3072cfa1)")
put("#define LN_ID_rpc_result UINT32_C(0xf35c6d01)")
put("#define LN_ID_vector UINT32_C(0x1cb5c415)")
put("#endif")
f:close()

f = assert(io.open(out .. "/tl_texts.c", "w"))
put('#include "tl/schema.h"\n')
local function quoted(name, text)
  put("const char %s[] =", name)
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    put("  %q \"\\n\"", line)
  end
  put("  ;")
end
quoted("ln_tl_keys", slurp("keys.pem"))
quoted("ln_tl_keys_test", slurp("keys-test.pem"))
put("const struct ln_tl_error ln_tl_errors[] = {")
local n = 0
for code, name, methods in errors:gmatch("error\t(%-?%d+)\t([^\t\n]+)\t([^\n]*)\n") do
  put('  {%s, "%s", "%s"},', code, name, methods)
  n = n + 1
end
put("};\nconst size_t ln_tl_n_errors = %d;", n)
f:close()
