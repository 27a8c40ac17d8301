"""The door among clients that mean harm: broken and ambiguous requests, pictures that are bombs, connections that drip,
names that lead elsewhere. Whatever they send, the program stays, and serves everybody else as before."""

import collections
import contextlib
import hashlib
import json
import multiprocessing
import os
import pathlib
import re
import select
import socket
import statistics
import struct
import time
import unittest
import urllib.parse
import zlib

import barcode
from door import DoorTest, door_of
from harness import PATIENCE, until
from mutants import mutants, originals
from wire import Connection, Crowd, chunk, request

MUTANTS = 10_000
SEED = 20_240_501
DRIPPING = 500  # connections at once
SANITIZED = bool(os.environ.get("PENSTOCK_SANITIZE"))
# What the address sanitizer keeps of freed memory would hide how much the program does.
SMALL_QUARANTINE = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=16:malloc_context_size=5"
JOBS = {"queue": {"kind": "sqlite", "path": "jobs.db"}, "blobs": {"kind": "local", "path": "blobs"}}
ENDLESS = "synthetic://?width=256&height=192&frames=0&gop=25&bframes=0&fps=10&live=1"


def png(width, height, rows, *chunks, depth=1):
    """A grey picture of these compressed rows, with further chunks (kind, content) before them."""
    part = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + b"".join(part(*c) for c in (header, *chunks, (b"IDAT", rows), (b"IEND", b"")))


def deflated_zeros(size):
    squeeze, piece = zlib.compressobj(9), bytes(1 << 20)
    out = [squeeze.compress(piece) for _ in range(size >> 20)]
    return b"".join([*out, squeeze.compress(bytes(size & (1 << 20) - 1)), squeeze.flush()])


def jpeg_of_scans(side, scans):
    """A square grey progressive JPEG that says again and again, in a hundred bytes, that no block has details."""
    part = lambda marker, data: b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data
    one_code = bytes([1] + [0] * 15)  # of one bit
    blocks = (side // 8) ** 2
    runs = -(-blocks // 0x7FFF)  # EOB14: so many blocks at once
    bits = int(("0" + "1" * 14) * runs + "1" * (-15 * runs % 8), 2)
    details = bits.to_bytes(-(-15 * runs // 8), "big").replace(b"\xff", b"\xff\0")
    return b"".join([
        b"\xff\xd8", part(0xDB, b"\0" + bytes([1] * 64)),
        part(0xC2, struct.pack(">BHHBBBB", 8, side, side, 1, 1, 0x11, 0)),
        part(0xC4, b"\x00" + one_code + b"\x00"), part(0xC4, b"\x10" + one_code + b"\xe0"),
        part(0xDA, bytes([1, 1, 0, 0, 0, 0])), bytes(blocks // 8),
        (part(0xDA, bytes([1, 1, 0, 1, 63, 0])) + details) * scans, b"\xff\xd9"])  # fmt: skip


class HostileTest(DoorTest):
    def open(self, streams=(), **more):
        """The program with its door open, and its port."""
        program = self.start(self.door_topology(streams, **more), "--log-level", "debug",
                             env={**os.environ, "ASAN_OPTIONS": SMALL_QUARANTINE})  # fmt: skip
        self.port = urllib.parse.urlsplit(door_of(program)).port
        self.picture = self.pictures(1)[0]
        return program

    def ask(self, data):
        with Connection(self.port, data) as c:
            return c.reply()

    def assert_serves(self, connection=None):
        """Somebody honest gets what is his."""
        data = request("POST", "/v1/detect", self.picture)
        status, _, body = connection.ask(data) if connection else self.ask(data)
        self.assertEqual(status, 200, body)
        self.assertEqual(barcode.read_objects(json.loads(body)), (0, 0))

    def assert_refused(self, reply, *statuses):
        """With a reason, as every refusal."""
        self.assertIsNotNone(reply, "closed without an answer")
        self.assertIn(reply[0], statuses, reply[2])
        error = json.loads(reply[2])["error"]
        self.assertTrue(error["code"] and error["message"], error)

    def metric(self, name):
        _, _, text = self.ask(request("GET", "/metrics", b"", "Connection: close"))
        return sum(float(line.rsplit(b" ", 1)[1]) for line in text.splitlines() if line.startswith(name.encode()))

    def end(self, program, code=0):
        """It is still there, and its books balance."""
        self.assertIsNone(program.process.poll(), program.errors()[-5000:])
        program.terminate()
        return program.finish(code, files=False)


class Mutants(HostileTest):
    def test_ten_thousand_mutated_requests_and_pictures_harm_nobody(self):
        clip = self.clip("clip.mp4", 8, size=(64, 48))
        http = {"timeouts": {"header": "300ms", "body": "300ms", "body_rate": "1MiB", "idle": "300ms"},
                "limits": {"pixels": "4Mpx"}, "admission": {"max_wait": "10s"}}  # fmt: skip
        program = self.open({"camera": ENDLESS}, jobs=JOBS, media={"max_pixels": "1Mpx"}, http=http)
        png_picture, webp = (self.pictures(1, kind)[0] for kind in ("png", "webp"))
        valid = originals(self.picture, png_picture, webp, clip.read_bytes(), clip)
        outcomes, memory = collections.Counter(), []
        crowd = Crowd(self.port, 64)
        for done, (_, answer) in enumerate(crowd.run(mutants(MUTANTS, SEED, valid)), 1):
            outcomes.update([status for status, _, _ in answer.replies] or [answer.begun or "closed"])
            if done % 100 == 0:
                self.assert_serves()
            if done % 2000 == 0:
                memory.append(program.resident_mb())
        self.assertLessEqual(set(outcomes), {"closed", 101, 200, 201, 202, 204, 400, 403, 404, 405, 408, 409, 413, 415,
                                             422, 426, 431, 503, 504},
                             [m for m in program.log() if re.search(r": 5\d\d after|internal|failed", m)])  # fmt: skip
        # All of them got somewhere: to the parser, to the decoders, to what is behind them.
        expected = {101: 100, 200: 300, 202: 50, 400: 1000, 404: 100, 408: 100, 415: 50, 422: 100, "closed": 300}
        for outcome, least in expected.items():
            self.assertGreater(outcomes[outcome], least, outcomes)
        self.assertLess(memory[-1], memory[0] + 64, memory)
        until(lambda: self.metric("penstock_http_connections ") == 1, "all connections to be closed")
        self.assert_serves()
        self.end(program)


class Bodies(HostileTest):
    def pour(self, connection, piece, pause):
        """Sends the piece again and again, with pauses, until there is an answer; returns how many bytes that took."""
        sent = 0
        while not select.select([connection.socket], [], [], pause)[0]:
            connection.send(piece)
            sent += len(piece)
            self.assertLess(sent, 64 << 20, "no end of it")
        return sent

    def test_a_body_without_end_is_cut_off_and_not_kept(self):
        http = {"limits": {"image": "1MiB", "upload": "2MiB"}, "timeouts": {"body": "1s", "body_rate": "1MiB"}}
        program = self.open(jobs=JOBS, http=http)
        self.assert_serves()
        before = program.resident_mb()
        clip = self.clip("clip.mp4", 5).read_bytes()
        for path, begin in (("/v1/detect", self.picture[:500]), ("/v1/jobs", clip[:500])):
            head = f"POST {path} HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            with self.subTest(path=path, how="fast"), Connection(self.port, head + chunk(begin)) as c:
                self.pour(c, chunk(bytes(1 << 16)), 0)
                self.assert_refused(c.reply(), 413)
            with self.subTest(path=path, how="slow"), Connection(self.port, head + chunk(begin)) as c:
                self.assertGreater(self.pour(c, chunk(b"x"), 0.01), 100)
                self.assert_refused(c.reply(), 408)
            with self.subTest(path=path, how="not at all"), Connection(self.port, head) as c:
                self.assert_refused(c.reply(), 408)
            with self.subTest(path=path, how="an extension"), Connection(self.port, head + b"1;") as c:
                self.pour(c, b"x" * 4096, 0)
                self.assert_refused(c.reply(), 400, 413)
        self.assertLess(program.resident_mb(), before + 64)
        self.assertEqual([p for p in (self.dir / "blobs").rglob("*") if p.is_file()], [])
        self.assert_serves()
        self.end(program)

    def test_a_wrong_length_ends_with_its_own_request(self):
        program = self.open(http={"timeouts": {"body": "500ms", "body_rate": "1MiB"}})
        head = "POST /v1/detect HTTP/1.1\r\nHost: door\r\nContent-Length: {}\r\n\r\n"
        says = lambda length: head.format(length).encode() + self.picture
        whole = len(self.picture)
        with self.subTest("too long"), Connection(self.port, says(whole + 1)) as c:
            self.assert_refused(c.reply(), 408)
            self.assertEqual(c.rest(), [])
        with self.subTest("too long, and closed"), Connection(self.port, says(whole + 1)) as c:
            c.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(c.rest(), [])
        with self.subTest("too short"), Connection(self.port, says(whole - 100)) as c:
            self.assert_refused(c.reply(), 422)
            self.assert_refused(c.reply(), 400)  # what was left over is no request
            self.assertEqual(c.rest(), [])
        for wrong in ("-1", "+1", "0x10", "1e3", "1, 2", " ", "99999999999999999999"):
            with self.subTest(wrong), Connection(self.port, says(wrong)) as c:
                self.assert_refused(c.reply(), 400)
                self.assertEqual(c.rest(), [])
        with self.subTest("gigantic"), Connection(self.port, says(1 << 62)) as c:
            self.assert_refused(c.reply(), 413)
        self.assert_serves()
        self.end(program)

    def test_what_two_servers_could_read_in_two_ways_is_refused_and_nothing_behind_it_is_done(self):
        program = self.open(http={"timeouts": {"idle": "500ms"}})
        hidden = request("GET", "/healthz")
        length = f"Content-Length: {len(hidden)}"
        shapes = [
            [length, "Transfer-Encoding: chunked"],
            ["Transfer-Encoding: chunked", length],
            ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
            ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
            ["Transfer-Encoding: chunked, identity"],
            ["Transfer-Encoding: identity"],
            ["Transfer-Encoding: xchunked"],
            ["Transfer-Encoding: gzip, chunked"],
            [length, "Transfer-Encoding: xchunked"],
            [length, "Transfer-Encoding: identity"],
            ["Transfer-Encoding : chunked"],
            ["Transfer-Encoding: \x0bchunked"],
            ["Transfer-Encoding: chunked\0"],
            ["X: y\n Transfer-Encoding: chunked"],
            ["Content-Length: 5", length],
            ["Content-Length : 5"],
            ["X: y\rContent-Length: 5"],
            ["X: y\0Content-Length: 5"],
        ]
        for lines in shapes:
            head = "\r\n".join(["POST /v1/detect HTTP/1.1", "Host: door", *lines, "", ""]).encode()
            for body in (b"0\r\n\r\n" + hidden, hidden, chunk(hidden) + b"0\r\n\r\n"):
                with self.subTest(lines, body=body[:10]), Connection(self.port, head + body) as c:
                    statuses = [status for status, _, _ in c.rest()]
                    self.assertEqual(statuses, [400])
        # What the standard lets a server read as one line is one line to all that comes after.
        for line in (" Transfer-Encoding: chunked", "\tTransfer-Encoding: chunked", f" {length}"):
            head = f"GET /healthz HTTP/1.1\r\nHost: door\r\nX: y\r\n{line}\r\n\r\n".encode()
            with self.subTest(line), Connection(self.port, head + b"0\r\n\r\n") as c:
                self.assertEqual([status for status, _, _ in c.rest()][-1], 400)
        self.assert_serves()
        self.end(program)


class Bombs(HostileTest):
    def test_a_picture_that_would_unpack_to_gigabytes_is_refused_at_once(self):
        program = self.open(jobs=JOBS)
        self.assert_serves()
        bomb = png(50_000, 50_000, deflated_zeros(50_000 * (1 + 50_000 // 8)))
        self.assertLess(len(bomb), 500_000)
        form = b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + bomb + b"\r\n--b--\r\n"
        ways = [
            request("POST", "/v1/detect", bomb),
            request("POST", "/v1/detect", bomb, chunked=True),
            request("POST", "/v1/detect", form, "Content-Type: multipart/form-data; boundary=b"),
            request("POST", "/v1/jobs", bomb),
        ]
        before, began = program.resident_mb(), time.monotonic()
        for _ in range(10):
            for way in ways:
                self.assert_refused(self.ask(way), 422)
        self.assertLess(time.monotonic() - began, 10)
        self.assertLess(program.resident_mb(), before + 32)
        self.assertEqual(self.metric('penstock_http_refused_total{reason="picture"}'), 40)
        self.assert_serves()
        self.end(program)

    def test_text_and_profiles_in_a_picture_are_not_unpacked(self):
        program = self.open()
        self.assert_serves()
        pixels, many = zlib.compress(bytes(192 * 33)), deflated_zeros(256 << 20)
        before = program.resident_mb()
        for kind, begin in ((b"zTXt", b"Comment\0\0"), (b"iTXt", b"Comment\0\1\0\0\0"), (b"iCCP", b"profile\0\0")):
            with self.subTest(kind.decode()):
                peak = self.peak_of(program, request("POST", "/v1/detect", png(256, 192, pixels, (kind, begin + many))))
                self.assertLess(peak, before + 64)
        self.assert_serves()
        self.end(program)

    def test_a_picture_that_is_drawn_a_thousand_times_over_is_refused(self):
        program = self.open()
        few, many = (request("POST", "/v1/detect", jpeg_of_scans(8000, scans)) for scans in (4, 1000))
        self.assertEqual(self.ask(few)[0], 200)
        before = self.cpu_s(program)
        self.assert_refused(self.ask(many), 422)
        self.assertLess(self.cpu_s(program) - before, 3)
        self.assert_serves()
        self.end(program)

    def cpu_s(self, program):
        fields = pathlib.Path(f"/proc/{program.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_of(self, program, data):
        """Memory at its most while a request is answered, in MB."""
        clear = pathlib.Path(f"/proc/{program.process.pid}/clear_refs")
        clear.write_text("5")
        self.assertIn(self.ask(data)[0], (200, 422))
        for line in clear.with_name("status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        raise AssertionError("the program has ended")


class Heads(HostileTest):
    def test_gigantic_heads_are_refused(self):
        program = self.open(http={"timeouts": {"body": "1s"}})
        for name, (data, *statuses) in {
            "a value": (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000, 431),
            "a name": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"x" * 100_000, 431),
            "a path": (b"GET /" + b"x" * 100_000, 431),
            "a method": (b"G" * 100_000, 400, 431),
            "many": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 10_000, 431),
            "trailers": (request("POST", "/v1/detect", b"x", chunked=True)[:-2] + b"X: y\r\n" * 10_000, 400, 408),
        }.items():
            with self.subTest(name), Connection(self.port, data) as c:
                self.assert_refused(c.reply(), *statuses)
                self.assertEqual(c.rest(), [])
        self.assert_serves()
        self.end(program)

    def test_names_lead_nowhere_else(self):
        program = self.open({"camera": ENDLESS}, jobs=JOBS)
        secret = self.dir / "secret.jpg"
        secret.write_bytes(self.picture)
        (self.dir / "blobs").mkdir(exist_ok=True)
        (self.dir / "blobs" / "fair.jpg").write_bytes(self.picture)
        ups = ["../secret.jpg", "..%2fsecret.jpg", "%2e%2e%2fsecret.jpg", "..%5csecret.jpg", "%2fetc%2fpasswd", "..",
               "%2e%2e", "....//secret.jpg", "a%00b", "a%0d%0ab", "%c0%ae%c0%ae%c0%afsecret", "x" * 200]  # fmt: skip
        paths = [("GET", "/v1/streams/{}/snapshot.jpg"), ("GET", "/v1/streams/{}/preview.mjpeg"), ("GET", "/{}"),
                 ("DELETE", "/v1/streams/{}"), ("GET", "/v1/jobs/{}"), ("GET", "/v1/jobs/{}/results"),
                 ("DELETE", "/v1/jobs/{}"), ("POST", "/v1/jobs/{}/requeue")]  # fmt: skip
        for up in ups:
            for method, path in paths:
                with self.subTest(f"{method} {path}", name=up):
                    self.assert_refused(self.ask(request(method, path.format(up))), 400, 404, 405)

        def post(path, **fields):
            return self.ask(request("POST", path, json.dumps(fields).encode(), "Content-Type: application/json"))

        for uri in ("blob:../secret.jpg", f"blob:{secret}", "blob:./../secret.jpg", "blob:fair.jpg/../../secret.jpg",
                    "blob:..", "blob:", "blob:a\0b", str(secret), f"file://{secret}", "BLOB:fair.jpg"):  # fmt: skip
            with self.subTest(uri=uri):
                self.assert_refused(post("/v1/jobs", uri=uri), 400, 404)
        for name in ("../up", "a/b", "..", "", "a\0b", "a\nb", "x" * 200):
            with self.subTest(id=name):
                self.assert_refused(post("/v1/streams", id=name, uri=ENDLESS), 400)
        self.assertEqual(self.metric("penstock_stream_received_frames_total{stream=\"(guests)\"}"), 0)
        # The names that people give to jobs are no paths.
        named = self.ask(request("POST", "/v1/jobs", self.picture, "Penstock-Name: ..%2f..%2fclimber.jpg"))
        for status, _, body in (named, post("/v1/jobs", uri="blob:fair.jpg")):
            self.assertEqual(status, 202, body)
            job = request("GET", f"/v1/jobs/{json.loads(body)['id']}")
            until(lambda: json.loads(self.ask(job)[2])["state"] == "done", "the job to be done")
        self.assertEqual([*self.dir.parent.glob("climber*"), *self.dir.rglob("*climber*")], [])
        self.end(program)

    def test_tokens_are_never_written_down(self):
        digest = hashlib.sha256(b"secret-right").hexdigest()
        program = self.open(jobs=JOBS, http={"tokens": [{"name": "app", "sha256": digest}]})
        right, wrong = "Authorization: Bearer secret-right", "Authorization: Bearer secret-wrong"
        status, _, body = self.ask(request("POST", "/v1/detect", self.picture, right))
        self.assertEqual(status, 200, body)
        for data, *statuses in (
            (request("POST", "/v1/detect", self.picture, wrong), 401),
            (request("POST", "/v1/detect", self.picture, "Authorization: Basic secret-right"), 401),
            (request("POST", "/v1/detect", self.picture, "authorization:bearer   secret-wrong  "), 401),
            (request("POST", "/v1/detect?token=secret-right&access_token=secret-wrong", self.picture), 401),
            (request("GET", "/v1/jobs?after=secret-right/", b"", right), 400),
            (request("POST", "/v1/drain", b"", right), 403),
            (request("POST", "/v1/detect", b"words", right, "Penstock-Deadline-Ms: secret-right"), 400),
            (request("POST", "/v1/detect", b"", right, "Transfer-Encoding: chunked"), 400),
            (request("GET", "/v1/state", b"", right + "\r\n folded"), 400, 401),
            (request("GET", "/v1/state", b"", "Authorization Bearer secret-right"), 400),
            (request("GET", "/v1/events", b"", right, "Upgrade: websocket", "Sec-WebSocket-Key: secret-right"), 426),
            (request("GET", "/v1/state", b"", right, "Cookie: secret-right", "Origin: secret-right"), 200),
            (request("GET", "/v1/state", b"", wrong + "x" * 20_000), 431),
            (request("POST", "/v1/streams", b'{"id": "x", "uri": "push://secret-right"}', right), 400),
        ):  # fmt: skip
            with self.subTest(data[:60]):
                self.assertIn(self.ask(data)[0], statuses)
        self.end(program)
        self.assertIn("401", program.errors())  # requests are in this log
        self.assertNotIn("secret-", program.errors())


def drip(port, begins, ready, stop):
    """Holds DRIPPING connections open, each of which sends one of the beginnings and then byte by byte, and opens a new
    one for each that is closed. Runs as a process of its own."""

    def one(number):
        s = socket.create_connection(("127.0.0.1", port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.setblocking(False)
        s.send(begins[number % len(begins)])
        return s

    connections = [one(number) for number in range(DRIPPING)]
    ready.set()
    number = 0
    while not stop.wait(0.005):
        for _ in range(DRIPPING // 50):
            number = (number + 1) % DRIPPING
            try:
                connections[number].send(b"x")
                connections[number].recv(1)
            except BlockingIOError:
                continue
            except OSError:
                pass
            connections[number].close()
            connections[number] = one(number)
    for s in connections:
        s.close()


class Slow(HostileTest):
    @contextlib.contextmanager
    def dripping(self, *begins):
        ready, stop = multiprocessing.Event(), multiprocessing.Event()
        process = multiprocessing.Process(target=drip, args=(self.port, begins, ready, stop))
        process.start()
        try:
            self.assertTrue(ready.wait(PATIENCE))
            yield
        finally:
            stop.set()
            process.join(PATIENCE)
        self.assertEqual(process.exitcode, 0)

    def p99_ms(self, connection):
        """Of somebody honest, who asks again and again."""
        took = []
        for _ in range(400):
            began = time.perf_counter()
            self.assert_serves(connection)
            took.append(1000 * (time.perf_counter() - began))
        return statistics.quantiles(took, n=100)[98]

    def test_clients_that_drip_hold_nobody_up(self):
        program = self.open(http={"timeouts": {"header": "1s", "body": "1s"}})
        head = b"GET /healthz HTTP/1.1\r\nHost: door\r\nX: "
        body = b"POST /v1/detect HTTP/1.1\r\nHost: door\r\nContent-Length: 100000\r\n\r\n" + self.picture[:100]
        connections = lambda: self.metric("penstock_http_connections ")
        quiet, held = [], []
        with Connection(self.port) as honest:
            self.p99_ms(honest)
            for _ in range(5):
                quiet.append(self.p99_ms(honest))
                # All of them are thrown out a second after they came, and are back a little later.
                with self.dripping(head, body):
                    until(lambda: connections() > 0.9 * DRIPPING, "the door to be held")
                    held.append(self.p99_ms(honest))
                    until(lambda: connections() > 0.9 * DRIPPING, "the door to be held again")
                until(lambda: connections() == 2, "the others to be gone")  # this one, and the one that asks
        for reason in ("header_time", "body_time"):
            self.assertGreater(self.metric(f'penstock_http_refused_total{{reason="{reason}"}}'), DRIPPING / 2)
        usual = statistics.median(quiet)
        if SANITIZED:
            return self.end(program)  # a sanitizer's checks of each byte are what takes its time
        # A slice of the scheduler more or less is not the door's doing.
        self.assertLess(statistics.median(held), max(2 * usual, usual + 10), (quiet, held))
        self.end(program)


if __name__ == "__main__":
    unittest.main()
