"""`qaexp rescore`: decode a run's stored logits again with other settings, without the model."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.cli.arguments import CommandParser
from qaexp.commands.scored import print_scored
from qaexp.errors import IntegrityError

if TYPE_CHECKING:
    from qaexp.data.squad import Example
    from qaexp.evaluation.evaluate import Evaluation
    from qaexp.runs.readers.collect import RunFiles


def main(argv: Sequence[str]) -> int:
    """Print the official metrics of a run's stored logits.

    Args:
        argv: The run directory and the settings that differ from the run's.

    Returns:
        0.

    Raises:
        QaexpError: The directory holds no completed run, or a setting is out of range.
    """
    arguments = _parser().parse_args(list(argv))
    metrics, evaluation = _rescored(
        arguments.run, arguments.null_threshold, arguments.max_answer_length, arguments.n_best_size
    )
    print_scored(metrics, evaluation, threshold=arguments.null_threshold, as_json=arguments.json)
    return 0


def rescore(
    directory: Path,
    *,
    null_threshold: float = 0.0,
    max_answer_length: int | None = None,
    n_best_size: int | None = None,
) -> dict[str, Any]:
    """Decode and score again what a run stored.

    Args:
        directory: A completed run.
        null_threshold: Answer nothing where null_score_diff is above it.
        max_answer_length: Tokens; None: the run's own.
        n_best_size: Spans; None: the run's own.

    Returns:
        The metrics by the names of summary.json, with num_dev_examples and num_dev_features.

    Raises:
        IntegrityError: Its files are not those that the run wrote.
        ConfigError: The directory is not a run, or the run is not completed.
    """
    return _rescored(directory, null_threshold, max_answer_length, n_best_size)[0]


def _rescored(
    directory: Path, null_threshold: float, max_answer_length: int | None, n_best_size: int | None
) -> tuple[dict[str, Any], Evaluation]:
    from qaexp.config.build import build
    from qaexp.evaluation.evaluate import evaluate
    from qaexp.evaluation.logits_file import opened_logits
    from qaexp.evaluation.outputs import stored_shards
    from qaexp.runs.directory import CONFIG, CONTEXTS, LOGITS, PREDICTIONS
    from qaexp.runs.readers.collect import read_completed_run
    from qaexp.runs.trust import check_files

    run = read_completed_run(directory)
    summary = run.summary or {}
    # Lines that were taken out or put in another order would give a score over other questions.
    check_files(directory, summary, (CONFIG, PREDICTIONS, CONTEXTS, LOGITS))
    changed = {"max_answer_length": max_answer_length, "n_best_size": n_best_size}
    given = {name: value for name, value in changed.items() if value is not None}
    decoding = build({**run.config["decoding"], **given}, "decoding")
    try:
        num_examples = _num_examples(run, summary["num_dev_examples"])
        with opened_logits(directory / LOGITS) as logits:
            evaluation = evaluate(
                stored_shards(logits, _examples(run), num_examples),
                decoding.decode,
                max_answer_length=decoding.max_answer_length,
                allow_no_answer=decoding.allow_no_answer,
                null_threshold=null_threshold,
            )
            num_features = len(logits.indptr) - 1
    except (OSError, KeyError) as error:
        raise IntegrityError(f"{directory}: its predictions or logits are incomplete ({error}); train again") from error
    counts = {"num_dev_examples": num_examples, "num_dev_features": num_features}
    return {**evaluation.metrics, **counts}, evaluation


def _num_examples(run: RunFiles, wanted: int) -> int:
    """The number of the run's questions.

    Raises:
        IntegrityError: The run was scored on another number.
    """
    from qaexp.runs.directory import PREDICTIONS

    found = sum(1 for _ in run.each_prediction())
    if found != wanted:
        raise IntegrityError(
            f"{run.path / PREDICTIONS} has {found} questions, and the run was scored on {wanted}; train again"
        )
    return found


def _examples(run: RunFiles) -> Iterator[Example]:
    from qaexp.evaluation.outputs import stored_example

    contexts = run.contexts()
    return (stored_example(record, contexts) for record in run.each_prediction())


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("rescore", "Decode a run's stored logits again, without the model.")
    parser.add_argument("run", type=Path, help="a run directory")
    parser.add_number("--null-threshold", float, 0.0, "answer nothing where null_score_diff is above it (default 0)")
    parser.add_number("--max-answer-length", int, None, "longest answer in tokens (default: the run's)", low=1)
    parser.add_number("--n-best-size", int, None, "best spans kept (default: the run's)", low=1)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser
