"""`qaexp convert`: an export of an annotation tool, or any data file, becomes SQuAD JSON."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.cli.arguments import CommandParser
from qaexp.cli.written import check_target
from qaexp.commands.questions import add_reading_options, tell_left_out
from qaexp.reporting.terminal.printing import say
from qaexp.storage.formats import counted

if TYPE_CHECKING:
    from qaexp.data.exports.reading import Source


def main(argv: Sequence[str]) -> int:
    """Read a file of any known format, and write its questions as SQuAD v2 JSON.

    Args:
        argv: The file, and options.

    Returns:
        0.

    Raises:
        DataError: The file is of no known format, or holds no usable question.
        ConfigError: There is a file already where the result would be written.
    """
    arguments = _parser().parse_args(list(argv))
    file: Path = arguments.file
    out: Path = arguments.output or file.parent / f"{file.stem or 'data'}.squad.json"
    check_target(out, "--output", may_exist=False)
    from qaexp.data.exports.reading import read_source, squad_json
    from qaexp.data.files.names import parse_columns
    from qaexp.storage.files import write_json

    columns = parse_columns(arguments.columns) if arguments.columns else None
    source = read_source(file, arguments.on_bad, columns)
    write_json(out, squad_json(source.file.examples))
    tell_left_out(file, source.file)
    _say(file, out, source)
    return 0


def _say(file: Path, out: Path, source: Source) -> None:
    """Say what was read, what was left out and why, and what was written."""
    export, examples = source.export, source.file.examples
    say(f"read {file}: {source.format}" + (f", {counted(export.num_read, export.unit)}" if export else ""))
    for reason, count in (export.left_out if export else {}).items():
        if count:
            say(f"left out: {reason} ({count:,})")
    for note, count in (export.noted if export else {}).items():
        if count:
            say(f"note: {note} ({count:,})")
    num_impossible = sum(example.is_impossible for example in examples)
    say(
        f"wrote {out}: {counted(len(examples), 'question')}, {len(examples) - num_impossible:,} with an answer, "
        f"{num_impossible:,} without"
    )
    say(f"next: qaexp train data=json {shlex.quote(f'data.train_file={out}')} data.dev_file=...")


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        "convert",
        "Bring an export of Label Studio, doccano, Haystack or cdQA, or any file that training reads, into SQuAD JSON.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the export")
    parser.add_argument("--to", choices=("squad",), default="squad", help="the format to write (default: squad)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="where to write (default: beside FILE, as NAME.squad.json)"
    )
    add_reading_options(parser)
    return parser
