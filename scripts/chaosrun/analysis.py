"""What came of a run: pure functions of what was committed, what was delivered and what went wrong."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

# How long a fault may still be felt after it was healed: packets are sent again after a pause that doubles, calls run into their limits.
ECHO = 8


@dataclass
class Order:
    """Messages of keys that came for the first time after a newer one; and repetitions of older ones after newer ones."""

    violations: list = field(default_factory=list)
    repeated_late: int = 0


def order(deliveries):
    result = Order()
    newest, seen = {}, set()
    for delivery in deliveries:
        if delivery.key is None:
            continue
        place = delivery.destination, delivery.key
        last = newest.get(place)
        if last is not None and delivery.number < last.number:
            if delivery.token in seen:
                result.repeated_late += 1
            else:
                result.violations.append((last, delivery))
        else:
            newest[place] = delivery
        seen.add(delivery.token)
    return result


@dataclass
class Repeats:
    """How often a message came that had come before, by the fault that explains it; and those that none explains."""

    count: int = 0
    by_fault: Counter = field(default_factory=Counter)
    unexplained: list = field(default_factory=list)


def repeats(deliveries, faults):
    result = Repeats()
    causes = sorted((fault for fault in faults if fault.repeats), key=lambda fault: fault.begin)
    before = defaultdict(list)
    for delivery in deliveries:
        earlier = before[delivery.token]
        if earlier:
            result.count += 1
            cause = next((fault for fault in reversed(causes) if explains(fault, earlier[-1], delivery)), None)
            if cause is None:
                result.unexplained.append((earlier[-1], delivery))
            else:
                result.by_fault[cause] += 1
        earlier.append(delivery)
    return result


def explains(fault, first, second):
    """Whether a message may have come twice because of a fault: it was in force between the two, at the relay that delivered one of them, at the
    destination, or at the server.
    """
    if fault.begin > second.time or fault.end + ECHO + (fault.end - fault.begin) < first.time:
        return False
    thing, name = fault.target
    if thing in ("relay", "line", "session"):
        return name in (first.relay, second.relay)
    return thing in ("server", "machine") or name == second.destination


def late_calls(deliveries, fault):
    """The messages that a relay delivered when it went on, behind newer ones that others had delivered meanwhile: calls that had begun before it was stopped
    or cut off, so there are no more than it may make at a time.
    """
    relay = fault.target[1]
    newest, result = {}, []
    for delivery in deliveries:
        if delivery.key is None:
            continue
        place = delivery.destination, delivery.key
        last = newest.get(place)
        if (
            last is not None and delivery.number < last.number and delivery.relay == relay
            and fault.end <= delivery.time <= fault.end + ECHO and last.relay != relay and fault.begin < last.time
        ):
            result.append(delivery)
        if last is None or delivery.number > last.number:
            newest[place] = delivery
    return result


@dataclass(frozen=True)
class Stall:
    """A time in which a destination that had something waiting got nothing."""

    destination: str
    begin: float
    end: float
    # The relay that delivered the last message before it; None: there was none.
    relay: int | None = None

    @property
    def seconds(self):
        return self.end - self.begin


def stalls(committed, deliveries):
    """`committed`: when it was known to be, by (destination, token)."""
    arrivals = defaultdict(list)
    first = {}
    for delivery in deliveries:
        arrivals[delivery.destination].append(delivery)
        first.setdefault(delivery.token, delivery.time)
    changes = defaultdict(list)
    for (destination, token), time in committed.items():
        # One that is delivered before its producer knows of the commit has never waited.
        if token in first and time < first[token]:
            changes[destination] += [(time, 1, 0), (first[token], -1, 0)]
    result = []
    for destination, steps in changes.items():
        steps += [(delivery.time, 0, delivery.relay) for delivery in arrivals[destination]]
        waiting, since, last = 0, None, None
        # At one time, what is delivered counts before what is committed.
        for time, change, relay in sorted(steps):
            if change == 1:
                since = time if waiting == 0 else since
            elif waiting and time > since:
                result.append(Stall(destination, since, time, last))
                since = time
            last = relay or last
            waiting += change
    return result


def fault_of(stall, faults):
    """The fault to which a stall is put down. One that can halt a destination comes before one that cannot; what struck the relay that
    delivered last, the destination or the server before what struck other relays; then what was in force for most of it, and of what lasts no
    time the latest.
    """
    best, most = None, None
    for fault in faults:
        thing, name = fault.target
        if thing in ("destination", "streams") and name != stall.destination:
            continue
        overlap = min(fault.end, stall.end) - max(fault.begin, stall.begin)
        # A second more: what is noticed or taken over later.
        if overlap < -1 or fault.begin > stall.end:
            continue
        is_near = thing not in ("relay", "line", "session") or name == stall.relay
        measure = (fault.halts, is_near, max(0, overlap), fault.begin)
        if most is None or measure > most:
            best, most = fault, measure
    return best


def longest_stalls(stalls, faults, least=0.2):
    """By kind of fault, its longest stall and the fault itself; None: no fault was in force."""
    result = {}
    for stall in sorted(stalls, key=lambda stall: stall.seconds, reverse=True):
        if stall.seconds < least:
            break
        fault = fault_of(stall, faults)
        result.setdefault(fault.kind if fault else None, (stall, fault))
    return result


def longest_wait(committed, deliveries):
    """The longest time between a commit and the first delivery."""
    first = {}
    for delivery in deliveries:
        first.setdefault(delivery.token, delivery.time)
    return max((first[token] - time for (_, token), time in committed.items() if token in first), default=0)
