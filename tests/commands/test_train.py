"""`qaexp train`: flags in any order, sweeps, a user's own choices, and the same run from Python."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import qaexp
from qaexp.cli.arguments import parse_train_arguments
from qaexp.errors import ConfigError, QaexpError
from tests.fixtures import tiny_run


def test_flags_may_stand_anywhere() -> None:
    orders = (
        ["-m", "name=a", "seed=0,1", "--config-dir", "."],
        ["name=a", "-m", "--config-dir=.", "seed=0,1"],
        ["name=a", "seed=0,1", "-cd", ".", "--multirun"],
    )
    for argv in orders:
        found = parse_train_arguments(argv)
        assert found.overrides == ("name=a", "seed=0,1")
        assert found.config_dir == Path()
        assert found.runs
        assert not found.wants_help
    assert parse_train_arguments(["seed=1", "--cfg", "job"]).runs is False
    assert parse_train_arguments(["-cn", "mine.yaml"]).config_name == "mine"


@pytest.mark.parametrize("argv", [["--no-such-flag"], ["--cfg", "jobs"], ["--config-dir", "/no/such/folder"]])
def test_an_unknown_flag_is_a_config_error(argv: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"--help|give a folder"):
        parse_train_arguments(argv)


def test_a_sweep_makes_a_folder_a_job(tmp_path: Path) -> None:
    words = ("train", "name=seeds", "-m", *tiny_run.DEMO, "trainer.epochs=0", "seed=0,1")
    done = tiny_run.call(tmp_path, *words)
    assert done.code == 0, done.err
    sweep = tmp_path / "multirun_outputs" / "seeds"
    jobs = sorted(path for path in sweep.iterdir() if path.is_dir())
    ids = [tiny_run.read_json(job / "run.json")["run_id"] for job in jobs]
    assert [job.name for job in jobs] == [f"seed={seed}-{ids[seed]}" for seed in (0, 1)]
    assert ids[0] != ids[1]
    for seed, job in enumerate(jobs):
        assert (job / "summary.json").exists()
        assert tiny_run.read_json(job / "config.json")["seeds"]["init"] == seed
        assert f"- seed={seed}\n" in (job / ".hydra" / "overrides.yaml").read_text()
    assert not (tmp_path / "outputs").exists()
    # The same command again finds every job done.
    before = tiny_run.snapshot(sweep)
    assert tiny_run.call(tmp_path, *words).code == 0
    after = tiny_run.snapshot(sweep)
    assert {name for name in before if "/" in name} == {name for name in after if "/" in name}
    assert all(before[name] == after[name] for name in before if "/" in name)


def test_a_sweep_without_its_flag_is_refused(tmp_path: Path) -> None:
    refused = tiny_run.call(tmp_path, "train", *tiny_run.DEMO, "seed=0,1")
    assert refused.code == 2
    assert "--multirun" in refused.last_line
    assert list(tmp_path.iterdir()) == []


def test_cfg_job_prints_the_config_and_runs_nothing(tmp_path: Path) -> None:
    done = tiny_run.call(tmp_path, "train", "seed=4", "--cfg", "job", *tiny_run.DEMO, "features=notebook")
    assert done.code == 0, done.err
    config = yaml.safe_load(done.out)
    assert (config["seed"], config["data"]["train_size"], config["features"]["max_length"]) == (4, 24, 512)
    assert config["model"]["checkpoint"] == "package://qaexp/tiny_random"
    assert list(tmp_path.iterdir()) == []


def test_cfg_job_refuses_a_wrong_key(tmp_path: Path) -> None:
    refused = tiny_run.call(tmp_path, "train", "--cfg", "job", "trainer.epoch=3")
    assert refused.code == 2
    assert "trainer.epoch" in refused.err
    assert "Traceback" not in refused.err


def test_a_user_adds_a_choice_by_a_folder(tmp_path: Path) -> None:
    group = tmp_path / "mine" / "optimizer"
    group.mkdir(parents=True)
    (group / "radam.yaml").write_text("_target_: torch.optim.RAdam\n_partial_: true\nlr: 0.002\nweight_decay: 0.0\n")
    words = (*tiny_run.DEMO, "optimizer=radam", "--config-dir", "mine", "trainer.epochs=1")
    run = tiny_run.train(tmp_path, "mine", *words)
    assert tiny_run.read_json(run / "config.json")["optimizer"]["_target_"] == "torch.optim.RAdam"
    assert tiny_run.read_json(run / "summary.json")["num_steps"] > 0


def test_a_run_without_a_name_gets_a_time_stamp(tmp_path: Path) -> None:
    for _ in range(2):
        assert tiny_run.call(tmp_path, "train", *tiny_run.DEMO, "trainer.epochs=0").code == 0
    directories = sorted((tmp_path / "outputs").iterdir())
    assert len(directories) == 2
    for directory in directories:
        assert tiny_run.read_json(directory / "config.json")["name"] == directory.name
        assert tiny_run.read_json(directory / "env.json")["command_line"][:2] == ["qaexp", "train"]


def test_the_same_run_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tiny_run.train(tmp_path, "shell", *tiny_run.DEMO)
    monkeypatch.chdir(tmp_path)
    summary = qaexp.run(*tiny_run.DEMO, "name=python")
    assert summary == tiny_run.read_json(tmp_path / "outputs" / "python" / "summary.json")
    first, second = (tiny_run.snapshot(tmp_path / "outputs" / name) for name in ("shell", "python"))
    same = ("model/model.safetensors", "metrics.jsonl", "history.csv", "predictions.jsonl", "scores.csv")
    assert all(first[name][1] == second[name][1] for name in same)
    assert set(first) == set(second)
    loaded = qaexp.load_runs(tmp_path / "outputs")
    assert list(loaded["name"]) == ["python", "shell"]
    assert set(loaded["run_id"]) == {tiny_run.read_json(directory / "run.json")["run_id"]}
    assert list(loaded["f1"]) == [summary["f1"]] * 2
    assert set(loaded["optimizer.lr"]) == {3e-4}
    assert qaexp.load_runs([tmp_path / "outputs" / "shell"]).shape == (1, loaded.shape[1])
    assert qaexp.load_runs(tmp_path / "cache").empty


@pytest.mark.parametrize("words", [("seed=0,1",), ("-m",), ("seed",), ("model=tiny_rando",)])
def test_python_refuses_what_it_cannot_run(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QaexpError):
        qaexp.run(*tiny_run.DEMO, "trainer.epochs=0", *words)
    assert list(tmp_path.iterdir()) == []


def test_help_lists_groups_and_keys(tmp_path: Path) -> None:
    text = tiny_run.call(tmp_path, "train", "--help").out
    parts = (
        "minilm",
        "tiny_random",
        "data.train_size=1000",
        "trainer.early_stopping_patience=null",
        "-m",
        "--from RUN",
    )
    for part in (*parts, "optimizer.lr=3.0e-4", "schedule.warmup_ratio=0.1", "batches.token_budget=512", "--allow"):
        assert part in text


def test_help_lists_the_choices_of_ones_own_folder(tmp_path: Path) -> None:
    for file in ("myconf/optimizer/mine.yaml", "myconf/lab/cold.yaml", "myconf/hydra/launcher/far.yaml"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text("lr: 0.1\n")
    for words in (("-cd", "myconf", "--help"), ("-h", "--config-dir=myconf", "seed=1")):
        lines = tiny_run.call(tmp_path, "train", *words).out.splitlines()
        assert "  optimizer   adafactor adamw mine muon sgd" in lines
        assert "  lab         cold" in lines
    assert "mine" not in tiny_run.call(tmp_path, "train", "--help").out.split()
    assert tiny_run.call(tmp_path, "train", "--help", "-cd", "nowhere").code == 0


def test_a_list_in_place_of_words_is_named() -> None:
    with pytest.raises(ConfigError, match="one argument each"):
        qaexp.run(["seed=1"])  # type: ignore[arg-type]


@pytest.mark.parametrize("words", [("name=a",), (), ("name=a", "--run"), ("name=a", "hydra.run.dir=here/b")])
def test_a_dry_run_of_a_single_run_trains_nothing(words: tuple[str, ...], tmp_path: Path) -> None:
    """`sweep.dry_run=true` without -m: what would run, its identity and folder, and nothing on the disk."""
    done = tiny_run.call(tmp_path, "train", *words, *tiny_run.DEMO, "sweep.dry_run=true")
    assert done.code == 0, done.err
    assert "would be trained" in done.out
    assert "nothing was trained" in done.out
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_tells_what_is_there_already(tmp_path: Path) -> None:
    run = tiny_run.train(tmp_path, "a", *tiny_run.DEMO, "trainer.epochs=0")
    before = tiny_run.snapshot(run)
    dry = ("train", "name=a", *tiny_run.DEMO, "sweep.dry_run=true")
    same = tiny_run.call(tmp_path, *dry, "trainer.epochs=0")
    assert tiny_run.read_json(run / "run.json")["run_id"] in same.out
    assert "is completed" in same.out
    other = tiny_run.call(tmp_path, *dry, "trainer.epochs=1")
    assert (other.code, "holds another run" in other.last_line) == (2, True)
    assert tiny_run.snapshot(run) == before
