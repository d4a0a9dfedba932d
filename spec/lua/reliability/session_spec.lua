-- Session files that cannot be used: they are refused with a word about what to do, and never changed.
local luna = require "luna"
local storeLib = require "_luna.store"

local program = os.getenv "LUNA" or "build/luna"

local function path()
  local name = os.tmpname()
  os.remove(name)
  return name
end
local function remove(name)
  for _, suffix in ipairs { "", "-wal", "-shm", "-journal", ".lock", "-lock" } do os.remove(name .. suffix) end
end
local function read(name)
  local file = assert(io.open(name, "rb"))
  local bytes = file:read "a"
  file:close()
  return bytes
end
local function write(name, at, bytes)
  local file = assert(io.open(name, "r+b"))
  file:seek("set", at)
  file:write(bytes)
  file:close()
end

local function start(name)
  return pcall(function()
    local object = luna.API(name, { sandbox = true })
    object:start()
    object:stop()
  end)
end

-- A session with an account and a key in it.
local function made()
  local name = path()
  local store = assert(storeLib.open(name))
  store:account("bot123456"):setAuthKey(2, { key = ("k"):rep(256), salt = 1, offset = 0, salts = {} })
  store:flush()
  store:close()
  return name
end

describe("a session", function()
  it("that is damaged is left as it is, whatever the damage", function()
    local whole = made()
    local size = #read(whole)
    for seed = 1, 12 do
      math.randomseed(seed)
      local name = path()
      local bytes = read(whole)
      local file = assert(io.open(name, "wb"))
      file:write(bytes)
      file:close()
      local at = seed == 1 and 0 or math.random(100, size - 600)
      write(name, at, ("\xa5"):rep(512))
      local damaged = read(name)
      local ok, err = start(name)
      if not ok then
        assert.is_true(luna.is(err, luna.SessionException), tostring(err))
        assert.matches(name, tostring(err), 1, true)
        assert.equal(1, err.status)
        assert.equal(damaged, read(name))
        assert.is_nil(io.open(name .. "-journal"))
      else
        -- What was overwritten held nothing; then the key is still the one that was saved.
        local store = assert(storeLib.open(name))
        assert.equal(("k"):rep(256), store:account("bot123456"):authKey(2).key)
        store:close()
      end
      remove(name)
    end
    remove(whole)
  end)

  it("cut short, or that is something else, is left as it is", function()
    local name = made()
    local bytes = read(name)
    for _, content in ipairs { bytes:sub(1, #bytes // 2), bytes:sub(1, 50), ("not a session\n"):rep(500), "PK\3\4" .. ("z"):rep(5000) } do
      local file = assert(io.open(name, "wb"))
      file:write(content)
      file:close()
      local ok, err = start(name)
      assert.is_false(ok)
      assert.is_true(luna.is(err, luna.SessionException), tostring(err))
      assert.equal(content, read(name))
    end
    remove(name)
  end)

  it("in use is refused, and the process that has it is named", function()
    local name = made()
    local store = assert(storeLib.open(name))
    local script, out = path() .. ".lua", path()
    local file = assert(io.open(script, "w"))
    file:write "return function() end"
    file:close()
    local command = "LUNA_BOT_TOKEN=123456:abcdefghijk LUNA_API_ID=1 LUNA_API_HASH=x timeout 30 '%s' run %s --dc 2=127.0.0.1:9 "
      .. "--session %s >%s 2>&1"
    local _, _, status = os.execute(command:format(program, script, name, out))
    local said = read(out)
    assert.equal(1, status)
    assert.matches("process %d+", said)
    assert.matches("%-%-session", said)
    store:close()
    os.remove(script)
    os.remove(out)
    remove(name)
  end)

  it("is its owner's alone", function()
    local name = made()
    local pipe = assert(io.popen("stat -c %a " .. name))
    assert.equal("600", pipe:read "l")
    pipe:close()
    local link = path()
    os.execute(("ln -s %s %s"):format(name, link))
    local ok, err = start(link)
    assert.is_false(ok)
    assert.equal(2, err.status)
    os.remove(link)
    remove(name)
  end)
end)
