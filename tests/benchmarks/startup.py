"""What a run spends beside its steps: `python -m tests.benchmarks.startup [--trees OTHER .] [--model tiny_random]`.

`qaexp train MODEL trainer.max_steps=2 threads=1` is run several times, each in a process of its own and in turns for
each tree (a checkout whose qaexp is measured). Printed are the medians of the seconds from the start of the process to
the first step, and from the last step to the end of the process, part by part, and of the processor time of the whole.
The parts are read from debug.log and timings.jsonl; the features come from the cache but in the round before the first.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

STAGES = ("data", "features", "model", "training", "evaluation", "report")
_CODE = "import sys; from qaexp.cli import main; sys.exit(main())"


def parts(folder: Path, tree: Path, model: str) -> dict[str, float]:
    """Run once; return the seconds of each part, and the processor seconds of the process."""
    words = ["train", f"model={model}", "trainer.max_steps=2", "trainer.log_every=1", "threads=1", "name=one"]
    path = os.pathsep.join([str(tree), *filter(None, [os.environ.get("PYTHONPATH")])])
    begun = time.time()
    process = subprocess.Popen(
        [sys.executable, "-c", _CODE, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "TZ": "UTC"},
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    ended = time.time()
    if status:
        raise SystemExit(f"qaexp {' '.join(words)} failed in {folder}")
    run = folder / "outputs" / "one"
    begins = _begins(run / "debug.log")
    steps = [json.loads(line) for line in (run / "timings.jsonl").read_text().splitlines()]
    first, last = (begins["training"] + steps[place]["elapsed_seconds"] for place in (0, 1))  # two steps
    found = {
        "start: Python, libraries, config, checks": begins["data"] - begun,
        "start: data": begins["features"] - begins["data"],
        "start: features from the cache": begins["model"] - begins["features"],
        "start: model": begins["training"] - begins["model"],
        "start: the first step": first - begins["training"],
        "process start to the first step": first - begun,
        "end: evaluation, weights, metrics": begins["report"] - last,
        "end: pictures and page": begins["after report"] - begins["report"],
        "end: manifest, summary, process end": ended - begins["after report"],
        "last step to the end of the process": ended - last,
        "processor seconds of the whole": used.ru_utime + used.ru_stime,
    }
    subprocess.run(["rm", "-rf", run], check=True)
    return found


def _begins(log: Path) -> dict[str, float]:
    """When each stage began, and when the last one was over, in seconds since the epoch."""
    found: dict[str, float] = {}
    for line in log.read_text().splitlines():
        date, clock, _, *said = line.split(maxsplit=4)
        words = " ".join(said).split()
        if len(words) > 1 and words[0] in STAGES and words[1] in ("begins", "took"):
            at = datetime.strptime(f"{date} {clock}", "%Y-%m-%d %H:%M:%S,%f").replace(tzinfo=UTC).timestamp()
            found[words[0] if words[1] == "begins" else f"after {words[0]}"] = at
    return found


def table(medians: Mapping[str, Mapping[str, float]]) -> str:
    """Rows of Markdown: a column for each tree."""
    trees = list(medians)
    lines = ["| seconds | " + " | ".join(trees) + " |", "| --- |" + " ---: |" * len(trees)]
    lines += [
        f"| {part} | " + " | ".join(f"{medians[tree][part]:.2f}" for tree in trees) + " |" for part in medians[trees[0]]
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trees", nargs="+", type=Path, default=[Path()])
    parser.add_argument("--model", default="tiny_random")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    trees = {str(tree): tree.resolve() for tree in arguments.trees}
    found: dict[str, dict[str, list[float]]] = {tree: defaultdict(list) for tree in trees}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(arguments.rounds + 1):
            for name, tree in trees.items():
                for part, seconds in parts(Path(scratch), tree, arguments.model).items():
                    if number:  # the first round fills the caches
                        found[name][part].append(seconds)
    medians = {tree: {part: statistics.median(values) for part, values in of.items()} for tree, of in found.items()}
    print(f"medians of {arguments.rounds} rounds, model={arguments.model}, 1 thread\n\n{table(medians)}")


if __name__ == "__main__":
    main()
