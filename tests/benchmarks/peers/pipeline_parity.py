"""The answers of `qaexp.pipeline` beside those of the pipeline that transformers 5.3 removed, pair by pair.

    python -m tests.benchmarks.peers.pipeline_parity RUN --python PYTHON [--pairs 300] [--threads 1]

PYTHON is that of an environment with transformers 4.57; RUN is a completed run of qaexp, or a model folder, which both
load. Two thirds of the pairs are questions of the real sample with their paragraph, a third have three to six
paragraphs joined, of which one is their own. Each setting of the table is asked of both: an answer is equal when its
text and its characters are, and its score to 1e-4. `Predictor` is held against the last setting, which does not align
to words. The seconds are those of that setting, in processes that follow each other.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from qaexp import Predictor
from qaexp.data.squad import Example
from qaexp.evaluation.metrics import Golds
from qaexp.predictor import model_folder
from tests import SAMPLE
from tests.benchmarks.measuring import sample_examples

SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "align_to_words=False": {"align_to_words": False},
    "handle_impossible_answer=True": {"handle_impossible_answer": True},
    "top_k=3": {"top_k": 3},
    "top_k=5, 200/20, impossible": {
        "top_k": 5,
        "max_seq_len": 200,
        "doc_stride": 20,
        "handle_impossible_answer": True,
    },
    "256/64, max_answer_len=30": {"max_seq_len": 256, "doc_stride": 64, "max_answer_len": 30},
    "384/128, max_answer_len=30, not aligned": {
        "max_seq_len": 384,
        "doc_stride": 128,
        "max_answer_len": 30,
        "align_to_words": False,
    },
}
_CLOSE = 1e-4

_ASK = """
import json, sys, time
import torch
torch.set_num_threads(int(sys.argv[3]))
answer = pipeline("question-answering", model=sys.argv[1], tokenizer=sys.argv[1], device=-1)
asked, found = json.load(open(sys.argv[2])), {}
answer(asked["pairs"][:4])
for name, settings in asked["settings"].items():
    wall, cpu = time.perf_counter(), time.process_time()
    found[name] = answer(asked["pairs"], **settings)
    seconds = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps({"answers": found, "seconds": seconds}))
"""


def answered(python: str, package: str, *words: str) -> dict[str, Any]:
    """What the pipeline of a package answers, in a process of its own."""
    threads = {"OMP_NUM_THREADS": words[2], "OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}
    code = f"from {package} import pipeline\n{_ASK}"
    done = subprocess.run(
        [python, "-c", code, *words], capture_output=True, text=True, env={**os.environ, **threads}, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def asked_of(number: int) -> list[tuple[Example, str]]:
    """Examples with the text that each is asked of: its paragraph, and every third time several of them."""
    examples = sample_examples()
    contexts = list(dict.fromkeys(example.context for example in examples))
    found = []
    for place in range(number):
        example = examples[place * len(examples) // number]
        context = example.context
        if place % 3 == 2:
            own = contexts.index(context)
            context = "\n".join(contexts[max(0, own - place % 4) : own + 3])
        found.append((example, context))
    return found


def is_equal(mine: Any, theirs: Any) -> bool:
    """Whether two results are equal, lists in their order."""
    ours, others = (given if isinstance(given, list) else [given] for given in (mine, theirs))
    return len(ours) == len(others) and all(
        [one[key] for key in ("answer", "start", "end")] == [other[key] for key in ("answer", "start", "end")]
        and abs(one["score"] - other["score"]) <= _CLOSE
        for one, other in zip(ours, others, strict=True)
    )


def largest_difference(mine: Sequence[Any], theirs: Sequence[Any]) -> float:
    """The largest difference of two scores at the same place."""
    flat = [
        [answer["score"] for result in found for answer in (result if isinstance(result, list) else [result])]
        for found in (mine, theirs)
    ]
    return max(abs(one - other) for one, other in zip(*flat, strict=False))


def told_of_predictor(folder: str, asked: Sequence[tuple[Example, str]], theirs: Sequence[Any]) -> str:
    """How many answers of `Predictor` are the pipeline's, and what both score, by whether there are several windows."""
    predictor = Predictor(folder, null_threshold=1e9, precision="fp32", device="cpu")
    predictor.settings |= {"max_length": 384, "doc_stride": 128, "max_answer_length": 30}
    found = predictor.answer_all([(example.question, context) for example, context in asked])
    examples = [Example(str(n), "", context, one.question, ()) for n, (one, context) in enumerate(asked)]
    windows = np.bincount(predictor.question_set(examples).features.example_index)
    lines = []
    for name, rows in (("one window", np.flatnonzero(windows == 1)), ("several", np.flatnonzero(windows > 1))):
        same = sum(found[row].answer == theirs[row]["answer"] for row in rows)
        answerable = [row for row in rows.tolist() if asked[row][0].answers]
        golds = Golds.prepare(asked[row][0].golds for row in answerable)
        ours = golds.raw_scores([found[row].answer for row in answerable])[1].mean()
        others = golds.raw_scores([theirs[row]["answer"] for row in answerable])[1].mean()
        lines.append(
            f"{name}: {same} of {len(rows)} answers of Predictor equal the pipeline's without alignment; f1 of the "
            f"{len(answerable)} with a gold answer {100 * ours:.1f} against {100 * others:.1f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--python", required=True)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    folder = str(model_folder(arguments.run).resolve())
    asked_pairs = asked_of(arguments.pairs)
    pairs = [{"question": example.question, "context": context} for example, context in asked_pairs]
    with tempfile.TemporaryDirectory() as name:
        asked = Path(name, "asked.json")
        asked.write_text(json.dumps({"pairs": pairs, "settings": SETTINGS}))
        given = (folder, str(asked), str(arguments.threads))
        mine, theirs = answered(sys.executable, "qaexp", *given), answered(arguments.python, "transformers", *given)
    print("| settings | equal | largest difference of a score |")
    print("| --- | ---: | ---: |")
    for setting in SETTINGS:
        ours, others = mine["answers"][setting], theirs["answers"][setting]
        same = sum(is_equal(one, other) for one, other in zip(ours, others, strict=True))
        print(f"| {setting} | {same} of {len(pairs)} | {largest_difference(ours, others):.1e} |")
    print(f"\n{told_of_predictor(folder, asked_pairs, theirs['answers'][list(SETTINGS)[-1]])}")
    wall, cpu = (theirs["seconds"][place] / mine["seconds"][place] for place in (0, 1))
    print(f"seconds: qaexp {mine['seconds'][0]:.1f}, transformers {theirs['seconds'][0]:.1f}: {wall:.2f} x as fast")
    print(f"processor: {cpu:.2f} x less")
    code = "import transformers; print(transformers.__version__)"
    old = subprocess.run([arguments.python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    print(f"{len(pairs)} pairs of {SAMPLE.name}, {arguments.threads} threads, {os.cpu_count()} cores")
    print(f"torch {version('torch')}, transformers {version('transformers')} and {old}")


if __name__ == "__main__":
    main()
