local luna = require "luna"
local files = require "_luna.files"
local host = require "_luna.host"

describe("downloadToDir", function()
  local world = require("luna.sandbox").world()
  local dir
  local got, failed
  local bot = world:run(function(update)
    if update._ ~= "updateNewMessage" or update.message.out then return end
    local ok, path = pcall(luna.downloadToDir, update, dir)
    if ok then got = path else failed = path end
  end)
  local alice = world:user "Alice"

  before_each(function()
    dir = os.tmpname()
    os.remove(dir)
    host.mkdirs(dir)
    got, failed = nil, nil
  end)
  after_each(function() os.execute("rm -rf '" .. dir .. "'") end)

  local function content(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read "a"
    file:close()
    return text
  end
  local function entries()
    local list = {}
    for name in require("lfs").dir(dir) do
      if name ~= "." and name ~= ".." then list[#list + 1] = name end
    end
    table.sort(list)
    return list
  end
  local function receive(media)
    alice:send(bot, media)
    world:clock():advance(1)
    assert.is_nil(failed)
    return got
  end

  it("fetches documents of any length, under their names", function()
    for i, size in ipairs { 1, 524287, 524288, 524289, 1500000 } do
      local bytes = ("0123456789abcdef"):rep(size // 16 + 1):sub(1, size)
      local path = receive { document = bytes, name = ("file%d.bin"):format(i) }
      assert.equal(dir .. ("/file%d.bin"):format(i), path)
      assert.equal(bytes, content(path))
    end
    assert.equal(5, #entries())
  end)

  it("fetches photos", function()
    local gif = "GIF89a\3\0\2\0" .. ("x"):rep(100)
    local path = receive { photo = gif }
    assert.matches("/photo_%-?%d+%.jpg$", path)
    assert.equal(gif, content(path))
  end)

  it("stays in its folder, and takes no other file's place", function()
    os.execute(("ln -s /nowhere '%s/link.txt'"):format(dir))
    local paths = {
      receive { document = "a", name = "../../../tmp/x.txt" }, receive { document = "b", name = "/etc/passwd" },
      receive { document = "c", name = "same.txt" }, receive { document = "d", name = "same.txt" }, receive { document = "e", name = ".." },
      receive { document = "f", name = "link.txt" },
    }
    for i, path in ipairs(paths) do
      assert.equal(dir, path:match "^(.*)/[^/]*$")
      assert.equal(("abcdef"):sub(i, i), content(path))
    end
    assert.equal("same.txt", paths[3]:match "[^/]*$")
    assert.equal("same (2).txt", paths[4]:match "[^/]*$")
    assert.equal("link (2).txt", paths[6]:match "[^/]*$")
    assert.equal(384, host.stat(paths[1]).mode & 511)
  end)

  it("leaves nothing behind where it fails", function()
    world:fault { rpc = { 400, "FILE_REFERENCE_EXPIRED", method = "upload.getFile", times = 1 } }
    alice:send(bot, { document = "x", name = "x" })
    world:clock():advance(1)
    assert.is_nil(got)
    assert.equal("FILE_REFERENCE_EXPIRED", failed.name)
    assert.same({}, entries())
  end)

  it("complains at the caller's line", function()
    for _, fn in ipairs {
      function() bot.api:downloadToDir({ _ = "message" }, dir) end,
      function() bot.api:downloadToDir({ _ = "messageMediaGeo" }, dir) end,
      function() bot.api:downloadToDir("x", dir) end,
      function() bot.api:downloadToDir({ _ = "message" }) end,
    } do
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.matches("download_spec.lua:%d+: downloadToDir", err)
    end
    local document = { _ = "document", id = 1, access_hash = 1, file_reference = "", dc_id = 2, attributes = {}, mime_type = "", size = 1 }
    io.open(dir .. "/file", "w"):close()
    for folder, why in pairs { ["/none"] = "No such file or directory", ["/file"] = "Not a directory" } do
      local ok, err = pcall(bot.api.downloadToDir, bot.api, document, dir .. folder)
      assert.is_false(ok)
      assert.equal(("downloadToDir: %s%s: %s"):format(dir, folder, why), tostring(err))
    end
    assert.error_matches(function() bot.api:downloadToDir({}, dir) end, "a table without `_` is no file")
    assert.same({ "file" }, entries())
  end)

  it("makes promises where it is asked to", function()
    local document
    alice:send(bot, { document = "later", name = "later.txt" })
    world:clock():advance(1)
    document = alice:history(bot)[1].media.document
    local p = bot.api:downloadToDir(document, dir, { async = true })
    assert.equal("pending", luna.stateOf(p))
    assert.matches("later %(2%).txt$", luna.await(p))
  end)
end)

describe("names of files", function()
  it("are cleaned", function()
    assert.equal("_.._x", files.cleanName "../../x")
    assert.equal("file", files.cleanName "")
  end)
end)
