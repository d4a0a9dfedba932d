"""The other end for the specs of luna.socket, on Python's own asyncio. Each MODE prints the address it listens at, and ends with its standard
output closed or by itself. Used by spec/lua/luna/socket/peer_spec.lua.

  echo HOST | PATH    sends back what it gets, until the end; then its count of bytes, then the end
  source N            sends N bytes that follow a rule, then the end
  crowd               a listener that accepts nobody and whose queue is full
  client ADDRESS N    connects, sends N lines, prints what came back
"""
import asyncio
import os
import socket
import sys
import threading


def rule(n):
    return bytes((i * 7 + (i >> 9)) & 255 for i in range(n))


async def echo(reader, writer):
    total = 0
    while data := await reader.read(65536):
        total += len(data)
        writer.write(data)
        await writer.drain()
    writer.write(b"%d" % total)
    writer.write_eof()
    await writer.drain()
    writer.close()


async def serve(where, handler):
    if where.startswith("/"):
        server = await asyncio.start_unix_server(handler, where)
        print(where, flush=True)
    else:
        server = await asyncio.start_server(handler, where, 0)
        host, port = server.sockets[0].getsockname()[:2]
        print(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", flush=True)
    await server.serve_forever()


async def source(n):
    async def handler(_, writer):
        writer.write(rule(n))
        await writer.drain()
        writer.close()

    await serve("127.0.0.1", handler)


async def client(address, n):
    if address.startswith("/"):
        reader, writer = await asyncio.open_unix_connection(address)
    else:
        host, port = address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
    for i in range(n):
        writer.write(b"line %d\n" % i)
        await writer.drain()
    writer.write_eof()
    got = await reader.read()
    print(got.count(b"\n"), got.splitlines()[-1].decode(), flush=True)


def crowd():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        others = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(listener.getsockname())
            others.append(s)
        print("%s:%d" % listener.getsockname(), flush=True)
        threading.Event().wait()


def main():
    def watch():  # the spec has ended
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    mode, rest = sys.argv[1], sys.argv[2:]
    if mode == "echo":
        asyncio.run(serve(rest[0], echo))
    elif mode == "source":
        asyncio.run(source(int(rest[0])))
    elif mode == "client":
        asyncio.run(client(rest[0], int(rest[1])))
    elif mode == "crowd":
        crowd()


main()
