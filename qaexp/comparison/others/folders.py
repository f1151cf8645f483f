"""Results of other programs as folders that a comparison reads: written into a temporary place, gone afterwards."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from qaexp.comparison.others.answers import Answers
from qaexp.comparison.others.gold import Gold, gold_for, read_gold
from qaexp.comparison.others.known import KNOWN, Read, reader_of
from qaexp.comparison.others.names import names_of
from qaexp.comparison.others.predictions import ODDS, read_predictions
from qaexp.comparison.others.run_qa import read_run_qa
from qaexp.comparison.others.scored import prediction_rows, score_rows, scored
from qaexp.data.squad import paragraph_id
from qaexp.errors import ConfigError, DataError
from qaexp.runs.directory import COLLAPSE, CONFIG, CONTEXTS, DATA, PREDICTIONS, RUN, SCHEMA_VERSION, SCORES, SUMMARY
from qaexp.runs.readers.fetched import Fetched
from qaexp.runs.readers.patterns import expanded
from qaexp.storage.files import write_json, write_json_lines, write_rows
from qaexp.storage.folders import make_directory

_ID_DIGITS = 8


@contextmanager
def with_others(source: Fetched, gold: Path | None = None, odds: Path | None = None) -> Iterator[Fetched]:
    """Give a body the paths of a comparison, with a folder in place of each path that holds other programs' results.

    Args:
        source: What was given.
        gold: The data file with the gold answers; None where results hold their own.
        odds: The null odds of the only file of predictions.

    Raises:
        ConfigError: Results need gold answers, or an option has no effect.
        DataError: Results are damaged, or are not those of the gold questions.
    """
    found = [part for path in source.paths for part in _parts(path)]
    others = {path: read for path, read in found if read is not None}
    if not others:
        if given := [flag for flag, value in (("--gold", gold), ("--na-prob", odds)) if value is not None]:
            raise ConfigError(f"{' and '.join(given)}: has no effect without results of other programs; give {KNOWN}")
        yield source
        return
    if odds is not None and not _is_one_of_predictions(others):
        raise ConfigError("--na-prob: belongs to one file of predictions; give one, or P.null_odds.json beside P.json")
    known = None if gold is None else read_gold(gold)
    with tempfile.TemporaryDirectory(prefix="qaexp-") as place:
        roots = dict(source.roots)
        notes = list(source.remarks)
        folders: dict[Path, Path] = {}
        for number, (name, (path, read)) in enumerate(zip(names_of(others), others.items(), strict=True)):
            answers = read(path) if odds is None else read_predictions(path, odds)
            folders[path] = Path(place).resolve() / f"{number:04d}" / path.resolve().name
            _write(folders[path], name, answers, gold_for(path, answers, known))
            roots[str(folders[path])] = str(path)
            notes += [f"{path}: {note}" for note in (*answers.notes, *_without(answers))]
        yield replace(source, paths=[folders.get(path, path) for path, _ in found], roots=roots, remarks=notes)


def _parts(given: str | Path) -> list[tuple[Path, Read | None]]:
    """What a word names, each with the reader of another program's results, if it is that."""
    paths = [Path(path) for path in expanded(str(given))]
    if paths == [Path(given)]:
        return [(paths[0], reader_of(paths[0]))]
    # A pattern also names what lies beside results.
    return [(path, _reader_or_none(path)) for path in paths if not path.name.endswith(ODDS)]


def _reader_or_none(path: Path) -> Read | None:
    try:
        return reader_of(path)
    except DataError:
        return None


def _is_one_of_predictions(others: Mapping[Path, Read]) -> bool:
    """Whether there is one file of predictions alone; in a folder of run_qa.py it may have other null odds, too."""
    return len(others) == 1 and all(
        path.is_file() and read in (read_predictions, read_run_qa) for path, read in others.items()
    )


def _without(answers: Answers) -> list[str]:
    """Why there are no cross-fitted scores."""
    if answers.texts is None or answers.spans is not None:
        return []
    if answers.diffs is None:
        return ["has no null odds, so its answers are scored as they are, and no threshold is chosen for it"]
    return ["does not say the best answer where it answers nothing, so no threshold is chosen for it"]


def _write(folder: Path, name: str, answers: Answers, gold: Gold) -> None:
    """Write what a comparison reads of a run."""
    make_directory(folder.parent)
    make_directory(folder)
    found = scored(answers, gold)
    write_rows(folder / SCORES, score_rows(gold, found))
    write_json_lines(folder / PREDICTIONS, prediction_rows(gold, answers, found))
    write_json(folder / CONTEXTS, {paragraph_id(example.context): example.context for example in gold.examples})
    write_json(folder / DATA, {"sha256": {"dev": gold.sha256}, "dev_ids": [example.id for example in gold.examples]})
    content = hashlib.sha256((folder / PREDICTIONS).read_bytes()).hexdigest()
    flags = [{"name": COLLAPSE, "step": 0, "advice": ""}] if found.is_silent else []
    write_json(folder / CONFIG, {"name": name})
    write_json(
        folder / RUN,
        {
            "schema_version": SCHEMA_VERSION,
            "run_id": content[:_ID_DIGITS],
            "state": "completed",
            "identity": content,
            "inputs": {"results": content},
            "program": answers.program,
            "flags": flags,
            "drift": [],
        },
    )
    write_json(folder / SUMMARY, found.summary)
