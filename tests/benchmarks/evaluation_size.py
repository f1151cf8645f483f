"""Evaluation of large dev sets: `python -m tests.benchmarks.evaluation_size FOLDER --factors 1 3 10`.

Dev sets of 11,873 questions (those of SQuAD v2.0) and multiples of it are made by replicating the real sample: each
copy has its own ids, contexts and questions. For each, two runs with fresh weights of `tiny_random` take five steps and
are evaluated; then every command that reads a run is called, each in a process of its own. Printed are seconds, the
peak of resident memory as the kernel counts it, and the sizes of the files. What is in FOLDER already is used again.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
from collections.abc import Sequence
from pathlib import Path

from tests import SAMPLE
from tests.benchmarks.processes import Process, measured, qaexp, stage_seconds
from tests.benchmarks.replicas import replicate

NUM_QUESTIONS = 11_873
NUM_TRAIN = 500
STAGES = ("data", "features", "model", "training", "evaluation", "report")
FILES = ("logits.safetensors", "predictions.jsonl", "scores.csv", "contexts.json", "report.html")


def write_set(path: Path, num: int) -> Path:
    return path if path.exists() else replicate([SAMPLE / "train.json", SAMPLE / "dev.json"], path, num)


def trained(folder: Path, factor: int, name: str, *words: str) -> tuple[Path, Process | None]:
    """A run on a dev set; None where it was there already."""
    directory = folder / "outputs" / name
    if (directory / "summary.json").exists():
        return directory, None
    train = write_set(folder / "train.json", NUM_TRAIN)
    dev = write_set(folder / f"dev{factor}.json", factor * NUM_QUESTIONS)
    data = ("data=json", f"data.train_file={train}", f"data.dev_file={dev}", "model=tiny_random", "trainer=cpu")
    settings = ("trainer.epochs=1", "trainer.max_steps=5", "threads=1", f"name={name}")
    return directory, measured(qaexp("train", *data, *settings, *words), folder)


def row(what: str, cells: Sequence[object]) -> str:
    return f"| {what} | {' | '.join(map(str, cells))} |"


def shown(found: Process) -> str:
    return f"{found.cpu_seconds:,.1f} s, {found.peak_mib:,.0f} MiB"


def peak_before_evaluation(directory: Path) -> float:
    """The peak of a run when its first evaluation began, MiB."""
    lines = [json.loads(line) for line in (directory / "timings.jsonl").read_text().splitlines()]
    return max(float(line["memory_mib"]) for line in lines[:-1])


def main() -> None:
    """Print one table: a column a dev set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 3, 10])
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    table: dict[str, list[str]] = {}

    def cell(what: str, text: str) -> None:
        table.setdefault(what, []).append(text)

    for factor in arguments.factors:
        run, one = trained(folder, factor, f"x{factor}-a")
        other, _ = trained(folder, factor, f"x{factor}-b", "optimizer.lr=1e-2")
        summary = json.loads((run / "summary.json").read_text())
        cell("windows", f"{summary['num_dev_features']:,}")
        cell("`qaexp train`", "there already" if one is None else shown(one))
        cell("peak before the first evaluation, at the end", f"{peak_before_evaluation(run):,.0f}, "
             f"{summary['peak_memory_mib']:,.0f} MiB")  # fmt: skip
        took = stage_seconds(run)
        for stage in STAGES:
            cell(f"stage {stage}", f"{took[stage]:,.1f} s")
        for name in FILES:
            cell(name, f"{(run / name).stat().st_size / 1e6:,.1f} MB")
        for words in (
            ("rescore", str(run)),
            ("plot", str(run)),
            ("verify", str(run)),
            ("predictions", str(run), "--where", "wrong", "--order", "worst"),
            ("compare", str(run), str(other)),
            ("compare", str(run), str(other), "--html", str(folder / "compare.html")),
        ):
            label = "`qaexp " + " ".join(word for word in words if not word.startswith("/")) + "`"
            cell(label, shown(measured(qaexp(*words), folder)))
    print(row("", [f"{factor * NUM_QUESTIONS:,} questions" for factor in arguments.factors]))
    print(row("---", ["---:"] * len(arguments.factors)))
    for what, cells in table.items():
        print(row(what, cells))
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "transformers", "numpy"))
    print(f"\nCPU seconds and peak of each process; Python {platform.python_version()}, {versions}, one thread")


if __name__ == "__main__":
    main()
