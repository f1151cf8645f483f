"""What each of two processes runs on the stand-in: the training of tests/fixtures/two_processes.py, and its traffic."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.fixtures import two_processes
from tests.stand_in.traffic import watched

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with watched() as traffic:
        two_processes.main(folder, device="auto")
    counts = {"waits": dict(traffic.waits), "to_device": traffic.to_device.total()}
    (folder / f"traffic{os.environ['RANK']}.json").write_text(json.dumps(counts))
