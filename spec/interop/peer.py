"""What the peers in Python share: their words, their arguments, a person's conversation, and how they end. See telethon_peer.py for the use."""
import argparse
import asyncio
import signal
import sys


class Failed(Exception):
    """Something is not as it should be."""


def say(*words):
    print(*words, flush=True)


def check(right, what):
    if not right:
        raise Failed(what)


async def until_told():
    """Waits for SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    say("ready")
    await stop.wait()


class Person:
    """A logged-in person and what the bot has answered so far. A client's own has start, send, text_of, click and tour."""

    def __init__(self, client, args):
        self.client, self.args, self.answers = client, args, asyncio.Queue()

    @property
    def wrong_code(self):
        return ("1" if self.args.code[0] != "1" else "2") * 5

    async def ask(self, text):
        sent = await self.send(text)
        try:
            answer = await asyncio.wait_for(self.answers.get(), self.args.timeout)
        except asyncio.TimeoutError:
            raise Failed(f"no answer to {text!r}") from None
        say("answer", self.text_of(answer))
        return sent, answer

    async def act(self):
        args = self.args
        inline = getattr(args, "inline", None)
        await self.start((args.say or args.click or inline or [args.tour])[0])
        if args.say:
            for text in args.say[1:]:
                await self.ask(text)
        elif args.click:
            await self.click(*args.click[1:])
        elif inline:
            await self.inline(inline[1])
        else:
            await self.tour()
        await self.client.log_out()
        say("done")


def parse(transports, transport, **options):
    """The arguments; options: further ones, by name, as add_argument takes them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("key")
    parser.add_argument("--dc", type=int, default=1)
    parser.add_argument("--bot", metavar="TOKEN")
    parser.add_argument("--user", metavar="PHONE")
    parser.add_argument("--code")
    parser.add_argument("--first", metavar="NAME")
    parser.add_argument("--say", nargs="+", metavar=("BOT", "TEXT"))
    parser.add_argument("--click", nargs=3, metavar=("BOT", "TEXT", "LABEL"))
    parser.add_argument("--tour", metavar="BOT")
    parser.add_argument("--transport", choices=transports, default=transport)
    parser.add_argument("--timeout", type=float, default=15)
    for name, option in options.items():
        parser.add_argument("--" + name, **option)
    args = parser.parse_args()
    inline = getattr(args, "inline", None)
    if not args.bot and not (args.user and (args.say or args.click or args.tour or inline)):
        parser.error("either --bot, or --user with --say, --click, --tour" + (" or --inline" if hasattr(args, "inline") else ""))
    if args.user and not args.code:
        args.code = args.user.lstrip("+")[5] * 5
    return args


def run(main, args, *errors):
    """Runs the coroutine main(args); what it raises is a line "failed ..." and status 1."""
    try:
        asyncio.run(main(args))
    except (Failed, ConnectionError, asyncio.TimeoutError, *errors) as error:
        say("failed", f"{type(error).__name__}: {error}")
        sys.exit(1)
