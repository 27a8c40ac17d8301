"""Videos on a web server are files: lossless, and the end of a broken connection is told."""

import http.server
import threading
import unittest

from harness import SystemTest


class Web(http.server.BaseHTTPRequestHandler):
    """Serves one file, whole or only its first part although more was announced."""

    def do_GET(self):
        data, part = self.server.data, self.server.part
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data[: int(len(data) * part)])
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client has what it wants

    def log_message(self, *_):
        pass


class Http(SystemTest):
    def serve(self, part=1.0):
        clip = self.clip("clip.mp4", 100, "-c:v", "libx264", "-bf", "0", "-g", "10", "-movflags", "+faststart")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
        server.data, server.part = clip.read_bytes(), part
        threading.Thread(target=server.serve_forever).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}/clip.mp4"

    def test_a_video_on_a_web_server_is_delivered_completely(self):
        program = self.run_to_end(self.topology({"web": self.serve()}))
        self.assert_delivered(program, "web", 100)
        self.assert_identity(program.lines("web"))

    def test_of_a_video_whose_connection_breaks_the_first_part_is_delivered_and_the_loss_is_told(self):
        good = self.clip("good.mp4", 50, stream=1)
        program = self.run_to_end(self.topology({"web": self.serve(part=0.6), "good": good}), code=1)
        self.assert_delivered(program, "good", 50)
        self.assertGreater(program.ledger["web"]["delivered"], 30)
        self.assert_identity(program.lines("web"))
        self.assertTrue(any("web" in m for m in program.log()), program.errors())

    def test_a_page_that_is_not_there_is_told(self):
        url = self.serve().replace("127.0.0.1", "localhost.invalid")
        program = self.run_to_end(self.topology({"web": url}), code=1)
        self.assertEqual(program.ledger["web"]["received"], 0)
        self.assertTrue(any("localhost.invalid" in m for m in program.log()), program.errors())


if __name__ == "__main__":
    unittest.main()
