"""Draws what outbox-bench has written: charts.py [--into FOLDER] FILE...

Of comparisons (.json) a bar for each ratio; of a soak (.jsonl) a panel for each quantity, over time. A chart has the file's name,
with .svg at its end.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({
    "svg.hashsalt": "outbox",  # the same names of elements each time
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
})
import matplotlib.pyplot as plt  # noqa: E402

MET, NOT_MET, SHOWN, FAINT = "#4a9d5b", "#cc4b41", "#5b87b8", "#777777"
# By the name of the file; of another one it is the first comparison's name.
TITLES = {
    "commits": "Commits of producers a second, with a relay at work",
    "commits-goal": "Commits of producers a second, 32 and 64 producers",
    "commits-nofsync": "Commits of producers a second, without waiting for the disk",
    "designs": "The log and two usual designs of an outbox",
    "drain": "Messages a second, from the log to a closure",
    "enqueue": "Messages a second, enqueued in bulk",
    "growth": "Messages a second, from logs of growing size",
    "insert": "What a row costs a producer",
    "kafka": "To Kafka: messages a second, and time from the commit",
    "latency": "Time from the commit to the handler",
    "latency-nofsync": "Time from the commit to the handler, without waiting for the disk",
    "memory": "Memory of a relay with a large backlog",
    "pinned": "A relay while another transaction keeps vacuum from cleaning up",
    "rabbitmq": "To RabbitMQ: messages a second, and time from the commit",
    "scale": "What many destinations, streams, keys and messages cost",
    "writes": "What is written to deliver 100,000 messages",
}
# Whether more of a unit is better: what is done in a second is; times, sizes and rows are not.
MORE_IS_BETTER = {"messages/s": True, "commits/s": True, "ms": False, "µs": False, "MB": False, "rows": False}
# Further off, the others could not be told apart.
LOWEST, HIGHEST = 2.0**-8, 2.0**16
NOTE = (
    "A ratio is the median of the ratios of pairs measured one after the other, since what slows the machine slows both; "
    "it may differ from the ratio of the two medians."
)
LEGEND = "Tick: what was wanted. Green: met, red: not met, blue: only shown. Arrow: the bar would go on."


def number(value):
    """Three digits that count, or all before the point."""
    if value is None:
        return "–"
    if abs(value) >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.{max(2 - math.floor(math.log10(abs(value))), 0)}f}"


def ratio_text(value, goal=None):
    """As many digits as it takes to see on which side of the goal it is."""
    if value is None or abs(value) < 0.1:
        return number(value)
    digits = next((digits for digits in (2, 3, 4) if goal is None or value == goal or f"{value:.{digits}f}" != f"{goal:.{digits}f}"), 2)
    return f"{value:,.{digits}f}"


def direction(more):
    return "more is better →" if more else "← less is better"


def machine_text(machine):
    fsync = "on" if machine["fsync"] else "off"
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_bytes'] >> 30} GiB, {machine['system']}, "
        f"PostgreSQL {machine['postgres']}, fsync {fsync}, load {number(machine.get('load'))}"
    )


def wanted_ratio(comparison):
    """Of a goal such as “≥ 0.80 ×”; None: there is none, or it is one of the value itself."""
    text = comparison.get("wanted") or ""
    return float(text.split()[1].replace(",", "")) if text.endswith("×") else None


def draw_ratios(document, name):
    comparisons = document["comparisons"]
    directions = [MORE_IS_BETTER[comparison["unit"]] for comparison in comparisons]
    ratios = [comparison.get("ratio") for comparison in comparisons]
    wanted = [wanted_ratio(comparison) for comparison in comparisons]
    exponents = [math.log2(ratio) for ratio in ratios + wanted if ratio]
    low = max(2.0 ** math.floor(min(exponents + [-1])), LOWEST)
    high = min(2.0 ** math.ceil(max(exponents + [1])), HIGHEST)

    figure, axes = plt.subplots(figsize=(5.5, 0.36 * len(comparisons) + 0.4))
    axes.set_xscale("log", base=2)
    axes.set_xlim(low, high)
    axes.set_ylim(len(comparisons) - 0.4, -0.6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.tick_top()
    axes.xaxis.set_major_formatter(lambda mark, _: f"1/{1 / mark:.0f}" if mark < 1 else f"{mark:.0f} ×")
    axes.minorticks_off()
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    axes.axvline(1, color="#555555", linewidth=1)
    for row, (comparison, ratio, goal) in enumerate(zip(comparisons, ratios, wanted)):
        color = {True: MET, False: NOT_MET, None: SHOWN}[comparison.get("met")]
        if ratio is not None:
            end = min(max(ratio, low), high)
            axes.barh(row, end - 1, left=1, height=0.6, color=color)
            if end != ratio:
                axes.plot(end, row, "<" if end == low else ">", color=color, markersize=11, clip_on=False)
        if goal is not None:
            axes.vlines(goal, row - 0.4, row + 0.4, color="#111111", linewidth=2)
        left = {"xycoords": ("axes fraction", "data"), "ha": "right", "annotation_clip": False}
        axes.annotate(comparison["name"], (-0.03, row - 0.02), va="bottom", **left)
        against = f"against {comparison['reference']}"
        if len(set(directions)) > 1:
            against += f"; {direction(directions[row])}"
        axes.annotate(against, (-0.03, row + 0.04), va="top", size=7, color=FAINT, **left)
        axes.annotate(
            f"{ratio_text(ratio, goal)} ×; medians {number(comparison.get('median'))} and "
            f"{number(comparison.get('reference_median'))} {comparison['unit']}",
            (1.03, row), xycoords=("axes fraction", "data"), va="center", annotation_clip=False,
        )
    title = TITLES.get(name, comparisons[0]["name"])
    better = direction(directions[0]) if len(set(directions)) == 1 else "what is better stands at each bar"
    axes.set_title(f"{title}\n", size=11, pad=22)
    axes.annotate(
        f"ratio to the reference, on a logarithmic scale; {better}", (0.5, 1), (0, 20), xycoords="axes fraction",
        textcoords="offset points", ha="center", va="bottom", size=8, color=FAINT)
    text = "\n".join([LEGEND, NOTE, machine_text(document["machine"])])
    axes.annotate(
        text, (0.5, 0), (0, -8), xycoords="axes fraction", textcoords="offset points", ha="center", va="top", size=7,
        color=FAINT,
    )
    return figure


def draw_soak(machine, samples):
    names = [table["name"] for table in samples[0]["tables"]] if samples else []

    def column(name, scale=1):
        return [math.nan if sample.get(name) is None else sample[name] / scale for sample in samples]

    def tables(column_name, scale=1):
        found = [{table["name"]: table[column_name] / scale for table in sample["tables"]} for sample in samples]
        return {name: [tables.get(name, math.nan) for tables in found] for name in names}

    panels = {
        "delivered, messages/s; as many as are enqueued is best": {"delivered": column("throughput")},
        "INSERT to handler, ms; less is better": {"p50": column("p50_ms"), "p99": column("p99_ms")},
        "tables, MB; less is better, level is what counts": tables("bytes", 1e6),
        "indexes, MB; the same": tables("index_bytes", 1e6),
        "dead rows of each table; less is better, gone after the grey part": tables("dead_rows"),
        "memory of the relay's process, MB; less is better, level is what counts": {"resident": column("memory_bytes", 1e6)},
    }
    seconds = column("seconds")
    figure, all_axes = plt.subplots(len(panels), 1, figsize=(9, 1.8 * len(panels)), sharex=True, layout="constrained")
    for axes, (title, curves) in zip(all_axes, panels.items()):
        axes.set_title(title, loc="left", size=9)
        axes.fill_between(
            seconds, 0, 1, where=[sample["pinned"] for sample in samples], transform=axes.get_xaxis_transform(),
            color="#e8e8e8", linewidth=0,
        )
        for name, values in curves.items():
            axes.plot(seconds, values, label=name, linewidth=1)
        axes.set_ylim(bottom=0)
        axes.set_xlim(0, max(seconds, default=1))
        # In the order in which the curves end, the highest first.
        handles, labels = axes.get_legend_handles_labels()
        last = {name: next((value for value in reversed(values) if not math.isnan(value)), 0) for name, values in curves.items()}
        order = sorted(range(len(labels)), key=lambda index: -last[labels[index]])
        axes.legend(
            [handles[index] for index in order], [labels[index] for index in order], loc="center left", bbox_to_anchor=(1, 0.5),
            frameon=False, fontsize=8)
    all_axes[-1].set_xlabel("seconds; grey: a transaction elsewhere keeps vacuum from cleaning up")
    figure.suptitle("Half an hour under a steady load\n" + machine_text(machine), size=9)
    return figure


def draw(path):
    if path.suffix == ".jsonl":
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return draw_soak(lines[0]["machine"], lines[1:])
    return draw_ratios(json.loads(path.read_text()), path.stem)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where charts go; default: beside their files")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    for path in arguments.files:
        figure = draw(path)
        target = (arguments.into or path.parent) / path.with_suffix(".svg").name
        figure.savefig(target, bbox_inches="tight", pad_inches=0.1, metadata={"Date": None, "Creator": None})
        plt.close(figure)
        print(target, file=sys.stderr)


main()
