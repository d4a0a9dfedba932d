-- What a world's transcript says, and how two texts are compared.
local luna = require "luna"
local diff = require "luna.sandbox.diff"

local function fails(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

describe("a transcript", function()
  local world = require("luna.sandbox").world()
  local alice, bob = world:user "Alice", world:user "Bob"
  local Shop = luna.EventHandler:extend "Shop"
  function Shop:onUpdateNewMessage(update)
    local message = update.message
    if message.out or not message.message then return end
    if message.message == "fail" then error "sold out" end
    if message.message == "file" then
      message:reply { message = "<b>here</b> &amp; <i>n😀w</i>", parse_mode = "HTML", media = { document = "a,b", name = "list.csv" } }
      return
    end
    luna.sleep(tonumber(message.message) or 0)
    message:send { message = "What?\nChoose:", reply_markup = { inline_keyboard = {
      { { text = "Tea", callback_data = "tea" }, { text = "Milk", callback_data = "milk" } },
      { { text = "Site", url = "https://example.com" } },
    } } }
  end
  function Shop.onUpdateBotCallbackQuery(_, update)
    update:edit("You want " .. update.data)
    update:answer { message = "Bought", alert = true }
  end
  function Shop.onUpdateBotInlineQuery(_, update)
    update:answer { next_offset = "2", results = { { title = "One", input_message_content = "number one" } } }
  end
  local bot = world:run(Shop)

  it("has buttons, presses, answers and changes, and what time passed", function()
    alice:start(bot)
    alice:click(alice:expect(bot), "Tea")
    alice:send(bot, "3700")
    alice:expect(bot, 4000)
    assert.equal([=[
Alice and shop_bot
   1  Alice: /start
   2  shop_bot: What?
       Choose:
       [Tea] [Milk]
       [Site]
      Alice presses [Tea] of 2
   2  shop_bot changes it: You want tea
      shop_bot tells Alice: (alert) Bought
   3  Alice: 3700
      … 1 h 1 min 40 s later
   4  shop_bot: What?
       Choose:
       [Tea] [Milk]
       [Site]]=], world:transcript())
  end)

  it("begins anew with each test, and has files, formatting, replies, deletions, failures", function()
    alice:send(bot, "file")
    alice:expect(bot)
    local sent = bob:send(bot, "fail")
    world:clock():advance(0.1)
    bob:edit(sent, "never mind")
    bob:delete(sent)
    bot:takeErrors()
    assert.equal([[
Alice and shop_bot
   1  Alice: file
   2  shop_bot (to 1): [file, list.csv, 3 bytes] <b>here</b> & <i>n😀w</i>

Bob and shop_bot
   3  Bob: fail
      shop_bot failed: sold out
   3  Bob changes it: never mind
      Bob deletes 3]], world:transcript())
    assert.equal("Alice and shop_bot\n   1  Alice: file\n", world:transcript(alice):match "^.-\n.-\n")
    assert.is_nil(world:transcript(alice):find "fail")
  end)

  it("has groups, who comes and goes, and inline queries", function()
    local group = world:group("Garden", { members = { alice, bob } })
    local twin = world:user "Bob"
    alice:add(group, bot)
    twin:join(group)
    alice:choose(alice:inline(bot, "one", { chat = group })[1])
    twin:leave(group)
    alice:kick(group, bob)
    assert.equal([[
Garden
   1  Alice makes the group with Bob
   2  Alice adds shop_bot
   3  Bob (2) joins

Alice and shop_bot
      Alice asks: @shop_bot one
      shop_bot shows [One], and there is more

Garden
   4  Alice (by way of shop_bot): number one
   5  Bob (2) leaves
   6  Alice removes Bob]], world:transcript())
    assert.equal("Garden", world:transcript(group):match "^[^\n]*")
    assert.matches("transcript_spec.lua:%d+: a transcript is of all, or of", fails(function() world:transcript "Alice" end))
  end)

  it("says where a bot answers itself", function()
    local n = 0
    local cage = require("luna.sandbox").world()
    local zoe = cage:user "Zoe"
    local parrot = cage:run(function(update)
      n = n + 1
      if n < 200 and (update.message or {}).message then update.message:reply "again" end
    end, { name = "parrot" })
    zoe:send(parrot, "x")
    zoe:expect(parrot)
    cage:clock():advance(1)
    assert.matches("\nparrot_bot answers itself, it seems: message.out tells what it has written$", cage:lately())
    zoe:send(parrot, "x")
    assert.is_nil(cage:lately():find "answers itself")
    cage:close()
    world:enter()
  end)

  it("is the same in a world of the same seed", function()
    local function run()
      local w = require("luna.sandbox").world { seed = 5 }
      local b, a = w:run(Shop), w:user "Alice"
      for i = 1, 3 do
        a:send(b, tostring(i * 10))
        a:click(a:expect(b, 60), 1, 2)
      end
      local text = w:transcript()
      w:close()
      world:enter()
      return text
    end
    assert.equal(run(), run())
  end)
end)

describe("the difference of two texts", function()
  it("is nothing where they are the same", function() assert.is_nil(diff.text("a\nb\n", "a\nb\n")) end)
  it("shows what has gone and what has come, with what stands around", function()
    local lines = {}
    for i = 1, 20 do lines[i] = "line " .. i end
    local before = table.concat(lines, "\n")
    lines[10] = "changed"
    table.insert(lines, 19, "new")
    table.remove(lines, 1)
    assert.equal([[
- line 1
  line 2
  line 3
  line 4
  …
  line 7
  line 8
  line 9
- line 10
+ changed
  line 11
  line 12
  line 13
  …
  line 16
  line 17
  line 18
+ new
  line 19
  line 20]], diff.text(before, table.concat(lines, "\n")))
  end)
  it("takes long texts, and empty ones", function()
    local a, b = {}, {}
    for i = 1, 5000 do a[i], b[i] = "a" .. i, "b" .. i end
    assert.equal(9999, select(2, diff.text(table.concat(a, "\n"), table.concat(b, "\n")):gsub("\n", "")))
    assert.equal("- \n+ x", diff.text("", "x"))
  end)
end)
