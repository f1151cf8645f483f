"""What surrounds a run is recorded without importing anything heavy and without changing anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import qaexp
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.readers.reproduction import differing_world
from qaexp.runs.writing import environment
from qaexp.storage.start import held


def git(folder: Path, *words: str) -> None:
    somebody = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *somebody, *words], cwd=folder, check=True, capture_output=True)


def test_commit_and_dirty_diff(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "a.py").write_text("x = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    clean = environment.describe_repository(tmp_path)
    assert clean is not None
    assert (len(clean["commit"]), clean["dirty"], clean["diff_sha256"]) == (40, False, None)
    (tmp_path / "a.py").write_text("x = 2\n")
    dirty = environment.describe_repository(tmp_path)
    assert dirty is not None
    assert dirty["commit"] == clean["commit"]
    assert dirty["dirty"]
    assert len(dirty["diff_sha256"]) == 64
    (tmp_path / "ignored").mkdir()
    assert environment.describe_repository(tmp_path / "ignored") is None


def test_without_git_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.describe_repository(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert environment.describe_repository(tmp_path) is None


def test_description_holds_what_the_schema_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    described = environment.describe_environment(
        ["qaexp", "train", "seed=2"], device={"kind": "cpu"}, threads=2, determinism={"deterministic": True}
    )
    assert described["command_line"] == ["qaexp", "train", "seed=2"]
    assert described["versions"]["numpy"]
    assert described["machine"]["num_usable_cpus"] >= 1
    assert described["machine"]["cpu_limits"] == {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    assert "cpu_limits" not in environment.describe_machine()
    assert described["git"]["working_directory"] is None
    assert (described["device"], described["threads"]) == ({"kind": "cpu"}, 2)
    assert environment.package_versions(["no-such-package"]) == {"no-such-package": None}


def test_git_is_asked_where_the_user_stands_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("here", "elsewhere"):
        (tmp_path / name).mkdir()
        git(tmp_path / name, "init")
        (tmp_path / name / "a.py").write_text("x = 1\n")
        git(tmp_path / name, "add", ".")
        git(tmp_path / name, "commit", "-m", "first")

    def described() -> object:
        given = environment.describe_environment([], device={}, threads=None, determinism={})
        return given["git"]["working_directory"]

    monkeypatch.chdir(tmp_path / "here")
    with held():
        assert described() is not None
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert described() is None
    assert described() is not None


def test_a_repository_that_was_not_asked_is_no_difference(tmp_path: Path) -> None:
    known = {"git": {"code": None, "working_directory": {"commit": "a", "dirty": False, "diff_sha256": None}}}
    other = {"git": {"code": None, "working_directory": {"commit": "b", "dirty": False, "diff_sha256": None}}}
    unknown = {"git": {"code": None, "working_directory": None}}
    runs = []
    for number, content in enumerate((known, other, unknown)):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "env.json").write_text(json.dumps(content))
        runs.append(RunFiles(folder, {}, {}, None))
    assert [sentence.partition(":")[0] for sentence in differing_world(*runs[:2])] == ["git.working_directory.commit"]
    assert list(differing_world(*runs[1:])) == list(differing_world(runs[2], runs[0])) == []


def test_run_directories_are_read_without_heavy_imports() -> None:
    code = (
        "import sys, qaexp.runs.writing.run, qaexp.runs.readers.collect, qaexp.runs.writing.environment\n"
        "heavy = {'torch', 'transformers', 'hydra', 'omegaconf', 'pandas', 'numpy', 'matplotlib'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(qaexp.__file__).parents[1])
