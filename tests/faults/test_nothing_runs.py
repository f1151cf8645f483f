"""Canaries: configs, command lines, repositories, run and sweep folders that would run a program, and do not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qaexp.config.guards.variables import is_refused_name
from qaexp.runs.writing.repository import describe_repository
from qaexp.storage.start import held, start, variables
from tests import REPOSITORY
from tests.fixtures import hostile_git, tiny_run
from tests.fixtures.compared import scores, write_run
from tests.fixtures.hostile_configs import COMMAND_LINES, CONFIGS, SET_BY_PEOPLE, VARIABLES

WORDS = (*tiny_run.DEMO, "threads=1", "trainer.epochs=0")
FILES = {"source": "json", "train_file": "no_such_file.json", "dev_file": "no_such_file.json"}
# What Python would import from a folder that it looks into first.
MODULES = ("torch.py", "json.py", "random.py", "numpy.py", "sitecustomize.py", "usercustomize.py", "hydra.py", "own.py")


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that each attack would make, with what stands in it beforehand for those that empty or remove files."""
    (tmp_path / "precious").write_text("precious\n")
    return tmp_path / "canary"


def untouched(canary: Path) -> bool:
    return not canary.exists() and canary.with_name("precious").read_text() == "precious\n"


def filled(text: str, canary: Path) -> str:
    return text.replace("CANARY", str(canary)).replace("PRECIOUS", str(canary.with_name("precious")))


@pytest.mark.case("config_that_sets_the_environment")
@pytest.mark.case("tracker_that_is_a_command")
@pytest.mark.fault("X7")
@pytest.mark.parametrize("name", CONFIGS)
def test_configs(qaexp: Any, canary: Path, tmp_path: Path, name: str) -> None:
    group = tmp_path / "mine" / "experiment"
    group.mkdir(parents=True)
    (tmp_path / "mine" / "evil_package").mkdir()
    (tmp_path / "mine" / "evil_package" / "__init__.py").write_text(f"open({str(canary)!r}, 'w').close()\n")
    (group / "evil.yaml").write_text(f"# @package _global_\n{filled(CONFIGS[name], canary)}\n")
    code = 2 if name.startswith("yaml: ") else 8
    sys.path.insert(0, str(tmp_path / "mine"))
    try:
        qaexp.refused(
            code, "train", "--config-dir", str(tmp_path / "mine"), "name=a", *WORDS, "experiment=evil",
            last=() if code == 2 else ("refused",),
        )  # fmt: skip
    finally:
        sys.path.remove(str(tmp_path / "mine"))
    assert untouched(canary)
    assert [path for path in qaexp.folder.rglob("*") if path.is_file()] == []


@pytest.mark.fault("X8")
@pytest.mark.parametrize("line", COMMAND_LINES)
def test_command_lines(qaexp: Any, canary: Path, line: str) -> None:
    words = [filled(word, canary) for word in line.split(" ; ")]
    qaexp.refused(8, "train", "name=a", *WORDS, *words, last=("refused",))
    assert untouched(canary)
    assert [path for path in qaexp.folder.rglob("*") if path.is_file()] == []


@pytest.mark.fault("X9")
def test_variables_of_a_config(qaexp: Any, canary: Path) -> None:
    assert [name for name in VARIABLES if not is_refused_name(name)] == []
    assert [name for name in SET_BY_PEOPLE if is_refused_name(name)] == []
    words = [f"+hydra.job.env_set.{name}={canary}" for name in VARIABLES]
    said = qaexp.refused(8, "train", "name=a", *WORDS, *words, last=("in the environment of the command",)).err
    assert [name for name in VARIABLES if f"hydra.job.env_set.{name} is refused" not in said] == []
    # A job of a sweep is looked at as a single run is, also where only one of them sets something.
    group = qaexp.folder / "mine" / "experiment"
    group.mkdir(parents=True)
    for name, variable in (("good", "WANDB_PROJECT"), ("evil", "LD_PRELOAD")):
        text = f"# @package _global_\nhydra: {{job: {{env_set: {{{variable}: x}}}}}}\n"
        (group / f"{name}.yaml").write_text(text)
    sweep = ("--config-dir", str(group.parent), "-m", "name=s", *WORDS, "experiment=good,evil")
    qaexp.refused(8, "train", *sweep, last=("LD_PRELOAD is refused", "in 1 of 2 jobs"))
    assert not (qaexp.folder / "multirun_outputs").exists()


@pytest.mark.case("env_set_of_several_lines")
@pytest.mark.fault("X10")
@pytest.mark.parametrize("launcher", ["none", "local", "basic", "joblib"])
def test_variables_are_set_for_the_body_alone(
    qaexp: Any, tmp_path: Path, launcher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the config is built they are what the command was started with; when the run begins they are set."""
    if launcher == "joblib":
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    monkeypatch.syspath_prepend(REPOSITORY)
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", "tests.fixtures.noted_environment.")
    monkeypatch.setenv("SEEN_A", "of the start")
    noted = tmp_path / "noted"
    words = (
        "+trackers.note._target_=tests.fixtures.noted_environment.Noted", f"+trackers.note.file={noted}",
        "+trackers.note.read='${oc.env:SEEN_B,default}'",
        "+hydra.job.env_set.SEEN_A='of the config\nin two lines'",
    )  # fmt: skip
    more = () if launcher == "none" else ("-m", f"hydra/launcher={launcher}", "seed=0")
    done = qaexp.call("train", "name=a", *WORDS, *words, *more)
    assert done.code == 0, done.err
    assert noted.read_text().splitlines() == [
        "built: 'of the start' 'default'", "started: 'of the config\\nin two lines'",
    ]  # fmt: skip
    assert os.environ["SEEN_A"] == "of the start"


@pytest.mark.case("git_repository_in_a_run_folder")
@pytest.mark.fault("X11")
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("way", hostile_git.WAYS)
def test_repositories(tmp_path: Path, canary: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in hostile_git.make(way, tmp_path / "work", canary).items():
        monkeypatch.setenv(name, value)
    found = describe_repository(tmp_path / "work")
    assert untouched(canary)
    if way in hostile_git.STILL_DESCRIBED:
        assert found is not None
        assert found["dirty"]


@pytest.mark.fault("X12")
def test_programs_of_the_folder(qaexp: Any, canary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are found on the PATH of the start, at absolute places."""
    for name in ("git", "scontrol"):
        program = qaexp.folder / name
        program.write_text(f"#!/bin/sh\n/bin/echo > '{canary}'\n")
        program.chmod(0o755)
    monkeypatch.chdir(qaexp.folder)
    for path in (".", "", ":", "./:.", os.curdir + os.pathsep):
        with variables({"PATH": path}), held():
            assert describe_repository(qaexp.folder) is None
    with held(), variables({"PATH": str(qaexp.folder), "GIT_DIR": str(qaexp.folder)}):
        assert start().environ["PATH"] != str(qaexp.folder)
        describe_repository(REPOSITORY)
    assert untouched(canary)


@pytest.mark.case("tracker_that_is_a_command")
@pytest.mark.case("git_repository_in_a_run_folder")
@pytest.mark.fault("X13")
def test_run_folders(qaexp: Any, canary: Path, tmp_path: Path) -> None:
    run = qaexp.train("name=run", *WORDS)
    place = tmp_path / "stranger"
    if shutil.which("git"):
        hostile_git.make("clean filter", place, canary)
    place.mkdir(exist_ok=True)
    for name in MODULES:
        (place / name).write_text(f"open({str(canary)!r}, 'w').close()\n")
    environment = tiny_run.read_json(run / "env.json")
    (run / "env.json").write_text(json.dumps({**environment, "working_directory": str(place)}))
    tiny_run.sign(run)
    assert qaexp.call("reproduce", str(run)).code == 0
    again = tiny_run.read_json(run.with_name("run-reproduced-1") / "env.json")
    assert (again["working_directory"], again["git"]["working_directory"]) == (str(place), None)
    assert untouched(canary)
    config = tiny_run.read_json(run / "config.json")
    precious = str(canary.with_name("precious"))
    for number, node in enumerate(
        (
            {"_target_": "qaexp.commands.compare.main", "argv": [str(run), "--csv", precious]},
            {"_target_": "qaexp.storage.files.write_text", "path": precious, "text": ""},
            {"_target_": "qaexp.commands.train.run", "_args_": ["name=evil"]},
            {"_target_": "qaexp.reporting.trackers.TensorBoard", "flush_seconds": {"_target_": "os.system"}},
            {"evil": {"_target_": "pathlib.Path.touch", "self": str(canary)}},
            {"_target_": "${oc.env:HOME}"},
        )
    ):
        (run / "config.json").write_text(json.dumps({**config, "trackers": {"e": node}}))
        tiny_run.sign(run)
        qaexp_words = ("reproduce", str(run), "--to", str(tmp_path / f"again{number}"))
        done = tiny_run.call(qaexp.folder, *qaexp_words)
        assert done.code == 8, (node, done.err)
        assert "refused" in done.last_line
    assert untouched(canary)


@pytest.mark.fault("X14")
@pytest.mark.parametrize("command", ["resume", "train"])
def test_modules_of_the_folder(tmp_path: Path, canary: Path, command: str) -> None:
    """The server of a sweep's children starts in a folder that a plan names, or that the user stands in."""
    place = tmp_path / "stranger"
    place.mkdir()
    here, words = place, ["train", "-m", "name=a", "seed=0", *WORDS]
    if command == "resume":
        assert tiny_run.call(tmp_path, *words).code == 0
        (tmp_path / "multirun_outputs" / "a").rename(place / "sweep")
        plan = tiny_run.read_json(place / "sweep" / "plan.json")
        plan["jobs"][0]["config"]["data"].update(FILES)
        (place / "sweep" / "plan.json").write_text(json.dumps({**plan, "working_directory": str(place)}))
        here, words = tmp_path, ["resume", str(place / "sweep")]
    else:
        words += [f"data.{key}={value}" for key, value in FILES.items()]
    for name in MODULES:
        (place / name).write_text(f"open({str(canary)!r}, 'w').close()\n")
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), "QAEXP_CACHE_DIR": str(tmp_path / "cache")}
    # As the installed command does: the folder is no place of modules for the process itself.
    program = [
        sys.executable,
        "-c",
        "import sys; sys.path.pop(0); from qaexp.cli import main; sys.exit(main())",
    ]
    done = subprocess.run([*program, *words], cwd=here, env=environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr
    assert FILES["train_file"] in done.stderr, "a child has looked for it"
    assert untouched(canary)


@pytest.mark.fault("X15")
@pytest.mark.parametrize("holder", ["plan.json", "env.json"])
def test_commands_of_a_sweeps_folder(
    qaexp: Any, canary: Path, tmp_path: Path, holder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a stranger's plan, or a run of a stranger's search, says of --allow is not obeyed, wherever it stands."""
    (tmp_path / "evil_package").mkdir()
    (tmp_path / "evil_package" / "__init__.py").write_text(f"open({str(canary)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    sweep = qaexp.folder / "multirun_outputs" / "s"
    file = sweep / holder
    if holder == "env.json":
        file = write_run(sweep / "a", scores(0, 50)) / holder
        (sweep / "optuna.journal").touch()
    sweep.mkdir(parents=True, exist_ok=True)
    words = ["-m", "name=s", *WORDS, "+trackers.e._target_=evil_package.Tracker"]
    before = sorted(sweep.iterdir())
    for allowed, says in {
        ("--allow", "evil_package."): "give it again: qaexp train",
        ("--allow=evil_package.",): "allowed own code by --allow",
        ("--allow=evil_package.", "hf_token=<redacted>"): "allowed own code by --allow",
        ("--cfg", "job"): "holds --cfg",
        ("-r",): "holds -r",
        ("--", "--allow"): "holds --,",
    }.items():
        for line in ([*words, *allowed], [*allowed, *words]):
            stored = {"command_line": ["qaexp", "train", *line], "working_directory": str(tmp_path)}
            file.write_text(json.dumps({"schema_version": 1, "settings": {"by_command": True}, "jobs": []} | stored))
            qaexp.refused(8, "resume", str(sweep), last=(says,))
    assert untouched(canary)
    assert [path for path in sorted(sweep.iterdir()) if path != file] == before
