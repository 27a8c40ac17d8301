#!/usr/bin/env python3
"""A camera: serves frames with bar codes as H.264 at rtsp://127.0.0.1:PORT/camera, numbered from 0 for each client.

    rtsp_server.py PORT STREAM TRANSPORT

PORT 0 takes a free one. Prints the port once clients can connect. STREAM is the number in the codes. TRANSPORT, tcp or
udp, is the only one that clients may use.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

import barcode  # noqa: E402

WIDTH, HEIGHT, FPS = 256, 192, 25
CAPS = f"video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT},framerate={FPS}/1,colorimetry=bt601"
SOURCE = f"appsrc name=frames is-live=true format=time caps={CAPS} ! videoconvert ! video/x-raw,format=I420"
ENCODE = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=12 threads=1"
LAUNCH = f"( {SOURCE} ! {ENCODE} ! rtph264pay name=pay0 pt=96 )"


def feed(source, number, state):
    frame = state["next"]
    state["next"] += 1
    buffer = Gst.Buffer.new_wrapped(barcode.draw(WIDTH, HEIGHT, number, frame))
    buffer.duration = Gst.SECOND // FPS
    buffer.pts = frame * buffer.duration
    source.emit("push-buffer", buffer)


def main():
    Gst.init(None)
    port, number = sys.argv[1], int(sys.argv[2])
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_launch(LAUNCH)
    transports = {"tcp": GstRtsp.RTSPLowerTrans.TCP, "udp": GstRtsp.RTSPLowerTrans.UDP}
    factory.set_protocols(transports[sys.argv[3]])

    def configure(_, media):
        source = media.get_element().get_by_name("frames")
        state = {"next": 0}
        source.connect("need-data", lambda s, _: feed(s, number, state))

    factory.connect("media-configure", configure)
    server.get_mount_points().add_factory("/camera", factory)
    if server.attach(None) == 0:
        sys.exit(f"cannot listen on port {port}")
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
