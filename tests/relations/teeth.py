"""Do the relations bite? qaexp is broken on purpose, one fault at a time, and each must be noticed.

`python -m tests.relations.teeth` breaks what `tests.relations.broken` lists, runs the relations that stand for it,
prints which of them notice each fault and which relations notice none, and ends with 1 when fewer than 90 % of the
faults are noticed; `python -m tests.relations.teeth holm_dropped` tries this one alone. Ten minutes.

QAEXP_TEST_BROKEN names the fault that a run of pytest goes with; qaexp itself knows nothing of it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
VARIABLE = "QAEXP_TEST_BROKEN"
ENOUGH = 0.9


def break_on_purpose(patch: Callable[[Any, str, Any], None]) -> None:
    """Break what the environment names; nothing else is ever broken."""
    name = os.environ.get(VARIABLE)
    if name:
        from tests.relations.broken import FAULTS

        FAULTS[name].break_it(patch)


def noticed(fault: str, modules: Sequence[str]) -> tuple[set[str], int]:
    """Run modules of relations with a fault: which relations fail, and how many cases were run."""
    files = [str(HERE / f"test_{module}.py") for module in modules]
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rA", "-p", "no:cacheprovider", *files]
    environ = {**os.environ, VARIABLE: fault}
    said = subprocess.run(command, cwd=HERE.parents[1], env=environ, capture_output=True, text=True, check=False).stdout
    outcomes = re.findall(r"^(PASSED|FAILED|ERROR) \S*?::(\w+)", said, re.MULTILINE)
    return {name for word, name in outcomes if word != "PASSED"}, len(outcomes)


def main(words: list[str]) -> int:
    """Try the faults; 0 when enough of them are noticed."""
    from tests.relations.broken import FAULTS

    faults = words or list(FAULTS)
    biting: set[str] = set()
    num_noticed = 0
    for fault in faults:
        failed, num_run = noticed(fault, FAULTS[fault].modules)
        biting |= failed
        # A fault that keeps all relations from running is none that they notice.
        num_noticed += bool(failed) and num_run > 1
        told = ", ".join(sorted(failed)) if failed else "NOT NOTICED"
        print(f"{fault:<32} {len(failed):>2} of {num_run:>2}: {told}", flush=True)
    if not words:
        print(f"relations that notice none of them: {', '.join(sorted(relations() - biting)) or 'there are none'}")
    print(f"{num_noticed} of {len(faults)} faults are noticed")
    return int(num_noticed < ENOUGH * len(faults))


def relations() -> set[str]:
    """The names of all relations."""
    texts = [path.read_text("utf-8") for path in HERE.glob("test_*.py") if path.stem != "test_teeth"]
    return {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
