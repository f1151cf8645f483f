"""What a bad job does to a sweep: qaexp beside plain Hydra and its launchers.

    python -m tests.benchmarks.peers.hydra_sweeps

Six jobs, the second of which is bad in one way. Plain Hydra runs a task that writes a file a job; qaexp trains its tiny
model. Told: the jobs that were done, the exit code, and how many of six the same command then runs once the cause is
mended.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import REPOSITORY
from tests.fixtures import planted, tiny_run

WAYS = ("raise", "exit0", "leave", "kill", "segfault")
LAUNCHERS = ("basic", "joblib", "submitit_local")
_APP = """
import os, pathlib, hydra
from tests.fixtures import planted

@hydra.main(version_base="1.3", config_path=None)
def task(config):
    with open("log", "a") as log:
        log.write(f"{config.n}\\n")
    if config.n == 2 and pathlib.Path(planted.SWITCH).exists():
        planted.HARM[config.how]()
    pathlib.Path(f"done-{config.n}").touch()

task()
"""
_QAEXP = (*tiny_run.MODEL, *planted.WORDS, "data.train_size=12", "data.dev_size=8", "trainer.epochs=1")


def run(command: list[str], folder: Path) -> int:
    """Run a command in a folder; its exit code."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "QAEXP_ALLOW_TARGETS": planted.ALLOW,
        "QAEXP_CACHE_DIR": str(folder.parent / "cache"),
    }
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False).returncode


def plain(folder: Path, launcher: str, way: str) -> str:
    """Six jobs of a task of plain Hydra."""
    (folder / "app.py").write_text(_APP)
    chosen = [] if launcher == "basic" else [f"hydra/launcher={launcher}"]
    command = [sys.executable, "app.py", "-m", *chosen, "hydra.sweep.dir=out", "+n=1,2,3,4,5,6", f"+how={way}"]
    code = run(command, folder)
    done = len(list(folder.glob("done-*")))
    (folder / planted.SWITCH).unlink()
    before = len((folder / "log").read_text().splitlines())
    run(command, folder)
    return told(done, code, len((folder / "log").read_text().splitlines()) - before)


def ours(folder: Path, way: str) -> str:
    """Six jobs of qaexp, the second of which is bad."""
    words = [*_QAEXP, f"+optimizer.how=a,{way},b,c,d,e"]
    command = [sys.executable, "-m", "qaexp", "train", "-m", "name=s", *words]
    sweep = folder / "multirun_outputs" / "s"
    code = run(command, folder)
    done = len(list(sweep.glob("*/summary.json")))
    (folder / planted.SWITCH).unlink()
    attempts = sum(json.loads(path.read_text())["attempt"] for path in sweep.glob("*/run.json"))
    run(command, folder)
    again = sum(json.loads(path.read_text())["attempt"] for path in sweep.glob("*/run.json")) - attempts
    return told(done, code, again)


def told(done: int, code: int, again: int) -> str:
    """A cell of the table."""
    return f"{done} done, exit {code}; again: {again} run"


def main() -> None:
    """Print one row of Markdown for each way."""
    packages = ("hydra-core", "hydra-joblib-launcher", "joblib", "hydra-submitit-launcher", "submitit", "torch")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    print(f"Python {platform.python_version()}, {versions}\n")
    columns = ("qaexp", *(f"Hydra, {launcher}" for launcher in LAUNCHERS))
    print(f"| the second of six jobs | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for way in WAYS:
        cells = []
        for launcher in ("", *LAUNCHERS):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name) / "work"
                folder.mkdir()
                (folder / planted.SWITCH).touch()
                cells.append(plain(folder, launcher, way) if launcher else ours(folder, way))
        print(f"| {_NAMES[way]} | {' | '.join(cells)} |", flush=True)


_NAMES = {
    "raise": "raises an exception",
    "exit0": "calls `sys.exit(0)`",
    "leave": "calls `os._exit(0)`",
    "kill": "is killed by SIGKILL",
    "segfault": "crashes (SIGSEGV)",
}


if __name__ == "__main__":
    main()
