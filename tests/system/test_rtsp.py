"""A real RTSP server as the camera: away at the start, killed and started again in mid-stream."""

import signal
import subprocess
import sys
import time
import unittest

import barcode
from harness import ROOT, SystemTest, free_port, until

try:
    import gi

    gi.require_version("GstRtspServer", "1.0")
    absent = None
except (ImportError, ValueError) as e:
    absent = f"gst-rtsp-server cannot be used from Python: {e}"


@unittest.skipIf(absent, absent)
class Rtsp(SystemTest):
    def serve(self, port=0, number=1, transport="tcp"):
        """Starts a camera; (process, port)."""
        command = [sys.executable, str(ROOT / "tests/system/rtsp_server.py"), str(port), str(number), transport]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(self.kill, server)
        line = server.stdout.readline()
        self.assertTrue(line, "the RTSP server did not start")
        return server, int(line)

    @staticmethod
    def kill(server):
        server.kill()
        server.wait()

    def watch(self, port, **stream):
        reconnect = {"min": "100ms", "max": "500ms"}
        camera = {"id": "camera", "uri": f"rtsp://127.0.0.1:{port}/camera", "reconnect": reconnect, **stream}
        return self.start(self.topology([camera]), "--metrics", "127.0.0.1:0")

    def reconnects(self, program):
        """0 before the stream has its series: the metrics are served a moment sooner."""
        return program.metrics().get(("penstock_stream_reconnects_total", (("stream", "camera"),)), 0)

    def results(self, program, more_than=0):
        lines = program.lines("camera")
        return lines if len(lines) > more_than else None

    def end(self, program):
        program.terminate()
        counts = program.finish(code=0)["camera"]
        self.assertLessEqual(set(counts["dropped"]), {"shutdown", "no_keyframe", "corrupt", "shed"}, counts)
        lines = program.lines("camera")
        times = [line["pts_ms"] for line in lines]
        self.assertEqual(times, sorted(set(times)), "the timeline goes back")
        return lines

    def parts(self, lines):
        """The frame numbers of each connection: they begin anew with each."""
        codes = [barcode.read_objects(line) for line in lines]
        self.assertNotIn(None, codes)
        parts = [[]]
        for code in codes:
            if parts[-1] and code[1] <= parts[-1][-1][1]:
                parts.append([])
            parts[-1].append(code)
        return parts

    def frames_over(self, transport):
        _, port = self.serve(transport=transport)
        program = self.watch(port, transport=transport)
        until(lambda: self.results(program, 60), "sixty results")
        codes = [barcode.read_objects(line) for line in self.end(program)]
        begin = codes[0][1]
        self.assertEqual(codes, [(1, begin + i) for i in range(len(codes))])

    def test_the_frames_of_a_camera_arrive_in_order_without_gaps_over_tcp(self):
        self.frames_over("tcp")

    def test_the_frames_of_a_camera_arrive_in_order_without_gaps_over_udp(self):
        self.frames_over("udp")

    def test_a_camera_that_is_away_at_the_start_is_found_when_it_comes(self):
        port = free_port()
        program = self.watch(port)
        until(lambda: self.reconnects(program) >= 2, "two attempts")
        self.assertEqual(program.lines("camera"), [])
        self.serve(port)
        until(lambda: self.results(program, 30), "results of the camera")
        lines = self.end(program)
        self.assertEqual(len(self.parts(lines)), 1)

    def test_a_camera_that_dies_and_returns_in_mid_stream_goes_on_in_the_same_stream(self):
        server, port = self.serve()
        program = self.watch(port)
        until(lambda: self.results(program, 30), "results before the failure")
        self.kill(server)
        until(lambda: self.reconnects(program) >= 1, "the loss to be seen")
        self.assertIsNone(program.process.poll())
        self.serve(port, number=2)
        # What they show counts: some of the first camera may come after its loss was seen.
        codes = lambda: filter(None, map(barcode.read_objects, program.lines("camera")))
        until(lambda: sum(stream == 2 for stream, _ in codes()) >= 30, "results after the return")
        self.assertGreaterEqual(self.reconnects(program), 1)
        lines = self.end(program)
        first, second = self.parts(lines)
        self.assertEqual({s for s, _ in first}, {1})
        self.assertEqual({s for s, _ in second}, {2})
        self.assertGreaterEqual(len(second), 30)

    def test_a_camera_that_falls_silent_is_given_up_and_tried_again(self):
        server, port = self.serve()
        program = self.watch(port)
        until(lambda: self.results(program, 20), "results before the silence")
        server.send_signal(signal.SIGSTOP)  # the connection stays, nothing comes
        self.addCleanup(server.send_signal, signal.SIGCONT)
        until(lambda: self.reconnects(program) >= 1, "the silence to be seen")
        server.send_signal(signal.SIGCONT)
        before = len(program.lines("camera"))
        until(lambda: self.results(program, before + 30), "results after the silence")
        self.end(program)

    def test_a_signal_ends_the_program_while_the_camera_is_silent(self):
        server, port = self.serve()
        program = self.watch(port)
        until(lambda: self.results(program, 20), "results before the silence")
        server.send_signal(signal.SIGSTOP)
        asked = time.monotonic()
        self.end(program)
        self.assertLess(time.monotonic() - asked, 8, "the end waited for the camera")

    def test_a_dead_camera_takes_nothing_from_a_living_one(self):
        _, port = self.serve()
        reconnect = {"min": "100ms", "max": "500ms"}
        streams = [
            {"id": "dead", "uri": f"rtsp://127.0.0.1:{free_port()}/camera", "reconnect": reconnect},
            {"id": "camera", "uri": f"rtsp://127.0.0.1:{port}/camera"},
        ]
        program = self.start(self.topology(streams))
        until(lambda: self.results(program, 50), "results of the living camera")
        lines = self.end(program)
        (codes,) = self.parts(lines)
        self.assertEqual([frame for _, frame in codes], list(range(codes[0][1], codes[0][1] + len(codes))))


if __name__ == "__main__":
    unittest.main()
