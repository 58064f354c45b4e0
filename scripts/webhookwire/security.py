"""TLS, right and wrong, and addresses that must not be connected to: each with one message, and what is said of it."""

import datetime
import os
import pathlib
import ssl
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

sys.path.append(str(pathlib.Path(__file__).parent.parent / "kafkawire"))
from certificates import authority, certificate  # noqa: E402
from producer import output  # noqa: E402
from receiver import Receiver  # noqa: E402
from verification import SECRET  # noqa: E402


def context(server, demands=None):
    result = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    result.load_cert_chain(f"{server}.pem", f"{server}-key.pem")
    if demands:
        result.verify_mode = ssl.CERT_REQUIRED
        result.load_verify_locations(f"{demands}.pem")
    return result


def dated(name, model, authority, begins, ends):
    """A certificate like another, with its key, for some days that are counted from now."""

    def load(file):
        return pathlib.Path(file).read_bytes()

    like = x509.load_pem_x509_certificate(load(f"{model}.pem"))
    key = serialization.load_pem_private_key(load(f"{authority}-key.pem"), None)
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(
        like.issuer, like.subject, like.public_key(), x509.random_serial_number(), now + datetime.timedelta(days=begins),
        now + datetime.timedelta(days=ends), list(like.extensions),
    )
    pathlib.Path(f"{name}.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    pathlib.Path(f"{name}-key.pem").write_bytes(load(f"{model}-key.pem"))


def case(name, expected, parameters="", scheme="https", host="localhost", allow="localhost", arrives=None, **receiver):
    """One way to call one receiver.

    `expected` begins what is said, or has several that may; `arrives` says whether a request comes; by default one that is delivered.
    """
    gate = Receiver(**receiver)
    parameters += f"&outbox.allow={allow}" if allow else ""
    header, url = (host, "{header.host}") if parameters.startswith("&outbox.hosts") else (None, host)
    text = output("one", f"{scheme}://{url}:{gate.port}/x?y=1{parameters}", *([header] if header else []), secrets=[SECRET])
    gate.stop()
    came = len(gate.requests) > 0
    if not text.startswith(expected) or came != (expected == "delivered" if arrives is None else arrives):
        raise SystemExit(f"webhook-wire: {name}: expected “{expected}”, was “{text}”, {len(gate.requests)} requests")
    if SECRET[6:] in text:
        raise SystemExit(f"webhook-wire: {name}: the secret is in “{text}”")
    print(f"{name}: {text}")
    return gate


def never_connected(gate):
    if gate.connections:
        raise SystemExit(f"webhook-wire: {gate.connections} connections to an address that must not be connected to")


os.chdir(os.environ["WIRE_FOLDER"])
authority("authority")
authority("another")
for name in ("localhost", "elsewhere", "client"):
    certificate(name, "authority")
certificate("stranger", "another")
dated("past", "localhost", "authority", -3, -1)
dated("future", "localhost", "authority", 1, 3)

trust = "&outbox.ca_file=authority.pem"
right = {"tls": context("localhost")}
case("the right certificate", "delivered", trust, **right)
problem = "unavailable: no connection: SSL certificate problem: "
case("an authority that is not trusted", problem, **right)
case("another authority", problem, "&outbox.ca_file=another.pem", **right)
case("an expired certificate", problem + "certificate has expired", trust, tls=context("past"))
case("a certificate that is not valid yet", problem + "certificate is not yet valid", trust, tls=context("future"))
other = "unavailable: no connection: SSL: no alternative certificate subject name matches target host name 'localhost'"
case("a certificate for another host", other, trust, tls=context("elsewhere"))
case("verify_host=false", "delivered", trust + "&outbox.verify_host=false", tls=context("elsewhere"))
case("verify_peer=false", "delivered", "&outbox.verify_peer=false&outbox.verify_host=false", tls=context("elsewhere"))
case("no TLS at all", "unavailable: no connection: ", trust)
case("TLS where none is expected", ("tried again: no answer: ", "unavailable: no connection: "), scheme="http", arrives=False, **right)
demanding = {"tls": context("localhost", "authority")}
shown = "&outbox.cert_file={0}.pem&outbox.key_file={0}-key.pem"
case("a client’s certificate", "delivered", trust + shown.format("client"), **demanding)
# With TLS 1.3 the client is told only after it has begun to send.
refused = ("tried again: no answer: ", "unavailable: no connection: ")
case("no client’s certificate", refused, trust, arrives=False, **demanding)
case("a stranger’s certificate", refused, trust + shown.format("stranger"), arrives=False, **demanding)
case("a file that is not there", "refused: ", "&outbox.ca_file=nothing.pem", **right)

guarded = {"scheme": "http", "allow": ""}
never_connected(case("a name that resolves to this machine", "unavailable: localhost has the address ", **guarded))
never_connected(case("an address of this machine", "unavailable: 127.0.0.1 has the address ", host="127.0.0.1", **guarded))
never_connected(case("the same by a message", "dead: localhost has the address ", "&outbox.hosts=*", **guarded))
never_connected(case("a number for it", "dead: 2130706433 has the address ", "&outbox.hosts=*", host="2130706433", **guarded))
never_connected(case("a host that is not listed", "dead: the host localhost is none", "&outbox.hosts=*.example", **guarded))

target = Receiver()


def redirect(handler, _request):
    handler.answer(302, [("Location", f"http://127.0.0.1:{target.port}/admin")])


case("a redirect", "tried again: the receiver has answered 302 Found, and redirects are not followed", scheme="http", arrives=True, behave=redirect)
target.stop()
never_connected(target)
