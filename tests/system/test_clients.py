"""The program as a client of the HTTP door: `penstock top`, `submit` and `jobs` against a real gateway, over a link that a
test can break."""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
import unicodedata

import unittest

from harness import PATIENCE, PROGRAM, ROOT, SystemTest, until

DOOR = os.environ.get("PENSTOCK_DOOR", str(ROOT / "build/release/tests/test_door"))
TOKEN = "a-token-that-nobody-may-see-0123456789"
MP4 = b"\0\0\0\x18ftypisom"


class Door:
    """A gateway as a process, until the test ends."""

    def __init__(self, test, *args):
        self.process = subprocess.Popen([DOOR, *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        test.addCleanup(self.close)
        self.port = int(self.process.stdout.readline().split()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


class Link:
    """Passes connections on to a door. `plan` says what becomes of the next ones: a number of bytes from the client, or
    (negative) from the door, after which the connection is reset; a reply that is given in the door's place; or something
    that is called before the first byte is passed on."""

    def __init__(self, test, door, plan=()):
        self.door, self.plan = door, list(plan)
        self.passed = 0  # bytes to the door
        self.connections = 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()
        test.addCleanup(self.close)

    def close(self):
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for thread in self.threads:
            thread.join(PATIENCE)

    def accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self.serve, args=(client, self.plan.pop(0) if self.plan else None))
            self.threads.append(thread)
            thread.start()

    def serve(self, client, fault):
        with client:
            if isinstance(fault, bytes):
                with contextlib.suppress(OSError):
                    client.recv(1 << 16)
                    client.sendall(fault)
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(1 << 16):
                        pass
                return
            if callable(fault):
                fault()
                fault = None
            with socket.create_connection(("127.0.0.1", self.door.port)) as door:
                self.relay(client, door, fault)

    def relay(self, client, door, fault):
        counts = {client: 0, door: 0}
        other = {client: door, door: client}
        with contextlib.suppress(OSError):
            while True:
                for end in select.select([client, door], [], [])[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    counts[end] += len(data)
                    self.passed += len(data) if end is client else 0
                    if fault is not None and counts[client if fault > 0 else door] >= abs(fault):
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return
                    other[end].sendall(data)


def reply(status, headers="", body=""):
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


def busy(seconds):
    return reply("503 Service Unavailable", f"Retry-After: {seconds}\r\n")


class Clients(SystemTest):
    def penstock(self, *args, token=None, code=0, **more):
        env = {k: v for k, v in os.environ.items() if k != "PENSTOCK_TOKEN"}
        if token:
            env["PENSTOCK_TOKEN"] = token
        done = subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True, timeout=PATIENCE, env=env, **more)
        self.assertEqual(done.returncode, code, done)
        for secret in (TOKEN, token or TOKEN):
            self.assertNotIn(secret, done.stdout + done.stderr, "a token was shown")
        return done

    def file(self, name, size=1000, seed=0):
        """A file that passes for an MP4."""
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        block = hashlib.sha512(f"{name} {seed}".encode()).digest()
        path.write_bytes((MP4 + block * (size // len(block) + 1))[:size])
        return path

    def submit(self, url, *args, code=0, **more):
        """The files and jobs of the document that it writes."""
        done = self.penstock("submit", *args, "--to", url, "--json", "-", code=code, **more)
        return json.loads(done.stdout)["jobs"], done

    def jobs(self, url, *args):
        return json.loads(self.penstock("jobs", url, *args, "--json", "-").stdout)["jobs"]

    def sha256(self, path):
        return hashlib.sha256(path.read_bytes()).hexdigest()


class Submit(Clients):
    def test_files_arrive_as_they_are_and_their_results_come_back(self):
        door = Door(self)
        files = [self.file("clip.mp4", 3_000_000), self.file("höfli 1%.mp4", 100)]
        jobs, _ = self.submit(door.url, *files, "--results", self.dir / "out")
        self.assertEqual([(j["state"], j["frames_done"], j["repeated"]) for j in jobs], [("done", 2000, False)] * 2)
        for path, job in zip(files, jobs):
            self.assertEqual(job["results"], str(self.dir / "out" / f"{path.name}.jsonl"))
            lines = [json.loads(line) for line in pathlib.Path(job["results"]).read_text().splitlines()]
            self.assertEqual([line["seq"] for line in lines], list(range(2000)))
            self.assertEqual({line["sha256"] for line in lines}, {self.sha256(path)})
            self.assertEqual({line["stream"] for line in lines}, {path.name})
        seen = {j["id"]: j for j in self.jobs(door.url)}
        self.assertEqual([seen[j["id"]]["content_type"] for j in jobs], ["video/mp4"] * 2)
        self.assertEqual([p.name for p in (self.dir / "out").glob("*.part")], [])

    def test_the_same_command_finds_the_same_jobs_and_again_makes_new_ones(self):
        door = Door(self)
        link = Link(self, door)
        path = self.file("clip.mp4", 20_000_000)
        first, _ = self.submit(link.url, path)
        sent = link.passed
        self.assertGreater(sent, 20_000_000)
        second, _ = self.submit(link.url, path)
        self.assertEqual(second[0]["id"], first[0]["id"])
        self.assertIs(second[0]["repeated"], True)
        self.assertLess(link.passed - sent, 15_000_000, "all was sent although the door wanted none of it")
        again, _ = self.submit(link.url, path, "--again")
        self.assertNotEqual(again[0]["id"], first[0]["id"])
        self.assertEqual(len(self.jobs(door.url)), 2)
        said = self.penstock("submit", path, "--to", door.url).stdout
        self.assertEqual(said, f"{first[0]['id']}  {path}  (was there before: queued)\n")

    def test_a_door_that_is_busy_is_asked_again_when_it_says(self):
        link = Link(self, Door(self, "--unavailable", 1), [busy(1)])
        began = time.monotonic()
        jobs, done = self.submit(link.url, self.file("clip.mp4", 3_000_000))
        self.assertGreaterEqual(time.monotonic() - began, 2)  # as the link said, and then the door itself
        self.assertEqual(done.stderr.count("again in 1.0 s"), 2, done.stderr)
        self.assertIn("the store is away", done.stderr)
        self.assertFalse(jobs[0]["repeated"])

    def test_a_door_that_stays_busy_is_given_up(self):
        link = Link(self, Door(self), [busy(30)])
        began = time.monotonic()
        _, done = self.submit(link.url, self.file("clip.mp4"), "--patience", 5, code=1)
        self.assertLess(time.monotonic() - began, 5)
        self.assertIn("503", done.stderr)

    def test_a_connection_that_breaks_costs_no_byte_and_makes_no_second_job(self):
        door = Door(self)
        # In the middle of the upload, and after all of it, when the reply comes that follows "100 Continue".
        link = Link(self, door, [1_000_000, -26])
        path = self.file("clip.mp4", 3_000_000)
        jobs, done = self.submit(link.url, path)
        self.assertEqual(link.connections, 3)
        self.assertEqual(done.stderr.count("again in"), 2, done.stderr)
        self.assertTrue(jobs[0]["repeated"], "the second attempt had made it")
        self.assertEqual(len(self.jobs(door.url)), 1)
        link.plan[:] = [None, -100_000]  # in the middle of the results
        out = self.dir / "out"
        self.submit(link.url, path, "--results", out)
        lines = [json.loads(line) for line in (out / "clip.mp4.jsonl").read_text().splitlines()]
        self.assertEqual([line["seq"] for line in lines], list(range(2000)))
        self.assertEqual({line["sha256"] for line in lines}, {self.sha256(path)})

    def test_a_file_that_changes_while_it_is_sent_becomes_no_job(self):
        door = Door(self)
        path = self.file("clip.mp4", 3_000_000)

        def grow():
            with open(path, "ab") as file:
                file.write(b"more")

        jobs, _ = self.submit(Link(self, door, [grow]).url, path, code=1)
        self.assertIn("changed while it was sent; its job job-1 is cancelled", jobs[0]["error"])
        self.assertEqual([j["state"] for j in self.jobs(door.url)], ["cancelled"])

    def test_a_job_that_dies_is_told_and_the_others_are_waited_for(self):
        door = Door(self)
        done = self.penstock("submit", self.file("dies.mp4"), self.file("lives.mp4"), "--to", door.url, "--wait", code=1)
        self.assertRegex(done.stdout, r"job-1  dead: the packet at 1.2 s cannot be decoded\n")
        self.assertRegex(done.stdout, r"job-2  done\n")

    def test_a_file_that_the_door_does_not_know_is_refused_and_the_others_are_sent(self):
        door = Door(self)
        (self.dir / "notes.txt").write_text("no video " * 100)
        (self.dir / "empty.mp4").touch()
        jobs, done = self.submit(door.url, self.dir / "notes.txt", self.dir / "empty.mp4", self.file("a.mp4"), code=1)
        self.assertIn("415", jobs[0]["error"])
        self.assertIn("is empty", jobs[1]["error"])
        self.assertEqual(jobs[2]["id"], "job-1")
        self.penstock("submit", self.dir / "nowhere.mp4", "--to", door.url, code=64)

    def test_a_large_file_is_never_whole_in_memory(self):
        path = self.file("sparse.mp4", 100)
        os.truncate(path, 300 << 20)
        door = Door(self)
        with open(self.dir / "out", "w+") as out:
            process = subprocess.Popen([PROGRAM, "submit", str(path), "--to", door.url, "--json", "-"], stdout=out)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        self.assertLess(usage.ru_maxrss / 1024, 64)
        job = json.loads(self.penstock("jobs", door.url, "--json", "-").stdout)["jobs"][0]
        self.assertEqual(job["size_bytes"], 300 << 20)

    def test_an_interrupt_ends_it_at_once_and_the_jobs_go_on(self):
        door = Door(self)
        path = self.file("stays.mp4")
        with open(self.dir / "err", "w+") as err:
            process = subprocess.Popen([PROGRAM, "submit", str(path), "--to", door.url, "--wait"], stdout=subprocess.PIPE,
                                       stderr=err, text=True)  # fmt: skip
            self.addCleanup(process.kill)
            self.assertEqual(process.stdout.readline(), f"job-1  {path}\n")
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=5)
            self.assertEqual(process.returncode, 1)
            err.seek(0)
            self.assertIn("go on", err.read())


class Tokens(Clients):
    def door(self, *args):
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        return Door(self, "--token", f"me:{digest}:jobs", *args)

    def test_only_the_right_token_comes_in_and_none_is_shown(self):
        door = self.door()
        path, secret = self.file("clip.mp4"), self.dir / "token"
        secret.write_text(TOKEN + "\n")
        self.submit(door.url, path, token=TOKEN)
        jobs, _ = self.submit(door.url, path, "--token-file", secret)
        self.assertTrue(jobs[0]["repeated"])
        for command in (["submit", path, "--to", door.url], ["jobs", door.url], ["top", door.url, "--once"], ["top", door.url]):
            with self.subTest(command=command[0]):
                wrong = self.penstock(*command, token="another-token-that-is-wrong", code=1)
                self.assertIn("does not know this token", wrong.stderr)
                none = self.penstock(*command, code=1)
                self.assertIn("PENSTOCK_TOKEN", none.stderr)
        lacking = self.penstock("top", door.url, "--once", token=TOKEN, code=1)
        self.assertIn("403", lacking.stderr)

    def test_a_token_that_is_none_is_not_sent(self):
        for bad in ("", "two words", "line\nbreak: yes"):
            (self.dir / "token").write_text(bad)
            done = self.penstock("jobs", "http://127.0.0.1:9", "--token-file", self.dir / "token", code=64)
            self.assertIn("is no token", done.stderr)
            self.assertNotIn("words", done.stderr)

    def test_a_token_that_somebody_between_repeats_is_not_shown(self):
        body = json.dumps({"error": {"code": "odd", "message": f"what is Bearer {TOKEN}?"}})
        link = Link(self, self.door(), [reply("400 Bad Request", body=body)])
        done = self.penstock("jobs", link.url, token=TOKEN, code=1)
        self.assertIn("what is Bearer …?", done.stderr)

    def test_a_password_in_the_address_is_refused_and_not_repeated(self):
        done = self.penstock("jobs", f"http://me:{TOKEN}@127.0.0.1:9", code=64)
        self.assertIn("PENSTOCK_TOKEN", done.stderr)

    def test_with_https_only_a_certificate_that_is_trusted_is_talked_to(self):
        door = self.door("--tls", self.dir)
        url = door.url.replace("http:", "https:")
        self.assertEqual(self.penstock("jobs", url, "--ca", self.dir / "cert.pem", token=TOKEN).returncode, 0)
        done = self.penstock("jobs", url, token=TOKEN, code=64)
        self.assertIn("certificate", done.stderr)


class Jobs(Clients):
    def test_all_pages_are_listed_and_states_picked(self):
        door = Door(self, "--finished", 2500)
        jobs = self.jobs(door.url)
        self.assertEqual([j["id"] for j in jobs], [f"job-{n}" for n in range(2500, 0, -1)])
        self.assertEqual(len(self.jobs(door.url, "--state", "done")), 2475)
        dead = self.penstock("jobs", door.url, "--dead").stdout.splitlines()
        self.assertEqual(len(dead), 26)
        self.assertRegex(dead[0], r"^ID +STATE +NAME +FRAMES +LEFT +ATTEMPTS +WORKER +ERROR$")
        self.assertRegex(dead[1], r"^job-2401 +dead +old-2400.mp4 +0/2000 +0/3 +no keyframe \?\[2J in it$")

    def test_jobs_are_cancelled_and_queued_again(self):
        door = Door(self)
        self.submit(door.url, self.file("dies.mp4"), "--wait", code=1)
        self.submit(door.url, self.file("stays.mp4"))
        state = lambda: {j["id"]: j["state"] for j in self.jobs(door.url)}
        self.assertEqual(state(), {"job-1": "dead", "job-2": "queued"})
        self.assertEqual(self.penstock("jobs", door.url, "--cancel", "job-2").stdout, "job-2  cancelled\n")
        self.penstock("jobs", door.url, "--requeue", "job-1")
        self.assertEqual(state(), {"job-1": "queued", "job-2": "cancelled"})
        done = self.penstock("jobs", door.url, "--cancel", "job-2", "--cancel", "job-9", "--cancel", "job-1", code=1)
        self.assertIn("job-2: " + door.url + ": refused (409): the job is over already", done.stderr)
        self.assertIn("job-9: " + door.url + ": refused (404): there is no such job", done.stderr)
        self.assertEqual(state()["job-1"], "cancelled")

    def test_results_go_to_standard_output(self):
        door = Door(self)
        path = self.file("clip.mp4", 5000)
        self.submit(door.url, path)
        lines = self.penstock("jobs", door.url, "--results", "job-1").stdout.splitlines()
        self.assertEqual([json.loads(line)["sha256"] for line in lines], [self.sha256(path)] * 2000)
        self.penstock("jobs", door.url, "--results", "job-2", code=1)

    def test_wrong_arguments_end_with_64(self):
        for args in (["jobs", "ftp://head"], ["jobs", "--state", "lost"], ["jobs", "--dead", "--state", "done"], ["submit"],
                     ["top", "http://head?x=1"]):  # fmt: skip
            self.penstock(*args, code=64)


class Screen:
    """A program in a terminal of a size."""

    def __init__(self, test, columns, rows, *args):
        self.text = b""
        pid, self.fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execv(PROGRAM, [PROGRAM, *map(str, args)])
        self.pid, self.code = pid, None
        test.addCleanup(self.close)

    def read_until(self, condition, what):
        def there():
            if select.select([self.fd], [], [], 0.05)[0]:
                with contextlib.suppress(OSError):
                    self.text += os.read(self.fd, 1 << 16)
            return condition(self.text.decode(errors="replace"))

        return until(there, what, 20)

    def end(self, seconds=10):
        """Its exit code."""

        def ended():
            with contextlib.suppress(OSError):
                while select.select([self.fd], [], [], 0)[0] and (data := os.read(self.fd, 1 << 16)):
                    self.text += data
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            return pid

        until(ended, "the program's end", seconds)
        return self.code

    def close(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


def plain(text):
    """Lines without colours."""
    return [line.rstrip("\r") for line in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).split("\n")]


def columns(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


class Top(Clients):
    def test_once_prints_a_plain_table_and_the_document(self):
        door = Door(self, "--finished", 250)
        done = self.penstock("top", door.url, "--once")
        self.assertNotIn("\x1b", done.stdout)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "penstock lobby · takes work · up 1 h 6 min · yolov8n.onnx · onnxruntime · cpu · 0.1.0")
        self.assertEqual(lines[1], "jobs: 0 queued, 0 running, 200+ done, 0 failed, 0 cancelled, 3 dead")
        self.assertRegex(done.stdout, r"(?m)^door +running +25.0 +42 ms +131 ms +1,234,567 +3 +0 +live$")
        self.assertRegex(done.stdout, r"(?m)^yard +connecting +0.0 .* 1,207  corrupt 7, shed 1,200 +live$")
        self.assertRegex(done.stdout, r"(?m)^bad\?\[2Jname ")
        self.assertRegex(done.stdout, r"(?m)^worker-two +silent +0 % +1 +0 +12 s +cuda +decode inference$")
        self.assertRegex(done.stdout, r"(?m)^inference +98.2 +93 % +12$")
        document = json.loads(self.penstock("top", door.url, "--json", "-").stdout)
        self.assertEqual(document["state"]["streams"][1]["dropped"], {"corrupt": 7, "shed": 1200})
        self.assertEqual((document["jobs"]["dead"], document["jobs"]["done"], document["jobs_more"]), (3, 200, ["done"]))

    def test_a_door_without_jobs_still_shows_its_state(self):
        done = self.penstock("top", Door(self, "--no-jobs").url, "--once")
        self.assertIn("jobs: not shown: ", done.stdout)
        self.assertIn("worker-one", done.stdout)

    def test_a_door_that_is_away_is_told(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        done = self.penstock("top", f"http://127.0.0.1:{port}", "--once", code=1)
        self.assertIn(f"http://127.0.0.1:{port}: ", done.stderr)

    def test_it_fits_terminals_of_any_width_and_ends_at_an_interrupt(self):
        door = Door(self)
        cases = ((60, ["STREAM", "FPS", "LOAD"], ["POLICY", "IN FLIGHT", "REASONS"]),
                 (120, ["DELIVERED", "REASONS", "CREDIT"], []))  # fmt: skip
        screens = [Screen(self, width, 24, "top", door.url) for width, *_ in cases]
        for screen, (width, shown, hidden) in zip(screens, cases):
            with self.subTest(width=width):
                screen.read_until(lambda text: text.count("\x1b[H") >= 2, "a second picture")
                os.write(screen.fd, b"\x03")
                self.assertEqual(screen.end(), 0)
                text = screen.text.decode()
                self.assertTrue(text.startswith("\x1b[?1049h\x1b[?25l"), "the terminal's own screen is overwritten")
                self.assertTrue(text.endswith("\x1b[?25h\x1b[?1049l"), "the terminal is not as it was")
                lines = plain(text.split("\x1b[H")[1])
                self.assertLessEqual(len(lines), 24)
                self.assertLessEqual(max(map(columns, lines)), width, lines)
                page = "\n".join(lines)
                for word in shown:
                    self.assertIn(word, page)
                for word in hidden:
                    self.assertNotIn(word, page)
                for part in ("worker-two", "inference", "door", "more"):
                    self.assertIn(part, page)
                once = Screen(self, width, 24, "top", door.url, "--once")
                self.assertEqual(once.end(), 0)
                lines = plain(once.text.decode())
                self.assertLessEqual(max(map(columns, lines)), width)
                self.assertIn("camera-39", "\n".join(lines))

    def test_a_door_that_goes_is_told_and_one_that_comes_back_is_shown(self):
        door = Door(self)
        link = Link(self, door, [busy(0)])
        screen = Screen(self, 100, 24, "top", link.url)
        screen.read_until(lambda text: "goes on trying" in text and "worker-one" in text, "both")
        os.kill(screen.pid, signal.SIGTERM)
        self.assertEqual(screen.end(), 0)

    def test_the_progress_of_an_upload_is_shown_in_a_terminal_and_leaves_nothing(self):
        door = Door(self)
        files = {width: self.file(f"clip-{width}.mp4", 20_000_000) for width in (60, 120)}
        screens = {w: Screen(self, w, 24, "submit", path, "--to", door.url, "--wait") for w, path in files.items()}
        for width, screen in screens.items():
            self.assertEqual(screen.end(), 0)
            text = screen.text.decode()
            self.assertRegex(text, r"clip-\d+.mp4 +\d+ %  █+░+")
            self.assertLessEqual(max(map(columns, plain(text))), max(width, len(str(self.dir)) + 40))
            self.assertRegex(text, r"job-\d  done\r\n$")


if __name__ == "__main__":
    unittest.main()
