"""Applies files as goose, golang-migrate and Flyway do by their documentation, for where these cannot be had.

goose           https://pressly.github.io/goose/documentation/annotations/
golang-migrate  https://github.com/golang-migrate/migrate/blob/master/MIGRATIONS.md and database/postgres/README.md
Flyway          https://documentation.red-gate.com/flyway/flyway-concepts/migrations
"""

import pathlib
import re

import psycopg


class Reader:
    """Files of a folder, and how far they are applied."""

    def __init__(self, folder: pathlib.Path, conninfo: str):
        self.folder = folder
        self.conninfo = conninfo
        self.applied = 0

    def up(self):
        files = self.files()
        for file in files[self.applied:]:
            self.run(file, up=True)
            self.applied += 1

    def down(self):
        self.run(self.files()[self.applied - 1], up=False)
        self.applied -= 1

    def execute(self, statements: list[str]):
        """In a transaction, each as one message without parameters: a simple query of the protocol."""
        with psycopg.connect(self.conninfo) as connection:
            for statement in statements:
                connection.execute(statement)


class Goose(Reader):
    """“Each SQL migration file is expected to have exactly one -- +goose Up annotation. The -- +goose Down annotation is optional.”
    Statements end with a semicolon at the end of a line, but for those between StatementBegin and StatementEnd, which are taken as they
    are; comments before a statement are none of it. All of a file is one transaction."""

    def files(self):
        found = [path for path in self.folder.iterdir() if re.fullmatch(r"[0-9]+_.*\.sql", path.name)]
        return sorted(found, key=lambda path: int(path.name.split("_")[0]))

    def run(self, file, up):
        parts = {"Up": [], "Down": []}
        part, whole, lines = None, False, []
        for line in file.read_text().split("\n"):
            annotation = re.fullmatch(r"--\s*\+goose (.*?)\s*", line)
            if annotation is None:
                if not lines and (not line.strip() or line.strip().startswith("--")):
                    continue
                assert part is not None, f"before the first annotation: {line}"
                lines.append(line)
                if not whole and line.rstrip().endswith(";"):
                    parts[part].append("\n".join(lines))
                    lines = []
                continue
            match annotation[1]:
                case "Up" | "Down":
                    assert not whole and not lines and not parts[annotation[1]], f"misplaced: {line}"
                    part = annotation[1]
                case "StatementBegin":
                    assert part is not None and not whole and not lines, f"misplaced: {line}"
                    whole = True
                case "StatementEnd":
                    assert whole, f"misplaced: {line}"
                    parts[part].append("\n".join(lines).strip())
                    whole, lines = False, []
                case other:
                    raise AssertionError(f"not an annotation that is expected: {other}")
        assert not whole and not lines, "an unfinished statement"
        self.execute(parts["Up" if up else "Down"])


class GolangMigrate(Reader):
    """A file for each direction, `{version}_{title}.up.{extension}`, whose whole content is sent to the server at once, without a
    transaction around it: the server makes one of it."""

    PATTERN = re.compile(r"([0-9]+)_(.*)\.(down|up)\.(.*)")

    def files(self):
        found = [match for path in self.folder.iterdir() if (match := self.PATTERN.fullmatch(path.name))]
        versions = {}
        for match in found:
            pair = versions.setdefault(int(match[1]), {})
            assert match[3] not in pair, f"duplicate: {match[0]}"
            pair[match[3]] = self.folder / match[0]
        return [versions[version] for version in sorted(versions)]

    def run(self, file, up):
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(file["up" if up else "down"].read_text())


class Flyway(Reader):
    """`V2.1__Description.sql` in the order of versions, `U2.1__Description.sql` undoes one. `${name}` is a placeholder, anywhere in the
    file. Each statement is executed alone, all of a file in a transaction."""

    PATTERN = re.compile(r"([VU])([0-9]+(?:[._][0-9]+)*)__(.+)\.sql")

    def files(self):
        versions = {}
        for path in self.folder.iterdir():
            if match := self.PATTERN.fullmatch(path.name):
                version = tuple(int(part) for part in re.split("[._]", match[2]))
                versions.setdefault(version, {})[match[1]] = path
        return [versions[version] for version in sorted(versions)]

    def run(self, file, up):
        text = file["V" if up else "U"].read_text()
        assert "${" not in text, "a placeholder without a value"
        self.execute(list(statements(text)))


TOKEN = re.compile(
    r"""
    (?P<comment> --[^\n]*) |
    (?P<quoted> '(?:[^']|'')*' | "(?:[^"]|"")*") |
    (?P<dollar> \$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$) |
    (?P<end> ;) |
    (?P<other> .)
    """,
    re.VERBOSE | re.DOTALL,
)


def statements(text: str):
    """A script's statements, divided where PostgreSQL's lexical rules have a semicolon end one."""
    statement, has_content = "", False
    for token in TOKEN.finditer(text):
        if token.lastgroup == "end":
            yield statement.strip()
            statement, has_content = "", False
            continue
        statement += token[0]
        has_content = has_content or (token.lastgroup != "comment" and not token[0].isspace())
    assert not has_content, f"not ended: {statement}"
