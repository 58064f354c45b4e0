"""Producers that never pause, what comes of what they commit, and how long nothing came."""

import collections
import json
import subprocess
import threading
import time

DESTINATIONS, PRODUCERS, KEYS, PAUSE = 4, 4, 5, 0.004


class Load:
    def __init__(self, lines):
        self.lines = lines
        lines.touch()
        self.ending = threading.Event()
        self.sent = [0] * PRODUCERS
        self.arrivals = []
        self.marks = []
        self.sessions = [
            subprocess.Popen(
                ["psql", "-XqAt", "-U", "shop", "-v", "ON_ERROR_STOP=1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True) for _ in range(PRODUCERS)]
        # How long the slowest commit of a producer took.
        self.slowest = 0.0
        self.threads = [threading.Thread(target=self.produce, args=[number], daemon=True) for number in range(PRODUCERS)]
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.finished = threading.Event()
        for thread in [*self.threads, self.reader]:
            thread.start()

    def produce(self, number):
        session = self.sessions[number]
        while not self.ending.is_set():
            index = self.sent[number]
            began = time.monotonic()
            payload = json.dumps([number, index, began])
            # Some have no key, and wait for their time.
            how = "deliver_at => now() + interval '300 ms'" if index % 10 == 9 else f"key => '{number}-{index % KEYS}'"
            session.stdin.write(f"SELECT outbox.enqueue('to-{index % DESTINATIONS}', '{payload}', {how});\n")
            session.stdin.flush()
            if not session.stdout.readline().strip().isdigit():
                raise SystemExit("upgrade: a producer failed")
            self.sent[number] = index + 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(PAUSE)

    def read(self):
        rest = b""
        with open(self.lines, "rb") as file:
            while not self.finished.is_set():
                part = file.read()
                if not part:
                    time.sleep(0.001)
                    continue
                now = time.monotonic()
                *whole, rest = (rest + part).split(b"\n")
                for line in whole:
                    row = json.loads(line)
                    number, index, began = json.loads(row["payload"])
                    late = now - began - (0 if row["key"] else 0.3)
                    self.arrivals.append((now, late, row["destination"], row["key"], number, index))

    def phase(self, name, seconds):
        """Ends a part: after these seconds more, what it did to delivery is printed."""
        time.sleep(seconds)
        if seconds == 0:
            end = time.monotonic() + 60
            while len(self.arrivals) < sum(self.sent) and time.monotonic() < end:
                time.sleep(0.01)
        begin = self.marks[-1] if self.marks else 0
        now = time.monotonic()
        self.marks.append(now)
        here = [arrival for arrival in list(self.arrivals) if begin <= arrival[0] < now]
        late = sorted(arrival[1] for arrival in here)
        # Of one destination, since others may go on meanwhile; from its last line before this part on, and to its end.
        gap, last = 0.0, {}
        for arrival in list(self.arrivals):
            if arrival[0] < now:
                if arrival[0] >= begin:
                    gap = max(gap, arrival[0] - last.get(arrival[2], arrival[0]))
                last[arrival[2]] = arrival[0]
        if not self.ending.is_set():
            gap = max([gap, *(now - time for time in last.values())])
        slowest, self.slowest = self.slowest, 0.0
        if here:
            print(
                f"upgrade: {name:42} {len(here):5} delivered, INSERT to line p50 {late[len(late) // 2] * 1000:4.0f} ms, most {late[-1] * 1000:5.0f} ms; "
                f"a destination had nothing for {gap * 1000:5.0f} ms at most; slowest commit {slowest * 1000:5.0f} ms", flush=True)

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(timeout=60)
        for session in self.sessions:
            session.stdin.close()
            if session.wait(timeout=60) != 0:
                raise SystemExit("upgrade: a producer failed")

    def abandon(self):
        self.ending.set()
        self.finished.set()
        for session in self.sessions:
            session.kill()

    def check(self):
        """What is said of it; fails where something is lost, repeated or out of order."""
        time.sleep(0.2)
        self.finished.set()
        self.reader.join(timeout=60)
        count = sum(self.sent)
        if count < 1000:
            raise SystemExit(f"upgrade: only {count} messages were enqueued")
        seen = collections.Counter((number, index) for *_, number, index in self.arrivals)
        lost = [(number, index) for number in range(PRODUCERS) for index in range(self.sent[number]) if (number, index) not in seen]
        repeated = [message for message, times in seen.items() if times > 1]
        orders = collections.defaultdict(list)
        for _, _, destination, key, _, index in self.arrivals:
            if key:
                orders[destination, key].append(index)
        disordered = [place for place, indices in orders.items() if indices != sorted(indices)]
        if lost or repeated or disordered:
            raise SystemExit(f"upgrade: {len(lost)} lost, {len(repeated)} repeated, {len(disordered)} keys out of order")
        return f"{count} of {count} delivered, once, in the order of their {len(orders)} keys"
