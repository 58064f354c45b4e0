"""What has to be understood of Kafka's protocol: whose request is whose, and what a produce request is about."""

import struct

PRODUCE, SASL_HANDSHAKE, API_VERSIONS, INIT_PRODUCER_ID, SASL_AUTHENTICATE = 0, 17, 18, 22, 36
LARGEST = 100 * 1024 * 1024


def read(source, count):
    content = bytearray()
    while len(content) < count:
        part = source.recv(count - len(content))
        if not part:
            raise EOFError
        content += part
    return bytes(content)


def read_frame(source):
    size = int.from_bytes(read(source, 4), "big")
    if size > LARGEST:
        # Such as the first bytes of TLS.
        raise EOFError
    return read(source, size)


def framed(content):
    return struct.pack(">i", len(content)) + content


class Request:
    """A request, with a cursor that begins behind its header."""

    def __init__(self, frame):
        self.frame = frame
        self.key, self.version, self.correlation = struct.unpack_from(">hhi", frame)
        self.cursor = 8
        # A produce request has compact lengths and tags from version 9 on; what is read of others never has.
        self.is_flexible = self.key == PRODUCE and self.version >= 9
        self.number(">h", skipping=True)
        self.skip_tags()

    def number(self, layout, skipping=False):
        (value,) = struct.unpack_from(layout, self.frame, self.cursor)
        self.cursor += struct.calcsize(layout) + (max(value, 0) if skipping else 0)
        return value

    def bytes(self, layout=">i"):
        """Bytes behind their length, of which null has none."""
        length = self.varint() - 1 if self.is_flexible else self.number(layout)
        start, self.cursor = self.cursor, self.cursor + max(length, 0)
        return self.frame[start : self.cursor]

    def count(self):
        return self.varint() - 1 if self.is_flexible else self.number(">i")

    def varint(self):
        value = shift = 0
        while True:
            byte = self.frame[self.cursor]
            self.cursor += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def skip_tags(self):
        if self.is_flexible and self.varint():
            raise ValueError("a request with tags")

    def answer(self, body):
        """The answer to this request, where it has no tags in its header."""
        return struct.pack(">i", self.correlation) + body


def refusal(request, code):
    """A broker's answer to a produce request that it has refused, or says so of. Of one partition, as librdkafka's are."""
    request.bytes(">h")
    request.number(">h")
    request.number(">i")
    if request.count() != 1:
        raise ValueError("a produce request for several topics")
    topic = request.bytes(">h")
    if request.count() != 1:
        raise ValueError("a produce request for several partitions")
    partition = request.number(">i")
    result = struct.pack(">ihqq", partition, code, -1, -1) + (struct.pack(">q", -1) if request.version >= 5 else b"")
    if request.is_flexible:
        # No errors of records, no text, no tags.
        topics = b"\2" + bytes([len(topic) + 1]) + topic + b"\2" + result + b"\1\0\0" + b"\0"
        return request.answer(b"\0" + topics + struct.pack(">i", 0) + b"\0")
    if request.version == 8:
        result += struct.pack(">ih", 0, -1)
    return request.answer(struct.pack(">ih", 1, len(topic)) + topic + struct.pack(">i", 1) + result + struct.pack(">i", 0))
