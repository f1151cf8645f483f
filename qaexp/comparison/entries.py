"""One run as a comparison sees it: its scores, what it was measured on, and what a reader must know about it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from qaexp.comparison.collapse import where_silent
from qaexp.comparison.leaks import leaked_sets
from qaexp.comparison.scores import Measured, ScoreReader, Scores
from qaexp.comparison.summary_numbers import SummaryNumbers, summary_numbers
from qaexp.errors import IntegrityError
from qaexp.runs.directory import SCORES, TEST_SCORES
from qaexp.runs.identity import canonical_json
from qaexp.runs.metrics import TEST, number_of
from qaexp.runs.number import is_number
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.readers.repeats import seeds_of
from qaexp.storage.evaluation_sets import table_of


@dataclass(frozen=True, slots=True)
class Measure:
    """What a run was measured on and how: only runs with equal measures are ranked together.

    Attributes:
        questions: The digest of ids, paragraphs and which of them have an answer.
        golds: What identifies the dev split's questions and gold answers: the content of its file, or its revision.
        decoding: The config's node `decoding`, canonical; the rule for answering nothing is a part of it.
        version: The version of metrics and results in the code that made the run.
        num_questions: How many.
    """

    questions: str
    golds: str
    decoding: str
    version: str
    num_questions: int


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A completed run.

    Attributes:
        run: Its files.
        measure: See `Measure`.
        metrics: The numbers of summary.json that count: finite, possible, and not refuted by its scores.
        seeds: The seeds of subset, init, order and dropout.
        collapse: Where it answers nothing, in words that follow "answers nothing"; None if it answers.
        flags: The names of its health flags.
        notes: What a reader of its numbers must know.
        test_golds: What identifies the questions and gold answers of each table of test scores, if data.json says it.
        share_no_ans: The share of questions without an answer, in percent: what answering nothing scores; None if
            its scores do not say.
        faults: By name, why a number of summary.json does not count.
    """

    run: RunFiles
    measure: Measure
    metrics: Mapping[str, float]
    seeds: tuple[Any, ...]
    collapse: str | None
    flags: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    test_golds: Mapping[str, str] = field(default_factory=dict)
    share_no_ans: float | None = None
    faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_collapsed(self) -> bool:
        """It answers nothing."""
        return self.collapse is not None

    def lack(self, name: str) -> str:
        """Why it lacks a number, in words that follow the run's name."""
        if name in self.faults:
            return f"has no {name} that counts: {self.faults[name]}"
        return f"has no {name}: summary.json holds no value of it"


class NotComparableError(Exception):
    """A run that is completed, but must not be compared; the message is the reason."""


def examine(run: RunFiles, reader: ScoreReader) -> Entry:
    """Read what a comparison needs of a completed run.

    Raises:
        NotComparableError: It does not have a score for every gold id.
        IntegrityError: Its files are damaged.
    """
    scores = reader.read(run)
    data = run.data()
    _check_complete(run, scores, data)
    try:
        measure = _measure(run, scores, data)
        canonical_json(run.config)
    except ValueError as error:
        raise IntegrityError(f"{run.path}: config.json: {error}") from error
    leaked = leaked_sets(data)
    found = summary_numbers(run, reader, leaked)
    return Entry(
        run=run,
        measure=measure,
        metrics=found.metrics,
        seeds=seeds_of(run),
        collapse=where_silent(run, scores),
        share_no_ans=_share_no_ans(scores),
        flags=tuple(dict.fromkeys(str(flag.get("name")) for flag in run.flags)),
        notes=tuple(_notes(run, found, leaked)),
        faults=found.faults,
        test_golds=_test_golds(data),
    )


def measured_of(entry: Entry, metric: str, reader: ScoreReader) -> Measured | None:
    """A metric of a run question by question, as `ScoreReader.measured`; its digest holds the test set's golds too.

    The gold answers of the dev set are the same in all runs of a table.
    """
    found = reader.measured(entry.run, metric)
    table = number_of(metric).table
    if found is None or table == SCORES:
        return found
    return replace(found, digest=f"{found.digest} {entry.test_golds.get(table)}")


def without_path(reason: str, path: Path) -> str:
    """A reason without the folder's path at its start, for messages that begin with the folder.

    >>> without_path("runs/a/scores.csv is missing", Path("runs/a"))
    'scores.csv is missing'
    """
    return reason.removeprefix(f"{path}: ").removeprefix(f"{path}/")


def golds_digest(run: RunFiles) -> str | None:
    """The sha256 of what is asked and what counts as right, from predictions.jsonl; None where it cannot be read."""
    try:
        # A digest for each question, as the texts of all of them may not fit into memory.
        found = sorted({row["id"]: _gold_digest(row) for row in run.each_prediction()}.values())
    except (IntegrityError, KeyError, TypeError):
        return None
    return hashlib.sha256(b"".join(found)).hexdigest() if found else None


def _gold_digest(row: Mapping[str, Any]) -> bytes:
    told = (str(row["id"]), str(row["question"]), sorted(map(str, row["golds"])))
    return hashlib.sha256(repr(told).encode("utf-8", "backslashreplace")).digest()


def _check_complete(run: RunFiles, scores: Scores, data: Mapping[str, Any]) -> None:
    gold_ids = data.get("dev_ids")
    if isinstance(gold_ids, list):
        missing = {str(one) for one in gold_ids} - set(scores.questions.ids)
        if missing:
            raise NotComparableError(
                f"scores {len(scores.questions)} of {len(gold_ids)} questions ({min(missing)!r} is missing): a score "
                "over part of the questions is not a score"
            )
    stated = (run.summary or {}).get("num_dev_examples")
    if is_number(stated) and stated != len(scores.questions):
        raise NotComparableError(f"scores.csv has {len(scores.questions)} questions, summary.json says {stated:g}")


def _measure(run: RunFiles, scores: Scores, data: Mapping[str, Any]) -> Measure:
    inputs = run.run.get("inputs")
    inputs = inputs if isinstance(inputs, Mapping) else {}
    dev = _hash_of(data, "dev")
    return Measure(
        questions=scores.questions.digest,
        golds=str(dev or data.get("revision") or canonical_json(inputs.get("data"))),
        decoding=canonical_json(run.config.get("decoding")),
        version=str(inputs.get("results_version")),
        num_questions=len(scores.questions),
    )


def _hash_of(data: Mapping[str, Any], split: str) -> str | None:
    hashes = data.get("sha256")
    found = hashes.get(split) if isinstance(hashes, Mapping) else None
    return None if found is None else str(found)


def _test_golds(data: Mapping[str, Any]) -> dict[str, str]:
    """The sha256 of the files behind each table of test scores."""
    hashes = data.get("sha256")
    splits = [str(split) for split in hashes] if isinstance(hashes, Mapping) else []
    tables = {
        "test": TEST_SCORES,
        **{split: table_of(split.removeprefix(TEST)) for split in splits if split.startswith(TEST)},
    }
    return {tables[split]: str(found) for split in splits if split in tables and (found := _hash_of(data, split))}


def _notes(run: RunFiles, found: SummaryNumbers, leaked: Mapping[str, str]) -> list[str]:
    # The table of evaluation sets names those that were trained on.
    faults = (fault for fault in found.faults.values() if fault not in leaked.values())
    notes = [*(f"{fault}: does not count" for fault in faults), *found.notes]
    if run.drift:
        notes.append("was continued after something had changed: it is not reproducible bit for bit")
    return notes


def _share_no_ans(scores: Scores) -> float | None:
    has_ans = scores.questions.has_ans
    return None if has_ans is None or not len(has_ans) else float(100.0 * (1.0 - has_ans.mean()))
