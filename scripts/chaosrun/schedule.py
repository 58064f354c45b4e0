"""Which fault comes next."""

import random
import threading
import time

from faults import KINDS, Occurrence

# How much time is left for a long fault to be healed in.
RESERVE = 1


class Schedule:
    """A fault every so often, chosen from a seed. The same seed chooses the same faults as long as the same things are free to strike."""

    def __init__(self, world, seed, every, seconds):
        self.world, self.seed, self.every, self.seconds = world, seed, every, seconds
        self.random = random.Random(f"{seed} faults")
        self.lock = threading.Lock()
        # What is being struck, by target.
        self.active = {}
        self.past = []
        self.failures = []
        self.threads = []

    def run(self, report):
        begin = time.monotonic()
        number = 0
        while (now := time.monotonic() - begin) < self.seconds:
            number += 1
            fault = self.next(number, self.seconds - now)
            if fault is not None:
                report(now, fault)
                self.start(fault)
            self.world.wait(max(0, number * self.every - (time.monotonic() - begin)))
        for thread in self.threads:
            thread.join()

    def next(self, number, left):
        kinds, weights = KINDS, [kind.weight for kind in KINDS]
        with self.lock:
            # A thing that is being struck already, or is to be left alone: another choice.
            for attempt in range(20):
                choice = random.Random(f"{self.seed} {number} {attempt}")
                fault = choice.choices(kinds, weights)[0](self.world, choice)
                if fault.seconds + RESERVE > left and fault.seconds > RESERVE:
                    if fault.needs_witness:
                        continue
                    fault.seconds = max(RESERVE, min(fault.seconds, left - RESERVE))
                if self.fits(fault):
                    self.active[fault.target] = fault
                    return fault
        return None

    def fits(self, fault):
        if fault.target in self.active:
            return False
        long = [other for other in self.active.values() if other.needs_witness]
        if fault.needs_witness:
            # One at a time, and not while what it needs is struck.
            return not long and not any(self.disturbs(other, fault) for other in self.active.values())
        return not any(self.disturbs(fault, other) for other in long)

    def disturbs(self, fault, long):
        """Whether a fault takes the witness from a long one: the server, or the relay after the one that is struck."""
        thing, name = fault.target
        witness = long.target[1] % len(self.world.fleet.relays) + 1
        return thing == "server" or (thing in ("relay", "line", "session") and name in (witness, long.target[1]))

    def start(self, fault):
        thread = threading.Thread(target=self.carry_out, args=(fault,))
        self.threads.append(thread)
        thread.start()

    def carry_out(self, fault):
        try:
            fault.run()
        except BaseException as error:
            # The script itself is wrong, or its surroundings are.
            fault.end = time.monotonic()
            self.failures.append(f"“{fault.name}” at {fault.target} could not be carried out: {error!r}")
        with self.lock:
            del self.active[fault.target]
            self.past.append(Occurrence.of(fault))
