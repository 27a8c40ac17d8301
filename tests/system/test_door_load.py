"""The door with more clients than it can serve, and with slow ones: it says no at once and when to come again, and
every picture that was let in stands in the books."""

import collections
import json
import statistics
import threading
import time
import unittest
import urllib.parse

import barcode
from door import DoorTest, door_of
from harness import until
from wire import Connection, request

CLIENTS = 64


class DoorLoad(DoorTest):
    def open(self, **more):
        program = self.start(self.door_topology(**more))
        self.port = urllib.parse.urlsplit(door_of(program)).port
        return program

    def together(self, count, client):
        """Runs `client(number)` in so many threads; what one of them raises is raised here."""
        failures = []

        def run(number):
            try:
                client(number)
            except BaseException as e:
                failures.append(e)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def capacity(self, picture):
        """Pictures a second that a few clients get, at best, and how many pictures that took."""
        clients, each, rounds = 8, 20, 4

        def client(_):
            with Connection(self.port) as c:
                served = 0
                while served < each:
                    served += c.ask(request("POST", "/v1/detect", picture))[0] == 200

        took = []
        for _ in range(rounds):
            began = time.monotonic()
            self.together(clients, client)
            took.append(time.monotonic() - began)
        return clients * each / min(took), clients * each * rounds

    def test_at_twice_what_it_can_do_all_are_answered_and_the_books_balance(self):
        slow = self.model("slow.onnx", slow=512)
        program = self.open(model=slow, http={"admission": {"max_wait": "150ms"}})
        pictures = self.pictures(CLIENTS)
        capacity, served_before = self.capacity(pictures[0])
        seconds, replies = 6, []
        began = time.monotonic()

        def client(number):
            """Asks at its own times, whatever became of the request before; every fourth is in a hurry."""
            hurries = number % 4 == 0
            deadline = ["Penstock-Deadline-Ms: 60"] if hurries else []
            gap = CLIENTS / (4 * capacity)  # a few clients in Python get half of what it can do
            due = began + gap * number / CLIENTS
            with Connection(self.port) as c:
                while due < began + seconds:
                    time.sleep(max(0, due - time.monotonic()))
                    asked = time.monotonic()
                    status, headers, body = c.ask(request("POST", "/v1/detect", pictures[number], *deadline))
                    if status == 200:
                        self.assertEqual(barcode.read_objects(json.loads(body)), (0, number))
                    replies.append((status, hurries, headers.get("retry-after", ""), time.monotonic() - asked))
                    due += gap

        self.together(CLIENTS, client)
        count = collections.Counter(status for status, *_ in replies)
        self.assertLessEqual(set(count), {200, 503, 504})
        self.assertGreater(len(replies), 1.2 * capacity * seconds, "the load was not there")
        self.assertGreater(count[200], 0.4 * capacity * seconds, (count, capacity))
        refused = [again for status, hurries, again, _ in replies if status == 503 and not hurries]
        self.assertGreater(len(refused), 20, (count, capacity))
        for again in refused:
            self.assertGreaterEqual(int(again), 1)
        served = [took for status, *_, took in replies if status == 200]
        self.assertLess(statistics.median(served), 0.4)  # 0.15 s of waiting, and the work
        program.terminate()
        ledger = program.finish(files=False)["(requests)"]
        self.assertEqual(ledger["received"], served_before + count[200] + count[504])
        self.assertGreaterEqual(ledger["delivered"], served_before + count[200])  # some came when it was just too late
        self.assertLessEqual(set(ledger["dropped"]), {"deadline", "cancelled"})

    def test_slow_clients_get_their_answers_and_those_that_take_nothing_are_given_up(self):
        patient = {"max_wait": "1min", "deadline": "1min"}
        program = self.open(http={"timeouts": {"write": "500ms"}, "admission": patient})
        picture, large = self.pictures(1)[0], self.pictures(1, size=(2560, 1920))[0]
        draw = request("POST", "/v1/detect?annotate=true", large)

        def uploads(_):
            data = request("POST", "/v1/detect", picture)
            with Connection(self.port) as c:
                for at in range(0, len(data), 200):
                    c.send(data[at : at + 200])
                    time.sleep(0.01)
                status, _, body = c.reply()
                self.assertEqual(status, 200, body)
                self.assertEqual(barcode.read_objects(json.loads(body)), (0, 0))

        def downloads(_):
            with Connection(self.port, draw, receive_buffer=4096) as c:
                while not c.whole():
                    time.sleep(0.005)
                    self.assertTrue(c.more(8192), "cut off")
                status, headers, body = c.reply()
                self.assertEqual((status, headers["content-type"]), (200, "image/jpeg"))
                self.assertEqual((body[:2], body[-2:]), (b"\xff\xd8", b"\xff\xd9"))

        def takes_nothing(_):
            with Connection(self.port, draw * 40, receive_buffer=4096):
                until(lambda: self.metric('penstock_http_refused_total{reason="write_time"}') >= 4, "it to be given up")

        kinds = [uploads, downloads, takes_nothing]
        self.together(12, lambda number: kinds[number % 3](number))
        program.terminate()
        program.finish(files=False)

    def metric(self, name):
        with Connection(self.port, request("GET", "/metrics", b"", "Connection: close")) as c:
            text = c.reply()[2]
        return sum(float(line.rsplit(b" ", 1)[1]) for line in text.splitlines() if line.startswith(name.encode()))


if __name__ == "__main__":
    unittest.main()
