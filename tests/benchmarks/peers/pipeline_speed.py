"""Answers a second beside the question-answering pipeline that transformers 5 removed.

    python -m tests.benchmarks.peers.pipeline_speed RUN --python PYTHON [--questions 300] [--rounds 5] [--threads 1]

PYTHON is that of an environment with transformers 4.57; RUN is a completed run of qaexp, whose model both load. The
questions are the first of the real sample's dev set. Each side answers in a process of its own, in turns, after a
warm-up with its first sixteen questions; the seconds are those of the answering alone. The pipeline computes in fp32,
once with its default (one window at a time) and once in batches of 16 windows. Also told: how many answers of the two
sides are equal, with the pipeline's own windows (384 tokens, stride 128) and no threshold.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from qaexp.runs.directory import MODEL
from tests import SAMPLE
from tests.benchmarks.measuring import sample_examples

_PIPELINE = """
import json, sys, time
import torch
from transformers import pipeline
torch.set_num_threads(int(sys.argv[3]))
asked, batch = json.load(open(sys.argv[2])), int(sys.argv[4])
answer = pipeline("question-answering", model=sys.argv[1], tokenizer=sys.argv[1], device=-1)
ask = lambda some: answer(some, max_seq_len=384, doc_stride=128, max_answer_len=30, handle_impossible_answer=True,
                          batch_size=batch)
ask(asked[:16])
wall, cpu = time.perf_counter(), time.process_time()
found = ask(asked)
print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu,
                  "answers": [one["answer"] for one in found]}))
"""

_PREDICTOR = """
import json, sys, time
import torch
from qaexp import Predictor
torch.set_num_threads(int(sys.argv[3]))
asked = json.load(open(sys.argv[2]))
predictor = Predictor(sys.argv[1], null_threshold=0.0, precision=sys.argv[4])
ask = lambda some: predictor.answer([one["question"] for one in some], [one["context"] for one in some])
ask(asked[:16])
wall, cpu = time.perf_counter(), time.process_time()
found = ask(asked)
print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu,
                  "answers": [one.answer for one in found]}))
"""


def answered(python: str, code: str, *words: str) -> dict[str, Any]:
    """What a process of its own prints."""
    threads = {"OMP_NUM_THREADS": words[2], "OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [python, "-c", code, *words], capture_output=True, text=True, env={**os.environ, **threads}, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--python", required=True)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    model = str((arguments.run / MODEL).resolve())
    dev = sample_examples()[-arguments.questions :]
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder, "asked.json")
        asked.write_text(json.dumps([{"question": one.question, "context": one.context} for one in dev]))
        given = (model, str(asked), str(arguments.threads))
        sides = {
            "pipeline, its default": lambda: answered(arguments.python, _PIPELINE, *given, "1"),
            "pipeline, batches of 16": lambda: answered(arguments.python, _PIPELINE, *given, "16"),
            "Predictor, fp32": lambda: answered(sys.executable, _PREDICTOR, *given, "fp32"),
            "Predictor, bf16": lambda: answered(sys.executable, _PREDICTOR, *given, "bf16"),
        }
        rounds = [{name: side() for name, side in sides.items()} for _ in range(arguments.rounds)]
    theirs = rounds[0]["pipeline, its default"]["answers"]
    print("| | answers/s, median (range) | CPU seconds | to the default, median | the same answers |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in sides:
        rates = [len(dev) / found[name]["wall"] for found in rounds]
        cpu = statistics.median(found[name]["cpu"] for found in rounds)
        ratio = statistics.median(found["pipeline, its default"]["wall"] / found[name]["wall"] for found in rounds)
        same = sum(mine == other for mine, other in zip(rounds[0][name]["answers"], theirs, strict=True))
        middle = statistics.median(rates)
        print(f"| {name} | {middle:.1f} ({min(rates):.1f} to {max(rates):.1f}) | {cpu:.1f} | {ratio:.2f} | {same} |")
    code = "import transformers; print(transformers.__version__)"
    old = subprocess.run([arguments.python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    versions = f"torch {version('torch')}, transformers {version('transformers')} and {old}"
    print(f"\n{len(dev)} questions of {SAMPLE.name}, {arguments.threads} threads, {os.cpu_count()} cores")
    print(f"Python {platform.python_version()}, {versions}")


if __name__ == "__main__":
    main()
