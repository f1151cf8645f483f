"""What docs/workers.md gives to schedulers: each command is one of the parser, and engines keep workers alive by it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from qaexp.errors import ConfigError, SweepError
from tests import REPOSITORY
from tests.fixtures import tiny_run
from tests.fixtures.workers import WORDS, attempts, states

TEXT = (REPOSITORY / "docs" / "workers.md").read_text("utf-8")
BLOCKS = re.findall(r"^```text\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)

# What each engine does with the words of its recipe, as far as one machine goes.
ENGINES = {
    "ssh": """#!/bin/sh
shift 2
sh -c "$(echo "$*" | sed "s#/shared#$SHARED#")" &
""",
    "bsub": """#!/bin/sh
shift 6
for task in 1 2; do sh -c "$(echo "$*" | sed "s#/shared#$SHARED#")" & done
wait
""",
}


def block(word: str) -> str:
    """The recipe that holds a word."""
    (found,) = (one for one in BLOCKS if word in one)
    return str(found)


def test_the_commands_of_the_recipes_are_those_of_the_parser(tmp_path: Path) -> None:
    """They name a folder that is not here, and nothing else is wrong with them."""
    lines = [
        line.replace("[qaexp, work, ", "qaexp work ").replace("]", "") for one in BLOCKS for line in one.split("\n")
    ]
    found = [match[1].split() for line in lines if (match := re.search(r"qaexp work ([^'>]+)", line))]
    assert len(found) == 6
    for words in found:
        done = tiny_run.call(tmp_path, "work", *words)
        assert (done.code, "there is no such folder" in done.last_line) == (2, True), words


@pytest.mark.thorough
@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_runs_a_sweep_by_its_recipe(engine: str, tmp_path: Path) -> None:
    done = tiny_run.call(tmp_path, "train", "-m", "name=rates", *WORDS, "seed=0,1,2", "sweep.plan_only=true")
    assert done.code == 0, done.err
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (
        (engine, ENGINES[engine]),
        ("qaexp", f'#!/bin/sh\nexec "{sys.executable}" -m qaexp "$@"\n'),
    ):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "SHARED": str(tmp_path),
    }
    recipe = block(f"{engine} -")
    # Workers in the background hold the pipe: it is closed once the last one has ended.
    subprocess.run(["sh", "-c", recipe], env=environment, cwd=tmp_path, capture_output=True, timeout=300, check=True)
    sweep = tmp_path / "multirun_outputs" / "rates"
    assert states(sweep) == ["completed"] * 3
    assert attempts(sweep) == [1, 1, 1]


def test_the_kubernetes_job_starts_workers_again_but_not_in_vain() -> None:
    """An exit code that a new start cannot mend fails the index at once; any other one starts the worker again."""
    job: dict[str, Any] = yaml.safe_load(block("batch/v1"))
    spec = job["spec"]
    assert (spec["completionMode"], spec["template"]["spec"]["restartPolicy"]) == ("Indexed", "Never")
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailIndex"
    assert rule["onExitCodes"]["values"] == [ConfigError.exit_code, SweepError.exit_code]
    (container,) = spec["template"]["spec"]["containers"]
    (volume,) = spec["template"]["spec"]["volumes"]
    (mount,) = container["volumeMounts"]
    assert mount["name"] == volume["name"]
    assert container["command"][-1].startswith(mount["mountPath"])


def test_the_systemd_unit_starts_a_worker_again_but_not_in_vain() -> None:
    found = dict(line.split("=", 1) for line in block("[Service]").splitlines() if "=" in line)
    assert found["Restart"] == "on-failure"
    assert found["RestartPreventExitStatus"].split() == [str(ConfigError.exit_code), str(SweepError.exit_code)]
    assert found["ExecStart"].split()[0].startswith("/")


def test_the_skypilot_task_mounts_one_file_system_everywhere() -> None:
    task: dict[str, Any] = yaml.safe_load(block("use_spot"))
    assert task["num_nodes"] > 1
    assert task["run"].split()[2].startswith(task["setup"].split()[-1])
