"""`qaexp answer`: answers with a run's model, its windows and its tuned threshold."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.cli.arguments import CommandParser
from qaexp.cli.surroundings import is_undecodable, undecodable
from qaexp.cli.written import check_target, name_written
from qaexp.commands.questions import FORMATS, MODELS, add_device_options, add_reading_options, read_questions
from qaexp.errors import ConfigError
from qaexp.reporting.terminal.printing import ask, say, say_json
from qaexp.runs.directory import NO_ANSWER
from qaexp.storage.formats import counted

if TYPE_CHECKING:
    from qaexp.predictor.answer import Answer
    from qaexp.predictor.answers import Predictor

_SCORES = (
    "A score is the sum of two logits of the model, for where a span begins and where it ends: it may be negative, is "
    "no probability, and only scores of one model on one question can be compared. In --json `score` is that of the "
    "best span, n_best[0], also where the answer is empty (null: there is no span); null_score_diff is the score of "
    "answering nothing less that one, and the answer is empty where it is above the threshold. `probability` is "
    "that of the answer, an empty one too, among all that the model could answer."
)
NO_INPUT = "no input: give -q and -c, or --input"


def main(argv: Sequence[str]) -> int:
    """Answer one question, the questions of a file, or those that are typed in.

    Args:
        argv: The run directory or model folder, and `-q` with `-c`, or `--input`, or neither.

    Returns:
        0.

    Raises:
        QaexpError: There is no such model, or the questions cannot be read.
    """
    arguments = _parser().parse_args(list(argv))
    if (arguments.question is None) != (arguments.context is None):
        raise ConfigError("-q and -c belong together: a question and the text to look in")
    if arguments.question is not None and arguments.input is not None:
        raise ConfigError("-q and --input exclude each other; leave one out")
    if arguments.predictions_out is not None and arguments.input is None:
        raise ConfigError("--predictions-out needs --input: the ids that the answers are written under")
    if arguments.question is None and arguments.input is None and sys.stdin is None:
        raise ConfigError(NO_INPUT)
    if arguments.input is not None:
        _answer_file(arguments)
        return 0
    predictor = _predictor(arguments)
    typed = [(arguments.question, arguments.context)] if arguments.question is not None else _typed_in()
    for question, context in typed:
        _show(predictor.answer(question, context), arguments.n_best, as_json=arguments.json)
    return 0


def _predictor(arguments: argparse.Namespace) -> Predictor:
    from qaexp.predictor.answers import Predictor

    return Predictor(
        arguments.run,
        null_threshold=arguments.null_threshold,
        device=arguments.device,
        precision=arguments.precision,
    )


def _answer_file(arguments: argparse.Namespace) -> None:
    """Answer the questions of a file: on the screen, or into a file and only as JSON on the screen too."""
    out: Path | None = arguments.predictions_out
    if out is not None:
        check_target(out, "--predictions-out", [arguments.input])
        check_target(null_odds_path(out), "--predictions-out", [arguments.input])
    read = read_questions(arguments.input, arguments.on_bad, arguments.columns, wants_answers=False)
    answers = _predictor(arguments).answer_all([(example.question, example.context) for example in read.examples])
    if out is not None:
        _write({example.id: answer for example, answer in zip(read.examples, answers, strict=True)}, out)
    if out is None or arguments.json:
        for example, answer in zip(read.examples, answers, strict=True):
            asked = {"id": example.id, "question": example.question}
            _show(answer, arguments.n_best, as_json=arguments.json, asked=asked)


def null_odds_path(predictions: Path) -> Path:
    """Where the null odds of a file of predictions are written: beside it.

    >>> null_odds_path(Path("out/p.json")).as_posix()
    'out/p.null_odds.json'
    """
    return predictions.with_name(f"{predictions.stem}.null_odds.json")


def _write(answers: Mapping[str, Answer], out: Path) -> None:
    """Write the answers in the official format, and beside them how sure each "no answer" is."""
    from qaexp.storage.files import write_json

    odds = null_odds_path(out)
    write_json(out, {id: answer.answer for id, answer in answers.items()})
    write_json(odds, {id: answer.null_score_diff for id, answer in answers.items()})
    empty = sum(not answer.answer for answer in answers.values())
    name_written(out, f"{counted(len(answers), 'answer')} as {{id: text}}, {empty:,} of them empty (no answer)")
    name_written(odds, "null_score_diff of each id, for --na-prob-file of the official script")


def _show(answer: Answer, n_best: int, *, as_json: bool, asked: Mapping[str, str] | None = None) -> None:
    if as_json:
        say_json({**(asked or {}), **asdict(answer), "n_best": answer.n_best[:n_best]}, indent=None)
        return
    say(answer.answer or NO_ANSWER)
    if n_best > 1:
        for span in answer.n_best[:n_best]:
            say(f"  {span['score']:8.3f}  {span['text']}")


def _typed_in() -> Iterator[tuple[str, str]]:
    """Ask for a context, then for questions on it; an empty one goes back, then ends."""
    while context := _ask("Context (Enter to quit): "):
        while question := _ask("Question (Enter for a new context): "):
            yield question, context


def _ask(prompt: str) -> str:
    """Ask for a line.

    Raises:
        ConfigError: There is no stdin that can be read, or its bytes are no text.
    """
    ask(prompt)
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError as error:
        raise ConfigError(undecodable("stdin")) from error
    except OSError as error:
        raise ConfigError(f"stdin: {error.strerror}: {NO_INPUT}") from error
    if is_undecodable(line):
        raise ConfigError(undecodable("stdin"))
    return line.strip()


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("answer", "Answer questions with a run's model; interactive without -q and --input.")
    parser.epilog = _SCORES
    parser.add_argument("run", type=Path, help=MODELS)
    parser.add_argument("-q", "--question", metavar="TEXT", help="the question")
    parser.add_argument("-c", "--context", metavar="TEXT", help="the text to look in")
    parser.add_argument("--input", type=Path, metavar="FILE", help=f"{FORMATS}, with or without answers")
    add_reading_options(parser)
    parser.add_argument(
        "--predictions-out", type=Path, metavar="FILE", help="write {id: text}, and the null odds beside it (--input)"
    )
    add_device_options(parser)
    parser.add_number("--n-best", int, 1, "show the N best spans, each with its score", low=1)
    parser.add_number(
        "--null-threshold", float, None, "answer nothing where null_score_diff is above it (default: tuned)"
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON document per answer (of --input with its id and question)"
    )
    return parser
