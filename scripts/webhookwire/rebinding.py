"""Names whose addresses change: what resolved to a public address a moment ago is not connected to once it leads into a private network.

Runs in namespaces of its own, as `unshare --map-root-user --mount --net`: the system's resolver asks the DNS server of this file, public and
private addresses alike belong to the loopback interface, and nothing leaves it.
"""

import os
import socket
import subprocess

from names import Names
from producer import output
from receiver import Receiver, Server
from verification import SECRET

PUBLIC = "93.184.216.34"
PUBLIC_IPV6 = "2606:2800:220:1::1"
PRIVATE = ["10.1.2.3", "169.254.169.254", "192.168.7.7", "100.64.0.1", "fd00::7"]


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def use_own_network():
    run("ip", "link", "set", "lo", "up")
    for address in [PUBLIC, PUBLIC_IPV6, *PRIVATE]:
        run("ip", "address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
    for name, text in [("resolv.conf", "nameserver 127.0.0.1\n"), ("nsswitch.conf", "hosts: dns\n")]:
        path = os.path.join(os.environ["WIRE_FOLDER"], name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        run("mount", "--bind", path, os.path.realpath(f"/etc/{name}"))


class EverywhereServer(Server):
    """At all addresses of both families."""

    address_family = socket.AF_INET6

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def receiver(host="::", behave=None):
    """One that counts connections, at all addresses or at one."""
    return Receiver(behave, host, server=EverywhereServer if ":" in host else Server)


def say(name, text):
    print(f"{name}: {text}", flush=True)


def fail(name, what):
    raise SystemExit(f"webhook-wire: {name}: {what}")


def reason(host, address):
    return f"{host} has the address {address} ("


def expect(name, gate, texts, *beginnings):
    """What is said: the last one is refused, and all connections were to public addresses."""
    if len(texts) != len(beginnings) or not all(text.startswith(begin) for text, begin in zip(texts, beginnings)):
        fail(name, texts)
    if not {PUBLIC, PUBLIC_IPV6}.issuperset(gate.addresses) or len(gate.requests) != len(texts) - 1:
        fail(name, f"connections to {gate.addresses}, {len(gate.requests)} requests")
    say(name, texts[-1])


def rebound(address, first=PUBLIC, hop=()):
    """Two runs: the host comes from the messages, and the second is a dead letter."""
    name = f"{first}, then {', '.join([*hop, address])}"
    gate = receiver()
    names.set("rebound.test", [first], [*hop, address])
    url = f"http://{{header.host}}:{gate.port}/x?outbox.hosts=*"
    texts = [output("one", url, "rebound.test", secrets=[SECRET]) for _ in range(2)]
    gate.stop()
    expect(name, gate, texts, "delivered", "dead: " + reason("rebound.test", address))


def rebound_host_of_a_destination():
    """Two runs: the destination is down, and no message is a dead letter."""
    gate = receiver()
    names.set("fixed.test", [PUBLIC], ["127.0.0.1"])
    texts = [output("one", f"http://fixed.test:{gate.port}/x", secrets=[SECRET]) for _ in range(2)]
    gate.stop()
    expect("the host of a destination", gate, texts, "delivered", "unavailable: " + reason("fixed.test", "127.0.0.1"))


def rebound_within_a_process():
    """One client, three requests, each on a connection of its own."""

    def close(handler, _request):
        handler.answer(204, [("Connection", "close")])

    gate = receiver(behave=close)
    names.set("twice.test", [PUBLIC], [PUBLIC_IPV6], ["127.0.0.1"])
    texts = output("lookups", f"http://twice.test:{gate.port}/x", 3).split("\n")
    gate.stop()
    expect("within a process", gate, texts, "204", "204", "refusedAddress: " + reason("twice.test", "127.0.0.1"))


def both_at_once(private, public=PUBLIC):
    """An answer with both: what is tried after the public one, where nothing listens, is not the private one. Tomorrow it may listen."""
    name = f"{public} and {private} in one answer"
    gate = receiver(host=private)
    names.set("both.test", [public, private])
    text = output("one", f"http://both.test:{gate.port}/x", secrets=[SECRET])
    gate.stop()
    if not text.startswith("unavailable: no connection: ") or reason("both.test", private) not in text or gate.connections:
        fail(name, f"{gate.connections} connections, “{text}”")
    say(name, text)


use_own_network()
names = Names()
for private in ["127.0.0.1", "::1", *PRIVATE]:
    rebound(private)
rebound("127.0.0.1", first=PUBLIC_IPV6)
rebound("10.1.2.3", hop=["inside.test"])
rebound_host_of_a_destination()
rebound_within_a_process()
both_at_once("127.0.0.1")
both_at_once("::1")
both_at_once("10.1.2.3", public=PUBLIC_IPV6)
if not any(kind == 28 for _, kind in names.asked):
    raise SystemExit("webhook-wire: no address of IPv6 was asked for")
