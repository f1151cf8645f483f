"""A stand-in accelerator, device "sim": the device path of qaexp runs on it where there is no GPU.

`environment()` is the environment of processes that have the device. It cannot be taken back within a process, so what
needs it runs in one of its own: `tests/stand_in/test_on_stand_in.py` runs the tests of tests/gpu there.
"""

from __future__ import annotations

import os

from tests import REPOSITORY

MEMORY = "STAND_IN_MIB"
"""The variable that says how much memory the device has, in MiB."""


def environment(*, mib: int | None = None) -> dict[str, str]:
    """The environment of processes that find the stand-in beside the CPU; `mib` is the size of its memory."""
    paths = [str(REPOSITORY / "tests" / "stand_in" / "site"), str(REPOSITORY)]
    size = {} if mib is None else {MEMORY: str(mib)}
    # Options of the tests that run now are not meant for a pytest that one of them starts.
    own = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    return {**own, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", **size}
