"""`python -m tests.benchmarks.gpu --minutes 4`: the tests of tests/gpu, then docs/benchmarks-gpu.md.

For the day on which a GPU is at hand. Without one it ends with exit code 2. `--rehearse FILE` runs every table with a
tiny model on whatever there is, and writes a page that says so.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from qaexp.training.precision import choose_device, describe_device
from tests import REPOSITORY
from tests.benchmarks.gpu import measures
from tests.benchmarks.gpu.page import rendered
from tests.benchmarks.gpu.workload import BASE, LARGE, TINY

MEASURED = ("same_bytes", "training", "full_length", "without_padding")
PAGE = REPOSITORY / "docs" / "benchmarks-gpu.md"
_GPUS = ("cuda", "xpu", "mps")
# Of the time: what the tests may take at most, and how the rest is shared.
_TESTS, _TRAINING, _LARGE, _PACKED = 0.5, 0.45, 0.15, 0.15
_REHEARSED = ("tests/gpu/test_device_matches_cpu.py", "-k", "measured")


def main(words: Sequence[str]) -> int:
    """Measure and write the page; the exit code: 2 where nothing is measured, 1 where something failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=4.0, help="how long it may take, about")
    parser.add_argument("--rehearse", type=Path, metavar="FILE", help="a tiny model on whatever there is, into FILE")
    options = parser.parse_args(words)
    device = choose_device("auto")
    if (problem := _problem(device, options.rehearse)) is not None:
        print(problem, file=sys.stderr)
        return 2
    found = measured(device, options.minutes, rehearse=options.rehearse is not None)
    page = options.rehearse or PAGE
    page.write_text(rendered(found, is_rehearsal=options.rehearse is not None), "utf-8")
    print(f"wrote {page}")
    return 0 if found["tests"][0] and not any("failed" in found[name] for name in MEASURED) else 1


def _problem(device: torch.device, rehearsal: Path | None) -> str | None:
    """Why nothing is measured; None if it is."""
    if rehearsal is None and device.type not in _GPUS:
        return f"torch {torch.__version__} sees no GPU, so nothing was measured; --rehearse FILE tries the command"
    if rehearsal is not None and rehearsal.resolve().is_relative_to(REPOSITORY / "docs"):
        return f"{rehearsal} is in docs/, where only figures of a GPU belong; give --rehearse a file elsewhere"
    return None


def measured(device: torch.device, minutes: float, *, rehearse: bool) -> dict[str, Any]:
    """Run the tests and every measurement within about so many minutes."""
    base, large = (TINY, TINY) if rehearse else (BASE, LARGE)
    deadline = time.monotonic() + 60.0 * minutes
    tests = measures.tests_passed(_REHEARSED if rehearse else ("tests/gpu",), max(60.0, 60.0 * minutes * _TESTS))
    left = 0.0 if rehearse else max(0.0, deadline - time.monotonic())
    return {
        "machine": _machine(device),
        "minutes": minutes,
        "tests": tests,
        # The bytes first: each of their processes needs the memory of the device for itself.
        "same_bytes": _tried(measures.same_bytes, rehearse=rehearse),
        "training": _tried(measures.training, base, device, left * _TRAINING),
        "full_length": _tried(measures.full_length, large, device, left * _LARGE),
        "without_padding": _tried(measures.without_padding, base, device, left * _PACKED),
    }


def _tried(measure: Callable[..., dict[str, Any]], *arguments: Any, **settings: Any) -> dict[str, Any]:
    """What a measurement found; one that fails costs none of the others."""
    try:
        return measure(*arguments, **settings)
    except Exception as error:  # the device's driver, its memory, torch: whatever it is, the page says it
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"}


def _machine(device: torch.device) -> dict[str, str]:
    return {
        "device": f"{device.type} ({describe_device(device, 'bf16')['name']})",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
