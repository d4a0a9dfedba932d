#!/usr/bin/env python3
"""Telethon as the other end: logs in to a server of ours and chats, one line of standard output for each thing done.

  telethon_peer.py HOST PORT KEY --dc N --bot TOKEN           an echo bot (with a menu at /menu), until SIGTERM
  telethon_peer.py HOST PORT KEY --dc N --user PHONE --say BOT TEXT...   a person who writes and waits for each answer
  telethon_peer.py HOST PORT KEY --dc N --user PHONE --tour BOT          ... and edits, deletes, reads, lists
  telethon_peer.py HOST PORT KEY --dc N --user PHONE --click BOT TEXT LABEL   ... and presses a button
  telethon_peer.py HOST PORT KEY --dc N --user PHONE --inline BOT QUERY       ... and asks inline, and presses what was sent of it

With --first NAME, a person must sign up, and does by that name.
KEY is the server's public key (PKCS#1 PEM). Ends with 1 and a line "failed ..." when anything is not as it should be.
"""
import telethon
from telethon import TelegramClient, events, functions, types
from telethon.crypto import rsa
from telethon.network import connection
from telethon.sessions import MemorySession
from telethon.tl import alltlobjects

import peer
from peer import Failed, check, say

TRANSPORTS = {
    "full": connection.ConnectionTcpFull,
    "abridged": connection.ConnectionTcpAbridged,
    "intermediate": connection.ConnectionTcpIntermediate,
    "obfuscated-abridged": connection.ConnectionTcpObfuscated,
}


def make_client(args):
    with open(args.key, encoding="ascii") as file:
        rsa.add_key(file.read(), old=False)
    if args.layer == 227:
        # A server of layer 227 sends users by this id; what follows it is read alike.
        alltlobjects.tlobjects[0x31774388] = types.User
    session = MemorySession()
    session.set_dc(args.dc, args.host, args.port)
    return TelegramClient(session, 1, "hash", connection=TRANSPORTS[args.transport], connection_retries=1,
                          request_retries=1, timeout=args.timeout)


async def run_bot(client, args):
    @client.on(events.NewMessage(incoming=True))
    async def on_message(event):
        if event.raw_text == "/menu":
            buttons = None if args.layer == 227 else [[telethon.Button.inline("One", b"one")]]
            await event.respond("menu", buttons=buttons)
        elif event.raw_text:
            await event.respond(event.raw_text)

    @client.on(events.CallbackQuery(func=lambda event: not event.via_inline))
    async def on_button(event):
        await event.answer("pressed " + event.data.decode())

    @client.on(events.InlineQuery)
    async def on_query(event):
        more = [[telethon.Button.inline("More", b"more")]]
        results = [event.builder.article("First", text="**first** of " + event.text, buttons=more),
                   event.builder.article("Second", text="second")]
        await event.answer(results, cache_time=0, next_offset="2", switch_pm="Set up", switch_pm_param="set")

    @client.on(events.Raw(types.UpdateInlineBotCallbackQuery))
    async def on_inline_button(update):
        await client(functions.messages.EditInlineBotMessageRequest(update.msg_id, message="changed"))
        await client(functions.messages.SetBotCallbackAnswerRequest(update.query_id, 0, message="pressed"))

    await client.start(bot_token=args.bot)
    me = await client.get_me()
    check(me.bot, "a bot that is no bot")
    say("me", me.id, me.username)
    await peer.until_told()


class Person(peer.Person):
    async def start(self, username):
        args, client = self.args, self.client
        await client.connect()
        check(not await client.is_user_authorized(), "authorized before the login")
        sent = await client.send_code_request(args.user)
        try:
            await client.sign_in(args.user, self.wrong_code, phone_code_hash=sent.phone_code_hash)
            raise Failed("a wrong code was taken")
        except telethon.errors.PhoneCodeInvalidError:
            pass
        try:
            me = await client.sign_in(args.user, args.code, phone_code_hash=sent.phone_code_hash)
            check(not args.first, "no sign-up was asked for")
        except telethon.errors.PhoneNumberUnoccupiedError:
            check(args.first, "a sign-up was asked for")
            result = await client(functions.auth.SignUpRequest(args.user, sent.phone_code_hash, args.first, "Telethon"))
            me = await client._on_login(result.user)  # its own sign_up always raises
            check(me.first_name == args.first and me.last_name == "Telethon", "signed up by another name")
        check(me.is_self and me.phone == args.user.lstrip("+"), "somebody else logged in")
        say("me", me.id)
        self.bot = await client.get_entity("@" + username)
        check(self.bot.username.lower() == username.lower() and self.bot.bot, "resolved to another")
        say("resolved", self.bot.id, self.bot.username)

        @client.on(events.NewMessage(incoming=True, from_users=self.bot.id))
        async def on_message(event):
            self.answers.put_nowait(event.message)

    async def send(self, text):
        return await self.client.send_message(self.bot, text)

    @staticmethod
    def text_of(message):
        return message.message

    async def click(self, text, label):
        _, answer = await self.ask(text)
        for row in answer.buttons or []:
            for button in row:
                if button.text == label:
                    result = await button.click()
                    say("clicked", result.message or "")
                    return
        raise Failed(f"no button {label!r}")

    async def inline(self, query):
        client = self.client
        results = await client.inline_query(self.bot, query)
        check([r.title for r in results] == ["First", "Second"], "the results")
        check(results.switch_pm.start_param == "set", "switch_pm")
        sent = await results[0].click("me")
        check(sent.via_bot_id == self.bot.id and isinstance(sent.entities[0], types.MessageEntityBold), "the message sent")
        say("chosen", sent.message)
        answer = await sent.click(text="More")
        say("pressed", answer.message)
        say("now", (await client.get_messages("me", ids=sent.id)).message)

    async def tour(self):
        client, bot = self.client, self.bot
        sent, answer = await self.ask("hello")
        check(answer.message == "hello" and answer.sender_id == bot.id, "not an echo")
        _, last = await self.ask("zwei äöü 🙂")
        check(last.message == "zwei äöü 🙂", "not an echo of what is not ASCII")

        edited = await client.edit_message(bot, sent.id, "hello, edited")
        check(edited.message == "hello, edited", "the edit's answer")
        again = await client.get_messages(bot, ids=sent.id)
        check(again.message == "hello, edited" and again.edit_date, "the edited message")
        say("edited", again.message)

        await client.send_read_acknowledge(bot, last)
        await client(functions.messages.SetTypingRequest(bot, types.SendMessageTypingAction()))
        say("read", last.id)

        gone, _ = await self.ask("delete me")
        affected = await client.delete_messages(bot, [gone.id], revoke=True)
        check(affected[0].pts_count == 1, "one message deleted")
        check(await client.get_messages(bot, ids=gone.id) is None, "deleted, and still there")
        say("deleted", gone.id)

        history = await client.get_messages(bot, limit=10)
        texts = [m.message for m in history]
        check(texts[:2] == ["delete me", "zwei äöü 🙂"] and "hello, edited" in texts, f"history {texts}")
        page = await client.get_messages(bot, limit=2, offset_id=history[1].id)
        check([m.id for m in page] == [m.id for m in history[2:4]], "history by offset")
        say("history", len(history))

        dialogs = await client.get_dialogs()
        check(any(d.entity.id == bot.id and d.message.id == history[0].id for d in dialogs), "dialogs")
        say("dialogs", len(dialogs))

        full = await client(functions.users.GetFullUserRequest("me"))
        check(full.users[0].is_self, "getFullUser")
        me = await client.get_me()
        check(me.phone == self.args.user.lstrip("+"), "getMe")
        state = await client(functions.updates.GetStateRequest())
        difference = await client(functions.updates.GetDifferenceRequest(state.pts - 1, state.date, state.qts))
        check(not isinstance(difference, types.updates.DifferenceEmpty), "a difference that is empty")
        say("difference", type(difference).__name__)
        try:
            await client.get_entity("@nobody_of_this_name")
            raise Failed("resolved nobody")
        except ValueError:
            pass


async def main(args):
    client = make_client(args)
    try:
        if args.bot:
            await run_bot(client, args)
        else:
            await Person(client, args).act()
    finally:
        await client.disconnect()


if __name__ == "__main__":
    layer = {"type": int, "default": alltlobjects.LAYER, "help": "227 for a server of gotd's"}
    inline = {"nargs": 2, "metavar": ("BOT", "QUERY")}
    peer.run(main, peer.parse(TRANSPORTS, "full", layer=layer, inline=inline), telethon.errors.RPCError)
