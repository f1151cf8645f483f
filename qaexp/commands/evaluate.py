"""`qaexp evaluate`: official metrics of a model on any file of questions and answers."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.cli.arguments import CommandParser
from qaexp.cli.written import check_target, name_written
from qaexp.commands.questions import FORMATS, add_device_options, add_reading_options, read_questions
from qaexp.commands.scored import print_scored
from qaexp.reporting.terminal.printing import complain
from qaexp.storage.formats import counted

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
    out = arguments.predictions_out
    if out:
        check_target(out, "--predictions-out", [arguments.data])
    read = read_questions(arguments.data, arguments.on_bad, arguments.columns, wants_answers=True)
    if all(example.is_impossible for example in read.examples):
        complain(
            f"{arguments.data}: no question has an answer, so only answering nothing is right; if its answers are "
            f"kept back: qaexp answer RUN --input {shlex.quote(str(arguments.data))} --predictions-out predictions.json"
        )
    metrics, evaluation, texts = _evaluated(arguments, read.examples)
    if arguments.on_bad != "fail":
        metrics |= {"num_skipped": read.num_skipped, "num_fixed": read.num_fixed}
    if out:
        from qaexp.storage.files import write_json

        write_json(out, texts)
        name_written(out, f"{counted(len(texts), 'answer')} as {{id: text}}")
    print_scored(metrics, evaluation, as_json=arguments.json)
    return 0


def _evaluated(
    arguments: argparse.Namespace, examples: Sequence[Example]
) -> tuple[dict[str, Any], Evaluation, dict[str, str]]:
    """The metrics, how they came about, and the answers by id if they are wanted."""
    from qaexp.evaluation.evaluate import text_of
    from qaexp.predictor import Predictor
    from qaexp.reporting.terminal.bars import bar_on_stderr

    threshold = arguments.null_threshold
    predictor = Predictor(arguments.run, device=arguments.device, precision=arguments.precision)
    questions = predictor.question_set(examples)
    with bar_on_stderr("answering", len(questions.features)) as seen:
        logits = questions.logits(predictor.loaded, seen)
    scored = questions.evaluate(logits, threshold)
    counts = {"num_dev_examples": len(examples), "num_dev_features": len(questions.features)}
    computed = {"device": str(predictor.device), "precision": predictor.precision}
    decoded = questions.decoded(logits) if arguments.predictions_out else ()
    texts = {prediction.id: text_of(prediction, threshold) for _, found in decoded for prediction in found}
    return {**scored.metrics, **counts, **computed}, scored, texts


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("evaluate", "Official metrics of a model on any SQuAD file.")
    parser.add_argument("run", type=Path, help="a run directory, or a model folder in the format of transformers")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help=FORMATS)
    add_reading_options(parser)
    parser.add_number("--null-threshold", float, 0.0, "answer nothing where null_score_diff is above it (default 0)")
    parser.add_argument("--predictions-out", type=Path, metavar="FILE", help="write the answers as {id: text}")
    add_device_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser
