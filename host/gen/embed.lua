-- Writes lua_embedded.c: the Lua sources as stripped bytecode (embed), or an empty table and the source root (disk).
-- Arguments: source root, output, mode, files…
local root, out, mode = arg[1], arg[2], arg[3]

local modules = {}
if mode == "embed" then
  for i = 4, #arg do
    local path = arg[i]
    local name = path:sub(#root + 2):gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
    local chunk, why
    if name:find("^luna%._meta%.") then -- descriptions, wanted as text
      local file = assert(io.open(path, "rb"))
      chunk, why = load(("return %q"):format(file:read("a")))
      file:close()
    else
      chunk, why = loadfile(path, "t")
    end
    if not chunk then
      io.stderr:write(why, "\n")
      os.exit(1)
    end
    -- Stripped: names of locals and line numbers would stay in memory for good. The dev preset reads the sources, with all of them.
    modules[#modules + 1] = { name = name, bytes = string.dump(chunk, true) }
  end
end
table.sort(modules, function(a, b)
  return a.name < b.name
end)

local f = assert(io.open(out, "w"))
f:write('#include "bind/embedded.h"\n\n')
for i, m in ipairs(modules) do
  f:write(("static const unsigned char m%d[] = {"):format(i))
  local line = {}
  for at = 1, #m.bytes do
    line[#line + 1] = m.bytes:byte(at)
    if #line == 4096 or at == #m.bytes then
      f:write(table.concat(line, ","), ",\n")
      line = {}
    end
  end
  f:write("};\n")
end
f:write("\nconst struct ln_embedded ln_embedded_modules[] = {\n")
for i, m in ipairs(modules) do
  f:write(('  {"%s", m%d, %d},\n'):format(m.name, i, #m.bytes))
end
f:write("  {0, 0, 0},\n};\n")
f:write(("const char ln_embedded_root[] = %q;\n"):format(mode == "disk" and root or ""))
f:close()
