"""What a run costs by the number of questions: `python -m tests.benchmarks.full_size --data DIR --questions N ...`.

DIR has train.json and dev.json in SQuAD's format. They are replicated up to the numbers asked for: each copy has new
ids, another sentence in each context and other questions, so that no two contexts are equal. Then each size is a run of
its own process, with an empty cache, and once more with the cache that it left.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

WORDS = ("data=json", "model=tiny_random", "trainer.epochs=1", "trainer.max_steps=20")


class Cost(NamedTuple):
    """What a run took: seconds of wall and processor, of its stages, and the peaks of its memory in MiB."""

    seconds: float
    cpu_seconds: float
    data_seconds: float
    features_seconds: float
    peak_mib: float
    peak_anonymous_mib: float
    cache_mib: float


def articles(source: Path, num_questions: int) -> Iterator[dict[str, Any]]:
    """Yield changed copies of a file's articles until there are so many questions."""
    plain = json.loads(source.read_text("utf-8"))["data"]
    left = num_questions
    for number in count():
        for article in plain:
            found = {"title": f"{article['title']} {number}", "paragraphs": []}
            for paragraph in article["paragraphs"]:
                qas = [changed(one, number) for one in paragraph["qas"][:left]]
                left -= len(qas)
                context = f"{paragraph['context']} This is copy {number}."
                found["paragraphs"].append({"context": context, "qas": qas})
                if not left:
                    yield found
                    return
            yield found


def changed(question: dict[str, Any], number: int) -> dict[str, Any]:
    found = copy.deepcopy(question)
    return {**found, "id": f"{found['id']}-{number}", "question": f"{found['question']} ({number})"}


def replicate(source: Path, target: Path, num_questions: int) -> None:
    with target.open("w", encoding="utf-8") as file:
        file.write('{"version": "v2.0", "data": [')
        for number, article in enumerate(articles(source, num_questions)):
            file.write(", " * (number > 0) + json.dumps(article))
        file.write("]}")


def run(folder: Path, name: str, train: Path, dev: Path) -> Cost:
    """Train in a process of its own, whose memory is looked at four times a second."""
    command = [sys.executable, "-m", "qaexp", "train", f"name={name}", *WORDS]
    command += [f"data.train_file={train}", f"data.dev_file={dev}"]
    environment = {**os.environ, "QAEXP_CACHE_DIR": str(folder / "cache")}
    begin, anonymous = time.perf_counter(), 0
    with (folder / f"{name}.txt").open("w") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            anonymous = max(anonymous, resident_anonymous(process.pid))
            time.sleep(0.25)
    assert os.waitstatus_to_exitcode(status) == 0, (folder / f"{name}.txt").read_text()
    took = stages(folder / "outputs" / name / "debug.log")
    size = sum(path.stat().st_size for path in (folder / "cache").rglob("*") if path.is_file())
    seconds = time.perf_counter() - begin
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(seconds, cpu, took["data"], took["features"], usage.ru_maxrss / 1024, anonymous / 1024, size / 2**20)


def resident_anonymous(pid: int) -> int:
    """KiB of anonymous memory; 0 where the process has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


def stages(log: Path) -> dict[str, float]:
    words = (line.split() for line in log.read_text().splitlines() if " took " in line)
    return {line[-4]: float(line[-2]) for line in words}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.json and dev.json")
    parser.add_argument("--questions", type=int, nargs="+", default=[13_032, 130_319])
    parser.add_argument("--dev-questions", type=int, default=11_873)
    parser.add_argument("--folder", type=Path, help="where to work, several gigabytes; default: a temporary one")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=arguments.folder))
    replicate(arguments.data / "dev.json", folder / "dev.json", arguments.dev_questions)
    print("| questions | cache | s | CPU s | s reading | s features | peak MiB | of it anonymous | cache MiB |")
    print(f"|{' ---: |' * 9}", flush=True)
    for number in arguments.questions:
        replicate(arguments.data / "train.json", folder / "train.json", number)
        for state in ("empty", "full"):
            cost = run(folder, f"{state}-{number}", folder / "train.json", folder / "dev.json")
            print(f"| {number:,} | {state} | {' | '.join(f'{value:,.0f}' for value in cost)} |", flush=True)
        shutil.rmtree(folder / "cache")
    shutil.rmtree(folder)
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "tokenizers", "numpy"))
    print(f"{os.cpu_count()} cores, CPython {platform.python_version()}, {versions}")


if __name__ == "__main__":
    main()
