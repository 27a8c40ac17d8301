"""The program with its HTTP door open, and clients of it."""

import http.client
import json
import re
import urllib.parse

import barcode
from harness import PATIENCE, SystemTest, until

HEAD = {"stages": ["source", "decode", "preprocess", "inference", "postprocess", "collector"], "http": "127.0.0.1:0"}


class Reply:
    def __init__(self, reply):
        self.status, self.headers, self.body = reply.status, reply.headers, reply.read()

    def json(self):
        return json.loads(self.body)


def door_of(program):
    """The address of the program's door, once it is open."""

    def found():
        program.test.assertIsNone(program.process.poll(), program.errors())
        return [m for m in program.log() if m.startswith("the door is open: ")]

    return until(found, "the door to open")[0].split()[-1]


class Client:
    """One connection, kept open."""

    def __init__(self, test, url, token=None):
        parts = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        test.addCleanup(self.connection.close)

    def send(self, method, path, body=None, headers=()):
        self.connection.request(method, path, body, {**self.headers, **dict(headers)})
        return self.connection.getresponse()

    def ask(self, method, path, body=None, headers=()):
        return Reply(self.send(method, path, body, headers))

    def get(self, path, **headers):
        return self.ask("GET", path, headers=headers)

    def detect(self, picture, query="", **headers):
        return self.ask("POST", f"/v1/detect{query}", picture, headers)


class DoorTest(SystemTest):
    def door_topology(self, streams=(), head=(), **more):
        return self.topology(list(streams) if not isinstance(streams, dict) else streams,
                             nodes={"head": {**HEAD, **dict(head)}}, **more)  # fmt: skip

    def client(self, program, token=None):
        return Client(self, door_of(program), token)

    def pictures(self, count, kind="jpg", stream=0, first=0, size=(256, 192)):
        """Encoded pictures with codes, in memory."""
        encoding = {"jpg": ["-q:v", "2"], "png": ["-c:v", "png"], "webp": ["-quality", "95"]}[kind]
        folder = self.clip(f"pictures-{kind}-{stream}-{first}-{size[0]}/%05d.{kind}", count, *encoding, stream=stream,
                           first=first, size=size).parent  # fmt: skip
        return [path.read_bytes() for path in sorted(folder.iterdir())]

    def assert_shows(self, reply, stream, frame):
        """The reply's objects are those of this picture."""
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(barcode.read_objects(reply.json()), (stream, frame))


def events_of(reply):
    """(event, data) of Server-Sent Events as they come."""
    event = None
    for raw in reply:
        line = raw.decode().rstrip("\r\n")
        if line.startswith("event: "):
            event = line[7:]
        elif line.startswith("data: "):
            yield event, json.loads(line[6:])


def parts_of(reply):
    """Pictures of a multipart stream as they come."""
    while True:
        length = None
        while (line := reply.readline()) not in (b"\r\n", b""):
            if found := re.match(rb"Content-Length: (\d+)", line, re.I):
                length = int(found[1])
        if length is None:
            return
        yield reply.read(length)
        reply.readline()
