"""A server for the specs of HTTP: Python's own http.server, with TLS, and beside it proxies (SOCKS 4, 4a, 5, HTTP) and DNS over HTTPS.
Usage: http_server.py FOLDER (with server.pem: certificate and key). Prints its ports as one line of JSON; ends when nobody reads its output any more."""
import base64, gzip, http.server, json, os, select, socket, ssl, struct, sys, threading, urllib.parse

gates, counters, lock = {}, {}, threading.Lock()


def gate(name):
    with lock:
        return gates.setdefault(name, threading.Event())


def count(name, n):
    with lock:
        counters[name] = counters.get(name, 0) + n
        return counters[name]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, body=b"", status=200, headers=()):
        if isinstance(body, str):
            body = body.encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def pieces(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while True:
                n = int(self.rfile.readline().split(b";")[0], 16)
                piece = self.rfile.read(n)
                self.rfile.readline()
                if n == 0:
                    return
                yield piece
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0:
            piece = self.rfile.read(min(left, 65536))
            if not piece:
                return
            left -= len(piece)
            yield piece

    def handle_any(self):
        parts = urllib.parse.urlsplit(self.path)
        q = {k: v[0] for k, v in urllib.parse.parse_qs(parts.query).items()}
        name = parts.path.strip("/").split("/")[0].replace("-", "_")
        method = getattr(self, "on_" + name, None)
        if not method:
            return self.answer("no such page", 404)
        try:
            method(q)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = handle_any

    def on_hello(self, q):
        self.answer("hello", headers=[("X-Two", "a"), ("X-Two", "b")])

    def on_echo(self, q):
        body = b"".join(self.pieces())
        self.answer(json.dumps({
            "method": self.command, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
            "body": base64.b64encode(body).decode(), "port": self.client_address[1],
        }))

    def on_status(self, q):
        self.answer("status", int(q["n"]))

    def on_redirect(self, q):
        for _ in self.pieces():
            pass
        self.answer("moved", int(q.get("status", 302)), [("Location", q["to"])])

    def on_chain(self, q):
        n = int(q["n"])
        self.answer("", 302, [("Location", "/chain?n=%d" % (n - 1) if n > 1 else "/hello")])

    def on_cookie(self, q):
        self.answer(self.headers.get("Cookie", ""), headers=[("Set-Cookie", "taste=%s; Path=/; HttpOnly" % q["v"])] if "v" in q else [])

    def on_gzip(self, q):
        self.answer(gzip.compress(b"z" * int(q["n"])), headers=[("Content-Encoding", "gzip")])

    def on_big(self, q):
        n, name = int(q["n"]), q.get("name", "big")
        self.send_response(200)
        self.send_header("Content-Length", str(n))
        self.end_headers()
        piece = bytes(range(256)) * 256
        while n > 0:
            self.wfile.write(piece[:n])
            count(name, min(n, len(piece)))
            n -= len(piece)

    def on_chunked(self, q):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for i in range(int(q["n"])):
            self.wfile.write(b"5\r\npiece\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def on_endless(self, q):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 65536)

    def on_header(self, q):
        self.answer("hello", headers=[("X-Long", "x" * int(q["n"]))])

    def on_count(self, q):
        self.answer(str(count(q["name"], 0)))

    def on_open(self, q):
        gate(q["name"]).set()
        self.answer("open")

    def on_wait(self, q):
        """Answers when its gate is opened."""
        gate(q["name"]).wait(20)
        self.answer("at last")

    def on_half(self, q):
        """Headers and the first half at once, the rest when its gate is opened."""
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"first")
        self.wfile.flush()
        gate(q["name"]).wait(20)
        self.wfile.write(b"after")

    def on_take(self, q):
        """Reads the request's body when its gate is opened."""
        gate(q["name"]).wait(20)
        self.answer(str(sum(len(p) for p in self.pieces())))

    def on_drop(self, q):
        self.close_connection = True
        count("drop", 1)

    def on_cut(self, q):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"short")
        self.close_connection = True

    def on_garbage(self, q):
        self.wfile.write(b"this is no HTTP\r\n\r\n")
        self.close_connection = True

    def on_dns_query(self, q):
        """DNS over HTTPS: every name of type A is 127.0.0.1."""
        query = b"".join(self.pieces())
        end = query.index(b"\0", 12) + 5
        is_a = query[end - 4:end - 2] == b"\0\1"
        reply = query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1 if is_a else 0, 0, 0) + query[12:end]
        if is_a:
            reply += b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([127, 0, 0, 1])
        count("doh", 1)
        self.answer(reply, headers=[("Content-Type", "application/dns-message")])


class OldHandler(Handler):
    protocol_version = "HTTP/1.0"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, address):
        pass


def pump(a, b):
    try:
        while True:
            piece = a.recv(65536)
            if not piece:
                break
            b.sendall(piece)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def exactly(s, n):
    data = b""
    while len(data) < n:
        piece = s.recv(n - len(data))
        if not piece:
            raise OSError("closed")
        data += piece
    return data


def until_zero(s):
    data = b""
    while True:
        c = exactly(s, 1)
        if c == b"\0":
            return data
        data += c


def proxy_client(s, to):
    """Whatever is asked for, it leads to the port `to` of this machine."""
    try:
        first = exactly(s, 1)
        if first == b"\4":
            _, port, ip = struct.unpack(">BH4s", exactly(s, 7))
            user = until_zero(s)
            kind = "socks4"
            if ip[:3] == b"\0\0\0":
                kind = "socks4a:" + until_zero(s).decode()
            s.sendall(b"\0\x5a" + bytes(6))
        elif first == b"\5":
            methods = exactly(s, exactly(s, 1)[0])
            who = ""
            if b"\2" in methods:
                s.sendall(b"\5\2")
                exactly(s, 1)
                user = exactly(s, exactly(s, 1)[0])
                password = exactly(s, exactly(s, 1)[0])
                who = user.decode() + ":" + password.decode() + "@"
                if password != b"secret-word":
                    count("proxy:refused", 1)  # before who asks can hear of it
                    s.sendall(b"\1\1")
                    return
                s.sendall(b"\1\0")
            else:
                s.sendall(b"\5\0")
            kind = exactly(s, 4)[3]
            name = exactly(s, exactly(s, 1)[0]).decode() if kind == 3 else socket.inet_ntoa(exactly(s, 4))
            exactly(s, 2)
            kind = ("socks5h:" if kind == 3 else "socks5:") + who + name
            s.sendall(b"\5\0\0\1" + bytes(6))
        else:
            head = first
            while not head.endswith(b"\r\n\r\n"):
                head += exactly(s, 1)
            lines = head.decode().split("\r\n")
            verb, target, _ = lines[0].split(" ")
            who = [l.split(" ")[2] for l in lines if l.lower().startswith("proxy-authorization:")]
            who = base64.b64decode(who[0]).decode() + "@" if who else ""
            if who.endswith(":wrong-word@"):
                s.sendall(b"HTTP/1.1 407 who are you\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
                return
            kind = "http:" + who + verb
            if verb == "CONNECT":
                s.sendall(b"HTTP/1.1 200 go on\r\n\r\n")
                head = b""
            else:
                path = urllib.parse.urlsplit(target)
                head = head.replace(target.encode(), (path.path + ("?" + path.query if path.query else "")).encode(), 1)
                # Only a connection's first request is looked at: so it carries one alone.
                head = head[:-2] + b"Connection: close\r\n\r\n"
        count("proxy:" + kind, 1)
        other = socket.create_connection(("127.0.0.1", to))
        if first not in (b"\4", b"\5") and head:
            other.sendall(head)
        threading.Thread(target=pump, args=(other, s), daemon=True).start()
        pump(s, other)
    except (OSError, ValueError):
        pass
    finally:
        s.close()


def proxy(to):
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        while True:
            s, _ = listener.accept()
            threading.Thread(target=proxy_client, args=(s, to), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]


def serve(context=None, handler=Handler):
    server = Server(("127.0.0.1", 0), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


ports = {"http": serve(), "old": serve(handler=OldHandler)}
ports["proxy"] = proxy(ports["http"])
pem = os.path.join(sys.argv[1], "server.pem")
if os.path.exists(pem):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    ports["https"] = serve(tls)
    ports["tlsProxy"] = proxy(ports["https"])
print(json.dumps(ports), flush=True)
watch = select.poll()
watch.register(1, 0)  # an error on standard output: who read it has gone
watch.poll()
os._exit(0)
