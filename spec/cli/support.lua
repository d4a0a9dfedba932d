--- Runs the program itself for the specs of the command line: what it said on both outputs, and its exit status. Loaded with dofile.
local host = require "_luna.host"

local M = {}

M.program = host.argv[0]:find "/" and host.argv[0] or "build/luna"

local function quote(word) return "'" .. tostring(word):gsub("'", [['\'']]) .. "'" end

--- A folder that does not exist yet; removed by M.clean.
local folders = {}
function M.folder()
  local path = os.tmpname()
  os.remove(path)
  assert(host.mkdirs(path))
  folders[#folders + 1] = path
  return path
end
function M.clean()
  for _, path in ipairs(folders) do os.execute("rm -rf " .. quote(path)) end
  folders = {}
end

local function slurp(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  os.remove(path)
  return text
end

-- How fast the machine is, is nobody's business here: without the warnings of slow callbacks, and their tracebacks.
local function unhurried(text)
  local kept, dropping = {}, false
  for line in text:gmatch "[^\n]*\n?" do
    local slow = line:find("a callback has held the loop for", 1, true)
    dropping = slow ~= nil or dropping and line:find "^%s+%S" ~= nil
    if not dropping then kept[#kept + 1] = line end
  end
  return table.concat(kept)
end

--- run{ words…, input = text, hold = true (input that never ends), env = { NAME = value }, seconds = 30, cd = folder } → { status, out,
--- err }. No variable of ours is inherited.
function M.run(opts)
  local out, err, input = os.tmpname(), os.tmpname(), os.tmpname()
  if opts.hold then
    os.execute(("rm -f %s; mkfifo %s"):format(quote(input), quote(input)))
  else
    local file = assert(io.open(input, "wb"))
    file:write(opts.input or "")
    file:close()
  end
  local words = {}
  for _, word in ipairs(opts) do words[#words + 1] = quote(word) end
  local state = opts.state or os.tmpname() .. ".state" -- made where it is needed, and gone afterwards
  local env = { "-u LUNA_BOT_TOKEN -u LUNA_API_ID -u LUNA_API_HASH XDG_STATE_HOME=" .. quote(state) }
  for name, value in pairs(opts.env or {}) do env[#env + 1] = name .. "=" .. quote(value) end
  local program = M.program
  if opts.cd and program:sub(1, 1) ~= "/" then program = host.realpath(program) end
  local command = ("%s env %s timeout -k 5 %d %s %s %s%s >%s 2>%s"):format(opts.cd and "cd " .. quote(opts.cd) .. " &&" or "",
    table.concat(env, " "), opts.seconds or 30, quote(program), table.concat(words, " "), opts.hold and "<>" or "<", input, out, err)
  local _, kind, code = os.execute(command)
  os.remove(input)
  if not opts.state then
    os.execute("rm -rf " .. quote(state))
    os.remove((state:gsub("%.state$", "")))
  end
  return { status = kind == "exit" and code or 128 + code, out = slurp(out), err = unhurried(slurp(err)) }
end

--- Writes a script into a folder; returns its path.
function M.script(folder, name, text)
  local path = folder .. "/" .. name
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

return M
