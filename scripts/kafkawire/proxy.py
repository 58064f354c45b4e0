"""Stands before a broker: clients talk to it as if it were the broker."""

import socket
import threading

from protocol import Request, framed, read_frame


class Cut(Exception):
    """Ends a connection."""


class Proxy:
    """Passes requests on, one at a time of each connection, as Kafka takes them. Subclasses do worse."""

    def __init__(self, tls=None):
        self.tls = tls
        self.listener = socket.create_server(("127.0.0.1", 0))
        # Known before the broker has to be told.
        self.port = self.listener.getsockname()[1]

    def start(self, broker):
        self.broker = broker
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.connected, args=[client], daemon=True).start()

    def connected(self, client):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with client, socket.create_connection(("127.0.0.1", self.broker)) as broker:
                # The handshake of TLS, where OpenSSL tells the client what it has against it.
                with self.tls.wrap_socket(client, server_side=True) if self.tls else client as client:
                    self.serve(Connection(client, broker))
        except (Cut, EOFError, OSError):
            pass

    def serve(self, connection):
        while True:
            self.handle(connection, Request(read_frame(connection.client)))

    def handle(self, connection, request):
        connection.send(connection.forward(request))


class Connection:
    def __init__(self, client, broker):
        self.client, self.broker = client, broker

    def forward(self, request):
        """The broker's answer."""
        self.broker.sendall(framed(request.frame))
        return read_frame(self.broker)

    def send(self, answer):
        self.client.sendall(framed(answer))
