#!/usr/bin/env python3
"""Pushes JPEG pictures to a Penstock head (docs/protocol.md): a camera, a video or a folder of *.jpg.

    push_camera.py tcp://head:7401 door /dev/video0
"""
import pathlib
import sys
import time

import msgpack
import zmq


def pictures(source):
    """JPEG bytes, one frame after the other."""
    if pathlib.Path(source).is_dir():
        yield from (file.read_bytes() for file in sorted(pathlib.Path(source).glob("*.jpg")))
        return
    import cv2

    camera = cv2.VideoCapture(int(source) if source.isdigit() else source)
    while (frame := camera.read())[0]:
        yield cv2.imencode(".jpg", frame[1])[1].tobytes()


address, stream, source = sys.argv[1:]
head = zmq.Context.instance().socket(zmq.DEALER)
head.connect(address)
head.send(msgpack.packb({"type": "open", "stream": stream, "codec": "mjpeg"}))
credit, done = 0, None


def hear(wait):
    """Takes what the head says; waits for it only if told so."""
    global credit, done
    while head.poll(None if wait else 0):
        said, wait = msgpack.unpackb(head.recv()), False
        credit += said["packets"] if said["type"] == "credit" else 0
        done = said if said["type"] in ("done", "error") else done


for picture in pictures(source):
    hear(wait=credit == 0)  # a head that is busy gives no credit: the camera waits, or skips
    if done:
        break
    packet = {"type": "packet", "pts_us": time.time_ns() // 1000, "key": True}
    head.send_multipart([msgpack.packb(packet), picture])
    credit -= 1
if not done:
    head.send(msgpack.packb({"type": "end"}))
while not done:
    hear(wait=True)
print(done)
sys.exit(done["type"] == "error")
