"""`qaexp evaluate`: official metrics of a model on any file of questions and answers."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.cli.arguments import CommandParser
from qaexp.cli.written import check_target, name_written
from qaexp.commands.given_sets import ALONE, check_distinct, given_sets, tell_trained_on
from qaexp.commands.questions import FORMATS, MODELS, add_device_options, add_reading_options, read_questions
from qaexp.commands.scored import print_scored, print_sets
from qaexp.errors import ConfigError
from qaexp.reporting.terminal.printing import complain
from qaexp.storage.formats import counted

if TYPE_CHECKING:
    from qaexp.data.squad import SquadFile
    from qaexp.evaluation.evaluate import Evaluation
    from qaexp.predictor.answers import Predictor


def main(argv: Sequence[str]) -> int:
    """Answer every question of a file, or of several named ones, with a model, and score the answers.

    Args:
        argv: The run directory or model folder, `--data FILE` or several `--data NAME=FILE`, and options.

    Returns:
        0.

    Raises:
        QaexpError: There is no such model or file, or a file is faulty.
    """
    arguments = _parser().parse_args(list(argv))
    files = given_sets(arguments.data)
    out = arguments.predictions_out
    if out and list(files) != [ALONE]:
        raise ConfigError(
            f"--predictions-out {out}: holds the answers to one file; give one --data FILE without a name, or leave "
            "--predictions-out out"
        )
    if out:
        check_target(out, "--predictions-out", list(files.values()))
    read = _read(arguments, files)
    predictor = _predictor(arguments)
    found = {name: _evaluated(arguments, predictor, read[name], name) for name in files}
    if ALONE in found:
        one = found[ALONE]
        if out:
            from qaexp.storage.files import write_json

            write_json(out, one.texts)
            name_written(out, f"{counted(len(one.texts), 'answer')} as {{id: text}}")
        print_scored(one.metrics, one.evaluation, threshold=arguments.null_threshold, as_json=arguments.json)
        return 0
    print_sets(
        {name: (one.metrics, one.evaluation) for name, one in found.items()},
        threshold=arguments.null_threshold,
        as_json=arguments.json,
    )
    return 0


@dataclass(frozen=True, slots=True, eq=False)
class _Evaluated:
    """A file's metrics, how they came about, and the answers by id if they are wanted."""

    metrics: dict[str, Any]
    evaluation: Evaluation
    texts: dict[str, str]


def _read(arguments: argparse.Namespace, files: Mapping[str, Path]) -> dict[str, SquadFile]:
    """Read all files, and say on stderr why scores of some may mean little."""
    read = {
        name: read_questions(file, arguments.on_bad, arguments.columns, wants_answers=True)
        for name, file in files.items()
    }
    check_distinct(read)
    for name, file in files.items():
        if all(example.is_impossible for example in read[name].examples):
            complain(
                f"{file}: no question has an answer, so only answering nothing is right; if its answers are kept "
                f"back: qaexp answer RUN --input {shlex.quote(str(file))} --predictions-out predictions.json"
            )
    tell_trained_on(arguments.run, read, files)
    return read


def _predictor(arguments: argparse.Namespace) -> Predictor:
    from qaexp.predictor.answers import Predictor

    return Predictor(arguments.run, device=arguments.device, precision=arguments.precision)


def _evaluated(arguments: argparse.Namespace, predictor: Predictor, read: SquadFile, name: str) -> _Evaluated:
    from qaexp.evaluation.judged import text_of
    from qaexp.reporting.terminal.bars import bar_on_stderr

    threshold = arguments.null_threshold
    questions = predictor.question_set(read.examples)
    with bar_on_stderr(f"answering {name}".rstrip(), len(questions.features)) as seen:
        logits = questions.logits(predictor.loaded, seen)
    scored = questions.evaluate(logits, threshold)
    counts = {"num_dev_examples": len(read.examples), "num_dev_features": len(questions.features)}
    computed = {"device": str(predictor.device), "precision": predictor.precision}
    left_out = {"num_skipped": read.num_skipped, "num_fixed": read.num_fixed} if arguments.on_bad != "fail" else {}
    decoded = questions.decoded(logits) if arguments.predictions_out else ()
    texts = {prediction.id: text_of(prediction, threshold) for _, found in decoded for prediction in found}
    return _Evaluated({**scored.metrics, **counts, **computed, **left_out}, scored, texts)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("evaluate", "Official metrics of a model on any SQuAD file.")
    parser.add_argument("run", type=Path, help=MODELS)
    parser.add_argument(
        "--data",
        action="append",
        required=True,
        metavar="[NAME=]FILE",
        help=f"{FORMATS}; several times as NAME=FILE: a table of these evaluation sets",
    )
    add_reading_options(parser)
    parser.add_number(
        "--null-threshold",
        float,
        0.0,
        "answer nothing where null_score_diff is above it (default 0, whatever threshold is stored with the model)",
    )
    parser.add_argument("--predictions-out", type=Path, metavar="FILE", help="write the answers as {id: text}")
    add_device_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser
