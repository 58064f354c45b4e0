"""A Postgres server and a relay of this run alone."""

import contextlib
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

PROGRAM = os.environ["OUTBOX_PROGRAM"]


def programs():
    """The folder of the server's programs, as the tests choose it."""
    if os.environ.get("OUTBOX_POSTGRES_BIN"):
        return pathlib.Path(os.environ["OUTBOX_POSTGRES_BIN"])
    for version in [18, 17, 16, 15, 14]:
        folder = pathlib.Path(f"/usr/lib/postgresql/{version}/bin")
        if (folder / "initdb").exists():
            return folder
    return pathlib.Path(shutil.which("initdb")).parent


def as_server(*words):
    # Postgres refuses to run as root.
    words = [str(word) for word in words]
    return ["su", "postgres", "-s", "/bin/sh", "-c", "exec " + shlex.join(words)] if os.geteuid() == 0 else words


class World:
    def __init__(self, folder, port):
        self.folder = folder
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def outbox(self, *arguments, input=None, status=0):
        run = subprocess.run(
            [PROGRAM, *arguments, "--postgres", self.url], input=input, capture_output=True, text=True, check=False)
        if run.returncode != status:
            raise SystemExit(f"outbox {arguments}: {run.stderr}")
        return run.stdout

    def sql(self, statement):
        """The rows of a statement, as lists of texts."""
        run = subprocess.run(
            ["psql", "-XqAtd", self.url, "-F", "\x1f", "-R", "\x1e", "-v", "ON_ERROR_STOP=1", "-c", statement],
            capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise SystemExit(run.stderr)
        text = run.stdout.removesuffix("\n")
        return [row.split("\x1f") for row in text.split("\x1e")] if text else []

    @contextlib.contextmanager
    def relay(self, *arguments):
        """A relay with --listen; yields its address."""
        log = self.folder / "relay.log"
        with open(log, "wb") as errors:
            process = subprocess.Popen(
                [PROGRAM, "relay", "--log-level", "info", "--listen", ":0", "--postgres", self.url, *arguments],
                stderr=errors)
            try:
                address = eventually(lambda: re.search(r"Listening .*address=(\S+)", log.read_text()), log).group(1)
                yield f"http://{address}"
            finally:
                process.terminate()
                process.wait(timeout=60)


@contextlib.contextmanager
def world():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="outbox-metrics-"))
    folder.chmod(0o755)
    data = folder / "data"
    server = None
    try:
        data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(data, "postgres")
        bin = programs()
        subprocess.run(
            as_server(bin / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C"),
            check=True, stdout=subprocess.DEVNULL)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = subprocess.Popen(
            as_server(
                bin / "postgres", "-D", data, "-k", "", "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        here = World(folder, port)
        eventually(lambda: subprocess.run(["pg_isready", "-qd", here.url], check=False).returncode == 0)
        here.outbox("migrate", "up")
        yield here
    finally:
        if server is not None:
            with contextlib.suppress(OSError, ValueError, IndexError):
                os.kill(int((data / "postmaster.pid").read_text().split()[0]), 3)
            server.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def get(url, accept=None):
    """The type of a page and what it says."""
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.headers["Content-Type"], answer.read()


def eventually(condition, log=None):
    """What a condition gives when it holds, for which it has a minute."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if result := condition():
                return result
        time.sleep(0.05)
    raise AssertionError(f"waited for too long{': ' + log.read_text() if log else ''}")
