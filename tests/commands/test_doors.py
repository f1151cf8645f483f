"""The two doors, `qaexp train` and Python: the same words leave the same files, and each config is composed once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import qaexp
from qaexp.config.hydra_node import GuardedLoader
from tests.fixtures import tiny_run

WORDS = (*tiny_run.DEMO, "trainer.epochs=1", "threads=1", "trainer.checkpoint_every=4")
# What may differ: times, what follows from them, processes, and the words of the command.
TIMED = (".lock", "MANIFEST.json", "debug.log", "env.json", "output.log", "run.json", "summary.json", "sweep.csv")
TIMED += ("sweep.json", "timings.jsonl", "train.log")
OWN_TO_A_START = re.compile(
    r".*_seconds|tokens_per_second|mfu|.*_mib|started|updated|ended|at|heartbeat|pid|summary_sha256|command_line"
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QAEXP_CACHE_DIR", str(tmp_path / "cache"))


def contents(folder: Path) -> dict[str, Any]:
    """Every file of a folder: of JSON that is written anew at each start what must be the same, of others the bytes."""
    found: dict[str, Any] = {}
    for path in filter(Path.is_file, sorted(folder.rglob("*"))):
        if path.name not in TIMED:
            content: Any = path.read_bytes()
        else:
            content = _lasting(tiny_run.read_json(path)) if path.suffix == ".json" else None
        found[path.relative_to(folder).as_posix()] = content
    return found


def _lasting(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: None if OWN_TO_A_START.fullmatch(key) else _lasting(value) for key, value in tree.items()}
    return [_lasting(item) for item in tree] if isinstance(tree, list) else tree


def test_a_run_leaves_the_same_files_through_both_doors(tmp_path: Path) -> None:
    words = (*WORDS, "name=one", "hydra.run.dir=there/${name}")
    assert tiny_run.call(tmp_path, "train", *words).code == 0
    shell = (tmp_path / "there").rename(tmp_path / "shell")
    assert qaexp.run(*words, quiet=True).folder == tmp_path / "there" / "one"
    first, second = contents(shell), contents(tmp_path / "there")
    assert [name for name in {*first, *second} if first.get(name, "") != second.get(name, "")] == []
    assert {"one/.hydra/config.yaml", "one/.hydra/hydra.yaml", "one/.hydra/overrides.yaml"} <= set(first)
    assert not (tmp_path / "outputs").exists()


def test_a_sweep_leaves_the_same_files_through_both_doors(tmp_path: Path) -> None:
    words = (*WORDS, "name=two", "seed=0,1")
    assert tiny_run.call(tmp_path, "train", "-m", *words).code == 0
    shell = (tmp_path / "multirun_outputs").rename(tmp_path / "shell")
    assert len(qaexp.sweep(*words, quiet=True)) == 2
    first, second = contents(shell), contents(tmp_path / "multirun_outputs")
    assert [name for name in {*first, *second} if first.get(name, "") != second.get(name, "")] == []


@pytest.mark.parametrize(
    ("words", "times"),
    [
        (("seed=1", "optimizer.lr=1e-4"), 1),  # also without a name
        (("name=a", "+optimizer.amsgrad=true"), 1),
        (("-m", "name=a", "seed=0,1"), 3),  # its first job to be checked, the sweep, and all jobs of a kind together
        (("sweep=seeds", "optimizer=sgd,muon"), 4),
    ],
)
def test_a_config_is_composed_once(
    words: tuple[str, ...], times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed: list[Any] = []
    load = GuardedLoader.load_configuration
    monkeypatch.setattr(
        GuardedLoader,
        "load_configuration",
        lambda self, *args, **kw: composed.append(args or kw) or load(self, *args, **kw),
    )
    done = tiny_run.call(tmp_path, "train", *WORDS, *words, "sweep.dry_run=true")
    assert (done.code, len(composed)) == (0, times), done.err
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == []
