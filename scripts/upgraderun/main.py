"""The upgrade of docs/upgrading.md under load: main.py FOLDER PROGRAM [BEFORE]. See scripts/upgrade."""

import contextlib
import os
import pathlib
import re
import subprocess
import sys
import time

import addition
from load import Load

FOLDER = pathlib.Path(sys.argv[1])
PROGRAM = sys.argv[2]
BEFORE = sys.argv[3] if len(sys.argv) > 3 else None
LINES = FOLDER / "delivered.ndjson"
LIMIT = 60


def run(*words, input=None, **environment):
    return subprocess.run(
        words, input=input, capture_output=True, text=True, timeout=LIMIT, check=False, env={**os.environ, "PGUSER": "postgres", **environment})


def done(ended):
    if ended.returncode != 0:
        raise SystemExit(f"upgrade: {ended.args} ended with {ended.returncode}: {ended.stdout}{ended.stderr}")
    return ended.stdout.strip()


def outbox(program, *arguments, **environment):
    return run(program, *arguments, **environment)


def script(text, **environment):
    return run("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f", "-", input=text, **environment)


def psql(text):
    return done(script(text))


class Relay:
    """A relay that has said that it delivers or stands by."""

    def __init__(self, name, program):
        self.name, self.log = name, FOLDER / f"{name}.log"
        with open(self.log, "wb") as errors:
            # The subscription's relays have one role.
            self.process = subprocess.Popen(
                [program, "relay", "--route", f"*=file:{LINES}", "--postgres", "user=relay"], stderr=errors)
        end = time.monotonic() + LIMIT
        while not re.search(r"Delivering|Other relays", self.log.read_text()):
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"upgrade: {name} does not begin: {self.log.read_text()}")
            time.sleep(0.02)

    def end(self):
        self.process.terminate()
        if self.process.wait(timeout=LIMIT) != 0:
            raise SystemExit(f"upgrade: {self.name} ended with {self.process.returncode}: {self.log.read_text()}")


@contextlib.contextmanager
def open_transaction():
    """A session that has read a table of the outbox and stays in its transaction."""
    with subprocess.Popen(["psql", "-XqAt", "-U", "postgres"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        session.stdin.write("BEGIN; SELECT count(*) FROM outbox.stream; \n")
        session.stdin.flush()
        session.stdout.readline()
        try:
            yield
        finally:
            session.stdin.close()


def main():
    old, new = BEFORE or PROGRAM, PROGRAM
    psql("CREATE ROLE shop LOGIN; CREATE ROLE relay LOGIN;")
    done(outbox(old, "migrate", "up"))
    version = int(psql("SELECT max(version) FROM outbox.migration"))
    next = newest(new) if BEFORE else version + 1
    if next <= version:
        raise SystemExit(f"upgrade: {BEFORE} knows version {version} already, as {PROGRAM} does")

    def grants(program):
        psql(done(outbox(program, "schema", "--grants", "--producer", "shop", "--relay", "relay")))

    def up(**environment):
        return outbox(new, "migrate", "up", **environment) if BEFORE else script(addition.up(version), **environment)

    def down(**environment):
        words = "migrate", "down", "--to", str(version), "--yes"
        return outbox(new, *words, **environment) if BEFORE else script(addition.down(version), **environment)

    grants(old)
    print(f"upgrade: schema {version} to {next}, " + ("the program before and the new one" if BEFORE else "a migration that only adds, under the program of now"))
    load = Load(LINES)
    first = Relay("first", old)
    try:
        steps(load, version, first, old, new, up, down, grants)
    except BaseException:
        load.abandon()
        raise
    print("upgrade: " + load.check())


def newest(program):
    """The newest version of the schema that a program knows."""
    return max(int(number) for number in re.findall(r"^-- (\d{4}) ", done(outbox(program, "schema")), re.M))


def migrated(step):
    """Until it is done: one that is given up, because of a deadlock with those who work, has changed nothing."""
    for _ in range(10):
        ended = step(PGOPTIONS="-c lock_timeout=500ms")
        if ended.returncode == 0:
            return
        if not re.search("deadlock|lock timeout", ended.stderr):
            break
        print(f"upgrade: a step was given up, and is tried again: {ended.stderr.splitlines()[0]}")
    done(ended)


def steps(load, version, first, old, new, up, down, grants):
    load.phase("before", 1)

    # A transaction that stays open holds a migration up, and behind it all others: lock_timeout gives it up.
    with open_transaction():
        ended = up(PGOPTIONS="-c lock_timeout=500ms")
        if ended.returncode == 0 or "lock timeout" not in ended.stderr:
            raise SystemExit(f"upgrade: a migration that waits for a lock was not given up: {ended.stderr}")
    if psql("SELECT max(version) FROM outbox.migration") != str(version):
        raise SystemExit("upgrade: a migration that was given up has changed the schema")
    load.phase("a migration is given up after 500 ms", 0.5)

    migrated(up)
    load.phase("the schema is migrated", 0.5)
    grants(new)
    # The program before works with it.
    done(outbox(old, "migrate", "status"))
    load.phase("grants", 0.5)
    second = Relay("second", new)
    load.phase("the new relay begins", 2)
    first.end()
    load.phase("the old one ends", 2)

    # The way back: the program first, and the schema only then.
    third = Relay("third", old)
    second.end()
    load.phase("back: the old program again", 1.5)
    migrated(down)
    load.phase("back: the old schema again", 1)
    load.stop()
    load.phase("the rest", 0)
    third.end()


main()
