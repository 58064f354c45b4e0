"""The client of scripts/kafka-wire: creates the topic, and compares what is there with what should be."""

import collections
import sys
import time

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

TOPIC = "wire"
PARTITIONS = 3


def create(brokers):
    limit = time.monotonic() + 30
    while True:
        try:
            admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
            admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)], request_timeout=5)[TOPIC].result(5)
            return
        except Exception as error:
            if time.monotonic() > limit:
                raise SystemExit(f"kafka-wire: no topic can be created: {error}")
            time.sleep(0.1)


def read(brokers, count):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "wire", "enable.auto.commit": False})
    consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in range(PARTITIONS)])
    records, limit = [], time.monotonic() + 30
    while len(records) < count and time.monotonic() < limit:
        record = consumer.poll(0.5)
        if record is not None and record.error() is None:
            records.append(record)
    # One too many would come now.
    extra = consumer.poll(0.5)
    if extra is not None and extra.error() is None:
        records.append(extra)
    consumer.close()
    return records


def line(record):
    headers = record.headers() or []
    if sum(name == "outbox-id" for name, _ in headers) != 1:
        raise SystemExit(f"kafka-wire: a record has no single outbox-id: {headers}")
    headers = [f"{name.encode().hex()}={value.hex()}" for name, value in headers if name != "outbox-id"]
    key = record.key()
    return " ".join(["-" if key is None else key.hex(), (record.value() or b"").hex(), ",".join(headers)])


def compare(brokers, path):
    with open(path, encoding="utf-8") as file:
        expected = file.read().splitlines()
    lines = [line(record) for record in read(brokers, len(expected))]
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
    {"create": create, "compare": compare}[sys.argv[1]](*sys.argv[2:])
