"""Compares what is at the broker with what should be there, byte for byte."""

import collections
import subprocess

import broker


def line(record):
    headers = record.headers() or []
    own = {"outbox-id", "outbox-enqueued-at"}
    if sorted(name for name, _ in headers if name in own) != sorted(own):
        raise SystemExit(f"kafka-wire: a record has not each of {sorted(own)} once: {headers}")
    headers = [f"{name.encode().hex()}={value.hex()}" for name, value in headers if name not in own]
    key = record.key()
    return " ".join(["-" if key is None else key.hex(), (record.value() or b"").hex(), ",".join(headers)])


def compare(expected, records):
    lines = [line(record) for record in records]
    if sorted(lines) != sorted(expected):
        missing = collections.Counter(expected) - collections.Counter(lines)
        surplus = collections.Counter(lines) - collections.Counter(expected)
        raise SystemExit(
            f"kafka-wire: {sum(missing.values())} of {len(expected)} records are missing, {sum(surplus.values())} are too many\n"
            + "\n".join(["missing: " + text[:200] for text in list(missing)[:3]] + ["surplus: " + text[:200] for text in list(surplus)[:3]]))
    for key in {text.split(" ")[0] for text in expected} - {"-"}:
        if [text for text in lines if text.startswith(key + " ")] != [text for text in expected if text.startswith(key + " ")]:
            raise SystemExit(f"kafka-wire: the records of key {bytes.fromhex(key)!r} are out of order")
    print(f"kafka-wire: {len(lines)} records have arrived as they were enqueued, in the order of their keys")


if __name__ == "__main__":
    with broker.running() as port:
        command, environment = broker.produce("contents", f"kafka://127.0.0.1:{port}?topic={broker.TOPIC}")
        expected = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        compare(expected, broker.read(port, lambda records: len(records) >= len(expected)))
