-- Files from a bot to a person: of bytes and of the disk, in parts; and what is refused before anything is sent.
local luna = require "luna"

local PNG = "\137PNG\r\n\26\n" .. string.pack(">I4c4I4I4", 13, "IHDR", 640, 480) .. ("x"):rep(3000)

local function fails(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

describe("media of a script", function()
  local world = require("luna.sandbox").world()
  local alice = world:user "Alice"
  local media, text
  local bot = world:run(function(update)
    if update._ == "updateNewMessage" and not update.message.out then update.message:reply { message = text, media = media } end
  end, { name = "filer" })
  local function receive(what, caption)
    media, text = what, caption
    alice:send(bot, "send it")
    return alice:expect(bot, 60, { media = true })
  end
  local path = os.tmpname()
  local function write(bytes)
    local file = assert(io.open(path, "wb"))
    file:write(bytes)
    file:close()
  end
  teardown(function() os.remove(path) end)

  it("goes as a document, with name, kind and caption", function()
    local message = receive({ document = "a,b\n", name = "list.csv" }, "the list")
    assert.equal("the list", message.message)
    assert.same({ "a,b\n", "list.csv", "text/csv" }, { alice:file(message) })
    assert.same({ "x", "list.csv", "text/plain" }, { alice:file(receive { document = "x", name = "list.csv", mime = "text/plain" }) })
  end)

  it("goes as a photo", function()
    local message = receive { photo = PNG, spoiler = true }
    assert.same({ "messageMediaPhoto", 640, true }, { message.media._, message.media.photo.sizes[1].w, message.media.spoiler })
    assert.equal(PNG, (alice:file(message)))
  end)

  it("goes from the disk, in as many parts as it takes", function()
    for _, size in ipairs { 1, 524288, 524289, 3000001 } do
      local bytes = ("0123456789abcdef"):rep(size // 16 + 1):sub(1, size)
      write(bytes)
      local got, name = alice:file(receive { path = path, name = "a.bin" })
      assert.equal("a.bin", name)
      assert.is_true(got == bytes)
    end
    write(PNG)
    assert.equal("messageMediaPhoto", receive({ path = path, photo = true }).media._)
    local _, name = alice:file(receive { path = path })
    assert.equal(path:match "[^/]*$", name)
  end)

  it("goes in albums, in edits, and twice where it is sent twice", function()
    local Album = luna.EventHandler:extend "Album"
    function Album:onUpdateNewMessage(update)
      if update.message.out then return end
      self.messages.sendMultiMedia { peer = update, multi_media = {
        { media = { photo = PNG }, message = "<b>one</b>", parse_mode = "HTML" }, { media = { document = "two", name = "two.txt" } },
        { media = { document = "two", name = "two.txt" } },
      } }
      local sent = self.messages.sendMedia { peer = update, message = "", media = { document = "first", name = "a.txt" } }
      self.messages.editMessage { peer = update, id = sent.updates[2].message.id, media = { document = "second", name = "b.txt" } }
    end
    local album = world:run(Album)
    alice:send(album, "go")
    local one, two, three = alice:expect(album), alice:expect(album), alice:expect(album)
    assert.same({ "one", "messageEntityBold" }, { one.message, one.entities[1]._ })
    assert.same({ "two", "two" }, { (alice:file(two)), (alice:file(three)) })
    assert.equal(one.grouped_id, three.grouped_id)
    assert.equal("second", (alice:file(alice:expectEdit(album, { media = "document" }))))
  end)

  it("is refused at the caller's line where it is none", function()
    local function send(what) bot.api.messages.sendMedia { peer = alice.id, message = "", media = what } end
    os.remove(path)
    assert(os.execute(("mkfifo '%s'"):format(path)))
    for what, wrong in pairs {
      [path .. " cannot be read: it is no file"] = { path = path },
      ["attributes are a list of DocumentAttribute, not a number"] = { document = "x", attributes = 5 },
      ["attributes: a list has the keys 1, 2, 3, … alone"] = { document = "x", attributes = { audio = {} } },
      ['media has no "nam"; did you mean "name"?'] = { document = "x", nam = "y" },
      ["file is empty"] = { document = "" },
      ["the bytes of a file are a string, not a number"] = { document = 5 },
      ["/nowhere/x cannot be read: No such file or directory"] = { path = "/nowhere/x" },
      ["/tmp cannot be read: it is no file"] = { path = "/tmp" },
      ["give a path or bytes, not both"] = { path = "/x", document = "x" },
      ["a table without `_` is media where it has photo, document or path"] = { bytes = "x" },
    } do
      local err = fails(send, wrong)
      assert.matches(what, err, 1, true)
      assert.matches("upload_spec.lua:%d+: messages.sendMedia: parameter \"media\": ", err)
    end
    assert.matches("IMAGE_PROCESS_FAILED", fails(send, { photo = "no picture" }))
  end)

  it("says why where the server does not take it", function()
    world:fault { rpc = { 400, "FILE_PART_INVALID", method = "upload.saveFilePart" } }
    local function send() bot.api.messages.sendMedia { peer = alice.id, message = "", media = { document = ("x"):rep(2000000) } } end
    assert.matches("FILE_PART_INVALID", fails(send))
    alice:expectNothing(bot, 1)
    send()
    assert.equal(2000000, #alice:file(alice:expect(bot)))
  end)
end)
