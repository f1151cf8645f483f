"""Logs of inspect (JSON, not `.eval`) for question answering tasks such as inspect_evals/squad.

Source: `EvalLog` and `EvalSample` in inspect_ai/log/_log.py of UKGovernmentBEIS/inspect_ai, version 0.3.285, and
inspect_evals/squad/squad.py, version 0.28.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qaexp.comparison.others.answers import Answers, said
from qaexp.comparison.others.json_objects import read_object
from qaexp.data.squad import Answer, Example
from qaexp.errors import DataError

PROGRAM = "a log of inspect"
ENDING = ".eval"
_CONTEXT, _QUESTION = "Context: ", "\nQuestion: "


def is_inspect(found: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a log."""
    return {"version", "status", "eval"} <= found.keys() and isinstance(found["eval"], Mapping)


def read_inspect(path: Path) -> Answers:
    """Read a log; the gold answers are in it where its inputs are those of inspect_evals/squad, else not.

    Raises:
        DataError: The evaluation did not end well, a sample has no answer, or a question stands there twice.
    """
    log = read_object(path)
    samples = log.get("samples")
    if log["status"] != "success" or not isinstance(samples, list) or not samples:
        raise DataError(
            f"{path}: its status is {log['status']!r:.40}, with {len(samples) if isinstance(samples, list) else 0} "
            "samples; give the whole log of an evaluation that ended"
        )
    texts: dict[str, str] = {}
    examples = []
    for number, sample in enumerate(samples, start=1):
        id, text = _answer(path, number, sample)
        if id in texts:
            raise DataError(f"{path}: sample {number}: {id!r:.80} stands there twice; give a log of one epoch")
        texts[id] = said(text)
        examples.append(_example(id, sample))
    whole = [example for example in examples if example is not None]
    return Answers(PROGRAM, texts, examples=whole if len(whole) == len(examples) else None)


def _answer(path: Path, number: int, sample: Any) -> tuple[str, str]:
    output = sample.get("output") if isinstance(sample, Mapping) else None
    text = output.get("completion") if isinstance(output, Mapping) else None
    if not isinstance(sample, Mapping) or not isinstance(sample.get("id"), str | int) or not isinstance(text, str):
        raise DataError(f"{path}: sample {number}: has no id and output.completion; give the whole log as JSON")
    if sample.get("error"):
        raise DataError(f"{path}: sample {number}: {sample['id']!r:.80} ended with an error; evaluate it again")
    return str(sample["id"]), text


def _example(id: str, sample: Mapping[str, Any]) -> Example | None:
    """The question with its gold answers; None where the input is not made as that of inspect_evals/squad."""
    text, target = sample.get("input"), sample.get("target")
    targets = target if isinstance(target, list) else [target]
    known = [one for one in targets if isinstance(one, str)]
    if not isinstance(text, str) or not text.startswith(_CONTEXT) or len(known) < len(targets):
        return None
    context, is_there, question = text.removeprefix(_CONTEXT).rpartition(_QUESTION)
    golds = [one for one in known if said(one)]
    return Example(id, "", context, question, tuple(Answer(gold, -1) for gold in golds)) if is_there else None
