"""`qaexp verify`: is every byte of a run what was written?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qaexp.cli.arguments import CommandParser
from qaexp.errors import IntegrityError
from qaexp.reporting.terminal.printing import complain, say, say_json
from qaexp.runs.directory import MANIFEST
from qaexp.runs.readers.verification import Verified, verify_run


def main(argv: Sequence[str]) -> int:
    """Check runs against their manifests.

    Args:
        argv: Run directories.

    Returns:
        0 when all is as it was written, 8 when something differs.

    Raises:
        ConfigError: A directory is not a run.
    """
    parser = CommandParser("verify", "Check every file of runs, and of their checkpoints, against the manifests.")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run directories")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args(list(argv))
    found = [verify_run(directory) for directory in arguments.runs]
    if arguments.json:
        rows = [
            {
                "path": str(run.path),
                "state": run.state,
                "is_complete": run.is_complete,
                "num_files": run.num_files,
                "problems": run.problems,
            }
            for run in found
        ]
        say_json(rows)
    else:
        for run in found:
            say(_line(run))
    for problem in (problem for run in found for problem in run.problems):
        complain(f"qaexp verify: {problem}")
    return IntegrityError.exit_code if any(run.problems for run in found) else 0


def _line(run: Verified) -> str:
    if run.problems:
        named = f"{len(run.problems)} problem{'s' if len(run.problems) > 1 else ''}"
        checked = f"{run.num_files} held against what was written" if run.num_files else "nothing could be checked"
        return f"{run.path}: {run.state}; files: {checked}, {named}"
    if run.is_complete:
        return f"{run.path}: {_intact(run.num_files)}"
    if not run.num_files:
        return f"{run.path}: unfinished ({run.state}); nothing was verified: it has no checkpoint, and no results yet"
    where = "checkpoints and manifest" if (run.path / MANIFEST).exists() else "checkpoints"
    return f"{run.path}: unfinished ({run.state}); of its {where}, {_intact(run.num_files)}"


def _intact(num_files: int) -> str:
    """Say that so many files hold the bytes that were written.

    >>> _intact(1), _intact(16)
    ('its 1 file intact', 'all 16 files intact')
    """
    return "its 1 file intact" if num_files == 1 else f"all {num_files} files intact"
