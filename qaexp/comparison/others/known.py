"""Which format of another program a path is, by what it holds; a run, a sweep or anything else is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qaexp.comparison.others.answers import Answers
from qaexp.comparison.others.inspect_log import ENDING, is_inspect, read_inspect
from qaexp.comparison.others.json_objects import read_object
from qaexp.comparison.others.lm_eval import is_lm_eval, logs_in, read_lm_eval
from qaexp.comparison.others.predictions import ODDS, is_predictions, read_predictions
from qaexp.comparison.others.run_qa import is_in_output, is_part, predictions_in, read_run_qa
from qaexp.comparison.others.score_table import is_score_table, read_score_table
from qaexp.errors import DataError
from qaexp.runs.directory import RUN, SUMMARY, SWEEP, SWEEP_PLAN
from qaexp.runs.readers.collect import stands_beside_runs
from qaexp.storage.reading import each_json_line, opened_file

Read = Callable[[Path], Answers]
KNOWN = (
    "a file of predictions ({id: text}), an output folder of run_qa.py, a sample log of lm-evaluation-harness, a JSON "
    "log of inspect, or a CSV table with the columns id and f1"
)
_ENDINGS = (".json", ".jsonl", ".csv", ENDING)
_PACKED = (".gz", ".zst", ".zip")
_HEAD_BYTES = 4096
# JSON objects in the folder of a model, where run_qa.py puts its predictions too: they hold texts, but no answers.
_OF_MODELS = {
    "adapter_config.json",
    "added_tokens.json",
    "config.json",
    "generation_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "trainer_state.json",
}


def reader_of(path: Path) -> Read | None:
    """The reader of a path that holds another program's results; None where it is a folder, or no file of results.

    Raises:
        DataError: It is a file that results might be in, and in no format that is known.
    """
    if path.is_dir():
        return _of_folder(path)
    if path.is_file() and path.suffix in _PACKED and path.with_suffix("").suffix in _ENDINGS:
        raise DataError(f"{path}: is compressed; give it unpacked")
    if not path.is_file() or path.suffix not in _ENDINGS or stands_beside_runs(path):
        return None
    if path.suffix == ENDING:
        raise DataError(f"{path}: is a packed log of inspect; make JSON of it with inspect log convert")
    if path.name.endswith(ODDS):
        raise DataError(f"{path}: holds null odds alone; give the file of predictions that it belongs to")
    if is_part(path):
        raise DataError(f"{path}: belongs to predictions of run_qa.py; give their folder, or the file of predictions")
    if is_in_output(path):
        return read_run_qa
    if (found := _by_content(path)) is None:
        raise DataError(f"{path}: holds no results that are known; give {KNOWN}")
    return found


def _of_folder(path: Path) -> Read | None:
    if any((path / name).exists() for name in (RUN, SUMMARY, SWEEP, SWEEP_PLAN)):
        return None
    if predictions_in(path):
        return read_run_qa
    return read_lm_eval if logs_in(path) else None


def _by_content(path: Path) -> Read | None:
    if path.suffix == ".csv":
        with opened_file(path) as file:
            head = file.read(_HEAD_BYTES).decode("utf-8-sig", "replace").partition("\n")[0]
        return read_score_table if is_score_table(head) else None
    if path.suffix == ".jsonl":
        first = next(iter(each_json_line(path)), None)
        return read_lm_eval if first is not None and is_lm_eval(first) else None
    if path.name in _OF_MODELS:
        return None
    found = read_object(path)
    if is_inspect(found):
        return read_inspect
    return read_predictions if is_predictions(found) else None
