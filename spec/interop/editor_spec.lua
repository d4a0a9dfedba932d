-- The stubs as an editor sees them: EmmyLua's checker over a project that `luna new` has made, the bots of bots/, and scripts that are
-- right or wrong on purpose.
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local interop = dofile(here .. "interop.lua")
local host = require "_luna.host"
local json = require "luna.json"

describe("a checker with our stubs", function()
  local folder

  after_each(function()
    if folder then os.execute("rm -rf " .. interop.quote(folder)) end
    folder = nil
  end)

  local function copy(from)
    local text = assert(host.readFile(from))
    assert(host.writeFile(folder .. "/" .. from:match "[^/]+$", text, 420))
  end

  -- A project with these scripts; what the checker says: file → { [line] = code }.
  local function check(...)
    folder = os.tmpname()
    os.remove(folder)
    assert(host.mkdirs(folder))
    local program = interop.luna:find "^/" and interop.luna or host.realpath(interop.luna)
    assert.is_true(os.execute(("cd %s && %s new dice >/dev/null 2>&1"):format(interop.quote(folder), program)))
    for _, path in ipairs { ... } do copy(path) end
    local child = interop.run(("%s -f json --output %s/out.json --severity warn %s"):format(interop.emmylua, folder, folder))
    local found = {}
    for _, file in ipairs(json.decode((assert(host.readFile(folder .. "/out.json"), child:said())))) do
      local name = file.file:match "[^/]+$"
      for _, d in ipairs(file.diagnostics) do
        found[name] = found[name] or {}
        found[name][d.range.start.line + 1] = d.code
      end
    end
    return found, child:said()
  end

  it("has nothing to say about what luna new writes, about our bots, and about what is right", function()
    local missing = interop.lacks("luna", "emmylua")
    if missing then return pending(missing) end
    local bots = here .. "../../bots/"
    local found, said = check(here .. "editor/right.lua", here .. "editor/kit.lua", bots .. "echo.lua", bots .. "menu.lua",
      bots .. "reminder.lua", bots .. "greeter.lua")
    assert.same({}, found, said)
  end)

  it("finds each mistake, and no other", function()
    local missing = interop.lacks("luna", "emmylua")
    if missing then return pending(missing) end
    local found, said = check(here .. "editor/wrong.lua")
    local expected, number = {}, 0
    for line in io.lines(here .. "editor/wrong.lua") do
      number = number + 1
      expected[number] = line:match " %-%- ([%l-]+)$"
    end
    assert.same({ ["wrong.lua"] = expected }, found, said)
  end)
end)
