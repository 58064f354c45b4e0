"""Whether rules, dashboard and documentation are about metrics that there are."""

import json
import re
import subprocess
import tempfile

import yaml

# As a family's name becomes that of samples.
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "info": ["_info"]}
# Names that are no metric of ours: a rule may speak of them.
OTHERS = {"up"}
# In the documentation, and made only where librdkafka reports.
OF_KAFKA = "outbox_kafka_"


def check(families, docs):
    names = {family.name + suffix for family in families.values() for suffix in SUFFIXES.get(family.type, [""])}
    rules(names, docs)
    dashboard(names, docs)
    monitoring(families, docs)


def metrics_of(expression):
    """What an expression reads: words that stand where a metric can."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\b(by|on|without|group_left)\s*\([^)]*\)', " ", expression)
    return set(re.findall(r"\b(?:outbox|process)_[a-z_]+\b", bare))


def rules(names, docs):
    groups = yaml.safe_load((docs / "alerts/outbox.rules.yml").read_text())["groups"]
    tested = yaml.safe_load((docs / "alerts/outbox.rules.test.yml").read_text())["tests"]
    cases = [case for test in tested for case in test["alert_rule_test"]]
    anchors = {anchor(line) for line in (docs / "at-3-am.md").read_text().splitlines() if line.startswith("## ")}
    alerts = [rule for group in groups for rule in group["rules"]]
    for rule in alerts:
        name, runbook = rule["alert"], rule["annotations"]["runbook"]
        page, _, part = runbook.partition("#")
        assert page == "docs/at-3-am.md" and part in anchors, f"{name}: there is no {runbook}"
        assert metrics_of(rule["expr"]) and metrics_of(rule["expr"]) <= names, f"{name}: {rule['expr']}"
        for wanted in [True, False]:
            assert any(case["alertname"] == name and bool(case["exp_alerts"]) == wanted for case in cases), (
                f"{name} is not tested on what is {'bad' if wanted else 'well'}")
    print(f"metrics: {len(alerts)} rules are tested, and name metrics and parts of docs/at-3-am.md that there are")


def anchor(heading):
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower()).replace(" ", "-")


def dashboard(names, docs):
    board = json.loads((docs / "alerts/outbox.grafana.json").read_text())
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(at["x"], at["y"]) for at in (panel["gridPos"] for panel in panels)]
    assert len(set(places)) == len(places), "two panels have one place"
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    for expression in expressions:
        assert metrics_of(expression) and metrics_of(expression) <= names, expression
    for panel in panels:
        assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"], panel["title"]
    # What Grafana puts in place of its variables.
    texts = [text.replace("$__rate_interval", "1m").replace("$job", ".*").replace("$subscription", ".*")
             for text in expressions]
    record = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(texts)]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump({"groups": [{"name": "panels", "rules": record}]}, file)
        file.flush()
        run = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    print(f"metrics: the dashboard's {len(expressions)} expressions are PromQL about metrics that there are")


def monitoring(families, docs):
    """Each metric is a row of docs/monitoring.md, with its type, and no other one is."""
    rows = {}
    for line in (docs / "monitoring.md").read_text().splitlines():
        if match := re.match(r"\| `((?:outbox|process)_\w+)` \| (\w+) \|([^|]*)\|", line):
            rows[match[1]] = (match[2], set(re.findall(r"`(\w+)`", match[3])))
    for family in families.values():
        suffix = SUFFIXES.get(family.type, [""])[0] if family.type != "histogram" else ""
        name = family.name + suffix
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        type = "gauge" if family.type == "info" else family.type
        assert rows.pop(name, None) == (type, labels), f"docs/monitoring.md: {name} is a {type} with {labels}"
    rest = {name for name in rows if not name.startswith(OF_KAFKA)}
    assert not rest, f"docs/monitoring.md has metrics that there are not: {rest}"
    print(f"metrics: docs/monitoring.md has all {len(families)} families")
