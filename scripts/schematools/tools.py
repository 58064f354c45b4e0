"""Applies files by the tools themselves."""

import os
import pathlib
import subprocess
import sys
import urllib.parse

import psycopg

from databases import programs

PROGRAMS = pathlib.Path(sys.executable).parent


class Failed(Exception):
    pass


def run(*command: str | pathlib.Path, cwd: pathlib.Path, **environment: str):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, env=inherited | environment, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise Failed(f"{pathlib.Path(command[0]).name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Psql:
    """psql, with what `--format sql` prints; on an empty database as a role that owns the schema and may do little else."""

    def __init__(self, folder: pathlib.Path, database):
        self.folder = folder
        self.applied = 0
        self.conninfo = database.conninfo
        if database.contents():
            return
        owner = f"owner_{database.name}"
        database.sql(
            f"""
            CREATE ROLE {owner} LOGIN;
            GRANT CREATE ON DATABASE {database.name} TO {owner};
            REVOKE TEMPORARY ON DATABASE {database.name} FROM PUBLIC;
            ALTER ROLE {owner} SET search_path = nothing;
            ALTER ROLE {owner} SET statement_timeout = '1h';
            """
        )
        database.owner = owner
        self.conninfo = psycopg.conninfo.make_conninfo(database.conninfo, user=owner)

    def up(self):
        for file in sorted(self.folder.glob("*.up.sql"))[self.applied:]:
            self.execute(file)
            self.applied += 1

    def down(self):
        self.execute(sorted(self.folder.glob("*.down.sql"))[self.applied - 1])
        self.applied -= 1

    def execute(self, file: pathlib.Path):
        run(programs() / "psql", self.conninfo, "-X", "--quiet", "--single-transaction", "-v", "ON_ERROR_STOP=1", "-f", file, cwd=self.folder)


class Dbmate:
    def __init__(self, folder: pathlib.Path, database: dict[str, str]):
        self.folder = folder
        query = urllib.parse.urlencode({"socket": database["host"], "port": database["port"], "sslmode": "disable"})
        self.url = f"postgres://postgres@/{database['dbname']}?{query}"

    def up(self):
        self.command("migrate")

    def down(self):
        self.command("rollback")

    def command(self, verb: str):
        run(
            PROGRAMS / "dbmate", "--migrations-dir", self.folder, "--no-dump-schema", "--env-file", "none", verb,
            cwd=self.folder.parent, DATABASE_URL=self.url,
        )


class Alembic:
    """Through a driver: psycopg, psycopg2 or asyncpg."""

    def __init__(self, folder: pathlib.Path, database: dict[str, str], driver: str = "psycopg"):
        query = urllib.parse.urlencode({"host": database["host"], "port": database["port"]})
        self.root = folder.parent
        self.url = f"postgresql+{driver}://postgres@/{database['dbname']}?{query}"
        (self.root / "script.py.mako").write_text("")
        (self.root / "alembic.ini").write_text(f"[alembic]\nscript_location = {self.root}\nversion_locations = {folder}\n")
        (self.root / "env.py").write_text(ASYNC if driver == "asyncpg" else SYNC)

    def up(self):
        self.command("upgrade", "head")

    def down(self):
        self.command("downgrade", "-1")

    def printed(self) -> str:
        """What it would execute, as for an administrator to run."""
        return self.command("upgrade", "head", "--sql")

    def command(self, *words: str):
        return run(PROGRAMS / "alembic", *words, cwd=self.root, ALEMBIC_URL=self.url)


# As `alembic init` writes them, shorter.
SYNC = """
import os
from alembic import context
from sqlalchemy import create_engine

url = os.environ["ALEMBIC_URL"]
if context.is_offline_mode():
    context.configure(url=url, literal_binds=True, dialect_opts={"paramstyle": "named"})
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(url).connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
"""
ASYNC = """
import asyncio
import os
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine


def migrate(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


async def main():
    engine = create_async_engine(os.environ["ALEMBIC_URL"])
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(main())
"""
