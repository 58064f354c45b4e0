"""The destinations: receivers of webhooks that answer well or badly, and keep what they have accepted in the order in which it came."""

import asyncio
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass

# Each listens on a port of its own.
DESTINATIONS = {"orders": 8001, "mail": 8002, "billing": 8003, "search": 8004}

# How long a relay waits for an answer, and longer than that.
TIMEOUT, TOO_LONG = 6, 8

# How late the receiver may be with what it does ten times a second.
PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that was accepted."""

    time: float
    relay: int
    destination: str
    token: int
    key: str | None
    number: int


class Mood:
    """How a destination answers; several things may be wrong with it at a time."""

    def __init__(self):
        self.is_unavailable = False
        self.is_slow = False
        self.failing_key = None
        # Of how many messages one fails; 0: none.
        self.one_in = 0

    def refusal(self, message, choice):
        if self.is_unavailable:
            return 503, "unavailable"
        if self.failing_key is not None and message["k"] == self.failing_key:
            return 500, "one key"
        if self.one_in and choice.randrange(self.one_in) == 0:
            return 500, f"one in {self.one_in}"
        return None


class Destination:
    def __init__(self, receiver, name):
        self.receiver, self.name = receiver, name
        self.mood = Mood()
        self.listener = None
        self.connections = set()

    async def open(self):
        self.listener = await asyncio.start_server(self.serve, "0.0.0.0", DESTINATIONS[self.name], reuse_address=True)

    async def close(self):
        """As when the program is killed: nothing listens, and connections end in the middle of what they carry."""
        self.listener.close()
        for writer in list(self.connections):
            writer.transport.abort()

    async def serve(self, reader, writer):
        self.connections.add(writer)
        try:
            relay = int(writer.get_extra_info("peername")[0].split(".")[2])
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
                body = await reader.readexactly(length)
                # A question whether it is there again (OPTIONS) is no message.
                status = self.greet()
                if head.startswith(b"post "):
                    # The path is the number of the relay's start.
                    self.receiver.seen.add((relay, int(head.split(b" ")[1][1:])))
                    status = await self.take(relay, json.loads(body))
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.connections.discard(writer)
            writer.close()

    def greet(self):
        return 503 if self.mood.is_unavailable else 204

    async def take(self, relay, message):
        refusal = self.mood.refusal(message, self.receiver.choice)
        if refusal is not None:
            self.receiver.refusals[refusal[1]] += 1
            return refusal[0]
        # Noted before the answer: what is accepted is accepted, whether or not the answer arrives.
        self.receiver.deliveries.append(
            Delivery(time.monotonic(), relay, self.name, message["t"], message["k"], message["n"])
        )
        if self.mood.is_slow:
            await asyncio.sleep(TOO_LONG if self.receiver.choice.randrange(50) == 0 else self.receiver.choice.uniform(0.1, 0.8))
        return 200


class Receiver:
    """All destinations, on one thread, so that there is one order of what came."""

    def __init__(self, seed):
        self.choice = random.Random(seed)
        self.deliveries = []
        self.refusals = Counter()
        # The processes that have delivered: relays, and the numbers of their starts.
        self.seen = set()
        self.destinations = {name: Destination(self, name) for name in DESTINATIONS}
        # When it did not run, because others had the processor: begin and end.
        self.pauses = []
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        for name in DESTINATIONS:
            self.open(name)
        asyncio.run_coroutine_threadsafe(self.watch_clock(), self.loop)

    async def watch_clock(self):
        """Calls run into their limit while this machine stands still, which is no fault of a relay's."""
        while True:
            begin = time.monotonic()
            await asyncio.sleep(0.1)
            if time.monotonic() - begin > 0.1 + PAUSE:
                self.pauses.append((begin, time.monotonic()))

    def open(self, name):
        self.call(self.destinations[name].open())

    def close(self, name):
        self.call(self.destinations[name].close())

    def call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=30)
