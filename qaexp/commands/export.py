"""`qaexp export`: a finished run becomes a folder that other programs load, checked, with what the format costs."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.cli.arguments import CommandParser
from qaexp.cli.written import check_new_folder
from qaexp.errors import ConfigError, Stopped
from qaexp.export.needs import FORMATS, INT8
from qaexp.reporting.terminal.printing import complain_text, say, say_json, say_text
from qaexp.reporting.terminal.sentences import fitted
from qaexp.storage.room import shown_bytes

if TYPE_CHECKING:
    from qaexp.export.exported import Exported

# The others, config and settings, are a kilobyte each.
_NUM_SHOWN = 2
_EPILOG = (
    "The folder is answered with before it appears: the dev questions of the run, its score held against the run's own "
    "by the paired test of qaexp compare (crossfit_f1), and its null threshold tuned anew. hf is for transformers, "
    "onnx for onnxruntime, openvino for OpenVINO; docs/export.md says more."
)


def main(argv: Sequence[str]) -> int:
    """Export a run, or seeds of one config, into a new folder.

    Args:
        argv: The runs, `--to`, and options.

    Returns:
        0.

    Raises:
        QaexpError: The runs cannot be exported so, or the folder cannot be written.
    """
    arguments = _parser().parse_args(list(argv))
    to: Path = arguments.to
    _check(to, arguments.push, is_private=arguments.private)
    from qaexp.config.schema import neutral_keys
    from qaexp.export.one_export import Wanted, export
    from qaexp.storage.signals import watched

    wanted = Wanted(arguments.runs, to, arguments.format, arguments.quantize, arguments.how, arguments.push)
    try:
        with watched():
            exported, document = export(wanted, neutral_keys(), _tell)
    except Stopped as stop:
        _tell(f"{stop}; nothing was written, and the same command starts anew")
        return stop.exit_code
    if arguments.json:
        say_json(document)
    else:
        _show(to, exported, document)
    if arguments.push:
        from qaexp.export.push import push

        _tell(f"uploading {to} to {arguments.push}")
        _tell(f"uploaded: {push(to, arguments.push, is_private=arguments.private)}")
    return 0


def _check(to: Path, repo: str | None, *, is_private: bool) -> None:
    """Refuse a folder that is there, or among the results of a run or a sweep, and what is no repository.

    Raises:
        ConfigError: It is one of them.
    """
    if repo is not None:
        from qaexp.export.push import check_repo

        check_repo(repo)
    elif is_private:
        raise ConfigError("--private is of --push REPO, and nothing is uploaded; add it, or leave --private out")
    check_new_folder(to, "--to")


def _tell(sentence: str) -> None:
    """Say on stderr what is done."""
    complain_text(fitted(f"qaexp export: {sentence}", sys.stderr))


def _say_fitted(sentence: str) -> None:
    say_text(fitted(f"  {sentence}", sys.stdout, indent="    "))


def _show(to: Path, exported: Exported, document: dict[str, Any]) -> None:
    total = sum(exported.file_bytes.values())
    say(f"{to}  {exported.quantized or exported.format} · {exported.made_of} · {shown_bytes(total)}")
    for name, size in sorted(exported.file_bytes.items(), key=lambda item: -item[1])[:_NUM_SHOWN]:
        say(f"  {shown_bytes(size):>10}  {name}")
    _say_fitted(exported.verdict)
    if speed := document["speed"]:
        _say_fitted(
            f"{speed['answers_per_second']:.1f} answers/s, {speed['baseline']} "
            f"{speed['torch_fp32_answers_per_second']:.1f} ({speed['measured_with']})"
        )
    if exported.metrics["null_threshold"] is not None:
        say(f"  null threshold {exported.null_threshold:.2f}, tuned with this folder")
    say(f"next: qaexp answer {shlex.quote(str(to))} -q QUESTION -c TEXT")


def _folder(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; give the path of a folder that is not there")
    return Path(text)


def _parser() -> CommandParser:
    parser = CommandParser("export", "Write a run as a folder that other programs load, and say what the format costs.")
    parser.epilog = _EPILOG
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="a run directory; several, or a sweep's, with --best and so on",
    )
    parser.add_argument(
        "--to", type=_folder, required=True, metavar="DIR", help="the folder to write, which is not there"
    )
    parser.add_argument("--format", required=True, choices=FORMATS, help="for transformers, onnxruntime or OpenVINO")
    parser.add_argument("--quantize", choices=(INT8,), help="int8 weights, a quarter of the size (--format onnx)")
    several = parser.add_mutually_exclusive_group()
    for how, what in (
        ("best", "of several seeds, the best one by crossfit_f1"),
        ("soup", "of several seeds, the averaged weights, unless they score less than the seeds do on average"),
        ("ensemble", "of several seeds, the mean of their logits, in one graph (onnx, openvino)"),
    ):
        several.add_argument(f"--{how}", dest="how", action="store_const", const=how, help=what)
    parser.add_argument("--push", metavar="REPO", help="then upload the folder to owner/name on the hub")
    parser.add_argument("--private", action="store_true", help="nobody else may see a repository that --push makes")
    parser.add_argument("--json", action="store_true", help="print one JSON document, that of DIR/export.json")
    return parser
