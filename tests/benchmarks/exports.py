"""What each format of `qaexp export` costs and gives, beside torch: `python -m tests.benchmarks.exports RUN`.

The run is exported into every format; all of them answer the same dev questions in turns in one process, in batches and
one question at a time. Figures are answers in a processor second (one thread: start with OMP_NUM_THREADS=1), the median
of the turns.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qaexp.cli import main as qaexp
from qaexp.data.squad import Example
from qaexp.evaluation.question_set import QuestionSet
from qaexp.export.questions import answered, dev_examples, stored_texts
from qaexp.export.verdict import judged
from qaexp.predictor import Predictor
from qaexp.runs.readers.collect import RunFiles, read_completed_run

FORMATS = {"hf": ("hf",), "onnx": ("onnx",), "onnx int8": ("onnx", "--quantize", "int8"), "openvino": ("openvino",)}
TURNS, TOKENS, SINGLE = 5, 12_000, 25
MEGA = 1e6


def exported(run: Path, folder: Path, *words: str) -> dict[str, Any]:
    """Export, and return what export.json holds."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = qaexp(["export", str(run), "--to", str(folder), "--json", "--format", *words])
    assert code == 0, f"qaexp export ended with {code}"
    document: dict[str, Any] = json.loads(out.getvalue())
    return document


def spread(examples: Sequence[Example], model: Predictor) -> Sequence[Example]:
    """Every n-th question, about `TOKENS` tokens in all."""
    num_tokens = model.question_set(examples).features.num_tokens
    step = max(1, round(num_tokens / TOKENS))
    return examples[::step]


def seconds(sets: Sequence[QuestionSet], model: Predictor) -> float:
    """Processor seconds for some question sets, one after the other."""
    began = time.process_time()
    for questions in sets:
        questions.logits(model.loaded)
    return time.process_time() - began


def in_turns(models: dict[str, Predictor], parts: Sequence[Sequence[Example]]) -> dict[str, float]:
    """Answers in a processor second of each, when question sets of these examples are answered."""
    sets = {name: [model.question_set(part) for part in parts] for name, model in models.items()}
    found: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(TURNS + 1):
        for name, model in models.items():
            spent = seconds(sets[name], model)
            if turn:  # the first one warms up
                found[name].append(sum(map(len, parts)) / spent)
    return {name: statistics.median(several) for name, several in found.items()}


def bf16_row(run: RunFiles, model: Predictor, examples: Sequence[Example]) -> tuple[int, str]:
    """How many dev questions torch answers in bf16 as the run did, and what its scores cost."""
    questions = model.question_set(examples)
    found = answered(questions, questions.logits(model.loaded))
    num_equal = sum(map(str.__eq__, found.texts, stored_texts(run, model.settings)))
    return num_equal, judged(found.by_id(), [run]).sentence


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a completed run")
    run = read_completed_run(parser.parse_args().run)
    examples = dev_examples(run)
    with tempfile.TemporaryDirectory() as place:
        made = {name: exported(run.path, Path(place) / name, *words) for name, words in FORMATS.items()}
        models = {f"torch {number}": Predictor(run.path, device="cpu", precision=number) for number in ("fp32", "bf16")}
        models |= {name: Predictor(Path(place) / name) for name in FORMATS if name != "hf"}
        chosen = spread(examples, models["torch fp32"])
        batches = in_turns(models, [chosen])
        single = in_turns(models, [[example] for example in chosen[:SINGLE]])
        bf16 = bf16_row(run, models["torch bf16"], examples)
    print(f"run {run.run_id}, {len(examples)} dev questions, {len(chosen)} of them timed; {platform.processor()}")
    print(f"versions: {made['onnx']['versions'] | made['openvino']['versions']}; cpu: {made['onnx']['machine']['cpu']}")
    print("| | MB | s | equal answers | against the run | answers/s, batches | x | one at a time | x |")
    print("| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |")
    for name in ("torch fp32", "torch bf16", *FORMATS):
        about = made.get(name)
        size = f"{sum(file['bytes'] for file in about['files'].values()) / MEGA:.1f}" if about else ""
        took = f"{about['seconds']['export']:.0f}" if about else ""
        equal = about["num_equal_answers"] if about else bf16[0] if name == "torch bf16" else len(examples)
        told = about["verdict"].rpartition("; ")[0] or about["verdict"] if about else bf16[1] * (name == "torch bf16")
        rates = [
            f"{rate[name]:.1f} | {rate[name] / rate['torch fp32']:.2f}" if name in rate else " | "
            for rate in (batches, single)
        ]
        print(f"| {name} | {size} | {took} | {equal:,} | {told} | {' | '.join(rates)} |")


if __name__ == "__main__":
    main()
