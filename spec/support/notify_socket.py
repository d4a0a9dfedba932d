"""A service manager's end of $NOTIFY_SOCKET: prints "ready", then each datagram, its lines joined by "|", until STOPPING=1 or the time is
up. Argument: a path, or @name for an abstract one. Called by spec/cli/notify_spec.lua."""
import socket
import sys

name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\0" + name[1:] if name[0] == "@" else name)
s.settimeout(20)
print("ready", flush=True)
try:
    while True:
        text = s.recv(65536).decode()
        print(text.replace("\n", "|"), flush=True)
        if "STOPPING=1" in text:
            break
except socket.timeout:
    print("timeout", flush=True)
