-- The stubs say what there is, no more and no less: read by a grammar, and held against the live API.
local luacats = dofile "spec/support/luacats.lua"
local tl = require "_luna.tl"
local luna = require "luna"
local stubs = require "luna.stubs"

describe("luna.stubs", function()
  local read = { classes = {}, functions = {}, named = {} }

  setup(function()
    for path, text in pairs(stubs.files()) do
      if path ~= "version" then
        assert(load(text, "@" .. path, "t"))
        luacats.read(text, path, read)
      end
    end
  end)

  -- Functions of a class of the stubs, by name; those of its parents too.
  local function described(class, sep, out)
    out = out or {}
    for full in pairs(read.functions) do
      local owner, s, name = full:match "^(.*)([.:])([%w_]+)$"
      if owner == class and s == sep then out[name] = true end
    end
    return out
  end

  -- Names of the functions of a table that are no one's business: those that begin with _, and what is listed.
  local function public(t, hidden)
    local out = {}
    for name, value in pairs(t) do
      local shown = type(name) == "string" and not name:find "^_" and not (hidden and hidden[name])
      if shown and type(value) == "function" then out[name] = true end
    end
    return out
  end

  local function set(words)
    local out = {}
    for word in words:gmatch "%S+" do out[word] = true end
    return out
  end

  it("name only what they define", function()
    local missing = {}
    for name, where in pairs(read.named) do
      if not read.classes[name] then missing[#missing + 1] = ("%s (%s)"):format(name, where) end
    end
    assert.same({}, missing)
  end)

  it("have every method of the schema, and every update as a handler's method", function()
    for _, name in ipairs(tl.methods()) do
      if name:find(".", 1, true) and not tl.method(name).old then
        local space, short = name:match "^([%w_]+)%.([%w_]+)$"
        assert.truthy(read.functions["api." .. space .. "." .. short], name)
        for _, p in ipairs(tl.method(name).params) do
          local fields = read.classes["params." .. name].fields
          assert.truthy(fields[p.name] or fields[('["%s"]'):format(p.name)], name .. " " .. p.name)
        end
      end
    end
    for _, name in ipairs(tl.type "Update") do
      assert.truthy(read.classes["luna.UpdateHandlers"].fields["on" .. name:sub(1, 1):upper() .. name:sub(2)], name)
      assert.truthy(read.classes["tl." .. name], name)
    end
  end)

  it("have the functions of luna, and no others", function()
    local live = public(luna)
    -- Those that are loaded when they are first named; classes are called.
    for _, name in ipairs { "API", "CancellationTokenSource", "Emitter", "Producer" } do live[name] = luna[name] ~= nil or nil end
    live.Deferred = true
    assert.same(live, described("luna", "."))
    local fields = read.classes.luna.fields
    for name, class in pairs(require("luna.errors").classes) do
      if name ~= "UsageException" then
        assert.truthy(fields[name], name)
        assert.truthy(read.classes["luna." .. name], name)
        assert.equal(class, luna[name])
      end
    end
    for name in pairs(fields) do assert.not_nil(luna[name], name) end
  end)

  it("have the methods of API objects, helpers, messages and handlers, and no others", function()
    local helpers = public(require("luna.helpers").methods)
    for name in pairs(require("luna.info").methods) do helpers[name] = true end
    assert.same(helpers, described("luna.Helpers", ":"))
    assert.same(public(require("luna.api").methods), described("luna.API", ":"))
    assert.same(public(require("luna.message").methods), described("luna.MessageMethods", ":"))
    assert.same(public(require("luna.message").query), described("luna.CallbackMethods", ":"))
    assert.same(public(require("luna.message").inlineQuery), described("luna.InlineMethods", ":"))
    assert.same(public(require("luna.message").sent), described("luna.SentMethods", ":"))
    assert.same(public(luna.EventHandler), described("luna.EventHandler", ":"))
  end)

  it("have the loops, the event loop, iterators, JSON, the log, HTTP and sockets, and no others", function()
    local loop = public(luna.loop, set "repeat")
    assert.same(loop, described("luna.loop", "."))
    assert.same(public(require("luna.loops.loop").Base, set "init"), described("luna.LoopMethods", ":"))
    assert.same(public(luna.ResumableLoop), described("luna.PauseMethods", ":"))
    assert.same(public(luna.SignalLoop), described("luna.SignalMethods", ":"))
    assert.same(public(luna.iterator), described("luna.iterator", "."))
    assert.same(public(require("luna.iterator").Iterator, set "init"), described("luna.Iterator", ":"))
    assert.same(public(luna.Emitter, set "init"), described("luna.Emitter", ":"))
    assert.same(public(luna.json), described("luna.json", "."))
    for name in pairs(described("luna.Logger", ".")) do assert.is_function(luna.Logger[name]) end
    for name in pairs(described("luna.entities", ".")) do assert.is_function(luna.entities[name]) end
    assert.same(public(luna.http.Client, set "init"), described("luna.HTTPClient", ":"))
    for name in pairs(described("luna.HTTPResponse", ":")) do assert.is_function(require("luna.http.response")[name], name) end
    for name in pairs(described("luna.HTTPRequest", ":")) do assert.is_function(luna.http.Request[name], name) end
    assert.same(public(luna.socket), described("luna.socket", "."))
    local server <close> = luna.socket.listen "tcp://127.0.0.1:0"
    local socket <close> = luna.socket.connect("tcp://" .. server.localAddress)
    assert.same(public(debug.getmetatable(socket).methods), described("luna.Socket", ":"))
    assert.same(public(debug.getmetatable(server).methods), described("luna.SocketServer", ":"))
    for name in pairs(described("luna.http", ".")) do assert.not_nil(luna.http[name], name) end
  end)

  it("have the test kit, and no others", function()
    local World, Person = require "luna.sandbox.world", require "luna.sandbox.person"
    assert.same(public(World, set "init enter failures complaint lately forget spawn"), described("luna.World", ":"))
    assert.same(public(Person, set "init see queue view"), described("luna.Person", ":"))
    assert.same(public(World.bot), described("luna.TestBot", ":"))
    assert.same(public(luna.sandbox, set "attach makeKey processKey"), described("luna.sandbox", "."))
  end)

  it("have every field of a filter, and no others", function()
    local said = {}
    for name in pairs(read.classes["luna.Filter"].fields) do said[#said + 1] = name end
    table.sort(said)
    assert.same(require("luna.filters").names(), said)
    for _, f in ipairs(require("luna.help.api").fields "media") do
      if f.class == "luna.Filter" then
        for kind in pairs(require("luna.media").kinds) do assert.truthy(kind == "media" or f.note:find(kind, 1, true), kind) end
      end
    end
  end)

  it("have every setting, and no others", function()
    local live, said = {}, {}
    for _, key in ipairs(require("luna.settings").keys()) do live[key] = true end
    for key in pairs(require("luna.help.api").settings()) do said[key] = true end
    assert.same(live, said)
  end)

  it("are written, and written anew only for another version", function()
    local host = require "_luna.host"
    local folder = os.tmpname()
    os.remove(folder)
    finally(function() os.execute("rm -rf '" .. folder .. "'") end)
    assert.is_true(stubs.refresh(folder))
    assert.is_false(stubs.refresh(folder))
    local text = host.readFile(folder .. "/luna/schema/methods_messages.lua")
    assert.truthy(text:find("function messages.sendMessage(parameters) end", 1, true))
    assert.is_true(host.writeFile(folder .. "/version", "luna 0, layer 1\n", 420))
    assert.is_true(stubs.refresh(folder))
  end)
end)
