"""A small DNS server that changes its mind: each question for a name gets the next of its answers, and the last one from then on."""

import ipaddress
import socket
import struct
import threading

A, CNAME, AAAA = 1, 5, 28


class Names:
    """Answers on port 53 of the loopback address, which is this process's own in a network namespace."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def set(self, name, *answers):
        """What is answered to the first question for a name's addresses, to the second, and so on: lists of addresses, or another name and those."""
        self.answers[name] = {A: list(answers), AAAA: list(answers)}

    def serve(self):
        while True:
            question, sender = self.socket.recvfrom(4096)
            self.socket.sendto(self.answer(question), sender)

    def answer(self, question):
        number, _, _, _, _, _ = struct.unpack("!6H", question[:12])
        labels, place = [], 12
        while question[place]:
            labels.append(question[place + 1 : place + 1 + question[place]].decode())
            place += 1 + question[place]
        (kind,) = struct.unpack("!H", question[place + 1 : place + 3])
        name = ".".join(labels).lower()
        self.asked.append((name, kind))
        known = self.answers.get(name)
        records = self.records(known[kind], kind) if known and kind in known else []
        # An answer with authority; 3: there is no such name.
        head = struct.pack("!6H", number, 0x8580 | (0 if known else 3), 1, len(records), 0, 0)
        return head + question[12 : place + 5] + b"".join(records)

    def records(self, answers, kind):
        texts = answers.pop(0) if len(answers) > 1 else answers[0]
        records, owner = [], b"\xc0\x0c"
        for text in texts:
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                target = b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"
                records.append(self.record(owner, CNAME, target))
                owner = target
                continue
            if (address.version == 4) == (kind == A):
                records.append(self.record(owner, kind, address.packed))
        return records

    @staticmethod
    def record(owner, kind, data):
        # 0: not to be kept.
        return owner + struct.pack("!HHIH", kind, 1, 0, len(data)) + data
