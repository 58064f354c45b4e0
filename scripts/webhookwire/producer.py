"""The program under test, run with addresses of receivers."""

import os
import subprocess


def produce(mode, url, *arguments, secrets=(), limit=300):
    """Starts it.

    Returns the process, whose standard output has what there is to say.
    """
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment["OUTBOX_WEBHOOK_SECRET"] = " ".join(secrets)
    if not secrets:
        del environment["OUTBOX_WEBHOOK_SECRET"]
    command = ["timeout", str(limit), os.environ["WIRE_PROGRAM"], mode, url, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def output(*arguments, **options):
    """Runs it to its end."""
    process = produce(*arguments, **options)
    text, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"webhook-wire: the program ended with {process.returncode}: {text}")
    return text.strip()
