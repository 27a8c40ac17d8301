"""Several streams at once: globs, limits, live and lossless together."""

import unittest

from harness import SystemTest, complete_lines, until


class Streams(SystemTest):
    def glob(self, count, frames):
        for i in range(count):
            self.clip(f"recordings/r{i}.mp4", frames, stream=i)
        return self.dir / "recordings" / "*.mp4"

    def test_a_glob_is_one_stream_per_file_beside_a_live_one(self):
        live = "synthetic://?width=256&height=192&frames=75&gop=25&bframes=0&live=1&stream=50"
        streams = {"archive": self.glob(6, 50), "camera": live}
        program = self.run_to_end(self.topology(streams))
        self.assertEqual(set(program.ledger), {"camera", *(f"archive/r{i}" for i in range(6))})
        for i in range(6):
            self.assert_delivered(program, f"archive/r{i}", 50)
            self.assert_identity(program.lines(f"archive/r{i}"), i)
        self.assert_delivered(program, "camera", 75)
        self.assert_identity(program.lines("camera"), 50)

    def test_no_more_finite_streams_are_open_than_the_limit_says(self):
        topology = self.topology({"archive": self.glob(6, 50)}, limits={"open_streams": 2})
        program = self.start(topology)
        most = 0
        while program.process.poll() is None:
            files = list((program.results / "archive").glob("*.jsonl"))
            most = max(most, sum(len(complete_lines(path)) < 50 for path in files))
        program.ledger = program.finish()
        for i in range(6):
            self.assert_delivered(program, f"archive/r{i}", 50)
        self.assertLessEqual(most, 2)

    def test_live_streams_do_not_wait_for_the_limit(self):
        live = "synthetic://?width=256&height=192&frames=2000&gop=25&bframes=0&live=1&stream={}"
        streams = {"archive": self.glob(3, 50), **{f"live{i}": live.format(60 + i) for i in range(3)}}
        program = self.start(self.topology(streams, limits={"open_streams": 1}))
        until(lambda: all(len(program.lines(f"archive/r{i}")) == 50 for i in range(3)), "the files", 60)
        # One after the other, each would take 80 seconds.
        until(lambda: all(len(program.lines(f"live{i}")) >= 25 for i in range(3)), "all live streams", 60)
        program.terminate()
        program.ledger = program.finish()
        for i in range(3):
            self.assert_delivered(program, f"archive/r{i}", 50)
            self.assert_identity(program.lines(f"live{i}"), 60 + i)

    def test_a_file_can_be_played_as_a_live_stream(self):
        clip = self.clip("clip.mp4", 50)
        program = self.run_to_end(self.topology([{"id": "clip", "uri": str(clip), "policy": "live"}]))
        self.assert_delivered(program, "clip", 50)
        self.assertGreater(program.seconds, 1.9, "two seconds of video were played faster than live")

    def test_forty_files_share_the_program(self):
        clip = self.clip("clip.mp4", 30)
        streams = {f"s{i:02}": clip for i in range(40)}
        program = self.run_to_end(self.topology(streams))
        for stream in streams:
            self.assert_delivered(program, stream, 30)
            self.assert_identity(program.lines(stream))

    def test_a_topology_without_sinks_delivers_too(self):
        program = self.start(self.topology({"clip": self.clip("clip.mp4", 50)}, sinks=[]))
        program.ledger = program.finish(files=False)
        self.assert_delivered(program, "clip", 50)


if __name__ == "__main__":
    unittest.main()
