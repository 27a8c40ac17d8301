"""Every result belongs to its frame: codecs, containers, structures of GOPs, batches, sampling, MP4."""

import json
import subprocess
import unittest

import barcode
from harness import H264, SystemTest

X264 = ["-c:v", "libx264", "-preset", "veryfast", "-g", "12"]
X265 = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=12:min-keyint=12"]
VP9 = ["-c:v", "libvpx-vp9", "-deadline", "good", "-cpu-used", "8", "-g", "20", "-b:v", "500k"]
AV1 = ["-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-g", "20", "-crf", "30"]

CLIPS = {
    "h264-b-frames": ("mp4", [*X264, "-bf", "3"]),
    "h264-open-gop": ("mkv", [*X264, "-bf", "3", "-x264-params", "open-gop=1:scenecut=0"]),
    "h264-baseline": ("mp4", [*X264, "-profile:v", "baseline"]),
    "h264-intra-refresh": ("mp4", [*X264, "-x264-params", "intra-refresh=1:bframes=0"]),
    "h264-transport-stream": ("ts", [*X264, "-bf", "2"]),
    "h264-one-gop": ("mp4", [*X264, "-g", "1000", "-bf", "2"]),
    "hevc-open-gop": ("mp4", X265),
    "hevc-closed-gop": ("mkv", [*X265[:-1], X265[-1] + ":no-open-gop=1"]),
    "vp9-hidden-frames": ("webm", [*VP9, "-auto-alt-ref", "1", "-lag-in-frames", "16"]),
    "av1": ("mkv", AV1),
    "mpeg4-b-frames": ("avi", ["-c:v", "mpeg4", "-bf", "2", "-g", "12", "-q:v", "3"]),
    "mpeg2": ("ts", ["-c:v", "mpeg2video", "-bf", "2", "-g", "12", "-q:v", "3"]),
    "mjpeg": ("avi", ["-c:v", "mjpeg", "-q:v", "3"]),
}


def ffprobe(path):
    """Facts of the first video stream, frames counted by decoding."""
    entries = "stream=width,height,nb_read_frames,codec_name,duration"
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_frames", "-show_entries", entries]
    out = subprocess.run([*command, "-of", "json", path], capture_output=True, text=True, check=True).stdout
    return json.loads(out)["streams"][0]


def codes_in(path, width, height):
    """The bar codes of a video's frames."""
    command = ["ffmpeg", "-v", "error", "-i", path, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    size = width * height
    return [barcode.read_picture(data[i : i + size], width, height) for i in range(0, len(data), size)]


class Frames(SystemTest):
    def test_each_result_belongs_to_its_frame_whatever_the_codec_and_the_structure_of_its_groups(self):
        frames = 60
        clips = {}
        for number, (name, (ending, encoding)) in enumerate(CLIPS.items()):
            clips[name] = self.clip(f"{name}.{ending}", frames, *encoding, stream=number)
        program = self.run_to_end(self.topology(clips))
        for number, name in enumerate(CLIPS):
            with self.subTest(name):
                self.assert_delivered(program, name, frames)
                lines = program.lines(name)
                self.assert_identity(lines, number)
                for line in lines:
                    self.assertAlmostEqual(line["pts_ms"] - lines[0]["pts_ms"], 40 * line["seq"], delta=2)

    def test_a_raw_video_without_any_times_keeps_the_order_of_presentation(self):
        clip = self.clip("clip.h264", 60, *X264, "-bf", "2")
        program = self.run_to_end(self.topology({"clip": clip}))
        self.assert_delivered(program, "clip", 60)
        self.assert_identity(program.lines("clip"))

    def test_each_result_of_a_synthetic_stream_belongs_to_its_frame(self):
        codecs = ["h264", "h264&open_gop=1", "hevc&open_gop=1", "vp9", "av1", "mpeg4", "mjpeg", "png"]
        uri = "synthetic://?width=256&height=192&frames=60&gop=12&codec={}&stream={}"
        streams = {f"s{i}": uri.format(codec, i + 1) for i, codec in enumerate(codecs)}
        program = self.run_to_end(self.topology(streams))
        for i, codec in enumerate(codecs):
            with self.subTest(codec):
                self.assert_delivered(program, f"s{i}", 60)
                self.assert_identity(program.lines(f"s{i}"), i + 1)

    def test_parallel_decoding_and_inference_change_no_byte_of_the_results(self):
        clip = self.clip("clip.mp4", 150, *X264, "-bf", "3", "-x264-params", "open-gop=1")
        seen = {}
        for decoders in (1, 2, 4):
            for instances in (1, 2):
                inference = {"instances": instances, "batch": {"max": 1}}
                stages = {"decode": {"concurrency": decoders}, "inference": inference}
                program = self.run_to_end(self.topology({"clip": clip}, stages=stages))
                self.assert_delivered(program, "clip", 150)
                seen[decoders, instances] = (program.results / "clip.jsonl").read_bytes()
        self.assert_identity(program.lines("clip"))
        self.assertEqual(len(set(seen.values())), 1, "results differ")

    def test_batches_of_several_images_give_the_same_results_as_single_ones(self):
        clips = {f"c{i}": self.clip(f"{i}.mp4", 50, stream=i) for i in range(3)}
        for batch in (1, 8):
            stages = {"inference": {"batch": {"max": batch, "wait": "20ms"}}}
            program = self.run_to_end(self.topology(clips, stages=stages))
            for i in range(3):
                self.assert_delivered(program, f"c{i}", 50)
                self.assert_identity(program.lines(f"c{i}"), i)

    def test_a_model_of_a_fixed_batch_gets_its_pictures_one_by_one(self):
        model = self.model("one.onnx", batch=1)
        clips = {f"c{i}": self.clip(f"{i}.mp4", 50, stream=i) for i in range(2)}
        stages = {"inference": {"batch": {"max": 8}, "instances": 2}}
        program = self.run_to_end(self.topology(clips, model=model, stages=stages))
        for i in range(2):
            self.assert_delivered(program, f"c{i}", 50)
            self.assert_identity(program.lines(f"c{i}"), i)

    def test_a_picture_folder_gives_one_frame_per_picture_in_the_order_of_their_names(self):
        for i in range(12):
            ending = ["jpg", "png", "webp"][i % 3]
            self.clip(f"shots/{i:02}.{ending}", 1, "-frames:v", "1", first=i)
        program = self.run_to_end(self.topology({"shots": self.dir / "shots"}))
        self.assert_delivered(program, "shots", 12)
        self.assert_identity(program.lines("shots"))
        self.assertEqual([line["file"][:2] for line in program.lines("shots")], [f"{i:02}" for i in range(12)])


class Sampling(SystemTest):
    def sampled(self, encoding):
        clip = self.clip("clip.mp4", 250, *encoding)
        program = self.run_to_end(self.topology({"clip": clip}, stages={"decode": {"sample_fps": 5}}))
        self.assert_counts(program, "clip", 250, 50, sampled=200)
        lines = program.lines("clip")
        self.assert_identity(lines)
        return [line["seq"] for line in lines]

    def test_five_of_twenty_five_frames_a_second_are_every_fifth_frame(self):
        self.assertEqual(self.sampled(H264), list(range(0, 250, 5)))

    def test_sampling_takes_evenly_spaced_frames_where_some_refer_to_later_ones(self):
        numbers = self.sampled([*X264, "-bf", "3"])
        gaps = {b - a for a, b in zip(numbers, numbers[1:])}
        self.assertTrue(gaps <= {4, 5, 6}, numbers)

    def test_a_stream_of_its_own_rate_is_sampled_by_it(self):
        clip = self.clip("clip.mp4", 100)
        streams = [{"id": "all", "uri": str(clip), "sample_fps": 0}, {"id": "few", "uri": str(clip), "sample_fps": 1}]
        program = self.run_to_end(self.topology(streams, stages={"decode": {"sample_fps": 5}}))
        self.assert_delivered(program, "all", 100)
        self.assertEqual(program.ledger["few"]["dropped"], {"sampled": 96})
        self.assertEqual([line["seq"] for line in program.lines("few")], [0, 25, 50, 75])


class AnnotatedVideo(SystemTest):
    def annotate(self, clip, **stages):
        sinks = [
            {"kind": "jsonl", "path": "results/{stream}.jsonl"},
            {"kind": "mp4", "path": "results/{stream}.mp4"},
        ]
        return self.run_to_end(self.topology({"clip": clip}, sinks=sinks, stages=stages))

    def test_the_annotated_video_has_the_frames_of_the_results_in_their_order(self):
        clip = self.clip("clip.mp4", 75, *X264, "-bf", "3", "-x264-params", "open-gop=1", size=(512, 384), stream=9)
        program = self.annotate(clip)
        self.assert_delivered(program, "clip", 75)
        video = program.results / "clip.mp4"
        facts = ffprobe(video)
        self.assertEqual((facts["width"], facts["height"], int(facts["nb_read_frames"])), (512, 384, 75))
        self.assertAlmostEqual(float(facts["duration"]), 3, delta=0.1)
        self.assertEqual(codes_in(video, 512, 384), [(9, line["seq"]) for line in program.lines("clip")])

    def test_the_annotated_video_of_a_sampled_stream_keeps_its_duration(self):
        clip = self.clip("clip.mp4", 100, size=(512, 384), stream=3)
        program = self.annotate(clip, decode={"sample_fps": 5})
        self.assertEqual(program.ledger["clip"]["delivered"], 20)
        video = program.results / "clip.mp4"
        facts = ffprobe(video)
        self.assertEqual(int(facts["nb_read_frames"]), 20)
        self.assertAlmostEqual(float(facts["duration"]), 4, delta=0.25)
        self.assertEqual(codes_in(video, 512, 384), [(3, line["seq"]) for line in program.lines("clip")])

    def test_an_odd_picture_size_plays_as_well(self):
        clip = self.dir / "odd.mkv"
        source = ["-f", "lavfi", "-i", "testsrc=size=321x241:rate=25", "-frames:v", "25", "-pix_fmt", "yuv444p"]
        subprocess.run(["ffmpeg", "-v", "error", *source, "-c:v", "libx264", clip], check=True)
        program = self.annotate(clip)
        self.assert_delivered(program, "clip", 25)
        facts = ffprobe(program.results / "clip.mp4")
        self.assertEqual(int(facts["nb_read_frames"]), 25)
        self.assertTrue(abs(int(facts["width"]) - 321) <= 1 and abs(int(facts["height"]) - 241) <= 1, facts)


if __name__ == "__main__":
    unittest.main()
