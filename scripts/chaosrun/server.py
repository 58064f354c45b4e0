"""The Postgres server of a run, which can crash."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time

import psycopg

PORT = 5432


def programs():
    """The folder of the server's programs, found as the tests find it."""
    named = os.environ.get("OUTBOX_POSTGRES_BIN")
    folders = [named] if named else [f"/usr/lib/postgresql/{version}/bin" for version in (18, 17, 16, 15, 14)]
    for folder in folders:
        if os.access(f"{folder}/initdb", os.X_OK):
            return pathlib.Path(folder)
    on_path = shutil.which("initdb")
    if on_path:
        return pathlib.Path(on_path).resolve().parent
    raise SystemExit("chaos: there is no Postgres server; see scripts/setup --help")


def as_user(*command):
    """Postgres refuses to run as root, which this process is in its own namespace; there its user has another number."""
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    return ["unshare", "--user", f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}", *map(str, command)]


class Server:
    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "data"
        self.programs = programs()
        self.process = None
        made = subprocess.run(
            as_user(
                self.programs / "initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C"
            ),
            capture_output=True, text=True,
        )
        if made.returncode != 0:
            raise SystemExit(f"chaos: initdb failed: {made.stdout}{made.stderr}")
        with open(self.data / "pg_hba.conf", "a") as access:
            access.write("host all all 10.77.0.0/16 trust\n")
        self.start()

    @property
    def conninfo(self):
        return f"host={self.folder} port={PORT} user=postgres dbname=postgres"

    def url(self, host):
        return f"postgresql://postgres@{host}:{PORT}/postgres?sslmode=disable&gssencmode=disable"

    @property
    def local_url(self):
        """For the operator, who is on the server's host."""
        return self.url("127.0.0.1")

    def start(self):
        with open(self.folder / "server.log", "a") as log:
            self.process = subprocess.Popen(
                as_user(
                    self.programs / "postgres", "-D", self.data, "-k", self.folder, "-p", PORT, "-c", "listen_addresses=*",
                    "-c", "fsync=off", "-c", "max_connections=100", "-c", "max_prepared_transactions=20",
                    "-c", "log_min_messages=warning", "-c", "deadlock_timeout=200ms",
                ),
                stdout=log, stderr=log,
            )
        deadline = time.monotonic() + 60
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"chaos: Postgres does not start; see {self.folder}/server.log")
            time.sleep(0.05)

    def answers(self):
        try:
            psycopg.connect(self.conninfo, connect_timeout=5).close()
            return True
        except psycopg.OperationalError:
            return False

    def crash(self):
        """What `pg_ctl -m immediate` does: all processes end at once, and the next start recovers from the log."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(timeout=60)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.crash()

    def connect(self):
        return psycopg.connect(self.conninfo, autocommit=True, connect_timeout=5)

    def version(self):
        with self.connect() as connection:
            return connection.info.parameter_status("server_version").split()[0]
