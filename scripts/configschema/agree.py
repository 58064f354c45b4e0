"""Judges each file of the corpus by the JSON Schema and by the program, which have to agree."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import jsonschema
import yaml

FOLDER = pathlib.Path(__file__).parent
SCHEMA = json.loads((FOLDER / "../../docs/outbox.schema.json").read_text())


def fine_for_schema(text: str) -> bool:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    try:
        return validator.is_valid(yaml.safe_load(text))
    except yaml.YAMLError:
        return False


def program(text: str, folder: str) -> tuple[bool, str]:
    path = pathlib.Path(folder) / "outbox.yaml"
    path.write_text(text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OUTBOX_", "PG"))}
    done = subprocess.run(
        [os.environ["OUTBOX_PROGRAM"], "relay", "--config", path, "--check-config"],
        capture_output=True, text=True, timeout=60, env=environment,
    )
    return done.returncode == 0, done.stderr


def main() -> int:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    corpus = yaml.safe_load((FOLDER / "corpus.yaml").read_text())
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in corpus:
            text, fine = case["text"], case["fine"]
            by_program, words = program(text, folder)
            by_schema = fine_for_schema(text)
            expected_of_schema = True if case.get("only") == "program" else fine
            if by_program != fine or by_schema != expected_of_schema:
                wrong += 1
                print(f"config-schema: program {by_program}, schema {by_schema}, should be {fine}:\n{text}{words}")
    # Both have seen something of each kind.
    assert sum(case["fine"] for case in corpus) >= 5 and sum(not case["fine"] for case in corpus) >= 10
    print(f"config-schema: {len(corpus)} files, {wrong} on which schema and program differ")
    return 1 if wrong else 0


sys.exit(main())
