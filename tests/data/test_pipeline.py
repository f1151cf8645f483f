"""The node `data`: from keys to splits, with where everything came from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from qaexp.data.demo.generated import demo_file
from qaexp.data.pipeline import DataPipeline
from qaexp.data.question_files import read_squad_file
from qaexp.data.subsets import draw
from qaexp.errors import ConfigError, DataError
from qaexp.runs.identity import identify

KEYS: dict[str, Any] = {
    "source": "json",
    "dataset": None,
    "config_name": None,
    "revision": None,
    "train_file": None,
    "dev_file": None,
    "test_file": None,
    "train_size": None,
    "dev_size": None,
    "subset": "random",
    "on_bad": "fail",
}


def pipeline(**keys: Any) -> DataPipeline:
    return DataPipeline(**{**KEYS, **keys})


def write(path: Path, name: str, count: int, *, num_bad: int = 0) -> str:
    """Write `count` good questions and `num_bad` whose answer is off by one; every second good one is unanswerable."""
    questions = [
        {
            "id": f"{name}{n}",
            "question": "Q",
            "is_impossible": n % 2 == 1,
            "answers": [] if n % 2 else [{"text": "Paris", "answer_start": 0}],
        }
        for n in range(count)
    ]
    questions += [
        {
            "id": f"{name}-bad{n}",
            "question": "Q",
            "is_impossible": False,
            "answers": [{"text": "Paris", "answer_start": 1}],
        }
        for n in range(num_bad)
    ]
    article = {"title": name, "paragraphs": [{"context": "Paris", "qas": questions}]}
    (path / f"{name}.json").write_text(json.dumps({"version": "v2.0", "data": [article]}), "utf-8")
    return str(path / f"{name}.json")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    return {"train_file": write(tmp_path, "train", 40), "dev_file": write(tmp_path, "dev", 20)}


def test_local_files(files: dict[str, str], tmp_path: Path) -> None:
    test_file = write(tmp_path, "test", 4)
    splits = pipeline(**files, test_file=test_file, train_size=10, dev_size=0.5).load(subset_seed=3, dev_seed=0)
    assert splits.train.examples == draw(read_squad_file(Path(files["train_file"])).examples, 10, "random", 3)
    dev = [example.id for example in splits.dev.examples]
    assert len(dev) == 10
    assert dev == sorted(dev, key=lambda id: int(id[3:]))
    assert len(splits.tests["test"].examples) == 4
    assert splits.train.source == {
        "kind": "json",
        "path": files["train_file"],
        "squad_version": "v2",
        "num_examples": 40,
        "num_skipped": 0,
        "num_fixed": 0,
        "num_duplicates": 0,
        "problems": [],
        "sha256": hashlib.sha256(Path(files["train_file"]).read_bytes()).hexdigest(),
    }
    assert json.loads(json.dumps(splits.dev.source)) == splits.dev.source
    assert splits.dev.source["num_examples"] == 20


def test_dev_examples_never_follow_the_subset_seed(files: dict[str, str]) -> None:
    one, two = (pipeline(**files, train_size=10, dev_size=5).load(subset_seed=seed, dev_seed=0) for seed in (1, 2))
    assert one.dev.examples == two.dev.examples
    assert one.train.examples != two.train.examples
    other = pipeline(**files, train_size=10, dev_size=5).load(subset_seed=1, dev_seed=1)
    assert other.dev.examples != one.dev.examples
    assert other.train.examples == one.train.examples


def test_subset_is_about_train_alone(files: dict[str, str]) -> None:
    splits = pipeline(**files, subset="answerable").load(subset_seed=0, dev_seed=0)
    assert len(splits.train.examples) == 20
    assert len(splits.dev.examples) == 20


def test_relative_paths_and_home(files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    data = pipeline(train_file="train.json", dev_file="~/dev.json")
    assert len(data.load(subset_seed=0, dev_seed=0).train.examples) == 40
    with pytest.raises(DataError, match="unknown user"):
        pipeline(train_file="~nobody-of-this-name/a", dev_file="dev.json").fingerprint()


def test_what_is_skipped_or_fixed_is_recorded(
    files: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = {**files, "train_file": write(tmp_path, "bad", 2, num_bad=30)}
    with pytest.raises(DataError):
        pipeline(**bad).load(subset_seed=0, dev_seed=0)
    source = pipeline(**bad, on_bad="skip").load(subset_seed=0, dev_seed=0).train.source
    assert (source["num_examples"], source["num_skipped"], len(source["problems"])) == (2, 30, 20)
    assert "num_skipped 30" in caplog.text
    source = pipeline(**bad, on_bad="fix").load(subset_seed=0, dev_seed=0).train.source
    assert (source["num_examples"], source["num_skipped"], source["num_fixed"]) == (32, 0, 30)


def test_fingerprint_follows_the_bytes_and_not_the_names(files: dict[str, str], tmp_path: Path) -> None:
    first = pipeline(**files).fingerprint()
    assert first == {
        "kind": "json",
        "train_sha256": hashlib.sha256(Path(files["train_file"]).read_bytes()).hexdigest(),
        "dev_sha256": hashlib.sha256(Path(files["dev_file"]).read_bytes()).hexdigest(),
    }
    moved = tmp_path / "moved.json"
    moved.write_bytes(Path(files["train_file"]).read_bytes())
    assert pipeline(**{**files, "train_file": str(moved)}).fingerprint() == first
    moved.write_bytes(moved.read_bytes() + b" ")
    assert pipeline(**{**files, "train_file": str(moved)}).fingerprint() != first
    assert "test_sha256" in pipeline(**files, test_file=str(moved)).fingerprint()


def test_fingerprint_of_a_hub_data_set_needs_no_network() -> None:
    keys = {"dataset": "rajpurkar/squad_v2", "config_name": "squad_v2", "revision": "3" * 40}
    assert pipeline(source="hub", **keys).fingerprint() == {"kind": "hub", **keys}


def test_the_demo_comes_with_the_package() -> None:
    data = pipeline(source="demo", train_size=250)
    splits = data.load(subset_seed=0, dev_seed=0)
    assert len(splits.train.examples) == 250
    assert splits.train.source["kind"] == "demo"
    assert splits.train.source["num_skipped"] == splits.train.source["num_duplicates"] == 0
    assert data.fingerprint()["dev_sha256"] == hashlib.sha256(demo_file("dev").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, ["data.train_file is not set", "data.dev_file is not set"]),
        ({"train_file": "a"}, ["data.dev_file is not set"]),
        ({"source": "demo", "train_file": "a"}, ["data.train_file=a has no effect with data.source=demo"]),
        ({"source": "hub"}, ["data.dataset is not set", "data.config_name is not set", "data.revision is not set"]),
        (
            {"source": "hub", "dataset": "rajpurkar/squad_v2", "config_name": "squad_v2", "revision": "main"},
            ["data.revision is 'main'", "40 hex digits"],
        ),
        (
            {"source": "hub", "dataset": "../..", "config_name": "a/b", "revision": "3" * 40},
            ["data.dataset is '../..'", "data.config_name is 'a/b'"],
        ),
        (
            {"train_file": "a", "dev_file": "b", "revision": "c"},
            ["data.revision=c has no effect with data.source=json; remove it"],
        ),
        ({"source": "csv"}, ["data.source=csv is none of demo, hub, json"]),
    ],
)
def test_missing_and_idle_keys_are_refused_together(keys: dict[str, Any], words: list[str]) -> None:
    data = pipeline(**keys)
    for call in (data.fingerprint, lambda: data.load(subset_seed=0, dev_seed=0)):
        with pytest.raises(ConfigError) as caught:
            call()
        assert all(word in str(caught.value) for word in words)


def test_sizes_name_their_key(files: dict[str, str]) -> None:
    for key, count in (("train_size", 40), ("dev_size", 20)):
        with pytest.raises(ConfigError, match=rf"data\.{key}=1000 is more than the {count} "):
            pipeline(**files, **{key: 1000}).load(subset_seed=0, dev_seed=0)


def test_a_missing_file_is_known_before_anything_is_loaded(files: dict[str, str]) -> None:
    with pytest.raises(DataError, match=r"nowhere\.json"):
        pipeline(**{**files, "dev_file": "nowhere.json"}).fingerprint()


def test_own_column_names_are_part_of_the_identity_only_where_there_are_some(tmp_path: Path) -> None:
    """Runs that were made before the key existed keep their ids; another mapping makes other examples."""
    before = {"seed": 1, "data": {"source": "json", "on_bad": "fail"}}
    now = [{"seed": 1, "data": {**before["data"], "columns": columns}} for columns in (None, {})]  # type: ignore[dict-item]
    named = {"seed": 1, "data": {**before["data"], "columns": {"context": "passage"}}}  # type: ignore[dict-item]
    ids = [identify(config, (), {}, {}).run_id for config in (before, *now, named)]
    assert ids[0] == ids[1] == ids[2] != ids[3]
    identity = identify(now[0], (), {}, {})
    assert identity.changes(before, identity.inputs) == {}
    assert identify(named, (), {}, {}).changes(before, identity.inputs) == {"data.columns.context": (None, "passage")}


def test_own_column_names_hold_for_all_files(tmp_path: Path) -> None:
    row = {"id": 1, "passage": "Paris", "question": "Q", "answers": {"text": ["Paris"], "answer_start": [0]}}
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({**row, "question": name}))
    files = {f"{name}_file": str(tmp_path / f"{name}.jsonl") for name in ("train", "dev", "test")}
    splits = pipeline(**files, columns={"context": "passage"}).load(subset_seed=0, dev_seed=0)
    assert [part.examples[0].context for part in (splits.train, splits.dev, splits.tests["test"])] == ["Paris"] * 3
    assert splits.train.source["num_number_ids"] == 1
    assert "num_made_ids" not in splits.train.source
    with pytest.raises(DataError) as caught:
        pipeline(**{**files, "dev_file": files["train_file"], "test_file": None}).load(subset_seed=0, dev_seed=0)
    assert len(caught.value.problems) == 1
    with pytest.raises(ConfigError, match=r"data\.columns"):
        pipeline(**files, columns={"kontext": "passage"}).fingerprint()
