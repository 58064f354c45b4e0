"""Applications that enqueue, each in a way of its own, until standard input ends.

    producers.py CONNINFO SEED FILE

A message with a key has a number: the key's row is locked by counting it up before the message is inserted, so transactions that
write a key take turns, as the order by key demands. What a transaction enqueues it notes in `chaos.produced`, which depends on
nothing of the outbox; FILE gets a line for each message with the time at which its producer knew of the commit.
"""

import itertools
import json
import random
import sys
import threading
import time

import psycopg

import receiver

DESTINATIONS = list(receiver.DESTINATIONS)
KEYS = 100

SETUP = """
CREATE SCHEMA chaos;
CREATE TABLE chaos.key (destination text, key text, number bigint NOT NULL DEFAULT 0, PRIMARY KEY (destination, key))
    WITH (fillfactor = 50);
CREATE TABLE chaos.produced (token bigint PRIMARY KEY, destination text NOT NULL, key text, number bigint NOT NULL);
"""


def set_up(connection):
    connection.execute(SETUP)
    connection.execute(
        "INSERT INTO chaos.key (destination, key) SELECT d, 'k' || n FROM unnest(%s::text[]) d, generate_series(1, %s) n",
        [DESTINATIONS, KEYS],
    )


class Producer:
    """One session, which connects again when it is lost."""

    # How long it rests between two transactions, at most.
    rest = 0.1
    options = ""

    tokens = itertools.count(1)
    notes_lock = threading.Lock()

    def __init__(self, conninfo, seed, notes, is_over):
        self.conninfo, self.notes, self.is_over = conninfo, notes, is_over
        self.name = type(self).__name__
        self.random = random.Random(f"{seed} {self.name}")
        self.enqueued = []

    def run(self):
        while not self.is_over.is_set():
            try:
                with psycopg.connect(self.conninfo, connect_timeout=5, autocommit=True, options=self.options) as connection:
                    self.tidy(connection)
                    while not self.is_over.is_set():
                        self.enqueued = []
                        try:
                            self.work(connection)
                            self.note()
                        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
                            pass
                        self.pause(self.random.uniform(0, self.rest * 2))
            # A session that is lost at a rollback leaves the wish for it.
            except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.Rollback):
                self.is_over.wait(0.1)

    def tidy(self, connection):
        """What a lost session has left behind."""

    def work(self, connection):
        """One transaction, or none."""
        raise NotImplementedError

    def pause(self, seconds):
        self.is_over.wait(seconds)

    def note(self):
        now = time.monotonic()
        with Producer.notes_lock:
            self.notes.writelines(f"{token} {now}\n" for token in self.enqueued)
            self.notes.flush()

    def targets(self, count):
        """Destinations and keys, sorted, so that two transactions lock them in one order; a fifth has no key."""
        chosen = {(self.random.choice(DESTINATIONS), f"k{self.random.randint(1, KEYS)}") for _ in range(count)}
        return sorted(chosen), [self.random.choice(DESTINATIONS) for _ in range(count) if self.random.random() < 0.2]

    def make(self, connection, count, per_key=1):
        """Messages whose keys are locked and counted: (destination, key, payload)."""
        ordered, unordered = self.targets(count)
        messages = []
        for destination, key in ordered:
            last = connection.execute(
                "UPDATE chaos.key SET number = number + %s WHERE destination = %s AND key = %s RETURNING number",
                [per_key, destination, key],
            ).fetchone()[0]
            messages += [(destination, key, number) for number in range(last - per_key + 1, last + 1)]
        messages += [(destination, None, 0) for destination in unordered]
        return [self.message(connection, *message) for message in messages]

    def message(self, connection, destination, key, number):
        with Producer.notes_lock:
            token = next(Producer.tokens)
        connection.execute("INSERT INTO chaos.produced VALUES (%s, %s, %s, %s)", [token, destination, key, number])
        self.enqueued.append(token)
        return destination, key, json.dumps({"t": token, "k": key, "n": number}).encode()

    def insert(self, connection, messages):
        for message in messages:
            connection.execute("INSERT INTO outbox.message (destination, key, payload) VALUES (%s, %s, %s)", message)

    def call(self, connection, messages):
        for destination, key, payload in messages:
            connection.execute("SELECT outbox.enqueue(%s, %s, key => %s)", [destination, payload, key])


class Short(Producer):
    rest = 0.03

    def work(self, connection):
        with connection.transaction():
            self.insert(connection, self.make(connection, self.random.randint(1, 3)))


class Function(Producer):
    rest = 0.05

    def work(self, connection):
        with connection.transaction():
            self.call(connection, self.make(connection, self.random.randint(1, 3)))


class Serializable(Producer):
    rest = 0.05
    options = "-c default_transaction_isolation=serializable"

    def work(self, connection):
        with connection.transaction():
            connection.execute("SELECT count(*) FROM chaos.key WHERE number > 0")
            self.insert(connection, self.make(connection, 2))


class Long(Producer):
    """Ids are drawn at its beginning, and committed when others are long past them."""

    rest = 0.5

    def work(self, connection):
        with connection.transaction():
            self.insert(connection, self.make(connection, 1, per_key=2))
            self.pause(self.random.uniform(0.5, 6))
            self.insert(connection, [self.message(connection, self.random.choice(DESTINATIONS), None, 0)])


class Rollback(Producer):
    def work(self, connection):
        with connection.transaction() as transaction:
            self.insert(connection, self.make(connection, 2))
            if self.random.random() < 0.7:
                self.enqueued = []
                raise psycopg.Rollback(transaction)


class Savepoints(Producer):
    rest = 0.2

    def work(self, connection):
        with connection.transaction():
            self.insert(connection, self.make(connection, 1))
            # Deadlocks are possible from here on, as keys are locked in several turns: they are ended by the server.
            for _ in range(3):
                before = len(self.enqueued)
                with connection.transaction() as savepoint:
                    self.insert(connection, self.make(connection, 1))
                    if self.random.random() < 0.5:
                        del self.enqueued[before:]
                        raise psycopg.Rollback(savepoint)


class Batch(Producer):
    rest = 1

    def work(self, connection):
        with connection.transaction():
            messages = self.make(connection, self.random.randint(2, 8), per_key=4)
            connection.execute(
                "INSERT INTO outbox.message (destination, key, payload) SELECT * FROM unnest(%s::text[], %s::text[], %s::bytea[])",
                [list(column) for column in zip(*messages)],
            )


class Copy(Producer):
    rest = 2

    def work(self, connection):
        with connection.transaction(), connection.cursor() as cursor:
            messages = self.make(connection, self.random.randint(4, 10), per_key=8)
            with cursor.copy("COPY outbox.message (destination, key, payload) FROM STDIN") as copy:
                for message in messages:
                    copy.write_row(message)


class TwoPhase(Producer):
    """A transaction that is prepared outlives its session and the server's crash."""

    rest = 0.3

    def tidy(self, connection):
        finish_prepared(connection)

    def work(self, connection):
        name = f"chaos{self.random.randrange(1 << 40)}"
        connection.execute("BEGIN")
        try:
            # A transaction that is to be prepared cannot ring.
            connection.execute("SET LOCAL outbox.doorbell = 'off'")
            self.insert(connection, self.make(connection, 2))
            connection.execute(f"PREPARE TRANSACTION '{name}'")
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
            connection.execute("ROLLBACK")
            raise
        self.pause(self.random.uniform(0, 1.5))
        if self.random.random() < 0.8:
            connection.execute(f"COMMIT PREPARED '{name}'")
        else:
            self.enqueued = []
            connection.execute(f"ROLLBACK PREPARED '{name}'")


def finish_prepared(connection):
    for (name,) in connection.execute("SELECT gid FROM pg_prepared_xacts").fetchall():
        connection.execute(f"COMMIT PREPARED '{name}'")


KINDS = [Short, Function, Serializable, Long, Rollback, Savepoints, Batch, Copy, TwoPhase]


def main():
    conninfo, seed, file = sys.argv[1:]
    is_over = threading.Event()
    with open(file, "w") as notes:
        threads = [threading.Thread(target=kind(conninfo, seed, notes, is_over).run) for kind in KINDS]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        is_over.set()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main()
