"""The relays: the program `outbox relay`, one on each host, started again when it ends as a service manager would."""

import signal
import subprocess
import threading
import time

from network import Host
from receiver import DESTINATIONS, TIMEOUT

# How many messages a relay may have read and not committed, of each destination.
WINDOW = 500

# How long calls that have begun may take when a relay ends, and how long it may take beyond that to end.
DRAINING, PATIENCE = 10, 60


class Relay:
    def __init__(self, number, program, server, receiver, folder):
        self.number = number
        self.host = Host(number)
        self.program, self.server, self.receiver, self.folder = program, server, receiver, folder
        self.lock = threading.Lock()
        self.process = None
        # Whether the process is meant to be there.
        self.is_wanted = False
        self.starts = 0
        # How often it ended because it could not reach the server from its start on.
        self.refused_starts = 0
        # What should not have happened.
        self.complaints = []

    @property
    def log(self):
        return self.folder / f"relay-{self.number}.log"

    def arguments(self):
        options = (
            f"outbox.allow=10.77.0.0/16&outbox.timeout={TIMEOUT}s&outbox.connect_timeout=2s&outbox.failures=5"
            "&outbox.initial_pause=100ms&outbox.maximum_pause=1s"
        )
        routes = [
            argument
            for name, port in DESTINATIONS.items()
            for argument in ("--route", f"{name}=http://{self.host.server}:{port}/{self.starts}?{options}")
        ]
        return [
            self.program, "relay", "--postgres", self.server.url(self.host.server), *routes, "--window", WINDOW, "--page", 100,
            "--concurrency", 4, "--initial-delay", "50ms", "--max-delay", "500ms", "--max-attempts", 1_000_000,
            "--drain-deadline", f"{DRAINING}s", "--retention", "30s", "--segment-age", "10s", "--log-level", "error",
        ]

    def start(self):
        with self.lock:
            self.launch()

    def launch(self):
        self.starts += 1
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self.host.command(*self.arguments()), stdout=log, stderr=log)
        self.is_wanted = True

    @property
    def has_delivered(self):
        """Whether this process has been at work; a call of the one before may arrive after its start."""
        return (self.number, self.starts) in self.receiver.seen

    def kill(self):
        with self.lock:
            self.is_wanted = False
            self.process.kill()
            self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        """Asks it to end, and waits; it has to end in time, and with 0."""
        with self.lock:
            self.is_wanted = False
            # One that has just been started may not have asked for the signal yet, or finds no server.
            expected = (0,) if self.has_delivered else (0, 69, -signal.SIGTERM)
            self.process.send_signal(signal.SIGTERM)
            try:
                status = self.process.wait(timeout=DRAINING + PATIENCE)
                if status not in expected:
                    self.complaints.append(f"relay {self.number} ended with {status} on SIGTERM: {self.last_words()}")
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                self.complaints.append(f"relay {self.number} did not end within {DRAINING + PATIENCE} s of SIGTERM")

    def watch(self):
        """Starts it again when it has ended by itself.

        A relay that finds no server when it starts ends with 69, for its manager to try again; one that has been at work never ends.
        """
        # One that is being ended is no business of this.
        if not self.lock.acquire(blocking=False):
            return
        try:
            status = self.process.poll() if self.is_wanted else None
            if status is None:
                return
            if status == 69 and not self.has_delivered:
                self.refused_starts += 1
            else:
                self.complaints.append(f"relay {self.number} ended by itself with {status}: {self.last_words()}")
            time.sleep(0.1)
            self.launch()
        finally:
            self.lock.release()

    def last_words(self):
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"


class Fleet:
    def __init__(self, count, program, server, receiver, folder):
        self.relays = [Relay(number, program, server, receiver, folder) for number in range(1, count + 1)]
        self.is_over = threading.Event()
        self.watcher = threading.Thread(target=self.watch, daemon=True)

    def start(self):
        for relay in self.relays:
            relay.start()
        self.watcher.start()

    def watch(self):
        while not self.is_over.wait(0.2):
            for relay in self.relays:
                relay.watch()

    def end(self):
        """All of them, in good order."""
        self.is_over.set()
        self.watcher.join()
        threads = [threading.Thread(target=relay.end) for relay in self.relays]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @property
    def complaints(self):
        return [complaint for relay in self.relays for complaint in relay.complaints]
