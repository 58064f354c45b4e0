"""Numbered messages to receivers that misbehave in every way: nothing is lost, keys stay in order, and one that is dead delays no other."""

import json
import random
import sys
import threading
import time
from email.utils import formatdate

from verification import SECRET, is_right
from producer import output, produce
from receiver import Receiver

COUNT, KEYS = 3000, 40


class Moods:
    """What a receiver does with a request, at random."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.is_calm = False
        # How often it did what.
        self.tally = {}

    def choose(self):
        with self.lock:
            moods = [
                ("accept", 900), ("slow", 20), ("silent", 2), ("reset", 15), ("half", 15), ("nothing", 10), ("no HTTP", 5), ("huge", 10),
                ("429 seconds", 4), ("429 date", 4), ("429 RFC 850", 4), ("503 later", 4), ("failing", 40), ("refusing", 10),
                ("redirect", 5),
            ]
            names, weights = zip(*moods)
            mood = "accept" if self.is_calm else self.random.choices(names, weights)[0]
            self.tally[mood] = self.tally.get(mood, 0) + 1
            return mood

    def behave(self, handler, request):
        if not is_right(SECRET, request):
            handler.answer(400)
            raise SystemExit("webhook-wire: a signature is wrong")
        mood = self.choose()
        now = time.time()
        later = {
            "429 seconds": "0", "503 later": "1", "429 date": formatdate(now, usegmt=True),
            "429 RFC 850": time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(now)),
        }
        if mood in later:
            handler.answer(int(mood[:3]), [("Retry-After", later[mood]), ("Date", formatdate(now, usegmt=True))])
        elif mood == "failing":
            handler.answer(self.random.choice([500, 502, 503, 504, 408, 425]), body=b"x" * 1000)
        elif mood == "refusing":
            handler.answer(self.random.choice([401, 403, 404, 405]))
        elif mood == "redirect":
            handler.answer(307, [("Location", "http://169.254.169.254/latest/meta-data")])
        elif mood == "reset":
            handler.raw(b"HT", reset=True)
        elif mood == "half":
            handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        elif mood == "nothing":
            handler.raw(b"")
        elif mood == "no HTTP":
            handler.raw(b"SSH-2.0-OpenSSH\r\n\r\n")
        elif mood == "silent":
            time.sleep(2)
            handler.raw(b"")
        else:
            if mood == "slow":
                time.sleep(0.2)
            # Noted before the answer: after it, the sender may be done before this thread goes on.
            handler.server.receiver.note(request)
            handler.answer(200, body=b"x" * 3_000_000 if mood == "huge" else b"")
        return False


def number(request):
    return json.loads(request.body)["number"]


def check(requests, numbers, what):
    """Everything is there, each key in its order; what came twice has one id."""
    arrived = [number(request) for request in requests]
    missing = set(numbers) - set(arrived)
    if missing:
        raise SystemExit(f"webhook-wire: {what}: {len(missing)} are lost, such as {min(missing)}")
    last, ids = {}, {}
    for request in requests:
        n = number(request)
        if ids.setdefault(n, request.headers["webhook-id"]) != request.headers["webhook-id"]:
            raise SystemExit(f"webhook-wire: {what}: {n} has two ids")
    for n in dict.fromkeys(arrived):
        if last.get(n % KEYS, -1) > n:
            raise SystemExit(f"webhook-wire: {what}: {n} after {last[n % KEYS]}")
        last[n % KEYS] = n
    return len(arrived) - len(set(arrived))


def one_receiver(seed):
    """Killed five times besides."""
    moods = Moods(seed)
    receiver = Receiver(moods.behave)
    url = f"http://127.0.0.1:{receiver.port}/x?outbox.allow=127.0.0.1&outbox.timeout=1s&outbox.failures=3"
    process = produce("numbered", url, COUNT, KEYS, 4, 100, secrets=[SECRET])
    for round in range(1, 6):
        while len(receiver.accepted) < COUNT * round / 7 and process.poll() is None:
            time.sleep(0.01)
        receiver.stop()
        time.sleep(0.05)
        receiver.start()
    text, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"webhook-wire: the program ended with {process.returncode}: {text}")
    receiver.stop()
    again = check(receiver.accepted, range(COUNT), "one receiver")
    print(f"one receiver: {COUNT} messages, 0 lost, in order, {again} came twice; {text.strip()}; {moods.tally}")


def several_receivers(seed):
    """Of three hosts one misbehaves, and one is dead until the others have everything."""
    healthy = Receiver(Moods(seed).behave, "127.0.0.1")
    healthy.behave = calm(healthy)
    moody = Receiver(Moods(seed + 1).behave, "127.0.0.2", healthy.port)
    dead = Receiver(Moods(seed).behave, "127.0.0.3", healthy.port)
    dead.behave = calm(dead)
    dead.stop()
    url = (
        f"http://{{header.host}}:{healthy.port}/x?outbox.hosts=*&outbox.allow=127.0.0.0/8&outbox.timeout=1s"
        "&outbox.initial_pause=50ms&outbox.maximum_pause=200ms"
    )
    process = produce("numbered", url, COUNT, KEYS, 8, 100, secrets=[SECRET])
    parts = [[n for n in range(COUNT) if n % KEYS % 3 == host] for host in range(3)]
    begin, done = time.monotonic(), {}
    while len(done) < 2 and process.poll() is None:
        for name, receiver, part in (("healthy", healthy, parts[0]), ("moody", moody, parts[1])):
            if name not in done and len(receiver.accepted) >= len(part):
                done[name] = time.monotonic() - begin
        time.sleep(0.01)
    dead.start()
    text, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"webhook-wire: the program ended with {process.returncode}: {text}")
    for name, receiver, part in (("healthy", healthy, parts[0]), ("moody", moody, parts[1]), ("dead", dead, parts[2])):
        receiver.stop()
        check(receiver.accepted, part, name)
    print(
        f"three receivers: 0 lost, in order; the healthy one had its {len(parts[0])} after {done.get('healthy', 0):.1f} s, the one that"
        f" misbehaves after {done.get('moody', 0):.1f} s, then the dead one was started; {text.strip()}"
    )


def calm(receiver):
    def behave(handler, request):
        receiver.note(request)
        handler.answer(204)

    return behave


SEED = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 32)
print(f"faults with seed {SEED}")
one_receiver(SEED)
several_receivers(SEED)
