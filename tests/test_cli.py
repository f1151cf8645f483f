"""The command line: exit codes with one sentence that helps, and commands that answer at once without torch."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import qaexp
from qaexp import cli
from qaexp.errors import StorageError
from qaexp.runs.lock import hold
from tests.fixtures import tiny_run

HEAVY = ("torch", "transformers", "datasets", "accelerate", "pandas", "matplotlib")


def says(called: Any, code: int, *parts: str) -> None:
    """Hold a failed command against its exit code and what its last line must say; it shows no traceback."""
    assert called.code == code, called.err
    assert "Traceback" not in called.err
    for part in parts:
        assert part in called.last_line


def test_a_bad_config_exits_2_with_all_mistakes(tmp_path: Path) -> None:
    words = ("trainer.epoch=3", "optimizer=adamv", "optimizer.lr=-1", "name=../x")
    called = tiny_run.call(tmp_path, "train", *tiny_run.DEMO, *words)
    says(called, 2)
    for part in ("did you mean trainer.epochs?", "did you mean adamw?", "optimizer.lr=-1", "name='../x'"):
        assert part in called.err
    assert list(tmp_path.iterdir()) == []


def test_a_missing_data_file_exits_3(tmp_path: Path) -> None:
    missing = tmp_path / "missing.json"
    called = tiny_run.call(tmp_path, "train", "name=a", *tiny_run.FILES, *tiny_run.files_of(missing, missing))
    says(called, 3, str(missing), "check the path")
    assert not (tmp_path / "outputs" / "a").exists()


def test_a_faulty_data_file_exits_3_and_leaves_a_traceback_in_the_log(tmp_path: Path) -> None:
    good = tiny_run.write_squad(tmp_path / "good.json", 2, 2)
    bad = tmp_path / "bad.json"
    bad.write_text('{"version": "v2.0", "data": [')
    called = tiny_run.call(tmp_path, "train", "name=a", *tiny_run.FILES, *tiny_run.files_of(good, bad))
    says(called, 3, str(bad))
    directory = tmp_path / "outputs" / "a"
    assert "Traceback" in (directory / "debug.log").read_text()
    run = tiny_run.read_json(directory / "run.json")
    assert (run["state"], run["stage"], run["error"]["kind"]) == ("failed", "data", "data")
    assert str(bad) in run["error"]["message"]
    assert not (directory / "summary.json").exists()


def test_a_busy_directory_exits_4(tmp_path: Path) -> None:
    directory = tmp_path / "outputs" / "a"
    directory.mkdir(parents=True)
    with hold(directory):
        called = tiny_run.call(tmp_path, "train", "name=a", *tiny_run.DEMO)
        says(called, 4, f"process {os.getpid()}", "wait for it or choose another name")
        assert [path.name for path in directory.iterdir()] == [".lock"]


@pytest.mark.parametrize("where", ["outputs", "outputs/a"])
def test_a_file_in_the_way_exits_5(tmp_path: Path, where: str) -> None:
    blocker = tmp_path / where
    blocker.parent.mkdir(exist_ok=True)
    blocker.write_text("mine")
    called = tiny_run.call(tmp_path, "train", "name=a", *tiny_run.DEMO)
    says(called, 5, where, "name=")
    assert blocker.read_text() == "mine"


def test_a_training_that_diverges_exits_6(tmp_path: Path) -> None:
    # Decay pulls each weight to -lr * weight_decay times itself: it overflows within a few steps.
    words = ("trainer.epochs=9", "batches=fixed", "optimizer.lr=100", "optimizer.weight_decay=100")
    called = tiny_run.call(tmp_path, "train", "name=a", *tiny_run.DEMO, *words)
    says(called, 6, "optimizer.lr")
    directory = tmp_path / "outputs" / "a"
    run = tiny_run.read_json(directory / "run.json")
    assert (run["state"], run["stage"], run["error"]["kind"]) == ("failed", "training", "diverged")
    assert "DivergedError" in (directory / "debug.log").read_text()
    assert not (directory / "summary.json").exists()


@pytest.mark.parametrize("target", ["os.system", "builtins.eval", "torch.optim.optimizer.torch.hub.load"])
def test_a_target_that_is_not_allowed_exits_8(tmp_path: Path, target: str) -> None:
    called = tiny_run.call(tmp_path, "train", "name=a", *tiny_run.DEMO, f"optimizer._target_={target}")
    says(called, 8, target, "refused")
    assert not (tmp_path / "outputs" / "a").exists()


def test_a_gpu_that_is_not_there_exits_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.accelerator.current_accelerator", lambda **_: None)
    called = tiny_run.call(tmp_path, "train", "name=a", *tiny_run.DEMO, "trainer=cuda")
    says(called, 2, "trainer.device=cuda", "choose trainer=cpu")


def test_ctrl_c_exits_130_and_the_run_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("qaexp.training.loop.take_step", interrupt)
    called = tiny_run.call(tmp_path, "train", "name=a", *tiny_run.DEMO)
    says(called, 130, "Ctrl-C")
    assert tiny_run.read_json(tmp_path / "outputs" / "a" / "run.json")["state"] == "preempted"
    monkeypatch.undo()
    # The same command begins anew, and counts the attempts.
    run = tiny_run.train(tmp_path, "a", *tiny_run.DEMO)
    assert tiny_run.read_json(run / "run.json")["attempt"] == 2


@pytest.mark.parametrize("kind", [RuntimeError, FileNotFoundError])
def test_a_bug_keeps_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]) -> None:
    def broken(*_: object, **__: object) -> None:
        raise kind("a bug of ours")

    monkeypatch.setattr("qaexp.training.loop.take_step", broken)
    with pytest.raises(kind, match="a bug of ours"):
        tiny_run.call(tmp_path, "train", "name=a", *tiny_run.DEMO)
    run = tiny_run.read_json(tmp_path / "outputs" / "a" / "run.json")
    assert (run["state"], run["error"]["kind"]) == ("failed", "bug")
    assert "a bug of ours" in (tmp_path / "outputs" / "a" / "debug.log").read_text()


def test_every_problem_gets_a_line_and_the_error_its_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: list[str]) -> int:
        raise StorageError("disk: full; make room", "log: full; make room")

    monkeypatch.setattr("qaexp.commands.rescore.main", fail)
    assert cli.main(["rescore"]) == 5
    assert capsys.readouterr().err == "qaexp rescore: disk: full; make room\nqaexp rescore: log: full; make room\n"


def test_help_names_every_command_and_each_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in cli.COMMANDS:
        assert f"  {name} " in text
        assert callable(import_module(cli.module_of(name)).main)
    assert cli.main([]) == 2
    assert cli.main(["--version"]) == 0
    assert f"qaexp {qaexp.__version__}\n" in capsys.readouterr().out


def test_an_unknown_command_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tran"]) == 2
    error = capsys.readouterr().err
    assert "unknown command 'tran'" in error
    assert "did you mean train?" in error


@pytest.mark.parametrize("name", [name for name in cli.COMMANDS if name != "train"])
def test_the_help_of_a_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([name, "--help"])
    assert left.value.code == 0
    assert f"usage: qaexp {name}" in capsys.readouterr().out
    assert cli.main([name, "--no-such-flag"]) == 2
    assert f"(see qaexp {name} --help)" in capsys.readouterr().err


def test_python_m_is_the_same_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qaexp", "--version"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == f"qaexp {qaexp.__version__}\n"


@pytest.mark.parametrize("words", [["--help"], ["train", "--cfg", "job"]], ids=["--help", "--cfg"])
def test_a_reader_that_goes_away_is_no_fault(words: list[str], tmp_path: Path) -> None:
    """As in `qaexp ... | head -1`."""
    command = [sys.executable, "-m", "qaexp", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_run_goes_on_when_nobody_reads_what_it_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setattr(sys, "argv", ["qaexp"])
    with os.fdopen(writer, "w", buffering=1) as out, redirect_stdout(out):
        assert cli.main(["train", "name=a", *tiny_run.DEMO]) == 0
    assert (tmp_path / "outputs" / "a" / "summary.json").exists()


def test_a_shell_completes_keys_and_choices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script that `qaexp train -sc install=bash` prints calls `qaexp -sc query=bash`."""
    for line, expected in {
        "qaexp train optimizer=ad": ["optimizer=adafactor", "optimizer=adamw"],
        "qaexp train seed=1 trainer.ep": ["trainer.epochs="],
    }.items():
        monkeypatch.setenv("COMP_LINE", line)
        assert tiny_run.call(tmp_path, "-sc", "query=bash").out.split() == expected


@pytest.mark.parametrize(
    "words",
    [[], ["--help"], ["train", "--help"], ["train", "--cfg", "job", "seed=4"], ["train", "optimzer=adamw"]],
    ids=["import", "--help", "train --help", "--cfg", "mistake"],
)
def test_what_needs_no_torch_does_not_import_it(words: list[str], tmp_path: Path) -> None:
    code = (
        "import sys, qaexp; from qaexp.cli import main; code = main(sys.argv[1:]) if sys.argv[1:] else 0;"
        f"print(code, [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    expected = 2 if "optimzer=adamw" in words else 0
    assert done.stdout.splitlines()[-1] == f"{expected} []"
    if "--cfg" in words:
        assert "\nseed: 4\n" in done.stdout
    assert list(tmp_path.iterdir()) == []
