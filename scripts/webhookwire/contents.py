"""Messages of every kind: other libraries verify their signatures and read them as events, and find what was enqueued."""

import base64
import hashlib
import hmac
import json
import urllib.parse

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from producer import output
from receiver import Receiver
from standardwebhooks import Webhook, WebhookVerificationError

OLD, NEW, WRONG = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2, 3))
PAIR = Ed25519PrivateKey.generate()
PRIVATE = "whsk_" + base64.b64encode(
    PAIR.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    + PAIR.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
).decode()


def is_right(secret, request, body=None):
    """Whether the library accepts a request; it takes texts only, so other bytes are looked at by hand."""
    body = request.body if body is None else body
    try:
        Webhook(secret).verify(body, request.headers, json_parse=False)
        return True
    except WebhookVerificationError:
        return False
    except UnicodeDecodeError:
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + body
        code = hmac.digest(base64.b64decode(secret[6:]), signed, hashlib.sha256)
        return f"v1,{base64.b64encode(code).decode()}" in request.headers["webhook-signature"].split(" ")


def is_right_pair(request, body=None):
    body = request.body if body is None else body
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + body
    signatures = [s[4:] for s in request.headers["webhook-signature"].split(" ") if s.startswith("v1a,")]
    try:
        PAIR.public_key().verify(base64.b64decode(signatures[0]), signed)
        return len(signatures) == 1
    except InvalidSignature:
        return False


def check(condition, *what):
    if not condition:
        raise SystemExit(f"webhook-wire: {what}")


def verify(request):
    """Its signatures, with each key, and that nothing of it can be changed."""
    for secret in (OLD, NEW):
        check(is_right(secret, request), "a signature is wrong", request.headers)
    check(not is_right(WRONG, request), "a wrong secret is accepted")
    check(is_right_pair(request), "the signature by Ed25519 is wrong", request.headers)
    altered = request.body[:-1] + bytes([request.body[-1] ^ 1]) if request.body else b"x"
    check(not is_right(OLD, request, altered) and not is_right_pair(request, altered), "an altered body is accepted")
    check(request.headers["idempotency-key"] == request.headers["webhook-id"], "the ids differ")


def deliver(query):
    receiver = Receiver()
    url = f"http://127.0.0.1:{receiver.port}/x/{{key|none}}?outbox.allow=127.0.0.1&outbox.headers=x-*{query}"
    lines = output("contents", url, secrets=(OLD, NEW, PRIVATE)).splitlines()
    receiver.stop()
    expected = {message["number"]: message for message in map(json.loads, lines)}
    check(len(receiver.accepted) == len(expected), len(receiver.accepted), "came, of", len(expected))
    check(len({r.headers["webhook-id"] for r in receiver.accepted}) == len(expected), "ids are there twice")
    for request in receiver.accepted:
        verify(request)
        message = expected.pop(int(request.headers["x-number"]))
        message["payload"] = base64.b64decode(message["payload"])
        key = urllib.parse.unquote(request.path.removeprefix("/x/"))
        check(key == message.get("key", "none"), "the key is", key)
        for name, value in message["headers"].items():
            if name.startswith("x-") and name.isascii():
                check(request.headers[name] == value, "a header is", request.headers[name])
        check("x-ü" not in request.headers, "a name that no header can have")
        yield request, message


def plain():
    count = 0
    for request, message in deliver(""):
        check(request.method == "POST" and request.body == message["payload"], "the body is", request.body)
        kind = message["headers"].get("content-type", "application/json")
        check(request.headers["content-type"] == kind, "the type is", request.headers["content-type"])
        count += 1
    print(f"plain: {count} messages verified")


def events(mode):
    count = 0
    for request, message in deliver(f"&outbox.events={mode}&outbox.source=/shop/{{destination}}&outbox.method=put"):
        event = from_http_event(HTTPMessage(request.headers, request.body))
        headers = message["headers"]
        check(request.method == "PUT", request.method)
        check(event.get_id() == request.headers["webhook-id"], "the id is", event.get_id())
        check(event.get_source() == "/shop/wire", "the source is", event.get_source())
        check(event.get_type() == headers.get("ce-type", message.get("route") or "wire"), "the type is", event.get_type())
        subject = None if headers.get("ce-subject") == "" else message.get("key")
        check(event.get_subject() == subject, "the subject is", event.get_subject())
        check(event.get_extension("tenant") == headers.get("ce-tenant"), "the tenant is", event.get_extension("tenant"))
        check(event.get_time() is not None, "there is no time")
        kind = headers.get("content-type", "application/json")
        check(event.get_datacontenttype() == kind, "the type is", event.get_datacontenttype())
        data = event.get_data()
        if isinstance(data, (dict, list)):
            check(data == json.loads(message["payload"]), "the data is", data)
        else:
            data = data.encode() if isinstance(data, str) else data or b""
            check(data == message["payload"], "the data is", data[:100], message["payload"][:100])
        count += 1
    print(f"{mode} events: {count} messages verified")


plain()
events("binary")
events("structured")
