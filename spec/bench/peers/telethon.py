#!/usr/bin/env python3
"""What Telethon costs as a bot, for spec/bench: one process that measures itself (user + system time).

  telethon.py HOST PORT KEYFILE TOKEN [--dc N] [--session FILE] [--until cold] [--n 500] [--echo 2000]

It prints "ready" once logged in, then waits for a first message from a person; then measures one thing after the other
as "NAME VALUE UNIT"; then prints "echo ready" and answers messages until --echo of them are answered; ends with "done".
See README.md for the names.
"""
import argparse
import asyncio
import os
import resource
import sys

# Run as a file, this folder comes first on the path and its name is the library's.
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]

from telethon import TelegramClient, events, functions, types  # noqa: E402
from telethon.crypto import rsa  # noqa: E402
from telethon.sessions import MemorySession, SQLiteSession  # noqa: E402
from telethon.tl import alltlobjects  # noqa: E402

DEEP = 100


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def show(name, value, unit):
    print(f"{name} {value:.3f} {unit}", flush=True)


async def measure(name, n, depth, call):
    start = cpu()
    if depth == 1:
        for i in range(n):
            await call(i)
    else:
        for base in range(0, n, depth):
            await asyncio.gather(*(call(i) for i in range(base, min(base + depth, n))))
    show(name, (cpu() - start) * 1e6 / n, "us")


async def work(args):
    with open(args.key, encoding="ascii") as file:
        rsa.add_key(file.read(), old=False)
    if args.layer == 227:
        alltlobjects.tlobjects[0x31774388] = types.User
    session = SQLiteSession(args.session) if args.session else MemorySession()
    session.set_dc(args.dc, args.host, args.port)
    client = TelegramClient(session, 1, "hash", connection_retries=1, request_retries=1)
    first = asyncio.get_running_loop().create_future()
    echoed = asyncio.Event()
    state = {"echo": False, "answered": 0}

    @client.on(events.NewMessage(incoming=True))
    async def on_message(event):
        if not state["echo"]:
            if not first.done():
                first.set_result(event)
            return
        await event.respond(event.raw_text)
        state["answered"] += 1
        if state["answered"] == args.echo:
            echoed.set()

    await client.start(bot_token=args.token)
    print("ready", (await client.get_me()).username, flush=True)
    event = await asyncio.wait_for(first, 60)
    show("cold_start", cpu() * 1e3, "ms")
    if args.until == "cold":
        await client.disconnect()
        return
    await asyncio.sleep(1)
    show("idle_rss", resident(), "MiB")

    peer = await event.get_input_chat()
    config = functions.help.GetConfigRequest()
    await measure("config_seq", args.n, 1, lambda _: client(config))
    await measure("config_100", args.n, DEEP, lambda _: client(functions.help.GetConfigRequest()))
    await measure("send_seq", args.n, 1, lambda i: client.send_message(peer, f"message {i}"))
    await measure("send_100", args.n, DEEP, lambda i: client.send_message(peer, f"message {i}"))

    state["echo"] = True
    start = cpu()
    print("echo ready", flush=True)
    await asyncio.wait_for(echoed.wait(), 120)
    show("echo", (cpu() - start) * 1e6 / args.echo, "us")
    show("peak_rss", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB")
    await client.disconnect()


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("key")
    parser.add_argument("token")
    parser.add_argument("--dc", type=int, default=1)
    parser.add_argument("--session")
    parser.add_argument("--until", choices=["cold"])
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--echo", type=int, default=2000)
    parser.add_argument("--layer", type=int, default=alltlobjects.LAYER, help="227 for a server of gotd's")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        asyncio.run(work(parse()))
    except Exception as error:  # whatever it is, one line and a status
        print(f"telethon: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
    print("done", flush=True)
