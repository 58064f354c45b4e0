"""What a run prints, and what of it is a failure."""

from collections import Counter

import analysis
from faults import Occurrence


class Report:
    def __init__(self, world, schedule, produced, deliveries, settled):
        self.world, self.seed, self.seconds = world, schedule.seed, schedule.seconds
        pauses = [
            Occurrence("(this machine stood still)", ("machine", ""), begin, end, repeats=True, halts=True, note="")
            for begin, end in world.receiver.pauses
        ]
        self.faults = sorted(schedule.past + pauses, key=lambda fault: fault.begin)
        self.produced, self.deliveries = produced, deliveries
        committed = world.committed(produced)
        # What was rolled back, and came nevertheless.
        self.unknown = {delivery.token for delivery in deliveries} - set(produced)
        self.lost = set(produced) - {delivery.token for delivery in deliveries}
        self.order = analysis.order(deliveries)
        self.repeats = analysis.repeats(deliveries, self.faults)
        self.stalls = analysis.longest_stalls(analysis.stalls(committed, deliveries), self.faults)
        self.wait = analysis.longest_wait(committed, deliveries)
        self.late_calls = max(
            (len(analysis.late_calls(deliveries, fault)) for fault in self.faults if fault.kind.endswith("more than 31 s")), default=0
        )
        self.dead = world.dead_letters()
        self.failures = self.find_failures(schedule, settled)

    def find_failures(self, schedule, settled):
        found = []
        if self.lost:
            found.append(f"{len(self.lost)} messages are lost, such as {self.describe(min(self.lost))}")
        if settled is None and not self.lost:
            found.append("messages that were delivered stay deferred")
        if self.unknown:
            found.append(f"{len(self.unknown)} messages of transactions that were rolled back were delivered: {sorted(self.unknown)[:3]}")
        if self.order.violations:
            newer, older = self.order.violations[0]
            found.append(f"{len(self.order.violations)} messages are out of order, such as {older} after {newer}")
        if self.dead:
            found.append(f"{self.dead} messages are dead letters, and no destination refused one")
        if self.repeats.unexplained:
            first, second = self.repeats.unexplained[0]
            found.append(f"{len(self.repeats.unexplained)} repetitions that no fault explains, such as {second} after {first}")
        return found + self.world.fleet.complaints + schedule.failures

    def describe(self, token):
        destination, key, number = self.produced[token]
        return f"{token} ({destination}, key {key}, number {number})"

    def print(self):
        print(f"\nseed {self.seed}, {self.seconds:.0f} s, PostgreSQL {self.world.server.version()}\n")
        self.print_faults()
        self.print_messages()
        for failure in self.failures:
            print(f"chaos: with seed {self.seed}: {failure}")
        print("failed" if self.failures else "passed")

    def print_faults(self):
        times = Counter(fault.kind for fault in self.faults)
        repeated, most = Counter(), Counter()
        for fault, count in self.repeats.by_fault.items():
            repeated[fault.kind] += count
            most[fault.kind] = max(most[fault.kind], count)
        rows = [["fault", "times", "longest stall", "of it after the fault", "repeated", "most by one"]]
        for kind in sorted(times, key=lambda kind: -times[kind]):
            rows.append([kind, times[kind], *self.stall_columns(kind), repeated[kind], most[kind]])
        if None in self.stalls:
            rows.append(["no fault in force", "", *self.stall_columns(None), "", ""])
        self.print_table(rows)

    def stall_columns(self, kind):
        if kind not in self.stalls:
            return "-", "-"
        stall, fault = self.stalls[kind]
        after = stall.seconds if fault is None else max(0, stall.end - max(fault.end, stall.begin))
        return f"{stall.seconds:.1f} s", f"{after:.1f} s"

    def print_messages(self):
        explained = sum(self.repeats.by_fault.values())
        refused = ", ".join(f"{reason}: {count}" for reason, count in sorted(self.world.receiver.refusals.items())) or "none"
        refused_commands = Counter(fault.kind for fault in self.faults if fault.note)
        commands = ", ".join(f"{kind}: {count}" for kind, count in refused_commands.items()) or "none"
        self.print_table([
            ["messages", ""],
            ["committed", len(self.produced)],
            ["delivered", len(self.produced) - len(self.lost)],
            ["lost", len(self.lost)],
            ["out of order by key", len(self.order.violations)],
            ["repeated", self.repeats.count],
            ["of these after a newer one of their key", self.order.repeated_late],
            ["of these explained by a fault", explained],
            ["largest repetition by one fault", max(self.repeats.by_fault.values(), default=0)],
            ["late calls of a relay that went on, at most", self.late_calls],
            ["rolled back and delivered", len(self.unknown)],
            ["dead letters", self.dead],
            ["longest wait of a message", f"{self.wait:.1f} s"],
            ["starts of relays", sum(relay.starts for relay in self.world.fleet.relays)],
            ["of these without a server", sum(relay.refused_starts for relay in self.world.fleet.relays)],
        ])
        print(f"Answers that refused a message: {refused}.\nFaults that met another one, such as a command without a server: {commands}.\n")

    @staticmethod
    def print_table(rows):
        """As Markdown, so that it can be put into a page."""
        widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
        for number, row in enumerate(rows):
            cells = [str(cell).ljust(width) if column == 0 else str(cell).rjust(width) for column, (cell, width) in enumerate(zip(row, widths))]
            print("| " + " | ".join(cells) + " |")
            if number == 0:
                print("|" + "|".join("-" * (width + 2) if column == 0 else "-" * (width + 1) + ":" for column, width in enumerate(widths)) + "|")
        print(flush=True)
