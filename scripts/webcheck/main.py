"""What scripts/web checks of the page."""

import contextlib
import http.server
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import urllib.parse

from browser import browser
from world import PROGRAM, eventually, get, world

# A relay drains so many messages so many times with the page and without it, in turn, so often; and how often these are asked for then, in seconds.
MESSAGES, ROUNDS, PAIRS, INTERVAL = 2_000_000, 8, 4, 5
PICTURES = pathlib.Path(".build/web")
# Strings that have become something else in other programs; each would open a dialog, or leave a mark.
CORPUS = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)", "</title><script>alert(1)</script>",
    '"\u0301 onfocus=alert(1) autofocus x="', "<\u0301script>alert(1)</script>", "<svg/onload=alert(1)>", "{{{title}}}", "javascript:alert(1)",
    "</textarea><script>alert(1)</script>", "</pre><script>alert(1)</script>", "<!--", "\r\n\r\n<script>alert(1)</script>",
    "data: x\nevent: look\ndata: <img src=x onerror=alert(1)>\n\n", "\u202e<b>x", "<base href=//evil.example/>",
]
# How many times the contrast of each text is at least; text that is large may have less (WCAG 2.2, 1.4.3).
CONTRAST = """
    const lightness = (text) => {
      const numbers = text.match(/[\\d.]+/g).map(Number);
      if (numbers.length > 3 && numbers[3] === 0) return null;
      const [r, g, b] = numbers.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const faint = [];
    for (const element of document.querySelectorAll("body *")) {
      const hasText = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
      if (!hasText || !element.checkVisibility() || element.closest(".hidden, .skip, script, style, title")) continue;
      let ground = element, paper = null;
      while (ground && paper === null) { paper = lightness(getComputedStyle(ground).backgroundColor); ground = ground.parentElement; }
      const ink = lightness(getComputedStyle(element).color);
      const [low, high] = [Math.min(ink, paper ?? 1), Math.max(ink, paper ?? 1)];
      const contrast = (high + 0.05) / (low + 0.05);
      if (contrast < 4.5) faint.push(`${element.tagName} ${element.className} “${element.textContent.trim().slice(0, 30)}”: ${contrast.toFixed(1)}`);
    }
    return faint;
"""


@contextlib.contextmanager
def web(here, *options):
    """The page, and its address."""
    process = subprocess.Popen(
        [PROGRAM, "web", "--listen", ":0", "--postgres", here.url, *options], stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if match := re.search(r"the page is at (http://\S+)/", line):
                # What it says from here on fills no pipe.
                threading.Thread(target=process.stderr.read, daemon=True).start()
                yield match[1]
                break
        else:
            raise AssertionError("the page does not begin")
    finally:
        process.terminate()
        assert process.wait(30) == 0


def fill(here):
    for destination in ["orders", "mail", "late", "a long name of a destination that somewhere has to break " * 3]:
        for number in range(3):
            here.outbox("enqueue", destination, '{"number": %d, "text": "hello"}' % number, "--key", f"k{number}", "--header", "a=b")
    for number, text in enumerate(CORPUS):
        quoted = "convert_from('\\x%s', 'UTF8')" % text.encode().hex()
        here.sql(f"""
            INSERT INTO outbox.dead_letter (id, created_at, destination, route, key, headers, payload, attempts, reason, last_error)
            VALUES ({1000 + number}, now(), {quoted}, {quoted}, {quoted}, jsonb_build_object({quoted}, {quoted}),
                convert_to({quoted}, 'UTF8'), 1, 'rejected', {quoted})
            """)
        here.sql(f"INSERT INTO outbox.message (destination, payload) VALUES ({quoted}, 'x')")


PAGES = ["", "destination?name=mail", "dead-letters", "dead-letter?id=1000", "deferred", "relays", "doctor", "schema",
         "confirm?change=discard-dead&scope=matching&error=alert", "nothing"]


def check_looks(one, address):
    # The page that there is none is one, and the browser says so.
    allowed = re.compile(r"/nothing - Failed to load resource: the server responded with a status of 404")
    for page in PAGES:
        one.open(f"{address}/{page}")
        name = re.sub(r"\W.*", "", page) or "overview"
        for width, height in [(360, 740), (768, 1024), (1280, 900), (3840, 2160)]:
            one.size(width, height)
            over = one.run("return document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{page} hangs over by {over} at {width}"
            for scheme in ["light", "dark"]:
                one.prefer(scheme)
                faint = one.run(CONTRAST)
                assert not faint, f"{page}, {scheme}: {faint}"
                one.picture(PICTURES / f"{name}-{width}-{scheme}.png")
        assert not one.has_dialog, f"{page}: something runs"
    complaints = [text for text in one.complaints() if not allowed.search(text)]
    assert not complaints, complaints
    print(f"web: {len(PAGES)} pages in four widths, light and dark: nothing hangs over, contrast is enough, nothing to complain about")


def check_markup(one, address):
    for number, text in enumerate(CORPUS):
        name = urllib.parse.quote(text, safe="")
        for page in [f"dead-letter?id={1000 + number}", f"dead-letter?id={1000 + number}&as=text", f"destination?name={name}",
                     f"dead-letters?destination={name}", f"dead-letters?error={name}", f"?q={name}",
                     f"confirm?change=replay&scope=matching&error={name}"]:
            one.open(f"{address}/{page}")
            assert not one.has_dialog, f"{page}: something runs"
            found = one.run("return [document.querySelectorAll('main script, img, base, svg:not(figure svg), b').length, document.title]")
            assert found[0] == 0, f"{page}: there are elements that are none of ours"
            assert found[1].endswith(" – outbox"), found
    one.open(f"{address}/")
    # What events bring is put into the page as markup.
    one.run("window.looks = 0; new EventSource('events').addEventListener('look', () => { window.looks += 1; });")
    eventually(lambda: one.run("return window.looks") > 0)
    assert not one.has_dialog and one.run("return document.querySelectorAll('#live img, #live script, #live b').length") == 0
    complaints = one.complaints()
    assert not complaints, complaints
    print(f"web: {len(CORPUS)} strings that are markup do nothing, as names, keys, headers, errors, payloads and searches")


def check_use(one, here, address):
    one.size(1280, 900)
    one.open(f"{address}/")
    one.run("window.mark = 1")
    here.outbox("enqueue", "news", "x")
    eventually(lambda: "news" in one.text)
    assert one.run("return window.mark") == 1, "the page was loaded again"
    # The focus stays where it is when the page changes.
    one.run("document.querySelector('#live a[href=\"destination?name=news\"]').focus()")
    here.outbox("enqueue", "newest", "x")
    eventually(lambda: "newest" in one.text)
    assert one.run("return document.activeElement.getAttribute('href')") == "destination?name=news"

    one.open(f"{address}/")
    one.press("tab")
    assert one.run("return document.activeElement.className") == "skip"
    one.press("enter")
    assert one.run("return document.activeElement.id") == "content"
    one.press("/", "n", "e", "w", "s", "enter")
    eventually(lambda: "?q=news" in one.run("return location.href"))
    assert "newest" not in one.run("return document.querySelector('table').innerText")

    one.open(f"{address}/dead-letters?destination=mail")
    one.click("input[name=id][value='4']")
    one.click("input[name=id][value='5']")
    one.click("button[value=replay]")
    eventually(lambda: "Replay 2 dead letters?" in one.text)
    one.click("form[method=post] button")
    eventually(lambda: "2 messages were replayed." in one.text)
    assert "1 dead letter" in one.text and here.sql("SELECT count(*) FROM outbox.deferred WHERE destination = 'mail'")[0][0] in ("2", 2)

    one.open(f"{address}/destination?name=mail")
    one.click("button[value=pause]")
    eventually(lambda: "Pause “mail”?" in one.text)
    one.click("form[method=post] button")
    eventually(lambda: "Paused." in one.text)

    one.devtools("Emulation.setScriptExecutionDisabled", value=True)
    one.open(f"{address}/")
    assert "newest" in one.source and "<polyline" in one.source, "without scripts nothing is to be read"
    one.devtools("Emulation.setScriptExecutionDisabled", value=False)
    print("web: kept up to date with the focus kept, keyboard, a replay and a pause to their end, reading without scripts")


@contextlib.contextmanager
def other_site(page):
    """A site of another origin with one page."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()


def check_other_sites(one, here, address):
    token = re.search(r'name="token" value="(\w+)"', get(f"{address}/confirm?change=pause&name=mail")[1].decode())[1]
    before = here.sql("SELECT count(*) FROM outbox.dead_letter")
    # Even one that has somehow learnt what forms have in them.
    for fields in ["", f"<input name=token value={token}>"]:
        form = f"""<form method=post action="{address}/change">{fields}<input name=change value=discard-dead>
            <input name=scope value=matching></form><script>document.forms[0].submit()</script>"""
        with other_site(form) as site:
            one.open(site)
            eventually(lambda: "The form is not from this page" in one.text)
    assert here.sql("SELECT count(*) FROM outbox.dead_letter") == before
    one.complaints()
    reading = f"""<iframe src="{address}/"></iframe><p id=said>nothing</p><script>
        fetch("{address}/").then(a => a.text()).then(t => {{ said.textContent = "read"; }}, () => {{ said.textContent = "refused"; }})</script>"""
    with other_site(reading) as site:
        one.open(site)
        eventually(lambda: one.run("return said.textContent") == "refused")
        said = []
        eventually(lambda: said.extend(one.complaints()) or any("frame-ancestors" in text for text in said))
    print("web: forms of another site change nothing; another site can neither frame nor read the page")


def load(here):
    """Prints what pages take where there is much."""
    here.sql("INSERT INTO outbox.message (destination, key, payload) SELECT 'd' || i, 'k' || i, 'x' FROM generate_series(1, 1000) AS i")
    with here.relay("--route", "*=discard") as address:
        eventually(lambda: b"outbox_relay_streams 1000\n" in get(address + "/metrics")[1])
        here.sql("""
            INSERT INTO outbox.dead_letter (id, created_at, destination, key, payload, attempts, reason, last_error, died_at)
            SELECT 1000000 + i, now(), 'd' || 1 + i % 1000, 'k' || i, 'x', 1, 'rejected', 'refused after ' || i || ' ms',
                now() - i * interval '1 s' FROM generate_series(1, 100000) AS i
            """)
        here.sql("VACUUM ANALYZE")
        for page in ["metrics", "", "?q=d77", "?page=9", "destination?name=d5", "dead-letters", "dead-letters?page=900", "dead-letters?error=refused", "relays",
                     "dead-letter?id=1000005"]:
            times = []
            for _ in range(5):
                # Of an old look too.
                time.sleep(1.3)
                begin = time.monotonic()
                _, text = get(f"{address}/{page}")
                times.append(time.monotonic() - begin)
            print(f"/{page}: median {sorted(times)[2] * 1000:.0f} ms, longest {max(times) * 1000:.0f} ms, {len(text) / 1000:.0f} kB", flush=True)
    here.sql(f"""
        INSERT INTO outbox.message (destination, key, payload)
        SELECT 'd' || 1 + i % 1000, 'k' || i, 'x' FROM generate_series(1, {MESSAGES}) AS i
        """)
    here.sql("VACUUM ANALYZE")
    lines = here.folder / "lines"
    lines.touch()
    with here.relay("--route", f"*=file:{lines}") as address:
        # The first time, which finds nothing in memory, says how long the lines are.
        size = all_lines(lines)
        totals = {True: 0, False: 0}
        for number in range(PAIRS):
            # In turn, since what comes second may find the machine warm.
            for watched in ([True, False] if number % 2 else [False, True]):
                seconds = drain(here, address, lines, size, watched)
                totals[watched] += seconds
                print(f"{ROUNDS} times {MESSAGES} messages{', watched' if watched else ''}: {seconds:.2f} s", flush=True)
    print(
        f"rate of a relay whose /metrics and page are asked for every {INTERVAL} s, beside the same one that is left alone: "
        f"{totals[False] / totals[True]:.3f} x")


def all_lines(lines):
    """How many bytes the lines of all messages have, when they are there."""
    while True:
        size = lines.stat().st_size
        time.sleep(1)
        if size and size == lines.stat().st_size:
            with open(lines, "rb") as written:
                if sum(1 for _ in written) >= MESSAGES:
                    return size


def drain(here, address, lines, size, watched):
    """How long a relay takes to write all messages into a file, as many times as it does so, each from the first line on, in seconds."""
    done = threading.Event()

    def look():
        while True:
            with contextlib.suppress(OSError):
                get(address + "/metrics")
                get(address + "/")
            if done.wait(INTERVAL):
                return

    watcher = threading.Thread(target=look, daemon=True)
    if watched:
        watcher.start()
    seconds = 0
    for _ in range(ROUNDS):
        os.truncate(lines, 0)
        # What a rewind does, for all of them.
        here.sql(f"UPDATE outbox.stream SET position = (SELECT max(id) FROM outbox.message) - {MESSAGES}")
        while not lines.stat().st_size:
            time.sleep(0.005)
        begin = time.time()
        while lines.stat().st_size < size:
            time.sleep(0.02)
        seconds += lines.stat().st_mtime - begin
    done.set()
    if watched:
        watcher.join()
    return seconds


def main():
    with world() as here:
        if "--load" in sys.argv:
            return load(here)
        fill(here)
        here.outbox("relay", "--route", "mail=exec:exit 65", "--until-empty", "--log-level", "critical", status=2)
        with web(here, "--allow-changes", "--show-payloads") as address, browser() as one:
            check_looks(one, address)
            check_markup(one, address)
            check_use(one, here, address)
            check_other_sites(one, here, address)


main()
