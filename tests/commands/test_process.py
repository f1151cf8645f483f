"""The process of a command searches rarely for garbage, and not at its end; a caller's own process is left alone."""

from __future__ import annotations

import gc
import subprocess
import sys

from qaexp.cli import main

# What is registered first is called last: after the command's own function.
_PROCESS = """
import atexit, gc, sys
atexit.register(lambda: print(gc.get_threshold()[0] > 10_000, gc.get_freeze_count() > 10_000))
from qaexp.cli import main
sys.argv = ["qaexp", "--version"]
sys.exit(main())
"""


def test_objects_are_frozen_when_the_process_of_a_command_ends() -> None:
    ended = subprocess.run([sys.executable, "-c", _PROCESS], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "True True"


def test_called_with_words_the_callers_collector_is_left_alone() -> None:
    before = gc.get_threshold()
    assert main(["--version"]) == 0
    assert gc.get_threshold() == before
