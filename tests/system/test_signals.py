"""SIGINT and SIGTERM: drain, within the time allowed, and leave complete lines."""

import os
import signal
import time
import unittest

from harness import SystemTest, until

SCENE = "synthetic://?width=256&height=192&gop=25&bframes=2&frames="
LONG = {"id": "long", "uri": SCENE + "1000000", "policy": "lossless"}
LIVE = {"id": "live", "uri": SCENE + "0&live=1"}
SHARE = 15  # seconds for what should be at once, on a machine that is busy with other things


class Signals(SystemTest):
    def start_slow(self, grace):
        """A lossless stream whose frames that were read already take many seconds more."""
        stages = {"inference": {"batch": {"max": 1}, "instances": 1}}
        model = self.model("slow.onnx", slow=2048)
        topology = self.topology([LONG], model=model, stages=stages, shutdown={"grace": grace})
        program = self.start(topology, "--metrics", "127.0.0.1:0")
        until(lambda: len(program.lines("long")) >= 5, "the first results")
        until(lambda: program.counts("long")["in_flight"] >= 900, "the source to run ahead")
        return program

    def finishes_what_was_read(self, number):
        program = self.start(self.topology([LONG, LIVE]))
        until(lambda: all(len(program.lines(s)) >= 50 for s in ("long", "live")), "the first results")
        program.process.send_signal(number)
        for stream, counts in program.finish(code=0).items():
            self.assertGreaterEqual(counts["delivered"], 50)
            self.assertEqual(counts["dropped"], {})
            # The last frames may refer to earlier ones that were not read any more.
            self.assert_identity(program.lines(stream)[:-2])

    def test_a_source_that_hangs_while_it_is_opened_does_not_keep_the_program(self):
        pipe = self.dir / "nobody.ts"
        os.mkfifo(pipe)  # nobody writes, so whoever opens it waits
        hangs = {"id": "hangs", "uri": str(pipe), "policy": "lossless"}
        program = self.start(self.topology([hangs, LIVE], shutdown={"grace": "1s"}))
        until(lambda: len(program.lines("live")) >= 10, "the other stream's results")
        program.terminate()
        counts = program.finish(code=0)
        self.assertEqual(counts["hangs"]["received"], 0)
        self.assertTrue(any("its source hangs while it is opened" in m for m in program.log()), program.errors())

    def test_sigterm_finishes_what_was_read(self):
        self.finishes_what_was_read(signal.SIGTERM)

    def test_sigint_finishes_what_was_read(self):
        self.finishes_what_was_read(signal.SIGINT)

    def test_a_drain_takes_no_longer_than_its_grace_and_counts_what_it_left(self):
        program = self.start_slow(grace="1s")
        program.terminate()
        asked = time.monotonic()
        counts = program.finish(code=0)["long"]
        self.assertLess(time.monotonic() - asked, 1 + SHARE)
        self.assertEqual(set(counts["dropped"]), {"shutdown"})
        self.assertGreater(counts["dropped"]["shutdown"], 100)
        self.assert_identity(program.lines("long"))

    def test_a_second_signal_stops_at_once(self):
        program = self.start_slow(grace="10min")
        program.terminate()
        until(lambda: any("second signal" in m for m in program.log()), "the first signal to be taken")
        before = len(program.lines("long"))
        until(lambda: len(program.lines("long")) > before, "the drain to go on")
        program.terminate()
        asked = time.monotonic()
        counts = program.finish(code=0)["long"]
        self.assertLess(time.monotonic() - asked, SHARE)
        self.assertEqual(set(counts["dropped"]), {"shutdown"})
        self.assert_identity(program.lines("long"))

    def test_a_sink_that_takes_nothing_holds_the_program_no_longer_than_the_grace(self):
        fifo = self.fifo("stuck")
        streams = [{**LONG, "id": "stuck"}, {**LONG, "id": "good"}]
        program = self.start(self.topology(streams, shutdown={"grace": "1s"}), "--metrics", "127.0.0.1:0")
        until(lambda: len(program.lines("good")) >= 100, "results of the good stream")
        until(lambda: program.counts("stuck")["in_flight"] >= 100, "the stuck stream to fill up")
        program.terminate()
        asked = time.monotonic()
        ledger = program.finish(code=0, seconds=60, files=False)
        self.assertLess(time.monotonic() - asked, 1 + SHARE)
        program.check("good", ledger["good"])
        self.assertEqual(set(ledger["stuck"]["dropped"]), {"shutdown"})
        fifo.close()

    def test_a_signal_before_the_first_frame_ends_the_program(self):
        nowhere = {"id": "camera", "uri": "rtsp://127.0.0.1:1/none", "reconnect": {"min": "50ms", "max": "100ms"}}
        program = self.start(self.topology([nowhere]))
        until(lambda: any("trying again" in m for m in program.log()), "the first attempt")
        program.terminate()
        self.assertEqual(program.finish(code=0)["camera"]["received"], 0)


if __name__ == "__main__":
    unittest.main()
