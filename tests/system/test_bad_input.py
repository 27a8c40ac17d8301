"""Bad input gets a clear error and loses nothing else: a good stream beside it is always complete."""

import json
import os
import random
import struct
import subprocess
import unittest
import zlib

import barcode
from harness import H264, PROGRAM, SystemTest, penstock

GOOD = 50  # frames of the good stream
GOP = 10
SHORT_GOPS = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", str(GOP), "-movflags", "+faststart"]


def packets_of(path):
    """(position, size) of each video packet, in the order of the file."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pos,size", "-of", "json"]
    out = subprocess.run([*command, path], capture_output=True, text=True, check=True).stdout
    return [(int(p["pos"]), int(p["size"])) for p in json.loads(out)["packets"]]


class BadInput(SystemTest):
    def setUp(self):
        super().setUp()
        self.bad = self.dir / "bad.mp4"

    def run_beside_good(self, bad, code=1, **more):
        """Runs the bad stream between two good ones, which must be complete."""
        good = self.clip("good.mp4", GOOD, stream=1)
        streams = {"before": good, "bad": bad, "after": good}
        program = self.run_to_end(self.topology(streams, **more), code=code)
        for stream in ("before", "after"):
            self.assert_delivered(program, stream, GOOD)
            self.assert_identity(program.lines(stream), 1)
        self.counts = program.ledger["bad"]
        return program

    def assert_refused(self, program, *words):
        """Nothing came in, and the log names the stream's file and says why."""
        self.assert_counts(program, "bad", 0, 0)
        about = [m for m in program.log() if "bad" in m]
        self.assertTrue(about, program.errors())
        for word in words:
            self.assertTrue(any(word in m for m in about), f"{word!r} is not in {about}")

    # --- files that cannot be read at all

    def test_a_text_file_is_refused(self):
        self.bad.write_text("this is not a video\n" * 1000)
        self.assert_refused(self.run_beside_good(self.bad), "bad.mp4")

    def test_an_empty_file_is_refused(self):
        self.bad.touch()
        self.assert_refused(self.run_beside_good(self.bad), "bad.mp4")

    def test_a_file_of_sound_only_is_refused(self):
        tone = ["-f", "lavfi", "-i", "sine=duration=2", "-c:a", "aac"]
        subprocess.run(["ffmpeg", "-v", "error", *tone, self.bad], check=True)
        self.assert_refused(self.run_beside_good(self.bad), "bad.mp4", "video")

    def test_a_video_without_its_index_is_refused(self):
        whole = self.clip("whole.mp4", 50).read_bytes()  # the index is at the end
        self.bad.write_bytes(whole[: len(whole) // 2])
        self.assert_refused(self.run_beside_good(self.bad), "bad.mp4")

    def test_a_file_that_may_not_be_read_is_refused(self):
        self.clip("bad.mp4", 5).chmod(0)
        good = self.clip("good.mp4", GOOD, stream=1)
        topology = self.topology({"bad": self.bad, "good": good})
        nobody = {}
        if os.access(self.bad, os.R_OK):  # root reads everything
            self.dir.chmod(0o755)
            (self.dir / "results").mkdir()
            (self.dir / "results").chmod(0o777)
            nobody = {"user": "nobody"}
            if subprocess.run([PROGRAM, "version"], capture_output=True, **nobody).returncode != 0:
                self.skipTest("this user reads everything, and nobody else may run the program")
        program = self.start(topology, **nobody)
        program.ledger = program.finish(code=1)
        self.assert_delivered(program, "good", GOOD)
        self.counts = program.ledger["bad"]
        self.assert_refused(program, "bad.mp4", "cannot be opened")

    def test_a_folder_without_media_or_a_missing_file_is_a_problem_of_the_topology(self):
        (self.dir / "folder").mkdir()
        for uri in (self.dir / "folder", self.dir / "nowhere.mp4", self.dir / "*.avi"):
            done = penstock("run", self.topology({"bad": uri}))
            self.assertEqual(done.returncode, 78, done)
            self.assertRegex(done.stderr, r"topology\.yaml:\d+:\d+: streams\.0\.uri: ")
            self.assertIn(uri.name, done.stderr)

    # --- damaged videos

    def test_of_a_truncated_video_the_readable_frames_are_delivered(self):
        whole = self.clip("whole.mp4", 100, *SHORT_GOPS)
        packets = packets_of(whole)
        position, size = packets[55]
        self.bad.write_bytes(whole.read_bytes()[: position + size // 2])
        program = self.run_beside_good(self.bad)
        self.assertEqual(self.counts["delivered"], 55)
        self.assertEqual(set(self.counts["dropped"]), {"corrupt"})
        self.assert_identity(program.lines("bad"))
        self.assertEqual([line["seq"] for line in program.lines("bad")], list(range(55)))

    def test_damaged_bytes_cost_no_frame_outside_their_group_of_pictures(self):
        for seed in range(4):
            with self.subTest(seed=seed):
                rng = random.Random(seed)
                whole = self.clip("whole.mp4", 100, *SHORT_GOPS)
                data = bytearray(whole.read_bytes())
                group = rng.randrange(3, 7)
                for frame in range(GOP * group + 2, GOP * group + 6):
                    position, size = packets_of(whole)[frame]
                    data[position + 4 : position + size] = rng.randbytes(size - 4)
                self.bad.write_bytes(data)
                good = self.clip("good.mp4", GOOD, stream=1)
                program = self.run_to_end(self.topology({"before": good, "bad": self.bad, "after": good}), code=None)
                for stream in ("before", "after"):
                    self.assert_delivered(program, stream, GOOD)
                counts = program.ledger["bad"]
                self.assertEqual(counts["received"], 100)
                self.assertLessEqual(set(counts["dropped"]), {"corrupt"})
                damaged = range(GOP * group + 2, GOP * (group + 1))
                sound = [line for line in program.lines("bad") if line["seq"] not in damaged]
                self.assertEqual([line["seq"] for line in sound], [i for i in range(100) if i not in damaged])
                self.assert_identity(sound)

    def test_of_a_video_of_noise_every_frame_is_dropped_for_a_reason(self):
        whole = self.clip("whole.mp4", 40, *SHORT_GOPS)
        data, rng = bytearray(whole.read_bytes()), random.Random(1)
        for position, size in packets_of(whole):
            data[position + 4 : position + size] = rng.randbytes(size - 4)
        self.bad.write_bytes(data)
        self.run_beside_good(self.bad)
        self.assertEqual((self.counts["received"], self.counts["delivered"]), (40, 0))
        self.assertLessEqual(set(self.counts["dropped"]), {"corrupt", "no_keyframe"})

    def test_damage_in_a_transport_stream_passes(self):
        whole = self.clip("whole.ts", 150, *SHORT_GOPS[:-2])
        data, rng = bytearray(whole.read_bytes()), random.Random(2)
        middle = len(data) // 2 // 188 * 188
        data[middle : middle + 40 * 188] = rng.randbytes(40 * 188)
        bad = self.dir / "bad.ts"
        bad.write_bytes(data)
        good = self.clip("good.mp4", GOOD, stream=1)
        program = self.run_to_end(self.topology({"bad": bad, "good": good}), code=None)
        self.assert_delivered(program, "good", GOOD)
        counts = program.ledger["bad"]
        self.assertLessEqual(set(counts["dropped"]), {"corrupt", "no_keyframe"})
        shown = [barcode.read_objects(line) for line in program.lines("bad")]
        known = [code[1] for code in shown if code]
        self.assertEqual(known[:60], list(range(60)))
        self.assertEqual(known[-40:], list(range(110, 150)))
        self.assertEqual(known, sorted(known))
        self.assertLessEqual(len(shown) - len(known), GOP)

    def changing(self, *sizes):
        """A transport stream of 30 frames of each size, as a camera sends that changes its settings."""
        raw = b""
        for i, size in enumerate(sizes):
            raw += self.clip(f"{i}.h264", 30, *H264, size=size, first=30 * i).read_bytes()
        path = self.dir / "bad.ts"
        remux = ["-fflags", "+genpts", "-r", "25", "-f", "h264", "-i", "-", "-c", "copy", path]
        subprocess.run(["ffmpeg", "-v", "error", *remux], input=raw, check=True)
        return path

    def test_a_change_of_resolution_in_mid_stream_loses_nothing(self):
        program = self.run_beside_good(self.changing((256, 192), (512, 384), (256, 192)), code=0)
        self.assert_delivered(program, "bad", 90)
        lines = program.lines("bad")
        sizes = [(line["width"], line["height"]) for line in lines]
        self.assertEqual(sizes, [(256, 192)] * 30 + [(512, 384)] * 30 + [(256, 192)] * 30)
        self.assert_identity(lines)

    def test_a_change_of_resolution_passes_the_annotated_video_as_well(self):
        sinks = [{"kind": k, "path": f"results/{{stream}}.{k}"} for k in ("jsonl", "mp4")]
        program = self.run_beside_good(self.changing((256, 192), (512, 384)), code=0, sinks=sinks)
        self.assert_delivered(program, "bad", 60)
        count = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]
        done = subprocess.run([*count, program.results / "bad.mp4"], capture_output=True, check=True)
        self.assertEqual(int(done.stdout), 60)

    def test_transport_streams_in_one_file_lose_no_more_than_the_frame_at_the_joint(self):
        parts = [self.clip("0.ts", 30, *H264), self.clip("1.ts", 30, *H264, size=(512, 384), first=30)]
        bad = self.dir / "bad.ts"
        bad.write_bytes(b"".join(part.read_bytes() for part in parts))
        good = self.clip("good.mp4", GOOD, stream=1)
        program = self.run_to_end(self.topology({"bad": bad, "good": good}), code=None)
        self.assert_delivered(program, "good", GOOD)
        self.assertEqual(program.ledger["bad"]["received"], 60)
        self.assertIn(program.ledger["bad"]["dropped"], ({}, {"corrupt": 1}))  # its packet counter breaks there
        self.assert_identity(program.lines("bad"))

    # --- pictures

    def pictures(self, count):
        folder = self.dir / "shots"
        for i in range(count):
            self.clip(f"shots/{i:02}.jpg", 1, "-frames:v", "1", "-q:v", "3", first=i)
        return folder

    def test_a_broken_picture_in_a_folder_is_the_only_one_dropped(self):
        folder = self.pictures(6)
        whole = (folder / "03.jpg").read_bytes()
        for name, data in {"half": whole[: len(whole) // 2], "text": b"no picture", "empty": b""}.items():
            with self.subTest(name):
                (folder / "03.jpg").write_bytes(data)
                program = self.run_beside_good(folder)
                self.assert_counts(program, "bad", 6, 5, corrupt=1)
                self.assertEqual([line["seq"] for line in program.lines("bad")], [0, 1, 2, 4, 5])
                self.assert_identity(program.lines("bad"))

    def test_a_picture_that_claims_to_be_huge_is_refused_before_it_is_decoded(self):
        folder = self.pictures(3)
        crc = lambda data: data + struct.pack(">I", zlib.crc32(data))
        chunk = lambda kind, data: struct.pack(">I", len(data)) + crc(kind + data)
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
        huge = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
        (folder / "01a.png").write_bytes(huge)
        program = self.run_beside_good(folder)
        self.assert_counts(program, "bad", 4, 3, too_large=1)
        self.assertEqual([line["seq"] for line in program.lines("bad")], [0, 1, 3])
        self.assertEqual(self.seen(program), [0, 1, 2])

    def seen(self, program):
        return [barcode.read_objects(line)[1] for line in program.lines("bad")]

    def test_a_picture_beyond_the_configured_limit_is_dropped_as_too_large(self):
        folder = self.pictures(3)
        self.clip("shots/01.jpg", 1, "-frames:v", "1", size=(1024, 768), first=1)
        good = self.clip("good.mp4", GOOD, stream=1)
        topology = self.topology({"bad": folder, "good": good}, media={"max_pixels": "0.5Mpx"})
        program = self.run_to_end(topology, code=1)
        self.assert_delivered(program, "good", GOOD)
        self.assert_counts(program, "bad", 3, 2, too_large=1)
        self.assertEqual(self.seen(program), [0, 2])

    # --- disks

    def test_a_full_disk_under_one_sink_drops_its_frames_and_stops_no_other_stream(self):
        (self.dir / "results").mkdir()
        (self.dir / "results" / "bad.jsonl").symlink_to("/dev/full")
        good = self.clip("good.mp4", GOOD, stream=1)
        program = self.start(self.topology({"before": good, "bad": good, "after": good}))
        program.process.wait()
        (self.dir / "results" / "bad.jsonl").unlink()
        program.ledger = program.finish(code=1)
        for stream in ("before", "after"):
            self.assert_delivered(program, stream, GOOD)
        self.assert_counts(program, "bad", GOOD, 0, sink_error=GOOD)
        self.assertIn("No space left", program.errors())

    def test_results_that_cannot_be_opened_cost_their_own_stream_only(self):
        (self.dir / "results" / "bad.jsonl").mkdir(parents=True)
        good = self.clip("good.mp4", GOOD, stream=1)
        program = self.start(self.topology({"before": good, "bad": good, "after": good}))
        program.process.wait()
        (self.dir / "results" / "bad.jsonl").rmdir()
        program.ledger = program.finish(code=1)
        for stream in ("before", "after"):
            self.assert_delivered(program, stream, GOOD)
        self.assertEqual(program.ledger["bad"]["dropped"], {"sink_error": GOOD})
        self.assertIn("results/bad.jsonl", program.errors())

    def small_disk(self, size):
        """A file system that fills up soon."""
        folder = self.dir / "disk"
        folder.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest(f"cannot mount a small file system: {mounted.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", folder], check=True)
        (self.dir / "results").mkdir()
        return folder

    def test_a_disk_that_fills_up_leaves_complete_lines_of_all_that_was_delivered(self):
        disk = self.small_disk("64k")
        (self.dir / "results" / "bad.jsonl").symlink_to(disk / "bad.jsonl")
        self.clip("long.mp4", 200)
        program = self.run_beside_good(self.dir / "long.mp4")
        self.assertEqual(self.counts["received"], 200)
        self.assertEqual(set(self.counts["dropped"]), {"sink_error"})
        self.assertGreater(self.counts["delivered"], 5)
        self.assert_identity(program.lines("bad"))

    def test_a_disk_that_fills_up_under_an_annotated_video_is_counted(self):
        disk = self.small_disk("64k")
        (self.dir / "results" / "bad.mp4").symlink_to(disk / "bad.mp4")
        self.clip("long.mp4", 200, size=(512, 384))
        good = self.clip("good.mp4", GOOD, stream=1)
        sinks = [{"kind": "mp4", "path": "results/{stream}.mp4"}]
        program = self.start(self.topology({"bad": self.dir / "long.mp4", "good": good}, sinks=sinks))
        program.ledger = program.finish(code=1, files=False)
        self.assert_delivered(program, "good", GOOD)
        self.assertEqual(program.ledger["bad"]["received"], 200)
        self.assertLessEqual(set(program.ledger["bad"]["dropped"]), {"sink_error"})
        self.assertIn("No space left", program.errors())


if __name__ == "__main__":
    unittest.main()
