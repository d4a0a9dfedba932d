-- lua/README.md maps each name of the two seed documents to its Lua name and to specs that use it.
local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"
local root = here .. "/../../"

-- The names that the documents' text and examples use, and what each is called here where that differs.
local names = {
  -- "Async"
  { "async", "async" }, { "yield", "await" }, { "EventHandler", "EventHandler" }, { "onAny", "onAny" },
  { "onUpdateNewMessage", "onUpdateNewMessage" }, { "setCallback", "setCallback" }, { "loop", "loop" }, { "start", "start" },
  { "get_updates", "getUpdates" }, { "queues", "queue" }, { "multiple", "multiple" }, { "sendMessage", "sendMessage" },
  { "sendMedia", "sendMedia" }, { "parse_mode", "parse_mode" }, { "reply_to_msg_id", "reply_to_msg_id" },
  { "bot_api_id", "bot_api_id" }, { "isset", "bot_api_id" }, { "call", "call" }, { "RPCErrorException", "RPCErrorException" },
  { "Exception", "Exception" }, { "TimeoutException", "TimeoutException" }, { "getInfo", "getInfo" }, { "getPwrChat", "getPwrChat" },
  { "downloadToDir", "downloadToDir" }, { "sleep", "sleep" }, { "readLine", "readLine" }, { "echo", "echo" },
  { "getHTTPClient", "getHTTPClient" }, { "fileGetContents", "fileGetContents" }, { "callFork", "callFork" },
  { "callForkDefer", "callForkDefer" }, { "flock", "flock" }, { "LOCK_SH", "LOCK_SH" }, { "LOCK_EX", "LOCK_EX" }, { "all", "all" },
  { "some", "some" }, { "any", "any" }, { "first", "first" }, { "timeout", "timeout" }, { "log", "log" }, { "FATAL_ERROR", "FATAL_ERROR" },
  { "logger", "logger" }, { "json_encode", "encode" }, { "Loop", "Loop" }, { "ResumableLoop", "ResumableLoop" },
  { "SignalLoop", "SignalLoop" }, { "ResumableSignalLoop", "ResumableSignalLoop" }, { "GenericLoop", "GenericLoop" },
  { "PeriodicLoop", "PeriodicLoop" }, { "STOP", "STOP" }, { "PAUSE", "PAUSE" }, { "CONTINUE", "CONTINUE" }, { "isRunning", "isRunning" },
  { "pause", "pause" }, { "resume", "resume" }, { "waitSignal", "waitSignal" }, { "signal", "signal" }, { "API", "API" },
  { "__toString", "tostring" },
  -- "Event Loop API"
  { "run", "run" }, { "stop", "stop" }, { "now", "now" }, { "defer", "defer" }, { "delay", "delay" }, { "repeat", "every" },
  { "onReadable", "onReadable" }, { "onWritable", "onWritable" }, { "onSignal", "onSignal" }, { "enable", "enable" },
  { "disable", "disable" }, { "cancel", "cancel" }, { "reference", "reference" }, { "unreference", "unreference" },
  { "setErrorHandler", "setErrorHandler" }, { "setState", "setState" }, { "getState", "getState" }, { "getHandle", "getHandle" },
}

local function text(path)
  local file <close> = assert(io.open(root .. path))
  return file:read "a"
end

local function has(where, word) return where:find("%f[%w_]" .. word .. "%f[^%w_]") ~= nil end

-- A cell's paths; braces are alternatives: "spec/{a,b}.lua".
local function paths(cell)
  local list = {}
  for path in cell:gmatch "`(spec/[^`]*)`" do
    local before, among, after = path:match "^(.-){(.-)}(.*)$"
    if not before then
      list[#list + 1] = path
    else
      for word in among:gmatch "[^,]+" do list[#list + 1] = before .. word .. after end
    end
  end
  return list
end

describe("the seed documents' names", function()
  local rows = {}
  for theirs, ours, specs in text("lua/README.md"):gmatch "\n| ([^|\n]*) | ([^|\n]*) | ([^|\n]*`spec/[^|\n]*) |%f[\n]" do
    theirs = theirs:gsub("Loop::", "") -- where it is only whose name it is
    rows[#rows + 1] = { theirs = theirs, ours = ours:find "^the same" and theirs .. " " .. ours or ours, specs = paths(specs) }
  end

  it("each have a Lua name and a spec that uses it", function()
    for _, name in ipairs(names) do
      local found = 0
      for _, row in ipairs(rows) do
        if has(row.theirs, name[1]) and has(row.ours, name[2]) then
          found = found + 1
          local used = false
          for _, path in ipairs(row.specs) do used = used or has(text(path), name[2]) end
          assert.is_true(used, ("no spec of its row uses %s: %s"):format(name[2], table.concat(row.specs, ", ")))
        end
      end
      assert.is_true(found > 0, "no row for " .. name[1])
    end
  end)

  it("have no spec that uses none of its row", function()
    assert.is_true(#rows > 20)
    for _, row in ipairs(rows) do
      assert.is_true(#row.specs > 0, "no spec: " .. row.theirs)
      for _, path in ipairs(row.specs) do
        local content, used = text(path), path == "spec/seeds/event_loop_spec.lua" -- which runs programs
        for word in row.ours:gmatch "[%a_][%w_]+" do used = used or word ~= "luna" and has(content, word) end
        assert.is_true(used, ("%s uses nothing of: %s"):format(path, row.ours))
      end
    end
  end)
end)
