"""TLS and logging in, right and wrong, each with one message: whether it is delivered, and what is said where it is not."""

import concurrent.futures
import os
import ssl
import subprocess
import tempfile

import broker
from certificates import authority, certificate
from protocol import API_VERSIONS
from proxy import Cut, Proxy
from sasl import MECHANISMS, Login

USER, PASSWORD, IN_URL = "ada", "s3cr=t,ö/@", "s3cr%3Dt%2C%C3%B6%2F%40"
DELIVERED = ["delivered"]


class Gate(Proxy):
    """Accepts clients with the right certificate, and logs in where there are mechanisms for it."""

    def __init__(self, server=None, demands=None, mechanisms=()):
        super().__init__(self.context(server, demands) if server else None)
        self.mechanisms = mechanisms
        # The users that were accepted.
        self.guests = set()

    @staticmethod
    def context(server, demands):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{server}.pem", f"{server}-key.pem")
        if demands:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(f"{demands}.pem")
        return context

    def serve(self, connection):
        if shown := self.tls and connection.client.getpeercert():
            self.guests.add(shown["subject"][0][0][1])
        connection.login = Login({USER: PASSWORD}, self.mechanisms)
        super().serve(connection)

    def handle(self, connection, request):
        login = connection.login
        if answer := login.answer(request):
            connection.send(answer)
            if login.user:
                self.guests.add(f"{login.user} by {login.mechanism}")
        elif self.mechanisms and not login.user and request.key != API_VERSIONS:
            raise Cut
        else:
            super().handle(connection, request)
        if login.is_refused:
            raise Cut


class Case:
    """One way to call one gate, with parameters of the address."""

    def __init__(self, name, expected, *parameters, scheme="kafkas", user="", guest=None, **gate):
        self.name, self.expected, self.guest, self.gate = name, expected, guest, gate
        self.scheme, self.user, self.parameters = scheme, user, parameters

    def run(self):
        gate = Gate(**self.gate)
        with broker.running(advertised=f"localhost:{gate.port}") as port:
            gate.start(port)
            # A refusal comes soon; a client that is accepted may take longer.
            patience = 30 if self.expected == DELIVERED else 1
            url = f"{self.scheme}://{self.user}localhost:{gate.port}?topic={broker.TOPIC}&broker.address.family=v4"
            url += "".join(f"&{parameter}" for parameter in [f"contact-timeout={patience}", *self.parameters])
            command, environment = broker.produce("one", url)
            said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
            gate.close()
        print(f"kafka-wire: {self.name}: {said}", flush=True)
        if said != "delivered" if self.expected == DELIVERED else not all(word in said for word in self.expected):
            return f"{self.name}: expected is {self.expected}"
        if self.guest and self.guest not in gate.guests:
            return f"{self.name}: let in were {gate.guests}, not {self.guest}"
        if any(secret in said for secret in [PASSWORD, IN_URL, "sw0rdfish"]):
            return f"{self.name}: a password is shown"
        return None


def cases():
    trusted = "ca_file=authority.pem"
    shown = ["cert_file=client.pem", "key_file=client-key.pem"]
    for name in ["authority", "other"]:
        authority(name)
    certificate("localhost", "authority")
    certificate("elsewhere.invalid", "authority")
    certificate("client", "authority")
    certificate("secret", "authority", password="0pensesame")
    certificate("stranger", "other")
    yield Case("a trusted authority", DELIVERED, trusted, server="localhost")
    yield Case("an authority that is not the broker's", ["unavailable", "no authority that is trusted"], "ca_file=other.pem", server="localhost")
    yield Case("any authority", DELIVERED, "ca_file=other.pem", "verify_peer=false", server="localhost")
    yield Case("no authority but the system's", ["unavailable", "no authority that is trusted"], server="localhost")
    yield Case("a broker by another name", ["unavailable", "subject=/CN=elsewhere.invalid", "for another host"], trusted, server="elsewhere.invalid")
    yield Case("a broker by any name", DELIVERED, trusted, "verify_host=false", server="elsewhere.invalid")
    yield Case(
        "librdkafka's own names", DELIVERED, "ssl.ca.location=authority.pem", "ssl.endpoint.identification.algorithm=none",
        server="elsewhere.invalid")
    yield Case("no certificate where one is demanded", ["unavailable", "certificate required"], trusted, server="localhost", demands="authority")
    yield Case("a certificate where one is demanded", DELIVERED, trusted, *shown, server="localhost", demands="authority", guest="client")
    yield Case(
        "a stranger's certificate", ["unavailable", "unknown ca"], trusted, "cert_file=stranger.pem", "key_file=stranger-key.pem", server="localhost",
        demands="authority")
    yield Case(
        "a key with a password", DELIVERED, trusted, "cert_file=secret.pem", "key_file=secret-key.pem", "ssl.key.password=0pensesame",
        server="localhost", demands="authority", guest="secret")
    yield Case(
        "a key with another password", ["refused", "ssl.key"], trusted, "cert_file=secret.pem", "key_file=secret-key.pem",
        "ssl.key.password=sw0rdfish", server="localhost", demands="authority")
    yield Case("TLS where there is none", ["unavailable", "in the handshake of TLS, as it does where a listener has none"], trusted)
    yield Case("no TLS where there is", ["unavailable"], scheme="kafka", server="localhost")
    for mechanism in MECHANISMS:
        guest, parameters = f"{USER} by {mechanism}", f"sasl.mechanism={mechanism}"
        yield Case(
            f"{mechanism} over TLS", DELIVERED, trusted, parameters, user=f"{USER}:{IN_URL}@", server="localhost",
            mechanisms=[mechanism], guest=guest)
        yield Case(
            f"{mechanism}, another password", ["unavailable", "uthentication"], parameters, scheme="kafka",
            user=f"{USER}:sw0rdfish@", mechanisms=[mechanism])
    yield Case(
        "PLAIN where there is only SCRAM", ["unavailable", "mechanism"], scheme="kafka", user=f"{USER}:{IN_URL}@",
        mechanisms=["SCRAM-SHA-512"])
    yield Case("no login where one is demanded", ["unavailable"], scheme="kafka", mechanisms=["PLAIN"])


def run():
    # As many at a time as there are brokers on a small machine.
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        defects = [defect for defect in threads.map(Case.run, list(cases())) if defect]
    if defects:
        raise SystemExit("kafka-wire: " + "\nkafka-wire: ".join(defects))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=os.environ["WIRE_FOLDER"]) as folder:
        os.chdir(folder)
        run()
