"""The same as spec/bench/async.lua in Python, on asyncio's own loop; with --uvloop on that.

  python.py [--uvloop] [sleepers | echo]
"""
import asyncio
import gc
import resource
import sys
import time

def cpu():
    return time.process_time()


def report(name, number, unit):
    print(f"{name}\t{number:.4g}\t{unit}", flush=True)


async def measure(name, n, fn):
    await fn(n // 10)
    best = float("inf")
    for _ in range(3):
        gc.collect()
        start = cpu()
        await fn(n)
        best = min(best, (cpu() - start) / n * 1e9)
    report(name, best, "ns")


async def nothing():
    pass


async def spawn(n):
    for _ in range(n // 1000):
        for _ in range(1000):
            asyncio.ensure_future(nothing())
        await asyncio.sleep(0)


async def await_done(n):
    f = asyncio.get_running_loop().create_future()
    f.set_result(1)
    for _ in range(n):
        await f


async def suspend(n):
    for _ in range(n):
        await asyncio.sleep(0)


async def defer_chain(n):
    loop, done, left = asyncio.get_running_loop(), asyncio.Event(), n

    def again():
        nonlocal left
        left -= 1
        if left > 0:
            loop.call_soon(again)
        else:
            done.set()

    loop.call_soon(again)
    await done.wait()


async def defer_batch(n):
    loop = asyncio.get_running_loop()
    for _ in range(n // 10000):
        for _ in range(10000):
            loop.call_soon(int)
        await asyncio.sleep(0)


async def sleepers():
    n = 100000
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    start = cpu()
    tasks = [asyncio.ensure_future(asyncio.sleep(2.5)) for _ in range(n)]
    await asyncio.sleep(0)
    created = cpu() - start
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    start = cpu()
    for task in tasks:
        await task
    report("sleepers_create", created / n * 1e9, "ns")
    report("sleepers_fire", (cpu() - start) / n * 1e9, "ns")
    report("sleepers_bytes", size / n, "B")


async def timers():
    best = float("inf")
    loop = asyncio.get_running_loop()
    for _ in range(2):
        gc.collect()
        seed, start = 1, cpu()
        for _ in range(100000):
            seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
            loop.call_later(seed % 1000 / 1000, int)
        await asyncio.sleep(1.1)
        best = min(best, cpu() - start)
    report("timers", best, "s")


async def all_of(n):
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in range(n)]

    def resolve():
        for i, f in enumerate(futures):
            f.set_result(i)

    loop.call_soon(resolve)
    await asyncio.gather(*futures)


async def echo():
    async def serve(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    ended = asyncio.Event()

    def line():
        if sys.stdin.readline():
            print(f"{cpu():.6f}", flush=True)
        else:
            ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    asyncio.get_running_loop().add_reader(0, line)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()


async def main():
    if "echo" in sys.argv:
        await echo()
        return
    if "sleepers" in sys.argv:  # in a process of their own, so that the memory is not what others have left
        await sleepers()
        return
    await measure("spawn", 200000, spawn)
    await measure("await_done", 1000000, await_done)
    await measure("suspend", 200000, suspend)
    await measure("defer_chain", 200000, defer_chain)
    await measure("defer_batch", 200000, defer_batch)
    await timers()
    await measure("all", 100000, all_of)


python = "Python " + sys.version.split()[0]
if "--uvloop" in sys.argv:
    import uvloop

    print(f"# uvloop {uvloop.__version__} on {python}", flush=True)
    uvloop.run(main())
else:
    print(f"# asyncio on {python}", flush=True)
    asyncio.run(main())
