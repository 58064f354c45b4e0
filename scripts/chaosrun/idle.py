"""Faults while nothing happens: of a fleet that sleeps, one relay is cut off and one is stopped, and what comes then is delivered by the third.

    idle.py PROGRAM FOLDER

Runs where main.py does. A busy session notices a dead path by what it asks; one that sleeps has nothing to ask, and its server process holds its streams.
"""

import json
import pathlib
import signal
import sys
import time

from main import World
from receiver import DESTINATIONS

# From a message on: a silent relay's session is ended after 30 s, and its streams are taken.
LIMIT = 60


class Idle(World):
    def __init__(self, program, folder):
        super().__init__(program, folder, 0)
        self.token = 0

    def begin(self):
        self.fleet.start()
        self.until("each destination has an owner", lambda: len(self.owners()) == len(DESTINATIONS), 60)
        self.until("a relay sleeps", self.is_asleep, 60)

    def owners(self):
        """Which relay, by its number, has a destination's stream."""
        with self.server.connect() as connection:
            return {
                destination: int(host.split(".")[2])
                for destination, host in connection.execute(
                    """
                    SELECT stream.destination, host(activity.client_addr) FROM outbox.stream
                    JOIN pg_locks ON locktype = 'advisory' AND classid = 'outbox.message'::regclass AND objid::bigint = stream.id AND granted
                    JOIN pg_stat_activity AS activity USING (pid)
                    """
                )
            }

    def is_asleep(self):
        return self.count(
            """
            SELECT count(*) FROM pg_locks
            WHERE locktype = 'advisory' AND classid = 'outbox.message'::regclass AND objid = 0 AND mode = 'ExclusiveLock' AND granted
            """
        )

    def until(self, what, condition, seconds):
        """Returns how long it took."""
        begin = time.monotonic()
        while not condition():
            if time.monotonic() - begin > seconds:
                raise SystemExit(f"chaos: not within {seconds} s: {what}")
            time.sleep(0.02)
        return time.monotonic() - begin

    def enqueue(self, destination):
        self.token += 1
        payload = json.dumps({"t": self.token, "k": None, "n": 0}).encode()
        with self.server.connect() as connection:
            connection.execute("SELECT outbox.enqueue(%s, %s)", [destination, payload])
        return self.token

    def has_arrived(self, token):
        return any(delivery.token == token for delivery in self.receiver.deliveries)

    def deliver(self, destinations, seconds):
        """Returns how long it took until the last one had a message, and who delivered."""
        tokens = [self.enqueue(name) for name in destinations]
        taken = self.until(f"{', '.join(destinations)} are delivered", lambda: all(map(self.has_arrived, tokens)), seconds)
        return taken, {delivery.relay for delivery in self.receiver.deliveries if delivery.token in tokens}


def main():
    program, folder = sys.argv[1:]
    idle = Idle(program, pathlib.Path(folder))
    idle.begin()
    before, _ = idle.deliver(DESTINATIONS, 30)
    # Sessions that are too young end no other one.
    time.sleep(31)
    idle.until("a relay sleeps", idle.is_asleep, 60)
    owners = idle.owners()
    struck = sorted(set(owners.values()))[:2]
    if len(struck) < 2:
        raise SystemExit(f"chaos: one relay has all streams: {owners}")
    cut, stopped = (idle.fleet.relays[number - 1] for number in struck)
    cut.host.drop_packets()
    stopped.freeze()
    lost = [name for name, number in owners.items() if number in struck]
    taken, by = idle.deliver(lost, LIMIT)
    cut.host.pass_packets()
    stopped.thaw()
    idle.until("all relays are back", lambda: len(set(idle.owners().values())) == 3, 60)
    after, _ = idle.deliver(DESTINATIONS, 30)
    deliveries = [delivery.token for delivery in idle.receiver.deliveries]
    repeated = len(deliveries) - len(set(deliveries))
    idle.fleet.end()
    idle.server.stop()
    print(f"before: all destinations within {before:.2f} s")
    print(f"relay {cut.number} cut off and relay {stopped.number} stopped, asleep: {', '.join(lost)} within {taken:.1f} s, by relay {', '.join(map(str, by))}")
    print(f"healed: all destinations within {after:.2f} s, {repeated} of {len(deliveries)} deliveries repeated")
    failures = idle.fleet.complaints + ([f"{repeated} repeated"] if repeated else []) + ([f"delivered by {by}"] if by & set(struck) else [])
    print("passed" if not failures else "failed: " + "; ".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
