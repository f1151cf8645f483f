"""How `evaluate` and `answer` read the questions of a file: their options, and what is said about what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.data.files.validation import ON_BAD
from qaexp.reporting.terminal.printing import complain
from qaexp.storage.formats import counted

if TYPE_CHECKING:
    from qaexp.cli.arguments import CommandParser
    from qaexp.data.squad import SquadFile

FORMATS = "SQuAD JSON, JSON lines, CSV, parquet; a folder or a pattern of shards"
MODELS = "a run directory, a model folder in the format of transformers, or an export (qaexp export)"


def add_reading_options(parser: CommandParser) -> None:
    """Add the options for `data.on_bad` and `data.columns`."""
    parser.add_argument(
        "--on-bad",
        choices=ON_BAD,
        default="fail",
        help="what to do with a faulty example: fail (default), skip it, or fix answers that are at one other place",
    )
    parser.add_argument(
        "--columns",
        metavar="NAMES",
        help="what the file calls qaexp's columns: 'context: passage, question: query, answers: answer'",
    )


def add_device_options(parser: CommandParser) -> None:
    """Add the options that say where a model computes, and in which number format."""
    parser.add_argument(
        "--device", help="where to compute: cpu, cuda, cuda:N, xpu, xpu:N or mps (default: a GPU when there is one)"
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16"),
        default="auto",
        help="number format of the forward pass (default auto: bf16 where the device has it at full speed, else fp32)",
    )


def read_questions(file: Path, on_bad: str, columns: str | None, *, wants_answers: bool) -> SquadFile:
    """Read a file, and say on stderr what of it was left out or mended.

    Args:
        file: Any file that training reads.
        on_bad: The value of `--on-bad`.
        columns: The value of `--columns`.
        wants_answers: Whether the answers are read too.

    Raises:
        DataError: It cannot be read, or faults are refused.
        ConfigError: An option is not a legal value.
    """
    from qaexp.data.files.names import parse_columns
    from qaexp.data.question_files import read_squad_file

    read = read_squad_file(
        file, on_bad, columns=parse_columns(columns) if columns else None, wants_answers=wants_answers
    )
    tell_left_out(file, read)
    return read


def tell_left_out(file: Path, read: SquadFile) -> None:
    """Say on stderr what of a file was left out, mended, or read in another spelling."""
    total = len(read.examples) + read.num_skipped + read.num_duplicates
    _tell(file, read.num_skipped, total, "left out", read.problems)
    _tell(file, read.num_fixed, total, "mended", read.problems)
    if read.num_duplicates:
        complain(f"{file}: {read.num_duplicates:,} of {counted(total, 'question')} repeat another one and are left out")
    if read.num_made_ids:
        complain(f"{file}: no question has an id; they are called {read.examples[0].id} and so on, in the file's order")


def _tell(file: Path, number: int, total: int, done: str, problems: Sequence[str]) -> None:
    if number:
        first = f", first: {problems[0].removeprefix(f'{file}: ')}" if problems else ""
        complain(f"{file}: {number:,} of {counted(total, 'question')} {done}{first}")
