"""How long does it take to compare a thousand runs, and how much memory; beside pandas reading the same numbers.

    python -m tests.benchmarks.compare_runs [--runs 1000] [--questions 1152] [--seeds 5] [--single]

Writes that many run directories (groups of five seeds; --single: every run a group of its own) into a temporary folder,
and times whole processes: `qaexp compare`, the same with --html, and pandas with nothing but the reading: every
summary.json and config.json into one table, and that with every scores.csv.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.benchmarks.processes import measured, qaexp
from tests.fixtures.compared import write_run

PANDAS = """
import json, sys
from pathlib import Path
import pandas as pd
runs = sorted(Path(sys.argv[1]).iterdir())
def read(run, name): return json.loads((run / name).read_text())
rows = [{**read(run, "config.json"), **read(run, "summary.json")} for run in runs]
table = pd.DataFrame(rows)
if sys.argv[2:] == ["scores"]:
    scores = pd.concat([pd.read_csv(run / "scores.csv").assign(run=run.name) for run in runs])
    scores.groupby("run")["f1"].mean()
print(len(table))
"""


def write(folder: Path, num_runs: int, num_questions: int, seeds: int) -> None:
    """Write the run directories."""
    hardness = np.random.default_rng(0).normal(size=num_questions)
    for number in range(num_runs):
        group, seed = divmod(number, seeds)
        sums = hardness + np.random.default_rng(number + 1).normal(size=num_questions) * 0.6 + group / num_runs
        f1 = np.where(sums > 0, 100.0, np.where(sums > -0.25, 100 / 3, 0.0))
        write_run(folder / f"run-{number:05d}", f1, changes={"optimizer.lr": (group + 1) * 1e-6, "seed": seed})


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--questions", type=int, default=1152)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--single", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "runs")
        write(folder, arguments.runs, arguments.questions, 1 if arguments.single else arguments.seeds)
        compare = qaexp("compare", folder)
        rows = [
            ("`qaexp compare DIR`", compare),
            ("`qaexp compare DIR --html FILE`", [*compare, "--html", Path(name, "report.html")]),
            ("pandas: config.json and summary.json", [sys.executable, "-c", PANDAS, folder]),
            ("pandas: and scores.csv", [sys.executable, "-c", PANDAS, folder, "scores"]),
        ]
        print(f"{arguments.runs:,} runs of {arguments.questions:,} questions\n")
        print("| command | seconds | MiB |")
        print("| --- | ---: | ---: |")
        for title, command in rows:
            measured(command, Path(name))
            found = measured(command, Path(name))
            print(f"| {title} | {found.seconds:.1f} | {found.peak_mib:.0f} |", flush=True)


if __name__ == "__main__":
    main()
