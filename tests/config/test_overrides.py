"""Keys, choices and grammar of a command line."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from qaexp.errors import ConfigError
from tests.fixtures.checked import check_command_line


def message(*lines: str, config_dir: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        check_command_line(lines, config_dir=config_dir)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lerning_rate=3", "did you mean optimizer.lr?"),
        ("data.train_sze=2", "did you mean data.train_size?"),
        ("model.max_lenght=3", "did you mean features.max_length?"),
        ("optimizer=adamv", "did you mean adamw?"),
        ("optimizer=sdg", "did you mean sgd?"),
        ("data=csv", "data=json data.train_file=FILE"),
        ("data=my/train.jsonl", "data=json data.train_file=FILE"),
        ("optimzer=adamw", "did you mean optimizer?"),
        ("+new_key=1", "new_key is not a key"),
        ("+seed=1", "leave out the '+'"),
        ("~seed", "cannot be left out"),
        ("model/x=1", "is not a group"),
        ("a b=}", "is not an override"),
        ("data.test_files={bio: a.json, bio: b.json}", "names bio twice; name each key once"),
        (
            "data.columns={question: q, context: c}",
            "data.columns has no effect with data.source=demo; choose data=json",
        ),
        ("seed", "is not an override"),
        ("trainer.keep=frist", "none of last, best"),
    ],
)
def test_a_mistake_is_explained(line: str, expected: str) -> None:
    assert expected in message(line)


@pytest.mark.parametrize(
    ("lines", "meant"),
    [
        (["data.columns.id=qid"], {"id": "qid"}),
        (["+data.columns.id=qid", "data.columns.context=passage"], {"id": "qid", "context": "passage"}),
        (["data.columns.id='my id'", "seed=1"], {"id": "my id"}),
        (["data.columns.id=1", "data.columns.question='null'"], {"id": "1", "question": "null"}),
        (["data.columns.passage=context"], {"context": "passage"}),
        (["data.columns={question: query}", "data.columns.id=qid"], {"question": "query", "id": "qid"}),
    ],
)
def test_columns_named_key_by_key_are_told_in_the_form_that_is_read(lines: list[str], meant: dict[str, str]) -> None:
    files = ("data=json", "data.train_file=train.json", "data.dev_file=dev.json")
    told = message(*files, *lines)
    assert "is not a key; write 'data.columns={" in told
    (word,) = shlex.split(told.partition("; write ")[2])
    rest = [line for line in lines if "data.columns" not in line]
    assert check_command_line([*files, *rest, word]).data.columns == meant


def test_a_column_that_qaexp_does_not_have_is_told_with_those_that_it_has() -> None:
    told = message("data.columns.kontext=passage")
    assert "data.columns.kontext is not a key, and the columns are id, title, context" in told
    assert "'data.columns={context: passage}'" in told


def test_every_value_of_a_sweep_is_checked() -> None:
    assert "seed=x" in message("seed=0,x,1")
    assert "no 'ninilm'" in message("model=tiny_random,ninilm")
    assert check_command_line(["seed=3,4", "model=tiny_random,minilm"]).seed == 3


def test_an_open_node_takes_new_keywords_only_with_a_plus() -> None:
    assert "optimizer.amsgrad is not a key" in message("optimizer.amsgrad=true")
    assert check_command_line(["+optimizer.amsgrad=true"]).optimizer["amsgrad"] is True


def test_a_user_adds_choices_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "mine.yaml").write_text("_target_: torch.optim.RAdam\n_partial_: true\nlr: 0.01\n")
    assert check_command_line(["optimizer=mine"], config_dir=tmp_path).optimizer["lr"] == 0.01
    assert "no 'mine'" in message("optimizer=mine")


def test_a_broken_yaml_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "mine.yaml").write_text("lr: [1\n")
    assert "mine.yaml" in message("optimizer=mine", config_dir=tmp_path)


def test_seeds_follow_seed_but_dev_does_not() -> None:
    config = check_command_line(["seed=7", "seeds.order=3"])
    assert (config.seeds.subset, config.seeds.init, config.seeds.order, config.seeds.dropout) == (7, 7, 3, 7)
    assert config.seeds.dev == 0


@pytest.mark.parametrize("choices", ["adamw,sgd", "sgd,adamw", "choice(adamw,sgd)"])
def test_the_jobs_of_a_sweep_that_have_no_such_key_are_named(choices: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_command_line([f"optimizer={choices}", "optimizer.momentum=0.5"], is_sweep=True)
    (said,) = refused.value.problems
    assert said.startswith(
        "optimizer.momentum is not a key of optimizer=adamw, so that the jobs with it cannot have it"
    )
    # Both ways out, as they are told.
    assert said.endswith("leave out optimizer.momentum=0.5, or sweep optimizer=sgd by itself with it")
    check_command_line([f"optimizer={choices}"], is_sweep=True)
    check_command_line(["optimizer=sgd", "optimizer.momentum=0.5"], is_sweep=True)


def test_a_key_of_another_choice() -> None:
    with pytest.raises(ConfigError, match="it is a key of optimizer=muon and optimizer=sgd"):
        check_command_line(["optimizer.momentum=0.5"])
    check_command_line(["optimizer=sgd,muon", "optimizer.momentum=0.5"], is_sweep=True)


MIX = "data.mix={a: {file: a.json, weight: 0.7}, b: {file: b.json, weight: 0.3}}"
FILES = ("data=json", "data.dev_file=dev.json")


def test_a_set_of_a_mix_may_be_changed_behind_the_mix() -> None:
    assert check_command_line([*FILES, MIX, "data.mix.b.weight=2"]).data.mix["b"] == {"file": "b.json", "weight": 2}
    assert check_command_line([*FILES, MIX, "data.mix.b=null"]).data.mix["b"] is None
    assert check_command_line([*FILES, MIX]).data.mix["a"] == {"file": "a.json", "weight": 0.7}


def test_a_mistake_in_a_set_of_a_mix_is_explained() -> None:
    assert "data.mix.c.weight is not a key" in message(*FILES, MIX, "data.mix.c.weight=2")
    assert "data.mix is null; name its training sets first" in message(*FILES, "data.mix.b.weight=2")
    assert "data.mix.b.weight=0 must be a number above 0" in message(*FILES, MIX, "data.mix.b.weight=0")
