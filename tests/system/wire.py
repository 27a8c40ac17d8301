"""HTTP as bytes on sockets, for clients that no library would be: those of the door's hostile tests."""

import re
import selectors
import socket
import time

from harness import PATIENCE

STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) [ -~]+\r\n")
HEADER = re.compile(rb"([A-Za-z0-9-]+): ([^\r\n\0]*)\r\n")


class Broken(Exception):
    """Bytes that no server may send."""


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def request(method, path, body=b"", *headers, chunked=False):
    """A whole request; `headers` are lines."""
    lines = [f"{method} {path} HTTP/1.1", "Host: door", *headers]
    if chunked:
        half = len(body) // 2
        lines.append("Transfer-Encoding: chunked")
        body = b"".join(chunk(part) for part in (body[:half], body[half:]) if part) + b"0\r\n\r\n"
    elif body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def take(data):
    """((status, headers, body), what is behind it) of the first reply; None where there is not all of it yet. A body of
    None has no length and goes on."""
    head, end, rest = data.partition(b"\r\n\r\n")
    line = STATUS_LINE.match(head + b"\r\n")
    if not line and (end or not b"HTTP/1.1 ".startswith(head[:9])):
        raise Broken(data[:200])
    if not end:
        return None
    status, headers, at = int(line[1]), {}, line.end()
    while at < len(head) + 2:
        found = HEADER.match(head + b"\r\n", at)
        if not found:
            raise Broken(head)
        headers[found[1].decode().lower()] = found[2].decode()
        at = found.end()
    if status == 100:
        return (status, headers, b""), rest
    if "x-request-id" not in headers:
        raise Broken(head)
    length = 0 if status == 204 else int(headers.get("content-length", -1))
    if length < 0:
        stream = status == 200 and ("transfer-encoding" in headers or headers.get("connection") == "close")
        if status != 101 and not stream:
            raise Broken(head)
        return (status, headers, None), rest
    return ((status, headers, rest[:length]), rest[length:]) if len(rest) >= length else None


class Answer:
    """What a client has got so far."""

    def __init__(self, data):
        self.replies = []  # (status, headers, body)
        self.begun = None  # status of the last one, if it goes on
        while data and (taken := take(data)):
            reply, data = taken
            if reply[2] is None:
                self.begun = reply[0]
                return
            if reply[0] != 100:
                self.replies.append(reply)


class Connection:
    """One client that blocks."""

    def __init__(self, port, data=b"", receive_buffer=None):
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""
        self.send(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False where the other side has closed."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def more(self, most=1 << 16):
        """False at the end."""
        try:
            got = self.socket.recv(most)
        except ConnectionResetError:
            got = b""
        self.data += got
        return bool(got)

    def whole(self):
        """Whether a reply has come to its end."""
        return bool(Answer(self.data).replies)

    def reply(self):
        """The next one: (status, headers, body); None where the connection ended without."""
        while True:
            if taken := take(self.data):
                reply, self.data = taken
                if reply[0] != 100:
                    return reply
            elif not self.more():
                return None

    def ask(self, data):
        self.send(data)
        return self.reply()

    def rest(self):
        """All replies until the other side closes."""
        while self.more():
            pass
        return Answer(self.data).replies


class Crowd:
    """Many clients at once, each of which sends its bytes and waits for an answer or the end, whatever comes first."""

    class Member:
        def __init__(self, port, number, data, half_closes):
            self.number, self.data, self.half_closes, self.got = number, data, half_closes, b""
            self.since = time.monotonic()
            self.socket = socket.socket()
            self.socket.setblocking(False)
            self.socket.connect_ex(("127.0.0.1", port))

    def __init__(self, port, size):
        self.port, self.size = port, size
        self.selector = selectors.DefaultSelector()

    def run(self, requests):
        """`requests`: (bytes, whether the client closes its side behind them). Yields (number, Answer) of each."""
        waiting = enumerate(requests)
        inside = set()
        while True:
            while len(inside) < self.size and (following := next(waiting, None)):
                member = self.Member(self.port, following[0], *following[1])
                inside.add(member)
                self.selector.register(member.socket, selectors.EVENT_WRITE | selectors.EVENT_READ, member)
            if not inside:
                return
            for key, events in self.selector.select(1):
                if (answer := self.step(key.data, events)) is not None:
                    self.selector.unregister(key.data.socket)
                    key.data.socket.close()
                    inside.remove(key.data)
                    yield key.data.number, answer
            for member in inside:
                if time.monotonic() - member.since > PATIENCE:
                    raise AssertionError(f"request {member.number} has no answer and no end; it has {member.got[:200]}")

    def step(self, member, events):
        """The answer, once it is there or will not come."""
        if events & selectors.EVENT_WRITE:
            self.write(member)
        if not events & selectors.EVENT_READ:
            return None
        try:
            got = member.socket.recv(1 << 16)
        except BlockingIOError:
            return None
        except ConnectionError:
            got = b""
        member.got += got
        answer = Answer(member.got)
        return answer if not got or answer.replies or answer.begun else None

    def write(self, member):
        try:
            sent = member.socket.send(member.data)
        except BlockingIOError:
            return
        except OSError:  # the other side has closed; its answer may still be there
            sent = len(member.data)
        member.data = member.data[sent:]
        if member.data:
            return
        if member.half_closes:
            try:
                member.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        self.selector.modify(member.socket, selectors.EVENT_READ, member)
