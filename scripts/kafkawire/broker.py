"""A separate broker, and what a client finds there."""

import contextlib
import os
import socket
import subprocess
import time

from confluent_kafka import Consumer, TopicPartition

TOPIC = "wire"
PARTITIONS = 3


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(advertised=None):
    """Runs Tansu with an empty topic, and yields its port. Clients are sent to `advertised`; None: to the broker itself."""
    port = free_port()
    advertised = advertised or f"127.0.0.1:{port}"
    with open(f"{os.environ['WIRE_FOLDER']}/tansu-{port}.log", "wb") as log:
        process = subprocess.Popen(
            [os.environ["WIRE_TANSU"], "--listener-url", f"tcp://127.0.0.1:{port}", "--storage-engine", "memory://tansu/",
             "--advertised-listener-url", f"tcp://{advertised}"],
            stdout=log, stderr=log)
    try:
        create_topic(port)
        yield port
    finally:
        process.kill()
        process.wait()


def create_topic(port):
    """By the broker's own program, which does not go where clients are sent."""
    command = [os.environ["WIRE_TANSU"], "topic", "create", TOPIC, "--partitions", str(PARTITIONS), "--broker", f"tcp://127.0.0.1:{port}"]
    limit = time.monotonic() + 30
    while (result := subprocess.run(command, capture_output=True, text=True)).returncode != 0:
        if time.monotonic() > limit:
            raise SystemExit(f"kafka-wire: no topic can be created: {result.stderr}")
        time.sleep(0.02)


def read(port, is_enough):
    """All records of the topic, by partition and in their order, once `is_enough` says so of them, and what comes after."""
    consumer = Consumer({"bootstrap.servers": f"127.0.0.1:{port}", "group.id": "wire", "enable.auto.commit": False})
    consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in range(PARTITIONS)])
    records, limit = [], time.monotonic() + 30
    while time.monotonic() < limit:
        # Too many would come now.
        batch = consumer.consume(1000, 0.5 if is_enough(records) else 5)
        records += [record for record in batch if record.error() is None]
        if not batch and is_enough(records):
            break
    consumer.close()
    return records


def produce(mode, url, *arguments):
    """The command that runs the program under test with the library that the broker wants."""
    return [os.environ["WIRE_PROGRAM"], mode, url, *arguments], {**os.environ, "LD_LIBRARY_PATH": os.environ["WIRE_FOLDER"]}
