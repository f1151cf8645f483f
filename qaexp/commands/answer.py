"""`qaexp answer`: answers with a run's model, its windows and its tuned threshold."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.commands.arguments import CommandParser
from qaexp.commands.surroundings import is_undecodable, undecodable
from qaexp.errors import ConfigError, DataError
from qaexp.reporting.printing import ask, say, say_json

if TYPE_CHECKING:
    from qaexp.predictor import Answer

NO_ANSWER = "(no answer)"
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
    if arguments.question is None and arguments.input is None and sys.stdin is None:
        raise ConfigError(NO_INPUT)
    from qaexp.predictor import Predictor

    pairs = _read_pairs(arguments.input) if arguments.input else None
    predictor = Predictor(arguments.run, null_threshold=arguments.null_threshold)
    if arguments.question is not None:
        pairs = [(arguments.question, arguments.context)]
    if pairs is not None:
        found: Iterator[Answer] = iter(predictor.answer_all(pairs))
    else:
        found = (predictor.answer(question, context) for question, context in _typed_in())
    for answer in found:
        _show(answer, arguments.n_best, as_json=arguments.json)
    return 0


def _show(answer: Answer, n_best: int, *, as_json: bool) -> None:
    if as_json:
        say_json({**asdict(answer), "n_best": answer.n_best[:n_best]}, indent=None)
        return
    say(answer.answer or NO_ANSWER)
    if n_best > 1:
        for span in answer.n_best[:n_best]:
            say(f"  {span['score']:8.3f}  {span['text']}")


def _read_pairs(file: Path) -> list[tuple[str, str]]:
    """Read JSON lines with `question` and `context`."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{file} cannot be read: {error}; give a file of JSON lines with question and context"
        ) from error
    pairs, problems = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            question, context = record["question"], record["context"]
            if not (isinstance(question, str) and isinstance(context, str)):
                raise TypeError("question and context must be text")
            if is_undecodable(question) or is_undecodable(context):
                raise TypeError("a lone surrogate (half of a UTF-16 pair) is no character")
            pairs.append((question, context))
        except (ValueError, KeyError, TypeError) as error:
            problems.append(f"{file}, line {number}: no JSON object with question and context ({error})")
    if problems:
        raise DataError(*problems[:20])
    return pairs


def _typed_in() -> Iterator[tuple[str, str]]:
    """Ask for a context, then for questions on it; an empty one goes back, then ends."""
    while context := _ask("context (empty: leave): "):
        while question := _ask("question (empty: another context): "):
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
    parser.add_argument("run", type=Path, help="a run directory, or a model folder in the format of transformers")
    parser.add_argument("-q", "--question", metavar="TEXT", help="the question")
    parser.add_argument("-c", "--context", metavar="TEXT", help="the text to look in")
    parser.add_argument("--input", type=Path, metavar="FILE.jsonl", help="JSON lines with question and context")
    parser.add_number("--n-best", int, 1, "show the K best spans", low=1)
    parser.add_number(
        "--null-threshold", float, None, "answer nothing where null_score_diff is above it (default: tuned)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document per answer")
    return parser
