"""Twenty thousand messages through connections that break, answers that are lost or late, and requests that are refused, to a
broker that checks sequence numbers.

    faults.py [SEED]

The broker answers OUT_OF_ORDER_SEQUENCE_NUMBER to a gap and DUPLICATE_SEQUENCE_NUMBER to a repetition, as Kafka does.
"""

import collections
import random
import subprocess
import sys
import threading
import time

import broker
from protocol import INIT_PRODUCER_ID, PRODUCE, framed, refusal
from proxy import Cut, Proxy

COUNT, KEYS, LANES, BATCH = 20_000, 50, 8, 100
# How many messages share a request, and how many requests a producer has on the wire for a partition.
REQUEST, REQUESTS = 25, 5

# Of a hundred produce requests, how many fare how.
SHARES = {"cut before": 3, "cut behind": 3, "cut within": 2, "late": 5, "silent": 0.2, "refused": 3, "stored, refused": 2, "denied": 0.5}

# What Kafka says in passing: the leader is another, too few replicas, too late, too few replicas took it, the log cannot be written.
NOT_LEADER, TIMED_OUT, NOT_ENOUGH, NOT_ENOUGH_AFTER_APPEND, STORAGE = 6, 7, 19, 20, 56
# And for good: this user may not write to the topic.
DENIED = 29


class Faults(Proxy):
    def __init__(self, seed):
        super().__init__()
        self.random = random.Random(seed)
        self.done = collections.Counter()
        # A partition takes one request at a time, whatever connection it comes from.
        self.log = threading.Lock()
        self.is_calm = False

    def fault(self):
        chance = self.random.uniform(0, 100)
        for name, share in SHARES.items():
            chance -= share
            if chance < 0:
                return name
        return None

    def serve(self, connection):
        connection.is_silent = False
        super().serve(connection)

    def handle(self, connection, request):
        if self.is_calm:
            return super().handle(connection, request)
        if request.key != PRODUCE:
            self.done["producers"] += request.key == INIT_PRODUCER_ID
            if self.random.uniform(0, 100) < 2:
                self.count("cut elsewhere")
                raise Cut
            answer = connection.forward(request)
            return None if connection.is_silent else connection.send(answer)
        fault = self.fault()
        self.count("requests")
        if fault:
            self.count(fault)
        if fault == "cut before":
            raise Cut
        if fault in ("refused", "denied"):
            code = DENIED if fault == "denied" else self.random.choice([NOT_LEADER, TIMED_OUT, NOT_ENOUGH, STORAGE])
            answer = refusal(request, code)
        else:
            with self.log:
                answer = connection.forward(request)
        if fault == "cut behind":
            raise Cut
        if fault == "cut within":
            connection.client.sendall(framed(answer)[: self.random.randrange(1, len(answer) + 4)])
            raise Cut
        if fault == "stored, refused":
            answer = refusal(request, self.random.choice([TIMED_OUT, NOT_ENOUGH_AFTER_APPEND]))
        if fault == "late":
            time.sleep(self.random.uniform(0, 0.1))
        connection.is_silent |= fault == "silent"
        if not connection.is_silent:
            connection.send(answer)

    def count(self, what):
        self.done[what] += 1


def check(records, repetitions):
    """Nothing lost, the first arrivals of each key in order."""
    seen, last, repeated = set(), {}, 0
    for record in records:
        number = int(record.value())
        if record.key() != b"k%d" % (number % KEYS):
            raise SystemExit(f"kafka-wire: message {number} has the key {record.key()}")
        if number in seen:
            repeated += 1
            continue
        seen.add(number)
        if last.get(number % KEYS, -1) > number:
            raise SystemExit(f"kafka-wire: message {number} comes after {last[number % KEYS]} of its key")
        last[number % KEYS] = number
    missing = set(range(COUNT)) - seen
    if missing:
        raise SystemExit(f"kafka-wire: {len(missing)} messages are lost, such as {sorted(missing)[:5]}")
    if repeated > repetitions:
        raise SystemExit(f"kafka-wire: {repeated} messages arrived twice, more than {repetitions}")
    return repeated


def run(seed):
    proxy = Faults(seed)
    with broker.running(advertised=f"127.0.0.1:{proxy.port}") as port:
        proxy.start(port)
        command, environment = broker.produce(
            "numbered", f"kafka://127.0.0.1:{proxy.port}?topic={broker.TOPIC}&batch.num.messages={REQUEST}&request.timeout.ms=500"
            "&socket.timeout.ms=1000&reconnect.backoff.ms=1&reconnect.backoff.max.ms=20&retry.backoff.ms=5&contact-timeout=0.5",
            str(COUNT), str(KEYS), str(LANES), str(BATCH))
        said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=300).stdout.strip()
        proxy.is_calm = True
        # Stored twice is at most what each producer had on the wire when it was given up.
        repetitions = proxy.done["producers"] * REQUESTS * REQUEST * broker.PARTITIONS
        repeated = check(broker.read(port, lambda records: len(records) >= COUNT), repetitions)
        proxy.close()
    faults = ", ".join(f"{count} {name}" for name, count in proxy.done.items())
    print(f"kafka-wire: {COUNT} messages of {KEYS} keys: none lost, keys in order, {repeated} twice of at most {repetitions} ({faults}; {said})")


if __name__ == "__main__":
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1_000_000)
    print(f"kafka-wire: faults of seed {seed}", flush=True)
    run(seed)
