"""A run: a fleet of relays in hosts of their own, producers, destinations, and faults from a seed.

    main.py PROGRAM FOLDER SECONDS EVERY SEED VERBOSE

Runs as root of a user namespace of its own, with a network, mounts and processes of its own; see scripts/chaos.
"""

import json
import pathlib
import signal
import subprocess
import sys
import threading
import time

import network
import producers
from fleet import Fleet
from receiver import DESTINATIONS, Receiver
from report import Report
from schedule import Schedule
from server import Server

# How long everything may take to arrive when nothing is wrong any more.
SETTLING = 180


class World:
    """What there is to strike."""

    def __init__(self, program, folder, seed):
        self.program, self.folder, self.seed = program, folder, seed
        network.prepare()
        self.server = Server(folder)
        self.operate("migrate", "up")
        with self.server.connect() as connection:
            producers.set_up(connection)
        self.receiver = Receiver(seed)
        self.fleet = Fleet(3, program, self.server, self.receiver, folder)
        self.producers = None
        # Into how many streams a destination is divided, as far as the operator knows.
        self.parts = {name: 1 for name in DESTINATIONS}

    def operate(self, *command):
        subprocess.run(
            [self.program, *command[:2], "--postgres", self.server.local_url, *command[2:]], check=True, stdout=subprocess.DEVNULL
        )

    def start(self):
        self.fleet.start()
        limit = time.monotonic() + 60
        while self.count("SELECT count(*) FROM outbox.stream") < len(DESTINATIONS):
            if time.monotonic() > limit:
                raise SystemExit(f"chaos: the relays do not begin: {self.fleet.relays[0].last_words()}")
            time.sleep(0.05)
        self.operate("stream", "split", "orders", "--into", "8")
        self.parts["orders"] = 8
        self.producers = subprocess.Popen(
            [sys.executable, pathlib.Path(__file__).parent / "producers.py", self.server.conninfo, str(self.seed), self.notes],
            stdin=subprocess.PIPE,
        )

    @property
    def notes(self):
        return self.folder / "commits"

    def count(self, statement):
        with self.server.connect() as connection:
            return connection.execute(statement).fetchone()[0]

    def wait(self, seconds):
        time.sleep(seconds)

    def stop_producers(self):
        self.producers.stdin.close()
        self.producers.wait(timeout=60)
        with self.server.connect() as connection:
            producers.finish_prepared(connection)

    def produced(self):
        """The messages that were committed: destination, key and number by token."""
        with self.server.connect() as connection:
            return {
                token: (destination, key, number)
                for token, destination, key, number in connection.execute("SELECT token, destination, key, number FROM chaos.produced")
            }

    def settle(self, produced):
        """Waits until everything has been delivered and committed. Returns how long that took; None: too long."""
        begin = time.monotonic()
        missing, seen = set(produced), 0
        while time.monotonic() - begin < SETTLING:
            arrived = len(self.receiver.deliveries)
            missing.difference_update(delivery.token for delivery in self.receiver.deliveries[seen:arrived])
            seen = arrived
            if not missing and self.count("SELECT count(*) FROM outbox.deferred") == 0:
                return time.monotonic() - begin
            time.sleep(0.1)
        return None

    def committed(self, produced):
        """When producers knew of their commits, by destination and token; where a session was lost at its commit, none does."""
        times = {}
        for line in self.notes.read_text().splitlines():
            token, moment = line.split()
            if int(token) in produced:
                times[produced[int(token)][0], int(token)] = float(moment)
        return times

    def dead_letters(self):
        return self.count("SELECT count(*) FROM outbox.dead_letter")


def write_records(folder, faults, deliveries):
    """For whoever looks for the cause of a failure."""
    with open(folder / "faults.ndjson", "w") as file:
        for fault in faults:
            file.write(json.dumps(vars(fault)) + "\n")
    with open(folder / "deliveries.ndjson", "w") as file:
        for delivery in deliveries:
            values = [getattr(delivery, name) for name in delivery.__slots__]
            file.write(json.dumps(dict(zip(delivery.__slots__, values))) + "\n")


def main():
    program, folder, seconds, every, seed, verbose = sys.argv[1:]
    folder, begin = pathlib.Path(folder), time.monotonic()

    def say(text):
        print(f"{time.monotonic() - begin:7.1f} s  {text}", file=sys.stderr, flush=True)

    def announce(_, fault):
        if verbose:
            say(f"{fault.name}: {' '.join(map(str, fault.target))}, {fault.seconds:.1f} s")

    world = World(program, folder, seed)
    world.start()
    say(f"PostgreSQL {world.server.version()}, 3 relays, {len(DESTINATIONS)} destinations; faults for {seconds} s")
    schedule = Schedule(world, seed, float(every), float(seconds))
    over = threading.Event()
    if not verbose:
        threading.Thread(target=progress, args=(world, schedule, over, say), daemon=True).start()
    schedule.run(announce)
    over.set()
    world.stop_producers()
    produced = world.produced()
    say(f"all faults are healed; {len(produced)} messages were committed, {len(world.receiver.deliveries)} deliveries were made")
    settled = world.settle(produced)
    say("not everything arrives" if settled is None else f"everything has arrived, {settled:.1f} s after the last fault")
    world.fleet.end()
    deliveries = list(world.receiver.deliveries)
    report = Report(world, schedule, produced, deliveries, settled)
    report.print()
    world.server.stop()
    write_records(folder, report.faults, deliveries)
    return 1 if report.failures else 0


def progress(world, schedule, over, say):
    while not over.wait(30):
        say(f"{len(schedule.past)} faults, {len(world.receiver.deliveries)} deliveries")


if __name__ == "__main__":
    # The first process of a namespace takes no signal that it has no handler for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
