"""A TCP relay that a test puts between two nodes: it counts, stalls, delays, slows down and resets."""

import asyncio
import collections
import socket
import struct
import threading
import time


class Relay:
    """Passes on what comes to `address` to a target, until `close`. All faults concern what is under way and what comes,
    of all its connections. Thread-safe."""

    def __init__(self, test, target):
        host, port = target.removeprefix("tcp://").rsplit(":", 1)
        self.target = host, int(port)
        self.to_target = 0  # bytes
        self.from_target = 0
        self.latency = 0.0  # seconds
        self.rate = None  # bytes a second, each way
        self.connections = set()
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()

        def run():
            asyncio.set_event_loop(self.loop)
            self.flowing = asyncio.Event()
            self.flowing.set()
            self.server = self.loop.run_until_complete(asyncio.start_server(self.accept, "127.0.0.1", 0))
            ready.set()
            self.loop.run_forever()
            self.server.close()
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        ready.wait()
        self.address = f"tcp://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        test.addCleanup(self.close)

    def close(self):
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()

    def stall(self, seconds):
        """Passes nothing on for a while; connections stay."""

        def stall():
            self.flowing.clear()
            self.loop.call_later(seconds, self.flowing.set)

        self.loop.call_soon_threadsafe(stall)

    def reset(self):
        """Ends all connections with a reset."""

        def reset():
            for writer in list(self.connections):
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()

        self.loop.call_soon_threadsafe(reset)

    def halve_rate(self, seconds):
        """For a while it passes on half of what it passed on lately, but at least 20 kB a second."""

        def halve():
            self.rate = None
            before, began = self.to_target, time.monotonic()

            def slow_down():
                self.rate = max(20_000, (self.to_target - before) / (time.monotonic() - began) / 2)

            def speed_up():
                self.rate = None

            self.loop.call_later(0.5, slow_down)
            self.loop.call_later(seconds, speed_up)

        self.loop.call_soon_threadsafe(halve)

    async def accept(self, reader, writer):
        try:
            to_reader, to_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, to_writer}
        self.connections |= both
        await asyncio.gather(self.pass_on(reader, to_writer, True), self.pass_on(to_reader, writer, False))
        self.connections -= both

    async def pass_on(self, reader, writer, forward):
        """One direction: what was read is written when it is due."""
        waiting = collections.deque()
        there = asyncio.Event()

        async def write():
            while True:
                await there.wait()
                there.clear()
                while waiting:
                    due, data = waiting.popleft()
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                    await self.flowing.wait()
                    if not data:
                        writer.close()
                        return
                    if self.rate:
                        await asyncio.sleep(len(data) / self.rate)
                    writer.write(data)
                    await writer.drain()
                    if forward:
                        self.to_target += len(data)
                    else:
                        self.from_target += len(data)

        writing = asyncio.ensure_future(write())
        try:
            while not writing.done():
                data = await reader.read(1 << 16)
                waiting.append((time.monotonic() + self.latency, data))
                there.set()
                if not data:
                    break
                while sum(len(d) for _, d in waiting) > 8 << 20 and not writing.done():
                    await asyncio.sleep(0.01)
            await writing
        except (OSError, asyncio.IncompleteReadError):
            writing.cancel()
            writer.transport.abort()
