"""The broker's side of logging in, with PLAIN (RFC 4616) and SCRAM (RFC 5802)."""

import base64
import hashlib
import hmac
import os
import struct

from protocol import SASL_AUTHENTICATE, SASL_HANDSHAKE

UNSUPPORTED_MECHANISM, FAILED = 33, 58
ITERATIONS = 4096


class Refused(Exception):
    """A login that is wrong."""


def plain(users):
    """Takes what the client says, and yields what to answer and, once it is known, the user's name."""
    _, user, password = (yield b"", None).decode().split("\0")
    if users.get(user) != password:
        raise Refused
    yield b"", user


def scram(users, algorithm):
    def mac(key, text):
        return hmac.digest(key, text, algorithm)

    first = (yield b"", None).decode().removeprefix("n,,")
    values = dict(part.split("=", 1) for part in first.split(","))
    user = values["n"].replace("=2C", ",").replace("=3D", "=")
    nonce = values["r"] + base64.b64encode(os.urandom(12)).decode()
    salt = os.urandom(16)
    challenge = f"r={nonce},s={base64.b64encode(salt).decode()},i={ITERATIONS}"
    without_proof, proof = (yield challenge.encode(), None).decode().rsplit(",p=", 1)
    salted = hashlib.pbkdf2_hmac(algorithm, users.get(user, "").encode(), salt, ITERATIONS)
    client_key = mac(salted, b"Client Key")
    conversation = f"{first},{challenge},{without_proof}".encode()
    signature = mac(hashlib.new(algorithm, client_key).digest(), conversation)
    shown = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature))
    if user not in users or shown != client_key or f",r={nonce}" not in without_proof:
        raise Refused
    yield b"v=" + base64.b64encode(mac(mac(salted, b"Server Key"), conversation)), user


MECHANISMS = {
    "PLAIN": plain,
    "SCRAM-SHA-256": lambda users: scram(users, "sha256"),
    "SCRAM-SHA-512": lambda users: scram(users, "sha512"),
}


class Login:
    """The login of one connection, to the mechanisms that are offered."""

    def __init__(self, users, offered):
        self.users, self.offered = users, offered
        self.mechanism = self.conversation = self.user = None
        self.is_refused = False

    def answer(self, request):
        """The answer to a request that is about logging in; None: it is not."""
        if request.key == SASL_HANDSHAKE:
            self.mechanism = request.bytes(">h").decode()
            is_offered = self.mechanism in self.offered
            if is_offered:
                self.conversation = MECHANISMS[self.mechanism](self.users)
                next(self.conversation)
            names = b"".join(struct.pack(">h", len(name)) + name.encode() for name in self.offered)
            return request.answer(struct.pack(">hi", 0 if is_offered else UNSUPPORTED_MECHANISM, len(self.offered)) + names)
        if request.key == SASL_AUTHENTICATE:
            return request.answer(self.step(request) + (struct.pack(">q", 0) if request.version else b""))
        return None

    def step(self, request):
        try:
            token, self.user = self.conversation.send(request.bytes())
        except Refused:
            self.is_refused = True
            text = f"Authentication failed during authentication due to invalid credentials with SASL mechanism {self.mechanism}"
            return struct.pack(">hh", FAILED, len(text)) + text.encode() + struct.pack(">i", 0)
        return struct.pack(">hhi", 0, -1, len(token)) + token
