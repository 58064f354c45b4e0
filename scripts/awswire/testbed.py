"""What stands for AWS in the tests of OutboxAWS: a server, a proxy before it that can misbehave, and boto3 to read what has arrived.

    python3 testbed.py moto|open|ministack [SEED]

moto verifies signatures, “open” is moto that does not.

Prints a line of JSON with its ports and an access key, then takes commands, a JSON object a line, and answers each with a line. It ends with
“end”, with its input, or with the process that has started it, and takes its children along.
"""

import asyncio
import base64
import gc
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import partial

REGION = "eu-central-1"
os.environ.update(AWS_EC2_METADATA_DISABLED="true", MOTO_ACCOUNT_ID="123456789012")
for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
    os.environ.pop(name, None)


def free_port():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Backend:
    """The server itself."""

    def __init__(self, kind):
        self.kind = kind
        self.child = None
        self.key, self.secret = "test", "test"
        if kind in ("moto", "open"):
            self.start_moto(kind == "moto")
        else:
            self.start_ministack()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start_moto(self, verifies):
        # The first three calls create who may do anything, and are not verified; all others are.
        if verifies:
            os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "3"
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        server.start()
        self.port = server.get_host_and_port()[1]
        if not verifies:
            return
        iam = self.client("iam")
        iam.create_user(UserName="outbox")
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_user_policy(UserName="outbox", PolicyName="all", PolicyDocument=json.dumps(everything))
        key = iam.create_access_key(UserName="outbox")["AccessKey"]
        self.key, self.secret = key["AccessKeyId"], key["SecretAccessKey"]

    def start_ministack(self):
        self.port = free_port()
        self.folder = folder = tempfile.mkdtemp(prefix="outbox-ministack.")
        environment = dict(
            os.environ, BIND_HOST="127.0.0.1", IOT_MTLS_ENABLED="0", GATEWAY_PORT=str(self.port), HOME=folder, TMPDIR=folder
        )
        program = os.path.join(os.path.dirname(sys.executable), "ministack")
        self.child = subprocess.Popen(
            [program], env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 120
        while True:
            try:
                self.client("sqs").list_queues()
                return
            except Exception:
                if self.child.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def client(self, service):
        import boto3
        from botocore.config import Config

        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=self.key, aws_secret_access_key=self.secret,
            config=Config(retries={"max_attempts": 0}, max_pool_connections=2),
        )

    def end(self):
        if self.child:
            # There is nothing to be kept.
            self.child.kill()
            self.child.wait()
            shutil.rmtree(self.folder, ignore_errors=True)


class Reader:
    """Reads by boto3 what has arrived."""

    def __init__(self, backend):
        self.backend = backend
        self.sqs = backend.client("sqs")
        self.kinesis = backend.client("kinesis")
        self.sns = backend.client("sns")
        self.events = backend.client("events")
        self.urls = {}
        self.iterators = {}

    def queue(self, name, attributes):
        if name.endswith(".fifo"):
            attributes = {"FifoQueue": "true", **attributes}
        self.urls[name] = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return self.urls[name]

    def arn(self, queue):
        return self.sqs.get_queue_attributes(QueueUrl=self.urls[queue], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def topic(self, name):
        """A topic, and a queue of the same name that gets what is published, as it is."""
        attributes = {"FifoTopic": "true"} if name.endswith(".fifo") else {}
        arn = self.sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]
        self.queue(name, {})
        self.sns.subscribe(
            TopicArn=arn, Protocol="sqs", Endpoint=self.arn(name), Attributes={"RawMessageDelivery": "true"}
        )
        return arn

    def bus(self, name):
        """A bus, and a queue of the same name that gets every event."""
        if name != "default":
            self.events.create_event_bus(Name=name)
        self.queue(name, {})
        account = self.arn(name).split(":")[4]
        self.events.put_rule(Name=f"{name}-all", EventBusName=name, EventPattern=json.dumps({"account": [account]}))
        self.events.put_targets(Rule=f"{name}-all", EventBusName=name, Targets=[{"Id": "1", "Arn": self.arn(name)}])
        return account

    def remove(self, name):
        self.sqs.delete_queue(QueueUrl=self.urls.pop(name))

    def drain(self, name):
        """Takes what is there, in the order in which it is handed out."""
        found = []
        url = self.urls[name]
        while True:
            answer = self.sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"], VisibilityTimeout=30
            )
            messages = answer.get("Messages", [])
            if not messages:
                return found
            self.sqs.delete_message_batch(
                QueueUrl=url,
                Entries=[{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)],
            )
            for message in messages:
                own = message.get("Attributes", {})
                found.append(
                    {
                        "body": base64.b64encode(message["Body"].encode()).decode(),
                        "attributes": {n: a["StringValue"] for n, a in message.get("MessageAttributes", {}).items()},
                        "group": own.get("MessageGroupId"),
                        "deduplication": own.get("MessageDeduplicationId"),
                    }
                )

    def stream(self, name, shards):
        self.kinesis.create_stream(StreamName=name, ShardCount=shards)
        while True:
            description = self.kinesis.describe_stream(StreamName=name)["StreamDescription"]
            if description["StreamStatus"] == "ACTIVE":
                break
            time.sleep(0.02)
        for shard in description["Shards"]:
            self.iterators[name, shard["ShardId"]] = self.kinesis.get_shard_iterator(
                StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]

    def records(self, name):
        """Those that have come since the last time, shard by shard."""
        found = []
        for (stream, shard), iterator in list(self.iterators.items()):
            if stream != name:
                continue
            while True:
                answer = self.kinesis.get_records(ShardIterator=iterator, Limit=10000)
                iterator = answer["NextShardIterator"]
                for record in answer["Records"]:
                    found.append(
                        {"data": base64.b64encode(record["Data"]).decode(), "key": record["PartitionKey"], "shard": shard}
                    )
                if not answer["Records"]:
                    break
            self.iterators[stream, shard] = iterator
        return found


class Proxy:
    """Passes requests on, unless told otherwise."""

    def __init__(self, backend, seed):
        self.backend = backend
        self.random = random.Random(seed)
        self.faults = {}
        self.scripted = []
        self.writers = set()
        self.server = None
        self.port = None
        self.requests = []
        # moto loses records that come at the same time: it counts a shard's sequence without a lock.
        self.turn = asyncio.Semaphore(1 if backend.kind in ("moto", "open") else 1000)

    async def start(self):
        if self.server and self.server.is_serving():
            return
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port or 0, limit=1 << 26)
        self.port = self.server.sockets[0].getsockname()[1]

    def cut(self):
        for writer in list(self.writers):
            writer.transport.abort()

    async def stop(self):
        self.server.close()
        self.cut()
        # A connection that asyncio has accepted and not begun with is forgotten now, and open until it is collected.
        await asyncio.sleep(0)
        gc.collect()

    async def serve(self, reader, writer):
        self.writers.add(writer)
        try:
            while await self.exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers.discard(writer)
            writer.transport.abort()

    async def exchange(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if "expect" in headers:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        operation = self.operation(headers, body)
        self.requests.append({"operation": operation, "headers": headers, "bytes": len(body), "count": self.count(operation, body)})
        answer = await self.answer(lines, headers, body, operation)
        if answer is None:
            return False
        status, response_headers, content = answer
        text = f"HTTP/1.1 {status} Said\r\ncontent-length: {len(content)}\r\n"
        text += "".join(f"{name}: {value}\r\n" for name, value in response_headers.items())
        writer.write(text.encode() + b"\r\n" + content)
        await writer.drain()
        return True

    @staticmethod
    def operation(headers, body):
        target = headers.get("x-amz-target")
        if target:
            return target.split(".")[-1]
        # The protocol of SNS has it in a form.
        return body.partition(b"&")[0].decode("latin-1").removeprefix("Action=")

    @staticmethod
    def count(operation, body):
        if operation == "PublishBatch":
            return body.count(b".Message=")
        try:
            content = json.loads(body)
            return len(content.get("Entries") or content.get("Records") or [])
        except ValueError:
            return 0

    def happens(self, fault):
        return self.random.random() < self.faults.get(fault, 0)

    async def answer(self, lines, headers, body, operation):
        for script in self.scripted:
            if script.get("operation") in (None, operation):
                script["times"] = script.get("times", 1) - 1
                if script["times"] <= 0:
                    self.scripted.remove(script)
                if "alter" in script:
                    body = body.replace(script["alter"][0].encode(), script["alter"][1].encode())
                    break
                content = script.get("body", "")
                content = content if isinstance(content, str) else json.dumps(content)
                return script["status"], script.get("headers", {}), content.encode()
        if "time" in self.faults:
            refusal = self.refusal_for_time(headers)
            if refusal:
                return refusal
        if self.happens("slow"):
            await asyncio.sleep(self.random.random() * self.faults.get("slowness", 0.2))
        if self.happens("drop_before"):
            return None
        if self.happens("throttle"):
            return self.throttling(headers.get("x-amz-target", ""))
        if self.happens("error"):
            return 503, {}, b"<html>Service Unavailable</html>"
        if self.happens("partial") and operation in partial.PARTIALLY:
            answer = await partial.PARTIALLY[operation](self.random, body, lambda body: self.forward(lines, body))
        else:
            answer = await self.forward(lines, body)
        return None if self.happens("drop_after") else answer

    @staticmethod
    def throttling(target):
        """Each service has its own words."""
        if not target:
            error = "<Error><Type>Sender</Type><Code>Throttled</Code><Message>Rate exceeded</Message></Error>"
            return 429, {}, f"<ErrorResponse>{error}</ErrorResponse>".encode()
        kind = "ProvisionedThroughputExceededException"
        if "AmazonSQS" in target:
            kind = "com.amazonaws.sqs#RequestThrottled"
        elif "AWSEvents" in target:
            kind = "ThrottlingException"
        return 400, {}, json.dumps({"__type": kind, "message": "Rate exceeded"}).encode()

    def refusal_for_time(self, headers):
        """As AWS refuses a signature that is off by more than five minutes of the service's time."""
        now = time.time() + self.faults["time"]
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now))
        import calendar

        signed = calendar.timegm(time.strptime(headers.get("x-amz-date", "19700101T000000Z"), "%Y%m%dT%H%M%SZ"))
        if abs(signed - now) <= 300:
            return None
        content = {"__type": "com.amazon.coral.service#InvalidSignatureException", "message": "Signature expired: …"}
        return 403, {"date": date}, json.dumps(content).encode()

    async def forward(self, lines, body):
        async with self.turn:
            return await self.exchange_with_backend(lines, body)

    async def exchange_with_backend(self, lines, body):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.backend.port, limit=1 << 26)
        try:
            kept = [
                line for line in lines[:-2] if line.split(":")[0].lower() not in ("content-length", "expect", "connection")
            ]
            head = "\r\n".join(kept + [f"Content-Length: {len(body)}", "Connection: close", "", ""])
            writer.write(head.encode("latin-1") + body)
            await writer.drain()
            status_line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {}
            for line in lines:
                name, mark, value = line.partition(":")
                if mark:
                    headers[name.lower()] = value.strip()
            if headers.pop("transfer-encoding", "") == "chunked":
                content = b""
                while True:
                    size = int((await reader.readline()).split(b";")[0], 16)
                    content += await reader.readexactly(size)
                    await reader.readline()
                    if size == 0:
                        break
            elif "content-length" in headers:
                content = await reader.readexactly(int(headers["content-length"]))
            else:
                content = await reader.read()
            for name in ("content-length", "connection", "keep-alive"):
                headers.pop(name, None)
            return int(status_line.split()[1]), headers, content
        finally:
            writer.close()


class Testbed:
    def __init__(self, kind, seed):
        self.backend = Backend(kind)
        self.reader = Reader(self.backend)
        self.proxy = Proxy(self.backend, seed)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.wait(self.proxy.start())

    def wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    async def call(self, function, *arguments):
        return function(*arguments)

    def obey(self, command):
        kind = command.pop("do")
        if kind in ("queue", "remove", "drain", "stream", "records", "topic", "bus"):
            return getattr(self.reader, kind)(**command)
        if kind == "cut":
            return self.wait(self.call(self.proxy.cut))
        if kind in ("stop", "start"):
            return self.wait(getattr(self.proxy, kind)())
        if kind == "faults":
            self.proxy.faults = command
        elif kind == "script":
            self.proxy.scripted.append(command)
        elif kind == "requests":
            requests, self.proxy.requests = self.proxy.requests, []
            return requests
        else:
            raise ValueError(kind)

    def run(self):
        print(json.dumps({"port": self.proxy.port, "backend": self.backend.port, "key": self.backend.key, "secret": self.backend.secret}), flush=True)
        threading.Thread(target=self.watch, args=(os.getppid(),), daemon=True).start()
        for line in sys.stdin:
            if line == "end\n":
                break
            try:
                answer = {"ok": self.obey(json.loads(line))}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
        self.end()

    def end(self):
        self.backend.end()
        os._exit(0)

    def watch(self, parent):
        # Other children of the process that has started this one may hold its input open, which then has no end.
        while os.getppid() == parent:
            time.sleep(0.2)
        self.end()


if __name__ == "__main__":
    # What servers say goes to stderr, or nowhere.
    import logging

    # Who starts this may have signals blocked, which children would inherit, and never be ended by one.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    logging.disable(logging.CRITICAL)
    bed = Testbed(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None)
    bed.run()
    os._exit(0)
