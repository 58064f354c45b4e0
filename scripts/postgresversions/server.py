"""A throwaway Postgres from a folder of programs."""

import contextlib
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import tempfile
import time

import psycopg


@contextlib.contextmanager
def server(programs):
    """Starts a server of its own and yields its connection string; it is gone afterwards."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="outbox-drivers-"))
    folder.chmod(0o755)
    data = folder / "data"
    process = None
    try:
        data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(data, "postgres")
            shutil.chown(folder, "postgres")
        run(programs, "initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        arguments = command(
            programs, "postgres", "-D", data, "-k", folder, "-p", port, "-c", "listen_addresses=", "-c", "fsync=off",
            "-c", "log_min_messages=fatal",
        )
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        conninfo = f"host={folder} port={port} user=postgres dbname=postgres"
        wait(conninfo, process)
        yield conninfo
    finally:
        if process is not None:
            # Not the shell that started it: the server itself.
            with contextlib.suppress(OSError, ValueError, IndexError):
                os.kill(int((data / "postmaster.pid").read_text().split()[0]), 2)
            process.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def command(programs, program, *arguments):
    words = [str(pathlib.Path(programs) / program), *map(str, arguments)]
    # Postgres refuses to run as root.
    return ["su", "postgres", "-s", "/bin/sh", "-c", "exec " + shlex.join(words)] if os.geteuid() == 0 else words


def run(programs, program, *arguments):
    result = subprocess.run(command(programs, program, *arguments), capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{program} failed:\n{result.stdout}{result.stderr}")


def wait(conninfo, process):
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(conninfo, connect_timeout=5).close()
            return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the server does not start: {error}")
            time.sleep(0.05)
