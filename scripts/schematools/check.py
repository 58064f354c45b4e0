"""Applies what `outbox schema --format` writes by each tool, and compares with what `outbox migrate` leaves."""

import concurrent.futures
import difflib
import functools
import pathlib
import sys
import tempfile
import time

import psycopg

from databases import Database, Failed, outbox, programs
from readers import Flyway, Goose, GolangMigrate
from server import server
from tools import Alembic, Dbmate, Psql
import tools

TOOLS = {
    "psql": ("sql", lambda folder, database: Psql(folder, database)),
    "alembic, psycopg": ("alembic", lambda folder, database: Alembic(folder, database.parts)),
    "alembic, psycopg2": ("alembic", lambda folder, database: Alembic(folder, database.parts, "psycopg2")),
    "alembic, asyncpg": ("alembic", lambda folder, database: Alembic(folder, database.parts, "asyncpg")),
    "dbmate": ("dbmate", lambda folder, database: Dbmate(folder, database.parts)),
    "goose (a reader)": ("goose", lambda folder, database: Goose(folder, database.conninfo)),
    "golang-migrate (a reader)": ("golang-migrate", lambda folder, database: GolangMigrate(folder, database.conninfo)),
    "flyway (a reader)": ("flyway", lambda folder, database: Flyway(folder, database.conninfo)),
}
# Quotes, what drivers take for parameters, comments, ends of statements and of literals in Python.
NAME = "we\"\"\"ird 'n%s %(x)s :me ?, \\d $1; -- é/* \""
ROLES = ["first", "second", "a \"third\""]
FILL = """
    SELECT {{schema}}.enqueue('d', 'payload ' || i, key => 'k' || i, headers => '{"a": "b"}') FROM generate_series(1, 5) AS i;
    GRANT USAGE ON SCHEMA {{schema}} TO first;
    GRANT SELECT ON {{schema}}.lag TO first WITH GRANT OPTION;
    GRANT INSERT ON {{schema}}.lag TO second;
    GRANT SELECT (destination, seconds) ON {{schema}}.lag TO "a ""third""\";
    GRANT SELECT ON {{schema}}.message TO second;
    GRANT EXECUTE ON FUNCTION {{schema}}.stream_lag() TO "a ""third""\";
"""


class Run:
    def __init__(self, conninfo: str):
        self.conninfo = conninfo
        self.newest = len(outbox("schema").split("INSERT INTO \"outbox\".migration ")) - 1
        with psycopg.connect(conninfo, autocommit=True) as connection:
            for role in ROLES:
                connection.execute(f'CREATE ROLE "{role.replace(chr(34), chr(34) * 2)}"')
        self.empty = self.database().dump()
        self.wholes = {schema: self.whole(schema) for schema in ("outbox", NAME)}
        self.stepwise = self.steps()
        # They are looked at.
        versions, messages, segments = self.stepwise[0][-1][1]
        assert len(versions) == self.newest and len(messages) == 5 and len(segments) == 4

    def database(self, schema: str = "outbox") -> Database:
        return Database(self.conninfo, schema)

    # What `outbox migrate` leaves.

    def whole(self, schema: str):
        database = self.database(schema)
        database.outbox("migrate", "up")
        return database.state()

    def steps(self):
        """Version by version, with messages and grants: on the way up, and on the way down."""
        database = self.database()
        up, down = [], []
        for version in range(1, self.newest + 1):
            database.outbox("migrate", "up", "--to", str(version))
            if version == 1:
                database.sql(FILL)
            up.append(database.state())
        for version in range(self.newest - 1, -1, -1):
            database.outbox("migrate", "down", "--to", str(version), "--yes")
            down.append(database.state())
        return up, down


def same(what: str, found, expected):
    if found == expected:
        return
    texts = [lines(state) for state in (expected, found)]
    print("\n".join(list(difflib.unified_diff(*texts, "outbox migrate", what, lineterm="", n=1))[:60]))
    raise SystemExit(f"schema-tools: {what} leaves something else than outbox migrate")


def lines(state) -> list[str]:
    dump, contents = (state, []) if isinstance(state, str) else state
    return dump.split("\n") + [repr(rows) for rows in contents]


def write(folder: pathlib.Path, form: str, first: int, last: int, schema: str = "outbox"):
    after = []
    if form == "alembic" and (found := sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)):
        line = next(line for line in found[-1].read_text().split("\n") if line.startswith("revision = "))
        after = ["--after", line.split('"')[1]]
    down = ["--down"] if first > last else []
    words = ["schema", "--from", str(first), "--to", str(last), *down, "--format", form, *after]
    if form == "sql":
        number = len(list(folder.iterdir())) // 2
        back = ["schema", "--from", str(last), "--to", str(first), *([] if down else ["--down"])]
        for text, name in [(words, f"{number}.up.sql"), (back, f"{number}.down.sql")]:
            (folder / name).write_text(outbox(*text, "--schema", schema))
        return
    names = outbox(*words, "--schema", schema, "--output", str(folder)).split("\n")[:-1]
    assert names and all(pathlib.Path(name).exists() for name in names), names
    # What is printed is what is written.
    printed, written = (text.split("\n")[10:] for text in (outbox(*words, "--schema", schema), pathlib.Path(names[0]).read_text()))
    assert printed == written
    return names


def one_go(run: Run, label: str, form: str, make, folder: pathlib.Path, schema: str):
    write(folder, form, 0, run.newest, schema)
    database = run.database(schema)
    tool = make(folder, database)
    if isinstance(tool, Alembic) and "asyncpg" not in tool.url:
        offline = run.database(schema)
        offline.sql(tool.printed())
        same(f"{label}, printed", offline.state(), run.wholes[schema])
    tool.up()
    same(label, database.state(), run.wholes[schema])
    for command in [("migrate", "status"), ("status",)]:
        database.outbox(*command)
    # No relay is there, which is a warning.
    assert "0 errors, 1 warning" in database.outbox("doctor", status=2)
    assert "up to date" in database.outbox("migrate", "up")
    tool.down()
    same(f"{label}, down", database.dump(), run.empty)


def step_by_step(run: Run, label: str, form: str, make, folder: pathlib.Path):
    """Each version is a migration of the tool's, applied to a schema with data."""
    up, down = run.stepwise
    database = run.database()
    tool = None
    for version in range(1, run.newest + 1):
        write(folder, form, version - 1, version)
        tool = tool or make(folder, database)
        tool.up()
        if version == 1:
            database.sql(FILL)
        same(f"{label}, {version - 1} to {version}", database.state(), up[version - 1])
    for index, state in enumerate(down):
        tool.down()
        same(f"{label}, down to {run.newest - 1 - index}", database.state(), state)


def back_as_a_step(run: Run, label: str, form: str, make, folder: pathlib.Path):
    """A migration that goes back: forward for the tool, down for the schema."""
    up, down = run.stepwise
    database = run.database()
    write(folder, form, 0, 1)
    tool = make(folder, database)
    tool.up()
    database.sql(FILL)
    write(folder, form, 1, run.newest)
    write(folder, form, run.newest, run.newest - 2)
    tool.up()
    same(f"{label}, back to {run.newest - 2}", database.state(), down[1])


def wrong_version(run: Run, label: str, form: str, make, folder: pathlib.Path):
    """A step on a schema of another version changes nothing."""
    write(folder, form, run.newest - 1, run.newest)
    database = run.database()
    database.outbox("migrate", "up", "--to", str(run.newest - 2))
    before = database.state()
    refused(lambda: make(folder, database).up(), f"is at version {run.newest - 2}")
    same(f"{label}, refused", database.state(), before)
    refused(lambda: make(folder, run.database()).up(), "there is no outbox in the schema")


def refused(body, text: str):
    try:
        body()
    except (psycopg.Error, tools.Failed) as error:
        assert text in str(error), error
        return
    raise SystemExit(f"schema-tools: not refused: {text}")


def neighbours(run: Run):
    """Numbers go on where the team's own end; a file that is there is not written again."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "0041_theirs.sql").write_text("-- +goose Up\nSELECT 1;\n")
        assert pathlib.Path(write(folder, "goose", 0, 1)[0]).name == "0042_outbox_0001.sql"
        for words in [("goose", "--from", "0", "--to", "1"), ("goose", "--from", "1", "--to", "1"), ("goose", "--to", "99")]:
            try:
                outbox("schema", "--output", name, "--format", *words)
            except Failed:
                continue
            raise SystemExit(f"schema-tools: not refused: {words}")


def go_through(run: Run, label: str):
    form, make = TOOLS[label]
    cases = [
        lambda *words: one_go(*words, "outbox"), lambda *words: one_go(*words, NAME), step_by_step, back_as_a_step,
        wrong_version,
    ]
    # A driver matters for how statements are sent, not for what they do.
    for case in cases[:2] if label in ("alembic, psycopg2", "alembic, asyncpg") else cases:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name) / "versions"
            folder.mkdir()
            case(run, label, form, make, folder)
    print(f"schema-tools: {label}: the schema is that of outbox migrate, 0 to {run.newest} and back")


def main():
    start = time.monotonic()
    with server(programs()) as conninfo:
        run = Run(conninfo)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            # Whatever is wrong with one of them is raised here.
            list(pool.map(functools.partial(go_through, run), TOOLS))
        neighbours(run)
    print(f"schema-tools: {len(TOOLS)} ways in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
