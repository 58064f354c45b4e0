"""A receiver of webhooks on this machine that answers as it is told, well or badly, and keeps what it has accepted."""

import http.server
import socket
import socketserver
import struct
import threading


class Request:
    """A request as it came."""

    def __init__(self, handler, body):
        self.method = handler.command
        self.path = handler.path
        # http.server reads headers as Latin-1; what was sent is UTF-8.
        self.headers = {name.lower(): value.encode("latin-1").decode("utf-8") for name, value in handler.headers.items()}
        self.body = body


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.receiver.take(self, Request(self, body))

    do_POST = do_PUT = handle_any

    def do_OPTIONS(self):
        """A question, and no message."""
        self.answer(204)

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def raw(self, text, reset=False):
        """These bytes, and the end of the connection."""
        self.wfile.write(text)
        self.wfile.flush()
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.server.receiver.end(self.connection)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256
    tls = None

    def get_request(self):
        connection, address = super().get_request()
        self.receiver.connections += 1
        self.receiver.addresses.append(connection.getsockname()[0].removeprefix("::ffff:"))
        with self.receiver.lock:
            self.receiver.open.add(connection)
        return connection, address

    def finish_request(self, request, client_address):
        # The handshake is the business of the connection's own thread.
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        self.RequestHandlerClass(request, client_address, self)

    def handle_error(self, *_):
        pass


class Receiver:
    """Can be stopped and started again on its port. `behave` answers each request, and says whether it has accepted it."""

    def __init__(self, behave=None, host="127.0.0.1", port=0, tls=None, server=Server):
        self.behave = behave or self.accept
        self.host, self.port, self.tls, self.kind = host, port, tls, server
        self.lock = threading.Lock()
        self.open = set()
        self.connections = 0
        # Which of its own were connected to.
        self.addresses = []
        self.requests, self.accepted = [], []
        self.start()

    @staticmethod
    def accept(handler, _request):
        handler.answer(204)
        return True

    def start(self):
        self.server = self.kind((self.host, self.port), Handler)
        self.server.receiver, self.server.tls = self, self.tls
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        self.cut()

    def cut(self):
        """Ends all connections."""
        with self.lock:
            connections, self.open = self.open, set()
        for connection in connections:
            self.end(connection)

    @staticmethod
    def end(connection):
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        connection.close()

    def take(self, handler, request):
        with self.lock:
            self.requests.append(request)
        if self.behave is Receiver.accept:
            # Noted before the answer: after it, the sender may be done before this thread goes on.
            self.note(request)
        if self.behave(handler, request) and self.behave is not Receiver.accept:
            self.note(request)

    def note(self, request):
        with self.lock:
            self.accepted.append(request)
