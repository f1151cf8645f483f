"""Output folders of transformers' run_qa.py: predictions, best spans and null odds of its evaluation.

Source: `postprocess_qa_predictions` in examples/pytorch/question-answering/utils_qa.py of huggingface/transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qaexp.comparison.others.answers import Answers
from qaexp.comparison.others.json_objects import check_same_ids, numbers_of, read_object, texts_of
from qaexp.errors import DataError

PROGRAM = "an output folder of run_qa.py"
# What --do_eval writes, what --do_predict writes (older scripts: test), and what calls without a prefix do.
_PREFIXES = ("eval_", "predict_", "test_", "")
_PREDICTIONS, _BEST, _ODDS = "predictions.json", "nbest_predictions.json", "null_odds.json"


def predictions_in(folder: Path) -> list[Path]:
    """The files of predictions in an output folder of run_qa.py, that of its evaluation first; none elsewhere."""
    named = (folder / f"{prefix}{_PREDICTIONS}" for prefix in _PREFIXES)
    return [path for path in named if path.is_file()]


def is_in_output(path: Path) -> bool:
    """Whether a file of predictions stands in an output folder of run_qa.py, beside its n best answers."""
    return any(path.name == f"{prefix}{_PREDICTIONS}" for prefix in _PREFIXES) and _beside(path, _BEST).is_file()


def is_part(path: Path) -> bool:
    """Whether a file belongs to a file of predictions of run_qa.py and holds no results alone."""
    return path.name in {f"{prefix}{name}" for prefix in _PREFIXES for name in (_BEST, _ODDS)}


def read_run_qa(given: Path) -> Answers:
    """Read an output folder, or one of the files of predictions in it, with what stands beside it.

    Without `--version_2_with_negative` there are no null odds, and so no threshold to choose.

    Raises:
        DataError: Its files are damaged, or do not belong together.
    """
    path, *others = predictions_in(given) if given.is_dir() else [given]
    notes = [f"{path.name} is read; give {other} where the other questions are meant" for other in others]
    texts = texts_of(path, read_object(path))
    best, odds = _beside(path, _BEST), _beside(path, _ODDS)
    if not (best.is_file() and odds.is_file()):
        return Answers(PROGRAM, texts, notes=notes)
    spans = {id: _best_span(best, id, found) for id, found in read_object(best).items()}
    diffs = numbers_of(odds, read_object(odds))
    check_same_ids(best, spans, texts, path.name)
    check_same_ids(odds, diffs, texts, path.name)
    for id, text in texts.items():
        if text not in ("", spans[id]):
            raise DataError(
                f"{best}: does not belong to {path.name}: of {id!r:.80} they say {spans[id]!r:.40} and {text!r:.40}"
                "; give the files of one evaluation"
            )
    return Answers(PROGRAM, texts, spans, diffs, notes=notes)


def _beside(path: Path, name: str) -> Path:
    """The file of the same evaluation with another content."""
    return path.with_name(f"{path.name.removesuffix(_PREDICTIONS)}{name}")


def _best_span(path: Path, id: str, found: Any) -> str:
    """The best answer that is not empty."""
    rows = found if isinstance(found, list) else []
    texts = [row.get("text") for row in rows if isinstance(row, Mapping)]
    best = next((text for text in texts if isinstance(text, str) and text), None)
    if best is None:
        raise DataError(f"{path}: {id!r:.80} has no answer that is not empty; give the file that run_qa.py wrote")
    return best
