"""The config to begin with: whatever is named is used or refused, and never starts a default run in silence."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import qaexp
from qaexp.config.conf import conf_directory
from qaexp.errors import ConfigError
from tests.fixtures import tiny_run

DUMPED = ("model=tiny_random", "data.train_size=20", "data.dev_size=10", "trainer.epochs=0", "reporter=none")


def shown(folder: Path, *words: str) -> dict[str, Any]:
    """The config that a command line makes, unresolved."""
    done = tiny_run.call(folder, "train", *words, "--cfg", "job")
    assert done.code == 0, done.err
    found: dict[str, Any] = yaml.safe_load(done.out)
    return found


@pytest.fixture
def dumped(tmp_path: Path) -> Path:
    """A folder with a config that was printed (field: own_config_file)."""
    text = tiny_run.call(tmp_path, "train", "--cfg", "job", *DUMPED).out
    (tmp_path / "my.yaml").write_text(text)
    return tmp_path


def test_a_printed_config_runs_again_own_config_file(dumped: Path) -> None:
    done = tiny_run.call(dumped, "train", "--config-dir=.", "--config-name=my", "name=again")
    assert done.code == 0, done.err
    again = tiny_run.read_json(dumped / "outputs" / "again" / "config.json")
    assert (again["data"]["train_size"], again["model"]["random_weights"]) == (20, True)
    # What it was printed from has the same identity.
    tiny_run.train(dumped, "first", *DUMPED)
    ids = {tiny_run.read_json(dumped / "outputs" / name / "run.json")["run_id"] for name in ("first", "again")}
    assert len(ids) == 1
    stored = shown(dumped, "--config-dir=outputs/again/.hydra", "--config-name=config")
    assert stored["data"]["train_size"] == 20


@pytest.mark.parametrize("flags", [("-cd", "mine"), ("-cd", "mine", "-cn", "config"), ("--config-dir=mine",)])
def test_a_file_called_like_qaexps_own_is_used(dumped: Path, flags: tuple[str, ...]) -> None:
    mine = dumped / "mine"
    mine.mkdir()
    shutil.copy(dumped / "my.yaml", mine / "config.yaml")
    assert shown(dumped, *flags)["data"]["train_size"] == 20
    (mine / "config.yaml").write_text("defaults: [config, {override model: tiny_random}, _self_]\nseed: 4\n")
    found = shown(dumped, *flags)
    assert (found["seed"], found["model"]["random_weights"]) == (4, True)


def test_a_file_that_nobody_named_is_said_to_be_used(dumped: Path) -> None:
    mine = dumped / "mine"
    mine.mkdir()
    shutil.copy(dumped / "my.yaml", mine / "config.yaml")
    shown_config = ("train", "--cfg", "job", "-p", "data.train_size", "-cd", "mine")
    said = tiny_run.call(dumped, *shown_config)
    assert (said.code, said.out) == (0, "20\n")
    assert "mine/config.yaml is used as the config to begin with, in place of qaexp's own" in said.err
    # Both ways out, as they are told.
    assert tiny_run.call(dumped, *shown_config, "--config-name=config") == (0, "20\n", "")
    (mine / "config.yaml").rename(mine / "other.yaml")
    assert tiny_run.call(dumped, *shown_config) == (0, "1000\n", "")
    shutil.copy(conf_directory() / "config.yaml", mine)
    assert tiny_run.call(dumped, *shown_config) == (0, "1000\n", "")


def test_a_file_called_like_qaexps_own_is_refused_where_it_would_not_be_used(
    dumped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = dumped / "mine"
    mine.mkdir()
    shutil.copy(dumped / "my.yaml", mine / "config.yaml")
    (mine / "over.yaml").write_text("defaults: [config, _self_]\nseed: 4\n")
    (mine / "whole.yaml").write_text("seed: 4\n")
    says = "mine/config.yaml: qaexp has a file config.yaml of its own, which would be used in place of this one"
    for words in (("-cd", "mine", "-cn", "over"), (f"hydra.searchpath=[file://{mine}]",)):
        done = tiny_run.call(dumped, "train", "--cfg", "job", *words)
        assert (done.code, says in done.err) == (2, True), done.err
    assert tiny_run.call(dumped, "train", "--cfg", "job", "-p", "seed", "-cd", "mine", "-cn", "whole").out == "4\n"
    monkeypatch.chdir(dumped)
    with pytest.raises(ConfigError, match="which would be used in place"):
        qaexp.run("name=a", "model=tiny_random", config_dir="mine")
    # The way out, as it is told.
    (mine / "config.yaml").rename(mine / "my_config.yaml")
    assert "--config-name=my_config" in done.err
    found = tiny_run.call(dumped, "train", "--cfg", "job", "-p", "data.train_size", "-cd", "mine", "-cn", "my_config")
    assert found == (0, "20\n", "")


def test_a_choice_takes_the_place_of_its_node(dumped: Path) -> None:
    mine = ("-cd", ".", "-cn", "my")
    assert shown(dumped, *mine, "optimizer=sgd")["optimizer"] == yaml.safe_load(
        (conf_directory() / "optimizer" / "sgd.yaml").read_text()
    )
    assert shown(dumped, *mine, "optimizer.lr=0.5")["optimizer"]["betas"] == [0.9, 0.999]
    preset = shown(dumped, *mine, "experiment=notebook")
    assert (preset["batches"]["batch_size"], preset["batches"]["token_budget"]) == (8, None)
    assert preset["trainer"]["keep"] == "last"


def test_what_a_file_does_not_say_is_as_usual(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text("optimizer: {lr: 0.5}\nseed: 3\n")
    found = shown(tmp_path, "-cd", ".", "-cn", "part")
    assert (found["optimizer"]["lr"], found["optimizer"]["eps"], found["seed"]) == (0.5, 1e-8, 3)
    assert found["seeds"]["init"] == "${seed}"
    text = tiny_run.call(tmp_path, "train", "--cfg", "job", "-p", "optimizer", "optimizer=sgd").out
    (tmp_path / "part.yaml").write_text(text)
    assert shown(tmp_path, "-cd", ".", "-cn", "part")["optimizer"]["momentum"] == 0.9


def test_all_that_was_printed_runs_again_hydras_node_too(tmp_path: Path) -> None:
    words = ("hydra.run.dir=here/${name}", "seed=3", *DUMPED)
    (tmp_path / "all.yaml").write_text(tiny_run.call(tmp_path, "train", "--cfg", "all", *words).out)
    mine = ("-cd", ".", "-cn", "all")
    assert shown(tmp_path, *mine)["seed"] == 3
    done = tiny_run.call(tmp_path, "train", *mine, "--cfg", "all", "-p", "hydra.run.dir", "name=a")
    assert done.out.strip() in ("here/${name}", "here/a")


REFUSED = {
    ("-cd", ".", "-cn", "nothere"): "it has bad, empty, good, kinds, list, nodefaults, only",
    ("-cd", ".", "-cn", "god"): "did you mean good?",
    ("-cn", "nothere"): "give the folder of yours by --config-dir",
    ("-cn", "good"): "write --config-dir=. --config-name=good",
    ("-cn", "good.yaml"): "write --config-dir=. --config-name=good",
    ("-cd", "sub", "-cn", "config"): "qaexp's own config would be used",
    ("-cn", "model/minilm"): "write model=minilm",
    ("-cn", "model"): "names a group",
    ("-cd", ".", "-cn", "good", "-cn", "bad"): "given twice",
    ("-cd", ".", "-cd", "sub"): "given twice",
    ("-cd", ".", "-cn", "empty"): "the default run would start",
    ("-cd", ".", "-cn", "only"): "the default run would start",
    ("-cd", ".", "-cn", "nodefaults"): "let the list begin with `- config`",
    ("-cd", ".", "-cn", "bad"): "sed is not a key; did you mean seed?",
    ("-cd", ".", "-cn", "kinds"): "trainer.epochs=many does not fit, it must be a whole number",
    ("-cd", ".", "-cn", "list"): "holds no mapping",
    ("-cp", "conf"): "use --config-dir DIR (-cd)",
    ("--config-path=conf",): "use --config-dir DIR (-cd)",
    ("--config", "good.yaml"): "write --from FILE",
    ("good.yaml",): "write --from good.yaml",
    ("config=good",): "config is a flag",
    ("-cd", "shadow"): "which would be used in place of this one",
    ("hydra.searchpath=[file://{folder}/shadow]",): "which would be used in place of this one",
    ("-cd", "schemas"): "schemas/schema.yaml",
    ("-cn", ""): "--config-name is empty",
    ("hydra.searchpath=[file:///nowhere]",): "/nowhere is not a folder",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_what_would_not_be_used_is_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    for name, text in {
        "good": "defaults: [config, _self_]\nseed: 4\n",
        "bad": "sed: 3\n",
        "kinds": "trainer: {epochs: many}\n",
        "empty": "",
        "only": "hydra: {run: {dir: x}}\n",
        "nodefaults": "defaults: [{model: tiny_random}, _self_]\n",
        "list": "- 1\n",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    for folder in ("sub", "shadow/model", "schemas"):
        (tmp_path / folder).mkdir(parents=True)
    text = (conf_directory() / "model" / "minilm.yaml").read_text()
    (tmp_path / "shadow" / "model" / "minilm.yaml").write_text(text.replace("false", "true"))
    (tmp_path / "schemas" / "schema.yaml").write_text("seed: 3\n")
    given = [word.replace("{folder}", str(tmp_path)) for word in words]
    done = tiny_run.call(tmp_path, "train", *given, "data.dev_size=-1")
    assert done.code == 2
    assert REFUSED[words] in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("seed: 1\nseed: 2\n", "line 2, column 1: .*found duplicate key seed"),
        ("seed: 1\n---\nseed: 2\n", "line 2, column 1: .*but found another document"),
        ("? [a, b]\n: 1\n", "line 1, column 3: .*unhashable key"),
        ("seed: !foo 1\n", "line 1, column 7: .*constructor for the tag '!foo'"),
        ("seed: !!python/name:os.system\n", "line 1, column 7: .*constructor for the tag"),
        ("notes: !!python/object/apply:os.system ['touch canary']\n", "line 1, column 8: .*constructor for the tag"),
        ("defaults: [config, other]\n", "other.yaml: line 2, column 1: .*found duplicate key seed"),
        ("seed: 2020-01-01\n", "seed"),
        ("1: 2\n", "1 is not a key"),
        ("- a\n", "holds no mapping"),
        ("{}\n", "holds no key of a run's config"),
        ("", "holds no key of a run's config"),
    ],
)
@pytest.mark.parametrize("words", [("--config-dir=.", "--config-name=mine"), ("--from", "mine.yaml")])
def test_a_file_that_no_config_can_be_is_refused_in_a_sentence(
    words: tuple[str, ...], content: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(content)
    (tmp_path / "other.yaml").write_text("seed: 1\nseed: 2\n")
    if words[0] == "--from" and content.startswith("defaults"):
        says = "defaults"
    done = tiny_run.call(tmp_path, "train", *words, "name=a", *DUMPED)
    assert done.code == 2, done.err
    assert re.search(says, done.last_line), done.last_line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yaml", "other.yaml"]


def test_a_copy_of_qaexps_own_files_may_stand_beside_new_ones(tmp_path: Path) -> None:
    shutil.copytree(conf_directory(), tmp_path / "mine")
    (tmp_path / "mine" / "optimizer" / "big.yaml").write_text("defaults: [adamw]\nlr: 0.9\n")
    assert shown(tmp_path, "-cd", "mine", "optimizer=big")["optimizer"]["lr"] == 0.9


def test_groups_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "myexp").mkdir()
    for name, rate in (("a", 0.1), ("b", 0.2)):
        (tmp_path / "myexp" / f"{name}.yaml").write_text(f"# @package _global_\noptimizer: {{lr: {rate}}}\n")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.yaml").write_text("lr: 1\n")
    assert shown(tmp_path, "-cd", ".", "+myexp=a")["optimizer"]["lr"] == 0.1
    done = tiny_run.call(tmp_path, "train", "-cd", ".", "+myexp=a", "trainer.epochs=-1")
    assert (done.code, done.err.count("\n")) == (2, 1)
    for words, says in {
        ("+myexp=c",): "it offers a, b",
        ("+myexpp=a",): "did you mean myexp?",
        ("myexp=a",): "write +myexp=...",
        ("+plain=a",): "# @package _global_",
    }.items():
        done = tiny_run.call(tmp_path, "train", "-cd", ".", *words)
        assert (done.code, says in done.err) == (2, True), done.err


def test_qaexps_own_groups_may_be_typed_with_a_plus(tmp_path: Path) -> None:
    found = shown(tmp_path, "+experiment=notebook", "+model=tiny_random")
    assert (found["seed"], found["model"]["random_weights"]) == (2, True)


def test_own_groups_and_globs_are_swept(tmp_path: Path) -> None:
    (tmp_path / "myexp").mkdir()
    for name in ("a", "b"):
        (tmp_path / "myexp" / f"{name}.yaml").write_text(
            f"# @package _global_\nfeatures: {{doc_stride: {ord(name)}}}\n"
        )
    words = (*tiny_run.DEMO, "-cd", ".", "+myexp=glob(*)", "schedule=glob([c*],exclude=cos*)", "sweep.dry_run=true")
    done = tiny_run.call(tmp_path, "train", "-m", "name=s", *words)
    assert done.code == 0, done.err
    assert "+myexp=a" in done.out
    assert "2 jobs" in done.out
    for word, says in {
        "schedule=glob(x*)": "it offers constant, cosine, linear",
        "seed=glob(*)": "seed is a key",
    }.items():
        done = tiny_run.call(tmp_path, "train", "-m", word)
        assert (done.code, says in done.err) == (2, True), done.err


def test_a_defaults_list_without_qaexps_own_config_says_what_it_lacks(tmp_path: Path) -> None:
    """Not what Hydra then fills in by itself, which stands in no file of the user's."""
    (tmp_path / "own.yaml").write_text("defaults: [schema, _self_]\nname: own\n")
    done = tiny_run.call(tmp_path, "train", "-cd", ".", "-cn", "own", "--cfg", "job")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "let the list begin with `- config`" in done.err
    (tmp_path / "base.yaml").write_text("defaults: [config, _self_]\nseed: 3\n")
    for entry in ("config", "base"):
        (tmp_path / "own.yaml").write_text(f"defaults: [{entry}, _self_]\nname: own\n")
        assert shown(tmp_path, "-cd", ".", "-cn", "own")["name"] == "own"
    (tmp_path / "own.yaml").write_text("defaults: [round, _self_]\nname: own\n")
    (tmp_path / "round.yaml").write_text("defaults: [own, _self_]\n")
    assert tiny_run.call(tmp_path, "train", "-cd", ".", "-cn", "own", "--cfg", "job").code == 2
