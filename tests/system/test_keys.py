"""`penstock keys`: pairs that nobody else can read, and that are never overwritten."""

import stat
import unittest

from harness import SystemTest, penstock


class Keys(SystemTest):
    def test_pairs_are_made_and_it_says_what_goes_where(self):
        folder = self.dir / "deep" / "keys"
        made = penstock("keys", "--folder", folder, "head", "gpu")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual(sorted(f.name for f in folder.iterdir()),
                         ["gpu.key", "gpu.key_secret", "head.key", "head.key_secret"])
        for file in folder.iterdir():
            keys = [line for line in file.read_text().splitlines() if not line.startswith("#")]
            secret = file.suffix == ".key_secret"
            self.assertEqual([len(k) for k in keys], [40, 40] if secret else [40])
            if secret:
                self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
                self.assertIn(keys[0], file.with_suffix(".key").read_text())
                self.assertNotIn(keys[1], made.stdout + made.stderr)
            self.assertIn(f"{file}: {'secret; only for' if secret else 'public; copy it into'}", made.stdout)

    def test_nothing_is_written_where_one_name_is_taken(self):
        folder = self.dir / "keys"
        self.assertEqual(penstock("keys", "--folder", folder, "head").returncode, 0)
        before = {f.name: f.read_bytes() for f in folder.iterdir()}
        again = penstock("keys", "--folder", folder, "worker", "head")
        self.assertEqual(again.returncode, 1)
        self.assertIn(f"{folder / 'head.key'}: there is a key of this name already", again.stderr)
        self.assertEqual({f.name: f.read_bytes() for f in folder.iterdir()}, before)

    def test_names_that_are_none_are_refused(self):
        for name in ("a/b", "..", ""):
            refused = penstock("keys", "--folder", self.dir / "keys", name)
            self.assertEqual(refused.returncode, 64, refused.stderr)
        self.assertEqual(penstock("keys").returncode, 64)
        self.assertFalse((self.dir / "keys").exists())


if __name__ == "__main__":
    unittest.main()
