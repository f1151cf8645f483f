"""Do the relations bite? qaexp is broken on purpose, one fault at a time, and each must be noticed.

`python -m tests.relations.teeth` breaks what `tests.relations.broken` lists, prints which relations notice each fault
and which relations notice none, and ends with 1 when fewer than 90 % are noticed;
`python -m tests.relations.teeth holm_dropped` tries this one alone. Ten minutes.

QAEXP_TEST_BROKEN names the fault that a run of pytest goes with; qaexp itself knows nothing of it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
VARIABLE = "QAEXP_TEST_BROKEN"
ENOUGH = 0.9
Patch = Callable[[Any, str, Any], None]


def break_on_purpose(patch: Patch) -> None:
    """Break what the environment names; nothing else is ever broken."""
    name = os.environ.get(VARIABLE)
    if name:
        from tests.relations import broken

        broken.FAULTS[name](patch)


def noticed(fault: str, *words: str) -> tuple[set[str], int]:
    """Run the relations with a fault: which of them fail, and how many were run; further words are for pytest."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rA", *(words or ("tests/relations",))]
    environ = {**os.environ, VARIABLE: fault}
    said = subprocess.run(command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=False).stdout
    outcomes = re.findall(r"^(PASSED|FAILED|ERROR) \S*?::(\w+)", said, re.MULTILINE)
    return {name for word, name in outcomes if word != "PASSED"}, len(outcomes)


def main(words: list[str]) -> int:
    """Try the faults; 0 when enough of them are noticed."""
    from tests.relations import broken

    faults = words or list(broken.FAULTS)
    biting: set[str] = set()
    num_noticed = 0
    for fault in faults:
        failed, num_run = noticed(fault)
        biting |= failed
        num_noticed += bool(failed)
        told = ", ".join(sorted(failed)) if failed else "NOT NOTICED"
        print(f"{fault:<34} {len(failed):>2} of {num_run}  {told}", flush=True)
    if not words:
        idle = sorted(relations() - biting)
        print(f"relations that noticed none: {', '.join(idle) or 'there are none'}")
    print(f"{num_noticed} of {len(faults)} faults are noticed")
    return int(num_noticed < ENOUGH * len(faults))


def relations() -> set[str]:
    """The names of all relations."""
    texts = [path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py") if path.stem != "test_teeth"]
    return {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
