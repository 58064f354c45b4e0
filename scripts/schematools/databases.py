"""Databases of the server under test, and the program on them."""

import itertools
import os
import pathlib
import shutil
import subprocess

import psycopg

PROGRAM = os.environ["OUTBOX_PROGRAM"]
# What the tools keep for themselves.
BOOKS = ["goose_db_version", "schema_migrations", "flyway_schema_history", "alembic_version"]


def programs() -> pathlib.Path:
    """The folder with a server's programs."""
    if folder := os.environ.get("OUTBOX_POSTGRES_BIN"):
        return pathlib.Path(folder)
    if found := shutil.which("initdb"):
        # Where a link leads to all the others are.
        return pathlib.Path(found).resolve().parent
    return next(path for version in range(18, 13, -1) if (path := pathlib.Path(f"/usr/lib/postgresql/{version}/bin")).exists())


class Failed(Exception):
    pass


class Database:
    """One that is new and empty."""

    numbers = itertools.count(1)

    def __init__(self, server: str, schema: str = "outbox"):
        self.schema = schema
        # Who migrates; the dumps of all are compared as if it were the superuser.
        self.owner = "postgres"
        self.quoted = '"' + schema.replace('"', '""') + '"'
        self.name = f"d{next(self.numbers)}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.name} TEMPLATE template0")
        self.parts = psycopg.conninfo.conninfo_to_dict(server, dbname=self.name)
        self.conninfo = psycopg.conninfo.make_conninfo(**self.parts)

    def sql(self, text: str) -> list[tuple]:
        with psycopg.connect(self.conninfo) as connection:
            cursor = connection.execute(text.replace("{{schema}}", self.quoted))
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def outbox(self, *words: str, status: int = 0) -> str:
        """Runs the program on it."""
        return outbox(*words, "--postgres", self.conninfo, "--schema", self.schema, status=status)

    def dump(self) -> str:
        """The structure with grants, without what the tools keep for themselves."""
        arguments = [f"--exclude-table=public.{book}" for book in BOOKS]
        done = subprocess.run(
            [programs() / "pg_dump", "--schema-only", *arguments, self.conninfo], capture_output=True, text=True, timeout=60
        )
        if done.returncode != 0:
            raise Failed(done.stderr)
        # Some releases write a new random word in each dump.
        text = done.stdout.replace(self.owner, "postgres")
        return "\n".join(line for line in text.split("\n") if not line.startswith(("\\restrict", "\\unrestrict")))

    def contents(self) -> list:
        """What was applied, and the data."""
        if not self.sql("SELECT 1 FROM pg_class WHERE relname = 'migration'"):
            return []
        return [
            self.sql("SELECT version, name, checksum, readable_by FROM {{schema}}.migration ORDER BY version"),
            self.sql("SELECT id, destination, key, payload, headers FROM {{schema}}.message ORDER BY id"),
            self.sql("SELECT number, is_current FROM {{schema}}.segment ORDER BY number"),
        ]

    def state(self) -> tuple:
        return self.dump(), self.contents()


def outbox(*words: str, status: int = 0) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OUTBOX_", "PG"))}
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60, env=environment)
    if done.returncode != status:
        raise Failed(f"outbox {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
