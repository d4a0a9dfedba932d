-- Canaries in every secret that a program is given, and a search for them in all it writes at the highest level of the log.
local program = os.getenv "LUNA" or "build/luna"
local TOKEN, HASH, PHONE = "123456789:AAcanary-token_abcdefghijklmnop", "canaryhash0123456789abcdef", "4915199988776"

local function run(source, input, environment)
  local path, out = os.tmpname(), os.tmpname()
  local script = path .. ".lua"
  local file = assert(io.open(script, "w"))
  file:write(source)
  file:close()
  os.execute(("printf '%s' | env %s LUNA_API_ID=77 LUNA_API_HASH=%s timeout 60 '%s' run %s --sandbox --log ULTRA_VERBOSE >%s 2>&1"):format(
    input or "", environment or "LUNA_BOT_TOKEN=" .. TOKEN, HASH, program, script, out))
  file = assert(io.open(out))
  local text = file:read "a"
  file:close()
  for _, name in ipairs { path, script, out } do os.remove(name) end
  return text
end

local function holdsNone(text)
  for _, secret in ipairs { "AAcanary", HASH, PHONE, "canarypw" } do
    assert.is_nil(text:find(secret, 1, true), ("%s is in what was written:\n%s"):format(secret, text:sub(1, 2000)))
  end
end

describe("secrets", function()
  it("are in nothing that a run writes, whatever its script logs and raises", function()
    local text = run([[
      local luna = require "luna"
      local Leak = luna.EventHandler:extend "Leak"
      function Leak:onStart()
        local settings = self.API._core.settings
        luna.Logger.log(settings)
        luna.Logger.log(("token %s, hash %s"):format(settings.botToken, settings.app.hash), "ERROR")
        luna.Logger.log("https://api.telegram.org/bot" .. settings.botToken .. "/getMe")
        luna.Logger.log("987654321:AAcanary-of-another_bot_that_nobody_set")
        luna.Logger.log("call +]] .. PHONE .. [[")
        luna.Logger.log("through socks5://user:canarypw@127.0.0.1:1080")
        error("no luck with " .. settings.botToken)
      end
      function Leak:onUpdateNewMessage(update)
        if update.message.out then return end
        update.message:reply(update.message.message)
        error(luna.Exception("handler of " .. self.API._core.settings.botToken))
      end
      return Leak
    ]], "hello\\n")
    assert.matches("hello", text)
    assert.matches("no luck with %*%*%*", text)
    assert.matches("handler of %*%*%*", text)
    holdsNone(text)
  end)

  it("are not in errors about settings", function()
    for _, settings in ipairs {
      'connection = { proxies = "socks5://user:canarypw@127.0.0.1:1080" }', 'phone = { "' .. PHONE .. '" }',
      'botTokens = "' .. TOKEN .. '"', 'botToken = "AAcanary-no-form"', 'app = { id = "' .. HASH .. '" }', 'sandbox = "' .. TOKEN .. '"',
    } do
      local text = run(("require('luna').API(nil, { sandbox = true, %s }):start()"):format(settings))
      assert.matches("luna", text)
      holdsNone(text)
    end
  end)

  it("are not in what stays of the process: no core file, nothing that others can read", function()
    local text = run [[
      local limits, status = io.open "/proc/self/limits", nil
      if not limits then print "no /proc" return end
      for line in limits:lines() do if line:find "^Max core" then print(line) end end
      limits:close()
      local made = os.tmpname()
      local file = io.open(made .. ".probe", "w")
      file:close()
      os.execute("stat -c %a " .. made .. ".probe; rm " .. made .. "*")
    ]]
    if text:find "no /proc" then return end
    assert.matches("Max core file size%s+0%s+0", text)
    assert.matches("600", text)
  end)
end)
