---@meta

---The MTProto server inside the program, and the test kit: `require "luna.sandbox"`.
---@class luna.sandbox
local sandbox = {}

---A world of a test's own: a server, a clock that jumps while everything waits, people and bots. Closed at the end of its block.
---```lua
---describe("echo", function()
---  local world = require("luna.sandbox").world()
---  local bot, alice = world:run "bots/echo.lua", world:user "Alice"
---  it("answers", function()
---    alice:send(bot, "hello")
---    assert.equal("hello", alice:expect(bot).message)
---  end)
---end)
---```
---@param options? { seed?: string|integer, dcs?: integer[], wall?: number }
---@return luna.World
function sandbox.world(options) end

---A sandbox that listens on loopback for any client.
---@param options? { listen?: string, dcs?: integer[], key?: string, data?: string, bots?: string[][] }
---@return table
function sandbox.serve(options) end

---Runs a script, or several, against what `luna run --record FILE` has written. Raises the report where calls differ or a handler fails;
---with check = false gives it in any case.
---```lua
---it("still does what it did then", function() require("luna.sandbox").replay("spec/orders.rec", "bots/menu.lua") end)
---```
---@param record string
---@param scripts string|string[]
---@param options? { check?: boolean, strict?: boolean, online?: boolean }
---@return table
function sandbox.replay(record, scripts, options) end

---@class luna.World
local World = {}

---Runs a bot (a file, a handler class or a function) and gives it once it is logged in. Handlers that failed fail the test.
---```lua
---local bot = world:run("bots/reminder.lua", { settings = { floodTimeout = 0 } })
---```
---@param what string|luna.EventHandler|fun(update: tl.Update)
---@param options? { name?: string, settings?: luna.Settings, session?: string, privacy?: boolean, inline?: boolean }
---@return luna.TestBot ... of a script that returns several handlers, a bot for each, in their order
function World:run(what, options) end

---A person.
---```lua
---local alice = world:user("Alice", { username = "alice" })
---```
---@param first string
---@param options? { username?: string, phone?: string, last?: string }
---@return luna.Person
function World:user(first, options) end

---A basic group, made by its first person.
---```lua
---local group = world:group("Friends", { members = { alice, bob, bot } })
---```
---@param title string
---@param options? { members?: (luna.Person|luna.TestBot)[], owner?: luna.Person }
---@return luna.Place
function World:group(title, options) end

---A channel; with megagroup, a supergroup; with forum, one that has topics.
---@param title string
---@param options? { members?: (luna.Person|luna.TestBot)[], owner?: luna.Person, admins?: (luna.Person|luna.TestBot)[], username?: string, about?: string, megagroup?: boolean, forum?: boolean }
---@return luna.Place
function World:channel(title, options) end

---A topic of a forum, begun by its owner: a place in which people send and expect messages, apart from the forum's other topics.
---```lua
---local forum = world:channel("Tea house", { forum = true, members = { alice, bot } })
---local orders = world:topic(forum, "Orders")
---alice:send(orders, "one tea")
---alice:expect(orders, "Coming")
---```
---@param place luna.Place
---@param title string
---@return luna.Place
function World:topic(place, title) end

---The world's clock, which sleep, timers and os.time follow.
---```lua
---world:clock():advance(3600)
---```
---@return luna.Clock
function World:clock() end

---What has been said and done as text, since the test began: who wrote, changed, deleted, pressed what; of all, or of a person, a bot or
---a place alone.
---```lua
---print(world:transcript(alice))
---```
---@param with? luna.Person|luna.TestBot|luna.Place
---@return string
function World:transcript(with) end

---Compares the transcript, or another text, with a file beside the spec (for spec/bots/menu_spec.lua: spec/bots/snapshots/menu/NAME.txt),
---and raises what differs. Where there is no file it is written, but not where the environment says CI; `luna test --update-snapshots`
---takes over what is now.
---```lua
---it("takes an order", function()
---  alice:start(bot)
---  alice:click(alice:expect(bot), "Order")
---  world:snapshot "an order"
---end)
---```
---@param name string
---@param text? string
function World:snapshot(name, text) end

---Breaks the network or the server on purpose, the same way for the same seed.
---```lua
---world:fault{ drop = 0.1, seed = 7 }
---world:fault{ flood = { 3, method = "messages.sendMessage" } }
---world:fault{ off = true }
---```
---@param fault luna.Fault
function World:fault(fault) end

---Raises where a handler has failed; done by itself after each test.
function World:check() end

---Ends the bots and the server; done by itself at the end of the block.
function World:close() end

---@class luna.Fault
---@field drop? number chance for each piece of the wire to be lost
---@field delay? number seconds at most
---@field corrupt? number chance
---@field duplicate? number chance for each push to come twice
---@field reorder? number chance for each push to come after the next one
---@field seed? integer
---@field cut? boolean every connection breaks
---@field forget? boolean sessions are forgotten
---@field dropTemporaryKeys? boolean the server knows none of them any more: whoever speaks by one hears -404
---@field salt? boolean every salt that clients hold is wrong from now on
---@field restart? boolean both
---@field transportError? integer
---@field flood? number|table seconds, or { seconds, method =, times = }
---@field migrate? integer the next bot that logs in is sent to that DC
---@field rpc? table { code, text, method =, times = }
---@field gap? integer|boolean so many updates are not sent
---@field off? boolean no more faults

---@class luna.Clock
local Clock = {}

---Waits until all that comes due within so many seconds is done.
---@param seconds number
function Clock:advance(seconds) end

---Seconds.
---@return number
function Clock:now() end

---@class luna.Place
---@field id integer the marked id, as of the Bot API
---@field title string
---@field kind "group"|"channel"|"topic"
---@field owner luna.Person

---@class luna.TestBot
---@field id integer
---@field username string
---@field api luna.API
---@field handler luna.EventHandler|any
---@field errors table[]
local Bot = {}

---The errors of its handlers so far, which the test has expected: they no longer fail it.
---@return table[]
function Bot:takeErrors() end

---Loads its script anew, as saving it does.
function Bot:reload() end

---Ends its program and starts it again, with the script as it is now: what the session keeps (Handler.persist, updates not yet handled) is
---there, all else starts anew. What comes between bot:stop() and this is fetched.
---```lua
---bot:restart()
---alice:send(bot, "/top")
---assert.matches("Tea", alice:expect(bot).message)
---```
function Bot:restart() end

---Ends the bot's client.
function Bot:stop() end

---@alias luna.TestPeer luna.TestBot|luna.Person|luna.Place|tl.Message|integer|string

---What a person sends: a text, or message, media, photo or document (bytes, with name and mime), reply_to, entities, silent.
---@alias luna.TestContent string|{ message?: string, media?: table, photo?: string, document?: string, name?: string, mime?: string, reply_to?: integer|tl.Message, entities?: tl.MessageEntity[], silent?: boolean }

---@class luna.Person
---@field id integer
---@field name string
---@field username? string
local Person = {}

---Sends a message; gives it.
---```lua
---alice:send(bot, "hello")
---```
---@param peer luna.TestPeer
---@param content luna.TestContent
---@return tl.message
function Person:send(peer, content) end

---Presses "Start" in a bot's chat.
---@param bot luna.TestPeer
---@param param? string
---@return tl.message
function Person:start(bot, param) end

---Changes a message of one's own.
---@param message tl.Message
---@param content luna.TestContent
---@return tl.message
function Person:edit(message, content) end

---Deletes a message for everybody, or with revoke = false for this person alone.
---@param message tl.Message
---@param options? { revoke?: boolean }
function Person:delete(message, options) end

---Marks a dialog read.
---@param peer luna.TestPeer
---@param max? integer
function Person:read(peer, max) end

---Shows that the person types.
---@param peer luna.TestPeer
function Person:typing(peer) end

---Stops a bot or another person from writing.
---@param peer luna.TestPeer
function Person:block(peer) end

---Takes a block back.
---@param peer luna.TestPeer
function Person:unblock(peer) end

---Joins a group or channel.
---@param place luna.TestPeer
function Person:join(place) end

---Brings somebody else into a group or channel.
---@param place luna.TestPeer
---@param who luna.TestPeer
function Person:add(place, who) end

---Leaves a group or channel.
---@param place luna.TestPeer
function Person:leave(place) end

---Takes somebody out of a group or channel.
---@param place luna.TestPeer
---@param who luna.TestPeer
function Person:kick(place, who) end

---Takes somebody out of a supergroup or channel for good; of a basic group as kick does.
---@param place luna.TestPeer
---@param who luna.TestPeer
function Person:ban(place, who) end

---Lets who was banned from a supergroup or channel come again.
---@param place luna.TestPeer
---@param who luna.TestPeer
function Person:unban(place, who) end

---Makes a member an admin. Bots hear of it by updateChatParticipant and updateChannelParticipant: of themselves, and as admins of all.
---```lua
---group.owner:promote(group, bot)
---```
---@param place luna.TestPeer
---@param who luna.TestPeer
function Person:promote(place, who) end

---Makes an admin a member like the others.
---@param place luna.TestPeer
---@param who luna.TestPeer
function Person:demote(place, who) end

---Gives a group or channel another title.
---@param place luna.TestPeer
---@param title string
function Person:rename(place, title) end

---Reacts to a message with an emoji, in place of the one before; without one, takes it back. Bots hear of it by updateBotMessageReaction in
---private chats, and where they are admins; in channels by updateBotMessageReactions.
---```lua
---alice:react(alice:expect(bot), "👍")
---```
---@param message tl.Message
---@param emoji? string
---@return tl.message
function Person:react(message, emoji) end

---Votes in the poll of a message, by the texts of its answers, in place of an earlier vote; without any, takes it back. The bot that has sent
---the poll hears of it by updateMessagePoll, and by updateMessagePollVote where the poll has public_voters.
---```lua
---local poll = alice:expect(bot, { media = "poll" })
---assert.equal(1, alice:vote(poll, "Tea").media.results.total_voters)
---```
---@param message tl.Message
---@param ... string
---@return tl.message
function Person:vote(message, ...) end

---Writes a message that Telegram sends by itself in so many seconds, 10 at once: people may do that, bots may not.
---```lua
---alice:schedule(group, "Good morning!", 8 * 3600)
---world:clock():advance(8 * 3600)
---```
---@param peer luna.TestPeer
---@param content luna.TestContent
---@param seconds number
function Person:schedule(peer, content, seconds) end

---Pins a message.
---@param message tl.message
function Person:pin(message) end

---Takes a pin off.
---@param message tl.message
function Person:unpin(message) end

---The messages of a dialog, newest first.
---@param peer luna.TestPeer
---@param limit? integer
---@return tl.Message[]
function Person:history(peer, limit) end

---A message as it is now; nil where it has been deleted.
---@param message tl.Message
---@return tl.Message?
function Person:message(message) end

---What a message has to be like: a Lua pattern for its text, a function, or a table of text (a pattern), media (true, or "photo",
---"document", "voice", …), button (a label), from (who wrote it) and action (a service message: true, or "pinMessage", "chatAddUser", …).
---@alias luna.TestFilter string|(fun(message: tl.message): boolean)|{ text?: string, media?: boolean|string, button?: string, from?: luna.TestPeer, action?: boolean|string }

---The next message from a peer, within 5 seconds of the world's time where nothing else is said; with a pattern or a table, the next
---that fits. An error shows the conversation.
---```lua
---local answer = alice:expect(bot, 60, "Reminder")
---local photo = alice:expect(bot, { media = "photo" })
---```
---@param peer luna.TestPeer
---@param seconds? number|luna.TestFilter
---@param filter? luna.TestFilter
---@return tl.message
function Person:expect(peer, seconds, filter) end

---The next edit of a message by somebody else in that dialog: the message as it is now.
---@param peer luna.TestPeer
---@param seconds? number|luna.TestFilter
---@param filter? luna.TestFilter
---@return tl.message
function Person:expectEdit(peer, seconds, filter) end

---The next reaction of somebody else to a message; with an emoji, the next that is that one. Gives the message as it is now.
---```lua
---local sent = alice:send(bot, "What a day!")
---alice:expectReaction(sent, "👍")
---```
---@param message tl.Message
---@param seconds? number|string
---@param emoji? string
---@return tl.message
function Person:expectReaction(message, seconds, emoji) end

---The file in a message: its bytes, name and kind.
---```lua
---local bytes, name, kind = alice:file(alice:expect(bot, { media = "document" }))
---```
---@param message tl.message
---@return string bytes
---@return string? name
---@return string kind
function Person:file(message) end

---Nothing new comes from a peer for that long.
---@param peer luna.TestPeer
---@param seconds? number
function Person:expectNothing(peer, seconds) end

---Presses a button of a message, by its label or by row and column: the answer { message, alert, url }. A button of a reply keyboard sends
---its text, or the person's contact, and gives that message; one that switches to an inline query gives its results.
---```lua
---local answer = alice:click(alice:expect(bot), "Roll")
---assert.matches("You rolled", answer.message)
---```
---@param message tl.Message
---@param label string|integer
---@param column? integer
---@return { message?: string, alert?: boolean, url?: string, copied?: string, user_id?: integer }|tl.message|luna.TestResults
function Person:click(message, label, column) end

---Pays an invoice of a bot, in its chat and in Stars (XTR). The bot gets updateBotPrecheckoutQuery, and once it has agreed the service message
---messageActionPaymentSentMe; the person's own of it, messageActionPaymentSent, is given. Where the bot refuses: nil and its words.
---```lua
---local receipt = alice:pay(alice:expect(bot, { media = "invoice" }))
---assert.equal(5, receipt.action.total_amount)
---```
---@param message tl.Message
---@return tl.messageService? receipt
---@return string? refusal
function Person:pay(message) end

---Types `@bot query` into a chat: the list of what the bot answers, with next_offset, cache_time, gallery and switch_pm.
---```lua
---local results = alice:inline(bot, "tea", { chat = group })
---assert.equal("Green tea", results[1].title)
---local more = alice:inline(bot, "tea", { offset = results.next_offset })
---```
---@param bot luna.TestPeer
---@param query? string
---@param options? { offset?: string, chat?: luna.TestPeer, location?: { lat: number, long: number } }
---@return luna.TestResults
function Person:inline(bot, query, options) end

---Sends one of the results of person:inline to a chat, the one in which it was asked for where none is given; gives the message.
---```lua
---local message = alice:choose(results[1], group)
---```
---@param result tl.BotInlineResult
---@param chat? luna.TestPeer
---@return tl.message
function Person:choose(result, chat) end

---@class luna.TestResults
---@field [integer] tl.BotInlineResult
---@field next_offset? string
---@field cache_time integer
---@field gallery? boolean
---@field switch_pm? tl.InlineBotSwitchPM

return sandbox
