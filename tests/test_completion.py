"""Tab completion in real shells: what docs/how_it_works.md tells to install completes commands, keys and choices."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

LINES = {
    "qaexp tr": ["train", "track"],
    "qaexp train optimizer=ad": ["optimizer=adafactor", "optimizer=adamw"],
    "qaexp train seed=1 trainer.ep": ["trainer.epochs="],
    "qaexp train -m experiment=note": ["experiment=notebook", "experiment=notebook_repaired"],
}
BASH = """
eval "$(qaexp train -sc install=bash)"
while IFS= read -r line; do
    COMP_LINE="$line" COMP_POINT=${#line} COMP_WORDS=($line) COMPREPLY=()
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    hydra_bash_completion
    echo "${COMPREPLY[*]}"
done
complete -p qaexp
"""
FISH = "qaexp train -sc install=fish | source; while read -l line; complete -C $line | string join ' '; end"
ZSH = """\
autoload -Uz compinit bashcompinit; compinit -u -D; bashcompinit
eval "$(qaexp train -sc install=zsh)"; echo RE""ADY
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "HOME": str(tmp_path), "PS1": "> ", "TERM": "xterm"}


def need(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs the shell {shell}")


@pytest.mark.parametrize(("shell", "script"), [("bash", BASH), ("fish", FISH)])
def test_bash_and_fish(shell: str, script: str, environment: dict[str, str], tmp_path: Path) -> None:
    need(shell)
    done = subprocess.run(
        [shell, "-c", script],
        input="".join(f"{line}\n" for line in LINES),
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=120,
        check=True,
    )
    found = [line.split() for line in done.stdout.splitlines()]
    assert found[: len(LINES)] == list(LINES.values()), done.stderr
    if shell == "bash":
        assert done.stdout.splitlines()[-1].endswith(" qaexp")


def test_zsh(environment: dict[str, str], tmp_path: Path) -> None:
    need("zsh")
    terminal, other_end = pty.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), other_end)
    with subprocess.Popen(["zsh", "-fi"], env=environment, cwd=tmp_path, start_new_session=True, **streams) as process:
        os.close(other_end)
        assert "READY" in type_and_read(terminal, ZSH, "READY")
        assert "trainer.epochs=" in type_and_read(terminal, "qaexp train trainer.ep\t", "trainer.epochs=")
        shown = type_and_read(terminal, "\x15qaexp train optimizer=ad\t\t", "optimizer=adafactor")
        assert "optimizer=adafactor" in shown
        process.kill()
    os.close(terminal)


def type_and_read(terminal: int, keys: str, until: str) -> str:
    """Type into a terminal and return what it shows until some text stands there; at most 30 seconds."""
    os.write(terminal, keys.encode())
    shown, end = b"", time.monotonic() + 30
    while until.encode() not in shown and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 65536)
    return shown.decode(errors="replace")
