"""Does what one page says: page.py PAGE FOLDER. See scripts/run-docs."""

import difflib
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

# How long a command, or what another terminal is to show, may take.
LIMIT = 30
# For how long a command that only looks is repeated.
PATIENCE = 20
LOOKS = re.compile(r"cat |psql -At \"\$\w+\" -c \"SELECT (?!format)|outbox (status|doctor|(dead-letter|deferred|stream|subscription) list)\b")


class Mismatch(Exception):
    pass


def blocks(text):
    """Of each fenced block the line, the words behind the fence, the file that the line above names, and the lines in it."""
    fence, above, start, inside = None, "", 0, []
    for number, line in enumerate(text.split("\n"), 1):
        if fence is None:
            if line.startswith("```"):
                fence, start, inside = line[3:].split(), number, []
            elif line:
                above = line
        elif line == "```":
            name = re.search(r"`([\w./-]+)`:$", above)
            yield start, fence, name and name.group(1), inside
            fence, above = None, ""
        else:
            inside.append(line)


def commands(lines):
    """Each command of a console with what it prints."""
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append([line[2:], []])
        elif line.startswith("> ") and not found[-1][1]:
            found[-1][0] += "\n" + line[2:]
        else:
            found[-1][1].append(line)
    return found


def pattern(shown):
    """An expression for what a page shows."""
    parts = []
    for line in shown:
        if line.strip() == "…":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(r"[^\n]*".join(re.escape(part.rstrip() if last else part) for part, last in ends(line.split("…"))) + r"[ ]*\n")
    return re.compile("".join(parts))


def ends(parts):
    return [(part, index == len(parts) - 1) for index, part in enumerate(parts)]


def compare(shown, printed):
    shown = shown[: len(shown) - next((n for n, line in enumerate(reversed(shown)) if line), len(shown))]
    printed = printed.rstrip("\n") + "\n" if printed.strip() else ""
    if not pattern(shown).fullmatch(printed):
        raise Mismatch("\n".join(difflib.unified_diff(shown, printed.split("\n")[:-1], "shown", "printed", lineterm="", n=9)))


class Page:
    def __init__(self, folder):
        self.folder = folder
        self.others = []
        # What is exported stays, as in a terminal.
        (folder / ".state").write_text("")

    def run(self, words, lines, file):
        if file:
            path = self.folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n")
        elif words == ["sql"]:
            self.command("psql -X -q -v ON_ERROR_STOP=1 -f -", input="\n".join(lines))
        elif words[:1] == ["console"]:
            for command, shown in commands(lines):
                if len(words) > 1:
                    self.other(command, shown)
                else:
                    self.compare(command, shown)

    def compare(self, command, shown):
        """What only looks is repeated until it sees what is shown: a relay is at work meanwhile."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return compare(shown, self.command(command))
            except Mismatch:
                if not LOOKS.match(command) or time.monotonic() > end:
                    raise
            time.sleep(0.1)

    def command(self, command, input=None):
        script = f'. ./.state\n{command}\nstatus=$?\nexport -p >.state\nexit "$status"'
        ended = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, input=input if input is not None else "", stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=LIMIT, check=False)
        if ended.returncode != 0:
            raise Mismatch(f"$ {command}\nended with {ended.returncode}:\n{ended.stdout}")
        return ended.stdout

    def other(self, command, shown):
        log = self.folder / f".terminal-{len(self.others)}"
        with open(log, "w", encoding="utf-8") as output:
            process = subprocess.Popen(
                ["bash", "-c", f". ./.state\nexec env {command}"], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT)
        self.others.append(process)
        end = time.monotonic() + LIMIT
        while not pattern(shown).match(log.read_text(encoding="utf-8")):
            if time.monotonic() > end or process.poll() is not None:
                compare(shown, log.read_text(encoding="utf-8"))
            time.sleep(0.05)

    def end(self):
        for process in self.others:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            if process.wait(timeout=LIMIT) not in (0, -signal.SIGINT):
                raise Mismatch(f"a command in another terminal ended with {process.returncode}")


def main():
    path, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    page = Page(folder)
    start, number, count = time.monotonic(), 0, 0
    try:
        for number, words, file, lines in blocks(path.read_text(encoding="utf-8")):
            page.run(words, lines, file)
            count += words[:1] in (["console"], ["sql"])
        page.end()
    except (Mismatch, subprocess.TimeoutExpired) as error:
        print(f"{os.path.relpath(path)}:{number}: {error}", file=sys.stderr)
        return 1
    finally:
        for process in page.others:
            if process.poll() is None:
                process.kill()
    print(f"{os.path.relpath(path)}: {count} blocks do what they show, in {time.monotonic() - start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
