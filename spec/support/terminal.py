"""A person at a terminal, for specs: runs a program in a pty and plays steps against it. Arguments: the file of steps, the program and its
words. A step a line: "expect TEXT" (waits until the output has it, after the last one found), "type TEXT" (and Enter), "end" (Ctrl-D),
"hangup" (the terminal goes away). Prints the output and, last, "status N"; ends with 1 where a text does not come."""
import os
import pty
import select
import signal
import sys
import time

SECONDS = 20

steps = open(sys.argv[1], encoding="utf-8").read().splitlines()
pid, fd = pty.fork()
if pid == 0:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.execvp(sys.argv[2], sys.argv[2:])

seen, at = b"", 0


def read(until):
    """Reads until the text is there; whether it came."""
    global seen, at
    limit = time.monotonic() + SECONDS
    while True:
        found = seen.find(until, at) if until else -1
        if found >= 0:
            at = found + len(until)
            return True
        ready, _, _ = select.select([fd], [], [], max(0, limit - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if not data:
            return False
        seen += data


def finish(status):
    sys.stdout.buffer.write(seen.replace(b"\r", b""))
    print("\nstatus %d" % status)
    sys.exit(0 if status >= 0 else 1)


for step in steps:
    verb, _, text = step.partition(" ")
    if verb == "expect":
        if not read(text.encode()):
            os.kill(pid, signal.SIGKILL)
            print("did not come: " + text)
            finish(-1)
    elif verb == "type":
        os.write(fd, text.encode() + b"\r")
    elif verb == "end":
        os.write(fd, b"\x04")
    elif verb == "hangup":
        os.close(fd)
        fd = -1

limit = time.monotonic() + SECONDS
while True:
    if fd >= 0:
        ready, _, _ = select.select([fd], [], [], 0.02)
        if ready:
            try:
                seen += os.read(fd, 65536)
            except OSError:
                pass
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        finish(os.waitstatus_to_exitcode(status) % 256)
    if time.monotonic() > limit:
        os.kill(pid, signal.SIGKILL)
        print("it does not end")
        finish(-1)
    if fd < 0:
        time.sleep(0.02)
