"""What goes wrong. Each kind strikes one thing, which nothing else strikes until it is healed."""

import subprocess
import time
from dataclasses import dataclass

import psycopg

from producers import KEYS
from receiver import DESTINATIONS


class Fault:
    """One kind. An object of it is one occurrence, with what it chose at random."""

    name = ""
    # How often, compared with the others.
    weight = 1
    # How long it lasts: least and most seconds.
    span = (0, 0)
    # Whether messages may come again because of it.
    repeats = True
    # Whether all of a destination may stand still because of it.
    halts = True
    # Whether one relay and the server are left alone as long as it lasts, so that there is a relay that has been there for long
    # enough to take over.
    needs_witness = False

    def __init__(self, world, random):
        self.world, self.random = world, random
        self.seconds = random.uniform(*self.span)
        self.target = self.choose()
        self.begin = self.end = None
        # What it had to say: for example that a command was refused.
        self.note = ""

    def choose(self):
        """What it strikes, as a kind of thing and its name."""
        raise NotImplementedError

    @property
    def relay(self):
        return self.world.fleet.relays[int(self.target[1]) - 1]

    def strike(self):
        raise NotImplementedError

    def heal(self):
        pass

    def run(self):
        self.begin = time.monotonic()
        self.strike()
        self.world.wait(self.seconds)
        self.heal()
        self.end = time.monotonic()


class OfRelay(Fault):
    def choose(self):
        return "relay", self.random.choice(self.world.fleet.relays).number


class Kill(OfRelay):
    name = "relay killed"
    weight = 3
    span = (0, 2)

    def strike(self):
        self.relay.kill()

    def heal(self):
        self.relay.start()


class GracefulEnd(OfRelay):
    name = "relay ended by SIGTERM"
    weight = 3
    span = (0, 2)
    repeats = False

    def strike(self):
        self.relay.end()

    def heal(self):
        self.relay.start()


class ShortFreeze(OfRelay):
    name = "relay stopped for seconds"
    weight = 2
    span = (1, 6)

    def strike(self):
        self.relay.freeze()

    def heal(self):
        self.relay.thaw()


class LongFreeze(ShortFreeze):
    name = "relay stopped for more than 31 s"
    weight = 0.5
    span = (32, 45)
    needs_witness = True


class Termination(Fault):
    name = "session ended by the server"
    weight = 3

    def choose(self):
        return "session", self.random.choice(self.world.fleet.relays).number

    def strike(self):
        try:
            with self.world.server.connect() as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_addr = %s::inet", [self.relay.host.address]
                )
        except psycopg.OperationalError:
            self.note = "the server was down"


class Crash(Fault):
    name = "server crashed"
    weight = 1
    span = (0, 3)

    def choose(self):
        return "server", ""

    def strike(self):
        self.world.server.crash()

    def heal(self):
        self.world.server.start()


class OfLine(Fault):
    def choose(self):
        return "line", self.random.choice(self.world.fleet.relays).number


class Dropped(OfLine):
    name = "packets dropped for seconds"
    weight = 2
    span = (1, 6)

    def strike(self):
        self.relay.host.drop_packets()

    def heal(self):
        self.relay.host.pass_packets()


class LongDropped(Dropped):
    name = "packets dropped for more than 31 s"
    weight = 0.5
    span = (32, 45)
    needs_witness = True


class LinkDown(OfLine):
    name = "link down"
    weight = 2
    span = (1, 6)

    def strike(self):
        self.relay.host.lower_link()

    def heal(self):
        self.relay.host.raise_link()


class OfDestination(Fault):
    def choose(self):
        return "destination", self.random.choice(list(DESTINATIONS))

    @property
    def mood(self):
        return self.world.receiver.destinations[self.target[1]].mood


class Down(OfDestination):
    name = "destination down"
    weight = 2
    span = (1, 5)

    def strike(self):
        self.world.receiver.close(self.target[1])

    def heal(self):
        self.world.receiver.open(self.target[1])


class Unavailable(OfDestination):
    name = "destination answers 503"
    span = (1, 5)
    repeats = False

    def strike(self):
        self.mood.is_unavailable = True

    def heal(self):
        self.mood.is_unavailable = False


class Slow(OfDestination):
    name = "destination slow"
    weight = 2
    span = (2, 6)

    def strike(self):
        self.mood.is_slow = True

    def heal(self):
        self.mood.is_slow = False


class FailingKey(OfDestination):
    name = "destination fails for one key"
    weight = 2
    span = (2, 8)
    repeats = halts = False

    def strike(self):
        self.mood.failing_key = f"k{self.random.randint(1, KEYS)}"

    def heal(self):
        self.mood.failing_key = None


class FailingRarely(OfDestination):
    name = "destination fails for 1 in 1,000"
    span = (8, 16)
    repeats = halts = False

    def strike(self):
        self.mood.one_in = 1000

    def heal(self):
        self.mood.one_in = 0


class OfStreams(Fault):
    repeats = False

    def choose(self):
        return "streams", self.random.choice(list(DESTINATIONS))

    def operate(self, command, *arguments):
        """Runs `outbox stream`, as an operator does. Returns whether it succeeded."""
        result = subprocess.run(
            [self.world.program, "stream", command, "--postgres", self.world.server.local_url, self.target[1], *map(str, arguments)],
            capture_output=True, text=True,
        )
        if result.returncode != 0:
            self.note = f"{command}: {result.stderr.strip().splitlines()[-1:]}"
        return result.returncode == 0


class Split(OfStreams):
    name = "split or merged"
    weight = 3

    def strike(self):
        parts = self.world.parts[self.target[1]]
        into = 1 if parts > 1 else 8 if self.target[1] == "orders" else self.random.choice([2, 4, 8])
        arguments = ["merge"] if into == 1 else ["split", "--into", into]
        if self.operate(*arguments, "--wait", "10s"):
            self.world.parts[self.target[1]] = into


class Pause(OfStreams):
    name = "paused and resumed"
    span = (1, 4)

    def strike(self):
        self.operate("pause")

    def heal(self):
        # The server may be down.
        while not self.operate("resume"):
            time.sleep(0.2)


KINDS = [
    Kill, GracefulEnd, ShortFreeze, LongFreeze, Termination, Crash, Dropped, LongDropped, LinkDown, Down, Unavailable, Slow, FailingKey,
    FailingRarely, Split, Pause,
]


@dataclass(frozen=True)
class Occurrence:
    """A fault that was, for the analysis."""

    kind: str
    target: tuple
    begin: float
    end: float
    repeats: bool
    halts: bool
    note: str

    @classmethod
    def of(cls, fault):
        return cls(fault.name, fault.target, fault.begin, fault.end, fault.repeats, fault.halts, fault.note)
