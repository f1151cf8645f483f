"""Sample logs of lm-evaluation-harness (`samples_<task>_<time>.jsonl`) for tasks whose documents are like SQuAD's.

Source: `save_results_samples` in lm_eval/loggers/evaluation_tracker.py and lm_eval/tasks/squadv2/task.py of
EleutherAI/lm-evaluation-harness, version 0.4.13.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qaexp.comparison.others.answers import Answers, said
from qaexp.comparison.others.json_objects import finite
from qaexp.data.squad import Answer, Example
from qaexp.errors import DataError
from qaexp.storage.reading import each_json_line

PROGRAM = "a sample log of lm-evaluation-harness"
_LOGS = "samples_*.jsonl"
_NEEDED = ("id", "context", "question", "answers")


def is_lm_eval(record: Mapping[str, Any]) -> bool:
    """Whether a line is one of a sample log."""
    return {"doc_id", "doc", "filtered_resps"} <= record.keys()


def logs_in(folder: Path) -> list[Path]:
    """The sample logs in the folder of a model, or in the folder of such folders that `--output_path` names."""
    found = sorted(folder.glob(_LOGS))
    for model in () if found else sorted(folder.glob("*")):
        if model.is_dir():
            logs = sorted(model.glob(_LOGS))
            if not logs:
                # The first folder of anything else ends the search: there may be thousands of runs.
                return []
            found += logs
    return found


def read_lm_eval(given: Path) -> Answers:
    """Read a sample log, or the only one in a folder; the gold answers are in it.

    Raises:
        DataError: A line is torn, its document is not like SQuAD's, or a question stands there twice; or a folder holds
            several logs.
    """
    path, *others = logs_in(given) if given.is_dir() else [given]
    if others:
        raise DataError(
            f"{given}: holds {len(others) + 1} sample logs of lm-evaluation-harness; give the log of one task and one "
            f"evaluation, such as {path}"
        )
    texts: dict[str, str] = {}
    diffs: dict[str, float] = {}
    examples = []
    for number, record in enumerate(each_json_line(path), start=1):
        if record is None or not is_lm_eval(record):
            raise DataError(f"{path}: line {number} is no whole sample: the log was cut short or changed")
        example = _example(path, number, record["doc"])
        if example.id in texts:
            raise DataError(
                f"{path}: line {number}: {example.id!r:.80} stands there twice; give the log of one evaluation, with "
                "one filter"
            )
        examples.append(example)
        texts[example.id] = said(_response(path, number, record))
        if (odds := _odds(record)) is not None:
            diffs[example.id] = finite(path, example.id, odds)
    has_odds, all_answered = len(diffs) == len(texts), all(texts.values())
    return Answers(
        PROGRAM,
        texts,
        texts if all_answered and has_odds else None,
        diffs if has_odds else None,
        examples=examples,
    )


def _example(path: Path, number: int, doc: Any) -> Example:
    if not isinstance(doc, Mapping) or any(key not in doc for key in _NEEDED):
        raise DataError(
            f"{path}: line {number}: its doc has no {', '.join(_NEEDED)}: the task is not one like SQuAD; give the log "
            "of squadv2, xquad or their kind"
        )
    found = tuple(_gold_answers(path, number, doc["answers"]))
    title, context, question = (str(doc.get(key) or "") for key in ("title", "context", "question"))
    return Example(str(doc["id"]), title, context, question, found)


def _gold_answers(path: Path, number: int, answers: Any) -> Iterator[Answer]:
    """Yield the gold answers, in whichever form a task has them: columns (SQuAD), texts (mlqa), records (xquad_ca)."""
    columns = answers if isinstance(answers, Mapping) else {}
    texts, starts = columns.get("text", answers), columns.get("answer_start")
    if not isinstance(texts, list):
        raise _no_answers(path, number, answers)
    starts = starts if isinstance(starts, list) and len(starts) == len(texts) else [None] * len(texts)
    for one, place in zip(texts, starts, strict=True):
        text, start = (one.get("text"), one.get("answer_start")) if isinstance(one, Mapping) else (one, place)
        if not isinstance(text, str):
            raise _no_answers(path, number, answers)
        yield Answer(text, start if isinstance(start, int) else -1)


def _no_answers(path: Path, number: int, answers: Any) -> DataError:
    return DataError(
        f"{path}: line {number}: answers is {answers!r:.60}, not {{text: [...], answer_start: [...]}}, [text, ...] or "
        "[{text: ..., answer_start: ...}, ...]"
    )


def _response(path: Path, number: int, record: Mapping[str, Any]) -> str:
    """The text that the model wrote: the first of the filtered responses."""
    found = record["filtered_resps"]
    while isinstance(found, list) and found:
        found = found[0]
    if not isinstance(found, str):
        raise DataError(f"{path}: line {number}: filtered_resps holds no text; give the log of a task that generates")
    return found


def _odds(record: Mapping[str, Any]) -> Any:
    """The probability of no answer, which the task squadv2 puts beside the prediction in each of its metrics."""
    found = record.get("f1")
    prediction = found[0] if isinstance(found, list) and found else None
    return prediction.get("no_answer_probability") if isinstance(prediction, Mapping) else None
