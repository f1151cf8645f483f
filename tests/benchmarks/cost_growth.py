"""How cost grows with questions, length and runs: `python -m tests.benchmarks.cost_growth` measures, prints and draws.

Three series, each of whole processes of one thread, processor seconds and peak memory of each:

- questions: `qaexp train` on the real sample, replicated; `model=tiny_random`, 20 steps and one evaluation of the dev
  set (1,152 questions), with an empty cache. What grows is reading and building features.
- length: 40 steps of MiniLM on the real sample with windows of at most so many tokens; the tokens of a step are about
  the same (`batches.token_budget`), and the figure is the seconds of 10,000 real tokens.
- runs: `qaexp compare` of so many run directories with 1,152 questions each, five seeds a group.

Figures go to tests/benchmarks/cost_growth.json, the picture to docs/pictures/cost.png; `--draw` draws the figures that
are there.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from qaexp.reporting.figures.style import BLUE, ORANGE, look, png
from tests import SAMPLE
from tests.benchmarks.compare_runs import write
from tests.benchmarks.processes import measured, qaexp
from tests.benchmarks.replicas import replicate

QUESTIONS = (1_000, 4_000, 16_000, 64_000, 256_000)
LENGTHS = (64, 128, 256, 512)
RUNS = (10, 100, 1_000)
HERE = Path(__file__).resolve().parent
FIGURES, PICTURE = HERE / "cost_growth.json", HERE.parents[1] / "docs" / "pictures" / "cost.png"

Rows = list[dict[str, float]]


def by_questions(folder: Path) -> Rows:
    rows: Rows = []
    for number in QUESTIONS:
        train = replicate([SAMPLE / "train.json"], folder / "train.json", number)
        data = ("data=json", f"data.train_file={train}", f"data.dev_file={SAMPLE / 'dev.json'}")
        words = ("train", *data, "model=tiny_random", "trainer.max_steps=20", "threads=1", f"name=questions-{number}")
        cache = {"QAEXP_CACHE_DIR": str(folder / f"cache-{number}")}
        found = measured(qaexp(*words), folder, cache)
        rows.append({"size": number, "cpu_seconds": found.cpu_seconds, "peak_mib": found.peak_mib})
        print(rows[-1], flush=True)
    return rows


def by_length(folder: Path) -> Rows:
    rows: Rows = []
    for length in LENGTHS:
        data = ("data=json", f"data.train_file={SAMPLE / 'train.json'}", f"data.dev_file={SAMPLE / 'dev.json'}")
        windows = (f"features.max_length={length}", f"features.doc_stride={length // 4}", "data.dev_size=20")
        words = ("train", *data, *windows, "trainer.max_steps=40", "threads=1", f"name=length-{length}")
        found = measured(qaexp(*words), folder)
        steps = json.loads((folder / "outputs" / words[-1][5:] / "timings.jsonl").read_text().splitlines()[-1])
        cost = 10_000 / steps["tokens_per_second"]
        rows.append({"size": length, "cpu_seconds": cost, "peak_mib": found.peak_mib})
        print(rows[-1], flush=True)
    return rows


def by_runs(folder: Path) -> Rows:
    rows: Rows = []
    for number in RUNS:
        write(folder / f"runs-{number}", number, 1_152, 5)
        measured(qaexp("compare", folder / f"runs-{number}"), folder)
        found = measured(qaexp("compare", folder / f"runs-{number}"), folder)
        rows.append({"size": number, "cpu_seconds": found.cpu_seconds, "peak_mib": found.peak_mib})
        print(rows[-1], flush=True)
    return rows


SERIES = {
    "questions": ("training questions", "processor seconds of a run", by_questions),
    "length": ("tokens of a window", "seconds of 10,000 tokens", by_length),
    "runs": ("runs compared", "processor seconds", by_runs),
}


def draw(figures: dict[str, Any]) -> bytes:
    """Return the picture: seconds above memory, a column a series; both axes are logarithmic."""
    with look():
        figure = Figure(figsize=(9.6, 5.0), layout="constrained")
        panels = figure.subplots(2, len(SERIES), sharex="col")
        for (above, below), (name, (size, seconds, _)) in zip(panels.T, SERIES.items(), strict=True):
            _panel(above, seconds, figures[name], "cpu_seconds", BLUE)
            _panel(below, "peak memory, MiB", figures[name], "peak_mib", ORANGE)
            below.set_xlabel(size)
        return png(figure)


def _panel(axes: Axes, title: str, rows: Rows, key: str, color: str) -> None:
    sizes, values = [row["size"] for row in rows], [row[key] for row in rows]
    axes.plot(sizes, values, color=color, marker="o")
    axes.set_xscale("log")
    axes.set_yscale("log")
    low, high = min(values), max(values)
    axes.set_ylim(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high)))
    axes.set_xticks(sizes, [f"{size // 1000:.0f}k" if size >= 1000 else f"{size:.0f}" for size in sizes])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_title(title)


def table(figures: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["| what grows | size | seconds | peak MiB |", "| --- | ---: | ---: | ---: |"]
    for name in SERIES:
        lines += [
            f"| {name} | {row['size']:,.0f} | {row['cpu_seconds']:.1f} | {row['peak_mib']:,.0f} |"
            for row in figures[name]
        ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    parser.add_argument("--only", choices=SERIES, nargs="+", default=list(SERIES), help="measure these anew")
    arguments = parser.parse_args()
    figures: dict[str, Any] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if not arguments.draw:
        with tempfile.TemporaryDirectory() as folder:
            figures |= {name: SERIES[name][2](Path(folder)) for name in arguments.only}
        versions = {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy")}
        figures["versions"] = {"python": platform.python_version(), **versions, "cores": os.cpu_count()}
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    PICTURE.write_bytes(draw(figures))
    print(table(figures))


if __name__ == "__main__":
    main()
