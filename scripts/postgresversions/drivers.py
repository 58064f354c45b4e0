"""Enqueues as applications in other languages do, through psycopg and through libpq itself, and reads back what is there.

    drivers.py PROGRAMS SCHEMA

PROGRAMS is the folder with the server's programs, SCHEMA a file with what `outbox schema` prints.
"""

import datetime
import json
import pathlib
import sys
import uuid

import psycopg
from psycopg import pq
from psycopg.types.json import Json, Jsonb

from server import server

TIME = datetime.datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.timezone.utc)
HEADERS = {"content-type": "text/plain", "é": "ü"}
OPTIONS = {"max_attempts": 3, "max_delay": 0.5}
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def row(connection, number):
    return connection.execute(
        "SELECT destination, payload, key, route, headers, options, deliver_at FROM outbox.message WHERE id = %s", [number]
    ).fetchone()


def refused(connection, state, statement, arguments=(), **options):
    """The server's report of a statement that fails; the transaction goes on."""
    try:
        with connection.transaction():
            connection.execute(statement, arguments, **options)
    except psycopg.Error as error:
        assert error.sqlstate == state, error
        return error.diag
    raise AssertionError(f"not refused: {statement}")


WHOLE = ("d", b"\x00\xff", "k", "r", HEADERS, OPTIONS, TIME)


@check
def psycopg_function(connection):
    """Each type of payload, by position and by name, with parameters as text and as binary."""
    for binary in [False, True]:
        format = "%b" if binary else "%t"
        for payload, stored in [
            ("tëxt", "tëxt".encode()),
            (b"\x00\xff", b"\x00\xff"),
            (Jsonb({"b": 1, "a": [2]}), b'{"a": [2], "b": 1}'),
            (Json({"b": 1, "a": [2]}, dumps=lambda value: json.dumps(value, separators=(",", ":"))), b'{"b":1,"a":[2]}'),
        ]:
            # A str is sent as a text of unknown type or as text; both are taken.
            number = connection.execute(f"SELECT outbox.enqueue({format}, {format})", ["d", payload]).fetchone()[0]
            assert row(connection, number) == ("d", stored, None, None, None, None, None)
            number = connection.execute(
                f"""
                SELECT outbox.enqueue(
                    destination => {format}, payload => {format}, key => {format}, route => {format}, headers => {format},
                    options => {format}, deliver_at => {format}, idempotency_key => {format})
                """,
                ["d", payload, "k", "r", Jsonb(HEADERS), Jsonb(OPTIONS), TIME, str(uuid.uuid4())],
            ).fetchone()[0]
            assert row(connection, number) == ("d", stored, "k", "r", HEADERS, OPTIONS, TIME)


@check
def psycopg_insert(connection):
    for binary in [False, True]:
        places = ", ".join(["%b" if binary else "%t"] * 7)
        number = connection.execute(
            "INSERT INTO outbox.message (destination, payload, key, route, headers, options, deliver_at) "
            f"VALUES ({places}) RETURNING id",
            [*WHOLE[:4], Jsonb(HEADERS), Jsonb(OPTIONS), TIME],
        ).fetchone()[0]
        assert row(connection, number) == WHOLE
    # Prepared at once, and used again.
    for _ in range(3):
        number = connection.execute(
            "INSERT INTO outbox.message (destination, payload) VALUES (%s, %s) RETURNING id", ["d", b"x"], prepare=True
        ).fetchone()[0]
        assert row(connection, number)[:2] == ("d", b"x")


@check
def psycopg_many(connection):
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO outbox.message (destination, payload) VALUES (%s, %s) RETURNING id",
            [("many", str(number).encode()) for number in range(50)],
        )
    stored = connection.execute("SELECT payload FROM outbox.message WHERE destination = 'many' ORDER BY id").fetchall()
    assert [payload for (payload,) in stored] == [str(number).encode() for number in range(50)]


@check
def copy(connection):
    """COPY as text and as binary, of the columns that an application has."""
    columns = "destination, payload, key, route, headers, options, deliver_at"
    for format in ["text", "binary"]:
        with connection.cursor() as cursor:
            with cursor.copy(f"COPY outbox.message ({columns}) FROM STDIN (FORMAT {format})") as copy:
                if format == "binary":
                    copy.set_types(["text", "bytea", "text", "text", "jsonb", "jsonb", "timestamptz"])
                for number in range(10):
                    copy.write_row((f"copied {format}", *WHOLE[1:4], Jsonb(HEADERS), Jsonb(OPTIONS), TIME))
        numbers = connection.execute(
            "SELECT id FROM outbox.message WHERE destination = %s ORDER BY id", [f"copied {format}"]
        ).fetchall()
        assert len(numbers) == 10
        for (number,) in numbers:
            assert row(connection, number) == (f"copied {format}", *WHOLE[1:])
        # What is refused says which field, and the row that it was in is not repeated as the row that fails.
        def refuse():
            with connection.cursor() as cursor:
                with cursor.copy(f"COPY outbox.message (destination, payload) FROM STDIN (FORMAT {format})") as copy:
                    if format == "binary":
                        copy.set_types(["text", "bytea"])
                    copy.write_row(("", b"secret"))
        try:
            with connection.transaction():
                refuse()
            raise AssertionError("an empty destination was taken")
        except psycopg.errors.CheckViolation as error:
            assert error.diag.column_name == "destination" and error.diag.message_detail is None


def libpq(connection, statement, values, format):
    """Runs a statement by libpq with the types that the server says, all values in one format."""
    raw = connection.pgconn
    prepared = raw.prepare(b"", statement.encode())
    assert prepared.status == pq.ExecStatus.COMMAND_OK, prepared.error_message
    described = raw.describe_prepared(b"")
    types = [described.param_type(index) for index in range(described.nparams)]
    encoded = [encode(value, oid, format) for value, oid in zip(values, types)]
    result = raw.exec_prepared(b"", encoded, [format] * len(values), 0)
    assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
    names = [connection.adapters.types[oid].name for oid in types]
    return int(result.get_value(0, 0)), names


def encode(value, oid, format):
    """A value as a program writes it that asks the server for the types."""
    if value is None:
        return None
    kind = psycopg.adapters.types[oid].name
    if kind == "timestamptz":
        if format == pq.Format.TEXT:
            return value.isoformat().encode()
        epoch = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)
        return ((value - epoch) // datetime.timedelta(microseconds=1)).to_bytes(8, "big", signed=True)
    if kind == "jsonb":
        text = json.dumps(value).encode()
        return text if format == pq.Format.TEXT else b"\x01" + text
    if kind == "bytea":
        return b"\\x" + value.hex().encode() if format == pq.Format.TEXT else value
    assert kind == "text", kind
    return value if isinstance(value, bytes) else value.encode()


@check
def libpq_types_of_the_server(connection):
    for format in [pq.Format.TEXT, pq.Format.BINARY]:
        number, types = libpq(
            connection,
            "INSERT INTO outbox.message (destination, payload, key, route, headers, options, deliver_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
            WHOLE,
            format,
        )
        assert types == ["text", "bytea", "text", "text", "jsonb", "jsonb", "timestamptz"], types
        assert row(connection, number) == WHOLE
        number, types = libpq(
            connection,
            "SELECT outbox.enqueue($1, $2::bytea, key => $3, route => $4, headers => $5, options => $6, deliver_at => $7)",
            WHOLE,
            format,
        )
        assert types == ["text", "bytea", "text", "text", "jsonb", "jsonb", "timestamptz"], types
        assert row(connection, number) == WHOLE
        # Where nothing says of which type the payload is, it is a text.
        number, types = libpq(connection, "SELECT outbox.enqueue($1, $2, $3)", ("d", "tëxt", None), format)
        assert types == ["text", "text", "text"], types
        assert row(connection, number)[:3] == ("d", "tëxt".encode(), None)


@check
def prepare(connection):
    connection.execute(
        "PREPARE p AS INSERT INTO outbox.message (destination, payload, key, headers) VALUES ($1, $2, $3, $4) RETURNING id"
    )
    connection.execute("PREPARE q AS SELECT outbox.enqueue($1, $2::jsonb, key => $3, deliver_at => $4, idempotency_window => $5)")
    types = connection.execute(
        "SELECT name, parameter_types::text[] FROM pg_prepared_statements WHERE name IN ('p', 'q') ORDER BY name"
    ).fetchall()
    assert types == [
        ("p", ["text", "bytea", "text", "jsonb"]),
        ("q", ["text", "jsonb", "text", "timestamp with time zone", "interval"]),
    ], types
    number = connection.execute("EXECUTE p ('d', '\\x01', 'k', '{}')").fetchone()[0]
    assert row(connection, number)[:5] == ("d", b"\x01", "k", None, {})


@check
def wrong_types(connection):
    """A number as a key is the commonest mistake; the report says what to cast."""
    for binary in [False, True]:
        format = "%b" if binary else "%t"
        for call, arguments, hint in [
            (f"{format}, {format}, {format}", ["d", "x", 42], "Cast the key to text"),
            (f"{format}, {format}, key => {format}", ["d", b"x", uuid.uuid4()], "Cast the key to text"),
            (f"{format}, {format}, key => {format}", ["d", Jsonb({}), 42], "Cast the key to text"),
            (f"{format}, {format}", ["d", 42], "Cast the payload to bytea, text, json or jsonb"),
        ]:
            report = refused(connection, "42804", f"SELECT outbox.enqueue({call})", arguments)
            assert hint in report.message_hint, report.message_hint


@check
def what_is_refused(connection):
    """The field and the limit, and nothing of the message."""
    for statement in [
        "SELECT outbox.enqueue(%s, %s, key => %s)",
        "INSERT INTO outbox.message (destination, payload, key) VALUES (%s, %s, %s)",
    ]:
        report = refused(connection, "23514", statement, ["secret" * 50, b"secret", "secret"])
        assert (report.column_name, report.constraint_name) == ("destination", "message_is_valid")
        assert report.message_detail is None and "secret" not in (report.message_primary + (report.context or ""))
        assert "1 to 255 are allowed" in report.message_primary
    report = refused(connection, "23502", "SELECT outbox.enqueue(%s, %s::bytea, key => %s)", ["secret", None, "secret"])
    assert report.column_name == "payload" and report.message_detail is None


def main():
    programs, schema = sys.argv[1:]
    with server(programs) as conninfo, psycopg.connect(conninfo, autocommit=True) as admin:
        version = admin.execute("SHOW server_version").fetchone()[0]
        with admin.transaction():
            admin.execute(pathlib.Path(schema).read_text())
        for function in CHECKS:
            with psycopg.connect(conninfo) as connection:
                function(connection)
    print(f"drivers: PostgreSQL {version}: {len(CHECKS)} passed, 0 failed")


main()
