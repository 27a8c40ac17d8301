"""Requests to the door as they should be, and what becomes of them when bytes are changed from a seed."""

import json
import random
import re

from wire import request

SPICES = [b"\r\n", b"\r\n\r\n", b"\n", b"\0", b"%00", b"%2e%2e/", b"../", b"-1", b"0x10", b": ", b"chunked", b";", b'"',
          b" ", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"--b", b"{",
          b"\xff\xff\xff\xff", b"ffffffffffffffff\r\n", b"HTTP/9.9", b"\xff\xd8", b"]", b"\\u0000"]  # fmt: skip
NUMBERS = [b"0", b"-1", b"1", b"127", b"128", b"255", b"65535", b"65536", b"4294967295", b"18446744073709551616",
           b"1e9", b"00", b"0x7f", b"+5", b"9" * 40]  # fmt: skip


def originals(jpeg, png, webp, clip, clip_file):
    """One of each kind that the door takes, with pictures, a small video, and the same as a file."""
    part = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="x"\r\n\r\n%s\r\n'
    form = part % (b"note", b"words") + part % (b"image", jpeg) + b"--b--\r\n"
    document = lambda **fields: json.dumps(fields).encode()
    frames = b"\x81\x85mask" + bytes(a ^ b for a, b in zip(b"hello", b"maskm")) + b"\x89\x80mask\x88\x80mask"
    upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]  # fmt: skip
    return [
        request("POST", "/v1/detect", jpeg),
        request("POST", "/v1/detect", png, "Accept: application/msgpack"),
        request("POST", "/v1/detect", webp, "Penstock-Deadline-Ms: 5000"),
        request("POST", "/v1/detect?annotate=true", jpeg, "Connection: close"),
        request("POST", "/v1/detect", form, "Content-Type: multipart/form-data; boundary=b"),
        request("POST", "/v1/detect", jpeg, chunked=True),
        request("POST", "/v1/jobs", clip, "Expect: 100-continue", "Penstock-Name: a%20clip"),
        request("POST", "/v1/jobs", jpeg, "Idempotency-Key: k", chunked=True),
        request("POST", "/v1/jobs", document(uri="blob:clip.mp4", name="a clip"), "Content-Type: application/json"),
        request("POST", "/v1/streams", document(id="guest", uri=str(clip_file), policy="lossless")),
        request("DELETE", "/v1/streams/guest"),
        request("GET", "/v1/jobs?state=done&limit=5&after=abc", b"", "Authorization: Bearer abc"),
        request("DELETE", "/v1/jobs/0123456789abcdef", b"", "X-Request-Id: a") + request("GET", "/healthz"),
        request("GET", "/v1/streams/camera/snapshot.jpg").replace(b"HTTP/1.1", b"HTTP/1.0"),
        request("GET", "/v1/streams/camera/preview.mjpeg"),
        request("GET", "/v1/events?stream=camera,b&label=a&kind=result", b"", "Accept: text/event-stream"),
        request("GET", "/v1/events", b"", *upgrade) + frames,
        request("GET", "/v1/state", b"", "Accept: application/msgpack", "Origin: http://door"),
    ]


def mangle_number(data, dice):
    numbers = list(re.finditer(rb"\d+", data[:2000]))
    if not numbers:
        return data
    one = dice.choice(numbers)
    return data[: one.start()] + dice.choice(NUMBERS) + data[one.end() :]


def mangle_header(data, dice):
    """Doubles, drops, moves or bends a line of the head."""
    head, end, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    at = dice.randrange(len(lines))
    match dice.randrange(6):
        case 0:
            lines.insert(at, lines[at])
        case 1:
            del lines[at]
        case 2:
            lines.insert(dice.randrange(len(lines)), lines.pop(at))
        case 3:
            lines[at] = lines[at].replace(b": ", dice.choice([b":", b" : ", b":\t", b"\t", b"=", b":\x0b"]), 1)
        case 4:
            lines[at] = lines[at].swapcase()
        case _:
            lines[at] = b" " + lines[at]
    return b"\r\n".join(lines) + end + body


def mutated(data, dice):
    """A few changes, as radamsa makes them."""
    for _ in range(dice.randint(1, 5)):
        data = data or b"x"
        at = dice.randrange(len(data))
        length = dice.randrange(20)
        match dice.randrange(10):
            case 0:
                data = data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
            case 1:
                data = data[:at] + dice.randbytes(1) + data[at + 1 :]
            case 2:
                data = data[:at] + data[at + length :]
            case 3:
                source = dice.randrange(len(data))
                data = data[:at] + data[source : source + length] + data[at:]
            case 4:
                data = data[:at] + dice.choice(SPICES) + data[at:]
            case 5:
                data = data[:at] + data[at : at + 1] * dice.randrange(3000) + data[at:]
            case 6:
                data = data[: at + 1]
            case 7 | 8:
                data = mangle_number(data, dice)
            case _:
                data = mangle_header(data, dice)
    return data


def with_mutated_body(data, dice):
    """The head is as it should be, so that what is behind the door gets the body."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not body or b"Transfer-Encoding" in head:
        return mutated(data, dice)
    body = mutated(body, dice)
    return re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), head) + end + body


def mutants(count, seed, valid):
    """`count` of (bytes, whether the client closes its side behind them)."""
    dice = random.Random(seed)
    for _ in range(count):
        change = with_mutated_body if dice.random() < 0.5 else mutated
        yield change(dice.choice(valid), dice), dice.random() < 0.5
