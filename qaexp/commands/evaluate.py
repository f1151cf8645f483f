"""`qaexp evaluate`: official metrics of a model on any SQuAD file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.commands.arguments import CommandParser
from qaexp.commands.scored import print_scored

if TYPE_CHECKING:
    from qaexp.data.squad import Example
    from qaexp.evaluation.evaluate import Evaluation


def main(argv: Sequence[str]) -> int:
    """Answer every question of a file with a model, and score the answers.

    Args:
        argv: The run directory or model folder, `--data FILE`, and options.

    Returns:
        0.

    Raises:
        QaexpError: There is no such model or file, or the file is faulty.
    """
    arguments = _parser().parse_args(list(argv))
    metrics, examples, evaluation = _evaluated(arguments.run, arguments.data, arguments.null_threshold, None)
    if arguments.predictions_out:
        from qaexp.runs.files import write_json

        write_json(arguments.predictions_out, _texts(evaluation))
    print_scored(metrics, examples, evaluation, as_json=arguments.json)
    return 0


def evaluate_file(
    folder: Path, file: Path, *, null_threshold: float = 0.0, device: str | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Score a model on a file.

    Args:
        folder: A run directory or a model folder.
        file: SQuAD JSON, JSON lines or parquet.
        null_threshold: Answer nothing where null_score_diff is above it.
        device: Where to compute; None: a GPU when there is one.

    Returns:
        The metrics by the names of summary.json, and the answers in the official format `{id: text}`.
    """
    metrics, _, evaluation = _evaluated(folder, file, null_threshold, device)
    return metrics, _texts(evaluation)


def _evaluated(
    folder: Path, file: Path, null_threshold: float, device: str | None
) -> tuple[dict[str, Any], Sequence[Example], Evaluation]:
    from qaexp.data.squad import read_squad_file
    from qaexp.evaluation.evaluate import evaluate
    from qaexp.predictor import Predictor
    from qaexp.reporting.bars import bar_on_stderr

    examples = read_squad_file(file).examples
    predictor = Predictor(folder, device=device)
    questions = predictor.question_set(examples)
    with bar_on_stderr("answering", len(questions.features)) as seen:
        logits = questions.logits(predictor.loaded, seen)
    scored = evaluate(
        questions.examples, questions.features, logits, null_threshold=null_threshold, **questions.decoding.keywords()
    )
    counts = {"num_dev_examples": len(examples), "num_dev_features": len(questions.features)}
    return {**scored.metrics, **counts}, examples, scored


def _texts(evaluation: Evaluation) -> dict[str, str]:
    return {prediction.id: prediction.text for prediction in evaluation.predictions}


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("evaluate", "Official metrics of a model on any SQuAD file.")
    parser.add_argument("run", type=Path, help="a run directory, or a model folder in the format of transformers")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="SQuAD JSON, JSON lines or parquet")
    parser.add_number("--null-threshold", float, 0.0, "answer nothing where null_score_diff is above it (default 0)")
    parser.add_argument("--predictions-out", type=Path, metavar="FILE", help="write the answers as {id: text}")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser
