"""`qaexp verify`: is every byte of a run what was written?"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from qaexp.commands.arguments import CommandParser
from qaexp.errors import IntegrityError
from qaexp.runs.verification import Verified, verify_run


def main(argv: Sequence[str]) -> int:
    """Check runs against their manifests.

    Args:
        argv: Run directories.

    Returns:
        0 when all is as it was written, 8 when something differs.

    Raises:
        ConfigError: A directory is no run.
    """
    parser = CommandParser("verify", "Check every file of runs, and of their checkpoints, against the manifests.")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run directories")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args(list(argv))
    found = [_verified(directory) for directory in arguments.runs]
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
        print(json.dumps(rows, indent=1))
    else:
        for run in found:
            print(_line(run))
    for problem in (problem for run in found for problem in run.problems):
        print(f"qaexp verify: {problem}", file=sys.stderr)
    return IntegrityError.exit_code if any(run.problems for run in found) else 0


def _verified(directory: Path) -> Verified:
    """Check a run; one whose files cannot even be read is one with a problem."""
    try:
        return verify_run(directory)
    except IntegrityError as error:
        return Verified(directory, "unreadable", False, 0, list(error.problems))


def _line(run: Verified) -> str:
    if run.problems:
        return f"{run.path}: {len(run.problems)} of {run.num_files} files are not what was written"
    if run.is_complete:
        return f"{run.path}: all {run.num_files} files are what was written"
    return f"{run.path}: unfinished ({run.state}); the {run.num_files} files of its checkpoints are what was written"
