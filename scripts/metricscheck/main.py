"""What scripts/metrics checks of a relay that runs."""

import pathlib
import re
import subprocess
import sys
import time

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

import documents
from world import eventually, get, world

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
# What a producer may call a destination.
STRANGE = 'a"b\\c\nd é 🐘 {x="1"} 5'
ROUTES = ["--route", "good=discard", "--route", "down=exec:exit 69", "--route", "dead=exec:exit 65",
          "--route", "late=exec:exit 1", "--initial-delay", "1h"]


def samples(families):
    """The value of each sample, by its name and labels; there is one of each."""
    found = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


def scrape(address):
    type, text = get(address + "/metrics")
    assert type == "text/plain; version=0.0.4; charset=utf-8", type
    lint = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert lint.returncode == 0 and not lint.stderr, lint.stderr.decode()
    type, other = get(address + "/metrics", OPENMETRICS)
    assert type == "application/openmetrics-text; version=1.0.0; charset=utf-8", type
    assert other.endswith(b"\n# EOF\n")
    families = list(read_openmetrics(other.decode()))
    one, two = samples(read_text(text.decode())), samples(families)
    assert one.keys() == two.keys(), one.keys() ^ two.keys()
    return one, families


def of(found, name, destination, **labels):
    labels |= {"destination": destination, "subscription": "main"}
    return found.get((name, tuple(sorted(labels.items()))))


def check(here, address):
    """The numbers of a scrape are those of the database."""
    def is_settled():
        found = samples(read_text(get(address + "/metrics")[1].decode()))
        return (
            of(found, "outbox_destination_state", "down", state="down") and of(found, "outbox_dead_letters", "dead") == 3
            and of(found, "outbox_messages_deferred", "late") == 3 and of(found, "outbox_messages_waiting", "good") == 0
            and of(found, "outbox_destination_state", STRANGE, state="never served"))

    eventually(is_settled)
    found, families = scrape(address)
    rows = here.sql("SELECT destination, messages, deferred FROM outbox.lag")
    rows += [[STRANGE, here.sql("SELECT count(*) FROM outbox.message WHERE destination LIKE 'a%'")[0][0], None]]
    assert len(rows) == 5, rows
    dead = dict(here.sql("SELECT destination, count(*) FROM outbox.dead_letter GROUP BY 1"))
    for destination, waiting, deferred in rows:
        assert of(found, "outbox_messages_waiting", destination) == float(waiting), (destination, waiting)
        if deferred is not None:
            assert of(found, "outbox_messages_deferred", destination) == float(deferred), (destination, deferred)
            assert of(found, "outbox_dead_letters", destination) == float(dead.get(destination, 0)), destination
    assert of(found, "outbox_oldest_waiting_age_seconds", "down") > 0
    assert of(found, "outbox_oldest_deferred_age_seconds", "late") > 0
    assert of(found, "outbox_oldest_waiting_age_seconds", "good") == 0
    assert of(found, "outbox_messages_delivered_total", "good") == 3
    assert of(found, "outbox_messages_dead_lettered_total", "dead") == 3
    assert of(found, "outbox_messages_retried_total", "late") == 3
    assert of(found, "outbox_destination_down", "down") == 1 and of(found, "outbox_destination_down", "good") == 0
    assert of(found, "outbox_messages_in_flight", "down") == 3
    assert of(found, "outbox_read_lag_seconds_count", "good") >= 1
    assert found[("outbox_database_up", ())] == 1 and found[("outbox_relay_streams", ())] == 4
    print(f"metrics: {len(found)} samples of {len(families)} families are read by promtool and prometheus_client, "
          "and are those of the database")
    return families


def load(here):
    """Prints what a scrape takes where there is much: 1,000 destinations, 20,000 waiting messages, 100,000 dead letters."""
    enqueue = """
        INSERT INTO outbox.message (destination, key, payload)
        SELECT 'd' || i % 1000, 'k' || i, 'x' FROM generate_series(1, {}) AS i
        """
    here.sql(enqueue.format(1000))
    with here.relay("--route", "*=discard") as address:
        eventually(lambda: b"outbox_relay_streams 1000\n" in get(address + "/metrics")[1])
        here.sql("UPDATE outbox.stream SET paused_at = now()")
        here.sql(enqueue.format(20000))
        here.sql("""
            INSERT INTO outbox.dead_letter (id, created_at, destination, key, payload, attempts, reason, last_error)
            SELECT 1000000 + i, now(), 'd' || i % 1000, 'k' || i, 'x', 1, 'rejected', 'e' FROM generate_series(1, 100000) AS i
            """)
        here.sql("VACUUM ANALYZE")
        look = 0.0
        for _ in range(3):
            # Until the last look is old.
            time.sleep(max(20 * look, 5) + 1)
            times = []
            for _ in range(2):
                begin = time.monotonic()
                _, text = get(address + "/metrics")
                times.append(time.monotonic() - begin)
            look = float(re.search(rb"^outbox_database_look_seconds (\S+)$", text, re.M)[1])
            print(f"a scrape with a look {times[0]:.3f} s, of which the look {look:.3f} s; without one {times[1]:.3f} s; "
                  f"{len(text) / 1e6:.2f} MB, {text.count(b'}')} samples")


def main():
    with world() as here:
        if "--load" in sys.argv:
            return load(here)
        for destination in ["good", "down", "dead", "late", STRANGE]:
            for number in range(3):
                here.outbox("enqueue", destination, f"{number}")
        with here.relay(*ROUTES) as address:
            families = check(here, address)
            documents.check({family.name: family for family in families}, pathlib.Path("docs"))


main()
