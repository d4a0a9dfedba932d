#!/usr/bin/env python3
"""Kurigram (of Pyrogram's family) as the other end: logs in to a server of ours and chats, one line of standard output for each
thing done.

  kurigram_peer.py HOST PORT KEY --dc N --bot TOKEN           an echo bot (with a menu at /menu), until SIGTERM
  kurigram_peer.py HOST PORT KEY --dc N --user PHONE --say BOT TEXT...   a person who writes and waits for each answer
  kurigram_peer.py HOST PORT KEY --dc N --user PHONE --tour BOT          ... and edits, deletes, reads, lists
  kurigram_peer.py HOST PORT KEY --dc N --user PHONE --click BOT TEXT LABEL   ... and presses a button

With --first NAME, a person must sign up, and does by that name.
KEY is the server's public key (PKCS#1 PEM). Ends with 1 and a line "failed ..." when anything is not as it should be.
"""
import asyncio
import base64
import hashlib

from pyrogram import Client, errors, filters, raw, types
from pyrogram.connection import Connection
from pyrogram.connection.transport.tcp import tcp_abridged, tcp_abridged_o, tcp_full, tcp_intermediate, tcp_intermediate_o
from pyrogram.connection.transport.tcp import tcp_intermediate_padded
from pyrogram.crypto import rsa
from pyrogram.handlers import CallbackQueryHandler, MessageHandler

import peer
from peer import Failed, check, say

TRANSPORTS = {
    "abridged": tcp_abridged.TCPAbridged,
    "intermediate": tcp_intermediate.TCPIntermediate,
    "full": tcp_full.TCPFull,
    "obfuscated-abridged": tcp_abridged_o.TCPAbridgedO,
    "obfuscated-intermediate": tcp_intermediate_o.TCPIntermediateO,
    "obfuscated-padded": tcp_intermediate_padded.TCPIntermediatePadded,
}


def read_key(path):
    """The modulus and exponent of a PKCS#1 file, and the fingerprint that a server names it by."""
    with open(path, encoding="ascii") as file:
        der = base64.b64decode("".join(line for line in file if "-" not in line))

    def value(at):
        length, at = der[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(der[at:at + count], "big"), at + count
        return at, length

    at, _ = value(0)
    numbers = []
    for _ in range(2):
        at, length = value(at)
        numbers.append(der[at:at + length].lstrip(b"\0"))
        at += length

    def tl(data):
        head = bytes([len(data)]) if len(data) < 254 else b"\xfe" + len(data).to_bytes(3, "little")
        return head + data + bytes(-(len(head) + len(data)) % 4)

    fingerprint = hashlib.sha1(tl(numbers[0]) + tl(numbers[1])).digest()[-8:]
    modulus, exponent = (int.from_bytes(n, "big") for n in numbers)
    return int.from_bytes(fingerprint, "little", signed=True), rsa.PublicKey(modulus, exponent)


def make_client(args):
    fingerprint, key = read_key(args.key)
    rsa.server_public_keys[fingerprint] = key

    class Redirected(Connection):
        """A new session begins at an address of Telegram's DC 2, whatever one says: that is ours."""

        def __init__(self, dc_id, server_address, port, *rest, **named):
            if dc_id == args.dc:
                server_address, port = args.host, args.port
            super().__init__(dc_id, server_address, port, *rest, **named)

    return Client("peer", api_id=1, api_hash="hash", in_memory=True, bot_token=args.bot,
                  protocol_factory=TRANSPORTS[args.transport], connection_factory=Redirected)


async def run_bot(client, args):
    async def on_message(_, message):
        if message.text == "/menu":
            markup = types.InlineKeyboardMarkup([[types.InlineKeyboardButton("One", callback_data="one")]])
            await client.send_message(message.chat.id, "menu", reply_markup=markup)
        elif message.text:
            await client.send_message(message.chat.id, message.text)

    async def on_button(_, query):
        await query.answer("pressed " + query.data)

    client.add_handler(MessageHandler(on_message, filters.incoming))
    client.add_handler(CallbackQueryHandler(on_button))
    await client.start()
    me = await client.get_me()
    check(me.is_bot, "a bot that is no bot")
    say("me", me.id, me.username)
    await peer.until_told()
    await client.stop()


class Person(peer.Person):
    async def start(self, username):
        args, client = self.args, self.client
        await client.connect()
        sent = await client.send_code(args.user)
        try:
            await client.sign_in(args.user, sent.phone_code_hash, self.wrong_code)
            raise Failed("a wrong code was taken")
        except errors.PhoneCodeInvalid:
            pass
        me = await client.sign_in(args.user, sent.phone_code_hash, args.code)
        check(isinstance(me, types.User) != bool(args.first), "a sign-up where none was due, or none where one was")
        if args.first:
            me = await client.sign_up(args.user, sent.phone_code_hash, args.first, "Kurigram")
            check(me.first_name == args.first and me.last_name == "Kurigram", "signed up by another name")
        check(isinstance(me, types.User) and me.phone_number == args.user.lstrip("+"), "somebody else logged in")
        client.me = await client.get_me()
        await client.invoke(raw.functions.updates.GetState())
        await client.initialize()
        say("me", me.id)
        self.bot = await client.get_users(username)
        check(self.bot.username.lower() == username.lower() and self.bot.is_bot, "resolved to another")
        say("resolved", self.bot.id, self.bot.username)

        async def on_message(_, message):
            self.answers.put_nowait(message)

        client.add_handler(MessageHandler(on_message, filters.incoming & filters.user(self.bot.id)))
        await asyncio.sleep(0)  # the handler is added by a task

    async def send(self, text):
        return await self.client.send_message(self.bot.id, text)

    @staticmethod
    def text_of(message):
        return message.text

    async def click(self, text, label):
        _, answer = await self.ask(text)
        for row in answer.reply_markup.inline_keyboard if answer.reply_markup else []:
            for button in row:
                if button.text == label:
                    result = await self.client.request_callback_answer(self.bot.id, answer.id, button.callback_data)
                    say("clicked", result.message or "")
                    return
        raise Failed(f"no button {label!r}")

    async def tour(self):
        client, bot = self.client, self.bot.id
        sent, answer = await self.ask("hello")
        check(answer.text == "hello" and answer.from_user.id == bot, "not an echo")
        _, last = await self.ask("zwei äöü 🙂")
        check(last.text == "zwei äöü 🙂", "not an echo of what is not ASCII")

        edited = await client.edit_message_text(bot, sent.id, "hello, edited")
        check(edited.text == "hello, edited", "the edit's answer")
        again = await client.get_messages(bot, sent.id)
        check(again.text == "hello, edited" and again.edit_date, "the edited message")
        say("edited", again.text)

        check(await client.read_chat_history(bot, last.id), "read")
        say("read", last.id)

        gone, _ = await self.ask("delete me")
        check(await client.delete_messages(bot, [gone.id], revoke=True) == 1, "one message deleted")
        check((await client.get_messages(bot, gone.id)).empty, "deleted, and still there")
        say("deleted", gone.id)

        history = [m async for m in client.get_chat_history(bot, limit=10)]
        texts = [m.text for m in history]
        check(texts[:2] == ["delete me", "zwei äöü 🙂"] and "hello, edited" in texts, f"history {texts}")
        page = [m async for m in client.get_chat_history(bot, limit=2, max_id=history[2].id)]
        check([m.id for m in page] == [m.id for m in history[2:4]], "history by offset")
        back = [m async for m in client.get_chat_history(bot, limit=3, reverse=True)]
        check([m.id for m in back] == [m.id for m in reversed(history)][:3], "history from its beginning")
        say("history", len(history))

        dialogs = [d async for d in client.get_dialogs()]
        check(any(d.chat.id == bot and d.top_message.id == history[0].id for d in dialogs), "dialogs")
        say("dialogs", len(dialogs))

        me = await client.get_me()
        check(me.phone_number == self.args.user.lstrip("+"), "get_me")
        chat = await client.get_chat(bot)
        check(chat.username.lower() == self.bot.username.lower(), "get_chat")
        try:
            await client.get_users("nobody_of_this_name")
            raise Failed("resolved nobody")
        except (errors.UsernameNotOccupied, IndexError):
            pass


async def main(args):
    client = make_client(args)
    if args.bot:
        await run_bot(client, args)
    else:
        await Person(client, args).act()


if __name__ == "__main__":
    peer.run(main, peer.parse(TRANSPORTS, "abridged"), errors.RPCError)
