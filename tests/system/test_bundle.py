"""A bundle runs where there is nothing but glibc, and fits on a VM image."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest

import harness
from harness import PROGRAM, ROOT, SystemTest

BUILD = pathlib.Path(PROGRAM).resolve().parent
LIMIT_BYTES = 62_914_560
GLIBC = ["libc.so.6", "libm.so.6", "libmvec.so.1", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libresolv.so.2",
         "libnss_files.so.2", "libnss_dns.so.2"]  # fmt: skip
FRAMES = 20


def bundle(*arguments):
    """Runs tools/bundle of this build."""
    return subprocess.run([str(ROOT / "tools/bundle"), "--build", str(BUILD), *map(str, arguments)],
                          capture_output=True, text=True, timeout=500)  # fmt: skip


def can_change_root():
    """Whether a process here may have mounts and a root of its own."""
    try:
        return subprocess.run(["unshare", "--mount", "chroot", "/", "/bin/true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@unittest.skipUnless(all(map(shutil.which, ["patchelf", "objdump", "strip", "xz"])),
                     "needs patchelf, binutils and xz (tools/setup.sh bundle)")  # fmt: skip
class Bundle(SystemTest):
    with_engine = None

    def unpack(self, archive):
        folder = self.dir / "elsewhere"
        with tarfile.open(archive) as tar:
            tar.extractall(folder)
        (unpacked,) = folder.iterdir()
        return unpacked

    def bundle_with_engine(self):
        """Made once, and quickly packed."""
        if not (BUILD / "libpenstock-engine-onnxruntime.so").exists():
            self.skipTest("this build has no onnxruntime engine")
        if not Bundle.with_engine:
            folder = tempfile.TemporaryDirectory(prefix="penstock-bundle-")
            self.addClassCleanup(folder.cleanup)
            archive = pathlib.Path(folder.name) / "engine.tar.xz"
            done = bundle("--engine", "onnxruntime", "--output", archive, "--level", 0)
            self.assertEqual(done.returncode, 0, done.stderr)
            Bundle.with_engine = archive
        return Bundle.with_engine

    def barcodes(self):
        """A topology whose every result says which frame it is, in a folder of its own."""
        clip = self.clip("clips/clip.mp4", FRAMES)
        self.model()
        return self.topology({"clip": clip.relative_to(self.dir)}, model="barcode.onnx",
                             stages={"inference": {"engine": "onnxruntime"}})  # fmt: skip

    def results(self, folder):
        return [(r["seq"], r["objects"]) for r in harness.complete_lines(folder / "results/clip.jsonl")]

    def test_without_engines_it_fits_the_limit_and_is_whole(self):
        archive = self.dir / "small.tar.xz"
        done = bundle("--output", archive, "--level", 4)  # 2 % larger than the usual 6, in two thirds of the time
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLessEqual(archive.stat().st_size, LIMIT_BYTES)
        self.assertIn(f"{archive.stat().st_size:,} bytes", done.stdout)
        unpacked = self.unpack(archive)
        self.assertRegex(unpacked.name, r"^penstock-\d+\.\d+\.\d+-x86_64$")
        self.assertTrue((unpacked / "LICENSE").exists())
        self.assertFalse(list(unpacked.glob("lib/libc.so*")) + list(unpacked.glob("lib/libcuda.so*")))
        listed = {}
        for line in (unpacked / "MANIFEST").read_text().splitlines():
            if not line.startswith("#"):
                digest, name = line.split("  ")
                listed[name] = digest
        there = {str(f.relative_to(unpacked)) for f in unpacked.rglob("*") if f.is_file()}
        self.assertEqual(set(listed), there - {"MANIFEST"})
        for name, digest in listed.items():
            self.assertEqual(hashlib.sha256((unpacked / name).read_bytes()).hexdigest(), digest, name)
        # found by a link in the path, with no library of this machine but glibc
        link = self.dir / "penstock"
        link.symlink_to(unpacked / "bin/penstock")
        loaded = subprocess.run(["ldd", str(link.resolve())], capture_output=True, text=True).stdout
        for line in loaded.splitlines():
            name, _, path = line.strip().partition(" => ")
            if path and name not in GLIBC:
                self.assertTrue(path.startswith(str(unpacked)), line)
        done = subprocess.run([str(link), "version"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("penstock", done.stdout)

    def test_in_a_root_with_glibc_alone_it_gives_the_results_of_the_build(self):
        if not can_change_root():
            self.skipTest("needs root, to run it under a root of its own")
        topology = self.barcodes()
        self.run_to_end(topology)
        expected = self.results(self.dir)
        self.assertEqual(len(expected), FRAMES)

        unpacked = self.unpack(self.bundle_with_engine())
        root = self.dir / "root"
        for folder in ["lib64", "lib/x86_64-linux-gnu", "proc", "tmp", "videos", "opt"]:
            (root / folder).mkdir(parents=True)
        for name in GLIBC:
            shutil.copy(f"/lib/x86_64-linux-gnu/{name}", root / "lib/x86_64-linux-gnu")
        shutil.copy("/lib64/ld-linux-x86-64.so.2", root / "lib64")
        shutil.move(unpacked, root / "opt/penstock")
        (root / "penstock").symlink_to("opt/penstock/bin/penstock")
        for name in [topology.name, "barcode.onnx", "clips"]:
            shutil.move(self.dir / name, root / "videos" / name)

        def in_root(*arguments):
            # the mount is in a namespace of its own, and goes with the process
            script = 'mount --bind /proc "$0/proc" && exec chroot "$0" /penstock "$@"'
            done = subprocess.run(["unshare", "--mount", "/bin/sh", "-c", script, str(root), *arguments],
                                  capture_output=True, text=True, timeout=harness.PATIENCE, env={})  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout

        self.assertIn("onnxruntime", in_root("version"))
        in_root("run", f"/videos/{topology.name}", "--quiet")
        self.assertEqual(self.results(root / "videos"), expected)
        self.assertFalse(os.path.ismount(root / "proc"))

    def test_equal_builds_give_equal_bundles_and_what_is_missing_is_named(self):
        first, second = self.bundle_with_engine(), self.dir / "second.tar.xz"
        done = bundle("--engine", "onnxruntime", "--output", second, "--level", 0)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(hashlib.sha256(first.read_bytes()).digest(), hashlib.sha256(second.read_bytes()).digest())
        third = self.dir / "third.tar.xz"
        done = bundle("--engine", "no-such", "--output", third)
        self.assertEqual(done.returncode, 1)
        self.assertIn("libpenstock-engine-no-such.so is not built; there are ", done.stderr)
        self.assertFalse(third.exists())


if __name__ == "__main__":
    unittest.main()
